"""The processes as processes: what keeps one from starting is one line, and nothing is left running."""

from pathlib import Path

import pytest

from amazon_pay_simulator.certificates import write_private_key
from tests.starter.command_line import run, taken_port, typed
from tests.starter.key_material import NOT_RSA_PEM


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

    said = await typed("worker", **{name: value.format(folder=tmp_path) for name, value in settings.items()})

    assert said.code == 2
    for words in named:
        assert words.format(folder=tmp_path) in said.trouble


async def test_a_receiver_whose_port_is_taken_says_so_and_ends() -> None:
    with taken_port() as port:
        said = await run("ipn", "--port", str(port))

    assert said.code == 2
    assert f"127.0.0.1:{port}: cannot listen there" in said.trouble


@pytest.mark.parametrize("port", ["70000", "-1"])
@pytest.mark.parametrize("option", [["ipn", "--port"], ["demo", "--ui-port"]])
async def test_a_port_that_is_none_is_refused_in_one_line(option: list[str], port: str) -> None:
    said = await typed(*option, port)

    assert (said.code, said.out) == (2, "")
    assert port in said.err


@pytest.fixture(scope="module")
def private_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = tmp_path_factory.mktemp("keys") / "rsa.pem"
    write_private_key(path, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return path
