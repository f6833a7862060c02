"""What others may read of a subscription: enough to see how it stands and what comes next, and nobody's own words."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    SkipPeriod,
    When,
)
from perennial_billing.billing.changes import ReplacePermission as Replace
from perennial_billing.billing.contract.contract import DATES_AHEAD
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import LEDGER_LENGTH
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.plan import Amounts, Plan
from perennial_billing.billing.plan import Capture as WhenCaptured
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    RefundAnswer,
    RefundState,
    SuccessorAnswer,
)
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import HandedOn, Refresh, Thing, Unanswered
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import VIEW_VERSION, DueDate, Owed, SubscriptionView, view_of
from tests.billing.support import (
    CAPTURED,
    HARD,
    MONTHLY,
    PENDING,
    PERMISSION_ID,
    SOFT,
    Life,
    at,
    chargeable,
    closed,
    declined,
    non_chargeable,
    refused,
    terms,
)

CHARGE, READ_PERMISSION, CLOSE = Action.CHARGE, Action.READ_PERMISSION, Action.CLOSE_PERMISSION
JUNE, JULY, AUGUST = "2026-06-12 06:00", "2026-07-12 06:00", "2026-08-12 06:00"
SEVEN = Money.parse("7.00 EUR")
SECRET = "I cannot afford it since my divorce"
BROKEN = "PaymentMethodExpired"


def life(policy: CollectionPolicy | None = None, capture: WhenCaptured = WhenCaptured.NOW) -> Life:
    return Life(terms(JUNE, policy=policy or CollectionPolicy(), capture=capture))


def new() -> Life:
    return life()


def active() -> Life:
    story = life()
    story.step(CHARGE, JUNE, CAPTURED)
    return story


def charging() -> Life:
    story = life()
    story.elapses(Timer.PERIOD)
    return story


def pending() -> Life:
    story = active()
    story.step(CHARGE, JULY, PENDING)
    return story


def retrying() -> Life:
    story = active()
    story.step(CHARGE, JULY, SOFT)
    story.step(READ_PERMISSION, JULY, chargeable())
    return story


def awaiting_payment_method() -> Life:
    story = active()
    story.step(CHARGE, JULY, HARD)
    story.step(READ_PERMISSION, JULY, non_chargeable(BROKEN))
    return story


def on_hold() -> Life:
    story = active()
    story.step(CHARGE, JULY, refused("InvalidRequestSignature"))
    return story


def left_to_merchant() -> Life:
    story = active()
    story.step(CHARGE, JULY, declined("ACodeThatNobodyKnows"))
    return story


def unpaid() -> Life:
    story = life(CollectionPolicy(max_attempts=1))
    story.step(CHARGE, JUNE, SOFT)
    story.step(READ_PERMISSION, JUNE, chargeable())
    story.step(Action.FINAL_ACTION, JUNE)
    return story


def broken_between_dates() -> Life:
    story = active()
    story.signal("2026-06-20 10:00", non_chargeable(BROKEN))
    return story


def amount_unknown() -> Life:
    plan = Plan.of("metered", SEVEN, MONTHLY).but(amounts=Amounts.ASKED)
    story = Life(terms(JUNE).but(plan=plan))
    story.elapses(Timer.PERIOD)
    question = next_command(story.subscription)
    assert question is not None
    story.happens(Unanswered(question))
    return story


def paused() -> Life:
    story = active()
    story.ask("2026-06-20 10:00", PauseSubscription(until=at("2026-09-01 00:00")))
    return story


def paused_and_owing() -> Life:
    story = retrying()
    story.ask("2026-07-12 07:00", PauseSubscription())
    return story


def awaiting_checkout() -> Life:
    story = active()
    story.signal("2026-06-20 10:00", closed("BuyerClosed"))
    return story


def owing_and_awaiting_checkout() -> Life:
    story = retrying()
    story.signal("2026-07-13 10:00", closed("BuyerClosed"))
    return story


def ending() -> Life:
    story = active()
    story.cancel("2026-06-20 10:00", SECRET)
    return story


def canceled() -> Life:
    story = ending()
    story.step(CLOSE, "2026-06-20 10:00", closed("MerchantClosed"))
    return story


def written_off() -> Life:
    story = life(CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL))
    story.step(CHARGE, JUNE, SOFT)
    story.step(READ_PERMISSION, JUNE, chargeable())
    story.step(Action.FINAL_ACTION, JUNE)
    story.step(CLOSE, JUNE, closed("MerchantClosed"))
    return story


def completed() -> Life:
    story = Life(terms(JUNE, periods=1))
    story.step(CHARGE, JUNE, CAPTURED)
    story.step(CLOSE, JULY, closed("MerchantClosed"))
    return story


def lost() -> Life:
    story = awaiting_checkout()
    story.step(Action.STOP_WAITING, "2026-07-11 10:00")
    return story


def replaced() -> Life:
    story = active()
    story.wants("2026-06-20 10:00", Replace(charge_permission_id="C01-8888888-8888888"))
    story.beside(Action.READ_SUCCESSOR, "2026-06-20 10:00", chargeable())
    story.beside(Action.START_SUCCESSOR, "2026-06-20 10:00", SuccessorAnswer(started=True))
    story.step(CLOSE, "2026-06-20 10:00", closed("MerchantClosed"))
    return story


Story = Callable[[], Life]
STORIES: list[tuple[Story, Status, bool, bool, str | None]] = [
    # how it came to be, status, past due, needs attention, last reason
    (new, Status.ACTIVE, False, False, None),
    (active, Status.ACTIVE, False, False, None),
    (charging, Status.ACTIVE, False, False, None),
    (pending, Status.PENDING, False, False, None),
    (retrying, Status.RETRYING, True, False, "SoftDeclined"),
    (awaiting_payment_method, Status.AWAITING_PAYMENT_METHOD, True, True, "HardDeclined"),
    (on_hold, Status.ON_HOLD, True, True, "InvalidRequestSignature"),
    (left_to_merchant, Status.ON_HOLD, True, True, "ACodeThatNobodyKnows"),
    (unpaid, Status.UNPAID, True, True, "SoftDeclined"),
    (broken_between_dates, Status.ACTIVE, False, True, BROKEN),
    (amount_unknown, Status.ACTIVE, False, True, "AmountUnknown"),
    (paused, Status.PAUSED, False, False, None),
    (paused_and_owing, Status.RETRYING, True, False, "SoftDeclined"),
    (awaiting_checkout, Status.AWAITING_CHECKOUT, False, True, "BuyerClosed"),
    (owing_and_awaiting_checkout, Status.AWAITING_CHECKOUT, True, True, "BuyerClosed"),
    (ending, Status.ENDING, False, False, None),
    (canceled, Status.CANCELED, False, False, None),
    (written_off, Status.WRITTEN_OFF, False, False, "SoftDeclined"),
    (completed, Status.COMPLETED, False, False, None),
    (lost, Status.CLOSED, False, False, "BuyerClosed"),
    (replaced, Status.REPLACED, False, False, None),
]
NAMES = [story.__name__ for story, *_ in STORIES]


@pytest.mark.parametrize(("story", "status", "past_due", "needs_attention", "last_reason"), STORIES, ids=NAMES)
def test_how_it_stands_is_said_in_a_word_and_beside_it_whether_somebody_owes_or_has_to_look(
    story: Story, status: Status, last_reason: str | None, *, past_due: bool, needs_attention: bool
) -> None:
    view = view_of(story().subscription)

    assert (view.status, view.past_due) == (status, past_due)
    assert (view.needs_attention, view.last_reason) == (needs_attention, last_reason)
    assert view.has_ended == status.has_ended
    assert (view.version, view.charge_permission_id) == (VIEW_VERSION, PERMISSION_ID)


def test_there_is_a_story_of_each_status() -> None:
    assert {status for _, status, *_ in STORIES} == set(Status)


@pytest.mark.parametrize("story", [story for story, *_ in STORIES], ids=NAMES)
def test_a_view_survives_json_and_shows_nobodys_own_words(story: Story) -> None:
    view = view_of(story().subscription)
    written = view.model_dump_json()

    assert SubscriptionView.model_validate_json(written) == view
    assert "divorce" not in written


@pytest.mark.parametrize("story", [story for story, *_ in STORIES], ids=NAMES)
def test_what_is_done_next_is_what_the_subscription_does_next(story: Story) -> None:
    told = story()
    view = view_of(told.subscription)

    assert (view.next and (view.next.action, view.next.at)) == told.first
    if view.has_ended:
        assert (view.next, view.next_charge_at) == (None, None)


@pytest.mark.parametrize(
    ("story", "at_"),
    [
        (active, JULY),
        (retrying, None),
        (paused, None),
        (ending, None),
        (awaiting_checkout, None),
        (amount_unknown, "2026-06-12 07:00"),
    ],
)
def test_when_the_next_period_is_begun_is_told_where_nothing_else_goes_before(story: Story, at_: str | None) -> None:
    assert view_of(story().subscription).next_charge_at == (at(at_) if at_ else None)


def test_a_refund_under_way_does_not_hide_when_the_next_period_is_begun() -> None:
    told = active()
    told.wants("2026-06-20 10:00", RefundPeriod(period=0, amount=SEVEN))
    view = view_of(told.subscription)

    assert view.next is not None
    assert (view.next.action, view.next_charge_at) == (Action.REFUND, at(JULY))


def test_what_is_owed_is_shown_with_how_far_the_policy_is_used_up() -> None:
    told = retrying()

    assert view_of(told.subscription).owed == Owed(
        period=1,
        due=at(JULY),
        amount=Money.parse("9.99 EUR"),
        stage=Stage.RETRYING,
        attempts=1,
        attempts_spent=1,
        max_attempts=15,
        attempt_is_open=False,
        reason_code="SoftDeclined",
        failing_since=at(JULY),
    )
    awaited = view_of(awaiting_payment_method().subscription).owed
    assert awaited is not None
    assert awaited.deadline == at(JULY) + timedelta(days=21)


@pytest.mark.parametrize(
    ("story", "held_for", "is_open", "charge_id"),
    [
        (pending, None, True, "S01-1-1-C000002"),
        (on_hold, None, True, None),
        (left_to_merchant, "ACodeThatNobodyKnows", False, None),
        (unpaid, None, False, None),
    ],
)
def test_a_charge_whose_outcome_is_not_known_is_told_apart_from_one_that_failed(
    story: Story, held_for: str | None, charge_id: str | None, *, is_open: bool
) -> None:
    owed = view_of(story().subscription).owed

    assert owed is not None
    assert (owed.held_for, owed.attempt_is_open, owed.pending_charge_id) == (held_for, is_open, charge_id)


def test_what_runs_beside_is_shown() -> None:
    told = life(capture=WhenCaptured.LATER)
    told.step(CHARGE, JUNE, ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-7-C1"))
    told.wants("2026-06-13 10:00", Capture(period=0, amount=SEVEN))
    (waiting,) = view_of(told.subscription).to_be_captured
    assert (waiting.period, waiting.charge_id, waiting.capturing) == (0, "S01-7-C1", SEVEN)
    assert waiting.expires_at == at("2026-07-12 06:00")

    captured = ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id="S01-7-C1", captured=SEVEN)
    told.beside(Action.CAPTURE_AUTHORIZED, "2026-06-13 10:00", captured)
    told.wants("2026-06-14 10:00", RefundPeriod(period=0, amount=Money.parse("2.00 EUR"), reference="ticket-3"))
    told.beside(Action.REFUND, "2026-06-14 10:00", RefundAnswer(state=RefundState.PENDING, refund_id="S01-7-R1"))
    told.happens(Refresh(Thing.DISPUTE, "S01-7-B1"))
    told.beside(
        Action.READ_DISPUTE,
        "2026-06-14 10:00",
        DisputeAnswer(charge_id="S01-7-C1", amount=SEVEN, state="ActionRequired", reason_code="ProductNotReceived"),
    )

    view = view_of(told.subscription)
    (refund,), (dispute,) = view.refunds, view.disputes
    assert (refund.state, refund.refund_id, refund.reference) == (RefundState.PENDING, "S01-7-R1", "ticket-3")
    assert (dispute.period, dispute.amount, dispute.state) == (0, SEVEN, "ActionRequired")
    assert (view.to_be_captured, view.periods_paid) == ((), 1)
    assert view.ledger[0].amount == SEVEN


def test_what_was_agreed_and_what_is_planned_is_shown() -> None:
    told = active()
    told.ask("2026-06-20 10:00", ChangePlan(quantity=3))
    told.ask("2026-06-20 10:00", AddItem(amount=SEVEN, what="a lamp"))
    told.ask("2026-06-20 10:00", AddItem(amount=SEVEN, what="late", credit=True))
    told.ask("2026-06-20 10:00", SkipPeriod())
    told.ask("2026-06-20 10:00", PauseSubscription(when=at("2026-10-01 00:00")))
    told.ask("2026-06-20 10:00", Cancel(when=at("2026-12-01 00:00"), reason="they move to another shop"))

    view = view_of(told.subscription)

    assert (view.terms.quantity, view.agreed.quantity, view.changes) == (1, 3, ())
    assert view.amazon_untold is not None
    assert str(view.amazon_untold) == "29.97 EUR a month"
    assert [(item.what, item.amount) for item in view.items] == [("a lamp", SEVEN)]
    assert (view.credit, view.skips) == (SEVEN, (1,))
    assert view.pause is not None
    assert (view.pause.since, view.pause.has_begun) == (at("2026-10-01 00:00"), False)
    assert view.planned_end is not None
    assert view.planned_end.reason == "they move to another shop", "the merchant's own words"


def test_a_change_that_holds_from_a_later_period_on_is_told_apart_from_what_holds() -> None:
    told = retrying()
    told.ask("2026-07-12 07:00", ChangePlan(quantity=3))
    view = view_of(told.subscription)

    assert view.agreed.quantity == 1
    assert [(each.first, each.quantity) for each in view.changes] == [(2, 3)]


def test_the_due_dates_are_those_of_the_account_and_of_the_year_to_come() -> None:
    told = active()
    told.ask("2026-06-20 10:00", SkipPeriod())
    dates = view_of(told.subscription).dates

    assert dates[:3] == (
        DueDate(period=0, due=at(JUNE), owed=True),
        DueDate(period=1, due=at(JULY), owed=False),
        DueDate(period=2, due=at(AUGUST), owed=True),
    )
    assert [each.period for each in dates] == list(range(1 + DATES_AHEAD))


def test_the_due_dates_end_with_the_plan_and_begin_where_it_joined() -> None:
    agreed = terms("2020-06-12 06:00", periods=75)
    joined = Subscription.joining(agreed, next_period=72, debt=None, now=at("2026-06-01 00:00"))

    assert [each.period for each in view_of(joined).dates] == [72, 73, 74]
    assert view_of(joined).joined_with == 72


def test_no_more_due_dates_lie_behind_than_the_account_holds_records() -> None:
    told = life()
    for number in range(LEDGER_LENGTH + 4):
        due = told.subscription.schedule.due(number)
        told.step(CHARGE, f"{due:%Y-%m-%d %H:%M}", CAPTURED)
    view = view_of(told.subscription)

    assert view.dates[0].period == view.ledger[0].period == 4
    assert view.periods_paid == LEDGER_LENGTH + 4


@pytest.mark.parametrize(
    ("story", "reason", "ended_at"),
    [
        (ending, "a cancellation was asked for", None),
        (canceled, "a cancellation was asked for", at("2026-06-20 10:00")),
        (completed, "the periods of the plan are over (1)", at(JULY)),
        (written_off, "SoftDeclined: not collected in time", at(JUNE)),
        (replaced, "continued under C01-8888888-8888888", at("2026-06-20 10:00")),
    ],
)
def test_how_it_ends_is_told_but_not_why_somebody_canceled_it(
    story: Story, reason: str, ended_at: datetime | None
) -> None:
    view = view_of(story().subscription)

    assert view.ending is not None
    assert (view.ending.reason, view.ended_at) == (reason, ended_at)


def test_what_is_waited_for_is_told_with_its_deadline_and_what_comes_after() -> None:
    assert view_of(awaiting_checkout().subscription).awaits_checkout_until == at("2026-07-11 10:00")
    assert view_of(replaced().subscription).successor == "C01-8888888-8888888"
    assert view_of(active().subscription).successor is None


def test_notices_are_counted_and_not_shown() -> None:
    told = active()
    told.happens(HandedOn([1]))
    told.ask("2026-06-20 10:00", PauseSubscription())

    view = view_of(told.subscription)
    assert (view.notices_told, view.notices_waiting) == (2, 1)


def test_an_item_charged_by_itself_is_what_is_agreed_for_its_period() -> None:
    told = active()
    told.ask("2026-06-20 10:00", AddItem(amount=SEVEN, what="a lamp", when=When.NOW))
    view = view_of(told.subscription)

    assert view.agreed.once == "a lamp"
    assert [(each.first, each.once) for each in view.changes] == [(2, None)]
