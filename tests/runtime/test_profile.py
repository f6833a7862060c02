"""How a command finds a running `perennial dev`: by its profile, unless the environment says what it is to work on."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.profile import (
    DECIDING,
    LOCK_FILE,
    PROFILE_FILE,
    SANDBOX_FOLDER,
    held,
    profile,
    says_otherwise,
    use_profile,
)

THERE = {"TEMPORAL_ADDRESS": "127.0.0.1:7011", "PERENNIAL_LOG_LEVEL": "ERROR"}


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*DECIDING, "PERENNIAL_ENVIRONMENT", "PERENNIAL_LOG_LEVEL"):
        monkeypatch.setenv(name, "")  # so that what a profile adds is taken away at the end
        monkeypatch.delenv(name)
    monkeypatch.setenv("PERENNIAL_DATA_FOLDER", str(tmp_path))


def test_a_running_one_is_found_and_said(tmp_path: Path) -> None:
    with held(tmp_path), profile(tmp_path, THERE) as path:
        assert path.stat().st_mode & 0o777 == 0o600
        said = use_profile()

    assert said is not None
    assert str(tmp_path) in said
    assert os.environ["TEMPORAL_ADDRESS"] == "127.0.0.1:7011"
    assert not path.exists()


def test_what_does_not_decide_wins_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_LOG_LEVEL", "DEBUG")
    with held(tmp_path), profile(tmp_path, THERE):
        assert use_profile() is not None

    assert os.environ["PERENNIAL_LOG_LEVEL"] == "DEBUG"
    assert os.environ["TEMPORAL_ADDRESS"] == "127.0.0.1:7011"


@pytest.mark.parametrize("name", DECIDING)
def test_what_decides_on_the_system_wins_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "another")
    with held(tmp_path), profile(tmp_path, THERE):
        assert use_profile() is None

    assert os.environ[name] == "another"
    assert name == "TEMPORAL_ADDRESS" or "TEMPORAL_ADDRESS" not in os.environ


def test_in_live_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_ENVIRONMENT", "live")
    with held(tmp_path), profile(tmp_path, THERE):
        assert use_profile() is None

    assert "TEMPORAL_ADDRESS" not in os.environ


def test_one_that_was_killed_is_said_and_not_used(tmp_path: Path) -> None:
    with held(tmp_path):
        pass
    (tmp_path / PROFILE_FILE).write_text('{"environment": {"TEMPORAL_ADDRESS": "127.0.0.1:7011"}}')

    said = use_profile()

    assert said is not None
    assert "has ended" in said
    assert "TEMPORAL_ADDRESS" not in os.environ


def test_two_who_look_at_once_do_not_take_each_other_for_a_running_one(tmp_path: Path) -> None:
    with held(tmp_path):
        pass
    (tmp_path / PROFILE_FILE).write_text('{"environment": {"TEMPORAL_ADDRESS": "127.0.0.1:7012"}}')
    with (tmp_path / LOCK_FILE).open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        said = use_profile()

    assert said is not None
    assert "has ended" in said


def test_a_file_that_is_no_profile_is_named(tmp_path: Path) -> None:
    (tmp_path / PROFILE_FILE).write_text("[]")

    with pytest.raises(StartupError, match=f"{PROFILE_FILE}: cannot be read"):
        use_profile()


def test_two_in_one_folder_are_refused(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(StartupError, match=r"runs in .* already"), held(tmp_path):
        pass


SANDBOX = {
    "TEMPORAL_ADDRESS": "127.0.0.1:7013",
    "PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-A7",
    "PERENNIAL_PRIVATE_KEY_PATH": "/keys/sandbox.pem",
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Path]:
    """The folder of a running one on Amazon's sandbox."""
    folder = tmp_path / SANDBOX_FOLDER
    with held(folder), profile(folder, SANDBOX | {"PERENNIAL_DATA_FOLDER": str(folder)}):
        yield folder


def test_one_on_amazons_sandbox_is_found_in_its_own_folder_and_its_ledger_is_kept_there(sandbox: Path) -> None:
    said = use_profile()

    assert said == f"works on the `perennial dev` that runs in {sandbox}"
    assert os.environ["TEMPORAL_ADDRESS"] == "127.0.0.1:7013"
    assert os.environ["PERENNIAL_DATA_FOLDER"] == str(sandbox)


def test_the_simulators_comes_first_and_nothing_of_the_sandboxs_is_mixed_in(sandbox: Path, tmp_path: Path) -> None:
    with held(tmp_path), profile(tmp_path, THERE):
        use_profile()

    assert os.environ["TEMPORAL_ADDRESS"] == "127.0.0.1:7011"
    assert not os.environ.get("PERENNIAL_PUBLIC_KEY_ID")


def test_the_key_id_says_which_of_two_is_meant(sandbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PUBLIC_KEY_ID", "SANDBOX-A7")
    with held(tmp_path), profile(tmp_path, THERE | {"PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-SIMULATOR"}):
        use_profile()

    assert os.environ["TEMPORAL_ADDRESS"] == "127.0.0.1:7013"


@pytest.mark.parametrize("name", ["PERENNIAL_PRIVATE_KEY", "PERENNIAL_PRIVATE_KEY_PATH"])
def test_the_same_key_in_another_form_keeps_nobody_away(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PERENNIAL_PUBLIC_KEY_ID", "SANDBOX-A7")
    monkeypatch.setenv(name, "the same key")

    assert use_profile() is not None
    given = {each: os.environ.get(each) for each in ("PERENNIAL_PRIVATE_KEY", "PERENNIAL_PRIVATE_KEY_PATH")}
    assert {each for each in given if given[each]} == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERENNIAL_PUBLIC_KEY_ID", "SANDBOX-A8"),
        ("PERENNIAL_PRIVATE_KEY_PATH", "/keys/other.pem"),
        ("PERENNIAL_LEDGER_URL", "postgresql://books@db/perennial"),
        ("TEMPORAL_ADDRESS", "temporal.shop.example:7233"),
    ],
)
def test_another_account_or_another_place_is_left_alone(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    assert use_profile() is None
    assert says_otherwise(os.environ, SANDBOX) == [name]
