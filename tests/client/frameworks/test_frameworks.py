"""Twenty calls of each kind in a Django, a Flask and a Celery application: what they report is what Amazon booked."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import KEY_ID


@pytest.fixture
async def environment(books: SimulatorHandle, private_key: RSAPrivateKey, tmp_path: Path) -> Mapping[str, str]:
    key_file = tmp_path / "private.pem"
    key_file.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key_file.chmod(0o600)
    return os.environ | {
        "AMAZON_PAY_PUBLIC_KEY_ID": KEY_ID,
        "AMAZON_PAY_PRIVATE_KEY_PATH": str(key_file),
        "AMAZON_PAY_ORIGIN": books.origin,
        "CHARGE_PERMISSION_ID": (await books.open_permission()).charge_permission_id,
        "CELERY_FOLDER": str(tmp_path),
    }


async def reported_by(shop: str, environment: Mapping[str, str]) -> list[str]:
    """What the application answered, call by call: the id of a charge, or what went wrong."""
    program = ["-W", "error::ResourceWarning", "-m", f"tests.client.frameworks.{shop}"]
    process = await asyncio.create_subprocess_exec(sys.executable, *program, env=environment, stdout=PIPE, stderr=PIPE)
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    assert "ResourceWarning" not in complained.decode()
    answers: list[str] = json.loads(said)
    return answers


async def assert_reported_as_booked(reported: list[str], books: SimulatorHandle, calls: int) -> None:
    booked = [charge.charge_id for charge in (await books.books()).charges]
    assert sorted(reported) == sorted(booked)
    assert len(booked) == calls


@pytest.mark.parametrize(
    ("shop", "calls"), [("django_shop", 60), pytest.param("flask_shop", 40, marks=pytest.mark.long)]
)
async def test_a_web_application_reports_what_was_booked(
    shop: str, calls: int, environment: Mapping[str, str], books: SimulatorHandle
) -> None:
    await assert_reported_as_booked(await reported_by(shop, environment), books, calls)


@asynccontextmanager
async def celery_worker(environment: Mapping[str, str]) -> AsyncIterator[Process]:
    command = ["worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "ERROR"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "celery", "--app", "tests.client.frameworks.celery_shop", *command, *quiet),
        env=environment,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        yield worker
    finally:
        os.killpg(worker.pid, signal.SIGKILL)  # with its children; no task is left that it would wait for
        await worker.communicate()


@pytest.mark.long
async def test_a_worker_of_forked_processes_reports_what_was_booked(
    environment: Mapping[str, str], books: SimulatorHandle
) -> None:
    async with celery_worker(environment):
        reported = await reported_by("celery_shop", environment)

    await assert_reported_as_booked(reported, books, 40)
