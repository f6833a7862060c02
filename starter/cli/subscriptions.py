"""The commands about one subscription: start, show, cancel, and what is done about its charges."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from perennial_billing.billing.calendar import Interval
from perennial_billing.billing.changes import Cancel, Capture, RefundPeriod, Resolve, RetryNow, Share, When, WriteOff
from perennial_billing.billing.contract.agreement import FirstPeriod
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.billing.expiry import expiry_warning
from perennial_billing.billing.forecast.preview import MOST_CHARGES
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.monthly_limit import limit_warning
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.agreement import (
    AccountOption,
    AnchorOption,
    BackdatedOption,
    BillingDayOption,
    BillingTimeOption,
    EndsAtOption,
    FirstPeriodOption,
    QuantityOption,
    ZoneOption,
    agreed,
    money,
)
from perennial_billing.starter.cli.asking import (
    DryRunOption,
    RequestIdOption,
    WhenOption,
    moment,
    requested,
    tell_dry_run,
)
from perennial_billing.starter.cli.calendar import as_data, calendar_of
from perennial_billing.starter.cli.connection import PermissionArgument, subscriptions
from perennial_billing.starter.cli.ledger import shown_by_ledger
from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, in_one_line, mind, say
from perennial_billing.starter.cli.plan_file import read_plan
from perennial_billing.starter.cli.texts import texts_of_the_first

if TYPE_CHECKING:
    from perennial_billing.billing.contract.terms import Terms
    from perennial_billing.starter.client import Subscriptions


@asynchronous
async def start(
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
    merchant_account: AccountOption = DEFAULT_ACCOUNT,
    backdated: BackdatedOption = False,
    first_charge: Annotated[
        str | None,
        typer.Option(
            "--first-charge",
            metavar="CHARGE_ID",
            help="The checkout's own charge, which has paid period 0; without --anchor its time is the anchor.",
        ),
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Start without reading the charge permission at Amazon first.")
    ] = False,
    new_life: Annotated[
        bool,
        typer.Option(
            "--new-life",
            help="One has lived under it that Temporal has forgotten (`perennial recover` says so): begin anew, with "
            "idempotency keys of its own.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start billing a new subscriber.

    The charge permission is read at Amazon first, and one that cannot be charged as the plan needs it is refused.
    Starting again with the same terms finds the running subscription and changes nothing; with other terms it is
    refused. Where the merchant reference is that of another running subscription, too, it is started and told of.
    """
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
        merchant_account=merchant_account,
    )
    for warning in (limit_warning(terms.plan, terms.quantity), expiry_warning(terms, datetime.now(UTC))):
        if warning:
            mind(warning)
    client = await subscriptions()
    started = await client.start(
        terms,
        anchor_was_given=anchor is not None,
        backdated=backdated,
        first_charge=first_charge,
        unchecked=unchecked,
        new_life=new_life,
    )
    others = await _sharing_reference(client, terms)
    how = "runs already with these terms"
    if not started.already:
        due = f"{started.first_due:%Y-%m-%d %H:%M} UTC" if started.first_due else "none"
        how = (
            f"started, period 0 is paid by {first_charge}, next charge {due}"
            if first_charge
            else (f"started, first charge {due}")
        )
    data = {"workflow_id": started.workflow_id, "already_started": started.already, "same_reference": others}
    say(data, f"{started.workflow_id} {how}", as_json=as_json)


async def _sharing_reference(client: "Subscriptions", terms: "Terms") -> list[str]:
    """The other subscriptions with the merchant reference, which are told of; it is started, whatever comes of that."""
    from temporalio.service import RPCError

    from perennial_billing.starter.client import shares_reference

    try:
        others = await client.sharing_reference(terms)
    except RPCError as error:
        mind(f"whether others have its merchant reference is not known: {error.status.name}")
        return []
    if others:
        mind(shares_reference(terms, others))
    return others


@asynchronous
async def show(charge_permission_id: PermissionArgument, as_json: JsonOption = False) -> None:
    """Show what a subscription is doing, why, and what happens next.

    Of one that Temporal does not know any more, the ledger tells how it stood when it last told something.
    """
    from perennial_billing.starter.cli.page import Page
    from perennial_billing.starter.errors import HinderedError, NoWorkerError, SubscriptionNotFoundError
    from perennial_billing.workflows.display import details

    client = await subscriptions()
    found, kept = await client.stopped(charge_permission_id), await client.hindered(charge_permission_id)
    try:
        subscription = await client.status(charge_permission_id)
    except SubscriptionNotFoundError:
        if not await shown_by_ledger(charge_permission_id, as_json=as_json):
            raise
    except (HinderedError, NoWorkerError) as error:
        if kept is not None:  # a start of workers, as is advised without it, would mend nothing
            stood = f"`perennial find --permission {charge_permission_id}` shows how it stood by the ledger"
            raise HinderedError(f"charge permission {charge_permission_id}: {kept}; {stood}") from error
        if found is None:
            raise
        raise NoWorkerError(f"{error}. {_begun(str(found))}") from error
    else:
        data = subscription.model_dump(mode="json")
        data |= {"stopped": asdict(found) if found else None, "hindered": asdict(kept) if kept else None}
        head = [Text(f"Stopped: {found}.", "bold red")] if found is not None else []
        head += [Text(f"Hindered: {kept}.", "bold red")] if kept is not None else []
        say(data, *head, Page(details(subscription)), as_json=as_json)


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


@asynchronous
async def upcoming(
    charge_permission_id: PermissionArgument,
    count: Annotated[int, typer.Option(min=1, max=MOST_CHARGES, help="How many.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Show the charges to come: when, how much and why, supposing that each succeeds.

    Where the plan has texts, also what the buyer reads of them: of the first one, and with --json of each.
    """
    found = await (await subscriptions()).upcoming(charge_permission_id, count)
    say([as_data(each) for each in found], calendar_of(found, "UTC"), *texts_of_the_first(found), as_json=as_json)


@asynchronous
async def cancel(
    charge_permission_id: PermissionArgument,
    when: WhenOption = None,
    reason: Annotated[
        str, typer.Option(help="Told to Amazon as the closure reason; at most 255 characters, no personal data.")
    ] = "Canceled by the merchant",
    refund: Annotated[
        str | None,
        typer.Option(
            help="Give money back as well, in one act: last (the last charge), all, or an amount ('5.00 USD')."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a subscription and close its charge permission.

    At once, when nothing else is said: a charge under way is awaited and recorded first. An amount to give back is
    taken of the latest charges first.
    """
    at, back = moment(when, When.NOW), _back(refund)
    if dry_run:
        wanted = requested(Cancel, when=at, reason=reason, refund=back)
        await tell_dry_run(charge_permission_id, wanted, as_json=as_json)
    elif at is When.NOW and request_id is None and back is None:
        await (await subscriptions()).cancel(charge_permission_id, reason)
        say(
            {"charge_permission_id": charge_permission_id, "cancel": "requested"},
            f"cancellation of {charge_permission_id} was requested; `perennial show` tells when it is done",
            as_json=as_json,
        )
    else:
        wanted = requested(Cancel, when=at, reason=reason, refund=back)
        changed = await (await subscriptions()).change(charge_permission_id, wanted, request_id)
        text = f"{charge_permission_id} ends {changed.effective_at:%Y-%m-%d %H:%M} UTC"
        if changed.refunding is not None:
            text += f"; {changed.refunding} is going back"
        say(changed.model_dump(mode="json", exclude={"kind", "agreed"}), text, as_json=as_json)


@asynchronous
async def replace(
    charge_permission_id: PermissionArgument,
    successor: Annotated[
        str, typer.Argument(metavar="NEW_CHARGE_PERMISSION_ID", help="The one that the buyer has approved since.")
    ],
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a subscription go on under a new charge permission.

    Billing day, period number and what is owed are kept; the old charge permission is closed.
    """
    name = await (await subscriptions()).replace_charge_permission(charge_permission_id, successor, request_id)
    say({"workflow_id": name}, f"it goes on as {name}", as_json=as_json)


@asynchronous
async def capture(
    charge_permission_id: PermissionArgument,
    period: Annotated[int, typer.Option(min=0, help="Which period's charge, counted from 0.")],
    amount: Annotated[
        str | None, typer.Option(help="A part, such as '5.00 USD'; the rest is released. All of it when not given.")
    ] = None,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Capture an authorized charge, of a plan that captures later."""
    wanted = Capture(period=period, amount=money(amount) if amount is not None else None)
    if dry_run:
        await tell_dry_run(charge_permission_id, wanted, as_json=as_json)
        return
    result = await (await subscriptions()).capture(charge_permission_id, period, wanted.amount, request_id)
    if result.outcome is not PeriodOutcome.PAID and not as_json:
        still = "; it is still authorized, so try again" if result.outcome is PeriodOutcome.AUTHORIZED else ""
        raise StartupError(f"{result.charge_id} was not captured: {result.reason_code}{still}")
    say(result.model_dump(mode="json", exclude={"kind"}), f"{result.charge_id} was captured", as_json=as_json)


def _back(text: str | None) -> Share | Money | None:
    """The option `--refund`.

    Raises:
        StartupError: it is neither a word nor an amount.
    """
    if text is None or text in {share.value for share in Share}:
        return Share(text) if text else None
    return money(text, "--refund, last, all or an amount")


@asynchronous
async def refund(
    charge_permission_id: Annotated[
        str | None,
        typer.Argument(metavar="[CHARGE_PERMISSION_ID]", help="Whose; with --charge the ledger knows it as well."),
    ] = None,
    period: Annotated[int | None, typer.Option(min=0, help="Which paid period, counted from 0.")] = None,
    charge: Annotated[str | None, typer.Option(help="Which charge, by Amazon's id, instead of the period.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="A part, such as '5.00 USD'; all that is left when not given.")
    ] = None,
    goodwill: Annotated[
        bool, typer.Option("--goodwill", help="More than was paid may go back, as far as Amazon lets it.")
    ] = False,
    reference: Annotated[
        str | None, typer.Option(help="Your own name for this refund: asking again with it gives back nothing more.")
    ] = None,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give money back for a period that was paid. Amazon decides in its own time; a notice tells how it ends.

    However long ago that was, and also where the subscription has ended or goes on under another charge permission.
    """
    part = money(amount) if amount is not None else None
    wanted = requested(
        RefundPeriod, period=period, charge_id=charge, amount=part, goodwill=goodwill, reference=reference
    )
    client = await subscriptions()
    whose = charge_permission_id or (await client.owner_of(charge) if charge else None)
    if whose is None:
        raise StartupError("CHARGE_PERMISSION_ID: without it, the charge is named: --charge")
    if dry_run:
        await tell_dry_run(whose, wanted, as_json=as_json)
        return
    result = await client.refund(whose, wanted, request_id)
    if result.state is RefundState.FAILED and not as_json:
        raise RefusedError(f"{result.amount} of period {result.period} was not refunded: {result.reason_code}")
    text = f"refund {result.refund_id} of {result.amount}: {result.state.value}"
    say(result.model_dump(mode="json"), text, as_json=as_json)


@asynchronous
async def retry(
    charge_permission_id: PermissionArgument,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try what is owed again now; also release periods that were missed and are held.

    Where only the buyer can mend it, the charge permission is read, and charged if it can be.
    """
    if dry_run:
        await tell_dry_run(charge_permission_id, RetryNow(), as_json=as_json)
        return
    await (await subscriptions()).retry_now(charge_permission_id, request_id)
    say(
        {"charge_permission_id": charge_permission_id, "retry": "requested"},
        f"{charge_permission_id} is tried again now; `perennial show` tells what comes of it",
        as_json=as_json,
    )


@asynchronous
async def resolve(
    charge_permission_id: PermissionArgument,
    charge: Annotated[
        str | None,
        typer.Option("--charge", metavar="CHARGE_ID", help="This charge has paid the period: it is read and checked."),
    ] = None,
    new_attempt: Annotated[
        bool, typer.Option("--new-attempt", help="Nothing was taken: charge again, under another key.")
    ] = False,
    write_off_: Annotated[bool, typer.Option("--write-off", help="Do not collect the period any more.")] = False,
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Settle a held attempt by hand: count a charge, charge again, or write the period off.

    Look at the charge permission in Seller Central first: a new attempt charges the buyer whatever was taken before.
    """
    wanted = requested(Resolve, charge_id=charge, new_attempt=new_attempt, write_off=write_off_)
    if dry_run:
        await tell_dry_run(charge_permission_id, wanted, as_json=as_json)
        return
    result = await (await subscriptions()).resolve(charge_permission_id, wanted, request_id)
    how = (
        f"{charge} was counted" if charge else "the period is written off" if write_off_ else "it is charged again now"
    )
    say(result.model_dump(mode="json", exclude={"kind"}), f"{charge_permission_id}: {how}", as_json=as_json)


@asynchronous
async def write_off(
    charge_permission_id: PermissionArgument,
    period: Annotated[int, typer.Option(min=0, help="Which owed period, counted from 0.")],
    dry_run: DryRunOption = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an owed period up: it is not collected any more. The subscription goes on with the next one."""
    if dry_run:
        await tell_dry_run(charge_permission_id, WriteOff(period=period), as_json=as_json)
        return
    await (await subscriptions()).write_off(charge_permission_id, period, request_id)
    data = {"charge_permission_id": charge_permission_id, "written_off": period}
    say(data, f"{charge_permission_id}: period {period} is not collected any more", as_json=as_json)


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
