"""Whatever can be made in Python survives the wire: written, read again, it is the same object.

Hypothesis makes the objects of every model, because a hand-written example never holds the odd amount, name or
instant.
"""

import json
import re
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amazon_pay_client.models import Currency, Price, WireModel
from tests.client.any_model import EVERY_MODEL, any_of, price


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model.__name__)
@given(data=st.data())
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_object_of_any_model_survives_the_wire(model: type[WireModel], data: st.DataObject) -> None:
    made = data.draw(any_of(model))
    written = made.to_json()

    again = model.model_validate_json(written)

    assert again == made
    assert again.to_json() == written


@given(st.sampled_from(Currency), st.integers(0, 15_000_000_000))
def test_any_amount_is_written_with_exactly_the_decimals_of_its_currency(currency: Currency, minor_units: int) -> None:
    written = json.loads(price(currency, minor_units).to_json())["amount"]

    assert re.fullmatch(r"\d+" if currency is Currency.JPY else r"\d+\.\d\d", written)
    assert int(written.replace(".", "")) == minor_units


@given(st.integers(0, 15_000_000_000))
def test_any_json_number_with_two_decimals_is_read_without_a_loss(minor_units: int) -> None:
    number = f"{Decimal(minor_units).scaleb(-2):f}"

    read = Price.model_validate_json(f'{{"amount": {number}, "currencyCode": "USD"}}')

    assert read.amount == Decimal(number)
