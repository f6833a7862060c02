"""What a request would come to is told by applying it and throwing the result away."""

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ResumeSubscription,
    RetryNow,
    SkipPeriod,
    When,
)
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.forecast.drive import perform, success
from perennial_billing.billing.forecast.preview import DryRun, Upcoming, dry_run, upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Amounts, Phase, Plan
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from tests.billing.support import CAPTURED, FREE, MONTHLY, SOFT, Life, at, chargeable, terms

MARCH, MID = "2026-03-01 10:00", "2026-03-16 10:00"
"""Half of March, which has 31 days, is left: 16 of them."""
THIRTY_ONE = Money.parse("31.00 EUR")
CHARGE = Action.CHARGE


def begun() -> Life:
    """31.00 EUR on the first of each month; March is paid."""
    life = Life(terms(MARCH).but(plan=Plan.of("daily", THIRTY_ONE, MONTHLY)))
    life.step(CHARGE, MARCH, CAPTURED)
    return life


def tried(life: Life, request: Request, when: str = MID) -> DryRun:
    """What it would come to; that nothing was changed by trying."""
    before = life.subscription.model_dump_json()
    found = dry_run(life.subscription, request, at(when))
    assert life.subscription.model_dump_json() == before
    assert DryRun.model_validate_json(found.model_dump_json()) == found
    return found


def shown(charges: tuple[Upcoming, ...]) -> list[tuple[str, str]]:
    """Day and amount."""
    return [(f"{each.at:%m-%d}", str(each.amount.amount)) for each in charges]


AS_IT_IS = [("04-01", "31.00"), ("05-01", "31.00"), ("06-01", "31.00"), ("07-01", "31.00")]


def test_a_dearer_plan_now_is_shown_with_what_is_charged_at_once_and_next() -> None:
    gold = Plan.of("gold", Money.parse("62.00 EUR"), MONTHLY)
    found = tried(begun(), ChangePlan(plan=gold, when=When.NOW))

    assert found.effective_at == at(MID)
    assert shown(found.charged_now) == [("03-16", "16.00")], "32.00 for the rest, 16.00 of them are paid"
    assert shown(found.upcoming) == [("04-01", "62.00"), ("05-01", "62.00"), ("06-01", "62.00"), ("07-01", "62.00")]
    assert shown(found.before) == AS_IT_IS


def test_a_cheaper_plan_now_is_charged_nothing_until_its_credit_is_used_up() -> None:
    small = Plan.of("small", Money.parse("7.75 EUR"), MONTHLY)
    found = tried(begun(), ChangePlan(plan=small, when=When.NOW))

    assert shown(found.charged_now) == [("03-16", "0.00")]
    assert shown(found.upcoming)[:3] == [("04-01", "0.00"), ("05-01", "3.50"), ("06-01", "7.75")]


def test_a_plan_at_the_renewal_charges_nothing_now() -> None:
    found = tried(begun(), ChangePlan(quantity=2))

    assert (found.effective_at, found.charged_now) == (at("2026-04-01 10:00"), ())
    assert shown(found.upcoming)[:2] == [("04-01", "62.00"), ("05-01", "62.00")]


@pytest.mark.parametrize(
    ("item", "now", "later"),
    [
        (AddItem(amount=THIRTY_ONE, what="a box", when=When.NOW), [("03-16", "31.00")], AS_IT_IS),
        (AddItem(amount=THIRTY_ONE, what="a box"), [], [("04-01", "62.00"), *AS_IT_IS[1:]]),
        (AddItem(amount=THIRTY_ONE, what="late", credit=True), [], [("04-01", "0.00"), *AS_IT_IS[1:]]),
    ],
)
def test_an_item_is_shown_where_it_is_charged(
    item: AddItem, now: list[tuple[str, str]], later: list[tuple[str, str]]
) -> None:
    found = tried(begun(), item)

    assert (shown(found.charged_now), shown(found.upcoming)[:4]) == (now, later)
    assert shown(found.before) == AS_IT_IS


def test_an_item_charged_now_is_told_in_its_own_words() -> None:
    (charge,) = tried(begun(), AddItem(amount=THIRTY_ONE, what="a box", when=When.NOW)).charged_now

    assert (charge.period, charge.due, charge.why) == (1, at(MID), "a box")


def test_a_pause_charges_nothing_more() -> None:
    found = tried(begun(), PauseSubscription())

    assert (found.effective_at, found.charged_now, found.upcoming) == (at(MID), (), ())
    assert shown(found.before) == AS_IT_IS


def test_a_pause_with_an_end_is_shown_with_what_comes_after() -> None:
    found = tried(begun(), PauseSubscription(until=at("2026-05-15 00:00")))

    assert shown(found.upcoming)[:2] == [("06-01", "31.00"), ("07-01", "31.00")]


def test_resuming_may_charge_at_once() -> None:
    life = begun()
    life.ask(MID, PauseSubscription(when=When.RENEWAL))
    life.now = life.subscription.schedule.due(1)
    life.elapses(Timer.PAUSE)
    found = tried(life, ResumeSubscription(keeps_anchor=False), "2026-07-20 10:00")

    assert shown(found.charged_now) == [("07-20", "31.00")]
    assert shown(found.upcoming)[:1] == [("08-20", "31.00")]
    assert found.before == ()


def test_a_skipped_period_is_left_out() -> None:
    found = tried(begun(), SkipPeriod())

    assert (found.effective_at, shown(found.upcoming)[0]) == (at("2026-04-01 10:00"), ("05-01", "31.00"))


@pytest.mark.parametrize(
    ("when", "effective_at", "later"),
    [
        (When.NOW, MID, []),
        (When.RENEWAL, "2026-04-01 10:00", []),
        (at("2026-05-02 00:00"), "2026-05-02 00:00", [("04-01", "31.00"), ("05-01", "31.00")]),
    ],
)
def test_a_cancellation_is_shown_with_what_is_still_charged_before(
    when: When, effective_at: str, later: list[tuple[str, str]]
) -> None:
    found = tried(begun(), Cancel(when=when))

    assert (found.effective_at, found.charged_now) == (at(effective_at), ())
    assert shown(found.upcoming) == later
    assert shown(found.before) == AS_IT_IS


def test_another_billing_day_is_shown_with_its_short_period() -> None:
    found = tried(begun(), ChangeBillingDay(billing_day=BillingDay(day=16)))

    assert shown(found.upcoming)[:3] == [("04-01", "15.00"), ("04-16", "31.00"), ("05-16", "31.00")]


def test_what_is_owed_and_tried_again_is_charged_now() -> None:
    life = begun()
    life.step(CHARGE, "2026-04-01 10:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-04-01 10:00", chargeable())
    found = tried(life, RetryNow(), "2026-04-01 11:00")

    assert found.effective_at is None
    assert [(each.period, each.why) for each in found.charged_now] == [(1, "the merchant asked to try again")]
    assert [f"{each.at:%m-%d %H:%M}" for each in found.before][:2] == ["04-01 22:00", "05-01 10:00"]


def test_money_that_goes_back_changes_no_charge() -> None:
    found = tried(begun(), RefundPeriod(period=0))

    assert (found.effective_at, found.charged_now) == (None, ())
    assert found.upcoming[:4] == found.before


def test_an_amount_that_the_merchant_says_is_shown_at_its_most() -> None:
    life = Life(terms(MARCH).but(plan=Plan.of("metered", THIRTY_ONE, MONTHLY).but(amounts=Amounts.ASKED)))
    found = tried(life, ChangePlan(quantity=2), "2026-02-20 10:00")

    assert str(found.upcoming[0].amount) == "62.00 EUR"
    assert found.upcoming[0].why.endswith("at most, your endpoint says so when it falls due")


def test_a_free_phase_is_shown_as_one() -> None:
    trial = Phase(amount=FREE, interval=MONTHLY, periods=2)
    life = Life(terms(MARCH).but(plan=Plan.of("daily", THIRTY_ONE, MONTHLY, after=[trial])))
    life.step(CHARGE, MARCH)
    found = tried(life, SkipPeriod(), MID)

    assert shown(found.before)[:2] == [("04-01", "0.00"), ("05-01", "31.00")]
    assert shown(found.upcoming)[:1] == [("05-01", "31.00")]


@pytest.mark.parametrize(
    ("request_", "why", "kind"),
    [
        (ResumeSubscription(), "resume: the subscription is not paused by request", Kind.NOT_NOW),
        (RetryNow(), "retry: nothing is owed; next: period 1 falls due", Kind.NOT_NOW),
        (Capture(period=0), "period: 0 is not possible now; it has no authorized charge", Kind.NOT_NOW),
        (RefundPeriod(period=4), "period: 4 is not accepted; it is not in the account", Kind.INVALID),
        (Cancel(when=at("2026-03-15 00:00")), "when: 2026-03-15T00:00:00.* is not accepted", Kind.INVALID),
        (ChangePlan(quantity=1_000_000), "quantity: 1000000 is not accepted; at most 322580 units", Kind.INVALID),
    ],
)
def test_what_would_be_refused_is_refused(request_: Request, why: str, kind: Kind) -> None:
    life = begun()
    before = life.subscription

    with pytest.raises(Refused, match=why) as refusal:
        dry_run(life.subscription, request_, at(MID))
    assert refusal.value.kind is kind
    assert life.subscription == before


@pytest.mark.parametrize(
    "request_",
    [
        ChangePlan(plan=Plan.of("gold", Money.parse("62.00 EUR"), MONTHLY), when=When.NOW),
        ChangePlan(quantity=3),
        AddItem(amount=THIRTY_ONE, what="a box", when=When.NOW),
        AddItem(amount=THIRTY_ONE, what="late", credit=True),
        PauseSubscription(until=at("2026-05-15 00:00")),
        Cancel(when=at("2026-05-02 00:00")),
        ChangeBillingDay(billing_day=BillingDay(day=16)),
        SkipPeriod(),
    ],
    ids=lambda request_: str(request_.kind),
)
def test_what_is_told_is_what_is_shown_once_it_was_asked_for(request_: Request) -> None:
    life = begun()
    found = tried(life, request_)

    assert life.ask(MID, request_) == found.effective_at
    count = len(found.charged_now) + len(found.upcoming)
    assert upcoming(life.subscription, count, at(MID)) == [*found.charged_now, *found.upcoming]


@pytest.mark.parametrize(
    "wish",
    [
        AddItem(amount=Money.parse("5.50 EUR"), what="a scarf", when=When.NOW, reference="order-88"),
        RefundPeriod(period=0, amount=Money.parse("1.20 EUR"), reference="order-88"),
    ],
)
def test_what_was_asked_for_before_under_its_reference_would_charge_and_change_nothing_more(wish: Request) -> None:
    life = begun()
    life.wants(MID, wish)
    while (command := next_command(life.subscription)) is not None and command.at <= at(MID):
        life.subscription = perform(life.subscription, command, at(MID), success)

    found = tried(life, wish)

    assert found.charged_now == ()
    assert shown(found.upcoming)[:4] == shown(found.before) == AS_IT_IS


def test_another_wish_under_a_reference_that_is_known_would_be_refused() -> None:
    life = begun()
    life.wants(MID, RefundPeriod(period=0, amount=Money.parse("1.20 EUR"), reference="order-88"))

    with pytest.raises(Refused, match="another refund") as told:
        tried(life, RefundPeriod(period=0, amount=Money.parse("2.10 EUR"), reference="order-88"))
    assert told.value.kind is Kind.CONFLICT
