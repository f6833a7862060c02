"""Money that goes back to the buyer, for periods that were paid.

Amazon decides on a refund in its own time, so one is requested, awaited, and written into the account when it is done.
A refund that fails is told and never tried again by itself. None of this touches what is owed: a refunded period stays
paid, and is not collected again.

What Amazon tells of a refund that was not asked for here, as one in Seller Central, is read, told and counted as well.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final, Protocol, Self

from pydantic import AwareDatetime

from perennial_billing.billing.money import LARGEST, Money
from perennial_billing.billing.parts.ledger import Ledger, PeriodOutcome, PeriodRecord
from perennial_billing.billing.parts.stages import LOOK_AGAIN_AFTER
from perennial_billing.billing.protocol.answers import CLOCKS_MAY_DIFFER, RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import Command, CreateRefund, ReadRefund
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value

KEPT: Final = 24
"""Settled refunds kept in the state, like periods."""

MOST_KNOWN: Final = 150
"""Refunds that are settled, by their ids: Amazon tells of each more than once, and nothing is counted twice."""

MOST_SELDOM: Final = timedelta(days=7)
"""How seldom one is read that Amazon does not show: first after an hour, then after twice as long each time."""

MOST_READINGS: Final = 13
"""Readings in vain before one that was not asked for here is given up: within 38 days."""

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
        idempotency_key: str,
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
            idempotency_key=idempotency_key,
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


class ReportedRefund(Value):
    """One that Amazon tells of, and that is not known here: it was asked for in Seller Central, or by another program.

    Attributes:
        refund_id: Amazon's.
        look_at: when it is read (UTC).
        at_once: whether that follows from what just happened.
        in_vain: how often Amazon did not show it.
    """

    refund_id: str
    look_at: AwareDatetime
    at_once: bool = True
    in_vain: int = 0

    @property
    def next_command(self) -> Command:
        """It is read."""
        why = f"refund {self.refund_id} was not asked for here"
        return ReadRefund(refund_id=self.refund_id, at=self.look_at, at_once=self.at_once, why=why)

    def answered(self, answer: RefundAnswer, now: datetime) -> "ReportedRefund | None":
        """As it stands while Amazon has not decided; None once that is so, or Amazon has long not shown it."""
        if answer.state is not RefundState.PENDING:
            return None
        if answer.amount is not None:
            return self.but(look_at=now + LOOK_AGAIN_AFTER, at_once=False, in_vain=0)
        again = min(LOOK_AGAIN_AFTER * 2**self.in_vain, MOST_SELDOM)
        in_vain = self.in_vain + 1
        return None if in_vain >= MOST_READINGS else self.but(look_at=now + again, at_once=False, in_vain=in_vain)


class Refunds(Value):
    """The refunds of a subscription: all that are under way, and the latest that are settled.

    Attributes:
        latest: oldest first.
        asked: how many were asked for since the beginning; the last one's number.
        reported: such as were not asked for here, and are to be read.
        settled_ids: the latest that are settled, by Amazon's ids.
    """

    latest: tuple[Refund, ...] = ()
    asked: int = 0
    reported: tuple[ReportedRefund, ...] = ()
    settled_ids: tuple[str, ...] = ()

    @property
    def under_way(self) -> tuple[Refund, ...]:
        """Those that may still succeed."""
        return tuple(refund for refund in self.latest if refund.is_open)

    @property
    def commands(self) -> Iterator[Command]:
        """What is done next to each. What Amazon tells of may be what it has not answered yet, so that is first."""
        yield from (command for refund in self.latest if (command := refund.next_command) is not None)
        if not any(refund.state is RefundState.REQUESTED for refund in self.latest):
            yield from (each.next_command for each in self.reported)

    def numbered(self, number: int) -> Refund | None:
        """The refund with a number, as far as it is kept."""
        return next((refund for refund in self.latest if refund.number == number), None)

    def requested(self, refund: Refund) -> "Refunds":
        """One more."""
        settled = [each for each in self.latest if not each.is_open][-KEPT:]
        latest = sorted([*settled, *self.under_way, refund], key=lambda each: each.number)
        return self.but(latest=tuple(latest), asked=refund.number)

    def with_(self, refund: Refund) -> "Refunds":
        """One of them as it is now; what was reported of it was no other's."""
        latest = tuple(refund if each.number == refund.number else each for each in self.latest)
        reported = tuple(each for each in self.reported if each.refund_id != refund.refund_id)
        known = self.but(latest=latest, reported=reported)
        return known.counting(refund.refund_id) if refund.refund_id and not refund.is_open else known

    def counting(self, *refund_ids: str) -> "Refunds":
        """These are settled, and nothing that is reported of them is news."""
        ids = tuple(dict.fromkeys((*self.settled_ids, *refund_ids)))[-MOST_KNOWN:]
        reported = tuple(each for each in self.reported if each.refund_id not in refund_ids)
        return self.but(settled_ids=ids, reported=reported)

    def read(self, refund_id: str, answer: RefundAnswer, now: datetime) -> "Refunds":
        """One that was reported, as it was read."""
        before = next((each for each in self.reported if each.refund_id == refund_id), None)
        if answer.state is not RefundState.PENDING:
            return self.counting(refund_id)
        after = before.answered(answer, now) if before else None
        others = tuple(each for each in self.reported if each is not before)
        # One that is given up is not settled: it is read again where Amazon tells of it once more.
        return self.but(reported=others if after is None else (*others, after))

    def not_answered(self, number: int, now: datetime) -> "Refunds":
        """Amazon has not said whether it took the one with a number."""
        refund = self.numbered(number)
        return self.with_(refund.not_answered(now)) if refund is not None else self

    def reports(self, refund_id: str, now: datetime) -> "Refunds":
        """Somebody says that one has changed: it is read now, also where it was not asked for here."""
        if refund_id in self.settled_ids:
            return self
        if any(each.refund_id == refund_id for each in self.latest):
            read = (each.read_now(now) if each.refund_id == refund_id else each for each in self.latest)
            return self.but(latest=tuple(read))
        others = tuple(each for each in self.reported if each.refund_id != refund_id)
        return self.but(reported=(*others, ReportedRefund(refund_id=refund_id, look_at=now))[-KEPT:])

    def settled_only(self) -> "Refunds":
        """Without those under way."""
        return self.but(latest=tuple(each for each in self.latest if not each.is_open), reported=())


def news_of(refund: Refund) -> tuple[NoticeType, dict[str, Any]]:  # Any: the fields of a notice
    """What is told of a refund that is settled: the kind of notice and its fields."""
    about = {
        "period": refund.period,
        "amount": refund.amount,
        "charge_id": refund.charge_id,
        "refund_id": refund.refund_id,
        "reference": refund.reference,
    }
    if refund.state is RefundState.FAILED:
        return NoticeType.REFUND_FAILED, {**about, "reason_code": refund.reason_code}
    return NoticeType.REFUND_COMPLETED, about


def news_of_reported(
    refund_id: str, answer: RefundAnswer, record: PeriodRecord | None
) -> tuple[NoticeType, dict[str, Any]]:  # Any: as above
    """What is told of a refund that was not asked for here, and is settled.

    Args:
        refund_id: Amazon's.
        answer: as it was read.
        record: of the period whose charge it is about, as far as that is known.
    """
    about = {
        "period": record.period if record else None,
        "amount": answer.amount,
        "charge_id": answer.charge_id,
        "refund_id": refund_id,
        "reason": "it was not asked for here",
    }
    if answer.state is RefundState.FAILED:
        return NoticeType.REFUND_FAILED, {**about, "reason_code": answer.reason_code}
    return NoticeType.REFUND_COMPLETED, about


def paid_record(ledger: Ledger, period: int | None, charge_id: str | None) -> PeriodRecord:
    """The record of a period that was paid, by its number or by its charge.

    Raises:
        Refused: it is not known, or was not paid.
    """
    record = ledger.of_charge(charge_id) if period is None else ledger.record(period)
    field, value = ("charge_id", charge_id) if period is None else ("period", period)
    if record is None:
        known = ledger.known
        reach = f"the account goes from period {known[0].period} on" if known else "no period was settled yet"
        raise Refused(field, value, f"it is not in the account: {reach}")
    if record.outcome is not PeriodOutcome.PAID or record.charge_id is None:
        raise Refused(field, value, f"it was not paid, it is {record.outcome.value}: there is nothing to refund")
    return record


def check_amount(record: PeriodRecord, refunds: Sequence[Refund], amount: Money | None, *, goodwill: bool) -> Money:
    """How much goes back; all that is left of it where no amount is wanted.

    Args:
        record: of a paid period.
        refunds: those so far.
        amount: how much.
        goodwill: more than was paid may go back, as far as Amazon lets it.

    Raises:
        Refused: it is too much; says how much is left.
    """
    left = refundable(record, refunds, goodwill=goodwill)
    amount = amount or refundable(record, refunds, goodwill=False)
    if amount.currency != left.currency:
        raise Refused("amount", amount, f"it is in another currency than the charge, which was of {record.amount}")
    if amount.is_zero or amount.amount > left.amount:
        of = "with Amazon's allowance above what was paid" if goodwill else "of what was paid"
        raise Refused("amount", amount, f"more than zero and at most {left} is left {of}")
    return amount


class Going(Protocol):
    """Money that may be going back, as far as others count it."""

    @property
    def period(self) -> int:
        """Of which paid period."""

    @property
    def amount(self) -> Money:
        """How much."""

    @property
    def is_open(self) -> bool:
        """Whether it may still succeed."""


def refundable(record: PeriodRecord, refunds: Sequence[Going], *, goodwill: bool = False) -> Money:
    """How much of a paid period may still go back: what is under way counts as gone, and so does what was credited.

    A credit that was given for its unused days went back already; only goodwill gives it once more.
    """
    gone = record.refunded.amount if record.refunded else Decimal(0)
    left = min(_most(record, goodwill=goodwill), LARGEST) - gone - under_way(record, refunds).amount
    return Money(amount=max(left, Decimal(0)), currency=record.amount.currency)


def under_way(record: PeriodRecord, refunds: Sequence[Going]) -> Money:
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
