"""`perennial simulator` with its options: books in a file, limits, faults, TLS; and how it refuses wrong ones."""

import asyncio
import json
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from amazon_pay_client import AmazonPayClient, Region, load_private_key
from amazon_pay_client.errors import UnavailableError
from amazon_pay_client.models import ChargePermissionState
from amazon_pay_simulator import SimulatorHandle
from tests.starter.command_line import lines_until, typed
from tests.worker.processes import finished, perennial

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "simulator" / "faults.json"


@asynccontextmanager
async def simulating(keys: Path, *options: str, kill: signal.Signals = signal.SIGTERM) -> AsyncIterator[dict[str, str]]:
    """A simulator as a process of its own; the settings of a worker that it prints."""
    async with perennial("simulator", "--port", "0", "--keys", str(keys), *options, environment={}) as process:
        lines = await lines_until(process, "IPN_TRUSTED_CERTIFICATE_PATH")
        yield dict(line.strip().split("=", 1) for line in lines if line.startswith("  PERENNIAL_"))
        process.send_signal(kill)
        code, _, err = await finished(process)
    assert (code, err) == ((0, "") if kill is signal.SIGTERM else (-kill, ""))


def client_of(settings: dict[str, str]) -> AmazonPayClient:
    return AmazonPayClient(
        public_key_id=settings["PERENNIAL_PUBLIC_KEY_ID"],
        private_key=load_private_key(Path(settings["PERENNIAL_PRIVATE_KEY_PATH"])),
        region=Region.NA,
        origin=settings["PERENNIAL_AMAZON_PAY_ORIGIN"],
    )


async def test_books_in_a_file_outlive_even_a_kill(tmp_path: Path) -> None:
    options = ["--database", str(tmp_path / "books.db")]
    async with (
        simulating(tmp_path, *options, kill=signal.SIGKILL) as settings,
        SimulatorHandle(settings["PERENNIAL_AMAZON_PAY_ORIGIN"]) as simulator,
    ):
        identifier = (await simulator.open_permission()).charge_permission_id

    async with simulating(tmp_path, *options) as settings, client_of(settings) as client:
        permission = await client.charge_permissions.get(identifier)

    assert permission.status_details.state is ChargePermissionState.CHARGEABLE


async def test_a_simulator_throttles_when_asked_to(tmp_path: Path) -> None:
    async with simulating(tmp_path, "--throttle", "sandbox") as settings, client_of(settings) as client:
        reads = [client.charge_permissions.get("C01-0-0") for _ in range(30)]
        errors = await asyncio.gather(*reads, return_exceptions=True)

    assert {getattr(error, "status", None) for error in errors} == {404, 429}


async def test_a_simulator_lets_go_wrong_what_its_file_says(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"requests": {"unavailable": 1}}))

    async with (
        simulating(tmp_path, "--faults", str(faults)) as settings,
        client_of(settings) as client,
        SimulatorHandle(settings["PERENNIAL_AMAZON_PAY_ORIGIN"]) as simulator,
    ):
        with pytest.raises(UnavailableError):
            await client.charge_permissions.get("C01-0-0")
        assert set(await simulator.faults()) == {"unavailable"}


async def test_the_examples_faults_are_a_plan(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "faults.json")

    async with simulating(tmp_path, "--faults", str(tmp_path / "faults.json")) as settings:
        assert settings["PERENNIAL_AMAZON_PAY_ORIGIN"].startswith("http://")


async def test_a_simulator_serves_https_by_a_certificate_that_stays(tmp_path: Path) -> None:
    async with simulating(tmp_path, "--tls"):
        trust = ssl.create_default_context(cafile=tmp_path / "tls-certificate.pem")
    async with simulating(tmp_path, "--tls") as settings, httpx.AsyncClient(verify=trust) as http:
        origin = settings["PERENNIAL_AMAZON_PAY_ORIGIN"]
        answers = [
            await http.get(f"{origin.replace('127.0.0.1', host)}/simulator/health")
            for host in ("127.0.0.1", "localhost")
        ]

    assert origin.startswith("https://127.0.0.1:")
    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "No such file"),
        ("{", "it is not JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "an empty list is not accepted; a table of fields is"),
        ('{"requests": {"reset": 2}}', "requests.reset"),
        ('{"requests": {"reset": 0.7, "throttled": 0.7}}', "1.4"),
        ('{"requests": {"fire": 0.1}}', "fire"),
        ('{"lost_notification": 1}', "lost_notification"),
        ('{"longest_latency_seconds": -1}', "longest_latency_seconds"),
    ],
)
async def test_a_file_of_faults_that_cannot_be_used_is_named_and_why(
    tmp_path: Path, text: str | None, named: str
) -> None:
    faults = tmp_path / "faults.json"
    if text is not None:
        faults.write_text(text)

    said = await typed("simulator", "--port", "0", "--keys", str(tmp_path), "--faults", str(faults))

    assert said.code == 2
    for words in ("--faults", str(faults), named):
        assert words in said.trouble


@pytest.mark.parametrize(
    ("place", "named"), [("notes.txt", "not a database"), ("none/books.db", "unable to open"), (".", "unable to open")]
)
async def test_a_database_that_cannot_be_used_is_named_and_why(tmp_path: Path, place: str, named: str) -> None:
    (tmp_path / "notes.txt").write_text("remember the milk\n" * 100)

    said = await typed("simulator", "--port", "0", "--keys", str(tmp_path), "--database", str(tmp_path / place))

    assert said.code == 2
    for words in ("--database", str(tmp_path / place), named):
        assert words in said.trouble


async def test_limits_that_amazon_does_not_have_are_refused(tmp_path: Path) -> None:
    said = await typed("simulator", "--port", "0", "--keys", str(tmp_path), "--throttle", "none")

    assert (said.code, said.out) == (2, "")
    for words in ("--throttle", "'none'", "sandbox", "live"):
        assert words in said.err
