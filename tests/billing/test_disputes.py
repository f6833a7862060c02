"""Disputed charges: written down as Amazon shows them, told once for each change, and no guess about the money."""

import pytest

from billing.agenda import next_command
from billing.changes import PauseSubscription, ResumeSubscription, When
from billing.money import Money
from billing.parts.disputes import KEPT
from billing.plan.policy import CollectionPolicy, OnDispute
from billing.protocol.answers import DisputeAnswer
from billing.protocol.commands import Action, ReadDispute
from billing.protocol.events import Answered, Refresh, Thing
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
WON = OPENED.but(state="Resolved", resolution="MerchantWon", reason_code="InvestigatorResolved")


def paid(on_dispute: OnDispute = OnDispute.CONTINUE) -> Life:
    life = Life(terms("2026-01-31 09:00", policy=CollectionPolicy(on_dispute=on_dispute)))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    return life


def reported(life: Life, when: str, dispute_id: str = ID) -> None:
    """Amazon says that a charge is disputed, or that something about it has changed."""
    life.now = at(when)
    life.happens(Refresh(Thing.DISPUTE, dispute_id))


def read(life: Life, when: str, answer: DisputeAnswer) -> None:
    """Checks that the dispute is read now, and answers."""
    command = next_command(life.subscription)
    assert isinstance(command, ReadDispute)
    assert command.dispute_id == ID
    life.beside(Action.READ_DISPUTE, when, answer)


def test_a_dispute_is_read_written_down_and_told_with_its_deadline() -> None:
    life = paid()
    reported(life, "2026-02-09 09:00")
    read(life, "2026-02-09 09:00", OPENED)

    notice, (dispute,) = life.subscription.outbox.notices[-1], life.subscription.disputes.latest
    assert (notice.type.value, notice.period, notice.dispute_id) == ("dispute.opened", 0, ID)
    assert (notice.status, notice.deadline, notice.amount) == ("ActionRequired", OPENED.deadline, OPENED.amount)
    assert (dispute.period, dispute.next_command) == (0, None)
    assert life.book == [(0, "paid", 1)], "the bank's decision is not ours to guess"
    assert life.next == (Action.CHARGE, at("2026-02-28 09:00"))


def test_each_change_is_told_once_however_often_amazon_says_so() -> None:
    life = paid()
    for when, answer in (("2026-02-09 09:00", OPENED), ("2026-02-09 10:00", OPENED), ("2026-02-15 09:00", WON)):
        reported(life, when)
        read(life, when, answer)

    assert life.told == ["period.paid", "dispute.opened", "dispute.changed"]
    assert life.subscription.outbox.notices[-1].status == "MerchantWon"
    assert len(life.subscription.disputes.latest) == 1


def test_one_that_amazon_does_not_show_is_looked_at_again_slowly() -> None:
    life = paid()
    reported(life, "2026-02-09 09:00")
    read(life, "2026-02-09 09:00", DisputeAnswer(refused="ResourceNotFound"))
    assert life.told == ["period.paid"]

    read(life, "2026-02-09 10:00", OPENED)
    assert life.told == ["period.paid", "dispute.opened"]


def test_a_policy_may_pause_until_the_merchant_resumes() -> None:
    life = paid(OnDispute.PAUSE)
    reported(life, "2026-02-09 09:00")
    read(life, "2026-02-09 09:00", OPENED)

    assert (life.subscription.status, life.next) == (Status.PAUSED, None)
    assert life.told[-2:] == ["dispute.opened", "subscription.paused"]
    assert life.subscription.outbox.notices[-1].reason == f"dispute {ID}"
    life.ask("2026-03-10 09:00", ResumeSubscription())
    life.step(Action.CHARGE, "2026-02-28 09:00")
    assert life.book[-1] == (1, "skipped", 0)


@pytest.mark.parametrize("when", list(When))
def test_a_pause_that_was_to_end_by_itself_lasts_until_the_merchant_resumes_it(when: When) -> None:
    life = paid(OnDispute.PAUSE)
    life.ask("2026-02-08 09:00", PauseSubscription(when=when, until=at("2026-03-05 09:00")))
    reported(life, "2026-02-09 09:00")
    read(life, "2026-02-09 09:00", OPENED)

    assert (life.subscription.status, life.next) == (Status.PAUSED, None)
    life.ask("2026-03-10 09:00", ResumeSubscription())
    life.step(Action.CHARGE, "2026-02-28 09:00")
    assert life.book[-1] == (1, "skipped", 0)


def test_a_dispute_pauses_nothing_where_the_last_period_is_paid() -> None:
    policy = CollectionPolicy(on_dispute=OnDispute.PAUSE)
    life = Life(terms("2026-01-31 09:00", periods=1, policy=policy))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    reported(life, "2026-02-09 09:00")
    read(life, "2026-02-09 09:00", OPENED)

    assert life.subscription.status is Status.ACTIVE
    assert life.told == ["period.paid", "dispute.opened"]
    assert life.next == (Action.CLOSE_PERMISSION, at("2026-02-28 09:00"))


def test_a_dispute_of_a_charge_that_is_in_no_account_any_more_is_told_without_a_period() -> None:
    life = paid()
    reported(life, "2026-02-09 09:00")
    read(life, "2026-02-09 09:00", OPENED.but(charge_id="S01-older"))

    assert life.subscription.outbox.notices[-1].period is None


def test_an_ended_subscription_looks_at_nothing_any_more() -> None:
    life = paid()
    reported(life, "2026-02-09 09:00")
    life.cancel("2026-02-09 09:00")
    life.step(Action.CLOSE_PERMISSION, "2026-02-09 09:00", closed("MerchantClosed"))

    assert (life.subscription.status, life.first) == (Status.CANCELED, None)


@pytest.mark.parametrize("count", [KEPT, KEPT + 5])
def test_the_latest_ones_are_kept(count: int) -> None:
    life = paid()
    for number in range(count):
        reported(life, "2026-02-09 09:00", f"B-{number}")

    assert [each.dispute_id for each in life.subscription.disputes.latest] == [f"B-{n}" for n in range(count)][-KEPT:]
    before = life.subscription
    life.happens(Answered(ReadDispute(dispute_id="B-never", at=life.now, why="it was forgotten"), OPENED))
    assert life.subscription == before
