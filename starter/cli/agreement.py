"""What was agreed with a buyer, read from a command's options."""

from datetime import UTC, datetime, time
from typing import Annotated

import typer
from pydantic import ValidationError

from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT, Terms, check_anchor
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.output import in_one_line

_OPTIONS = {
    "charge_permission_id": "CHARGE_PERMISSION_ID",
    "anchor": "--anchor",
    "zone": "--zone",
    "quantity": "--quantity",
    "ends_at": "--ends-at",
    "merchant_reference": "--reference",
    "merchant_account": "--account",
}

ZoneOption = Annotated[str, typer.Option(help="IANA time zone that days and months are counted in.")]
AnchorOption = Annotated[
    str | None, typer.Option(help="Instant of the first charge, ISO 8601 with offset; now when not given.")
]
QuantityOption = Annotated[int, typer.Option(help="How many units of the plan.")]
BillingDayOption = Annotated[
    int | None,
    typer.Option(min=1, max=31, help="Day of the month that charges are moved to; 31 is the last. Any when not given."),
]
BillingTimeOption = Annotated[
    str | None, typer.Option(help="Wall time on the billing day, such as 09:00; the anchor's when not given.")
]
FirstPeriodOption = Annotated[
    FirstPeriod, typer.Option(help="What the period before the first billing day costs: its share, all, or nothing.")
]
BackdatedOption = Annotated[
    bool,
    typer.Option("--backdated", help="It began more than a period ago, and all that has fallen due since is owed."),
]
AccountOption = Annotated[
    str, typer.Option("--account", help="Short name of the Amazon Pay account that is charged for.")
]
EndsAtOption = Annotated[
    str | None,
    typer.Option(help="Instant from which on nothing falls due, ISO 8601 with offset; never when not given."),
]


def agreed(
    *,
    charge_permission_id: str,
    plan: Plan,
    zone: str,
    anchor: str | None,
    merchant_reference: str = "",
    quantity: int = 1,
    billing_day: int | None = None,
    billing_time: str | None = None,
    first_period: FirstPeriod = FirstPeriod.SHORT,
    ends_at: str | None = None,
    merchant_account: str = DEFAULT_ACCOUNT,
) -> Terms:
    """The terms; the anchor is now when it is not given.

    Raises:
        StartupError: an option's value is not accepted; says which and what is.
    """
    day = None
    if billing_day is not None:
        day = BillingDay(day=billing_day, at=wall_time(billing_time), first_period=first_period)
    elif billing_time is not None:
        raise StartupError("--billing-time: is given without --billing-day")
    try:
        return Terms(
            charge_permission_id=charge_permission_id,
            plan=plan,
            quantity=quantity,
            anchor=instant("--anchor", anchor) or datetime.now(UTC),
            billing_day=day,
            ends_at=instant("--ends-at", ends_at),
            zone=zone,
            merchant_reference=merchant_reference,
            merchant_account=merchant_account,
        )
    except ValidationError as error:
        raise StartupError(in_one_line(error, _OPTIONS)) from None


def instant(option: str, text: str | None) -> datetime | None:
    """An option's instant; None where it is not given.

    Raises:
        StartupError: it is none.
    """
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise StartupError(f"{option}: {text!r} is not an instant such as 2026-01-31T09:00:00+01:00") from None


def wall_time(text: str | None) -> time | None:
    """The option `--billing-time`; None where it is not given.

    Raises:
        StartupError: it is none.
    """
    try:
        wall = time.fromisoformat(text) if text else None
    except ValueError:
        wall = time.max
    if wall is not None and (wall.tzinfo is not None or wall.microsecond):
        raise StartupError(f"--billing-time: {text!r} is not a wall time such as 09:00")
    return wall


def money(amount: str, option: str = "--amount") -> Money:
    """An amount as it is typed.

    Raises:
        StartupError: it is none.
    """
    try:
        return Money.parse(amount)
    except Refused as refused:
        raise StartupError(str(refused.under(option))) from None


def check_begins(terms: Terms, now: datetime, *, backdated: bool) -> None:
    """Whether the anchor is meant.

    Raises:
        StartupError: it is long over, and nobody says that this is meant.
    """
    try:
        if not backdated:
            check_anchor(terms, now)
    except Refused as refused:
        raise StartupError(str(refused.under("--anchor"))) from None
