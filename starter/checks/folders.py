"""Whether what is kept on this machine can be kept: its folder, and the room in it."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from perennial_billing.runtime.settings import PREFIX
from perennial_billing.starter.checks.check import Check, State

FOLDER: Final = "data folder"

LEAST_FREE_BYTES: Final = 1024**3
"""A ledger of 100,000 subscribers grows by some gigabytes a year, and its backup needs as much for a moment."""


def data_folder(folder: Path, *, holds_ledger: bool) -> Check:
    """Whether it can be written to, by a file that is gone again at once, and has room.

    Args:
        folder: where.
        holds_ledger: whether the ledger is a file in it; without, nothing needs it.
    """
    if not holds_ledger:
        return Check(name=FOLDER, state=State.DONE, found="not needed: the ledger is a database that is set")
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"perennial")
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(
            name=FOLDER,
            state=State.WRONG,
            found=f"{folder} cannot be written to ({error.strerror or type(error).__name__})",
            to_do=f"let this user write to it, or set {PREFIX}DATA_FOLDER to a folder on a disk that is kept",
        )
    if free < LEAST_FREE_BYTES:
        return Check(
            name=FOLDER,
            state=State.WRONG,
            found=f"{folder} has {free // 1024**2} MiB left",
            to_do="make room: a ledger that cannot write holds up every subscription",
        )
    return Check(name=FOLDER, state=State.DONE, found=f"{folder}, {free / 1024**3:.0f} GiB free")
