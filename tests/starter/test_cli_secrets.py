"""Secrets never appear in what a command prints: not in an error about them, not in one about something else, and
not in a crash."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.starter.command_line import Said, dead_port, run, typed
from tests.starter.key_material import (
    DAMAGED_PEM,
    ENCRYPTED_PEM,
    NOT_RSA_PEM,
    PASSPHRASE,
    RSA_PEM,
    WITHOUT_ITS_FIRST_LINE,
    leaked,
)

WORKER = {"PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-KEY"}

CRASH = """
import worker.main

async def run_worker(settings):
    key = settings.private_key.get_secret_value()
    passphrase = settings.private_key_passphrase.get_secret_value()
    raise RuntimeError("something that nobody foresaw")

worker.main.run_worker = run_worker
from starter.cli import main
main()
"""
"""A crash beside secrets that stand in local variables, where a talkative traceback would show them."""


def assert_kept(said: Said, *secrets: str) -> None:
    for secret in secrets:
        assert leaked(secret, said.out, said.err) == set(), "a secret was printed"


@pytest.mark.parametrize(
    ("key", "passphrase", "named"),
    [
        (NOT_RSA_PEM, "", ["PERENNIAL_PRIVATE_KEY", "not RSA"]),
        (DAMAGED_PEM, "", ["PERENNIAL_PRIVATE_KEY", "damaged"]),
        (ENCRYPTED_PEM, PASSPHRASE[:-1], ["PERENNIAL_PRIVATE_KEY", "passphrase is wrong"]),
        (ENCRYPTED_PEM, "", ["PERENNIAL_PRIVATE_KEY", "passphrase"]),
        (WITHOUT_ITS_FIRST_LINE, "", ["PERENNIAL_PRIVATE_KEY", "PEM"]),
        (PASSPHRASE, "", ["PERENNIAL_PRIVATE_KEY", "PEM"]),
    ],
    ids=["not RSA", "damaged", "wrong passphrase", "no passphrase", "no first line", "a passphrase instead"],
)
async def test_a_private_key_that_cannot_be_used_is_named_and_not_shown(
    key: str, passphrase: str, named: list[str]
) -> None:
    said = await run(
        "worker",
        **WORKER,
        PERENNIAL_PRIVATE_KEY=key,
        PERENNIAL_PRIVATE_KEY_PASSPHRASE=passphrase,
    )

    assert_kept(said, key, *([passphrase] if passphrase else []))
    assert said.code == 2
    for words in named:
        assert words in said.trouble


async def test_a_crash_shows_where_it_happened_and_no_secret() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CRASH,
        "worker",
        env={**WORKER, "PERENNIAL_PRIVATE_KEY": RSA_PEM, "PERENNIAL_PRIVATE_KEY_PASSPHRASE": PASSPHRASE},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    said = Said(process.returncode or 0, out.decode(), err.decode())

    assert said.code == 1
    assert "something that nobody foresaw" in said.err
    assert_kept(said, RSA_PEM, PASSPHRASE)


@pytest.mark.parametrize(
    "trouble",
    [
        {"PERENNIAL_ENVIRONMENT": "production"},
        {"PERENNIAL_ENVIRONMENT": "live", "PERENNIAL_SEND_VIRTUAL_TIME": "true"},
        {"PERENNIAL_IPN_PORT": "70000"},
        {"PERENNIAL_LOG_LEVEL": "LOUD"},
    ],
    ids=lambda trouble: next(reversed(trouble)),
)
async def test_another_setting_that_is_wrong_is_named_without_the_secrets_beside_it(trouble: dict[str, str]) -> None:
    said = await typed(
        "show", "C01-0", **trouble, PERENNIAL_PRIVATE_KEY=RSA_PEM, PERENNIAL_PRIVATE_KEY_PASSPHRASE=PASSPHRASE
    )

    assert said.code == 2
    assert next(reversed(trouble)) in said.trouble
    assert_kept(said, RSA_PEM, PASSPHRASE)


async def test_a_command_that_reaches_no_server_does_not_show_the_secrets_in_its_environment(tmp_path: Path) -> None:
    with dead_port() as port:
        said = await typed(
            "list",
            TEMPORAL_ADDRESS=f"127.0.0.1:{port}",
            TEMPORAL_API_KEY="temporal-api-key-0123456789",
            PERENNIAL_PRIVATE_KEY=RSA_PEM,
            PERENNIAL_PRIVATE_KEY_PASSPHRASE=PASSPHRASE,
        )

    assert said.code == 2
    assert_kept(said, RSA_PEM, PASSPHRASE, "temporal-api-key-0123456789")
