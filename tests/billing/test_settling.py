"""What an operator settles by hand, and charges that are not what they seem."""

import pytest
from pydantic import ValidationError

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.changes import (
    PauseSubscription,
    RefundPeriod,
    Resolve,
    ResumeSubscription,
    RetryNow,
    WriteOff,
)
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.collection import EARLIER_CHARGE
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.stages import CheckingCharge
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import Action, CreateCharge, ReadCharge, Timer
from perennial_billing.billing.protocol.events import Answered, CancelAsked, Refresh, Thing, Unanswered
from perennial_billing.billing.protocol.foreign import as_prose
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import view_of
from tests.billing.support import PERMISSION_ID, Life, at, chargeable, declined, refused, terms

DUE = "2026-09-14 08:00"
PRICE = Money.parse("18.40 EUR")
CHARGE_ID = "S01-9-9-C000009"
KNOWN = "DuplicateIdempotencyKey"


def paid(**fields: object) -> ChargeAnswer:
    """A captured charge, as it is read."""
    known = {"charge_id": CHARGE_ID, "amount": PRICE, "charge_permission_id": PERMISSION_ID, "created_at": at(DUE)}
    return ChargeAnswer.model_validate({"outcome": ChargeOutcome.CAPTURED, **known, **fields})


def begun(answer: ChargeAnswer) -> Life:
    """The first period has fallen due, and this is Amazon's answer."""
    life = Life(terms(DUE, amount=PRICE))
    life.elapses(Timer.PERIOD)
    life.answered(answer)
    return life


def held() -> Life:
    """An attempt whose key Amazon knows with another body."""
    life = begun(refused(KNOWN))
    assert (life.subscription.status, life.subscription.last_reason) == (Status.ON_HOLD, KNOWN)
    return life


def after_a_decline() -> Life:
    """Amazon took its time, and declined; the next attempt is planned for the evening."""
    life = begun(ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id=CHARGE_ID))
    life.step(Action.READ_CHARGE, "2026-09-14 09:00", declined("SoftDeclined"))
    life.step(Action.READ_PERMISSION, "2026-09-14 09:00", chargeable())
    assert life.next == (Action.CHARGE, at("2026-09-14 21:00"))
    return life


def test_what_amazon_says_of_a_request_that_somebody_has_to_mend_is_told_and_shown_in_a_line() -> None:
    said = "this machine's clock is 24 h behind\n Amazon's" + "x" * 300
    code = "InvalidRequestSignature"
    life = begun(ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code=code, message=said))
    owed, notice = view_of(life.subscription).owed, life.subscription.outbox.notices[-1]

    assert owed is not None
    assert notice.reason == owed.held_because == as_prose(said)
    assert "24 h behind Amazon's" in as_prose(said)
    life.answered(declined("SoftDeclined").but(message="the buyer's bank says no"))
    later = view_of(life.subscription).owed
    assert later is not None
    assert later.held_because is None, "nobody of the merchant's can mend that"


def nothing_follows(life: Life) -> bool:
    """Whether nothing is done for the period by itself."""
    return life.next is None


def no(life: Life, what: Request, why: str, kind: Kind = Kind.NOT_NOW) -> None:
    before = life.subscription
    with pytest.raises(Refused, match=why) as told:
        life.wants("2026-09-14 12:00", what)
    assert (told.value.kind, life.subscription) == (kind, before)


class TestResolve:
    def test_a_charge_that_has_paid_the_period_is_read_and_counted(self) -> None:
        life = held()
        life.wants("2026-09-15 10:00", Resolve(charge_id=CHARGE_ID))
        command = main_command(life.subscription)
        assert isinstance(command, ReadCharge)
        assert (command.charge_id, command.at_once) == (CHARGE_ID, True)

        life.answered(paid())

        assert life.book == [(0, "paid", 1)]
        assert life.subscription.ledger.records[0].charge_id == CHARGE_ID
        assert life.told[-1] == "period.paid"

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (paid(amount=Money.parse("18.39 EUR")), "it is of 18.39 EUR, and 18.40 EUR is owed"),
            (paid(charge_permission_id="C01-7777777-7777777"), "it was made under another charge permission, C01-7"),
            (paid(outcome=ChargeOutcome.DECLINED), "it is not captured, it is declined"),
            (paid(outcome=ChargeOutcome.AUTHORIZED), "it is not captured, it is authorized"),
            (refused("ResourceNotFound"), "Amazon does not show it: ResourceNotFound"),
        ],
    )
    def test_a_charge_that_cannot_have_paid_it_changes_nothing_and_is_told_why(
        self, answer: ChargeAnswer, why: str
    ) -> None:
        life = held()
        stood = life.subscription.owed.stage
        life.wants("2026-09-15 10:00", Resolve(charge_id=CHARGE_ID))
        life.answered(answer)

        assert life.subscription.owed.stage == stood
        assert life.subscription.owed.not_counted is not None
        assert life.subscription.owed.not_counted.startswith(why)

    def test_a_charge_that_has_paid_another_period_is_not_counted_twice(self) -> None:
        life = begun(paid())
        life.now = at("2026-10-14 08:00")
        life.elapses(Timer.PERIOD)
        life.answered(refused(KNOWN))
        life.wants("2026-10-15 08:00", Resolve(charge_id=CHARGE_ID))
        life.answered(paid())

        assert life.subscription.owed.not_counted == "it has paid period 0"

    def test_nothing_was_taken_so_another_attempt_is_made_under_another_key(self) -> None:
        life = held()
        life.wants("2026-09-15 10:00", Resolve(new_attempt=True))
        life.elapses(Timer.RETRY)
        command = main_command(life.subscription)
        assert isinstance(command, CreateCharge)

        assert command.attempt.number == 2
        assert command.attempt.idempotency_key.endswith("-p0-a2")

    def test_it_may_be_written_off(self) -> None:
        life = held()
        life.wants("2026-09-15 10:00", Resolve(write_off=True))

        assert life.book == [(0, "written_off", 1)]
        assert life.subscription.status is Status.ACTIVE

    def test_a_charge_may_be_named_while_the_declined_one_cannot_be_read_and_what_does_not_fit_changes_nothing(
        self,
    ) -> None:
        life = after_a_decline()
        life.now = at("2026-09-14 21:00")
        life.elapses(Timer.RETRY)
        life.answered(refused("UnauthorizedAccess"))
        stood = life.subscription.owed.stage
        life.wants("2026-09-14 21:10", Resolve(charge_id="S01-9-9-C000077"))
        life.answered(paid(charge_id="S01-9-9-C000077", amount=Money.parse("1.00 EUR")))

        assert life.subscription.owed.stage == stood
        assert life.subscription.owed.not_counted == "it is of 1.00 EUR, and 18.40 EUR is owed"

    def test_a_charge_that_amazon_does_not_answer_about_is_not_counted_and_nothing_is_sent_again(self) -> None:
        life = begun(paid(created_at=at("2026-03-14 08:00")))
        stood = life.subscription.owed.stage
        life.wants("2026-09-14 10:00", Resolve(charge_id=CHARGE_ID))
        command = main_command(life.subscription)
        assert command is not None
        life.happens(Unanswered(command))

        assert life.subscription.owed.stage == stood
        assert life.subscription.owed.not_counted == "Amazon does not show it: OutcomeUnknown"

    def test_one_way_is_named(self) -> None:
        for ways in ({}, {"new_attempt": True, "write_off": True}, {"charge_id": CHARGE_ID, "write_off": True}):
            with pytest.raises(ValidationError, match="one is"):
                Resolve(**ways)

    def test_what_is_not_held_is_not_resolved(self) -> None:
        why = "no attempt is held"
        no(begun(paid()), Resolve(new_attempt=True), why)
        no(begun(ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id=CHARGE_ID)), Resolve(new_attempt=True), why)
        no(after_a_decline(), Resolve(charge_id=CHARGE_ID), why)

    def test_a_charge_that_is_being_read_is_awaited(self) -> None:
        life = held()
        life.wants("2026-09-14 11:00", Resolve(charge_id=CHARGE_ID))
        no(life, Resolve(new_attempt=True), f"charge {CHARGE_ID} is being read")


class TestEarlierCharge:
    """The same charge permission was billed before, by a subscription that Temporal has forgotten."""

    def test_a_charge_from_before_the_due_date_is_no_payment_and_is_named(self) -> None:
        life = begun(paid(created_at=at("2026-03-14 08:00")))

        assert life.subscription.status is Status.ON_HOLD
        assert life.subscription.last_reason == EARLIER_CHARGE
        assert life.subscription.needs_attention
        notice = life.subscription.outbox.notices[-1]
        assert (notice.type.value, notice.charge_id, notice.reason_code) == (
            "subscription.held",
            CHARGE_ID,
            EARLIER_CHARGE,
        )

    @pytest.mark.parametrize("created_at", ["2026-09-14 07:59", "2026-09-14 08:00", "2026-09-20 08:00"])
    def test_clocks_may_differ_a_little_and_a_restored_attempt_finds_its_charge(self, created_at: str) -> None:
        assert begun(paid(created_at=at(created_at))).book == [(0, "paid", 1)]

    def test_a_date_that_other_rules_of_the_zone_put_later_than_it_was_acted_on_is_no_later(self) -> None:
        begun_at = at("2026-09-14 08:00")
        pending = begun(ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id=CHARGE_ID))
        collection = pending.subscription.owed.but(due=at("2026-09-14 11:00"), begun_at=begun_at)

        assert not collection.is_of_before(paid(created_at=begun_at))
        assert collection.is_of_before(paid(created_at=at("2026-09-14 07:00")))

    def test_the_same_where_amazon_had_to_decide_first(self) -> None:
        earlier = at("2026-03-14 08:00")
        life = begun(ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id=CHARGE_ID, created_at=earlier))

        assert (life.subscription.status, life.subscription.last_reason) == (Status.ON_HOLD, EARLIER_CHARGE)

    def test_it_is_tried_anew_or_counted_all_the_same(self) -> None:
        life = begun(paid(created_at=at("2026-03-14 08:00")))
        life.wants("2026-09-14 09:00", RetryNow())
        life.elapses(Timer.RETRY)
        life.answered(paid(charge_id="S01-9-9-C000010"))
        assert life.book == [(0, "paid", 2)]

        life = begun(paid(created_at=at("2026-03-14 08:00")))
        life.wants("2026-09-14 09:00", Resolve(charge_id=CHARGE_ID))
        life.answered(paid(created_at=at("2026-03-14 08:00")))
        assert life.book == [(0, "paid", 1)]


class TestEarlierRefund:
    @pytest.mark.parametrize(
        ("created_at", "told"),
        [("2026-04-01 08:00", "refund.failed"), ("2026-09-15 09:59", "refund.completed"), (None, "refund.completed")],
    )
    def test_a_refund_of_an_older_life_gives_nothing_back_now(self, created_at: str | None, told: str) -> None:
        life = begun(paid())
        life.wants("2026-09-15 10:00", RefundPeriod(period=0))
        command = life.subscription.refunds.latest[0].next_command
        assert command is not None
        made = at(created_at) if created_at else None
        life.happens(Answered(command, RefundAnswer(state=RefundState.REFUNDED, refund_id="R-1", created_at=made)))

        notice = life.subscription.outbox.notices[-1]
        assert notice.type.value == told
        assert notice.reason_code == ("EarlierRefund" if told == "refund.failed" else None)
        assert (life.subscription.ledger.records[0].refunded is None) == (told == "refund.failed")


class TestDeclinedCharge:
    """Amazon has declined a charge, and may capture it all the same."""

    def test_it_is_read_before_another_attempt_and_what_was_captured_since_is_counted(self) -> None:
        life = after_a_decline()
        life.now = at("2026-09-14 21:00")
        life.elapses(Timer.RETRY)
        assert isinstance(life.subscription.owed.stage, CheckingCharge)

        life.answered(paid())

        assert life.book == [(0, "paid", 1)], "nobody is charged again"

    def test_where_it_is_declined_still_the_attempt_follows_at_once(self) -> None:
        life = after_a_decline()
        life.now = at("2026-09-14 21:00")
        life.elapses(Timer.RETRY)
        life.answered(declined("SoftDeclined"))

        command = main_command(life.subscription)
        assert isinstance(command, CreateCharge)
        assert (command.attempt.number, command.at_once) == (2, True)

    def test_where_amazon_does_not_show_it_no_other_is_made_and_somebody_has_to_look(self) -> None:
        life = after_a_decline()
        life.now = at("2026-09-14 21:00")
        life.elapses(Timer.RETRY)
        life.answered(refused("UnauthorizedAccess"))

        assert (life.subscription.status, life.subscription.last_reason) == (Status.ON_HOLD, "UnauthorizedAccess")
        assert life.next == (Action.READ_CHARGE, at("2026-09-14 22:00"))
        life.wants("2026-09-14 21:30", Resolve(new_attempt=True))
        life.elapses(Timer.RETRY)
        command = main_command(life.subscription)
        assert isinstance(command, CreateCharge)

    def test_where_amazon_does_not_answer_it_is_read_again_and_neither_it_nor_another_is_sent(self) -> None:
        life = after_a_decline()
        life.now = at("2026-09-14 21:00")
        life.elapses(Timer.RETRY)
        command = main_command(life.subscription)
        assert command is not None
        life.now = at("2026-09-14 22:00")
        life.happens(Unanswered(command))

        assert life.next == (Action.READ_CHARGE, at("2026-09-14 23:00"))
        assert (life.subscription.status, life.subscription.needs_attention) == (Status.ON_HOLD, True)

    def test_a_notification_about_it_has_it_read_at_once_and_changes_nothing_where_nothing_changed(self) -> None:
        life = after_a_decline()
        stood = life.subscription.owed.stage
        life.now = at("2026-09-14 12:00")
        life.happens(Refresh(Thing.CHARGE, CHARGE_ID))
        life.answered(declined("SoftDeclined"))
        assert life.subscription.owed.stage == stood

        life.happens(Refresh(Thing.CHARGE, CHARGE_ID))
        life.answered(paid())
        assert life.book == [(0, "paid", 1)]

    def test_a_cancellation_waits_for_what_became_of_it(self) -> None:
        life = after_a_decline()
        life.now = at("2026-09-14 21:00")
        life.elapses(Timer.RETRY)
        life.happens(CancelAsked("Moved away"))
        life.answered(paid())

        assert life.book == [(0, "paid", 1)]

    def test_a_decline_that_comes_as_an_error_has_no_charge_to_read(self) -> None:
        life = begun(declined("SoftDeclined"))
        life.step(Action.READ_PERMISSION, DUE, chargeable())
        life.step(Action.CHARGE, "2026-09-14 20:00", paid())

        assert life.book == [(0, "paid", 2)]


class TestPausedCollecting:
    def test_what_is_owed_goes_on_being_tried_within_a_pause_where_nobody_says_otherwise(self) -> None:
        life = after_a_decline()
        life.ask("2026-09-14 12:00", PauseSubscription())

        assert life.next == (Action.CHARGE, at("2026-09-14 21:00"))

    def test_it_waits_for_the_end_of_the_pause_where_that_was_asked_for(self) -> None:
        life = begun(declined("SoftDeclined"))
        life.step(Action.READ_PERMISSION, DUE, chargeable())
        life.ask("2026-09-14 12:00", PauseSubscription(stops_collecting=True))
        assert nothing_follows(life)
        assert life.subscription.last_reason == "Paused"

        life.ask("2026-09-24 12:00", ResumeSubscription())
        assert life.next == (Action.CHARGE, at("2026-09-24 12:00"))
        life.elapses(Timer.RETRY)
        life.answered(paid())
        assert life.book == [(0, "paid", 2)]

    def test_an_attempt_under_way_is_awaited_first(self) -> None:
        life = begun(ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id=CHARGE_ID))
        life.ask("2026-09-14 08:30", PauseSubscription(stops_collecting=True))
        assert life.next == (Action.READ_CHARGE, at("2026-09-14 09:00"))
        life.step(Action.READ_CHARGE, "2026-09-14 09:00", declined("SoftDeclined"))

        assert nothing_follows(life)
        assert life.subscription.last_reason == "Paused"

    def test_one_that_was_paid_meanwhile_stays_paid(self) -> None:
        life = begun(ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id=CHARGE_ID))
        life.ask("2026-09-14 08:30", PauseSubscription(stops_collecting=True))
        life.step(Action.READ_CHARGE, "2026-09-14 09:00", paid())

        assert (life.book, life.subscription.status) == ([(0, "paid", 1)], Status.PAUSED)


class TestWriteOff:
    def test_what_is_owed_is_not_collected_any_more_and_the_next_period_is(self) -> None:
        life = after_a_decline()
        life.wants("2026-09-14 12:00", WriteOff(period=0))

        assert life.book == [(0, "written_off", 1)]
        assert life.subscription.ledger.records[0].reason == "written off by the merchant"
        assert life.told[-1] == "period.written_off"
        assert life.next == (Action.CHARGE, at("2026-10-14 08:00"))

    def test_one_that_waits_for_its_turn_is_not_charged(self) -> None:
        life = after_a_decline()
        life.wants("2026-10-14 12:00", WriteOff(period=1))
        life.now = at("2026-10-14 12:00")
        life.elapses(Timer.RETRY)
        life.answered(paid())
        life.elapses(Timer.PERIOD)

        assert [record.outcome for record in life.subscription.ledger.records] == [
            PeriodOutcome.PAID,
            PeriodOutcome.SKIPPED,
        ]

    def test_an_attempt_under_way_is_awaited(self) -> None:
        pending = begun(ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id=CHARGE_ID))
        no(pending, WriteOff(period=0), "period: 0 is not possible now; attempt 1 has no outcome yet")
        no(held(), WriteOff(period=0), "perennial resolve")

    def test_only_what_is_owed_is_written_off(self) -> None:
        no(after_a_decline(), WriteOff(period=1), "periods that are owed can be: 0 to 0")
        no(begun(paid()), WriteOff(period=0), "periods that are owed can be: none")
