"""The command `perennial advance`: the test clock."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.agreement import instant
from perennial_billing.starter.cli.connection import subscriptions
from perennial_billing.starter.cli.following import as_data, notice_line, print_lines, standing, standing_line
from perennial_billing.starter.cli.many import ReportOption, do_and_tell
from perennial_billing.starter.cli.output import JsonOption, asynchronous, mind, say_json
from perennial_billing.starter.many.runner import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from perennial_billing.billing.protocol.notices import Notice
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.starter.client import Subscriptions
    from perennial_billing.starter.clock import By, SubscriptionClock
    from perennial_billing.starter.watching import Seen


@asynchronous
async def advance(
    charge_permission_id: Annotated[
        str | None, typer.Argument(metavar="[CHARGE_PERMISSION_ID]", help="Which one; or a group by the options.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Until just after this instant, ISO 8601 with offset.")] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Or by so much: 'month', '36 hours', '2 weeks', in its own zone.")
    ] = None,
    query: Annotated[
        str | None, typer.Option(help="All that match, over search attributes, such as \"Plan = 'coffee'\".")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="All with this merchant reference.")] = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a subscription, or a group, through virtual time, and show what happens on the way.

    For tests, on a Temporal server that can skip time; refused in live. What happens is shown from the ledger, so
    PERENNIAL_LEDGER_URL is that of the workers.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.clock import SubscriptionClock, check_environment
    from perennial_billing.worker.books import ledger_of

    if (charge_permission_id is None) == (query is None and reference is None):
        raise StartupError("CHARGE_PERMISSION_ID, or --query and --reference: the one, or a group, must be named")
    until, duration = _where(to, by)
    settings = load_settings()
    check_environment(settings.environment)
    client = await subscriptions()
    clock = SubscriptionClock(await connect(settings), client, settings.environment)
    async with ledger_of(settings) as ledger:
        journey = _Journey(client, clock, ledger, until, duration)
        if charge_permission_id is not None:
            await journey.one(charge_permission_id, as_json=as_json)
        else:
            await journey.group(_query(query, reference), report, as_json=as_json)


def _where(to: str | None, by: str | None) -> "tuple[datetime | None, By | None]":
    from perennial_billing.billing.refusals import Refused
    from perennial_billing.starter.clock import By

    if (to is None) == (by is None):
        raise StartupError("--to or --by: one of them must be given")
    try:
        return instant("--to", to), By.parse(by) if by is not None else None
    except Refused as refused:
        raise StartupError(str(refused.under("--by"))) from None


def _query(query: str | None, reference: str | None) -> str:
    from perennial_billing.workflows.names import MERCHANT_REFERENCE

    if reference is not None and ("'" in reference or "\\" in reference):
        raise StartupError(
            f"--reference: {reference!r} is no reference of a subscription; letters, digits and ._:/#- are"
        )
    named = f"{MERCHANT_REFERENCE.name} = '{reference}'" if reference is not None else None
    return " AND ".join(f"({each})" for each in (query, named) if each is not None)


class _Journey:
    """Takes subscriptions to where they are to go."""

    def __init__(
        self,
        client: "Subscriptions",
        clock: "SubscriptionClock",
        ledger: "Ledger",
        to: "datetime | None",
        by: "By | None",
    ) -> None:
        self._client, self._clock, self._ledger = client, clock, ledger
        self._to, self._by = to, by

    async def one(self, charge_permission_id: str, *, as_json: bool) -> None:
        """Moves one, shows what happens, and says where it has arrived."""
        told: list[Notice] = []
        came = began = None
        missing = 0
        async for at, seen in self._seen(charge_permission_id):
            came, missing = (at, seen.view), seen.missing
            if began is None:
                began = at
                continue  # what it told before it was moved
            told += seen.notices
            if not as_json:
                print_lines(notice_line(notice) for notice in seen.notices)
        if came is None or began is None:
            raise AssertionError("it was moved nowhere")
        at, view = came
        if missing:
            mind(f"{missing} notices that it told are not in this ledger ({self._ledger.place}); is it its workers'?")
        if as_json:
            data = {"charge_permission_id": charge_permission_id, "from": began.isoformat(), "to": at.isoformat()}
            say_json(data | standing(view) | {"told": [as_data(notice) for notice in told]})
        else:
            print_lines([Text(f"{at:%Y-%m-%d %H:%M} UTC"), standing_line(view)])

    async def group(self, query: str, report: "Path | None", *, as_json: bool) -> None:
        """Moves all that match, several at once, each by its own clock."""
        from perennial_billing.starter.many.bulk import matching

        found = [each async for each in matching(self._client, query)]

        async def move(charge_permission_id: str) -> Result:
            return await self._moved(charge_permission_id, quietly=as_json)

        await do_and_tell(_each(found), move, "moved", report, None, as_json=as_json, total=len(found))

    async def _moved(self, charge_permission_id: str, *, quietly: bool) -> Result:
        """Moves one of several; what it tells is shown with its name."""
        from perennial_billing.starter.errors import SubscriptionError

        why, is_first = "", True
        try:
            async for at, seen in self._seen(charge_permission_id):
                if not quietly and not is_first:
                    print_lines(notice_line(notice, charge_permission_id) for notice in seen.notices)
                is_first, why = False, f"{at:%Y-%m-%d %H:%M} UTC, {seen.view.status.value}"
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        return Result(charge_permission_id, Outcome.DONE, why)

    async def _seen(self, charge_permission_id: str) -> "AsyncIterator[tuple[datetime, Seen]]":
        """Its time and what is new after each step; at first, before it is moved, all there was before."""
        from perennial_billing.starter.watching import Watcher

        watcher = Watcher(self._client, self._ledger, charge_permission_id)
        async for step in self._clock.advance(charge_permission_id, to=self._to, by=self._by):
            yield step.at, await watcher.look()


async def _each(found: list[str]) -> "AsyncIterator[str]":
    for charge_permission_id in found:
        yield charge_permission_id
