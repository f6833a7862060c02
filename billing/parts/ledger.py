"""How each period ended, in the subscription's own account: a window on the latest ones."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.recollection import RecalledCharge
from perennial_billing.billing.values import Value

LEDGER_LENGTH: Final = 24
"""Periods kept in the state; older ones are counted only, so that the state stays small for ever."""

MOST_RECALLED: Final = 120
"""Of older ones that are looked up again: ten years of months."""


class PeriodOutcome(StrEnum):
    """How a period ended."""

    PAID = "paid"
    AUTHORIZED = "authorized"
    """The buyer's bank agreed; the merchant has not captured it yet."""
    FREE = "free"
    WRITTEN_OFF = "written_off"
    """It was owed, and is not collected any more."""
    SKIPPED = "skipped"
    """Nothing was owed for it: it fell due while the subscription was paused, or as a policy says."""


CHARGED: Final = frozenset({PeriodOutcome.PAID, PeriodOutcome.AUTHORIZED})


class PeriodRecord(Value):
    """One period's end in the subscription's own account.

    Attributes:
        period: counted from 0.
        due: when it fell due (UTC).
        amount: what it cost; what was captured, where that was less.
        outcome: how it ended.
        attempts: how many were made to charge it.
        settled_at: when it ended (UTC).
        charge_id: Amazon's, of the charge that paid it.
        reason: why it ended so, where that needs a reason.
        refunded: how much has gone back since.
        credit: how much of its price a credit has paid; it is not in the amount.
        items: how much of the amount was for one-off items.
        until: when it would have ended (UTC), where a pause has moved that.
        cut_at: the planned end (UTC) that cut it short, so that only its days were charged.
        unused: what its last days were worth, where a change cut it short.
        credited: how much of that was credited; the rest had gone back already, or was going.
    """

    period: int
    due: AwareDatetime
    amount: Money
    outcome: PeriodOutcome
    attempts: int = 0
    settled_at: AwareDatetime
    charge_id: str | None = None
    reason: str | None = None
    refunded: Money | None = None
    credit: Money | None = None
    items: Money | None = None
    until: AwareDatetime | None = None
    cut_at: AwareDatetime | None = None
    unused: Money | None = None
    credited: Money | None = None

    @classmethod
    def recalled(cls, charge: RecalledCharge) -> Self:
        """That of a period which a charge has paid, as far as the ledger knows it."""
        return cls(
            period=charge.period,
            due=charge.due,
            amount=charge.amount,
            outcome=PeriodOutcome.PAID,
            attempts=charge.attempts,
            settled_at=charge.settled_at,
            charge_id=charge.charge_id,
            refunded=charge.refunded,
            credit=charge.credit,
            credited=charge.credited,
        )

    @property
    def paid(self) -> Money:
        """What was paid for the period itself: with money or with credit, one-off items apart."""
        gross = self.amount.plus(self.credit) if self.credit else self.amount
        return gross.less(self.items) if self.items else gross

    def with_refund(self, amount: Money) -> "PeriodRecord":
        """So much more has gone back."""
        return self.but(refunded=self.refunded.plus(amount) if self.refunded else amount)

    def with_more_refunded(self, other: "PeriodRecord") -> "PeriodRecord":
        """The same, as another account of it knows how much has gone back, where that is more."""
        if other.refunded is None or (self.refunded is not None and self.refunded.amount >= other.refunded.amount):
            return self
        return self.but(refunded=other.refunded)


class Ledger(Value):
    """The latest periods' records, and how many there were in all.

    Attributes:
        records: oldest first, at most `LEDGER_LENGTH`.
        next_period: the first period that has no record yet.
        joined_with: the first period that was charged here; those before were charged elsewhere.
        periods_paid: since the beginning.
        recalled: older records that were looked up again, as money of theirs was to go back; the latest of these.
    """

    records: tuple[PeriodRecord, ...] = ()
    next_period: int = 0
    joined_with: int = 0
    periods_paid: int = 0
    recalled: tuple[PeriodRecord, ...] = ()

    @property
    def known(self) -> tuple[PeriodRecord, ...]:
        """All records that are known, oldest first."""
        return (*sorted(self.recalled, key=lambda record: record.period), *self.records)

    def record(self, period: int) -> PeriodRecord | None:
        """A period's record, as far as the window reaches back, or it was looked up again."""
        return next((record for record in self.known if record.period == period), None)

    def of_charge(self, charge_id: str | None) -> PeriodRecord | None:
        """The record of the period that a charge was made for."""
        return next((record for record in self.known if record.charge_id == charge_id is not None), None)

    def recalling(self, records: Iterable[PeriodRecord]) -> "Ledger":
        """These were looked up again: of one that is known already, more may have gone back since."""
        windowed, again = {record.period for record in self.records}, {each.period: each for each in self.recalled}
        for record in records:
            if record.period not in windowed:
                before = again.pop(record.period, None)
                again[record.period] = before.with_more_refunded(record) if before else record
        return self.but(recalled=tuple(again.values())[-MOST_RECALLED:])

    def settled(self, records: Iterable[PeriodRecord]) -> "Ledger":
        """The next periods ended so."""
        ledger, paid = list(self.records), self.periods_paid
        for number, record in enumerate(records, start=self.next_period):
            if record.period != number:
                raise AssertionError(f"period {record.period} was settled although period {number} is next")
            ledger.append(record)
            paid += record.outcome is PeriodOutcome.PAID
        grown = self.next_period + len(ledger) - len(self.records)
        return self.but(records=tuple(ledger[-LEDGER_LENGTH:]), next_period=grown, periods_paid=paid)

    def amended(self, record: PeriodRecord) -> "Ledger":
        """A period that ended otherwise than it seemed, or of which money went back."""
        before = self.record(record.period)
        paid = (record.outcome is PeriodOutcome.PAID) - (before is not None and before.outcome is PeriodOutcome.PAID)

        def with_it(records: tuple[PeriodRecord, ...]) -> tuple[PeriodRecord, ...]:
            return tuple(record if each.period == record.period else each for each in records)

        paid_in_all = self.periods_paid + paid
        return self.but(records=with_it(self.records), recalled=with_it(self.recalled), periods_paid=paid_in_all)
