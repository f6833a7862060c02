"""The processes as processes: what keeps one from starting is one line, and nothing is left running."""

import signal
from pathlib import Path

import pytest

from amazon_pay_client import AmazonPayClient, Region, load_private_key
from amazon_pay_client.errors import NotFoundError
from amazon_pay_simulator.certificates import write_private_key
from tests.starter.command_line import Said, lines_until, run, taken_port, typed
from tests.starter.key_material import NOT_RSA_PEM
from tests.worker.processes import finished, perennial


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, ["PERENNIAL_PUBLIC_KEY_ID", "is not set"]),
        ({"PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-KEY"}, ["PERENNIAL_PRIVATE_KEY_PATH", "one must be set"]),
        (
            {"PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-KEY", "PERENNIAL_PRIVATE_KEY_PATH": "{folder}/none.pem"},
            ["PERENNIAL_PRIVATE_KEY_PATH", "{folder}/none.pem", "No such file"],
        ),
        (
            {"PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-KEY", "PERENNIAL_PRIVATE_KEY_PATH": "{folder}/ec.pem"},
            ["PERENNIAL_PRIVATE_KEY_PATH", "{folder}/ec.pem", "not RSA"],
        ),
        (
            {"PERENNIAL_PUBLIC_KEY_ID": "LIVE-KEY", "PERENNIAL_PRIVATE_KEY_PATH": "{folder}/rsa.pem"},
            ["PERENNIAL_ENVIRONMENT", "'sandbox'", "'live'"],
        ),
        (
            {
                "PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-KEY",
                "PERENNIAL_PRIVATE_KEY_PATH": "{folder}/rsa.pem",
                "PERENNIAL_REGION": "mars",
            },
            ["PERENNIAL_REGION", "'mars'", "jp"],
        ),
    ],
    ids=["nothing set", "no key", "no file", "not RSA", "other environment", "region"],
)
async def test_a_worker_without_what_it_needs_says_which_setting_and_ends(
    tmp_path: Path, settings: dict[str, str], named: list[str], private_key_file: Path
) -> None:
    (tmp_path / "ec.pem").touch(mode=0o600)
    (tmp_path / "ec.pem").write_text(NOT_RSA_PEM)
    (tmp_path / "rsa.pem").symlink_to(private_key_file)

    said = await run("worker", **{name: value.format(folder=tmp_path) for name, value in settings.items()})

    assert said.code == 2
    for words in named:
        assert words.format(folder=tmp_path) in said.trouble


async def test_a_receiver_whose_port_is_taken_says_so_and_ends() -> None:
    with taken_port() as port:
        said = await run("ipn", "--port", str(port))

    assert said.code == 2
    assert f"127.0.0.1:{port}: cannot listen there" in said.trouble


async def test_a_simulator_whose_port_is_taken_says_so_and_writes_nothing(tmp_path: Path) -> None:
    with taken_port() as port:
        said = await typed("simulator", "--port", str(port), "--keys", str(tmp_path / "keys"))

    assert said.code == 2
    assert f"127.0.0.1:{port}: cannot listen there" in said.trouble
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("port", ["70000", "-1"])
@pytest.mark.parametrize("option", [["simulator", "--port"], ["ipn", "--port"], ["demo", "--ui-port"]])
async def test_a_port_that_is_none_is_refused_in_one_line(option: list[str], port: str) -> None:
    said = await typed(*option, port)

    assert (said.code, said.out) == (2, "")
    assert port in said.err


async def test_a_simulator_told_to_notify_what_is_no_address_is_refused(tmp_path: Path) -> None:
    said = await typed("simulator", "--port", "0", "--keys", str(tmp_path), "--receiver-url", "http://127.0.0.1:99999/")

    assert said.code == 2
    for words in ("--receiver-url", "http://127.0.0.1:99999/", "port"):
        assert words in said.trouble


async def test_a_host_that_is_not_this_machines_is_refused(tmp_path: Path) -> None:
    said = await typed("simulator", "--host", "192.0.2.1", "--port", "0", "--keys", str(tmp_path))

    assert said.code == 2
    assert "192.0.2.1:0: cannot listen there" in said.trouble


async def test_a_folder_of_keys_that_cannot_be_used_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    key = tmp_path / "merchant-private-key.pem"
    key.touch(mode=0o600)
    key.write_text(NOT_RSA_PEM)

    said = await typed("simulator", "--port", "0", "--keys", str(tmp_path))

    assert said.code == 2
    for words in ("--keys", str(key), "not RSA"):
        assert words in said.trouble
    assert key.read_text() == NOT_RSA_PEM


async def test_a_simulator_prints_the_settings_of_a_worker_and_ends_when_told_to(tmp_path: Path) -> None:
    keys = tmp_path / "my keys"
    async with perennial("simulator", "--port", "0", "--keys", str(keys), environment={}) as process:
        lines = await lines_until(process, "IPN_TRUSTED_CERTIFICATE_PATH")
        settings = dict(line.strip().split("=", 1) for line in lines if line.startswith("  PERENNIAL_"))
        async with AmazonPayClient(
            public_key_id=settings["PERENNIAL_PUBLIC_KEY_ID"],
            private_key=load_private_key(Path(settings["PERENNIAL_PRIVATE_KEY_PATH"])),
            region=Region.NA,
            origin=settings["PERENNIAL_AMAZON_PAY_ORIGIN"],
        ) as client:
            with pytest.raises(NotFoundError):
                await client.charge_permissions.get("C01-0000000-0000000")
        process.send_signal(signal.SIGTERM)
        said = Said(*await finished(process))

    assert (said.code, said.err) == (0, "")
    assert settings["PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH"] in {str(path) for path in keys.iterdir()}
    assert settings["PERENNIAL_MERCHANT_ID"]


@pytest.fixture(scope="module")
def private_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = tmp_path_factory.mktemp("keys") / "rsa.pem"
    write_private_key(path, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return path
