"""The operations that block, made of those that are awaited: one definition, two surfaces.

    python -m tests.client.sync_resources

writes `resources/sync/` anew of `resources/`; a test says when that is due. What is awaited in an operation is one
thing, the sending, so taking the words `async` and `await` away is all that the other kind needs.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ASYNC: Final = Path(__file__).parents[2] / "client" / "src" / "amazon_pay_client" / "resources"
SYNC: Final = ASYNC / "sync"
NEUTRAL: Final = {"__init__.py", "outcomes.py"}
"""What is the same for both, and stays where it is."""

_NOTE: Final = "# Made of `resources/{name}` by `python -m tests.client.sync_resources`: change that, and run this.\n\n"
_CHANGES: Final = (
    (r"\basync def\b", "def"),
    (r"\bawait ", ""),
    (r"\bTransport\b", "SyncTransport"),
    (r"^class (\w+):", r"class Sync\1:"),
)


def sources() -> list[Path]:
    """The modules with operations."""
    return sorted(path for path in ASYNC.glob("*.py") if path.name not in NEUTRAL)


def sync_of(source: Path) -> str:
    """The module that blocks, of the one that is awaited."""
    text = source.read_text()
    for pattern, instead in _CHANGES:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return _formatted(_NOTE.format(name=source.name) + text)


def _formatted(text: str) -> str:
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", str(SYNC / "made.py"), "-"]
    return subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    SYNC.mkdir(exist_ok=True)
    for source in sources():
        (SYNC / source.name).write_text(sync_of(source))
