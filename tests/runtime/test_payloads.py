"""How values travel through Temporal: smaller than pydantic writes them, and readable by an older release."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Final, get_args

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload

from perennial_billing import activities, billing, workflows
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.runtime.payloads import JsonPayloads, Payloads
from tests.billing.support import terms

PACKAGES: Final = (activities, billing, workflows)


def models(of: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    """Everything of ours that may travel."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for model in of.__subclasses__():
        if model.__module__.startswith(tuple(f"{package.__name__}." for package in PACKAGES)):
            yield model
        yield from models(model)


def test_what_is_none_is_left_out_so_where_it_may_be_none_that_is_what_its_absence_means() -> None:
    found = {model: field for model in models() for field in model.model_fields.items()}

    wrong = [
        f"{model.__name__}.{name}"
        for model in found
        for name, field in model.model_fields.items()
        if type(None) in get_args(field.annotation) and (field.is_required() or field.default is not None)
    ]

    assert len(found) > 60
    assert wrong == []


def test_a_value_comes_back_as_it_was_and_nothing_of_it_is_none_on_the_way() -> None:
    agreed, converter = terms("2027-05-31 06:30", amount=Money.parse("1250 JPY")), JsonPayloads()

    payload = converter.to_payload(agreed)

    assert b"null" not in payload.data
    assert converter.from_payload(payload, Terms) == agreed


def test_a_field_of_a_newer_release_is_left_aside_and_a_missing_one_is_not_made_up() -> None:
    converter = JsonPayloads()
    newer = converter.to_payload({"amount": "12.75", "currency": "GBP", "exponent": -2})
    broken = converter.to_payload({"amount": "12.75"})

    assert converter.from_payload(newer, Money) == Money.parse("12.75 GBP")
    with pytest.raises(ValueError, match="currency"):
        converter.from_payload(broken, Money)


def test_what_no_type_is_asked_of_is_read_as_it_is_and_nothing_is_too_odd_to_be_read() -> None:
    converter, plain = Payloads(), {"encoding": b"json/plain"}
    odd = [
        Payload(metadata=plain, data=b"the shop closes"),
        Payload(metadata=plain, data=b'{"reason": "moved"}'),
        Payload(metadata=plain, data=b"\xff"),
        Payload(metadata={"encoding": b"json/protobuf"}, data=b"{}"),
        Payload(metadata={"encoding": b"binary/of-somebody-else"}, data=b"\x00"),
        Payload(),
    ]

    assert converter.from_payloads(odd) == ["the shop closes", {"reason": "moved"}, "\ufffd", None, None, None]
    with pytest.raises(KeyError):
        converter.from_payloads(odd[-1:], [Money])
