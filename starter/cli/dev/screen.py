"""What `perennial dev` shows: what runs where, and a line for each thing that is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from perennial_billing.starter.cli.output import out

if TYPE_CHECKING:
    from perennial_billing.ledger.finding import EntryFound
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.starter.checks.check import Check
    from perennial_billing.starter.cli.dev.amazon import Notifications

LOOKS_EVERY_SECONDS: Final = 0.5


def addresses(where: Mapping[str, str]) -> Table:
    """What runs where."""
    table = Table.grid(padding=(0, 2))
    for name, address in where.items():
        table.add_row(Text(name, "bold"), address)
    return table


def panel(where: Mapping[str, str], check: "Check | None" = None) -> Panel:
    """The same at the foot of a terminal, beneath what is told; with a check that is not over yet."""
    from perennial_billing.starter.cli.dev.amazon import line as line_of

    shown = addresses(where) if check is None else Group(addresses(where), "", line_of(check))
    return Panel(shown, title="perennial dev", subtitle="Ctrl-C ends all", border_style="dim")


@asynccontextmanager
async def shown(where: Mapping[str, str], notifications: "Notifications | None") -> AsyncIterator[None]:
    """Shows what runs where, and that notifications arrive as soon as one has, where that is waited for."""
    if out.is_terminal:
        with Live(panel(where, notifications.check if notifications else None), console=out) as live:
            async with _told_once(notifications, lambda check: live.update(panel(where, check), refresh=True)):
                yield
        return
    from perennial_billing.starter.cli.dev.amazon import line as line_of

    for name, address in where.items():
        out.print(f"{name}: {address}", soft_wrap=True)
    out.print("Ready. Ctrl-C ends all.")
    async with _told_once(notifications, lambda check: out.print(line_of(check), soft_wrap=True)):
        yield


@asynccontextmanager
async def _told_once(notifications: "Notifications | None", tell_of: "Callable[[Check], None]") -> AsyncIterator[None]:
    async def tell_it() -> None:
        if notifications is not None:
            await notifications.arrived.wait()
            tell_of(notifications.check)

    telling = asyncio.create_task(tell_it())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait({telling})


async def tell(ledger: "Ledger") -> None:
    """Prints a line for each new entry of the ledger, for ever."""
    from perennial_billing.ledger.errors import LedgerUnavailableError
    from perennial_billing.ledger.finding import last_told, told_since

    known = await last_told(ledger)
    while True:
        try:
            for entry in await told_since(ledger, known):
                out.print(line(entry), soft_wrap=True)
                known = entry.id
        except LedgerUnavailableError as error:
            out.print(Text(f"the ledger is not read now: {error}"), soft_wrap=True)
        await asyncio.sleep(LOOKS_EVERY_SECONDS)


def line(entry: "EntryFound") -> Text:
    """When, who, what, and how much; the time is the subscription's (UTC)."""
    notice = entry.notice
    more = [
        f"period {notice.period}" if notice.period is not None else "",
        str(notice.amount or ""),
        notice.reason_code or notice.reason or "",
    ]
    told = " ".join(part for part in more if part)
    return Text.assemble(
        (f"{notice.at:%Y-%m-%d %H:%M} ", "dim"),
        f"{entry.charge_permission_id} ",
        (notice.type.value, "bold"),
        f" {told}",
    )
