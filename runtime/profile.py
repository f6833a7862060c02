"""The connection profile of a running `perennial dev`: how other commands find it without environment variables.

It is a file of environment variables beside the databases, and a lock that the running process holds: a file whose
lock nobody holds is of one that was killed. One that works on Amazon's sandbox has a folder and a profile of its own,
which is looked at after the simulator's.

What is set in the environment wins, and wins as a whole: where anything is set that decides on which system a command
works, and says another than the profile does, the profile is left alone, so that no command works on a mixture of two.
In `live` there is none.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import platformdirs

from perennial_billing.runtime.errors import StartupError

PROFILE_FILE: Final = "dev-profile.json"
SANDBOX_FOLDER: Final = "amazon-sandbox"
"""Inside the folder of the simulator's: that of a `perennial dev --sandbox`."""
LOCK_FILE: Final = "dev.lock"

FOLDER_VARIABLE: Final = "PERENNIAL_DATA_FOLDER"
KEY_ID_VARIABLE: Final = "PERENNIAL_PUBLIC_KEY_ID"
KEY_VARIABLES: Final = ("PERENNIAL_PRIVATE_KEY", "PERENNIAL_PRIVATE_KEY_FILE", "PERENNIAL_PRIVATE_KEY_PATH")
"""Of one key, so only one of them is set; it is the same key where its id is the same."""
DECIDING: Final = (
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_PROFILE",
    "TEMPORAL_CONFIG_FILE",
    "TEMPORAL_API_KEY",
    "PERENNIAL_AMAZON_PAY_ORIGIN",
    "PERENNIAL_SETTINGS_FILE",
    "PERENNIAL_LEDGER_URL",
    "PERENNIAL_LEDGER_URL_FILE",
    "PERENNIAL_MERCHANT_ID",
    KEY_ID_VARIABLE,
    *KEY_VARIABLES,
    "PERENNIAL_TASK_QUEUE",
)
"""Variables of which each says on which system a command works."""


def dev_folder() -> Path:
    """Where `perennial dev` keeps all that it has: the data folder that is set, or one of its own."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else Path(platformdirs.user_data_dir("perennial")) / "dev"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes the folder, for this user alone, and holds its lock.

    Raises:
        StartupError: another `perennial dev` runs in it, or it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartupError(f"--data-folder: {folder} cannot be used ({error.strerror or error})") from None
    try:
        if not _take(lock, fcntl.LOCK_EX):
            raise StartupError(f"--data-folder: a `perennial dev` runs in {folder} already; end it, or name another")
        yield
    finally:
        os.close(lock)


@contextmanager
def profile(folder: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """Writes the profile, which nobody else may read, and takes it away at the end.

    Raises:
        StartupError: it cannot be written.
    """
    path = folder / PROFILE_FILE
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"pid": os.getpid(), "environment": dict(variables)}, file, indent=2)
    except OSError as error:
        raise StartupError(f"--data-folder: {path} cannot be written ({error.strerror or error})") from None
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def use_profile() -> str | None:
    """Adds a running `perennial dev` to the environment of this process; says what it found, in a line.

    Raises:
        StartupError: there is a profile that cannot be read.
    """
    if os.environ.get("PERENNIAL_ENVIRONMENT") == "live":
        return None
    left = None
    for folder in (dev_folder(), dev_folder() / SANDBOX_FOLDER):
        try:
            found = _found_in(folder)
        except StartupError:
            if any(os.environ.get(name) for name in DECIDING):
                continue
            raise
        if found is None or says_otherwise(os.environ, found[0]):
            continue
        variables, runs = found
        if runs:
            _use(variables)
            return f"works on the `perennial dev` that runs in {folder}"
        left = left or (
            f"the `perennial dev` of {folder} has ended without a word, and is not used; {folder / PROFILE_FILE} is "
            "what it left"
        )
    return left


def says_otherwise(environment: Mapping[str, str], variables: Mapping[str, str]) -> list[str]:
    """The variables of an environment that name another system than a profile's variables do."""
    key_id = environment.get(KEY_ID_VARIABLE)
    same_key = bool(key_id) and key_id == variables.get(KEY_ID_VARIABLE)
    deciding = [name for name in DECIDING if not (same_key and name in KEY_VARIABLES)]
    return [name for name in deciding if (given := environment.get(name)) and given != variables.get(name)]


def _use(variables: Mapping[str, str]) -> None:
    has_key = any(os.environ.get(name) for name in KEY_VARIABLES)
    for name, value in variables.items():
        if not os.environ.get(name) and not (has_key and name in KEY_VARIABLES):
            os.environ[name] = value
    if FOLDER_VARIABLE in variables:  # which named where to look, and the sandbox's is inside of that
        os.environ[FOLDER_VARIABLE] = variables[FOLDER_VARIABLE]


def _found_in(folder: Path) -> tuple[dict[str, str], bool] | None:
    """The variables of the profile in a folder, and whether it runs; None where there is none.

    Raises:
        StartupError: there is one that cannot be read.
    """
    path = folder / PROFILE_FILE
    try:
        return dict(json.loads(path.read_text())["environment"]), _is_held(folder)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no profile"
        raise StartupError(f"{path}: cannot be read ({why}); start `perennial dev` again, or remove it") from None


def _is_held(folder: Path) -> bool:
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    try:
        return not _take(lock, fcntl.LOCK_SH)  # shared: two who look at once must not take each other for a running one
    finally:
        os.close(lock)


def _take(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
