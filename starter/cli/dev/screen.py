"""What `perennial dev` shows: what runs where, and a line for each thing that is told."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from perennial_billing.starter.cli.output import out

if TYPE_CHECKING:
    from perennial_billing.ledger.finding import EntryFound
    from perennial_billing.ledger.ledger import Ledger

LOOKS_EVERY_SECONDS: Final = 0.5


def addresses(where: Mapping[str, str]) -> Table:
    """What runs where."""
    table = Table.grid(padding=(0, 2))
    for name, address in where.items():
        table.add_row(Text(name, "bold"), address)
    return table


def panel(where: Mapping[str, str]) -> Panel:
    """The same at the foot of a terminal, beneath what is told."""
    return Panel(addresses(where), title="perennial dev", subtitle="Ctrl-C ends all", border_style="dim")


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
