"""What each type of notice carries is said in a table, in a schema and in an example, and all three agree."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from amazon_pay_client import Region
from perennial_billing.activities.payloads import PAYLOADS, SAMPLE_PERMISSION, example_of, fields_of
from perennial_billing.activities.webhooks import message_of
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.undelivered import told_of
from tests.activities.notice_pages import PAGE, SCHEMA, page, schema_text
from tests.endpoint import check_event, every_schema


def test_the_page_and_the_schema_are_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.activities.notice_pages`"
    assert SCHEMA.read_text() == schema_text(), "run `python -m tests.activities.notice_pages`"


def test_the_schema_is_one_and_knows_every_type() -> None:
    Draft202012Validator.check_schema(every_schema())

    assert set(PAYLOADS) == set(NoticeType)
    assert {each["$ref"] for each in every_schema()["oneOf"]} == {f"#/$defs/{kind.value}" for kind in NoticeType}


@pytest.mark.parametrize("kind", NoticeType, ids=str)
def test_an_example_is_one_of_its_type_and_of_no_other(kind: NoticeType) -> None:
    event = json.loads(example_of(kind).body)

    Draft202012Validator(every_schema()).validate(event)
    check_event(event)
    always, _ = fields_of(kind)
    assert event["type"] == kind.value
    assert set(always) <= set(event["data"])
    assert event["data"]["charge_permission_id"] == SAMPLE_PERMISSION


def test_every_field_of_a_notice_is_carried_by_some_type() -> None:
    carried = {name for kind in NoticeType for names in fields_of(kind) for name in names}

    assert carried >= set(Notice.model_fields) - {"type", "at"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("type",), "period.payed"),
        (("timestamp",), None),
        (("data", "period"), None),
        (("data", "period"), "3"),
        (("data", "amount"), "14.90 EUR"),
        (("data", "amount", "amount"), 14.9),
        (("data", "number"), 2.5),
    ],
)
def test_what_is_no_notice_is_told_from_one(path: tuple[str, ...], value: Any) -> None:
    event = json.loads(example_of(NoticeType.PERIOD_PAID).body)
    *parents, last = path
    within = event
    for name in parents:
        within = within[name]
    if value is None:
        del within[last]
    else:
        within[last] = value

    assert not Draft202012Validator(every_schema()).is_valid(event)


def test_what_a_later_release_adds_is_passed_over() -> None:
    event = json.loads(example_of(NoticeType.PERIOD_PAID).body)
    event["data"]["weather"] = "rain"

    assert Draft202012Validator(every_schema()).is_valid(event)


@pytest.mark.parametrize("kind", NoticeType, ids=str)
async def test_made_anew_from_the_ledger_it_is_the_same_webhook(ledger: Ledger, kind: NoticeType) -> None:
    """So an endpoint that has seen it drops it by its id, and whoever compares bodies finds the same letters."""
    example = example_of(kind, Region.NA)
    event = json.loads(example.body)
    data = {name: value for name, value in event["data"].items() if name in Notice.model_fields}
    noticed = Notice.model_validate({"type": kind, "at": event["timestamp"], **data})
    await ledger.record(Told(SAMPLE_PERMISSION, "default", "order-1042", "tea-monthly", [noticed]))

    told = await told_of(ledger, SAMPLE_PERMISSION, noticed.number)

    assert told is not None
    again = message_of(
        told.notices[0],
        charge_permission_id=told.charge_permission_id,
        merchant_reference=told.merchant_reference,
        plan_id=told.plan_id,
        region=Region.NA,
    )
    assert again == example
