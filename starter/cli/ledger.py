"""The commands about the ledger: `find`, `timeline`, and the group `ledger`."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel
from rich.progress import Progress
from rich.text import Text

from perennial_billing.billing.money import Money
from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, err, say
from perennial_billing.starter.cli.tables import Column, Sheet
from perennial_billing.starter.listing import StatusName

if TYPE_CHECKING:
    from perennial_billing.ledger.finding import EntryFound, Found
    from perennial_billing.ledger.rebuilding import Difference

_FOUND = (
    Column("Charge permission"),
    Column("Status"),
    Column("Past due since", rank=2),
    Column("Next action (UTC)"),
    Column("Charged", justify="right"),
    Column("Refunded", rank=3, justify="right"),
    Column("Last reason", rank=1),
    Column("Plan", rank=4),
    Column("Reference", rank=2),
    Column("As of (UTC)", rank=5),
)
_TOLD = (
    Column("#", justify="right"),
    Column("When (UTC)"),
    Column("What"),
    Column("Period", justify="right", rank=1),
    Column("Amount", justify="right"),
    Column("Amazon's", rank=2),
    Column("Why", rank=3, is_prose=True),
)
_DIFFERENT = (Column("Charge permission"), Column("What"), Column("Stood"), Column("Is"))

ledger = typer.Typer(help="Look after the ledger, the record of what has happened.", no_args_is_help=True)


@asynchronous
async def find(
    permission: Annotated[str | None, typer.Option(help="A charge permission's id.")] = None,
    charge: Annotated[str | None, typer.Option(help="A charge's, refund's or dispute's id.")] = None,
    reference: Annotated[str | None, typer.Option(help="The merchant's own reference.")] = None,
    account: Annotated[str | None, typer.Option(help="The short name of a merchant account.")] = None,
    plan: Annotated[str | None, typer.Option(help="A plan's id.")] = None,
    status: Annotated[StatusName | None, typer.Option(help="Only subscriptions with this status.")] = None,
    reason: Annotated[str | None, typer.Option(help="Of the trouble that stands, or that ended it.")] = None,
    past_due_before: Annotated[
        datetime | None, typer.Option(help="Owes a period that fell due before then (UTC).")
    ] = None,
    needs_attention: Annotated[bool, typer.Option("--needs-attention", help="Only where you have to look.")] = False,
    after: Annotated[str, typer.Option(help="Go on after this charge permission: the last of the page before.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Find subscriptions in the ledger, also such as Temporal does not know any more.

    It tells how each stood when it last told something; `perennial show` asks the subscription itself.
    """
    from perennial_billing.billing.status import Status
    from perennial_billing.ledger.finding import Search
    from perennial_billing.ledger.finding import find as find_in
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    search = Search(
        charge_permission_id=permission,
        charge_id=charge,
        merchant_reference=reference,
        merchant_account=account,
        plan_id=plan,
        statuses=(Status(status),) if status else (),
        reason=reason,
        past_due_before=in_utc(past_due_before),
        needs_attention=True if needs_attention else None,
    )
    async with ledger_of(load_settings()) as opened:
        found = await find_in(opened, search, after=after, limit=limit)
    more = f"; more: --after {found[-1].charge_permission_id}" if len(found) == limit else ""
    say([_as_data(each) for each in found], found_sheet(found), f"{len(found)} subscriptions{more}", as_json=as_json)


@asynchronous
async def timeline(
    permission: Annotated[str, typer.Argument(help="The charge permission's id.", metavar="ID")],
    after: Annotated[int, typer.Option(min=0, help="Go on after this entry: the last of the page before.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 1_000,
    as_json: JsonOption = False,
) -> None:
    """Show everything that a subscription told, from the ledger, oldest first."""
    from perennial_billing.ledger.finding import timeline as timeline_in
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    async with ledger_of(load_settings()) as opened:
        entries = await timeline_in(opened, permission, after=after, limit=limit)
        place = opened.place
    if not entries and not after:
        raise RefusedError(f"{permission}: has told nothing that is in the ledger ({place})")
    more = [f"more: --after {entries[-1].id}"] if len(entries) == limit else []
    say([_as_data(entry) for entry in entries], told_sheet(entries), *more, as_json=as_json)


@ledger.command("rebuild")
@asynchronous
async def rebuild_(
    only_look: Annotated[bool, typer.Option("--dry-run", help="Only look, and change nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make each subscription's row anew from what it told, and say which were otherwise.

    Exit code 1 where one was: nothing but a fault of ours, or somebody who wrote into the database, brings that about.
    """
    from perennial_billing.ledger.rebuilding import rebuild
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    differences: list[Difference] = []
    count = 0
    with Progress(console=err, transient=True, disable=as_json or not err.is_terminal) as progress:
        task = progress.add_task("rebuilding", total=None)
        async with ledger_of(load_settings()) as opened:
            async for done in rebuild(opened, writes=not only_look):
                count += done.subscriptions
                differences += done.differences
                progress.update(task, completed=count)
    data = {"subscriptions": count, "differences": [asdict(each) for each in differences]}
    right = f"{count} subscriptions; each is what its entries make of it"
    say(data, different_sheet(differences) if differences else right, as_json=as_json)
    if differences:
        wrong = len({each.charge_permission_id for each in differences})
        raise RefusedError(f"{wrong} of {count} subscriptions {'are' if only_look else 'were'} otherwise")


async def shown_by_ledger(charge_permission_id: str, *, as_json: bool) -> bool:
    """Shows how a subscription stood that Temporal does not know any more; False where the ledger does not, either."""
    from perennial_billing.ledger.finding import Search
    from perennial_billing.ledger.finding import find as find_in
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    async with ledger_of(load_settings()) as opened:
        found = await find_in(opened, Search(charge_permission_id=charge_permission_id))
    for each in found:
        rows = [(name.replace("_", " ").capitalize(), str(value)) for name, value in _as_data(each).items() if value]
        say(
            {"source": "ledger"} | _as_data(each),
            Text.assemble(
                ("Temporal does not know it any more. ", "bold"),
                f"The ledger had it so at {each.as_of:%Y-%m-%d %H:%M} UTC:",
            ),
            Sheet((Column("What"), Column("Stood at", is_prose=True)), rows),
            Text(f"perennial timeline {charge_permission_id} shows everything that it told"),
            as_json=as_json,
        )
    return bool(found)


def found_sheet(found: "Sequence[Found]") -> Sheet:
    """A line for each subscription."""
    return Sheet(
        _FOUND,
        [
            (
                each.charge_permission_id,
                Text.assemble(
                    each.status.value if each.status else "-",
                    (" owes", "yellow") if each.past_due_since else "",
                    (" !", "bold yellow") if each.needs_attention else "",
                ),
                _day(each.past_due_since),
                _minute(each.next_action_at),
                str(each.charged or "-"),
                str(each.refunded or "-"),
                each.last_reason or "-",
                each.plan_id,
                each.merchant_reference or "-",
                _minute(each.as_of),
            )
            for each in found
        ],
    )


def told_sheet(entries: "Sequence[EntryFound]") -> Sheet:
    """A line for each thing that was told."""
    rows = []
    for entry in entries:
        notice = entry.notice
        rows.append(
            (
                str(notice.number),
                _minute(notice.at),
                notice.type.value,
                "-" if notice.period is None else str(notice.period),
                str(notice.amount or "-"),
                notice.refund_id or notice.dispute_id or notice.charge_id or notice.successor or "-",
                notice.reason_code or notice.reason or "-",
            )
        )
    return Sheet(_TOLD, rows)


def different_sheet(differences: "Sequence[Difference]") -> Sheet:
    """A line for each column that is, or was, otherwise."""
    rows = [
        (each.charge_permission_id, each.column or "row", str(each.stood), str(each.expected)) for each in differences
    ]
    return Sheet(_DIFFERENT, rows)


def _as_data(found: "Found | EntryFound") -> dict[str, object]:
    """As JSON has it: amounts as people write them, instants as ISO 8601 does."""
    return {field.name: _plain(getattr(found, field.name)) for field in fields(found)}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel) and not isinstance(value, Money):
        return value.model_dump(mode="json", exclude_none=True)
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def in_utc(instant: datetime | None) -> datetime | None:
    """An instant that was typed without a zone is UTC, as the option's help says."""
    return instant.replace(tzinfo=UTC) if instant is not None and instant.tzinfo is None else instant


def _minute(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M}" if instant else "-"


def _day(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d}" if instant else "-"
