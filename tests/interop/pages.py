"""The pages of docs/simulator as programs: what a page shows is what is run, so that page and test cannot differ.

A code block says behind its language what it is for: the name of a file that it is a part of, `setup` or `run` for
commands, `output` for what these print. A block that says nothing is for people.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.interop.programs import Ended, run

FOLDER: Final = Path(__file__).parent.parent.parent / "docs" / "simulator"
INDEX: Final = FOLDER / "README.md"
PAGES: Final = sorted(set(FOLDER.glob("*.md")) - {INDEX})

PUBLIC_KEY_ID: Final = "SANDBOX-SIMULATOR"
"""Whom the simulator knows when nothing else is said."""

ADDRESS: Final = "127.0.0.1:8600"
"""Where the simulator is on the pages; in tests it is at any free port."""

_BLOCK: Final = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS: Final = ("setup", "run")


@dataclass(frozen=True)
class Page:
    """What a reader makes of a page.

    Attributes:
        files: what is to be put in files, by name.
        setup: shell commands that are run once.
        run: the shell command that runs the program; it names the simulator's address.
        output: what that prints.
    """

    files: Mapping[str, str]
    setup: str
    run: str
    output: str

    def write_files(self, folder: Path) -> None:
        """Does as the page says."""
        for name, text in self.files.items():
            (folder / name).write_text(text)


def read_page(path: Path) -> Page:
    """Puts together what a page shows in parts."""
    blocks: dict[str, list[str]] = defaultdict(list)
    for role, text in _BLOCK.findall(path.read_text()):
        blocks[role].append(text)
    setup, command = ("".join(blocks.pop(role, ())) for role in _COMMANDS)
    (output,) = blocks.pop("output")
    return Page({name: "\n".join(parts) for name, parts in blocks.items()}, setup, command, output)


async def shell(folder: Path, seconds: float, environment: Mapping[str, str], commands: str) -> Ended:
    """Runs a page's commands, up to the first that fails."""
    return await run(folder, seconds, environment, "bash", "-euo", "pipefail", "-c", commands)
