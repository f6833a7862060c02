"""A charge permission that was closed: a new one is awaited, and the subscription goes on under it with all it owes."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.authorizations import Authorization
from billing.changes import AddItem, Change, ChangePlan, PauseSubscription, PlanCancellation, SkipPeriod, When
from billing.collection import Action
from billing.notices import NoticeType
from billing.policy import CollectionPolicy
from billing.refunds import Wanted
from billing.status import Status
from billing.subscription import Subscription
from tests.billing.support import CAPTURED, PENDING, SOFT, Life, at, chargeable, closed, refused, terms

POLICY = CollectionPolicy(new_checkout_deadline=timedelta(days=10))
NEW = "C01-7654321-1234567"


def paid_and_closed() -> Life:
    """The first period is paid; then the buyer closes the permission."""
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.signal("2026-02-03 12:00", closed("BuyerClosed"))
    return life


def owed_and_closed() -> Life:
    """The first period was declined softly; then the buyer closes the permission."""
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.signal("2026-01-31 12:00", closed("BuyerClosed"))
    return life


def kinds(subscription: Subscription) -> list[NoticeType]:
    return [notice.type for notice in subscription.outbox]


@pytest.mark.parametrize("story", [paid_and_closed, owed_and_closed])
def test_a_closed_permission_is_told_at_once_with_the_deadline(story: Callable[[], Life]) -> None:
    life = story()

    subscription = life.subscription
    assert (subscription.status, subscription.last_reason) == (Status.AWAITING_CHECKOUT, "BuyerClosed")
    assert subscription.needs_attention
    assert subscription.outbox[-1].type is NoticeType.CHARGE_PERMISSION_CLOSED
    assert subscription.outbox[-1].deadline == life.now + timedelta(days=10)
    assert life.next == (Action.STOP_WAITING, life.now + timedelta(days=10))


def test_nobody_approving_a_new_one_in_time_ends_it_and_gives_up_what_was_owed() -> None:
    life = owed_and_closed()

    life.step(Action.STOP_WAITING, "2026-02-10 12:00")

    assert (life.subscription.status, life.book) == (Status.CLOSED, [(0, "given_up", 1)])
    assert life.subscription.last_reason == "BuyerClosed"
    assert kinds(life.subscription)[-2:] == [NoticeType.PERIOD_GIVEN_UP, NoticeType.SUBSCRIPTION_ENDED]


def test_while_a_new_one_is_awaited_no_reading_of_the_old_one_changes_anything() -> None:
    life = owed_and_closed()
    before = life.next

    life.signal("2026-02-01 09:00", closed("BuyerClosed"))
    life.signal("2026-02-02 09:00", chargeable("2026-01-01 00:00"))

    assert (life.subscription.status, life.next) == (Status.AWAITING_CHECKOUT, before)


def test_a_cancellation_ends_the_waiting() -> None:
    life = owed_and_closed()

    life.cancel("2026-02-01 09:00")

    assert life.book == [(0, "given_up", 1)]
    assert life.subscription.ending is not None
    assert life.subscription.ending.status is Status.CANCELED


def test_the_successor_keeps_anchor_period_account_and_debt_and_charges_what_is_owed_at_once() -> None:
    life = owed_and_closed()
    life.subscription.replacement_requested(NEW)
    assert life.subscription.hand_over_is_due

    successor = life.subscription.continued()

    assert successor.terms == life.subscription.terms.model_copy(update={"charge_permission_id": NEW})
    assert (successor.next_period, successor.ledger) == (0, [])
    assert successor.next_step is not None
    assert (successor.next_step.action, successor.next_step.at) == (Action.CHARGE, at("2026-01-31 09:00"))
    attempt = successor.begin_attempt(at("2026-02-04 09:00"))
    assert attempt is not None
    assert attempt.idempotency_key not in life.keys, "another permission, so another key"


def test_the_successor_of_a_paid_subscription_waits_for_its_next_due_date() -> None:
    life = paid_and_closed()
    life.subscription.replacement_requested(NEW)

    successor = life.subscription.continued()

    assert (successor.next_period, successor.periods_paid) == (1, 1)
    assert successor.ledger == life.subscription.ledger
    assert successor.next_step is not None
    assert successor.next_step.at == at("2026-02-28 09:00")


STAYS_BEHIND = {
    *("terms", "next_step", "collection", "collects_until", "decided", "undecided_since"),
    *("recurrence_untold", "permission", "look_requested", "lost_at", "lost_because", "successor"),
    *("cancellation", "ending", "ended_at", "notification_ids", "notices", "outbox"),
}
"""What is about the old charge permission, or begins anew under another."""


def test_everything_that_is_not_about_the_old_permission_goes_along() -> None:
    life = paid_and_closed()
    subscription, now = life.subscription, at("2026-02-03 12:00")
    subscription.lost_at = None  # what follows was agreed on before
    record, price = subscription.ledger[0], life.subscription.schedule.amount(0)
    changes: tuple[Change, ...] = (
        ChangePlan(quantity=2),
        SkipPeriod(),
        PauseSubscription(when=When.NEXT_PERIOD),
        PlanCancellation(at=at("2026-09-01 09:00")),
        AddItem(amount=price, what="gift", reference="order-7"),
        AddItem(amount=price, what="late parcel", credit=True),
    )
    for change in changes:
        change.apply(subscription, now)
    subscription.authorizations = [Authorization.of(record, "S01-1-1-C000001", life.keys[0])]
    subscription.ledger = [record.model_copy(update={"charge_id": "S01-1-1-C000001"})]
    subscription.refund_requested(Wanted(period=0), now)
    subscription.dispute_reported("D-1", now)
    subscription.joined_with = 1
    subscription.replacement_requested(NEW)
    before = subscription.model_dump(exclude=STAYS_BEHIND)
    assert all(before.values()), "each has something to lose"

    assert subscription.continued().model_dump(exclude=STAYS_BEHIND) == before


def test_the_predecessor_ends_as_replaced_and_the_numbers_of_the_notices_go_on() -> None:
    life = paid_and_closed()
    life.subscription.replacement_requested(NEW)
    successor = life.subscription.continued()

    life.subscription.was_handed_over(at("2026-02-04 09:00"))

    assert (life.subscription.status, life.subscription.successor) == (Status.REPLACED, NEW)
    assert kinds(life.subscription)[-2:] == [NoticeType.CHARGE_PERMISSION_REPLACED, NoticeType.SUBSCRIPTION_ENDED]
    assert successor.notices == life.subscription.notices


def test_a_permission_that_is_still_open_can_be_replaced_too_and_is_then_closed() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.subscription.replacement_requested(NEW)
    life.subscription.was_handed_over(at("2026-02-04 09:00"))

    assert life.next == (Action.CLOSE_PERMISSION, at("2026-02-04 09:00"))


@pytest.mark.parametrize("answer", [PENDING, refused("InvalidAccountStatus")])
def test_an_attempt_whose_outcome_is_not_known_is_awaited_before_anything_is_handed_over(answer: object) -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", answer)  # type: ignore[arg-type]
    life.subscription.replacement_requested(NEW)

    assert not life.subscription.hand_over_is_due


def test_what_cannot_go_on_refuses_another_permission() -> None:
    life = paid_and_closed()
    with pytest.raises(ValueError, match="has already"):
        life.subscription.replacement_requested(life.subscription.terms.charge_permission_id)
    life.subscription.replacement_requested(NEW)
    life.subscription.replacement_requested(NEW)
    with pytest.raises(ValueError, match=NEW):
        life.subscription.replacement_requested("C01-0000000-0000000")

    ended = paid_and_closed()
    ended.cancel("2026-02-04 09:00")
    with pytest.raises(ValueError, match="cannot go on"):
        ended.subscription.replacement_requested(NEW)


def test_a_successor_that_exists_already_leaves_everything_as_it_was() -> None:
    life = paid_and_closed()
    life.subscription.replacement_requested(NEW)

    life.subscription.replacement_refused()

    assert not life.subscription.hand_over_is_due
    assert life.subscription.status is Status.AWAITING_CHECKOUT
