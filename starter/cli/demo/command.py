"""The command `perennial demo`."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.text import Text

from perennial_billing.starter.cli.output import RefusedError, out, run, say_json

if TYPE_CHECKING:
    from perennial_billing.sandbox.comparison import Comparison
    from perennial_billing.sandbox.stage import Stage


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end, until Ctrl-C.")] = False,
    ui_port: Annotated[
        int | None, typer.Option(help="Port of the Temporal Web UI; any free one when not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON and nothing else.")] = False,
) -> None:
    """Watch three subscribers being billed through a virtual year.

    Everything is real but Amazon: a Temporal server with its Web UI, signed HTTP, signed notifications. At the end
    the simulator's books are held against the workflows' own account; the exit code is 1 where they differ.
    """
    run(_demo(keep=keep, ui_port=ui_port, as_json=as_json))


async def _demo(*, keep: bool, ui_port: int | None, as_json: bool) -> None:
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.sandbox.stage import stage
    from perennial_billing.starter.cli.processes import stop_signals

    started = time.monotonic()
    settings = load_settings()
    configure_logging(settings.model_copy(update={"log_level": "ERROR"}))
    async with stage(ui_port=ui_port or 0, binary=settings.temporal_binary) as set_up:
        ui = f"{set_up.server.ui}/namespaces/{set_up.client.namespace}/workflows"
        if not as_json:
            out.print(f"Temporal Web UI: {ui}", soft_wrap=True)
        _report(await _play(set_up, quietly=as_json), as_json=as_json)
        if not as_json:
            out.print(f"The books are equal. {time.monotonic() - started:.0f} s for three virtual years.")
        if keep:
            out.print("\nEverything keeps running until Ctrl-C. Look and ask with:")
            out.print(f"  export TEMPORAL_ADDRESS={set_up.server.address}", soft_wrap=True)
            out.print(f"  export PERENNIAL_DATA_FOLDER={set_up.settings.data_folder}", soft_wrap=True)
            out.print("  perennial list")
            out.print("  perennial advance ID --by month")
            out.print(f"  Web UI {ui}", soft_wrap=True)
            out.print(f"  simulator {set_up.simulator.origin}/docs", soft_wrap=True)
            async with stop_signals() as stop:
                await stop.wait()


async def _play(set_up: "Stage", *, quietly: bool) -> "list[Comparison]":
    """Lets all subscribers live their year, shows it, and compares both sides at the end."""
    from perennial_billing.sandbox.comparison import compare
    from perennial_billing.starter.cli.demo.board import progress_table
    from perennial_billing.starter.cli.demo.story import ROLES, Progress, begin, live_all

    board = [Progress(role) for role in ROLES]
    subscribers = [await begin(set_up, role) for role in ROLES]
    if quietly:
        await live_all(subscribers, board, lambda _news: None)
    else:
        for role in ROLES:
            out.print(Text.assemble((role.name, "bold"), f" {role.part}."), soft_wrap=True)
        with Live(console=out, auto_refresh=False, get_renderable=lambda: progress_table(board)) as table:

            def show(news: str | None) -> None:
                if news:
                    out.print(news, soft_wrap=True, highlight=False)
                table.refresh()

            await live_all(subscribers, board, show)
    books = await set_up.simulator.books()
    return [
        compare(role.name, await subscriber.status(), books, await subscriber.now())
        for role, subscriber in zip(ROLES, subscribers, strict=True)
    ]


def _report(comparisons: "Sequence[Comparison]", *, as_json: bool) -> None:
    """Prints both sides.

    Raises:
        RefusedError: they differ.
    """
    from perennial_billing.starter.cli.demo.board import comparison_table

    if as_json:
        say_json([asdict(comparison) for comparison in comparisons])
    else:
        out.print("\n", comparison_table(comparisons))
    differences = [
        f"{comparison.name}: {difference}" for comparison in comparisons for difference in comparison.differences
    ]
    if differences:
        raise RefusedError(f"the books differ: {'; '.join(differences)}")
