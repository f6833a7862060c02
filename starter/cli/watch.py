"""The command `perennial watch`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.starter.cli.connection import PermissionArgument, subscriptions
from perennial_billing.starter.cli.following import (
    as_data,
    notice_line,
    print_data,
    print_lines,
    standing,
    standing_line,
)
from perennial_billing.starter.cli.output import asynchronous, mind

if TYPE_CHECKING:
    from perennial_billing.starter.watching import Seen


@asynchronous
async def watch(
    charge_permission_id: PermissionArgument,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what it told before; only what it tells from now on when not given.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Look so often, in seconds.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each, instead of text.")] = False,
) -> None:
    """Follow a subscription live until it ends, or until Ctrl-C: how it stands, what is next, and what it tells.

    What it tells comes from the ledger, so PERENNIAL_LEDGER_URL is that of the workers. Exit codes: 0 it has ended,
    1 there is none, 130 Ctrl-C.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.watching import Watcher
    from perennial_billing.worker.books import ledger_of

    async with ledger_of(load_settings()) as ledger:
        watcher = Watcher(await subscriptions(), ledger, charge_permission_id)
        shown = _Shown(as_json=as_json, hides=not everything)
        async for seen in watcher.until_it_ends(timedelta(seconds=every)):
            if isinstance(seen, Exception):
                shown.absent(str(seen))
            else:
                shown.take(seen, ledger.place)


class _Shown:
    """What was printed already, so that only news are.

    Args:
        as_json: lines of JSON.
        hides: what was told before the first look.
    """

    def __init__(self, *, as_json: bool, hides: bool) -> None:
        self._as_json, self._hides = as_json, hides
        self._standing: dict[str, object] | None = None
        self._minded: set[str] = set()

    def take(self, seen: "Seen", place: str) -> None:
        """Prints what is news."""
        notices = () if self._hides and self._standing is None else seen.notices
        self._minded.discard("absent")
        if self._as_json:
            for notice in notices:
                print_data({"kind": "notice", **as_data(notice)})
        else:
            print_lines(notice_line(notice) for notice in notices)
        if (stands := standing(seen.view)) != self._standing:
            self._standing = stands
            if self._as_json:
                print_data({"kind": "standing", **stands})
            else:
                print_lines([standing_line(seen.view)])
        if seen.missing:
            ours = f"{seen.missing} notices that it told are not in this ledger ({place})"
            self._mind("missing", f"{ours}; is PERENNIAL_LEDGER_URL, or PERENNIAL_DATA_FOLDER, that of its workers?")

    def absent(self, why: str) -> None:
        """No worker answers now."""
        self._mind("absent", f"{why}; it is looked for again")

    def _mind(self, what: str, message: str) -> None:
        if what not in self._minded:
            self._minded.add(what)
            mind(message)
