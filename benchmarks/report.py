"""What a benchmark prints: a small table for people, or JSON."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

WIDTH: Final = 160
"""Characters, where it is no terminal that says how many it has."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one run.

    Attributes:
        title: what was measured.
        columns: of the table.
        rows: of the table, as texts.
        figures: the same for machines. Any: whatever the benchmark found.
        note: what a reader has to know beside the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: dict[str, Any]
    note: str

    def print(self, *, as_json: bool) -> None:
        """Prints it to standard output."""
        if as_json:
            sys.stdout.write(json.dumps(self.figures | {"machine": machine()}, indent=2) + "\n")
            return
        table = Table(title=self.title, caption=f"{self.note}\n{machine()}", caption_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        console = Console()
        if not console.is_terminal:
            console.width = WIDTH
        console.print(table)


def machine() -> str:
    """The kind of machine: figures of another kind cannot be compared."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
