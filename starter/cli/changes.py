"""The commands `perennial change ...`: what can be changed about a running subscription."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from billing.changes import (
    AddItem,
    Change,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    PlanCancellation,
    ResumeSubscription,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
)
from billing.schedule import BillingDay, FirstPeriod
from runtime.errors import StartupError
from starter.cli.agreement import BillingTimeOption, FirstPeriodOption, instant, money, wall_time
from starter.cli.connection import PermissionArgument, needs_consent, subscriptions
from starter.cli.output import JsonOption, asynchronous, in_one_line, say
from starter.cli.plan_file import read_plan

changes = typer.Typer(name="change", help="Change a running subscription.", no_args_is_help=True)

NowOption = Annotated[bool, typer.Option("--now", help="At once, instead of from the next period on.")]
ConsentedOption = Annotated[
    bool, typer.Option("--consented", help="The buyer has agreed in a new checkout; needed in the EU and the UK.")
]
UndoOption = Annotated[bool, typer.Option("--undo", help="Take it back, before it has taken effect.")]

_OPTIONS = {
    "quantity": "--quantity",
    "until": "--until",
    "at": "--at",
    "reason": "--reason",
    "what": "--what",
    "reference": "--reference",
}


@changes.callback()
def _change() -> None:
    """Change a running subscription. What cannot be done is refused with its rule, and has changed nothing."""


@changes.command("plan")
@asynchronous
async def plan(
    charge_permission_id: PermissionArgument,
    file: Annotated[
        Path | None, typer.Option("--plan", help="The new plan's file; the same plan when not given.", dir_okay=False)
    ] = None,
    quantity: Annotated[int | None, typer.Option(help="How many units; as many as before when not given.")] = None,
    now: NowOption = False,
    consented: ConsentedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change the plan or the quantity.

    With --now, the unused days of the paid period are credited, and the new plan is charged from today on.
    """

    await _change_it(
        charge_permission_id,
        ChangePlan,
        as_json=as_json,
        plan=read_plan(file) if file else None,
        quantity=quantity,
        when=When.NOW if now else When.NEXT_PERIOD,
        consented=consented,
    )


@changes.command("billing-day")
@asynchronous
async def billing_day(
    charge_permission_id: PermissionArgument,
    day: Annotated[int, typer.Argument(min=1, max=31, help="Day of the month; 31 is each month's last.")],
    billing_time: BillingTimeOption = None,
    first_period: FirstPeriodOption = FirstPeriod.SHORT,
    as_json: JsonOption = False,
) -> None:
    """Move the due dates to another day of the month, from the next period on."""

    wanted = BillingDay(day=day, at=wall_time(billing_time), first_period=first_period)
    await _change_it(charge_permission_id, ChangeBillingDay, as_json=as_json, billing_day=wanted)


@changes.command("undo")
@asynchronous
async def undo(charge_permission_id: PermissionArgument, as_json: JsonOption = False) -> None:
    """Take back changes of plan, quantity and billing day that have not taken effect."""
    await _change_it(charge_permission_id, UndoChanges, as_json=as_json)


@changes.command("pause")
@asynchronous
async def pause(
    charge_permission_id: PermissionArgument,
    at_period_end: Annotated[
        bool, typer.Option("--at-period-end", help="From the end of the paid period on, instead of at once.")
    ] = False,
    until: Annotated[
        str | None, typer.Option(help="When it is resumed by itself, ISO 8601 with offset; by hand when not given.")
    ] = None,
    move_dates: Annotated[
        bool, typer.Option("--move-dates", help="Count the due dates from the moment of resuming.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pause: what falls due meanwhile is not owed. What is owed already goes on being collected."""

    await _change_it(
        charge_permission_id,
        PauseSubscription,
        as_json=as_json,
        when=When.NEXT_PERIOD if at_period_end else When.NOW,
        until=instant("--until", until),
        keeps_anchor=not move_dates,
    )


@changes.command("resume")
@asynchronous
async def resume(charge_permission_id: PermissionArgument, as_json: JsonOption = False) -> None:
    """Go on after a pause, or take back one that has not begun."""
    await _change_it(charge_permission_id, ResumeSubscription, as_json=as_json)


@changes.command("skip")
@asynchronous
async def skip(charge_permission_id: PermissionArgument, undo: UndoOption = False, as_json: JsonOption = False) -> None:
    """Do not charge the next period."""
    await _change_it(charge_permission_id, SkipPeriod, as_json=as_json, undo=undo)


@changes.command("cancel")
@asynchronous
async def cancel(
    charge_permission_id: PermissionArgument,
    at: Annotated[
        str | None, typer.Option(help="When, ISO 8601 with offset; at the end of the paid period when not given.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Told to Amazon as the closure reason; no personal data.")] = (
        "Canceled by the merchant"
    ),
    undo: UndoOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel later: at the end of the paid period or at an instant. (`perennial cancel` does so at once.)"""
    if undo:
        await _change_it(charge_permission_id, UndoCancellation, as_json=as_json)
    else:
        await _change_it(charge_permission_id, PlanCancellation, as_json=as_json, at=instant("--at", at), reason=reason)


@changes.command("item")
@asynchronous
async def item(
    charge_permission_id: PermissionArgument,
    amount: Annotated[str, typer.Argument(help="How much, such as '2.50 USD'.")],
    what: Annotated[str, typer.Option(help="What it is for, in a line; no personal data.")],
    credit: Annotated[
        bool, typer.Option("--credit", help="Take it off the next charges, instead of adding it to the next one.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Charge it at once by itself, instead.")] = False,
    reference: Annotated[
        str | None, typer.Option(help="Your own name for this item: asking again with it takes it only once.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add something to the next charge once, or take it off."""
    await _change_it(
        charge_permission_id,
        AddItem,
        as_json=as_json,
        amount=money(amount),
        what=what,
        credit=credit,
        when=When.NOW if now else When.NEXT_PERIOD,
        reference=reference,
    )


async def _change_it(
    charge_permission_id: str,
    kind: type[Any],  # Any: one of the changes; their fields differ
    *,
    as_json: bool,
    **fields: Any,
) -> None:
    try:
        change: Change = TypeAdapter(kind).validate_python(fields)
    except ValidationError as error:
        raise StartupError(in_one_line(error, _OPTIONS)) from None
    changed = await (await subscriptions(needs_consent=needs_consent())).change(charge_permission_id, change)
    following = changed.next_step
    when = f"{following.at:%Y-%m-%d %H:%M} UTC: {following.why}" if following else "nothing by itself"
    text = f"takes effect {changed.effective_at:%Y-%m-%d %H:%M} UTC; next: {when}"
    say(changed.model_dump(mode="json"), text, as_json=as_json)
