"""Disputed charges: written down as Amazon shows them, told once for each change, and no guess about the money."""

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import PauseSubscription, ResumeSubscription, RetryNow, When
from perennial_billing.billing.couplings.disputes import DISPUTED
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.disputes import KEPT
from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN
from perennial_billing.billing.plan.policy import CollectionPolicy, OnDispute
from perennial_billing.billing.protocol.answers import ChargeAnswer, DisputeAnswer
from perennial_billing.billing.protocol.commands import Action, ReadDispute
from perennial_billing.billing.protocol.events import Answered, Refresh, Thing, Unanswered
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import view_of
from tests.billing.support import CAPTURED, PENDING, SOFT, Life, at, chargeable, closed, terms

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


NOT_SHOWN = DisputeAnswer(refused="UnauthorizedAccess")


@pytest.mark.parametrize("code", ["UnauthorizedAccess", OUTCOME_UNKNOWN])
def test_one_that_amazon_does_not_show_is_told_at_once_and_its_details_when_they_can_be_read(code: str) -> None:
    life = paid()
    reported(life, "2026-02-09 09:00")
    if code == OUTCOME_UNKNOWN:
        command = next_command(life.subscription)
        assert command is not None
        life.happens(Unanswered(command, "403 Forbidden"))
    else:
        read(life, "2026-02-09 09:00", NOT_SHOWN)
    notice = life.subscription.outbox.notices[-1]
    assert (notice.type.value, notice.dispute_id, notice.reason_code) == ("dispute.opened", ID, code)
    assert notice.reason == f"its details cannot be read: {code}; look in Seller Central"
    assert (life.subscription.needs_attention, life.subscription.last_reason) == (True, code)
    assert view_of(life.subscription).disputes[0].unreadable == code

    read(life, "2026-02-09 10:00", OPENED)
    assert life.told == ["period.paid", "dispute.opened", "dispute.changed"]
    assert life.subscription.outbox.notices[-1].deadline == OPENED.deadline
    assert not life.subscription.needs_attention


def test_one_that_amazon_never_shows_is_read_ever_more_seldom_and_given_up_in_plain_sight() -> None:
    life = paid()
    reported(life, "2026-02-09 09:00")
    hours = []
    while (command := next_command(life.subscription)) and isinstance(command, ReadDispute):
        hours.append((command.at - at("2026-02-09 09:00")).total_seconds() / 3600)
        life.now = command.at
        life.happens(Answered(command, NOT_SHOWN))
        if life.first == (Action.CHARGE, at("2026-02-28 09:00")):
            life.beside(Action.CHARGE, "2026-02-28 09:00", CAPTURED)

    assert hours == [0, 1, 3, 7, 15, 31, 63, 127, 255, 423, 591, 759, 927]
    assert [kind for kind in life.told if kind.startswith("dispute")] == ["dispute.opened", "dispute.changed"]
    assert "not any more before Amazon tells of it again" in str(life.subscription.outbox.notices[-1].reason)
    (shown,) = view_of(life.subscription).disputes
    assert (shown.unreadable, shown.read_again_at) == ("UnauthorizedAccess", None)
    assert not life.subscription.needs_attention, "it was told twice, and there is nothing to wait for"

    reported(life, "2026-03-20 12:00")
    life.beside(Action.READ_DISPUTE, "2026-03-20 12:00", WON)
    assert (life.told[-1], view_of(life.subscription).disputes[0].unreadable) == ("dispute.changed", None)


@pytest.mark.parametrize("on_dispute", [OnDispute.PAUSE, OnDispute.STOP])
def test_the_policy_acts_at_the_first_sign_also_where_the_dispute_is_not_shown(on_dispute: OnDispute) -> None:
    life = paid(on_dispute)
    reported(life, "2026-02-09 09:00")
    read(life, "2026-02-09 09:00", NOT_SHOWN)
    assert (life.subscription.status, life.told[-1]) == (Status.PAUSED, "subscription.paused")

    life.ask("2026-02-10 09:00", ResumeSubscription())
    life.happens(Refresh(Thing.DISPUTE, ID))
    read(life, "2026-02-10 09:00", OPENED)
    assert life.subscription.status is Status.ACTIVE, "it is paused once for a dispute"


def owing(on_dispute: OnDispute) -> Life:
    """Period 1 was declined on 28 February, and is tried again in the evening."""
    life = paid(on_dispute)
    life.step(Action.CHARGE, "2026-02-28 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-02-28 09:00", chargeable())
    reported(life, "2026-02-28 12:00")
    return life


def test_a_policy_that_stops_leaves_what_is_owed_to_the_merchant_until_it_is_to_be_tried() -> None:
    life = owing(OnDispute.STOP)
    read(life, "2026-02-28 12:00", OPENED)

    assert life.told[-3:] == ["dispute.opened", "subscription.paused", "subscription.held"]
    assert (life.subscription.status, life.subscription.last_reason, life.next) == (Status.ON_HOLD, DISPUTED, None)
    assert life.subscription.disputes.stops is None
    life.wants("2026-03-12 09:00", RetryNow())
    life.step(Action.CHARGE, "2026-03-12 09:00", CAPTURED)
    assert life.book == [(0, "paid", 1), (1, "paid", 2)]
    assert (life.subscription.status, life.next) == (Status.PAUSED, None)


def test_a_policy_that_pauses_still_collects_what_is_owed() -> None:
    life = owing(OnDispute.PAUSE)
    read(life, "2026-02-28 12:00", OPENED)

    life.step(Action.CHARGE, "2026-02-28 21:00", CAPTURED)
    assert (life.book[-1], life.subscription.status) == ((1, "paid", 2), Status.PAUSED)


@pytest.mark.parametrize(
    ("answer", "status", "outcome"), [(SOFT, Status.ON_HOLD, None), (CAPTURED, Status.PAUSED, (1, "paid", 1))]
)
def test_an_attempt_under_way_comes_to_its_end_before_a_policy_stops(
    answer: ChargeAnswer, status: Status, outcome: tuple[int, str, int] | None
) -> None:
    life = paid(OnDispute.STOP)
    life.step(Action.CHARGE, "2026-02-28 09:00", PENDING)
    reported(life, "2026-02-28 09:30")
    read(life, "2026-02-28 09:30", OPENED)
    assert (life.subscription.status, life.next) == (Status.PENDING, (Action.READ_CHARGE, at("2026-02-28 10:00")))

    life.step(Action.READ_CHARGE, "2026-02-28 10:00", answer)
    assert (life.subscription.status, life.next) == (status, None)
    assert life.book[1:] == ([outcome] if outcome else [])


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


@pytest.mark.parametrize("answer", [OPENED, NOT_SHOWN])
def test_a_dispute_that_was_just_reported_is_told_before_the_subscription_ends_and_read_no_more_then(
    answer: DisputeAnswer,
) -> None:
    life = paid()
    reported(life, "2026-02-09 09:00")
    life.cancel("2026-02-09 09:00")
    life.step(Action.CLOSE_PERMISSION, "2026-02-09 09:00", closed("MerchantClosed"))
    assert life.subscription.status is Status.ENDING

    read(life, "2026-02-09 09:00", answer)
    assert life.told[1:] == ["dispute.opened", "subscription.ended"]
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
