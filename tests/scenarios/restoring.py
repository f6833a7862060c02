"""Setting databases back to a copy that was made before, as somebody does who restores a backup."""

import sqlite3
from contextlib import closing
from pathlib import Path


def back_up(database: Path, to: Path) -> None:
    """As it stands now, while the server uses it."""
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(to)) as copy:
        live.backup(copy)


def set_back(database: Path, to: Path) -> None:
    """To a copy that was made before; nobody uses it meanwhile."""
    remove(database)
    to.rename(database)


def remove(database: Path) -> None:
    """With what SQLite keeps beside it."""
    for left in database.parent.glob(f"{database.name}*"):
        left.unlink()
