"""A charge permission expires thirteen months after its last charge: foreseen, refused where known, and told before."""

from datetime import timedelta
from typing import Final

import pytest

from perennial_billing.billing.calendar import Interval, Unit, permission_expiry
from perennial_billing.billing.changes import AddItem, Cancel, ChangePlan, PauseSubscription, SkipPeriod, When
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.expiry import expiry_warning, next_charge_at
from perennial_billing.billing.forecast.preview import dry_run, upcoming
from perennial_billing.billing.machine import ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Phase, Plan
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.events import Started
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from tests.billing.support import CAPTURED, FREE, PERMISSION_ID, PRICE, Life, at, chargeable, terms, unreadable

YEARLY: Final = Interval(unit=Unit.YEAR)
MONTHLY: Final = Interval(unit=Unit.MONTH)


def free_first(months: int, interval: Interval = MONTHLY) -> Plan:
    """Some free months, and then a price."""
    free, paid = Phase(amount=FREE, interval=MONTHLY, periods=months), Phase(amount=PRICE, interval=interval)
    return Plan(plan_id="trial", phases=(free, paid))


def agreed_on(plan: Plan, anchor: str = "2026-01-10 09:00") -> Terms:
    return Terms(charge_permission_id=PERMISSION_ID, plan=plan, anchor=at(anchor), zone="UTC")


def paid_once(interval: Interval, anchor: str = "2026-01-10 09:00") -> Life:
    """A subscriber whose first period was paid when it fell due."""
    life = Life(terms(anchor, interval=interval))
    life.happens(Started())
    life.step(Action.CHARGE, anchor, CAPTURED)
    return life


def asked(life: Life, request: Request, when: str) -> Subscription:
    """The subscription after a request."""
    life.now = at(when)
    return ask(life.subscription, request, life.now)


@pytest.mark.parametrize(
    ("charged", "expires"),
    [
        ("2026-01-10 09:00", "2027-02-10 09:00"),
        ("2026-01-31 09:00", "2027-02-28 09:00"),
        ("2027-01-31 23:59", "2028-02-29 23:59"),
        ("2026-12-01 00:00", "2028-01-01 00:00"),
    ],
)
def test_a_permission_expires_thirteen_months_after_its_last_charge(charged: str, expires: str) -> None:
    assert permission_expiry(at(charged)) == at(expires)


def test_each_charge_renews_it_and_what_amazon_says_counts() -> None:
    life = paid_once(MONTHLY)
    assert view_of(life.subscription).permission_expires_at == at("2027-02-10 09:00")

    life.signal("2026-01-20 09:00", chargeable().but(expires_at=at("2027-02-09 00:00")))
    assert view_of(life.subscription).permission_expires_at == at("2027-02-09 00:00")
    life.signal("2026-01-21 09:00", unreadable())
    assert view_of(life.subscription).permission_expires_at == at("2027-02-09 00:00")

    life.step(Action.CHARGE, "2026-02-10 09:00", CAPTURED)
    assert view_of(life.subscription).permission_expires_at == at("2027-03-10 09:00")


@pytest.mark.parametrize("interval", [MONTHLY, YEARLY, Interval(unit=Unit.DAY, count=366), Interval(unit=Unit.WEEK)])
def test_whoever_is_charged_in_time_has_no_timer_for_it(interval: Interval) -> None:
    life = paid_once(interval)

    assert next_charge_at(life.subscription) == life.subscription.schedule.due(1)
    assert life.first == (Action.CHARGE, life.subscription.schedule.due(1))


@pytest.mark.parametrize(
    ("interval", "request_", "charge", "expires"),
    [
        (YEARLY, SkipPeriod(), "2028-01-10", "2027-02-10"),
        (YEARLY, PauseSubscription(until=at("2027-01-11 00:00")), "2028-01-10", "2027-02-10"),
        (MONTHLY, PauseSubscription(until=at("2026-02-01 00:00") + timedelta(days=430)), "2027-04-10", "2027-02-10"),
        (MONTHLY, PauseSubscription(until=at("2027-03-01 00:00"), keeps_anchor=False), "2027-03-10", "2027-02-10"),
        (MONTHLY, AddItem(amount=Money.parse("139.86 EUR"), what="a present", credit=True), "2027-04-10", "2027-02-10"),
    ],
)
def test_what_would_leave_the_next_charge_too_late_is_refused_and_says_until_when(
    interval: Interval, request_: Request, charge: str, expires: str
) -> None:
    life = paid_once(interval)

    with pytest.raises(Refused) as refused:
        asked(life, request_, "2026-02-01 00:00")

    assert refused.value.field == request_.kind
    assert f"would fall due on {charge}" in str(refused.value)
    assert f"expires on {expires}" in str(refused.value)
    with pytest.raises(Refused):
        dry_run(life.subscription, request_, life.now)


@pytest.mark.parametrize(
    ("interval", "request_", "charge"),
    [
        (MONTHLY, SkipPeriod(), "2026-03-10 09:00"),
        (YEARLY, PauseSubscription(until=at("2027-01-10 09:00")), "2027-01-10 09:00"),
        (MONTHLY, PauseSubscription(until=at("2027-01-10 09:00")), "2027-01-10 09:00"),
        (MONTHLY, PauseSubscription(until=at("2026-12-30 00:00"), keeps_anchor=False), "2027-01-08 09:00"),
        (MONTHLY, AddItem(amount=Money.parse("99.90 EUR"), what="a present", credit=True), "2026-12-10 09:00"),
        (MONTHLY, ChangePlan(plan=free_first(24), when=When.RENEWAL), "2026-02-10 09:00"),  # no second trial
    ],
)
def test_what_leaves_a_charge_in_time_is_accepted(interval: Interval, request_: Request, charge: str) -> None:
    life = paid_once(interval)

    assert next_charge_at(asked(life, request_, "2026-02-01 00:00")) == at(charge)


def test_a_cancellation_before_it_expires_needs_no_charge() -> None:
    life = paid_once(YEARLY)
    life.wants("2026-02-01 00:00", Cancel(when=When.RENEWAL))

    assert next_charge_at(life.subscription) is None
    assert life.first == (Action.CANCEL, at("2027-01-10 09:00"))


def test_a_pause_without_an_end_is_accepted_and_told_of_four_weeks_before() -> None:
    life = paid_once(MONTHLY)
    life.subscription = asked(life, PauseSubscription(), "2026-02-01 00:00")

    life.beside(Action.TELL_OF_EXPIRY, "2027-01-13 09:00")
    life.beside(Action.READ_PERMISSION, "2027-01-13 09:00", chargeable())
    life.beside(Action.TELL_OF_EXPIRY, "2027-01-13 09:00")

    notice = life.subscription.outbox.notices[-1]
    assert (notice.type, notice.deadline) == (NoticeType.CHARGE_PERMISSION_EXPIRING, at("2027-02-10 09:00"))
    assert life.first is None, "once"


def test_what_amazon_says_when_it_is_asked_moves_what_is_told() -> None:
    life = paid_once(MONTHLY)
    life.subscription = asked(life, PauseSubscription(), "2026-02-01 00:00")

    life.beside(Action.TELL_OF_EXPIRY, "2027-01-13 09:00")
    life.beside(Action.READ_PERMISSION, "2027-01-13 09:00", chargeable().but(expires_at=at("2027-04-01 00:00")))
    life.beside(Action.TELL_OF_EXPIRY, "2027-03-04 00:00")

    assert life.subscription.outbox.notices[-1].deadline == at("2027-04-01 00:00")
    assert life.first is None


def test_the_plan_preview_says_that_the_permission_will_have_expired() -> None:
    told = upcoming(Subscription.begin(agreed_on(free_first(24))), 26, at("2026-01-10 09:00"))

    assert [charge.period for charge in told if "expired on 2027-02-10" in charge.why] == [24]
    assert (told[24].due, "expired" in told[25].why) == (at("2028-01-10 09:00"), False)


@pytest.mark.parametrize(
    ("plan", "warned"),
    [
        (free_first(24), "period 24 is charged on 2028-01-10, and the charge permission expires on 2027-02-10"),
        (free_first(13), "period 13 is charged on 2027-02-10, and the charge permission expires on 2027-02-10"),
        (free_first(12), None),
        (free_first(12, YEARLY), None),
        (Plan.of("free", FREE, MONTHLY), None),
        (
            Plan(
                plan_id="present",
                phases=(
                    Phase(amount=PRICE, interval=MONTHLY, periods=2),
                    Phase(amount=FREE, interval=YEARLY, periods=2),
                    Phase(amount=PRICE, interval=MONTHLY),
                ),
            ),
            "period 4 is charged on 2028-03-10, and the charge permission expires on 2027-03-10",
        ),
        (
            Plan(
                plan_id="present",
                phases=(
                    Phase(amount=PRICE, interval=YEARLY, periods=1),
                    Phase(amount=FREE, interval=MONTHLY, periods=1),
                    Phase(amount=PRICE, interval=YEARLY),
                ),
            ),
            "period 2 is charged on 2027-02-10, and the charge permission expires on 2027-02-10",
        ),
    ],
)
def test_a_plan_with_too_long_a_time_without_a_charge_is_warned_of(plan: Plan, warned: str | None) -> None:
    warning = expiry_warning(agreed_on(plan))

    assert (warning or "")[: len(warned or "")] == (warned or "")
    assert (warning is None) is (warned is None)


@pytest.mark.parametrize("plan", [free_first(3), free_first(24), Plan.of("paid", PRICE, YEARLY)])
@pytest.mark.parametrize(
    "requests",
    [
        (),
        (SkipPeriod(),),
        (AddItem(amount=Money.parse("12.00 EUR"), what="a present", credit=True),),
        (AddItem(amount=Money.parse("5.00 EUR"), what="more"),),
        (PauseSubscription(until=at("2026-08-01 00:00")),),
        (PauseSubscription(until=at("2026-08-01 00:00"), keeps_anchor=False),),
        (Cancel(when=at("2026-07-01 00:00")),),
    ],
)
def test_the_next_charge_is_the_first_that_a_forecast_makes(plan: Plan, requests: tuple[Request, ...]) -> None:
    life = Life(agreed_on(plan))
    life.now = at("2026-01-01 00:00")
    life.happens(Started())
    for request in requests:
        life.wants("2026-01-01 00:00", request)

    charges = [each.due for each in upcoming(life.subscription, 60, life.now) if not each.amount.is_zero]

    assert next_charge_at(life.subscription) == next(iter(charges), None)
