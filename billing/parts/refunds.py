"""Money that goes back to the buyer, for periods that were paid.

Amazon decides on a refund in its own time, so one is requested, awaited, and written into the account when it is done.
A refund that fails is told and never tried again by itself. None of this touches what is owed: a refunded period stays
paid, and is not collected again.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Final, Self

from pydantic import AwareDatetime

from perennial_billing.billing.keys import refund_key
from perennial_billing.billing.money import LARGEST, Money
from perennial_billing.billing.parts.ledger import Ledger, PeriodOutcome, PeriodRecord
from perennial_billing.billing.parts.stages import LOOK_AGAIN_AFTER
from perennial_billing.billing.protocol.answers import CLOCKS_MAY_DIFFER, RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import Command, CreateRefund, ReadRefund
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value

KEPT: Final = 24
"""Settled refunds kept in the state, like periods."""

_ABOVE_SHARE: Final = Decimal("0.15")
_MOST_ABOVE: Final = {"USD": Decimal(75), "GBP": Decimal(75), "EUR": Decimal(75), "JPY": Decimal(8_400)}


EARLIER_REFUND: Final = "EarlierRefund"
"""Our own reason beside Amazon's codes: it answers with a refund that it took before this one was asked for."""


class Refund(Value):
    """One refund.

    Attributes:
        number: counted from 1 within the subscription.
        period: the paid period that it is of.
        charge_id: Amazon's, of its charge.
        amount: how much goes back.
        idempotency_key: the same for each repetition of this refund, and no other's.
        reference: the merchant's own name for it, by which asking again is recognised.
        state: how it stands.
        refund_id: Amazon's, once it was taken.
        requested_at: when the merchant asked for it (UTC).
        settled_at: when it was refunded or failed (UTC).
        reason_code: Amazon's, of a failure.
        soft_descriptor: what the buyer's statement shows of it.
        look_at: when it is asked for, or read (UTC); None once it is settled.
        at_once: whether that follows from what just happened.
        why: in words.
    """

    number: int
    period: int
    charge_id: str
    amount: Money
    idempotency_key: str
    reference: str | None = None
    state: RefundState = RefundState.REQUESTED
    refund_id: str | None = None
    requested_at: AwareDatetime
    settled_at: AwareDatetime | None = None
    reason_code: str | None = None
    soft_descriptor: str | None = None
    look_at: AwareDatetime | None = None
    at_once: bool = False
    why: str = ""

    @classmethod
    def of(
        cls,
        record: PeriodRecord,
        amount: Money,
        number: int,
        charge_permission_id: str,
        now: datetime,
        reference: str | None = None,
        soft_descriptor: str | None = None,
    ) -> Self:
        """A refund that the merchant asks for now."""
        if record.charge_id is None:
            raise AssertionError(f"period {record.period} was paid without a charge")
        return cls(
            number=number,
            period=record.period,
            charge_id=record.charge_id,
            amount=amount,
            idempotency_key=refund_key(charge_permission_id, number),
            reference=reference,
            soft_descriptor=soft_descriptor,
            requested_at=now,
            look_at=now,
            at_once=True,
            why=f"refund {amount} of period {record.period}",
        )

    @property
    def is_open(self) -> bool:
        """Whether it may still succeed."""
        return self.state in {RefundState.REQUESTED, RefundState.PENDING}

    @property
    def next_command(self) -> Command | None:
        """What is done next to it."""
        if self.look_at is None:
            return None
        if self.state is RefundState.REQUESTED:
            return CreateRefund(
                number=self.number,
                period=self.period,
                charge_id=self.charge_id,
                amount=self.amount,
                idempotency_key=self.idempotency_key,
                soft_descriptor=self.soft_descriptor,
                at=self.look_at,
                at_once=self.at_once,
                why=self.why,
            )
        refund_id = self.refund_id or ""
        return ReadRefund(number=self.number, refund_id=refund_id, at=self.look_at, at_once=self.at_once, why=self.why)

    def answered(self, answer: RefundAnswer, now: datetime) -> "Refund":
        """The refund after an answer to asking for it, or to reading it.

        Where Amazon took it before it was asked for, that is the saved answer to an older life's key (see
        `Collection.is_of_before`): nothing goes back now.
        """
        if answer.created_at is not None and answer.created_at < self.requested_at - CLOCKS_MAY_DIFFER:
            answer = answer.but(state=RefundState.FAILED, reason_code=EARLIER_REFUND)
        known = self.but(state=answer.state, refund_id=answer.refund_id or self.refund_id, at_once=False)
        if answer.state is RefundState.PENDING:
            why = f"refund {self.amount} of period {self.period}: Amazon has not decided yet"
            return known.but(look_at=now + LOOK_AGAIN_AFTER, why=why)
        return known.but(reason_code=answer.reason_code, settled_at=now, look_at=None)

    def not_answered(self, now: datetime) -> "Refund":
        """Amazon has not said whether it took it: it is asked again later, under the same key."""
        why = f"refund {self.amount} of period {self.period}: whether Amazon has taken it is not known"
        return self.but(look_at=now + LOOK_AGAIN_AFTER, at_once=False, why=why)

    def read_now(self, now: datetime) -> "Refund":
        """It is read now instead of later, where there is something to read."""
        if self.state is not RefundState.PENDING:
            return self
        return self.but(look_at=now, at_once=True, why="a notification about the refund")


class Refunds(Value):
    """The refunds of a subscription: all that are under way, and the latest that are settled.

    Attributes:
        latest: oldest first.
        asked: how many were asked for since the beginning; the last one's number.
    """

    latest: tuple[Refund, ...] = ()
    asked: int = 0

    @property
    def under_way(self) -> tuple[Refund, ...]:
        """Those that may still succeed."""
        return tuple(refund for refund in self.latest if refund.is_open)

    def numbered(self, number: int) -> Refund | None:
        """The refund with a number, as far as it is kept."""
        return next((refund for refund in self.latest if refund.number == number), None)

    def requested(self, refund: Refund) -> "Refunds":
        """One more."""
        settled = [each for each in self.latest if not each.is_open][-KEPT:]
        latest = sorted([*settled, *self.under_way, refund], key=lambda each: each.number)
        return Refunds(latest=tuple(latest), asked=refund.number)

    def with_(self, refund: Refund) -> "Refunds":
        """One of them as it is now."""
        return self.but(latest=tuple(refund if each.number == refund.number else each for each in self.latest))

    def not_answered(self, number: int, now: datetime) -> "Refunds":
        """Amazon has not said whether it took the one with a number."""
        refund = self.numbered(number)
        return self.with_(refund.not_answered(now)) if refund is not None else self

    def read_now(self, refund_id: str, now: datetime) -> "Refunds":
        """Somebody says that one has changed: it is read now."""
        return self.but(
            latest=tuple(each.read_now(now) if each.refund_id == refund_id else each for each in self.latest)
        )

    def settled_only(self) -> "Refunds":
        """Without those under way."""
        return self.but(latest=tuple(each for each in self.latest if not each.is_open))


def check_refund(
    ledger: Ledger, refunds: Sequence[Refund], period: int, amount: Money | None, *, goodwill: bool
) -> tuple[PeriodRecord, Money]:
    """The period's record and the amount, all that is left of it where none is wanted.

    Args:
        ledger: the periods' records.
        refunds: those so far.
        period: which paid period.
        amount: how much.
        goodwill: more than was paid may go back, as far as Amazon lets it.

    Raises:
        Refused: the period was not paid, or it is too much; says how much is left.
    """
    record = ledger.record(period)
    if record is None:
        oldest = ledger.records[0].period if ledger.records else None
        known = "no period was settled yet" if oldest is None else f"the account goes from period {oldest} on"
        raise Refused("period", period, f"it is not in the account: {known}")
    if record.outcome is not PeriodOutcome.PAID or record.charge_id is None:
        raise Refused("period", period, f"it was not paid, it is {record.outcome.value}: there is nothing to refund")
    left = refundable(record, refunds, goodwill=goodwill)
    amount = amount or refundable(record, refunds, goodwill=False)
    if amount.currency != left.currency:
        raise Refused("amount", amount, f"it is in another currency than the charge, which was of {record.amount}")
    if amount.is_zero or amount.amount > left.amount:
        of = "with Amazon's allowance above what was paid" if goodwill else "of what was paid"
        raise Refused("amount", amount, f"more than zero and at most {left} is left {of}")
    return record, amount


def refundable(record: PeriodRecord, refunds: Sequence[Refund], *, goodwill: bool = False) -> Money:
    """How much of a paid period may still go back: what is under way counts as gone, and so does what was credited.

    A credit that was given for its unused days went back already; only goodwill gives it once more.
    """
    gone = record.refunded.amount if record.refunded else Decimal(0)
    left = min(_most(record, goodwill=goodwill), LARGEST) - gone - under_way(record, refunds).amount
    return Money(amount=max(left, Decimal(0)), currency=record.amount.currency)


def under_way(record: PeriodRecord, refunds: Sequence[Refund]) -> Money:
    """How much of a period is going back at the moment."""
    total = Money.zero(record.amount.currency)
    for refund in refunds:
        if refund.is_open and refund.period == record.period:
            total = total.plus(refund.amount)
    return total


def credit_due(record: PeriodRecord, refunds: Sequence[Refund]) -> Money:
    """What a credit owes the buyer for the unused days of a period; a refund, also one under way, is taken for them."""
    if record.unused is None:
        return Money.zero(record.amount.currency)
    left = record.unused.less(record.refunded) if record.refunded else record.unused
    return left.less(under_way(record, refunds))


def _most(record: PeriodRecord, *, goodwill: bool) -> Decimal:
    if goodwill:
        return record.amount.amount + _allowance(record.amount)
    paid = record.amount.plus(record.credit) if record.credit else record.amount
    return min(record.amount.amount, (paid.less(record.credited) if record.credited else paid).amount)


def _allowance(captured: Money) -> Decimal:
    """How much above a charge Amazon lets go back: 15 % or 75 USD, GBP or EUR or 8,400 JPY, whichever is less.

    Source: Amazon Pay API v2, "create refund". It names no other currency.
    """
    most = _MOST_ABOVE.get(captured.currency, Decimal(0))
    decimals = captured.amount.as_tuple().exponent
    return min(most, (captured.amount * _ABOVE_SHARE).quantize(Decimal(1).scaleb(int(decimals)), ROUND_DOWN))
