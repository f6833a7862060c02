"""Any subscription, any answers, in any order: its account and Amazon's books have to agree at every moment.

Whatever is drawn, nobody is charged twice for one period, no owed period is forgotten, and no rule is left without
an answer. What is met can be counted: `pytest --hypothesis-show-statistics`.
"""

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant

from perennial_billing.billing.agenda import main_command, next_command, only_looks_for_the_buyer
from perennial_billing.billing.changes import Capture, RetryNow
from perennial_billing.billing.dunning.reasons import Meaning
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.ledger import LEDGER_LENGTH, PeriodOutcome
from perennial_billing.billing.parts.stages import CheckingCharge, LeftToMerchant, Unpaid
from perennial_billing.billing.protocol.answers import ChargeOutcome, PermissionState, RefundState, SuccessorAnswer
from perennial_billing.billing.protocol.commands import AskAmount, Command, Elapse, StartSuccessor, Timer
from perennial_billing.billing.protocol.events import Answer, Answered, CancelAsked, Elapsed, Refresh, Thing
from perennial_billing.billing.status import Status
from tests.billing.amazon_in_memory import TAKEN
from tests.billing.driving import AUTHORIZED, CAPTURED, PENDING, Driven

pytestmark = pytest.mark.timeout(400)
"""Seconds. It takes a few, but where it fails, up to five minutes go into finding a short story that tells why."""

LONGEST_WAIT: Final = timedelta(days=32)
"""Amazon's next month is the longest that an open collection may have to wait for."""

LONGEST_CATCH_UP_SPACING: Final = timedelta(days=3)
LONGEST_WINDOW: Final = timedelta(hours=12)
"""Of the policies that are drawn."""

LONGEST_WAIT_FOR_A_CHECKOUT: Final = timedelta(days=21)
"""The policies' default."""

STEPS_TO_THE_END: Final = 60
"""More than a subscription that nothing hinders may need to settle what is owed, or to end."""


class AnySubscription(Driven):
    """What must hold at every moment, and in the end."""

    @invariant()
    def nobody_is_charged_twice_for_a_period(self) -> None:
        for period in range(self.subscription.next_period + 1):
            assert self.amazon.charges_of(period, CAPTURED, PENDING, AUTHORIZED) <= 1

    @invariant()
    def the_account_agrees_with_amazons_books(self) -> None:
        subscription = self.subscription
        for record in subscription.ledger.records:
            assert self.amazon.keys_of(record.period) == record.attempts
            if record.outcome is PeriodOutcome.PAID:
                assert self.amazon.charges_of(record.period, CAPTURED) == 1, record
            elif record.outcome is PeriodOutcome.AUTHORIZED:
                waiting = [each.record.period for each in subscription.authorizations]
                assert record.period in waiting, "what is authorized is waited for"
            elif "outcome unknown" not in (record.reason or ""):
                assert self.amazon.charges_of(record.period, CAPTURED, PENDING, AUTHORIZED) == 0, record
        settled = [record.outcome for record in subscription.ledger.records]
        if subscription.next_period <= LEDGER_LENGTH:
            assert subscription.ledger.periods_paid == settled.count(PeriodOutcome.PAID)

    @invariant()
    def what_went_back_is_in_the_account_and_never_more_than_was_paid(self) -> None:
        under_way = {each.charge_id for each in self.subscription.refunds.under_way}
        for record in self.subscription.ledger.records:
            back = self.amazon.given_back(record.charge_id, record.amount.currency)
            assert back.amount <= record.amount.amount
            if record.charge_id not in under_way:
                assert back == (record.refunded or back.less(back)), record

    @invariant()
    def every_period_has_its_one_record_until_the_ledger_is_long(self) -> None:
        subscription = self.subscription
        first, records = max(0, subscription.next_period - LEDGER_LENGTH), subscription.ledger.records
        assert [record.period for record in records] == list(range(first, subscription.next_period))
        assert all(record.due == subscription.schedule.due(record.period) for record in records)
        if subscription.collection is not None:
            assert subscription.collection.period == subscription.next_period

    @invariant()
    def nothing_is_charged_before_it_falls_due(self) -> None:
        for attempt in self.amazon.requests.values():
            assert self.subscription.schedule.due(attempt.period) <= self.now

    @invariant()
    def whoever_has_not_ended_and_is_not_paused_acts_again_in_good_time(self) -> None:
        subscription, command, now = self.subscription, main_command(self.subscription), self.now
        ending, refunds = subscription.lifecycle.ending, subscription.refunds
        awaited = subscription.authorizations or refunds.under_way or subscription.disputes.are_unheard
        waits = waits_for_somebody(subscription.collection) or (ending and awaited) or subscription.lifecycle.is_paused
        assert command is not None or subscription.has_ended or waits
        assert all(each.at <= now + timedelta(days=31) for each in subscription.authorizations)
        assert subscription.status.has_ended == subscription.has_ended
        if subscription.has_ended:
            assert (subscription.collection, next_command(subscription), subscription.authorizations) == (
                None,
                None,
                (),
            )
        elif subscription.status is Status.AWAITING_CHECKOUT:
            assert command is not None
            assert command.at <= now + LONGEST_WAIT_FOR_A_CHECKOUT
        elif command is not None and subscription.collection is not None:
            assert command.at <= now + LONGEST_WAIT
        elif command is not None:
            due = subscription.schedule.due(subscription.next_period)
            assert command.at <= max(due + LONGEST_WINDOW, now + LONGEST_CATCH_UP_SPACING)

    @invariant()
    def no_more_attempts_are_spent_than_the_policy_allows(self) -> None:
        collection, cap = self.subscription.collection, self.subscription.terms.plan.collection.max_attempts
        if collection is not None:
            spent = collection.dunning.attempts_spent if collection.dunning else 0
            is_new = collection.open_attempt is not None and not isinstance(collection.stage, CheckingCharge)
            assert spent + is_new <= cap
            if not collection.was_unpaid:
                assert self.amazon.keys_of(collection.period) <= cap + self.limited[collection.period]

    def teardown(self) -> None:
        """In the end all goes well: the buyer mends and pays, then the merchant cancels."""
        if not hasattr(self, "amazon"):
            return
        if self.subscription.lifecycle.is_paused:
            self.happens(Elapsed(Timer.RESUME))
        self.all_goes_well(mended=True)
        owed = self.subscription.collection
        assert owed is None or is_the_operators(owed), (
            "the buyer has mended everything, and what was owed is still owed"
        )
        self.happens(CancelAsked("Moved away"))
        self.all_goes_well(mended=False)
        assert self.subscription.has_ended
        self.check_invariants_once_more()

    def check_invariants_once_more(self) -> None:
        self.nobody_is_charged_twice_for_a_period()
        self.the_account_agrees_with_amazons_books()
        self.what_went_back_is_in_the_account_and_never_more_than_was_paid()
        self.every_period_has_its_one_record_until_the_ledger_is_long()
        self.whoever_has_not_ended_and_is_not_paused_acts_again_in_good_time()

    def all_goes_well(self, *, mended: bool) -> None:
        """Drives on without hindrance until nothing is owed, or, after a cancellation, until the end."""
        amazon = self.amazon
        amazon.saved = {key: known for key, known in amazon.saved.items() if known.outcome is not ChargeOutcome.REFUSED}
        amazon.disputes = {name: dispute.but(refused=None) for name, dispute in amazon.disputes.items()}
        if mended:
            amazon.change_permission(PermissionState.CHARGEABLE, (), self.now)
            self.happens(Refresh(Thing.PERMISSION))
        for _ in range(STEPS_TO_THE_END):
            if self.subscription.has_ended or (mended and self.subscription.collection is None):
                return
            for charge_id in amazon.pending:
                amazon.decide(charge_id, TAKEN, self.now)
            for refund in amazon.pending_refunds:
                amazon.decide_refund(refund, RefundState.REFUNDED)
            for waiting in self.subscription.authorizations:
                self.asks(Capture(period=waiting.record.period, amount=waiting.capture))
            command = next_command(self.subscription)
            if mended and (command is None or only_looks_for_the_buyer(self.subscription, command)):
                assert self.asks(RetryNow()), "whoever is told that it is unpaid or held tries once more"
            self.do_what_is_next()

    def do_what_is_next(self) -> None:
        command = next_command(self.subscription)
        if command is None:
            return
        if not command.at_once:
            self.now = max(self.now, command.at)
        if isinstance(command, Elapse):
            self.happens(Elapsed(command.timer))
        else:
            self.happens(Answered(command, self.answered_well(command)))

    def answered_well(self, command: Command) -> Answer:
        if isinstance(command, AskAmount):
            return command.at_most
        if isinstance(command, StartSuccessor):
            return SuccessorAnswer(started=False)
        return self.amazon.perform(command, self.now)


def waits_for_somebody(collection: Collection | None) -> bool:
    """Whether nothing happens by itself: until the buyer mends it, or the merchant decides."""
    return collection is not None and isinstance(collection.stage, Unpaid | LeftToMerchant)


def is_the_operators(collection: Collection) -> bool:
    """Whether it is held for somebody of the merchant's: Amazon repeats a decline to its key for ever."""
    failed_for = collection.failure.meaning if collection.failure else None
    return failed_for is Meaning.OPERATOR and collection.open_attempt is not None


TestAnySubscription = AnySubscription.TestCase
TestAnySubscription.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
