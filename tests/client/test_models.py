"""Money, instants and names on the wire: what is written must be what Amazon reads, and what Amazon adds must not hurt.

An answer that cannot be read after a successful charge is a charge of unknown outcome, so reading is generous and
writing is strict.
"""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import pytest
from pydantic import ValidationError

from amazon_pay_client.models import (
    Charge,
    ChargePermission,
    ChargePermissionState,
    ChargePermissionType,
    ChargeState,
    CloseChargePermissionRequest,
    CreateChargeRequest,
    Currency,
    Dispute,
    MerchantAccount,
    MerchantMetadata,
    Price,
    ReportsPage,
)
from tests.client.answers import DISPUTE
from tests.client.examples import CHARGE, PERMISSION

TEN_DOLLARS: Final = Price(amount=Decimal(10), currency_code=Currency.USD)


def charge(**changes: Any) -> Charge:
    return Charge.model_validate_json(json.dumps(CHARGE | changes))


def permission(**changes: Any) -> ChargePermission:
    return ChargePermission.model_validate_json(json.dumps(PERMISSION | changes))


def create(**changes: Any) -> CreateChargeRequest:
    fields: dict[str, Any] = {"charge_permission_id": "C03-1", "charge_amount": TEN_DOLLARS}
    return CreateChargeRequest.model_validate(fields | changes)


def price(amount: str, currency: str) -> Price:
    """A price as it comes in JSON; `amount` is a JSON value."""
    return Price.model_validate_json(f'{{"amount": {amount}, "currencyCode": "{currency}"}}')


def test_a_request_is_written_in_amazons_names_without_what_is_unset() -> None:
    request = create(
        capture_now=True, soft_descriptor="Perennial", merchant_metadata=MerchantMetadata(note_to_buyer="Thanks \u00fc")
    )

    assert json.loads(request.to_json()) == {
        "chargePermissionId": "C03-1",
        "chargeAmount": {"amount": "10.00", "currencyCode": "USD"},
        "captureNow": True,
        "softDescriptor": "Perennial",
        "canHandlePendingAuthorization": False,
        "merchantMetadata": {"noteToBuyer": "Thanks \u00fc"},
    }
    assert CreateChargeRequest.model_validate_json(request.to_json()).to_json() == request.to_json()


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("14", Currency.USD, "14.00"),
        ("0.1", Currency.EUR, "0.10"),
        ("1E+3", Currency.GBP, "1000.00"),
        ("500", Currency.JPY, "500"),
        ("500.00", Currency.JPY, "500"),
        ("150000.00", Currency.USD, "150000.00"),
        ("1.2345", "XAU", "1.2345"),
        ("1E+3", "XAU", "1000"),
        ("1E-7", "XAU", "0.0000001"),
    ],
)
def test_an_amount_is_a_string_in_the_currencys_minor_unit(amount: str, currency: Currency | str, written: str) -> None:
    in_python = Price(amount=Decimal(amount), currency_code=currency)

    for given in (in_python, price(f'"{amount}"', str(currency)), Price.model_validate(in_python.model_dump())):
        assert json.loads(given.to_json()) == {"amount": written, "currencyCode": str(currency)}


@pytest.mark.parametrize(("amount", "currency"), [("9.999", "USD"), ("500.5", "JPY"), ("0.001", "EUR")])
def test_more_decimals_than_the_currency_has_are_refused_with_the_amount_and_the_currency(
    amount: str, currency: str
) -> None:
    reason = f"amount: {amount} has more than [02] decimals, which {currency}"
    with pytest.raises(ValidationError, match=reason):
        Price(amount=Decimal(amount), currency_code=Currency(currency))
    with pytest.raises(ValidationError, match=reason):
        Price(amount=Decimal(amount), currency_code=currency)
    with pytest.raises(ValidationError, match=reason):
        price(f'"{amount}"', currency)


def test_a_currency_that_is_known_is_read_as_one_and_another_stays_a_string() -> None:
    for known in (price('"1"', "JPY"), Price(amount=Decimal(1), currency_code="JPY")):
        assert known.currency_code is Currency.JPY
    assert type(price('"1"', "XAU").currency_code) is str


@pytest.mark.parametrize("amount", [9.99, 10.0, float("nan"), float("inf")])
def test_a_float_is_never_an_amount_in_python(amount: float) -> None:
    with pytest.raises(ValidationError, match="an amount is never a float"):
        Price.model_validate({"amount": amount, "currency_code": "USD"})


@pytest.mark.parametrize(("number", "amount"), [("14.1", "14.10"), ("14", "14.00"), ("0.29", "0.29")])
def test_a_json_number_is_read_as_the_amount_that_it_shows(number: str, amount: str) -> None:
    assert price(number, "USD").amount == Decimal(amount)


@pytest.mark.parametrize("amount", ['"NaN"', '"Infinity"', "NaN", "1e400", '"ten"', "true", "null", '""'])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError, match="amount"):
        price(amount, "USD")


def test_an_amount_beyond_reason_is_refused() -> None:
    with pytest.raises(ValidationError, match="is too large"):
        Price(amount=Decimal("1E+40"), currency_code=Currency.USD)


def test_a_timestamp_is_an_instant_in_utc_and_is_written_as_it_came() -> None:
    read = charge()

    assert read.creation_timestamp == datetime(2023, 10, 26, 6, 28, 27, tzinfo=UTC)
    assert json.loads(read.to_json())["creationTimestamp"] == "20231026T062827Z"


def test_a_timestamp_of_another_zone_is_written_in_utc_in_whole_seconds() -> None:
    local = datetime(2026, 1, 1, 8, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=9)))

    written = Charge.model_validate(CHARGE | {"creationTimestamp": local}).to_json()
    assert json.loads(written)["creationTimestamp"] == "20251231T233015Z"


@pytest.mark.parametrize("value", ["20231326T062827Z", "2023-10-26T06:28:27", "yesterday"])
def test_a_timestamp_without_a_zone_or_sense_is_refused_with_its_field(value: str) -> None:
    with pytest.raises(ValidationError, match="creationTimestamp"):
        charge(creationTimestamp=value)


def test_a_field_that_amazon_adds_later_is_kept_and_written_back() -> None:
    read = charge(loyalty={"a": [1, 2]}, webCheckoutDetails={"b": "c"})

    assert read.model_extra == {"loyalty": {"a": [1, 2]}}
    assert json.loads(read.to_json())["loyalty"] == {"a": [1, 2]}
    assert json.loads(read.to_json())["webCheckoutDetails"] == {"b": "c"}


def test_a_documented_value_of_an_enumeration_is_read_as_one() -> None:
    assert charge().status_details.state is ChargeState.AUTHORIZED
    assert permission().status_details.state is ChargePermissionState.NON_CHARGEABLE
    assert permission().charge_permission_type is ChargePermissionType.RECURRING


def test_a_value_that_amazon_adds_to_an_enumeration_is_kept_as_a_plain_string() -> None:
    kept = [
        charge(statusDetails={"state": "Pondering"}).status_details.state,
        permission(statusDetails={"state": "Dormant"}).status_details.state,
        permission(chargePermissionType="Seasonal").charge_permission_type,
    ]

    assert kept == ["Pondering", "Dormant", "Seasonal"]
    assert {type(value) for value in kept} == {str}


def test_a_permission_is_read_with_its_reasons_limits_and_frequency() -> None:
    read = permission()

    assert read.status_details.reasons is not None
    assert [reason.reason_code for reason in read.status_details.reasons] == ["PaymentMethodExpired"]
    assert read.recurring_metadata is not None
    assert (read.recurring_metadata.frequency.unit, read.recurring_metadata.frequency.value) == ("Variable", "0")
    assert read.limits is not None
    assert read.limits.amount_limit == Price(amount=Decimal(100000), currency_code=Currency.JPY)
    assert read.limits.amount_balance is None


@pytest.mark.parametrize(
    ("request_of", "field", "limit"),
    [
        (lambda text: create(soft_descriptor=text, capture_now=True), "soft_descriptor", 16),
        (lambda text: create(merchant_metadata={"merchant_store_name": text}), "merchant_store_name", 50),
        (lambda text: create(merchant_metadata={"note_to_buyer": text}), "note_to_buyer", 255),
        (lambda text: create(merchant_metadata={"merchant_reference_id": text}), "merchant_reference_id", 256),
        (lambda text: create(merchant_metadata={"custom_information": text}), "custom_information", 4096),
        (lambda text: CloseChargePermissionRequest(closure_reason=text), "closure_reason", 255),
    ],
)
def test_a_text_of_a_request_may_have_its_full_length_and_not_one_character_more(
    request_of: Any, field: str, limit: int
) -> None:
    assert "x" * limit in request_of("x" * limit).to_json().decode()
    with pytest.raises(ValidationError, match=f"{field}\n.*at most {limit} characters"):
        request_of("x" * (limit + 1))


def test_a_soft_descriptor_needs_a_capture_and_a_closure_needs_a_reason() -> None:
    with pytest.raises(ValidationError, match="softDescriptor: is accepted only together with captureNow=true"):
        create(soft_descriptor="Perennial")
    with pytest.raises(ValidationError, match="closure_reason"):
        CloseChargePermissionRequest(closure_reason="")


@pytest.mark.parametrize("field", ["captureNov", "merchant_metadata.noteToByer"])
def test_a_misspelt_field_is_refused_in_a_request_at_any_depth(field: str) -> None:
    outer, _, inner = field.partition(".")

    with pytest.raises(ValidationError, match=f"{field}\n.*not permitted"):
        create(**{outer: {inner: "x"} if inner else True})


def test_an_answer_is_read_even_where_it_is_longer_than_a_request_may_be() -> None:
    texts = {"merchantStoreName": "x" * 51, "noteToBuyer": "x" * 256, "customInformation": "x" * 4097}

    read = charge(merchantMetadata=texts, softDescriptor="AMZ* " + "x" * 16)

    assert json.loads(read.to_json())["merchantMetadata"] == texts


ONE_EURO: Final = Price(amount=Decimal(1), currency_code=Currency.EUR)


@pytest.mark.parametrize(
    ("amount", "rate", "read_amount", "read_rate"),
    [
        ({"amount": "1.00", "currencyCode": "EUR"}, 1.0837, ONE_EURO, Decimal("1.0837")),
        ({"amount": 1, "currencyCode": "EUR"}, "1.0837", ONE_EURO, Decimal("1.0837")),
        ("12.34", "1", Decimal("12.34"), Decimal(1)),
        (12.34, 1, Decimal("12.34"), Decimal(1)),
        (None, None, None, None),
    ],
    ids=["official .NET SDK", "price in numbers", "Amazon's sample", "numbers", "nothing converted"],
)
def test_a_converted_amount_and_its_rate_are_read_in_every_form_in_which_they_were_seen(
    amount: Any, rate: Any, read_amount: Price | Decimal | None, read_rate: Decimal | None
) -> None:
    read = Charge.from_answer(json.dumps(CHARGE | {"convertedAmount": amount, "conversionRate": rate}))

    assert (read.converted_amount, read.conversion_rate, read.unread) == (read_amount, read_rate, {})
    assert Charge.from_answer(read.to_json()) == read


def test_a_field_that_cannot_be_read_is_none_and_kept_as_it_came_beside_those_that_nobody_knows() -> None:
    odd = {"captureAmount": {"amount": "much", "currencyCode": "USD"}, "loyalty": 7, "creationTimestamp": "yesterday"}

    read = Charge.from_answer(json.dumps(CHARGE | odd))

    assert (read.capture_amount, read.creation_timestamp) == (None, None)
    assert read.unread == {"captureAmount": odd["captureAmount"], "creationTimestamp": "yesterday"}
    assert read.model_extra == odd
    assert {name: json.loads(read.to_json())[name] for name in odd} == odd


def test_a_list_is_read_without_the_items_that_cannot_be_and_kept_as_it_came() -> None:
    reasons = [None, {"reasonCode": "PaymentMethodExpired"}, {"reasonDescription": "no code"}, "words"]

    read = ChargePermission.from_answer(
        json.dumps(PERMISSION | {"statusDetails": {"state": "NonChargeable", "reasons": reasons}})
    )

    assert [reason.reason_code for reason in read.status_details.reasons or ()] == ["PaymentMethodExpired"]
    assert read.unread == {"statusDetails.reasons": reasons}
    assert json.loads(read.to_json())["statusDetails"]["reasons"] == reasons


def test_what_says_nothing_is_no_loss() -> None:
    nulls = {"recurringMetadata": {"frequency": None, "amount": None}, "primeMembershipTypes": [None]}

    read = ChargePermission.from_answer(json.dumps(PERMISSION | nulls | {"buyer": {"primeMembershipTypes": [None]}}))

    assert (read.recurring_metadata, read.unread) == (None, {})


def test_a_number_where_a_text_is_expected_is_read_as_the_text() -> None:
    read = Charge.from_answer(json.dumps(CHARGE | {"chargeId": 123, "platformId": 7}))

    assert (read.charge_id, read.platform_id, read.unread) == ("123", "7", {})


def test_what_could_not_be_read_is_not_shown_in_a_log_line() -> None:
    hidden = {"authorizationToken": {"secret": "e30"}, "uniqueReferenceId": ["private"]}

    account = MerchantAccount.from_answer(json.dumps({"merchantAccountId": "A1"} | hidden))
    details = ChargePermission.from_answer(
        json.dumps(PERMISSION | {"statusDetails": {"state": "Closed", "reasons": ["private"]}})
    )

    assert account.unread == hidden
    assert "e30" not in repr(account)
    assert "private" not in f"{account!r}{details!r}"


@pytest.mark.parametrize("field", [{"conversionRate": {"rate": 1}}, {"creationTimestamp": "yesterday"}])
def test_what_is_validated_without_being_an_answer_is_checked_strictly(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Charge.model_validate_json(json.dumps(CHARGE | field))
    with pytest.raises(ValidationError):
        Charge.model_validate(CHARGE | field)


def test_a_dispute_is_read_with_its_times_in_seconds_milliseconds_or_texts() -> None:
    (seconds, milliseconds, compact, text) = (
        Dispute.from_answer(json.dumps(DISPUTE | {"filingTimestamp": filed})).filing_timestamp
        for filed in (1767225600, 1767225600000, "20260101T000000Z", "2026-01-01T09:00:00+09:00")
    )

    assert {seconds, milliseconds, compact, text} == {datetime(2026, 1, 1, tzinfo=UTC)}


def test_the_token_of_the_next_page_is_not_left_aside_as_a_list_would_end_before_its_end() -> None:
    with pytest.raises(ValidationError, match="nextToken"):
        ReportsPage.from_answer(json.dumps({"reports": [], "nextToken": {"token": "2"}}))
