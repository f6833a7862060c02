"""Money that goes back: never more than was paid, never twice for one wish, and never a reason to collect again."""

from datetime import timedelta

import pytest

from perennial_billing.billing.agenda import main_command, next_command
from perennial_billing.billing.changes import Cancel, RefundPeriod, ReplacePermission, Share, When
from perennial_billing.billing.couplings.ending import continued
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.refunds import KEPT, refundable
from perennial_billing.billing.protocol.answers import RefundAnswer, RefundState, SuccessorAnswer
from perennial_billing.billing.protocol.commands import Action, CreateRefund, ReadRefund
from perennial_billing.billing.protocol.events import Answered, Refresh, Thing
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.status import Status
from tests.billing.support import (
    CAPTURED,
    FREE,
    PENDING,
    PERMISSION_ID,
    PRICE,
    SOFT,
    Life,
    at,
    chargeable,
    closed,
    terms,
)

TAKEN = RefundAnswer(state=RefundState.PENDING, refund_id="S01-1-1-R000001")
DONE = RefundAnswer(state=RefundState.REFUNDED, refund_id="S01-1-1-R000001")
DECLINED = RefundAnswer(state=RefundState.FAILED, refund_id="S01-1-1-R000001", reason_code="AmazonRejected")
FIVE = Money.parse("5.00 EUR")


def paid(amount: Money = PRICE) -> Life:
    """The first period is paid."""
    life = Life(terms("2026-01-31 09:00", amount=amount))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    return life


def ask(
    life: Life, when: str, amount: Money | None = None, *, reference: str | None = None, goodwill: bool = False
) -> int:
    """The merchant wants money to go back; answers the refund's number."""
    number = life.wants(when, RefundPeriod(period=0, amount=amount, reference=reference, goodwill=goodwill))
    assert isinstance(number, int)
    return number


def answer(life: Life, action: Action, when: str, given: RefundAnswer, number: int = 1) -> None:
    """Checks that this is what happens next, and gives Amazon's answer."""
    command = next_command(life.subscription)
    assert isinstance(command, CreateRefund | ReadRefund)
    assert command.number == number
    life.beside(action, when, given)


def notified(life: Life, when: str, refund_id: str) -> None:
    """Somebody says that a refund has changed."""
    life.now = at(when)
    life.happens(Refresh(Thing.REFUND, refund_id))


@pytest.mark.parametrize("amount", [None, FIVE, PRICE])
def test_a_paid_period_is_refunded_whole_or_in_part(amount: Money | None) -> None:
    life = paid()
    ask(life, "2026-02-05 12:00", amount)
    answer(life, Action.REFUND, "2026-02-05 12:00", TAKEN)
    answer(life, Action.READ_REFUND, "2026-02-05 13:00", DONE)

    (record,), (refund,) = life.subscription.ledger.records, life.subscription.refunds.latest
    assert (record.refunded, record.outcome.value) == (amount or PRICE, "paid")
    assert (refund.state, refund.settled_at, refund.next_command) == (
        RefundState.REFUNDED,
        at("2026-02-05 13:00"),
        None,
    )
    assert life.told == ["period.paid", "subscription.changed", "refund.completed"]
    assert life.next == (Action.CHARGE, at("2026-02-28 09:00")), "a refund never restarts collection"


def test_parts_add_up_to_what_was_paid_and_no_further() -> None:
    """After Kill Bill's partial refunds."""
    life = paid()
    ask(life, "2026-02-05 12:00", FIVE)
    answer(life, Action.REFUND, "2026-02-05 12:00", TAKEN)
    answer(life, Action.READ_REFUND, "2026-02-05 13:00", DONE)
    ask(life, "2026-02-06 12:00")
    answer(life, Action.REFUND, "2026-02-06 12:00", TAKEN, 2)
    assert life.subscription.refunds.latest[1].amount == Money.parse("4.99 EUR")
    before = life.subscription

    with pytest.raises(Refused, match=r"amount: 0\.00 EUR is not accepted; .* at most 0\.00 EUR is left"):
        ask(life, "2026-02-06 12:30")
    assert life.subscription == before, "what is under way counts as gone"

    answer(life, Action.READ_REFUND, "2026-02-06 13:00", DONE, 2)
    assert life.subscription.ledger.records[0].refunded == PRICE


def test_a_failed_refund_leaves_the_account_as_it_was_and_is_not_tried_again() -> None:
    life = paid()
    ask(life, "2026-02-05 12:00")
    answer(life, Action.REFUND, "2026-02-05 12:00", TAKEN)
    answer(life, Action.READ_REFUND, "2026-02-05 13:00", DECLINED)

    assert life.subscription.ledger.records[0].refunded is None
    assert life.told == ["period.paid", "subscription.changed", "refund.failed"]
    assert next_command(life.subscription) == main_command(life.subscription)
    assert refundable(life.subscription.ledger.records[0], life.subscription.refunds.latest) == PRICE, (
        "it may be asked for anew"
    )


def test_each_refund_has_a_key_of_its_own_that_stays_while_its_outcome_is_unknown() -> None:
    life = paid()
    ask(life, "2026-02-05 12:00", FIVE)
    ask(life, "2026-02-05 12:00")

    keys = [refund.idempotency_key for refund in life.subscription.refunds.latest]
    assert [key.rpartition("-")[2] for key in keys] == ["r1", "r2"]
    assert all(len(key) <= 32 for key in keys)


def test_a_notification_has_it_read_at_once() -> None:
    life = paid()
    ask(life, "2026-02-05 12:00")
    notified(life, "2026-02-05 12:00", "S01-1-1-R000001")
    answer(life, Action.REFUND, "2026-02-05 12:00", TAKEN)
    notified(life, "2026-02-05 12:02", "S01-1-1-R000001")

    answer(life, Action.READ_REFUND, "2026-02-05 12:02", TAKEN)
    answer(life, Action.READ_REFUND, "2026-02-05 13:02", DONE)


def test_one_that_was_not_asked_for_here_is_read_and_counts_and_is_told_once() -> None:
    life = paid()
    notified(life, "2026-02-05 12:01", "S01-1-1-R000077")
    (paid_by,) = life.subscription.ledger.records
    elsewhere = DONE.but(refund_id="S01-1-1-R000077", charge_id=paid_by.charge_id, amount=Money.parse("8.40 EUR"))

    life.beside(Action.READ_REFUND, "2026-02-05 12:01", elsewhere)
    notified(life, "2026-02-05 12:30", "S01-1-1-R000077")

    assert next_command(life.subscription) == main_command(life.subscription), "it is known by now"
    (record,) = life.subscription.ledger.records
    assert record.refunded == Money.parse("8.40 EUR")
    with pytest.raises(Refused, match="is left of what was paid"):
        ask(life, "2026-02-05 13:00", record.amount)
    assert [notice.type.value for notice in life.subscription.outbox.notices].count("refund.completed") == 1


def test_asking_twice_by_the_same_reference_is_one_refund() -> None:
    life = paid()
    first = ask(life, "2026-02-05 12:00", FIVE, reference="ticket-7")

    assert ask(life, "2026-02-05 12:01", FIVE, reference="ticket-7") == first
    for other in (Money.parse("1.00 EUR"), None):
        with pytest.raises(Refused, match=r"reference: 'ticket-7' is in conflict .* that of another refund") as refusal:
            ask(life, "2026-02-05 12:02", other, reference="ticket-7")
        assert refusal.value.kind is Kind.CONFLICT
    assert len(life.subscription.refunds.latest) == 1


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (
            RefundPeriod(period=3),
            "period: 3 is not accepted; it is not in the account: the account goes from period 0 on",
        ),
        (RefundPeriod(period=0, amount=Money.parse("10.00 EUR")), "at most 9.99 EUR is left of what was paid"),
        (RefundPeriod(period=0, amount=Money.parse("0 EUR")), "more than zero"),
        (
            RefundPeriod(period=0, amount=Money.parse("5.00 USD")),
            "in another currency than the charge, which was of 9.99",
        ),
        (
            RefundPeriod(period=0, amount=Money.parse("11.49 EUR"), goodwill=True),
            "at most 11.48 EUR is left with Amazon's",
        ),
    ],
)
def test_what_cannot_be_refunded_is_refused_by_name_and_changes_nothing(wanted: RefundPeriod, why: str) -> None:
    life = paid()
    before = life.subscription

    with pytest.raises(Refused, match=why.replace(".", r"\.")):
        life.wants("2026-02-05 12:00", wanted)
    assert life.subscription == before


def test_what_was_never_paid_cannot_be_refunded() -> None:
    owed, free = Life(terms()), Life(terms(amount=FREE))
    owed.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    free.step(Action.CHARGE, "2026-01-31 09:00")

    with pytest.raises(Refused, match="period: 0 is not accepted; it is not in the account: no period was settled yet"):
        ask(owed, "2026-01-31 09:00")
    with pytest.raises(Refused, match="period: 0 is not accepted; it was not paid, it is free"):
        ask(free, "2026-01-31 09:00")


@pytest.mark.parametrize(
    ("price", "most"),
    [("9.99 EUR", "11.48"), ("1000.00 USD", "1075.00"), ("500.00 GBP", "575.00"), ("900 JPY", "1035"),
     ("90000 JPY", "98400"), ("9.99 SEK", "9.99")],
)  # fmt: skip
def test_goodwill_goes_as_far_as_amazon_lets_it(price: str, most: str) -> None:
    life = paid(Money.parse(price))

    left = refundable(life.subscription.ledger.records[0], [], goodwill=True)
    assert str(left.amount) == most


def test_an_ended_subscription_lives_until_amazon_has_decided_on_its_refunds() -> None:
    life = paid()
    ask(life, "2026-02-05 12:00")
    answer(life, Action.REFUND, "2026-02-05 12:00", TAKEN)
    life.cancel("2026-02-05 12:10")
    life.step(Action.CLOSE_PERMISSION, "2026-02-05 12:10", closed("MerchantClosed"))
    assert not life.subscription.has_ended

    answer(life, Action.READ_REFUND, "2026-02-05 13:00", DONE)

    assert life.subscription.status is Status.CANCELED
    assert life.told[-2:] == ["refund.completed", "subscription.ended"]


def test_a_refund_under_way_goes_on_under_a_new_charge_permission_with_its_key() -> None:
    life = paid()
    ask(life, "2026-02-05 12:00")
    life.wants("2026-02-05 12:01", ReplacePermission(charge_permission_id="C01-9999999-9999999"))
    successor = continued(life.subscription)
    life.beside(Action.READ_SUCCESSOR, "2026-02-05 12:01", chargeable())
    life.beside(Action.START_SUCCESSOR, "2026-02-05 12:01", SuccessorAnswer(started=True))

    assert life.subscription.refunds.latest == ()
    (refund,) = successor.refunds.latest
    assert next_command(successor) == refund.next_command
    assert refund.idempotency_key.endswith("-r1")
    assert successor.refunds.asked == 1, "the next one's number, and key, is another"


def test_settled_refunds_are_forgotten_in_the_end_and_open_ones_never() -> None:
    life = paid(Money.parse("900.00 EUR"))
    one = Money.parse("1.00 EUR")
    for number in range(1, KEPT + 10):
        ask(life, "2026-02-05 12:00", one)
        if number > 1:
            command = next(each.next_command for each in life.subscription.refunds.latest if each.number == number)
            assert command is not None
            life.happens(Answered(command, DONE))

    numbers = [refund.number for refund in life.subscription.refunds.latest]
    assert numbers[0] == 1, "Amazon has not answered it yet"
    assert numbers == sorted(numbers)
    assert len(numbers) <= KEPT + 2


def test_the_state_with_refunds_goes_through_json() -> None:
    life = paid()
    ask(life, "2026-02-05 12:00", FIVE, reference="ticket-7", goodwill=True)
    life.step(Action.CHARGE, "2026-02-28 09:00", CAPTURED)
    life.signal("2026-03-01 09:00", chargeable())

    assert life.subscription.terms.charge_permission_id == PERMISSION_ID
    assert life.subscription.refunds.latest[0].requested_at + timedelta(0) == at("2026-02-05 12:00")


@pytest.mark.parametrize("back", [Share.LAST, Share.ALL])
def test_a_cancellation_gives_nothing_back_while_it_is_not_known_whether_a_charge_takes_money(back: Share) -> None:
    life = paid()
    life.step(Action.CHARGE, "2026-02-28 09:00", PENDING)
    before = life.subscription

    with pytest.raises(Refused, match="period 1 is being charged: ask again") as refusal:
        life.wants("2026-02-28 09:05", Cancel(when=When.NOW, refund=back))

    assert (refusal.value.kind, life.subscription) == (Kind.NOT_NOW, before)
