"""`make attack`: every kind in large, with what it came to and how much memory it took."""

import asyncio
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.attack import memory
from tests.attack.kinds import KINDS

app = typer.Typer(add_completion=False)


@app.command()
def attack(
    only: Annotated[str, typer.Option(help="Kinds whose name begins so.")] = "",
    number: Annotated[int, typer.Option(help="How many of each; as many as the kind says when not given.")] = 0,
) -> None:
    """Attacks our own code on loopback. Exit code 1: something did not hold."""
    chosen = [kind for kind in KINDS if kind.name.startswith(only)]
    table = Table("kind", "number", "came to", "s", "MiB before", "highest", "after", "held")
    console, held = Console(), True
    if not console.is_terminal:
        console.width = 160
    for kind in chosen:
        console.print(f"{kind.name}: {kind.says}")
        memory.forget_the_highest()
        before, began = memory.now(), time.monotonic()
        outcome = asyncio.run(kind.run(number or kind.large))
        grew = memory.highest() - before
        failed = [*outcome.failed]
        if grew >= kind.most_megabytes:
            failed.append(f"the memory grew by {grew:.0f} MiB; {kind.most_megabytes} are accepted")
        held = held and not failed
        row = (
            kind.name,
            str(sum(outcome.came_to.values())),
            ", ".join(f"{count} {end}" for end, count in sorted(outcome.came_to.items())),
            f"{time.monotonic() - began:.1f}",
            f"{before:.0f}",
            f"{memory.highest():.0f}",
            f"{memory.now():.0f}",
            "; ".join(failed) or "yes",
        )
        table.add_row(*row)
        console.print("  " + " | ".join(row), markup=False)  # whoever interrupts it has what was done
    console.print(table)
    raise typer.Exit(0 if held else 1)


app()
