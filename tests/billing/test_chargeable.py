"""Whether a charge permission can be charged as a plan needs it, before anything is begun under it."""

from datetime import datetime

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.chargeable import check_chargeable
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Phase, Plan
from perennial_billing.billing.protocol.answers import PermissionAnswer, PermissionState
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import FREE, MONTHLY, PERMISSION_ID, PRICE, at, chargeable, closed, non_chargeable, terms

NOW = at("2026-01-30 12:00")


def eur(amount: str) -> Money:
    return Money.parse(f"{amount} EUR")


def refusal(agreed: Terms, answer: PermissionAnswer, now: datetime = NOW) -> Refused:
    with pytest.raises(Refused) as refused:
        check_chargeable(Subscription.begin(agreed), answer, now)
    return refused.value


def after_free(months: int, *, paid_first: bool = False) -> Terms:
    """9.99 EUR a month, after so many months that cost nothing; a paid one may go before them."""
    first = (Phase(amount=PRICE, interval=MONTHLY, periods=1),) if paid_first else ()
    free = Phase(amount=FREE, interval=MONTHLY, periods=months)
    plan = Plan(plan_id="late", phases=(*first, free, Phase(amount=PRICE, interval=MONTHLY)))
    return Terms(charge_permission_id=PERMISSION_ID, plan=plan, anchor=at("2026-01-31 09:00"))


@pytest.mark.parametrize(
    "answer",
    [
        chargeable(),
        chargeable().but(given_for="Recurring", currency="EUR", monthly_limit=eur("9.99")),
        chargeable().but(expires_at=at("2027-02-28 12:00")),
        chargeable().but(expires_at=at("2026-01-31 09:01")),
    ],
)
def test_one_that_bears_the_plan_is_accepted_and_what_amazon_does_not_say_is_not_held_against_it(
    answer: PermissionAnswer,
) -> None:
    check_chargeable(Subscription.begin(terms()), answer, NOW)


@pytest.mark.parametrize(
    ("answer", "why", "kind"),
    [
        (closed("BuyerCanceled"), "it is closed (BuyerCanceled), for good", Kind.INVALID),
        (non_chargeable("PaymentMethodExpired"), "non_chargeable (PaymentMethodExpired)", Kind.NOT_NOW),
        (PermissionAnswer(state=PermissionState.UNKNOWN), "it cannot be charged now: unknown", Kind.NOT_NOW),
        (PermissionAnswer(state=PermissionState.UNKNOWN, refused="ResourceNotFound"), "is its id right", Kind.INVALID),
        (chargeable().but(given_for="OneTime"), "it is OneTime, not Recurring", Kind.INVALID),
        (chargeable().but(currency="USD"), "it is in USD, and the plan in EUR", Kind.INVALID),
        (chargeable().but(monthly_limit=eur("9.98")), "it allows 9.98 EUR in a calendar month", Kind.INVALID),
        (chargeable().but(expires_at=NOW), "it expired on 2026-01-30", Kind.INVALID),
        (chargeable().but(expires_at=at("2026-01-31 09:00")), "would fall due on 2026-01-31", Kind.INVALID),
    ],
)
def test_what_is_known_against_it_is_said_with_the_permission_that_was_named(
    answer: PermissionAnswer, why: str, kind: Kind
) -> None:
    refused = refusal(terms(), answer)

    assert (refused.field, refused.value, refused.kind) == ("charge_permission_id", PERMISSION_ID, kind)
    assert why in refused.accepted


def test_all_that_is_known_against_it_is_said_at_once_and_waiting_alone_does_not_mend_it() -> None:
    answer = non_chargeable("PaymentMethodExpired").but(given_for="OneTime", currency="JPY")

    refused = refusal(terms(), answer)

    assert refused.accepted == (
        "it is OneTime, not Recurring; it cannot be charged now: non_chargeable (PaymentMethodExpired); it is in JPY, "
        "and the plan in EUR"
    )
    assert refused.kind is Kind.INVALID


def test_the_limit_is_held_against_the_dearest_charge_to_come_and_not_the_first() -> None:
    cheap, dear = (Phase(amount=eur(price), interval=MONTHLY, periods=3) for price in ("1.00", "120.00"))
    plan = Plan(plan_id="machine", phases=(cheap, dear))
    agreed = Terms(charge_permission_id=PERMISSION_ID, plan=plan, anchor=at("2026-01-31 09:00"), quantity=2)

    refused = refusal(agreed, chargeable().but(monthly_limit=eur("200.00"), currency="EUR"))

    assert refused.accepted == "it allows 200.00 EUR in a calendar month, and a charge to come may cost 240.00 EUR"


def test_a_trial_that_outlasts_the_permission_is_refused_and_one_that_ends_before_is_not() -> None:
    answer = chargeable().but(expires_at=at("2027-02-28 12:00"))  # 13 months after 30 January

    check_chargeable(Subscription.begin(after_free(12)), answer, NOW)
    refused = refusal(after_free(24), answer)

    assert refused.accepted == (
        "it expires on 2027-02-28, 13 months after its last charge, and the next charge would fall due on 2028-01-31"
    )


def test_the_first_charge_renews_it_and_must_not_leave_it_to_expire_before_the_second() -> None:
    answer = chargeable().but(expires_at=at("2026-03-01 12:00"))

    check_chargeable(Subscription.begin(after_free(11, paid_first=True)), answer, NOW)
    refused = refusal(after_free(12, paid_first=True), answer)

    assert refused.accepted == (
        "it expires on 2027-02-28, 13 months after its last charge, and the next charge would fall due on 2027-02-28"
    )


def test_a_year_is_no_trouble_for_a_plan_that_is_charged_by_the_year() -> None:
    yearly = terms(interval=Interval(unit=Unit.YEAR))

    check_chargeable(Subscription.begin(yearly), chargeable().but(expires_at=at("2026-02-10 00:00")), NOW)
