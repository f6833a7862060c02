"""The connection profile of a running `perennial dev`: how other commands find it without environment variables.

It is a file of environment variables beside the databases, and a lock that the running process holds: a file whose
lock nobody holds is of one that was killed.

What is set in the environment wins, and wins as a whole: where anything is set that decides on which system a command
works, the profile is left alone, so that no command works on a mixture of two. In `live` there is none.
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
LOCK_FILE: Final = "dev.lock"

FOLDER_VARIABLE: Final = "PERENNIAL_DATA_FOLDER"
DECIDING: Final = (
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_PROFILE",
    "TEMPORAL_CONFIG_FILE",
    "TEMPORAL_API_KEY",
    "PERENNIAL_AMAZON_PAY_ORIGIN",
    "PERENNIAL_LEDGER_URL",
    "PERENNIAL_MERCHANT_ID",
    "PERENNIAL_PUBLIC_KEY_ID",
    "PERENNIAL_PRIVATE_KEY",
    "PERENNIAL_PRIVATE_KEY_PATH",
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
    folder = dev_folder()
    path = folder / PROFILE_FILE
    if os.environ.get("PERENNIAL_ENVIRONMENT") == "live" or any(os.environ.get(name) for name in DECIDING):
        return None
    try:
        variables = json.loads(path.read_text())["environment"]
        runs = _is_held(folder)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no profile"
        raise StartupError(f"{path}: cannot be read ({why}); start `perennial dev` again, or remove it") from None
    if not runs:
        return f"the `perennial dev` of {folder} has ended without a word, and is not used; {path} is what it left"
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    return f"works on the `perennial dev` that runs in {folder}"


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
