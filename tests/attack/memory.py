"""How much memory this process has, and had at the most (Linux)."""

from pathlib import Path
from typing import Final

_OF_THIS_PROCESS: Final = Path("/proc/self")


def _megabytes(name: str) -> float:
    status = (_OF_THIS_PROCESS / "status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def forget_the_highest() -> None:
    """From now on the highest is counted anew."""
    (_OF_THIS_PROCESS / "clear_refs").write_text("5")


def now() -> float:
    """Mebibytes that are resident."""
    return _megabytes("VmRSS")


def highest() -> float:
    """Mebibytes that were resident at the most."""
    return _megabytes("VmHWM")
