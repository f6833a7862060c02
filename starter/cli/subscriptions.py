"""The commands about subscriptions: start, show, list, cancel."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markdown import Markdown
from rich.table import Table

from amazon_pay import Region
from billing.calendar import Interval
from billing.ledger import PeriodOutcome
from billing.money import Money
from billing.monthly_limit import limit_warning
from billing.plan import Plan
from billing.preview import MOST_CHARGES
from billing.refunds import RefundState, Wanted
from billing.schedule import FirstPeriod
from billing.status import Status
from runtime.errors import StartupError
from runtime.settings import load_settings
from runtime.temporal import connect
from starter.cli.agreement import (
    AnchorOption,
    BillingDayOption,
    BillingTimeOption,
    EndsAtOption,
    FirstPeriodOption,
    QuantityOption,
    ZoneOption,
    agreed,
)
from starter.cli.output import JsonOption, RefusedError, err, in_one_line, out, run
from starter.cli.plan_file import read_plan
from starter.cli.plans import calendar_of
from starter.subscriptions import Listed, Subscriptions
from workflows.display import details

PermissionArgument = Annotated[
    str, typer.Argument(metavar="CHARGE_PERMISSION_ID", help="Amazon's id of the recurring charge permission.")
]


async def subscriptions() -> Subscriptions:
    """The merchant's way in, as the environment says."""
    settings = load_settings()
    in_europe = Region.parse(settings.region) is Region.EU
    return Subscriptions(await connect(), settings.task_queue, needs_consent=in_europe)


def start(
    charge_permission_id: PermissionArgument,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="A plan file (.toml or .json); see examples/plans.", dir_okay=False)
    ] = None,
    amount: Annotated[
        str | None, typer.Option(help="Instead of a plan file: what a period costs, such as '9.99 USD'.")
    ] = None,
    every: Annotated[
        str, typer.Option(help="Instead of a plan file: the interval, such as 'month', '2 weeks' or '30 days'.")
    ] = "1 month",
    plan_id: Annotated[str, typer.Option(help="Instead of a plan file: the plan's name in lists.")] = "plan",
    periods: Annotated[
        int | None, typer.Option(help="Instead of a plan file: end after this many periods; endless when not given.")
    ] = None,
    quantity: QuantityOption = 1,
    zone: ZoneOption = "UTC",
    anchor: AnchorOption = None,
    billing_day: BillingDayOption = None,
    billing_time: BillingTimeOption = None,
    first_period: FirstPeriodOption = FirstPeriod.SHORT,
    ends_at: EndsAtOption = None,
    merchant_reference: Annotated[
        str, typer.Option("--reference", help="Your own reference (customer, order); never personal data.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Start billing a new subscriber.

    Starting again with the same terms finds the running subscription and changes nothing; with other terms it is
    refused.
    """

    async def command() -> None:
        terms = agreed(
            charge_permission_id=charge_permission_id,
            plan=read_plan(plan) if plan else _inline_plan(plan_id, amount, every, periods),
            quantity=quantity,
            zone=zone,
            anchor=anchor,
            billing_day=billing_day,
            billing_time=billing_time,
            first_period=first_period,
            ends_at=ends_at,
            merchant_reference=merchant_reference,
        )
        if warning := limit_warning(terms.plan, terms.quantity):
            err.print(f"[bold yellow]mind:[/] {warning}")
        started = await (await subscriptions()).start(terms, anchor_was_given=anchor is not None)
        if as_json:
            out.print_json(json.dumps({"workflow_id": started.workflow_id, "already_started": started.already}))
        elif started.already:
            out.print(f"{started.workflow_id} runs already with these terms")
        else:
            out.print(f"{started.workflow_id} started, first charge {terms.anchor:%Y-%m-%d %H:%M} UTC")

    run(command())


def show(charge_permission_id: PermissionArgument, as_json: JsonOption = False) -> None:
    """Show what a subscription is doing, why, and what happens next."""

    async def command() -> None:
        subscription = await (await subscriptions()).status(charge_permission_id)
        if as_json:
            state = subscription.model_dump(mode="json")
            derived = {"status": subscription.status.value, "needs_attention": subscription.needs_attention}
            out.print_json(json.dumps(derived | state))
        else:
            out.print(Markdown(details(subscription)))

    run(command())


def upcoming(
    charge_permission_id: PermissionArgument,
    count: Annotated[int, typer.Option(min=1, max=MOST_CHARGES, help="How many.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Show the charges to come: when, how much and why, supposing that each succeeds."""

    async def command() -> None:
        client = await subscriptions()
        found = await client.upcoming(charge_permission_id, count)
        if as_json:
            out.print_json(json.dumps([each.model_dump(mode="json") for each in found]))
        else:
            out.print(calendar_of(found, "UTC"))

    run(command())


def list_(
    status: Annotated[Status | None, typer.Option(help="Only subscriptions with this status.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that have ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List subscriptions with status and next billing date."""

    async def command() -> None:
        found = [listed async for listed in (await subscriptions()).list(status=status, ended=ended)]
        if as_json:
            out.print_json(json.dumps([_as_data(listed) for listed in found]))
            return
        table = Table("Charge permission", "Status", "Next action (UTC)", "Plan", "Reference", "Last reason")
        for listed in found:
            attention = " [bold yellow]![/]" if listed.needs_attention else ""
            table.add_row(
                listed.charge_permission_id,
                f"{listed.status.value if listed.status else '-'}{attention}",
                f"{listed.next_action_at:%Y-%m-%d %H:%M}" if listed.next_action_at else "-",
                listed.plan or "-",
                listed.merchant_reference or "-",
                listed.last_reason or "-",
            )
        out.print(table)
        out.print(f"{len(found)} subscriptions; [bold yellow]![/] needs attention")

    run(command())


def cancel(
    charge_permission_id: PermissionArgument,
    reason: Annotated[
        str, typer.Option(help="Told to Amazon as the closure reason; at most 255 characters, no personal data.")
    ] = "Canceled by the merchant",
    as_json: JsonOption = False,
) -> None:
    """Cancel a subscription and close its charge permission.

    A charge under way is awaited and recorded first.
    """

    async def command() -> None:
        await (await subscriptions()).cancel(charge_permission_id, reason)
        if as_json:
            out.print_json(json.dumps({"charge_permission_id": charge_permission_id, "cancel": "requested"}))
        else:
            out.print(f"cancellation of {charge_permission_id} was requested; `perennial show` tells when it is done")

    run(command())


def replace(
    charge_permission_id: PermissionArgument,
    successor: Annotated[
        str, typer.Argument(metavar="NEW_CHARGE_PERMISSION_ID", help="The one that the buyer has approved since.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Let a subscription go on under a new charge permission.

    Billing day, period number and what is owed are kept; the old charge permission is closed.
    """

    async def command() -> None:
        name = await (await subscriptions()).replace_charge_permission(charge_permission_id, successor)
        if as_json:
            out.print_json(json.dumps({"workflow_id": name}))
        else:
            out.print(f"it goes on as {name}")

    run(command())


def capture(
    charge_permission_id: PermissionArgument,
    period: Annotated[int, typer.Option(min=0, help="Which period's charge, counted from 0.")],
    amount: Annotated[
        str | None, typer.Option(help="A part, such as '5.00 USD'; the rest is released. All of it when not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Capture an authorized charge, of a plan that captures later."""

    async def command() -> None:
        part = money(amount) if amount is not None else None
        result = await (await subscriptions()).capture(charge_permission_id, period, part)
        if as_json:
            out.print_json(result.model_dump_json())
        elif result.outcome is PeriodOutcome.PAID:
            out.print(f"{result.charge_id} was captured")
        else:
            still = "; it is still authorized, so try again" if result.outcome is PeriodOutcome.AUTHORIZED else ""
            raise StartupError(f"{result.charge_id} was not captured: {result.reason_code}{still}")

    run(command())


def refund(
    charge_permission_id: PermissionArgument,
    period: Annotated[int, typer.Option(min=0, help="Which paid period, counted from 0.")],
    amount: Annotated[
        str | None, typer.Option(help="A part, such as '5.00 USD'; all that is left when not given.")
    ] = None,
    goodwill: Annotated[
        bool, typer.Option("--goodwill", help="More than was paid may go back, as far as Amazon lets it.")
    ] = False,
    reference: Annotated[
        str | None, typer.Option(help="Your own name for this refund: asking again with it gives back nothing more.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give money back for a period that was paid. Amazon decides in its own time; a notice tells how it ends."""

    async def command() -> None:
        part = money(amount) if amount is not None else None
        try:
            wanted = Wanted(period=period, amount=part, goodwill=goodwill, reference=reference)
        except ValidationError as error:
            raise StartupError(in_one_line(error, {"reference": "--reference"})) from None
        result = await (await subscriptions()).refund(charge_permission_id, wanted)
        if as_json:
            out.print_json(result.model_dump_json())
        elif result.state is RefundState.FAILED:
            raise RefusedError(f"{result.amount} of period {period} was not refunded: {result.reason_code}")
        else:
            out.print(f"refund {result.refund_id} of {result.amount}: {result.state.value}")

    run(command())


def retry(charge_permission_id: PermissionArgument, as_json: JsonOption = False) -> None:
    """Try what is owed again now; also release periods that were missed and are held.

    Where only the buyer can mend it, the charge permission is read, and charged if it can be.
    """

    async def command() -> None:
        await (await subscriptions()).retry_now(charge_permission_id)
        if as_json:
            out.print_json(json.dumps({"charge_permission_id": charge_permission_id, "retry": "requested"}))
        else:
            out.print(f"{charge_permission_id} is tried again now; `perennial show` tells what comes of it")

    run(command())


def _as_data(listed: Listed) -> dict[str, object]:
    return {
        "charge_permission_id": listed.charge_permission_id,
        "status": listed.status.value if listed.status else None,
        "next_action_at": listed.next_action_at.isoformat() if listed.next_action_at else None,
        "plan": listed.plan,
        "merchant_reference": listed.merchant_reference,
        "last_reason": listed.last_reason,
        "needs_attention": listed.needs_attention,
    }


def _inline_plan(plan_id: str, amount: str | None, every: str, periods: int | None) -> Plan:
    if amount is None:
        raise StartupError("--plan or --amount: one must be given")
    count, _, unit = every.strip().rpartition(" ")
    price = money(amount)
    try:
        interval = Interval.model_validate({"unit": unit.removesuffix("s"), "count": count or 1})
    except ValidationError as error:
        raise StartupError(f"--every {every!r}: {in_one_line(error)}") from None
    try:
        return Plan.of(plan_id, price, interval, periods)
    except ValidationError as error:
        raise StartupError(in_one_line(error, {"plan_id": "--plan-id", "periods": "--periods"})) from None


def money(amount: str) -> Money:
    """An amount as it is typed.

    Raises:
        StartupError: it is none.
    """
    try:
        return Money.parse(amount)
    except ValidationError as error:
        raise StartupError(f"--amount: {in_one_line(error)}") from None
    except ValueError as error:
        raise StartupError(f"--amount: {error}") from None
