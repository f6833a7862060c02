"""Money that goes back to the buyer, for periods that were paid.

Amazon decides on a refund in its own time, so one is requested, awaited, and written into the account when it is done.
A refund that fails is told and never tried again by itself. None of this touches what is owed: a refunded period stays
paid, and is not collected again.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from billing.collection import LOOK_AGAIN_AFTER, Action, Step
from billing.identity import Reference, refund_key
from billing.ledger import PeriodOutcome, PeriodRecord
from billing.money import Money

KEPT: Final = 24
"""Settled refunds kept in the state, like periods."""

_ABOVE_SHARE: Final = Decimal("0.15")
_MOST_ABOVE: Final = {"USD": Decimal(75), "GBP": Decimal(75), "EUR": Decimal(75), "JPY": Decimal(8_400)}


class RefundState(StrEnum):
    """How a refund stands."""

    REQUESTED = "requested"
    """Amazon has not answered yet; whether it has taken it is not known before it does."""
    PENDING = "pending"
    REFUNDED = "refunded"
    FAILED = "failed"


class RefundAnswer(BaseModel):
    """What Amazon said of a refund.

    Attributes:
        state: `failed` where it was declined, or not taken at all.
        refund_id: Amazon's; None where it was not taken.
        reason_code: Amazon's reasonCode of a failure; an open set.
    """

    model_config = ConfigDict(frozen=True)

    state: RefundState
    refund_id: str | None = None
    reason_code: str | None = None


class Refund(BaseModel):
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
        step: what happens next to it; None once it is settled.
    """

    model_config = ConfigDict(frozen=True)

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
    step: Step | None

    @classmethod
    def of(
        cls,
        record: PeriodRecord,
        amount: Money,
        number: int,
        charge_permission_id: str,
        now: datetime,
        reference: str | None = None,
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
            requested_at=now,
            step=_step(Action.REFUND, now, f"refund {amount} of period {record.period}", number),
        )

    @property
    def is_open(self) -> bool:
        """Whether it may still succeed."""
        return self.state in {RefundState.REQUESTED, RefundState.PENDING}

    def answered(self, answer: RefundAnswer, now: datetime) -> Self:
        """The refund after an answer to asking for it, or to reading it."""
        if answer.state is RefundState.PENDING:
            why = f"refund {self.amount} of period {self.period}: Amazon has not decided yet"
            step = _step(Action.READ_REFUND, now + LOOK_AGAIN_AFTER, why, self.number)
            return self.model_copy(
                update={"state": answer.state, "refund_id": answer.refund_id or self.refund_id, "step": step}
            )
        return self.model_copy(
            update={
                "state": answer.state,
                "refund_id": answer.refund_id or self.refund_id,
                "reason_code": answer.reason_code,
                "settled_at": now,
                "step": None,
            }
        )

    def looked_at(self, now: datetime) -> Self:
        """It is read now instead of later, where there is something to read."""
        if self.state is not RefundState.PENDING:
            return self
        why = "a notification about the refund"
        return self.model_copy(update={"step": _step(Action.READ_REFUND, now, why, self.number)})


def _step(action: Action, at: datetime, why: str, number: int) -> Step:
    return Step(action=action, at=at, why=why, refund=number)


class Wanted(BaseModel):
    """A refund that the merchant wants: all that is left of a paid period where no amount is given.

    Attributes:
        period: counted from 0.
        amount: how much.
        goodwill: more than was paid may go back, as far as Amazon lets it.
        reference: the merchant's own name for it: asking again with the same one is asking for the same refund.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    period: Annotated[int, Field(ge=0)]
    amount: Money | None = None
    goodwill: bool = False
    reference: Reference | None = None


def asked_before(refunds: Sequence[Refund], wanted: Wanted) -> Refund | None:
    """The refund that was asked for by the same reference.

    Raises:
        ValueError: it was another one.
    """
    for refund in refunds:
        if wanted.reference is not None and refund.reference == wanted.reference:
            if refund.period != wanted.period or wanted.amount not in {None, refund.amount}:
                raise ValueError(
                    f"reference: {wanted.reference!r} is that of another refund, {refund.amount} of period "
                    f"{refund.period}; give each refund a reference of its own"
                )
            return refund
    return None


def check_refund(
    ledger: Sequence[PeriodRecord], refunds: Sequence[Refund], wanted: Wanted
) -> tuple[PeriodRecord, Money]:
    """The period's record and the amount, all that is left of it where none is wanted.

    Args:
        ledger: the periods' records.
        refunds: those so far.
        wanted: which one, and how much.

    Raises:
        ValueError: the period was not paid, or it is too much; says how much is left.
    """
    period, goodwill = wanted.period, wanted.goodwill
    record = next((record for record in ledger if record.period == period), None)
    if record is None:
        oldest = ledger[0].period if ledger else None
        known = "no period was settled yet" if oldest is None else f"the account goes from period {oldest} on"
        raise ValueError(f"period: {period} is not in the account; {known}")
    if record.outcome is not PeriodOutcome.PAID or record.charge_id is None:
        raise ValueError(f"period: {period} was not paid, it is {record.outcome.value}; there is nothing to refund")
    left = refundable(record, refunds, goodwill=goodwill)
    amount = wanted.amount or refundable(record, refunds, goodwill=False)
    if amount.currency != left.currency:
        raise ValueError(f"amount: {amount} is in another currency than the charge, which was of {record.amount}")
    if amount.is_zero or amount.amount > left.amount:
        of = "with Amazon's allowance above what was paid" if goodwill else "of what was paid"
        raise ValueError(f"amount: {amount} is not accepted; more than zero and at most {left} is left {of}")
    return record, amount


def refundable(record: PeriodRecord, refunds: Sequence[Refund], *, goodwill: bool = False) -> Money:
    """How much of a paid period may still go back; what is under way counts as gone."""
    currency = record.amount.currency
    most = record.amount.amount + (_allowance(record.amount) if goodwill else 0)
    gone = record.refunded.amount if record.refunded else Decimal(0)
    under_way = sum(refund.amount.amount for refund in refunds if refund.is_open and refund.period == record.period)
    return Money(amount=max(most - gone - under_way, Decimal(0)), currency=currency)


def _allowance(captured: Money) -> Decimal:
    """How much above a charge Amazon lets go back: 15 % or 75 USD, GBP or EUR or 8,400 JPY, whichever is less.

    Source: Amazon Pay API v2, "create refund". It names no other currency.
    """
    most = _MOST_ABOVE.get(captured.currency, Decimal(0))
    decimals = captured.amount.as_tuple().exponent
    return min(most, (captured.amount * _ABOVE_SHARE).quantize(Decimal(1).scaleb(int(decimals)), ROUND_DOWN))


def refunded(record: PeriodRecord, refund: Refund) -> PeriodRecord:
    """The period's record with what has gone back."""
    before = record.refunded.amount if record.refunded else Decimal(0)
    total = Money(amount=before + refund.amount.amount, currency=refund.amount.currency)
    return record.model_copy(update={"refunded": total})
