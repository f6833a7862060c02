"""The rules of dunning: what follows an answer to a charge, and what follows a reading of the charge permission.

Each is a row of edges, the first that fits being the one. They know no clock: when something is done, the schedules say
(`billing.dunning.schedules`). What a code means stands in `billing.dunning.reasons`.
"""

from enum import StrEnum
from typing import Final

from perennial_billing.billing.dunning.decisions import (
    AfterCharge,
    AfterLimit,
    AfterPermission,
    AskLimit,
    AskPermission,
    AwaitBuyer,
    Capture,
    ChargeAtOnce,
    HoldPermission,
    Keep,
    LeaveToMerchant,
    LookAgain,
    LosePermission,
    NextMonth,
    Pending,
    PendingUnreadable,
    Repeat,
    Retry,
)
from perennial_billing.billing.dunning.reasons import Meaning, meaning_of_charge, meaning_of_non_chargeable
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.monthly_limit import is_above
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState

NO_REASON: Final = "no reason code"

AMOUNT_ABOVE_LIMIT: Final = "AmountAboveLimit"
"""Our own reason beside Amazon's codes: the charge permission allows less in any calendar month than is owed."""


class Awaits(StrEnum):
    """What an open collection waits for, as far as the charge permission matters to it."""

    NOTHING = "nothing"
    """The outcome of an attempt, the merchant, or the month: the permission explains nothing."""
    FIRST_WORD = "first word"
    """Whether the failed attempt may be followed by another."""
    LIMIT = "limit"
    """Whether the monthly limit refused the amount for this month, or for all."""
    BUYER = "buyer"
    RETRY = "retry"
    """The next attempt's time."""
    UNPAID = "unpaid"
    """Only what the buyer does by themselves: it is not tried any more."""


def after_charge(answer: ChargeAnswer, *, was_pending: bool, asked_for_later_capture: bool) -> AfterCharge:
    """What follows any answer to an attempt that is not a success.

    Args:
        answer: to the attempt, to its capture, or to reading its charge.
        was_pending: Amazon was deciding on its charge already.
        asked_for_later_capture: Amazon was let take its time, so that an authorization is to be captured.
    """
    reason, meaning = answer.reason_code or NO_REASON, meaning_of_charge(answer.reason_code)
    refused = answer.outcome is ChargeOutcome.REFUSED
    if answer.outcome is ChargeOutcome.AUTHORIZED and asked_for_later_capture:
        return Capture(answer.charge_id)
    if answer.outcome in {ChargeOutcome.PENDING, ChargeOutcome.AUTHORIZED}:
        return Pending(answer.charge_id)
    if refused and was_pending:
        return PendingUnreadable(reason)  # says nothing of the charge, which may have succeeded
    match meaning:
        case Meaning.OPERATOR if refused:
            return Repeat(reason)
        case Meaning.OPERATOR:
            return LeaveToMerchant(reason)  # a known decline: its key would be answered so for ever
        case Meaning.MONTHLY_LIMIT:
            return AskLimit()
        case Meaning.PERMISSION_GONE:
            return LosePermission(f"{reason}: the charge permission cannot be charged any more", reason)
        case _:
            return AskPermission(reason, meaning)


def after_permission(
    answer: PermissionAnswer,
    seen: PermissionAnswer | None,
    awaits: Awaits,
    meaning: Meaning | None,
    amount: Money,
    *,
    planned: bool,
    prompted: bool,
) -> AfterPermission | AfterLimit:
    """What follows a reading of the charge permission while a period is owed and no outcome is open.

    Args:
        answer: the permission as it stands.
        seen: as it was last seen since the last failure.
        awaits: what the collection waits for.
        meaning: what the last failure meant.
        amount: what is owed.
        planned: the reading was what the collection waited for; else a signal alone asked for it.
        prompted: a signal said that something changed, and no reading has told since.
    """
    if answer.is_closed:
        return LosePermission(why_closed(answer), next(iter(answer.reason_codes), None))
    if awaits is Awaits.LIMIT and planned:
        return _after_limit(answer, amount)
    if awaits is Awaits.NOTHING or meaning is Meaning.MONTHLY_LIMIT:
        return Keep()  # the merchant decides, or the month ends by itself
    if tells_nothing(answer, seen):
        return _after_no_news(answer, awaits, planned=planned)
    if answer.is_chargeable:
        return _after_chargeable(answer, seen, awaits, meaning, prompted=prompted)
    return _after_non_chargeable(answer, awaits, meaning, planned=planned)


def tells_nothing(answer: PermissionAnswer, seen: PermissionAnswer | None) -> bool:
    """Whether Amazon did not say how it stands, or showed an older state than it had shown before."""
    if answer.state is PermissionState.UNKNOWN:
        return True
    if seen is None or seen.last_updated is None or answer.last_updated is None:
        return False
    return answer.last_updated < seen.last_updated


def unreadable_because(answer: PermissionAnswer) -> str:
    """Why a reading told nothing, in a word."""
    return answer.refused or f"{answer.state.value} charge permission"


def why_closed(answer: PermissionAnswer) -> str:
    """Says in words that a charge permission is closed, with Amazon's reasons."""
    return f"the charge permission is closed ({', '.join(answer.reason_codes) or 'no reason given'})"


def _after_limit(answer: PermissionAnswer, amount: Money) -> AfterLimit:
    """Amazon raises limits, so what a charge permission says counts; where it says nothing, the month is waited for."""
    limit = answer.monthly_limit
    if limit is not None and is_above(amount, limit):
        why = f"{amount} is more than the charge permission allows in any calendar month, {limit}"
        return LeaveToMerchant(AMOUNT_ABOVE_LIMIT, why)
    return NextMonth(answer.monthly_balance)


def _after_no_news(answer: PermissionAnswer, awaits: Awaits, *, planned: bool) -> AfterPermission:
    if awaits is Awaits.UNPAID:
        return LookAgain()  # nothing else would
    if not planned:
        return Keep()
    if answer.state is PermissionState.UNKNOWN:
        return HoldPermission(unreadable_because(answer))
    return AwaitBuyer() if awaits is Awaits.BUYER else LookAgain()


def _after_chargeable(
    answer: PermissionAnswer,
    seen: PermissionAnswer | None,
    awaits: Awaits,
    meaning: Meaning | None,
    *,
    prompted: bool,
) -> AfterPermission:
    changed = seen is not None and (not seen.is_chargeable or seen.last_updated != answer.last_updated)
    if awaits is Awaits.FIRST_WORD and meaning is not Meaning.PAYMENT_METHOD:
        return Retry()
    if awaits is Awaits.RETRY:
        return ChargeAtOnce() if changed else Keep()
    if prompted or changed:
        return ChargeAtOnce()
    return Keep() if awaits is Awaits.UNPAID else AwaitBuyer()


def _after_non_chargeable(
    answer: PermissionAnswer, awaits: Awaits, meaning: Meaning | None, *, planned: bool
) -> AfterPermission:
    permissions = meaning_of_non_chargeable(answer.reason_codes)
    if permissions is Meaning.PAYMENT_METHOD:
        if awaits is Awaits.UNPAID:
            return Keep()
        return AwaitBuyer(answer.reason_codes[0] if meaning is not Meaning.PAYMENT_METHOD else None)
    if not planned or awaits is Awaits.UNPAID:
        return Keep()
    if awaits is Awaits.BUYER:
        return AwaitBuyer()
    if permissions is Meaning.PROCESSING:
        return LookAgain()
    return HoldPermission(", ".join(answer.reason_codes) or "no reason given")
