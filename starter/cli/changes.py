"""The commands `perennial change ...`: what can be changed about a running subscription."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    ResumeSubscription,
    Settle,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
)
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.starter.cli.agreement import BillingTimeOption, FirstPeriodOption, instant, money, wall_time
from perennial_billing.starter.cli.asking import (
    DryRunOption,
    RequestIdOption,
    WhenOption,
    moment,
    requested,
    tell_dry_run,
)
from perennial_billing.starter.cli.connection import PermissionArgument, needs_consent, subscriptions
from perennial_billing.starter.cli.output import JsonOption, asynchronous, say
from perennial_billing.starter.cli.plan_file import read_plan

changes = typer.Typer(name="change", help="Change a running subscription.", no_args_is_help=True)

ConsentedOption = Annotated[
    bool, typer.Option("--consented", help="The buyer has agreed in a new checkout; needed in the EU and the UK.")
]
UndoOption = Annotated[bool, typer.Option("--undo", help="Take it back, before it has taken effect.")]


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
    when: WhenOption = None,
    settle: Annotated[
        Settle, typer.Option(help="With --when now: charge the days now, or with the next charge (renewal).")
    ] = Settle.NOW,
    consented: ConsentedOption = False,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the plan or the quantity.

    With --when now, the unused days of the paid period are credited, and the new plan is charged from today on.
    """

    await _change_it(
        charge_permission_id,
        ChangePlan,
        Asking(dry_run, request_id, as_json),
        plan=read_plan(file) if file else None,
        quantity=quantity,
        when=moment(when, When.RENEWAL),
        settle=settle,
        consented=consented,
    )


@changes.command("billing-day")
@asynchronous
async def billing_day(
    charge_permission_id: PermissionArgument,
    day: Annotated[int, typer.Argument(min=1, max=31, help="Day of the month; 31 is each month's last.")],
    billing_time: BillingTimeOption = None,
    first_period: FirstPeriodOption = FirstPeriod.SHORT,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move the due dates to another day of the month, from the next period on."""

    wanted = BillingDay(day=day, at=wall_time(billing_time), first_period=first_period)
    await _change_it(charge_permission_id, ChangeBillingDay, Asking(dry_run, request_id, as_json), billing_day=wanted)


@changes.command("undo")
@asynchronous
async def undo(
    charge_permission_id: PermissionArgument,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back changes of plan, quantity and billing day that have not taken effect."""
    await _change_it(charge_permission_id, UndoChanges, Asking(dry_run, request_id, as_json))


@changes.command("pause")
@asynchronous
async def pause(
    charge_permission_id: PermissionArgument,
    when: WhenOption = None,
    until: Annotated[
        str | None, typer.Option(help="When it is resumed by itself, ISO 8601 with offset; by hand when not given.")
    ] = None,
    move_dates: Annotated[
        bool, typer.Option("--move-dates", help="Move the due dates by as long as it is paused; no paid day is lost.")
    ] = False,
    stop_collecting: Annotated[
        bool, typer.Option("--stop-collecting", help="What is owed already waits too, until it is resumed.")
    ] = False,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause: what falls due meanwhile is not owed. What is owed already goes on being collected."""

    await _change_it(
        charge_permission_id,
        PauseSubscription,
        Asking(dry_run, request_id, as_json),
        when=moment(when, When.NOW),
        until=instant("--until", until),
        keeps_anchor=not move_dates,
        stops_collecting=stop_collecting,
    )


@changes.command("resume")
@asynchronous
async def resume(
    charge_permission_id: PermissionArgument,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on after a pause, or take back one that has not begun."""
    await _change_it(charge_permission_id, ResumeSubscription, Asking(dry_run, request_id, as_json))


@changes.command("skip")
@asynchronous
async def skip(
    charge_permission_id: PermissionArgument,
    undo: UndoOption = False,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do not charge the next period."""
    await _change_it(charge_permission_id, SkipPeriod, Asking(dry_run, request_id, as_json), undo=undo)


@changes.command("cancel")
@asynchronous
async def cancel(
    charge_permission_id: PermissionArgument,
    when: WhenOption = None,
    reason: Annotated[str, typer.Option(help="Told to Amazon as the closure reason; no personal data.")] = (
        "Canceled by the merchant"
    ),
    undo: UndoOption = False,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel at the end of the paid period, or when you say; or undo that. (`perennial cancel` does so at once.)"""
    how = Asking(dry_run, request_id, as_json)
    if undo:
        await _change_it(charge_permission_id, UndoCancellation, how)
    else:
        await _change_it(charge_permission_id, Cancel, how, when=moment(when, When.RENEWAL), reason=reason)


@changes.command("item")
@asynchronous
async def item(
    charge_permission_id: PermissionArgument,
    amount: Annotated[str, typer.Argument(help="How much, such as '2.50 USD'.")],
    what: Annotated[str, typer.Option(help="What it is for, in a line; no personal data.")],
    credit: Annotated[
        bool, typer.Option("--credit", help="Take it off the next charges, instead of adding it to the next one.")
    ] = False,
    when: WhenOption = None,
    reference: Annotated[
        str | None, typer.Option(help="Your own name for this item: asking again with it takes it only once.")
    ] = None,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a one-off item to the next charge, charge it by itself (--when now), or take a credit off."""
    await _change_it(
        charge_permission_id,
        AddItem,
        Asking(dry_run, request_id, as_json),
        amount=money(amount),
        what=what,
        credit=credit,
        when=moment(when, When.RENEWAL),
        reference=reference,
    )


class Asking(NamedTuple):
    """How a change is asked for: whether for good, under which id, and how the answer is printed."""

    dry_run: bool
    request_id: str | None
    as_json: bool


async def _change_it(
    charge_permission_id: str,
    kind: type[Any],  # Any: one of the changes; their fields differ
    how: Asking,
    **fields: Any,  # Any: as above
) -> None:
    change = requested(kind, **fields)
    if how.dry_run:
        await tell_dry_run(charge_permission_id, change, as_json=how.as_json)
        return
    client = await subscriptions(needs_consent=needs_consent())
    changed = await client.change(charge_permission_id, change, how.request_id)
    following = changed.next
    then = f"{following.at:%Y-%m-%d %H:%M} UTC: {following.why}" if following else "nothing by itself"
    text = f"takes effect {changed.effective_at:%Y-%m-%d %H:%M} UTC; next: {then}"
    if changed.agreed and fields.get("plan") and fields.get("quantity") is None:
        text += f"; agreed: {changed.agreed}"  # as many units as before, which may not be meant of another plan
    known = {"kind"} if changed.agreed else {"kind", "agreed"}
    say(changed.model_dump(mode="json", exclude=known), text, as_json=how.as_json)
