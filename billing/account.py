"""What is written down and told: the periods' records, the notices, the credit; and which period is waited for next."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from billing.collection import (
    Action,
    Collection,
    Step,
)
from billing.ledger import LEDGER_LENGTH, PeriodOutcome, PeriodRecord
from billing.money import Money
from billing.notices import Notice, NoticeType
from billing.state import State
from billing.status import Ending, Status

LONGEST_OUTBOX: Final = 100
"""Notices kept while they cannot be handed on; a subscription that waits so long does nothing else any more."""

SKIPPED_ON_REQUEST: Final = "paused or skipped on request"


class Bill(NamedTuple):
    """What the next period comes to.

    Attributes:
        amount: to be charged.
        credit: what a credit pays of it, beside the amount.
        extras: what of the amount is charged once.
    """

    amount: Money
    credit: Money | None
    extras: Money | None


class Account(State):
    """The state, and what is written into it and told of it."""

    def start_telling(self, now: datetime) -> None:
        """The workflow runs: the merchant is told so, once."""
        if self.notices == 0:
            self._tell(NoticeType.SUBSCRIPTION_STARTED, now, amount=self.schedule.amount(self.next_period))

    def were_handed_on(self, notices: Sequence[Notice]) -> None:
        """These notices are on their way; what came meanwhile stays."""
        handed_on = {notice.number for notice in notices}
        self.outbox = [notice for notice in self.outbox if notice.number not in handed_on]

    def add_credit(self, amount: Money) -> None:
        """So much is taken off the next charges."""
        before = self.credit.amount if self.credit else Decimal(0)
        self.credit = self._money(before + amount.amount) if before + amount.amount else None

    def _bill(self) -> Bill:
        """What the next period costs, with what is charged once, and less what is credited."""
        number = self.next_period
        price = self.schedule.amount(number)
        if self.decided is not None and self.decided.period == number:
            price = self.decided.amount
        extras = sum((extra.amount.amount for extra in self.extras), Decimal(0))
        credit = min(self.credit.amount if self.credit else Decimal(0), price.amount + extras)
        return Bill(
            self._money(price.amount + extras - credit),
            self._money(credit) if credit else None,
            self._money(extras) if extras else None,
        )

    def reschedule(self) -> None:
        """The schedule has changed: what is waited for is reckoned anew, unless a period is being collected."""
        if self.collection is None and self.lost_at is None and self._may_be_canceled:
            if self.ending is not None:
                self.ending = None
            self._wait_for_next_period()

    def _wait_for_next_period(self, charged_at: datetime | None = None) -> None:
        """Waits for the next due date, or, where that has passed and a charge was just made, for a while."""
        number = self.next_period
        due = self._fell_due(number)
        if self.schedule.has_period(number):
            if self.is_paused_over(number):
                self.next_step = None
                return
            amount = self._bill().amount
            self.next_step = Step(action=Action.CHARGE, at=due, why=f"period {number} falls due: {amount}")
            if charged_at is not None and due < charged_at:
                spacing = min(self.plan.collection.catch_up_spacing, (self._fell_due(number + 1) - due) / 2)
                at, why = charged_at + spacing, f"period {number} fell due on {due:%Y-%m-%d} and is caught up: {amount}"
                self.next_step = Step(action=Action.CHARGE, at=at, why=why)
        else:
            self.ending = Ending(status=Status.COMPLETED, at=due, reason=f"all {number} periods of the plan are over")
            self.next_step = Step(action=Action.CLOSE_PERMISSION, at=due, why=self.ending.reason)

    def _skip_as_asked(self, now: datetime) -> None:
        number = self.next_period
        skipped = self._skip_periods(number + 1, SKIPPED_ON_REQUEST, now)
        self.skips = [period for period in self.skips if period > number]
        self._wait_for_next_period()
        self._tell_of_skipped(skipped, now)

    def _record(self, record: PeriodRecord) -> None:
        if record.period != self.next_period:
            raise AssertionError(f"period {record.period} was settled although period {self.next_period} is next")
        self.ledger = [*self.ledger, record][-LEDGER_LENGTH:]
        self.next_period += 1

    def _pass_over(self, until: int, outcome: PeriodOutcome, reason: str, now: datetime) -> list[PeriodRecord]:
        passed_over = [
            PeriodRecord(
                period=period,
                due=self._fell_due(period),
                amount=self.schedule.amount(period),
                outcome=outcome,
                attempts=0,
                settled_at=now,
                reason=reason,
            )
            for period in range(self.next_period, until)
        ]
        for record in passed_over:
            self._record(record)
        return passed_over

    def _skip_periods(self, until: int, reason: str, now: datetime) -> list[PeriodRecord]:
        """The periods up to but not including `until` are not owed."""
        return self._pass_over(until, PeriodOutcome.SKIPPED, reason, now)

    def _tell_of_skipped(self, skipped: Sequence[PeriodRecord], now: datetime) -> None:
        for record in skipped:
            about = {"period": record.period, "due": record.due, "amount": record.amount}
            self._tell(NoticeType.PERIOD_SKIPPED, now, **about, reason=record.reason)

    def _tell(self, kind: NoticeType, now: datetime, **fields: Any) -> None:  # Any: the fields of a notice
        """Puts a notice into the outbox, with what happens next."""
        self.notices += 1
        next_action_at = self.next_step.at if self.next_step else None
        notice = Notice(number=self.notices, type=kind, at=now, next_action_at=next_action_at, **fields)
        self.outbox = [*self.outbox, notice][-LONGEST_OUTBOX:]


def about_collection(collection: Collection) -> dict[str, Any]:  # Any: fields of a notice
    """What a notice about a collection names."""
    return {
        "period": collection.period,
        "due": collection.due,
        "amount": collection.amount,
        "attempt": collection.attempts or None,
    }


def about_record(record: PeriodRecord) -> dict[str, Any]:  # Any: as above
    """What a notice about a settled period names."""
    return {
        "period": record.period,
        "due": record.due,
        "amount": record.amount,
        "attempt": record.attempts or None,
        "charge_id": record.charge_id,
    }
