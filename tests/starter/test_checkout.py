"""The signed payload of a plan's button: what the buyer is asked to agree to, and what is refused before."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from amazon_pay_client import Region
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.plan import Amounts, Capture, Phase
from perennial_billing.billing.plan.texts import Texts
from perennial_billing.billing.refusals import Refused
from perennial_billing.starter.checkout import Checkout, FirstCharge, Offer, offer_of

NOW = datetime(2027, 3, 10, 8, tzinfo=UTC)
MONTH = Interval(unit=Unit.MONTH)
TEXTS = Texts(
    soft_descriptor="TEA {nth}",
    note_to_buyer="Tea from {start}",
    merchant_store_name="Tea & Sons",
    custom_information="{plan}",
)
PAGES = {"store_id": "amzn1.application-oa2-client.7", "result_return_url": "https://tea.example/thanks"}


def tea(amount: str = "13.70 USD", **fields: Any) -> Plan:
    return Plan.of("tea-monthly", Money.parse(amount), MONTH, texts=TEXTS, **fields)


def terms_of(plan: Plan, **fields: Any) -> Terms:
    return Terms(charge_permission_id="C01-0", plan=plan, anchor=NOW, merchant_reference="order-31", **fields)


def offered(terms: Terms, region: Region = Region.NA, *, is_live: bool = False, **fields: Any) -> Offer:
    return offer_of(terms, Checkout.model_validate(PAGES | fields), region, NOW, is_live=is_live)


def payload_of(offer: Offer) -> Any:
    return json.loads(offer.payload.to_json())


def test_a_plan_is_agreed_to_without_a_charge_unless_the_checkout_is_to_make_it() -> None:
    offer = offered(terms_of(tea(), quantity=2))

    assert payload_of(offer) == {
        "webCheckoutDetails": {
            "checkoutResultReturnUrl": "https://tea.example/thanks",
            "checkoutMode": "ProcessOrder",
        },
        "storeId": "amzn1.application-oa2-client.7",
        "chargePermissionType": "Recurring",
        "recurringMetadata": {
            "frequency": {"unit": "Month", "value": "1"},
            "amount": {"amount": "27.40", "currencyCode": "USD"},
        },
        "paymentDetails": {
            "paymentIntent": "Confirm",
            "chargeAmount": {"amount": "27.40", "currencyCode": "USD"},
        },
        "merchantMetadata": {
            "merchantReferenceId": "order-31",
            "merchantStoreName": "Tea & Sons",
            "noteToBuyer": "Tea from 2027-03-10",
            "customInformation": "tea-monthly",
        },
    }
    assert (str(offer.amount), offer.ledger_currency, offer.product_type) == ("27.40 USD", "USD", "PayOnly")


@pytest.mark.parametrize(
    ("capture", "details"),
    [
        (Capture.NOW, {"paymentIntent": "AuthorizeWithCapture", "softDescriptor": "TEA 1"}),
        (Capture.LATER, {"paymentIntent": "Authorize"}),
    ],
)
def test_a_checkout_that_charges_the_first_period_names_it_on_the_statement_only_where_money_is_taken(
    capture: Capture, details: dict[str, str]
) -> None:
    offer = offered(terms_of(tea(capture=capture)), first_charge="checkout")

    amount = {"chargeAmount": {"amount": "13.70", "currencyCode": "USD"}}
    assert payload_of(offer)["paymentDetails"] == details | amount


def test_a_checkout_charges_the_share_of_a_first_period_that_a_billing_day_cuts_short() -> None:
    terms = terms_of(tea("31.00 USD"), billing_day=BillingDay(day=20))

    charged = offered(terms, first_charge="checkout")

    assert str(charged.amount) == "11.07 USD", "ten of the 28 days from 20 February on"
    assert payload_of(charged)["recurringMetadata"]["amount"]["amount"] == "31.00"


def test_a_trial_is_agreed_to_with_the_amount_of_the_first_period_that_costs_something() -> None:
    trial = Phase(amount=Money.parse("0 USD"), interval=Interval(unit=Unit.WEEK), periods=2)

    offer = offered(terms_of(tea(after=[trial])))

    assert str(offer.amount) == "13.70 USD"
    assert payload_of(offer)["paymentDetails"]["paymentIntent"] == "Confirm"
    assert payload_of(offer)["merchantMetadata"]["noteToBuyer"] == "Tea from 2027-03-24"


def test_a_buyer_who_reviews_is_not_made_to_pay_at_once() -> None:
    review: dict[str, Any] = {
        "review_return_url": "https://tea.example/review",
        "cancel_return_url": "https://tea.example/cart",
    }

    web = payload_of(offered(terms_of(tea()), product_type="PayAndShip", scopes=["name"], **review))

    assert web["webCheckoutDetails"] == {
        "checkoutReviewReturnUrl": "https://tea.example/review",
        "checkoutResultReturnUrl": "https://tea.example/thanks",
        "checkoutCancelUrl": "https://tea.example/cart",
    }
    assert web["scopes"] == ["name"]


@pytest.mark.parametrize(
    ("amount", "region", "given", "ledger", "presented"),
    [
        ("13.70 USD", Region.NA, None, "USD", None),
        ("1370 JPY", Region.JP, None, "JPY", None),
        ("13.70 GBP", Region.EU, None, "GBP", None),
        ("13.70 CHF", Region.EU, "EUR", "EUR", "CHF"),
    ],
)
def test_another_currency_than_the_accounts_is_presented(
    amount: str, region: Region, given: str | None, ledger: str, presented: str | None
) -> None:
    offer = offered(terms_of(tea(amount)), region, ledger_currency=given)

    assert offer.ledger_currency == ledger
    assert payload_of(offer)["paymentDetails"].get("presentmentCurrency") == presented


FREE = Plan.of("gift", Money.parse("0 USD"), MONTH)
TRIAL = tea(after=[Phase(amount=Money.parse("0 USD"), interval=MONTH, periods=1)])
ASKED = tea().but(amounts=Amounts.ASKED)


@pytest.mark.parametrize(
    ("plan", "region", "fields", "field", "accepted"),
    [
        (FREE, Region.NA, {}, "plan", "costs something"),
        (TRIAL, Region.NA, {"first_charge": "checkout"}, "first_charge", "costs nothing"),
        (ASKED, Region.NA, {"first_charge": "checkout"}, "first_charge", "your endpoint"),
        (tea("9.10 EUR"), Region.NA, {}, "plan", "region eu"),
        (tea("9.10 CHF"), Region.EU, {}, "ledger_currency", "EUR or GBP"),
        (tea(), Region.JP, {"ledger_currency": "USD"}, "ledger_currency", "JPY"),
        (tea(), Region.NA, {"product_type": "PayAndShip"}, "review_return_url", "PayAndShip"),
    ],
    ids=str,
)
def test_what_cannot_be_offered_is_refused_by_its_field(
    plan: Plan, region: Region, fields: dict[str, Any], field: str, accepted: str
) -> None:
    with pytest.raises(Refused) as refused:
        offered(terms_of(plan), region, **fields)

    assert refused.value.field == field
    assert accepted in str(refused.value)


def test_with_real_money_buyers_are_led_over_https_alone() -> None:
    local: dict[str, Any] = {"cancel_return_url": "http://127.0.0.1:8610/cart"}

    assert (
        offered(terms_of(tea()), **local).payload.web_checkout_details.checkout_cancel_url == local["cancel_return_url"]
    )
    with pytest.raises(Refused, match=r"^cancel_return_url: 'http://127.0.0.1:8610/cart' is not accepted; .*https"):
        offered(terms_of(tea()), is_live=True, **local)


@pytest.mark.parametrize(
    "url", ["shop.example", "https://", "javascript:alert(1)", "https://a b", "ftp://tea.example/"]
)
def test_a_page_that_no_browser_can_be_led_to_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="an address of your shop"):
        Checkout.model_validate(PAGES | {"result_return_url": url})


def test_the_first_charge_is_the_subscriptions_where_nothing_is_said() -> None:
    assert Checkout.model_validate(PAGES).first_charge is FirstCharge.SUBSCRIPTION
