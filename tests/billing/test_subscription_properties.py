"""Any subscription, any answers, in any order: its account and Amazon's books have to agree at every moment.

Whatever is drawn, nobody is charged twice for one period, no owed period is forgotten, and no rule is left without
an answer.
"""

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant

from billing.answers import ChargeAnswer, ChargeOutcome, PermissionState
from billing.collection import Action, Collection, Stage, Step, waits_for_merchant
from billing.declines import Meaning
from billing.forward import BY_THEMSELVES
from billing.ledger import LEDGER_LENGTH, PeriodOutcome
from billing.status import Status
from tests.billing.driving import AUTHORIZED, CAPTURED, PENDING, Driven

pytestmark = pytest.mark.timeout(400)
"""Seconds. It takes a few, but where it fails, up to five minutes go into finding a short story that tells why."""

LONGEST_WAIT: Final = timedelta(days=32)
"""Amazon's next month is the longest that an open collection may have to wait for."""

LONGEST_CATCH_UP_SPACING: Final = timedelta(days=3)
"""Of the policies that are drawn."""

LONGEST_WAIT_FOR_A_CHECKOUT: Final = timedelta(days=21)
"""The policies' default."""

STEPS_TO_THE_END: Final = 60
"""More than a subscription that nothing hinders may need to settle what is owed, or to end."""


TAKEN: Final = ChargeAnswer(outcome=CAPTURED)


class AnySubscription(Driven):
    """What must hold at every moment, and in the end."""

    @invariant()
    def nobody_is_charged_twice_for_a_period(self) -> None:
        for period in range(self.subscription.next_period + 1):
            assert self.amazon.charges_of(period, CAPTURED, PENDING, AUTHORIZED) <= 1

    @invariant()
    def the_account_agrees_with_amazons_books(self) -> None:
        for record in self.subscription.ledger:
            assert self.amazon.keys_of(record.period) == record.attempts
            if record.outcome is PeriodOutcome.PAID:
                assert self.amazon.charges_of(record.period, CAPTURED) == 1, record
            elif record.outcome is PeriodOutcome.AUTHORIZED:
                waiting = [each.record.period for each in self.subscription.authorizations]
                assert record.period in waiting, "what is authorized is waited for"
            elif "outcome unknown" not in (record.reason or ""):
                assert self.amazon.charges_of(record.period, CAPTURED, PENDING, AUTHORIZED) == 0, record
        settled = [record.outcome for record in self.subscription.ledger]
        if self.subscription.next_period <= LEDGER_LENGTH:
            assert self.subscription.periods_paid == settled.count(PeriodOutcome.PAID)

    @invariant()
    def every_period_has_its_one_record_until_the_ledger_is_long(self) -> None:
        subscription = self.subscription
        first = max(0, subscription.next_period - LEDGER_LENGTH)
        assert [record.period for record in subscription.ledger] == list(range(first, subscription.next_period))
        assert all(record.due == subscription.schedule.due(record.period) for record in subscription.ledger)
        if subscription.collection is not None:
            assert subscription.collection.period == subscription.next_period

    @invariant()
    def nothing_is_charged_before_it_falls_due(self) -> None:
        for attempt in self.amazon.requests.values():
            assert self.subscription.schedule.due(attempt.period) <= self.now

    @invariant()
    def whoever_has_not_ended_and_is_not_paused_acts_again_in_good_time(self) -> None:
        subscription, step, now = self.subscription, self.subscription.next_step, self.now
        waits = waits_for_somebody(subscription.collection) or (
            (subscription.ending is not None and subscription.authorizations) or subscription.is_paused
        )
        assert step is not None or subscription.has_ended or waits
        assert all(each.step.at <= now + timedelta(days=31) for each in subscription.authorizations)
        assert subscription.status.has_ended == subscription.has_ended
        if subscription.has_ended:
            assert (subscription.collection, step, subscription.authorizations) == (None, None, [])
        elif subscription.status is Status.AWAITING_CHECKOUT:
            assert step is not None
            assert step.at <= now + LONGEST_WAIT_FOR_A_CHECKOUT
        elif step is not None and subscription.collection is not None:
            assert step.at <= now + LONGEST_WAIT
        elif step is not None:
            due = subscription.schedule.due(subscription.next_period)
            assert step.at <= max(due, now + LONGEST_CATCH_UP_SPACING)

    @invariant()
    def no_more_attempts_are_spent_than_the_policy_allows(self) -> None:
        collection, cap = self.subscription.collection, self.subscription.terms.plan.collection.max_attempts
        if collection is not None:
            assert collection.attempts_spent + collection.attempt_is_open <= cap
            if not collection.was_paused:
                assert self.amazon.keys_of(collection.period) <= cap + self.limited[collection.period]

    def teardown(self) -> None:
        """In the end all goes well: the buyer mends and pays, then the merchant cancels."""
        if not hasattr(self, "amazon"):
            return
        if self.subscription.is_paused:
            self.subscription.resume(self.now)
        self.all_goes_well(mended=True)
        owed = self.subscription.collection
        assert owed is None or is_the_operators(owed), (
            "the buyer has mended everything, and what was owed is still owed"
        )
        self.subscription.cancel_requested("Moved away")
        self.all_goes_well(mended=False)
        assert self.subscription.has_ended
        self.check_invariants_once_more()

    def check_invariants_once_more(self) -> None:
        self.nobody_is_charged_twice_for_a_period()
        self.the_account_agrees_with_amazons_books()
        self.every_period_has_its_one_record_until_the_ledger_is_long()
        self.whoever_has_not_ended_and_is_not_paused_acts_again_in_good_time()

    def all_goes_well(self, *, mended: bool) -> None:
        """Drives on without hindrance until nothing is owed, or, after a cancellation, until the end."""
        subscription, amazon = self.subscription, self.amazon
        amazon.saved = {key: known for key, known in amazon.saved.items() if known.outcome is not ChargeOutcome.REFUSED}
        if mended:
            amazon.change_permission(PermissionState.CHARGEABLE, (), self.now)
            subscription.permission_may_have_changed()
        for _ in range(STEPS_TO_THE_END):
            if subscription.has_ended or (mended and subscription.collection is None):
                return
            for charge_id in amazon.pending:
                amazon.decide(charge_id, TAKEN)
            for waiting in subscription.authorizations:
                subscription.capture_requested(waiting.record.period, waiting.capture, self.now)
            if subscription.next_to_do is None and mended:
                subscription.retry_requested(self.now)  # whoever is told of the pause or the hold tries once more
            self.do_what_is_next()

    def do_what_is_next(self) -> None:
        subscription, step = self.subscription, self.subscription.next_to_do
        if step is not None and not (subscription.cancellation_is_due or subscription.look_requested):
            self.now = max(self.now, step.at)
        if subscription.cancellation_is_due:
            subscription.begin_cancellation(self.now)
        elif step is not None and step.at <= self.now:
            self.perform_well(step)
        elif subscription.look_requested:
            subscription.permission_answered(self.amazon.permission, self.now)

    def perform_well(self, step: Step) -> None:
        subscription, now = self.subscription, self.now
        if step.action in BY_THEMSELVES:
            BY_THEMSELVES[step.action](subscription, now)
            return
        match step.action:
            case Action.CANCEL:
                subscription.end_as_planned()
            case Action.CHARGE | Action.REPEAT_CHARGE | Action.CAPTURE | Action.READ_CHARGE:
                self.collect_well(step.action)
            case Action.CAPTURE_AUTHORIZED | Action.READ_AUTHORIZED:
                self.settle_well(step)
            case Action.READ_PERMISSION:
                subscription.permission_answered(self.amazon.permission, now)
            case _:
                if subscription.cancels_pending_charges:
                    self.amazon.cancel_pending()
                self.amazon.change_permission(PermissionState.CLOSED, ("MerchantClosed",), now)
                subscription.permission_closed(self.amazon.permission, now)

    def collect_well(self, action: Action) -> None:
        subscription, amazon, now = self.subscription, self.amazon, self.now
        if action is Action.CHARGE and subscription.begin_attempt(now) is None:
            return
        if action is Action.CAPTURE:
            charge_id, key = subscription.pending_charge_id, subscription.pending_capture_key
            amount = subscription.open_attempt().amount
            subscription.capture_answered(amazon.capture(charge_id, key, amount, TAKEN), now)
        elif action is Action.READ_CHARGE:
            subscription.charge_answered(amazon.read_charge(subscription.pending_charge_id), now)
        else:
            subscription.charge_answered(amazon.create_charge(subscription.open_attempt(), TAKEN, now), now)

    def settle_well(self, step: Step) -> None:
        waiting, now = self.subscription.authorization(step.charge_id), self.now
        if step.action is Action.CAPTURE_AUTHORIZED:
            amount = waiting.capture or waiting.record.amount
            answer = self.amazon.capture(waiting.charge_id, waiting.capture_key, amount, TAKEN)
        else:
            if now >= waiting.expires_at:
                self.amazon.expire(waiting.charge_id)
            answer = self.amazon.read_charge(waiting.charge_id)
        self.subscription.authorization_answered(step, answer, now)


def waits_for_somebody(collection: Collection | None) -> bool:
    """Whether nothing happens by itself: until the buyer mends it, or the merchant decides."""
    return collection is not None and (collection.stage is Stage.PAUSED or waits_for_merchant(collection))


def is_the_operators(collection: Collection) -> bool:
    """Whether it is held for somebody of the merchant's: Amazon repeats a decline to its key for ever."""
    return collection.meaning is Meaning.OPERATOR and collection.attempt_is_open


TestAnySubscription = AnySubscription.TestCase
TestAnySubscription.settings = settings(deadline=None, max_examples=200, stateful_step_count=40)
