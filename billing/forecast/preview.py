"""The charges to come: when, how much and why, supposing that every one of them succeeds."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.agenda import next_command, only_looks_for_the_buyer
from perennial_billing.billing.forecast.drive import perform, success
from perennial_billing.billing.machine import tried
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.billing.protocol.commands import (
    AskAmount,
    CaptureCharge,
    CreateCharge,
    Elapse,
    ReadCharge,
    StartSuccessor,
    Timer,
)
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.values import Value

MOST_CHARGES: Final = 120
"""Ten years of months."""

_MOST_STEPS: Final = 4_000
_SHOWN: Final = frozenset({PeriodOutcome.PAID, PeriodOutcome.AUTHORIZED, PeriodOutcome.FREE})
_DRY_RUN_CHARGES: Final = 4


class Upcoming(Value):
    """A period to come, or one that is owed.

    Attributes:
        period: its number, counted from 0.
        due: when it falls due, or fell (UTC).
        at: when it is charged (UTC).
        amount: what is charged; zero where nothing is.
        why: what kind of period it is, and what is special about it.
        texts: what the buyer reads of it; None where nothing is charged, or nothing is to be said.
    """

    period: int
    due: AwareDatetime
    at: AwareDatetime
    amount: Money
    why: str
    texts: ChargeTexts | None = None


class DryRun(Value):
    """What a request would come to; nothing was changed.

    Attributes:
        effective_at: when it would take effect (UTC); None of a request that only asks for something to be done.
        charged_now: what would be charged at once.
        upcoming: the charges after that.
        before: the charges to come as they are without it.
    """

    effective_at: AwareDatetime | None = None
    charged_now: tuple[Upcoming, ...]
    upcoming: tuple[Upcoming, ...]
    before: tuple[Upcoming, ...]


def upcoming(subscription: Subscription, count: int, now: datetime) -> list[Upcoming]:
    """The next periods, up to `count`; fewer where the subscription ends before, or waits for somebody.

    Args:
        subscription: stays as it is.
        count: 1 to 120.
        now: nothing is charged before it (UTC).

    Raises:
        Refused: the count is not accepted.
    """
    check_count(count)
    return list(islice(_to_come(subscription, now), count))


def check_count(count: int) -> None:
    """Whether so many charges can be looked at.

    Raises:
        Refused: they cannot.
    """
    if not 1 <= count <= MOST_CHARGES:
        raise Refused("count", count, f"1 to {MOST_CHARGES} are")


def dry_run(subscription: Subscription, request: Request, now: datetime) -> DryRun:
    """What a request would come to: what would be charged today, and next.

    Args:
        subscription: stays as it is.
        request: what is asked for.
        now: when (UTC).

    Raises:
        Refused: it cannot be; says why.
    """
    after, result = tried(subscription, request, now)
    charges = list(islice(_to_come(after, now), _DRY_RUN_CHARGES + 1))
    at_once = [charge for charge in charges if charge.at <= now]
    return DryRun(
        effective_at=result if isinstance(result, datetime) else None,
        charged_now=tuple(at_once),
        upcoming=tuple(charges[len(at_once) :]),
        before=tuple(islice(_to_come(subscription, now), _DRY_RUN_CHARGES)),
    )


def _to_come(ahead: Subscription, now: datetime) -> Iterator[Upcoming]:
    begins, asks, tried, texts = False, False, "", None
    ahead = ahead.but(permission=ahead.permission.with_some_expiry(max(now, ahead.terms.anchor)))
    expires_at = ahead.permission.expires_at
    for _ in range(_MOST_STEPS):
        command = next_command(ahead)
        if command is None or isinstance(command, StartSuccessor) or only_looks_for_the_buyer(ahead, command):
            return
        now, number = max(now, command.at), ahead.next_period
        match command:
            case Elapse(timer=Timer.PERIOD):
                begins = True
            case AskAmount():
                asks = True
            case Elapse(timer=Timer.RETRY):
                tried = command.why
            case CreateCharge() | ReadCharge() | CaptureCharge():
                tried, expires_at, texts = tried or command.why, ahead.permission.expires_at, ahead.owed.texts
        ahead = perform(ahead, command, now, success)
        if ahead.next_period > number and ahead.collection is None:
            record = ahead.ledger.records[-1]
            why = ahead.schedule.describe(record.period) if begins or asks else tried
            if asks:
                why += "; at most, your endpoint says so when it falls due"
            why += _expired(expires_at, now) if not record.amount.is_zero else ""
            if record.outcome in _SHOWN:
                yield Upcoming(period=record.period, due=record.due, at=now, amount=record.amount, why=why, texts=texts)
            begins, asks, tried, texts = False, False, "", None


def _expired(expires_at: datetime | None, now: datetime) -> str:
    """Says of a charge that it comes after the charge permission has expired, which it only supposes to succeed."""
    too_late = expires_at is not None and now >= expires_at
    return f"; the charge permission will have expired on {expires_at:%Y-%m-%d}" if too_late else ""
