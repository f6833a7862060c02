"""Plans whose charges are captured later: authorized on the due date, captured when the merchant says so."""

from datetime import timedelta

import pytest

from perennial_billing.billing.agenda import main_command, next_command
from perennial_billing.billing.changes import AddItem, ReplacePermission
from perennial_billing.billing.changes import Capture as CaptureNow
from perennial_billing.billing.couplings.ending import continued
from perennial_billing.billing.keys import MOST_CAPTURES, idempotency_key
from perennial_billing.billing.machine import ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.lifecycle import Ended
from perennial_billing.billing.plan import Capture
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, SuccessorAnswer
from perennial_billing.billing.protocol.commands import Action, ClosePermission
from perennial_billing.billing.protocol.events import Answered, Refresh, Thing
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.register import Register
from perennial_billing.billing.status import Status
from tests.billing.support import PENDING, PERMISSION_ID, PRICE, Life, at, chargeable, closed, declined, refused, terms

CHARGE, CLOSE = Action.CHARGE, Action.CLOSE_PERMISSION
CAPTURE_AUTHORIZED, READ_AUTHORIZED, READ_CHARGE = Action.CAPTURE_AUTHORIZED, Action.READ_AUTHORIZED, Action.READ_CHARGE

FIRST = "S01-1-1-C000001"
SECOND = "S01-1-1-C000002"
FIVE = Money.parse("5.00 EUR")


def authorized(charge_id: str = FIRST) -> ChargeAnswer:
    return ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id=charge_id)


def captured(amount: Money = PRICE, charge_id: str = FIRST) -> ChargeAnswer:
    return ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id=charge_id, captured=amount)


def begun(policy: CollectionPolicy | None = None) -> Life:
    """The first period is authorized."""
    life = Life(terms("2026-01-31 09:00", capture=Capture.LATER, policy=policy or CollectionPolicy()))
    life.step(CHARGE, "2026-01-31 09:00", authorized())
    return life


def capture(life: Life, when: str, amount: Money | None = None, period: int = 0) -> None:
    assert life.wants(when, CaptureNow(period=period, amount=amount)) == FIRST


def hear_of(life: Life, charge_id: str, when: str) -> None:
    """A notification about a charge."""
    life.now = at(when)
    life.happens(Refresh(Thing.CHARGE, charge_id))


def test_an_authorized_period_is_waited_for_while_the_next_one_falls_due() -> None:
    life = begun()
    assert life.book == [(0, "authorized", 1)]
    assert (life.subscription.status, life.subscription.ledger.periods_paid) == (Status.ACTIVE, 0)

    life.step(CHARGE, "2026-02-28 09:00", authorized(SECOND))

    assert [each.charge_id for each in life.subscription.authorizations] == [FIRST, SECOND]
    assert life.told == ["period.authorized", "period.authorized"]


@pytest.mark.parametrize("amount", [None, FIVE, PRICE])
def test_the_merchant_captures_all_or_a_part(amount: Money | None) -> None:
    life = begun()
    capture(life, "2026-02-10 12:00", amount)
    taken = amount or PRICE

    life.beside(CAPTURE_AUTHORIZED, "2026-02-10 12:00", captured(taken))

    (record,) = life.subscription.ledger.records
    assert (record.outcome.value, record.amount, record.settled_at) == ("paid", taken, at("2026-02-10 12:00"))
    assert life.subscription.ledger.periods_paid == 1
    assert life.subscription.authorizations == ()
    notice = life.subscription.outbox.notices[-1]
    assert (notice.type.value, notice.amount, notice.charge_id) == ("period.paid", taken, FIRST)


def test_a_capture_has_a_key_of_its_own_that_stays_while_its_outcome_is_unknown() -> None:
    life = begun()
    capture(life, "2026-02-10 12:00")
    life.beside(CAPTURE_AUTHORIZED, "2026-02-10 12:00", refused("InvalidAccountStatus"))
    life.beside(CAPTURE_AUTHORIZED, "2026-02-10 13:00", captured())

    attempt, first, second = life.keys
    assert attempt == idempotency_key(PERMISSION_ID, 0, 1)
    assert first == second == attempt.replace("-a1", "-c1")


def test_a_declined_capture_whose_charge_still_stands_may_be_asked_for_again_under_another_key() -> None:
    life = begun()
    capture(life, "2026-02-10 12:00")
    life.beside(CAPTURE_AUTHORIZED, "2026-02-10 12:00", declined("ProcessingFailure"))
    life.beside(READ_AUTHORIZED, "2026-02-10 12:00", authorized())
    assert life.told[-1] == "capture.failed"
    assert not life.subscription.authorizations[0].is_capturing

    capture(life, "2026-02-11 12:00", FIVE)
    life.beside(CAPTURE_AUTHORIZED, "2026-02-11 12:00", captured(FIVE))

    assert life.keys[-2:] == [life.keys[0].replace("-a1", "-c1"), life.keys[0].replace("-a1", "-c1-2")]
    assert life.book == [(0, "paid", 1)]


@pytest.mark.parametrize("answer", [declined("AmazonRejected"), refused("InvalidChargeStatus")])
def test_a_capture_that_loses_the_charge_ends_the_period(answer: ChargeAnswer) -> None:
    life = begun()
    capture(life, "2026-02-10 12:00")
    life.beside(CAPTURE_AUTHORIZED, "2026-02-10 12:00", answer)
    life.beside(READ_AUTHORIZED, "2026-02-10 12:00", declined("AmazonRejected"))

    assert life.book == [(0, "written_off", 1)]
    assert life.subscription.outbox.notices[-1].reason_code == "AmazonRejected"


def test_a_capture_that_amazon_takes_its_time_for_is_looked_at_hourly_and_when_amazon_says_so() -> None:
    life = begun()
    capture(life, "2026-02-10 12:00")
    pending = PENDING.model_copy(update={"charge_id": FIRST})
    life.beside(CAPTURE_AUTHORIZED, "2026-02-10 12:00", pending)
    life.beside(READ_AUTHORIZED, "2026-02-10 13:00", pending)
    hear_of(life, FIRST, "2026-02-10 13:20")
    life.beside(READ_AUTHORIZED, "2026-02-10 13:20", captured())

    assert life.book == [(0, "paid", 1)]


def test_a_credit_that_paid_a_part_of_what_lapsed_is_taken_off_the_next_charge() -> None:
    """As of any other period that is given up: the buyer has had nothing for it."""
    life = Life(terms("2026-01-31 09:00", capture=Capture.LATER))
    life.ask("2026-01-30 09:00", AddItem(amount=FIVE, what="late parcel", credit=True))
    life.step(CHARGE, "2026-01-31 09:00", authorized())
    life.step(CHARGE, "2026-02-28 09:00", authorized(SECOND))

    life.beside(READ_AUTHORIZED, "2026-03-02 09:00", declined("ExpiredUnused"))

    assert [str(record.amount) for record in life.subscription.ledger.records] == ["4.99 EUR", "9.99 EUR"]
    assert life.subscription.balance.credit == FIVE
    life.step(CHARGE, "2026-03-31 09:00", authorized("S01-1-1-C000003"))
    assert [str(record.amount) for record in life.subscription.ledger.records][-1] == "4.99 EUR"


def test_what_is_not_captured_in_thirty_days_is_seen_to_lapse_and_told() -> None:
    life = begun()
    life.step(CHARGE, "2026-02-28 09:00", authorized(SECOND))
    assert life.subscription.outbox.notices[0].deadline == at("2026-03-02 09:00")

    life.beside(READ_AUTHORIZED, "2026-03-02 09:00", authorized())  # Amazon is a little late
    life.beside(READ_AUTHORIZED, "2026-03-02 10:00", declined("ExpiredUnused"))

    assert life.book == [(0, "written_off", 1), (1, "authorized", 1)]
    notice = life.subscription.outbox.notices[-1]
    assert (notice.type.value, notice.reason_code, notice.period) == ("period.written_off", "ExpiredUnused", 0)


def test_what_the_merchant_captured_elsewhere_is_paid_by_what_amazon_says() -> None:
    life = begun()
    hear_of(life, FIRST, "2026-02-03 09:00")

    life.beside(READ_AUTHORIZED, "2026-02-03 09:00", captured(FIVE))

    assert (life.book, life.subscription.ledger.records[0].amount) == ([(0, "paid", 1)], FIVE)


@pytest.mark.parametrize(
    ("period", "amount", "reason"),
    [
        (1, None, r"^period: 1 .*; it has no authorized charge; those that wait to be captured: 0"),
        (0, Money.parse("0.00 EUR"), r"^amount: 0.00 EUR is not accepted; more than zero and at most 9.99 EUR"),
        (0, Money.parse("10.00 EUR"), r"^amount: 10.00 EUR is not accepted"),
        (0, Money.parse("5.00 USD"), r"^amount: 5.00 USD is not accepted"),
    ],
)
def test_what_cannot_be_captured_is_refused_by_name_and_changes_nothing(
    period: int, amount: Money | None, reason: str
) -> None:
    life = begun()
    before = life.subscription.model_dump_json()

    with pytest.raises(Refused, match=reason):
        life.wants("2026-01-31 09:00", CaptureNow(period=period, amount=amount))

    assert life.subscription.model_dump_json() == before


def test_asking_twice_is_one_capture_and_another_amount_meanwhile_is_refused() -> None:
    life = begun()
    capture(life, "2026-02-10 12:00")
    before = life.subscription.but(references=Register())
    capture(life, "2026-02-10 12:05")

    assert life.subscription.but(references=Register()) == before
    with pytest.raises(Refused, match=r"a capture of 9\.99 EUR is under way already"):
        capture(life, "2026-02-10 12:05", FIVE)


def test_a_charge_is_not_captured_without_end() -> None:
    life = begun()
    for day in range(1, MOST_CAPTURES + 1):
        capture(life, f"2026-02-{day:02} 12:00")
        life.beside(CAPTURE_AUTHORIZED, f"2026-02-{day:02} 12:00", declined("ProcessingFailure"))
        life.beside(READ_AUTHORIZED, f"2026-02-{day:02} 12:00", authorized())

    with pytest.raises(Refused, match=f"{MOST_CAPTURES} captures of {FIRST} failed"):
        capture(life, "2026-02-20 12:00")


def test_a_canceled_subscription_waits_for_what_may_still_be_captured() -> None:
    life = begun()
    life.cancel("2026-02-05 09:00")
    life.step(CLOSE, "2026-02-05 09:00", closed("MerchantClosed"))
    assert (life.subscription.status, life.next) == (Status.ENDING, None)

    capture(life, "2026-02-06 09:00")
    life.beside(CAPTURE_AUTHORIZED, "2026-02-06 09:00", captured())

    assert life.subscription.status is Status.CANCELED
    assert isinstance(life.subscription.lifecycle.stage, Ended)
    assert life.subscription.lifecycle.stage.at == at("2026-02-06 09:00")
    assert life.book == [(0, "paid", 1)]
    assert life.told[-1] == "subscription.ended"


def test_a_policy_may_cancel_with_the_permission_what_is_not_captured() -> None:
    life = begun(CollectionPolicy(cancel_pending_charges=True))
    life.cancel("2026-02-05 09:00")
    close = main_command(life.subscription)
    assert isinstance(close, ClosePermission)
    assert close.cancel_pending_charges
    life.step(CLOSE, "2026-02-05 09:00", closed("MerchantClosed"))
    life.beside(READ_AUTHORIZED, "2026-02-05 09:00", declined("ChargePermissionCanceled"))

    assert life.subscription.status is Status.CANCELED
    assert life.book == [(0, "written_off", 1)]


def test_what_waits_to_be_captured_goes_on_under_a_new_charge_permission() -> None:
    life = begun()
    life.wants("2026-02-05 09:00", ReplacePermission(charge_permission_id="C01-9999999-9999999"))
    successor = continued(life.subscription)
    life.beside(Action.READ_SUCCESSOR, "2026-02-05 09:00", chargeable())
    life.beside(Action.START_SUCCESSOR, "2026-02-05 09:00", SuccessorAnswer(started=True))

    assert life.subscription.authorizations == ()
    (waiting,) = ask(successor, CaptureNow(period=0), at("2026-02-06 09:00")).authorizations
    assert waiting.charge_id == FIRST
    assert waiting.capture_key == life.keys[0].replace("-a1", "-c1"), "the key of the attempt that was made"


def test_a_pending_authorization_that_succeeds_waits_to_be_captured_too() -> None:
    life = Life(terms("2026-01-31 09:00", capture=Capture.LATER))
    life.step(CHARGE, "2026-01-31 09:00", PENDING)
    life.step(READ_CHARGE, "2026-01-31 10:00", authorized(SECOND))

    (waiting,) = life.subscription.authorizations
    assert waiting.expires_at == at("2026-01-31 10:00") + timedelta(days=30)
    assert life.book == [(0, "authorized", 1)]


def test_a_capture_that_is_asked_for_while_the_charge_is_being_read_is_made() -> None:
    life = begun()
    hear_of(life, FIRST, "2026-02-10 12:00")
    reading = next_command(life.subscription)
    assert reading is not None
    assert reading.action is READ_AUTHORIZED
    capture(life, "2026-02-10 12:00")

    life.happens(Answered(reading, authorized()))

    life.beside(CAPTURE_AUTHORIZED, "2026-02-10 12:00", captured())
    assert life.book == [(0, "paid", 1)]


def test_a_late_reading_of_the_closed_permission_does_not_keep_the_subscription_from_ending() -> None:
    life = begun()
    life.cancel("2026-02-05 09:00")
    life.step(CLOSE, "2026-02-05 09:00", closed("MerchantClosed"))
    life.signal("2026-02-05 10:00", chargeable())
    capture(life, "2026-02-06 09:00")
    life.beside(CAPTURE_AUTHORIZED, "2026-02-06 09:00", captured())

    assert life.subscription.status is Status.CANCELED


def test_what_fell_due_before_the_end_is_written_off_at_once_though_a_charge_may_still_be_captured() -> None:
    """Found by a drawn story: those periods were in no account until the last authorization had lapsed."""
    life = begun(CollectionPolicy(new_checkout_deadline=timedelta(days=29)))
    life.signal("2026-02-01 00:00", closed("BuyerClosed"))
    life.step(Action.STOP_WAITING, "2026-03-02 00:00")

    assert life.book == [(0, "authorized", 1), (1, "written_off", 0)]
    assert not life.subscription.has_ended
    capture(life, "2026-03-02 01:00")
    life.beside(CAPTURE_AUTHORIZED, "2026-03-02 01:00", captured())
    assert (life.subscription.status, life.book) == (Status.CLOSED, [(0, "paid", 1), (1, "written_off", 0)])
