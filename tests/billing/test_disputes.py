"""Disputed charges: written down as Amazon shows them, told once for each change, and no guess about the money."""

import pytest

from billing.changes import PauseSubscription, When
from billing.collection import Action
from billing.disputes import KEPT, DisputeAnswer
from billing.money import Money
from billing.policy import CollectionPolicy, OnDispute
from billing.status import Status
from tests.billing.support import CAPTURED, Life, at, closed, terms

ID = "S01-1-1-B000001"
OPENED = DisputeAnswer(
    charge_id="S01-1-1-C000001",
    amount=Money.parse("9.99 EUR"),
    state="ActionRequired",
    reason_code="MerchantResponseRequired",
    deadline=at("2026-02-20 09:00"),
)
WON = OPENED.model_copy(
    update={"state": "Resolved", "resolution": "MerchantWon", "reason_code": "InvestigatorResolved"}
)


def paid(on_dispute: OnDispute = OnDispute.CONTINUE) -> Life:
    life = Life(terms("2026-01-31 09:00", policy=CollectionPolicy(on_dispute=on_dispute)))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    return life


def read(life: Life, when: str, answer: DisputeAnswer) -> None:
    """Checks that the dispute is read now, and answers."""
    step = life.subscription.next_to_do
    assert step is not None
    assert (step.action, step.at, step.dispute_id) == (Action.READ_DISPUTE, at(when), ID)
    life.now = at(when)
    life.subscription.dispute_answered(step.dispute_id, answer, life.now)


def test_a_dispute_is_read_written_down_and_told_with_its_deadline() -> None:
    life = paid()
    life.subscription.dispute_reported(ID, at("2026-02-09 09:00"))
    read(life, "2026-02-09 09:00", OPENED)

    notice, (dispute,) = life.subscription.outbox[-1], life.subscription.disputes
    assert (notice.type.value, notice.period, notice.dispute_id) == ("dispute.opened", 0, ID)
    assert (notice.status, notice.deadline, notice.amount) == ("ActionRequired", OPENED.deadline, OPENED.amount)
    assert (dispute.period, dispute.step) == (0, None)
    assert life.book == [(0, "paid", 1)], "the bank's decision is not ours to guess"
    assert life.next == (Action.CHARGE, at("2026-02-28 09:00"))


def test_each_change_is_told_once_however_often_amazon_says_so() -> None:
    life = paid()
    for when, answer in (("2026-02-09 09:00", OPENED), ("2026-02-09 10:00", OPENED), ("2026-02-15 09:00", WON)):
        life.subscription.dispute_reported(ID, at(when))
        read(life, when, answer)

    assert life.told == ["period.paid", "dispute.opened", "dispute.changed"]
    assert life.subscription.outbox[-1].status == "MerchantWon"
    assert len(life.subscription.disputes) == 1


def test_one_that_amazon_does_not_show_is_looked_at_again_slowly() -> None:
    life = paid()
    life.subscription.dispute_reported(ID, at("2026-02-09 09:00"))
    read(life, "2026-02-09 09:00", DisputeAnswer(refused="ResourceNotFound"))
    assert life.told == ["period.paid"]

    read(life, "2026-02-09 10:00", OPENED)
    assert life.told == ["period.paid", "dispute.opened"]


def test_a_policy_may_pause_until_the_merchant_resumes() -> None:
    life = paid(OnDispute.PAUSE)
    life.subscription.dispute_reported(ID, at("2026-02-09 09:00"))
    read(life, "2026-02-09 09:00", OPENED)

    assert (life.subscription.status, life.next) == (Status.PAUSED, None)
    assert life.told[-2:] == ["dispute.opened", "subscription.paused"]
    assert life.subscription.outbox[-1].reason == f"dispute {ID}"
    life.subscription.resume(at("2026-03-10 09:00"))
    life.step(Action.CHARGE, "2026-02-28 09:00")
    assert life.book[-1] == (1, "skipped", 0)


@pytest.mark.parametrize("when", list(When))
def test_a_pause_that_was_to_end_by_itself_lasts_until_the_merchant_resumes_it(when: When) -> None:
    life = paid(OnDispute.PAUSE)
    PauseSubscription(when=when, until=at("2026-03-05 09:00")).apply(life.subscription, at("2026-02-08 09:00"))
    life.subscription.dispute_reported(ID, at("2026-02-09 09:00"))
    read(life, "2026-02-09 09:00", OPENED)

    assert (life.subscription.status, life.next) == (Status.PAUSED, None)
    life.subscription.resume(at("2026-03-10 09:00"))
    life.step(Action.CHARGE, "2026-02-28 09:00")
    assert life.book[-1] == (1, "skipped", 0)


def test_a_dispute_of_a_charge_that_is_in_no_account_any_more_is_told_without_a_period() -> None:
    life = paid()
    life.subscription.dispute_reported(ID, at("2026-02-09 09:00"))
    read(life, "2026-02-09 09:00", OPENED.model_copy(update={"charge_id": "S01-older"}))

    assert life.subscription.outbox[-1].period is None


def test_an_ended_subscription_looks_at_nothing_any_more() -> None:
    life = paid()
    life.subscription.dispute_reported(ID, at("2026-02-09 09:00"))
    life.cancel("2026-02-09 09:00")
    life.step(Action.CLOSE_PERMISSION, "2026-02-09 09:00", closed("MerchantClosed"))

    assert (life.subscription.status, life.subscription.next_to_do) == (Status.CANCELED, None)


@pytest.mark.parametrize("count", [KEPT, KEPT + 5])
def test_the_latest_ones_are_kept(count: int) -> None:
    life = paid()
    for number in range(count):
        life.subscription.dispute_reported(f"B-{number}", at("2026-02-09 09:00"))

    assert [each.dispute_id for each in life.subscription.disputes] == [f"B-{n}" for n in range(count)][-KEPT:]
    life.subscription.dispute_answered("B-never", OPENED, at("2026-02-09 09:00"))
