"""Whatever can be made in Python survives the wire: written, read again, it is the same object.

Hypothesis makes the objects, because a hand-written example never holds the odd amount, name or instant.
"""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from amazon_pay.models import (
    Charge,
    ChargePermission,
    ChargePermissionState,
    ChargePermissionStatusDetails,
    ChargePermissionType,
    ChargeState,
    ChargeStatusDetails,
    CreateChargeRequest,
    Currency,
    Frequency,
    Limits,
    Price,
    Reason,
    RecurringMetadata,
    WireModel,
)


def texts(limit: int) -> st.SearchStrategy[str]:
    """Anything that UTF-8 can carry."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=limit)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


Model = TypeVar("Model", bound=WireModel)


def made(model: type[Model], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Model]:
    """Objects by Python names; `st.builds` would look at the aliases and invent values for them."""
    return st.fixed_dictionaries(fields).map(model.model_validate)


def _price(currency: Currency | str, minor_units: int) -> Price:
    decimals = currency.decimals if isinstance(currency, Currency) else 4
    return Price(amount=Decimal(minor_units).scaleb(-decimals), currency_code=currency)


def prices(least: int = 0) -> st.SearchStrategy[Price]:
    """From so many minor units on."""
    return st.builds(_price, st.sampled_from(Currency) | st.just("XAU"), st.integers(least, 15_000_000_000))


PRICES = prices()
INSTANTS = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants the bounds without a zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))]),
).map(lambda instant: instant.replace(microsecond=0))
METADATA = st.fixed_dictionaries(
    {
        "merchant_reference_id": maybe(texts(256)),
        "merchant_store_name": maybe(texts(50)),
        "note_to_buyer": maybe(texts(255)),
        "custom_information": maybe(texts(300)),
    }
)
REQUESTS = made(
    CreateChargeRequest,
    charge_permission_id=texts(50),
    charge_amount=prices(1),
    capture_now=st.booleans(),
    can_handle_pending_authorization=st.booleans(),
    merchant_metadata=maybe(METADATA),
) | made(
    CreateChargeRequest,
    charge_permission_id=texts(50),
    charge_amount=prices(1),
    capture_now=st.just(value=True),
    soft_descriptor=texts(16),
)
CHARGES = made(
    Charge,
    charge_id=texts(50),
    charge_permission_id=texts(50),
    charge_amount=PRICES,
    capture_amount=maybe(PRICES),
    refunded_amount=maybe(PRICES),
    soft_descriptor=maybe(texts(30)),
    status_details=made(
        ChargeStatusDetails,
        state=st.sampled_from(ChargeState) | texts(20),
        reason_code=maybe(texts(20)),
        reason_description=maybe(texts(50)),
        last_updated_timestamp=maybe(INSTANTS),
    ),
    creation_timestamp=maybe(INSTANTS),
    expiration_timestamp=maybe(INSTANTS),
    merchant_metadata=maybe(METADATA),
    release_environment=maybe(texts(10)),
)
PERMISSIONS = made(
    ChargePermission,
    charge_permission_id=texts(50),
    charge_permission_type=st.sampled_from(ChargePermissionType) | texts(20),
    status_details=made(
        ChargePermissionStatusDetails,
        state=st.sampled_from(ChargePermissionState) | texts(20),
        reasons=maybe(
            st.lists(made(Reason, reason_code=texts(20), reason_description=maybe(texts(50))), max_size=3).map(tuple)
        ),
        last_updated_timestamp=maybe(INSTANTS),
    ),
    recurring_metadata=maybe(
        made(
            RecurringMetadata,
            frequency=made(Frequency, unit=texts(10), value=texts(3)),
            amount=maybe(PRICES),
        )
    ),
    limits=maybe(made(Limits, amount_limit=maybe(PRICES), amount_balance=maybe(PRICES))),
    creation_timestamp=maybe(INSTANTS),
    expiration_timestamp=maybe(INSTANTS),
    merchant_metadata=maybe(METADATA),
    release_environment=maybe(texts(10)),
)


@given(REQUESTS)
@settings(deadline=None)
def test_any_request_survives_the_wire(request: CreateChargeRequest) -> None:
    body = request.to_json()

    again = CreateChargeRequest.model_validate_json(body)

    assert again == request
    assert again.to_json() == body


@given(CHARGES)
@settings(deadline=None)
def test_any_charge_survives_the_wire(charge: Charge) -> None:
    assert Charge.model_validate_json(charge.to_json()) == charge


@given(PERMISSIONS)
@settings(deadline=None)
def test_any_charge_permission_survives_the_wire(permission: ChargePermission) -> None:
    assert ChargePermission.model_validate_json(permission.to_json()) == permission


@given(st.sampled_from(Currency), st.integers(0, 15_000_000_000))
def test_any_amount_is_written_with_exactly_the_decimals_of_its_currency(currency: Currency, minor_units: int) -> None:
    written = json.loads(_price(currency, minor_units).to_json())["amount"]

    assert re.fullmatch(r"\d+" if currency is Currency.JPY else r"\d+\.\d\d", written)
    assert int(written.replace(".", "")) == minor_units


@given(st.integers(0, 15_000_000_000))
def test_any_json_number_with_two_decimals_is_read_without_a_loss(minor_units: int) -> None:
    number = f"{Decimal(minor_units).scaleb(-2):f}"

    read = Price.model_validate_json(f'{{"amount": {number}, "currencyCode": "USD"}}')

    assert read.amount == Decimal(number)
