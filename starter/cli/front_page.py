"""What `perennial --help` prints: every command by panel, as typer would draw it.

Typer draws it by importing every command, and its own drawing imports a Markdown parser and a highlighter of sources.
This one imports rich's tables only, and looks the same: a test holds it against typer's.
"""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import Final

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from perennial_billing.starter.cli.commands import ABOUT, COMMANDS, OPTIONS, PROGRAM, Command

_NAME_WIDTH: Final = max(len(command.name) for command in COMMANDS)
_NO_OTHER_FORMS: Final = ("", "", "")
"""The columns that an option's short form and its opposites would take."""


def print_front_page() -> None:
    """Prints it to standard output."""
    console = Console(emoji=False, highlight=False)
    usage = Text.assemble(("Usage: ", "yellow"), f"{PROGRAM} [OPTIONS] COMMAND [ARGS]...")
    console.print(Padding(usage, 1), style="bold")
    console.print(Padding(ABOUT, (0, 1, 1, 1)))
    console.print(_panel("Options", _options()))
    for name, commands in groupby(COMMANDS, attrgetter("panel")):
        console.print(_panel(name, _table_of(commands)))


def _panel(name: str, table: Table) -> Panel:
    return Panel(table, border_style="dim", title=Text(name), title_align="left")


def _options() -> Table:
    kind = Text.assemble(("<", "dim"), "bool", (">", "dim"), style="bold yellow", overflow="fold")
    table = _bare_table()
    for name, told in OPTIONS:
        table.add_row(Text.assemble((name, "bold cyan")), *_NO_OTHER_FORMS, kind, Columns([told]))
    return table


def _table_of(commands: Iterable[Command]) -> Table:
    table = _bare_table()
    table.add_column(style="bold cyan", no_wrap=True, width=_NAME_WIDTH)
    table.add_column(ratio=1)
    for command in commands:
        table.add_row(command.name, command.help)
    return table


def _bare_table() -> Table:
    return Table(box=None, show_header=False, expand=True, pad_edge=False)
