"""Secrets never appear in what a command prints: not in an error about them, not in one about something else, and
not in a crash."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from perennial_billing.ipn.certificates import CertificateRefusedError, TrustedCertificate
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import load_settings
from tests.starter.command_line import Said, dead_port, typed
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
from perennial_billing.worker import main as worker_main

async def run_worker(settings):
    key = settings.private_key.get_secret_value()
    passphrase = settings.private_key_passphrase.get_secret_value()
    raise RuntimeError("something that nobody foresaw")

worker_main.run_worker = run_worker
from perennial_billing.starter.cli import main
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
    said = await typed(
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
            "--live",
            TEMPORAL_ADDRESS=f"127.0.0.1:{port}",
            TEMPORAL_API_KEY="temporal-api-key-0123456789",
            PERENNIAL_PRIVATE_KEY=RSA_PEM,
            PERENNIAL_PRIVATE_KEY_PASSPHRASE=PASSPHRASE,
        )

    assert said.code == 2
    assert_kept(said, RSA_PEM, PASSPHRASE, "temporal-api-key-0123456789")


PATHS = [
    "PERENNIAL_PRIVATE_KEY_PATH",
    "PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH",
    "PERENNIAL_TEMPORAL_BINARY",
    "TEMPORAL_TLS_CLIENT_KEY_PATH",
    "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_API_KEY",
]


@pytest.mark.parametrize("command", [("list", "--live"), ("show", "C01-0"), ("audit",)], ids=lambda command: command[0])
@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_was_set_as_a_path_or_an_address_is_not_shown(command: tuple[str, ...], path: str) -> None:
    with dead_port() as port:
        address = {"TEMPORAL_ADDRESS": f"127.0.0.1:{port}"}
        said = await typed(*command, **address | {path: RSA_PEM})

    assert said.code == 2
    assert_kept(said, RSA_PEM)


@pytest.mark.parametrize("path", PATHS[:3])
@pytest.mark.parametrize(
    "key", [RSA_PEM, RSA_PEM.replace("\n", "\\n"), WITHOUT_ITS_FIRST_LINE], ids=["", "escaped", "cut"]
)
def test_a_path_of_ours_that_is_a_key_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, path: str, key: str
) -> None:
    monkeypatch.setenv(path, key)

    with pytest.raises(StartupError, match=f"^{path}: the path of a file is accepted") as refused:
        load_settings()
    assert leaked(key, f"{refused.value!r} {refused.value.__cause__!r}") == set()


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("plan", "explain", "{folder}/endless.toml"), "it is not an ordinary file"),
        (("plan", "explain", "{folder}/huge.json"), "it has more than 1048576 bytes"),
        (("start", "C01-0", "--plan", "{folder}/endless.toml"), "it is not an ordinary file"),
    ],
    ids=["a device", "a huge file", "of a start"],
)
async def test_what_never_ends_is_not_read(tmp_path: Path, command: tuple[str, ...], named: str) -> None:
    (tmp_path / "endless.toml").symlink_to("/dev/zero")
    (tmp_path / "huge.json").touch()
    os.truncate(tmp_path / "huge.json", 1 << 40)

    async with asyncio.timeout(30):
        said = await typed(*(part.format(folder=tmp_path) for part in command))

    assert said.code == 2
    assert named in said.trouble


def test_a_certificate_that_never_ends_is_not_read() -> None:
    with pytest.raises(CertificateRefusedError, match="not an ordinary file"):
        TrustedCertificate(Path("/dev/zero"))
