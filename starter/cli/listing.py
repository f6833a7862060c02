"""The command `perennial list`. It is typed most often, so what asks Temporal imports little."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text
from temporalio.service import RPCError

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.service import Connection, connect_service
from perennial_billing.starter.cli.output import JsonOption, asynchronous, say
from perennial_billing.starter.cli.tables import Cell, Column, Sheet
from perennial_billing.starter.hindered import Hindrance, every_hindered
from perennial_billing.starter.listing import Listed, StatusName, list_subscriptions
from perennial_billing.starter.stopped import WAS_STOPPED, every_stopped

if TYPE_CHECKING:
    from perennial_billing.ledger.finding import Found

_COLUMNS = (
    Column("Charge permission"),
    Column("Status"),
    Column("Next action (UTC)"),
    Column("Last reason", rank=1),
    Column("Plan", rank=2),
    Column("Reference", rank=3),
)
_AS_OF = Column("As of (UTC)", rank=4)


@asynchronous
async def list_(
    status: Annotated[StatusName | None, typer.Option(help="Only subscriptions with this status.")] = None,
    past_due: Annotated[
        bool, typer.Option("--past-due", help="Only those who owe a period that could not be collected at once.")
    ] = False,
    account: Annotated[str | None, typer.Option(help="Only of the merchant account with this short name.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that have ended.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Ask Temporal how they stand now, instead of the ledger.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List subscriptions with status and next billing date.

    From the ledger, as each stood when it last told something; also those that ended long ago. What Temporal is asked
    for instead is as of now, and of those that have ended it knows the latest.
    """
    if live:
        found, source = await _temporals(status, past_due=past_due, ended=ended), "as Temporal has them"
    else:
        found, source = await _ledgers(status, account, past_due=past_due, ended=ended)
    if account is not None:
        found = [each for each in found if each.merchant_account == account]
    say(
        [_as_data(listed) for listed in found],
        sheet_of(found),
        Text.assemble(
            f"{len(found)} subscriptions, {source}; ",
            ("owes", "yellow"),
            " is past due, ",
            ("!", "bold yellow"),
            " needs attention",
            *_advice(found),
        ),
        as_json=as_json,
    )


async def _temporals(status: StatusName | None, *, past_due: bool, ended: bool) -> list[Listed]:
    """Those that run, and those whose workflow was ended from outside or makes no progress."""
    there = await connect_service()
    service, namespace = there.service.workflow_service, there.namespace
    lines = list_subscriptions(service, namespace, status=status, past_due=past_due, ended=ended)
    found = [listed async for listed in lines]
    stopped, hindered = await _stopped(there)
    known = {listed.charge_permission_id for listed in found}
    if stopped.keys() - known:
        lines = list_subscriptions(service, namespace, status=status, past_due=past_due, ended=True, query=WAS_STOPPED)
        found += [
            listed
            async for listed in lines
            if listed.charge_permission_id in stopped and listed.charge_permission_id not in known
        ]
    return [_told(listed, stopped, hindered) for listed in found]


async def _stopped(there: Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Those whose workflow was ended from outside, and those whose workflow makes no progress, which only Temporal
    knows; of each, how."""
    service, namespace = there.service.workflow_service, there.namespace
    return (
        {each.charge_permission_id: each.how.value async for each in every_stopped(service, namespace)},
        {name: how.value async for name, how in every_hindered(service, namespace)},
    )


def _told(listed: Listed, stopped: dict[str, str], hindered: dict[str, str]) -> Listed:
    name = listed.charge_permission_id
    return replace(listed, stopped=stopped.get(name), hindered=hindered.get(name))


async def _ledgers(
    status: StatusName | None, account: str | None, *, past_due: bool, ended: bool
) -> tuple[list[Listed], str]:
    """Those in the ledger, and how old that is, in words."""
    from perennial_billing.billing.status import Status
    from perennial_billing.ledger.finding import PAGE, Search, find, last_recorded
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    search = Search(
        statuses=(Status(status),) if status else (),
        merchant_account=account,
        has_ended=None if ended else False,
        past_due=True if past_due else None,
    )
    found: list[Listed] = []
    async with ledger_of(load_settings()) as ledger:
        at = await last_recorded(ledger)
        page = await find(ledger, search)
        while page:
            found += map(_listed, page)
            last = page[-1].charge_permission_id
            page = await find(ledger, search, after=last) if len(page) == PAGE else []
        place = ledger.place
    if at is None:
        return found, f"as nothing is in the ledger yet ({place}); --live asks Temporal"
    words = f"as the ledger had them at {at:%Y-%m-%d %H:%M:%S} UTC"
    try:
        stopped, hindered = await _stopped(await connect_service())
    except (StartupError, RPCError):
        return found, f"{words}; whether their workflows run is not known, as Temporal does not answer"
    return [_told(listed, stopped, hindered) for listed in found], words


def _listed(found: "Found") -> Listed:
    return Listed(
        charge_permission_id=found.charge_permission_id,
        status=found.status.value if found.status else None,
        plan=found.plan_id,
        merchant_reference=found.merchant_reference or None,
        merchant_account=found.merchant_account,
        next_action_at=found.next_action_at,
        last_reason=found.last_reason,
        needs_attention=found.needs_attention,
        past_due=found.past_due_since is not None,
        as_of=found.as_of,
    )


def sheet_of(found: Sequence[Listed]) -> Sheet:
    """The list as a table; what operates a subscription by hand stands in its first columns."""
    is_ledgers = any(listed.as_of for listed in found)
    rows = [(*_row(listed), *([_minute(listed.as_of)] if is_ledgers else [])) for listed in found]
    return Sheet((*_COLUMNS, *([_AS_OF] if is_ledgers else [])), rows)


def _row(listed: Listed) -> tuple[Cell, ...]:
    attention = (" !", "bold yellow") if listed.needs_attention else ""
    owes = (" owes", "yellow") if listed.past_due else ""
    stopped = "".join(f" {each.replace('_', ' ')}" for each in (listed.stopped, listed.hindered) if each)
    return (
        listed.charge_permission_id,
        Text.assemble(listed.status or "-", owes, attention, (stopped, "bold red")),
        _minute(listed.next_action_at),
        listed.last_reason or "-",
        listed.plan or "-",
        listed.merchant_reference or "-",
    )


def _advice(found: Sequence[Listed]) -> Iterator[str]:
    stopped = sum(1 for listed in found if listed.stopped)
    failing = sum(1 for listed in found if listed.hindered == Hindrance.FAILING)
    paused = sum(1 for listed in found if listed.hindered and listed.hindered != Hindrance.FAILING)
    if stopped:
        yield f"; the workflow of {stopped} was ended, and nobody bills them: `perennial recover`"
    if paused:
        yield f"; that of {paused} is paused in Temporal, and nobody bills them meanwhile: `perennial recover`"
    if failing:
        yield f"; workers fail at {failing}, which make no progress: `perennial check`, `perennial deploy rollback`"


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"


def _as_data(listed: Listed) -> dict[str, object]:
    return {
        "charge_permission_id": listed.charge_permission_id,
        "status": listed.status,
        "next_action_at": listed.next_action_at.isoformat() if listed.next_action_at else None,
        "plan": listed.plan,
        "merchant_reference": listed.merchant_reference,
        "merchant_account": listed.merchant_account,
        "last_reason": listed.last_reason,
        "needs_attention": listed.needs_attention,
        "past_due": listed.past_due,
        "as_of": listed.as_of.isoformat() if listed.as_of else None,
        "stopped": listed.stopped,
        "hindered": listed.hindered,
    }
