"""`amazon-pay-simulator` with its options: what it prints, serves, keeps, and how it refuses wrong ones."""

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_client import AmazonPayClient, Region, load_private_key
from amazon_pay_client.errors import NotFoundError, UnavailableError
from amazon_pay_client.models import ChargePermissionState
from amazon_pay_simulator import SimulatorHandle, program
from amazon_pay_simulator.certificates import new_key, tls_files, write_private_key
from amazon_pay_simulator.configuration import Settings, read_settings
from amazon_pay_simulator.merchants import public_pem
from amazon_pay_simulator.preparation import prepared
from amazon_pay_simulator.serving import listening
from tests.simulator.program import Running, serving_here, simulating, trouble

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "simulator" / "simulator.toml"
OFFICIAL: Final = ("pay-api.amazon.com", "pay-api.amazon.eu", "pay-api.amazon.jp")


def client_of(running: Running, **changes: str) -> AmazonPayClient:
    said = running.said | changes
    return AmazonPayClient(
        public_key_id=said["public key id"],
        private_key=load_private_key(Path(said["private key"])),
        region=Region.NA,
        origin=running.origin,
    )


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_it_prints_what_a_client_needs_and_ends_when_told_to(tmp_path: Path) -> None:
    keys = tmp_path / "my keys"
    async with simulating(keys) as running:
        async with client_of(running) as client:
            with pytest.raises(NotFoundError):
                await client.charge_permissions.get("C01-0000000-0000000")
        async with httpx.AsyncClient() as http:
            pages = [await http.get(running.said[name]) for name in ("control API", "requests, live")]

    assert [page.status_code for page in pages] == [200, 200]
    assert Path(running.said["notification certificate"]).parent == keys
    assert running.said["merchant id"] == "A1SIMULATOR"


async def test_a_simulator_that_is_interrupted_at_its_terminal_ends_without_a_traceback(tmp_path: Path) -> None:
    async with simulating(tmp_path, end=signal.SIGINT) as running:
        assert running.origin.startswith("http://127.0.0.1:")


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "simulator" / "pyproject.toml").read_text())["project"]

    with pytest.raises(SystemExit) as ended:
        program.main(["--version"])

    assert (ended.value.code, capsys.readouterr().out) == (0, f"{project['name']} {project['version']}\n")
    assert project["scripts"] == {"amazon-pay-simulator": "amazon_pay_simulator.program:main"}


# Where options come from


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "simulator.toml"
    file.write_text(
        'merchant_id = "FILE"\nport = 1\nhost = "127.0.0.3"\n'
        '[assumptions]\nrefund_takes = "PT1S"\npending_takes = "PT1S"\nlate_capture_takes = "PT1S"\n'
    )
    monkeypatch.setenv("AMAZON_PAY_SIMULATOR_CONFIG", str(file))
    monkeypatch.setenv("AMAZON_PAY_SIMULATOR_PORT", "2")
    monkeypatch.setenv("AMAZON_PAY_SIMULATOR_MERCHANT_ID", "ENVIRONMENT")
    monkeypatch.setenv("AMAZON_PAY_SIMULATOR_ASSUMPTIONS__PENDING_TAKES", "PT2S")

    settings = read_settings(["--merchant-id", "LINE", "--assumptions.late-capture-takes", "PT3S"])

    assert (settings.merchant_id, settings.port, settings.host) == ("LINE", 2, "127.0.0.3")
    assumptions = settings.assumptions
    taking = (assumptions.refund_takes, assumptions.pending_takes, assumptions.late_capture_takes)
    assert [each.total_seconds() for each in taking] == [1, 2, 3]
    assert assumptions.month_zone == "UTC"


def options_of(kind: type, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in kind.model_fields.items():  # type: ignore[attr-defined]
        if name in {"assumptions", "faults"}:
            yield from options_of(field.annotation, (*path, name))
        else:
            yield (*path, name)


VALUES: Final = {
    "host": "127.0.0.9",
    "port": 8700,
    "origin": "http://simulator:8600",
    "tls": True,
    "keys": "/somewhere",
    "merchant_id": "A9",
    "public_key_id": "LIVE-9",
    "public_key_path": "/key.pem",
    "receivers": ["http://127.0.0.1:1/", "http://127.0.0.1:2/"],
    "merchants": [{"merchant_id": "A2", "keys": [{"public_key_id": "K2"}]}],
    "signature_version": "1",
    "database": "/books.db",
    "throttle": "live",
    "journal_size": 7,
    "charge_permissions": [{"currency": "JPY", "script": [{"code": "SoftDeclined"}]}],
    "saves_declines": False,
    "saves_server_errors": True,
    "clock_skew": "PT1M",
    "month_zone": "Asia/Tokyo",
    "permission_lives_months": 6,
    "pending_takes": "PT1M",
    "refund_takes": "PT1M",
    "late_capture_takes": 60,
    "total_order_amount_always_required": True,
    "completed_sessions_stay_bare": False,
    "used_up_reason": "Used up",
    "ledger_currency": "JPY",
    "report_takes": "PT1M",
    "settlement_period": "P7D",
    "settlement_fee_percent": "1.5",
    "settlement_fee_fixed": "0.25",
    "settlement_fee_returned": False,
    "settlement_separator": "tab",
    "seed": 9,
    "requests": {"reset": 0.5},
    "longest_latency_seconds": 0.5,
    "lost_notifications": 0.5,
    "doubled_notifications": 0.5,
    "late_notifications": 0.5,
    "lateness_seconds": 0.5,
}
OPTIONS: Final = [path for path in options_of(Settings) if path != ("config",)]


@pytest.mark.parametrize("path", OPTIONS, ids=".".join)
def test_every_option_comes_from_the_command_line_the_environment_and_the_file_alike(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = VALUES[path[-1]]
    text = value if isinstance(value, str) else json.dumps(value)
    option = f"--{'.'.join(path).replace('_', '-')}"
    line = [option] if value is True else [f"--no-{option[2:]}"] if value is False else [f"{option}={text}"]
    file = tmp_path / "simulator.toml"
    file.write_text("".join(f"[{table}]\n" for table in path[:-1]) + f"{path[-1]} = {toml(value)}\n")

    by_line = read_settings(line)
    by_file = read_settings(["--config", str(file)])
    monkeypatch.setenv(f"AMAZON_PAY_SIMULATOR_{'__'.join(path).upper()}", text)
    by_environment = read_settings([])

    assert (
        by_line.model_dump() == by_environment.model_dump() == by_file.model_dump(exclude={"config"}) | {"config": None}
    )
    assert by_line.model_dump() != read_settings_without_anything(monkeypatch).model_dump()


def toml(value: object) -> str:
    """JSON is TOML but for its tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def read_settings_without_anything(monkeypatch: pytest.MonkeyPatch) -> Settings:
    with monkeypatch.context() as patch:
        for path in OPTIONS:
            patch.delenv(f"AMAZON_PAY_SIMULATOR_{'__'.join(path).upper()}", raising=False)
        return read_settings([])


@pytest.mark.parametrize(
    ("arguments", "environment", "text", "named"),
    [
        (["--port", "70000"], {}, None, ["--port", "'70000'", "65535"]),
        (["--prot", "1"], {}, None, ["--prot"]),
        (["--throttle", "none"], {}, None, ["--throttle", "'none'", "sandbox", "live"]),
        (["--receivers", "http://127.0.0.1:99999/"], {}, None, ["--receivers", "http://127.0.0.1:99999/", "port"]),
        (["--assumptions.month-zone", "Mars"], {}, None, ["--assumptions.month-zone", "Mars", "IANA"]),
        (["--assumptions.refund-takes=-5"], {}, None, ["--assumptions.refund-takes", "0"]),
        (["--faults.requests", '{"reset": 0.7, "throttled": 0.7}'], {}, None, ["--faults", "1.4"]),
        ([], {"PORT": "eight"}, None, ["AMAZON_PAY_SIMULATOR_PORT", "'eight'"]),
        ([], {"RECEIVERS": "["}, None, ["receivers"]),
        ([], {}, "prot = 8600", ["simulator.toml: prot", "no such field"]),
        ([], {}, "[assumptions]\nrefund_take = 5", ["simulator.toml: assumptions.refund_take", "no such field"]),
        ([], {}, "[faults.requests]\nfire = 0.1", ["simulator.toml: faults.requests.fire"]),
        ([], {}, "port = ", ["--config", "simulator.toml", "TOML"]),
        (["--config", "{folder}/none.toml"], {}, None, ["--config", "none.toml", "No such file"]),
        (["--config", "/dev/zero"], {}, None, ["--config", "not an ordinary file"]),
        (
            ["--port", "0", "--charge-permissions", '[{"merchant_id": "A9"}]'],
            {},
            None,
            ["--charge-permissions.0.merchant_id", "'A9'", "A1SIMULATOR"],
        ),
        (["--host", "192.0.2.1", "--port", "0"], {}, None, ["192.0.2.1:0: cannot listen there"]),
        (
            ["--port", "0", "--public-key-path", "{folder}/none.pem"],
            {},
            None,
            ["--public-key-path", "none.pem", "No such file"],
        ),
        (
            ["--port", "0", "--merchants", '[{"merchant_id": "A1SIMULATOR", "keys": [{"public_key_id": "K"}]}]'],
            {},
            None,
            ["--merchants", "A1SIMULATOR", "already"],
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_named_in_one_line_by_where_it_was_set(
    arguments: list[str],
    environment: dict[str, str],
    text: str | None,
    named: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"AMAZON_PAY_SIMULATOR_{name}", value)
    given = [each.format(folder=tmp_path) if "{folder}" in each else each for each in arguments]
    if text is not None:
        (tmp_path / "simulator.toml").write_text(text)
        given += ["--config", str(tmp_path / "simulator.toml")]

    said = trouble(capsys, "--keys", str(tmp_path / "keys"), *given)

    for words in named:
        assert words in said


def test_a_port_that_is_taken_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with taken_port() as port:
        said = trouble(capsys, "--port", str(port), "--keys", str(tmp_path / "keys"))

    assert f"127.0.0.1:{port}: cannot listen there" in said
    assert not (tmp_path / "keys").exists()


def test_a_folder_of_keys_that_cannot_be_used_is_named_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "merchant-private-key.pem"
    key.touch(mode=0o600)
    key.write_text("not a key")

    said = trouble(capsys, "--port", "0", "--keys", str(tmp_path))

    for words in ("--keys", str(key), "not a PEM file"):
        assert words in said
    assert key.read_text() == "not a key"


@pytest.mark.parametrize(
    ("place", "named"), [("notes.txt", "not a database"), ("none/books.db", "unable to open"), (".", "unable to open")]
)
def test_a_database_that_cannot_be_used_is_named_and_why(
    place: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("remember the milk\n" * 100)

    said = trouble(capsys, "--port", "0", "--keys", str(tmp_path), "--database", str(tmp_path / place))

    for words in ("--database", str(tmp_path / place), named):
        assert words in said


# What they do


async def test_the_examples_file_is_one_and_opens_the_permissions_that_it_names(tmp_path: Path) -> None:
    async with (
        serving_here(tmp_path, "--config", str(EXAMPLE)) as running,
        SimulatorHandle(running.origin) as first,
        SimulatorHandle(running.origin, "A2SIMULATOR") as second,
    ):
        opened = (await first.books()).permissions
        assumed = await first.assumptions()
        others = (await second.books()).permissions

    assert [permission.limits.amount_limit.currency_code for permission in opened] == ["USD", "EUR"]  # type: ignore[union-attr]
    assert [line.split()[-1] for line in running.lines if line.startswith("charge permission:")] == [
        permission.charge_permission_id for permission in opened
    ]
    assert (assumed.month_zone, assumed.refund_takes.total_seconds()) == ("America/Los_Angeles", 5)
    assert others == []


async def test_books_in_a_file_outlive_even_a_kill(tmp_path: Path) -> None:
    options = ["--database", str(tmp_path / "books.db")]
    async with (
        simulating(tmp_path, *options, end=signal.SIGKILL) as running,
        SimulatorHandle(running.origin) as simulator,
    ):
        identifier = (await simulator.open_permission()).charge_permission_id

    async with simulating(tmp_path, *options) as running, client_of(running) as client:
        permission = await client.charge_permissions.get(identifier)

    assert permission.status_details.state is ChargePermissionState.CHARGEABLE


async def test_a_second_process_on_the_same_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--database", str(tmp_path / "books.db")]
    async with simulating(tmp_path, *options):
        said = await asyncio.to_thread(trouble, capsys, "--port", "0", "--keys", str(tmp_path), *options)

    for words in ("--database", str(tmp_path / "books.db"), "another process uses it", "a file of its own"):
        assert words in said


async def test_a_simulator_throttles_when_asked_to(tmp_path: Path) -> None:
    async with serving_here(tmp_path, "--throttle", "sandbox") as running, client_of(running) as client:
        reads = [client.charge_permissions.get("C01-0-0") for _ in range(30)]
        errors = await asyncio.gather(*reads, return_exceptions=True)

    assert {getattr(error, "status", None) for error in errors} == {404, 429}


async def test_a_simulator_lets_go_wrong_what_it_is_told(tmp_path: Path) -> None:
    async with (
        serving_here(tmp_path, "--faults.requests", '{"unavailable": 1}') as running,
        client_of(running) as client,
        SimulatorHandle(running.origin) as simulator,
    ):
        with pytest.raises(UnavailableError):
            await client.charge_permissions.get("C01-0-0")
        assert set(await simulator.faults()) == {"unavailable"}


async def test_a_merchants_own_key_is_taken_and_none_is_made(tmp_path: Path) -> None:
    own: rsa.RSAPrivateKey = new_key()
    (tmp_path / "public.pem").write_text(public_pem(own.public_key()))
    write_private_key(tmp_path / "own.pem", own)

    async with (
        serving_here(tmp_path / "keys", "--public-key-path", str(tmp_path / "public.pem")) as running,
        client_of(running, **{"private key": str(tmp_path / "own.pem")}) as client,
    ):
        with pytest.raises(NotFoundError):
            await client.charge_permissions.get("C01-0-0")

    assert "your own" in running.said["private key"]
    assert not list((tmp_path / "keys").glob("*private*"))


async def test_it_serves_https_by_a_certificate_that_stays_and_is_for_amazons_own_hosts_too(tmp_path: Path) -> None:
    async with serving_here(tmp_path, "--tls"):
        trust = ssl.create_default_context(cafile=tmp_path / "tls-certificate.pem")
    async with serving_here(tmp_path, "--tls") as running:
        port = int(running.origin.rpartition(":")[2])
        served = []
        for host in ("127.0.0.1", "localhost", *OFFICIAL):
            # As an SDK does whose host the machine resolves to the simulator.
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=host)
            writer.write(f"GET /simulator/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            served.append((await reader.read()).split()[1])
            writer.close()
            await writer.wait_closed()

    assert running.origin.startswith("https://127.0.0.1:")
    assert served == [b"200"] * 5


def test_a_certificate_that_lacks_a_name_is_made_anew_and_otherwise_stays(tmp_path: Path) -> None:
    certificate, _ = tls_files(tmp_path, "127.0.0.1")
    first = certificate.read_bytes()

    tls_files(tmp_path, "localhost")
    assert certificate.read_bytes() == first
    tls_files(tmp_path, "simulator.test")
    assert certificate.read_bytes() != first


# Waiting for it


async def test_whoever_waits_is_told_when_it_serves_and_when_it_does_not(tmp_path: Path) -> None:
    async with serving_here(tmp_path, "--tls") as running:
        certificate = running.said["TLS certificate"]
        assert await waited("--url", running.origin, "--certificate", certificate) == (0, "")
        code, said = await waited("--url", running.origin, "--timeout", "0")
        assert code == 1
        assert "certificate" in said
    code, said = await waited("--url", running.origin, "--timeout", "0.3")

    assert code == 1
    assert said.startswith(f"error: --url {running.origin}: no simulator answers there (")
    assert len(said.splitlines()) == 1


async def test_a_wait_begins_before_the_simulator_does(tmp_path: Path) -> None:
    with listening("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
    waiting = asyncio.create_task(waited("--url", f"http://127.0.0.1:{port}", "--timeout", "60"))
    await asyncio.sleep(0.5)
    assert not waiting.done()

    async with serving_here(tmp_path, "--port", str(port)):
        assert await waiting == (0, "")


def test_waiting_imports_nothing_of_the_simulators() -> None:
    """A health check runs every few seconds."""
    asked = "import sys; from amazon_pay_simulator import waiting; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert {"fastapi", "pydantic", "cryptography"} & set(done.stdout.split()) == set()


async def waited(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "amazon_pay_simulator", "wait", *arguments), stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    return process.returncode, err.decode()


def test_what_is_prepared_is_not_served_twice_under_one_key(tmp_path: Path) -> None:
    """Merchants are known by their keys, so each has its own."""
    merchants = '[{"merchant_id": "A2", "keys": [{"public_key_id": "SANDBOX-SIMULATOR"}]}]'
    with listening("127.0.0.1", 0) as listener, pytest.raises(Exception, match="SANDBOX-SIMULATOR is A1SIMULATOR's"):
        prepared(read_settings(["--keys", str(tmp_path), "--merchants", merchants]), listener)
