"""What a notice of each type carries, and an example of it: what documents, schemas and samples are made of.

A table, as what a notice carries differs by its type alone. The schema has a version: within one, a field is never
taken away, renamed or given another meaning; fields and types may be added, so whoever reads notices passes over what
they do not know.
"""

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from amazon_pay_client import Region
from perennial_billing.activities.signatures import WebhookMessage
from perennial_billing.activities.webhooks import message_of
from perennial_billing.billing.protocol.notices import NEEDS_THE_BUYER, Notice, NoticeType

SCHEMA_VERSION: Final = 1
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

SAMPLE_PERMISSION: Final = "S00-0000000-0000000"
"""The charge permission of samples: nobody's."""

_EVERY: Final = ("number",)
_MAYBE: Final = ("next_action_at", "actor", "because")
_OF_AN_ATTEMPT: Final = ("period", "due", "amount", "attempt")
_AHEAD: Final = ("period", "due", "amount")

_CHARGE: Final = "S00-0000000-0000000-C000004"
_EXAMPLES: Final[Mapping[str, Any]] = MappingProxyType(  # Any: fields differ in type
    {
        "number": 7,
        "period": 3,
        "due": "2027-04-01T08:00:00Z",
        "amount": {"amount": "14.90", "currency": "EUR"},
        "attempt": 1,
        "charge_id": _CHARGE,
        "refund_id": "S00-0000000-0000000-R000002",
        "dispute_id": "S00-0000000-0000000-D000001",
        "reason_code": "SoftDeclined",
        "next_action_at": "2027-05-01T08:00:00Z",
        "deadline": "2027-04-22T08:00:00Z",
        "successor": "S00-0000000-0000001",
        "request": "CancelSubscription",
    }
)
_TOLD_AT: Final = datetime(2027, 4, 1, 8, 0, 2, tzinfo=UTC)

_ENVELOPE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "charge_permission_id": "Amazon's id of the charge permission: whose subscription it is.",
        "merchant_reference": "Your own reference; empty where there is none.",
        "plan_id": "The plan's id.",
        "update_url": "Amazon's page on which the buyer mends the payment method.",
    }
)


@dataclass(frozen=True, slots=True)
class Payload:
    """What a notice of one type carries beside what each does.

    Attributes:
        says: what has happened, in a sentence.
        always: fields that are there.
        maybe: fields that may be.
        example: where the example differs from the others' fields.
    """

    says: str
    always: tuple[str, ...]
    maybe: tuple[str, ...]
    example: Mapping[str, Any]  # Any: fields differ in type


def _of(
    says: str,
    always: tuple[str, ...] = (),
    maybe: tuple[str, ...] = (),
    **example: Any,  # Any: fields differ in type
) -> Payload:
    return Payload(says, always, maybe, MappingProxyType(example))


PAYLOADS: Final[Mapping[NoticeType, Payload]] = MappingProxyType(
    {
        NoticeType.SUBSCRIPTION_STARTED: _of(
            "The subscription's workflow runs.", ("amount",), number=1, next_action_at="2027-04-01T08:00:00Z"
        ),
        NoticeType.CHARGE_UPCOMING: _of("The next period falls due at `due` and costs `amount`.", _AHEAD),
        NoticeType.TRIAL_ENDING: _of("The next period is the first that costs something.", _AHEAD),
        NoticeType.RENEWAL_UPCOMING: _of("A term of a year or longer is about to be charged again.", _AHEAD),
        NoticeType.PRICE_CHANGING: _of("The next period costs otherwise than the one before.", _AHEAD),
        NoticeType.PERIOD_PAID: _of(
            "A period is paid.", ("period",), ("due", "amount", "attempt", "charge_id", "credit")
        ),
        NoticeType.PERIOD_AUTHORIZED: _of(
            "The buyer's bank agreed; capture before `deadline`.",
            ("period", "due", "amount", "charge_id", "deadline"),
            ("attempt", "credit"),
            deadline="2027-05-01T08:00:00Z",
        ),
        NoticeType.CAPTURE_FAILED: _of(
            "A capture was declined; the charge is still authorized.",
            ("period", "amount", "charge_id", "reason_code"),
            ("due", "attempt", "deadline"),
            deadline="2027-05-01T08:00:00Z",
            reason_code="TransactionAmountExceeded",
        ),
        NoticeType.PERIOD_FREE: _of(
            "A period cost nothing.",
            ("period",),
            ("due", "amount", "credit"),
            amount={"amount": "0.00", "currency": "EUR"},
        ),
        NoticeType.PERIOD_SKIPPED: _of(
            "A period was not owed; `reason` says why.",
            ("period", "reason"),
            ("due", "amount"),
            reason="the subscription was paused",
        ),
        NoticeType.PERIOD_WRITTEN_OFF: _of(
            "A period was owed, and is not collected any more.",
            ("period",),
            ("due", "amount", "attempt", "charge_id", "reason_code", "credit"),
        ),
        NoticeType.PLAN_CHANGED: _of(
            "From `due` on a period costs `amount`.",
            ("period", "due", "amount"),
            ("reason", "credited"),
            reason="another plan or quantity: tea-monthly",
        ),
        NoticeType.SUBSCRIPTION_CHANGED: _of(
            "A request was accepted of which no other notice tells.",
            ("request",),
            request="cancel",
            actor="support-desk",
            because="moving abroad",
        ),
        NoticeType.REFUND_COMPLETED: _of(
            "The money is on its way back to the buyer.",
            ("amount",),
            ("period", "charge_id", "refund_id", "reference", "reason"),
            reference="ticket-204",
            reason="",
        ),
        NoticeType.REFUND_FAILED: _of(
            "Nothing has gone back, and it is not tried again by itself.",
            ("amount",),
            ("period", "charge_id", "refund_id", "reference", "reason_code", "reason", "credited"),
            reference="ticket-204",
            reason_code="AmazonRejected",
            reason="",
        ),
        NoticeType.DISPUTE_OPENED: _of(
            "A charge is disputed; contest it in Seller Central before `deadline`.",
            ("dispute_id",),
            ("period", "amount", "charge_id", "reason_code", "status", "deadline", "reason"),
            reason_code="ProductNotReceived",
            status="ActionRequired",
            reason="",
        ),
        NoticeType.DISPUTE_CHANGED: _of(
            "Amazon has moved on with a dispute.",
            ("dispute_id",),
            ("period", "amount", "charge_id", "reason_code", "status", "deadline", "reason"),
            reason_code="ProductNotReceived",
            status="MerchantWon",
            reason="",
        ),
        NoticeType.CHARGE_PENDING: _of(
            "Amazon has not decided yet; that takes up to 24 hours.",
            _OF_AN_ATTEMPT,
            ("charge_id", "reason_code"),
            reason_code="",
        ),
        NoticeType.CHARGE_DECLINED: _of(
            "It is tried again at `next_action_at`.",
            (*_OF_AN_ATTEMPT, "reason_code"),
            ("charge_id",),
            charge_id="",
            next_action_at="2027-04-01T20:00:00Z",
        ),
        NoticeType.MONTHLY_LIMIT_REACHED: _of(
            "Amazon's limit of the calendar month is used up.",
            (*_OF_AN_ATTEMPT, "reason_code"),
            reason_code="PeriodicAmountExceeded",
        ),
        NoticeType.PAYMENT_METHOD_NEEDED: _of(
            "Only the buyer can mend the payment method, at `update_url`; also before anything is owed.",
            ("reason_code",),
            (*_OF_AN_ATTEMPT, "charge_id", "deadline"),
            reason_code="HardDeclined",
            charge_id="",
        ),
        NoticeType.PAYMENT_METHOD_REMINDER: _of(
            "The buyer has not mended it yet.",
            (*_OF_AN_ATTEMPT, "reason_code"),
            ("charge_id", "deadline"),
            reason_code="HardDeclined",
            charge_id="",
        ),
        NoticeType.PAYMENT_METHOD_MENDED: _of(
            "It can be charged again.",
            (),
            (*_OF_AN_ATTEMPT, "charge_id", "reason_code"),
            charge_id="",
            reason_code="HardDeclined",
        ),
        NoticeType.GRACE_ENDED: _of(
            "A period is still owed: the subscriber is not to have what was bought any longer.",
            _OF_AN_ATTEMPT,
            ("reason_code", "deadline"),
            reason_code="HardDeclined",
        ),
        NoticeType.SUBSCRIPTION_HELD: _of(
            "You have to look: a key, an account or a configuration is in the way, or periods were missed.",
            (),
            (*_OF_AN_ATTEMPT, "charge_id", "reason_code", "reason"),
            reason_code="InvalidAccountStatus",
            reason="",
            charge_id="",
        ),
        NoticeType.SUBSCRIPTION_UNPAID: _of(
            "A period was not paid, and is not tried any more before the buyer has mended the payment method.",
            _OF_AN_ATTEMPT,
            ("reason_code",),
            reason_code="HardDeclined",
        ),
        NoticeType.SUBSCRIPTION_PAUSED: _of(
            "Nothing that falls due meanwhile is owed.",
            ("reason",),
            ("deadline",),
            reason="on holiday",
            deadline="2027-07-01T08:00:00Z",
        ),
        NoticeType.SUBSCRIPTION_RESUMED: _of("A pause is over."),
        NoticeType.CHARGE_PERMISSION_EXPIRING: _of(
            "The charge permission expires at `deadline`, as nothing is charged before.",
            ("deadline", "reason"),
            reason="nothing is charged before, as the end of the pause is not known",
            deadline="2028-04-30T08:00:00Z",
        ),
        NoticeType.CHARGE_PERMISSION_CLOSED: _of(
            "The buyer, Amazon or its age closed it: nothing can be charged any more.",
            (),
            (*_OF_AN_ATTEMPT, "charge_id", "reason_code", "deadline"),
            reason_code="BuyerClosed",
            charge_id="",
        ),
        NoticeType.CHARGE_PERMISSION_REPLACED: _of(
            "The subscription goes on under another one: `successor`.", ("successor",)
        ),
        NoticeType.SUBSCRIPTION_CONTINUED: _of(
            "It goes on under this charge permission, from `predecessor`.",
            ("predecessor",),
            predecessor="S00-0000000-0000009",
        ),
        NoticeType.REPLACEMENT_REFUSED: _of(
            "It does not go on under `successor`, and nothing was closed.",
            ("successor", "reason"),
            ("reason_code",),
            reason="it is closed",
            reason_code="",
        ),
        NoticeType.SUBSCRIPTION_ENDED: _of(
            "It is over; `status` says how.",
            ("status", "reason"),
            ("reason_code", "credit", "items", "period", "due", "amount", "attempt"),
            status="canceled",
            reason="moved away",
            reason_code="",
            period="",
            due="",
            amount="",
            attempt="",
            next_action_at="",
        ),
    }
)
"""Of each type there is a row; what may be empty is left out of an example by an empty text."""


def fields_of(kind: NoticeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of `data` in a notice of a type: those that are always there, and those that may be."""
    payload = PAYLOADS[kind]
    always = ("charge_permission_id", "merchant_reference", "plan_id", *_EVERY, *payload.always)
    if kind in NEEDS_THE_BUYER:
        always = (*always, "update_url")
    return always, (*payload.maybe, *_MAYBE)


def example_of(kind: NoticeType, region: Region = Region.EU) -> WebhookMessage:
    """An example of a webhook of a type, about nobody's charge permission.

    Args:
        kind: which type.
        region: whose page mends a payment method.
    """
    payload = PAYLOADS[kind]
    given = {**_EXAMPLES, **payload.example}
    fields = {name: given.get(name) for name in (*_EVERY, *payload.always, *payload.maybe, *_MAYBE)}
    notice = Notice.model_validate(
        {"type": kind, "at": _TOLD_AT} | {name: each for name, each in fields.items() if each}
    )
    return message_of(
        notice,
        charge_permission_id=SAMPLE_PERMISSION,
        merchant_reference="order-1042",
        plan_id="tea-monthly",
        region=region,
    )


def schema_of(kind: NoticeType) -> dict[str, Any]:  # Any: JSON
    """The JSON Schema of a webhook's body of a type; `Money` is defined beside it."""
    always, maybe = fields_of(kind)
    known = _properties()
    return {
        "title": kind.value,
        "description": PAYLOADS[kind].says,
        "type": "object",
        "properties": {
            "type": {"const": kind.value},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {
                "type": "object",
                "properties": {name: known[name] for name in (*always, *maybe)},
                "required": list(always),
            },
        },
        "required": ["type", "timestamp", "data"],
        "examples": [json.loads(example_of(kind).body)],
    }


def schema() -> dict[str, Any]:  # Any: JSON
    """The JSON Schema of every webhook's body."""
    money = dict(Notice.model_json_schema(mode="serialization")["$defs"]["Money"])
    money["description"] = "An amount as a decimal number in a text, and its currency (ISO 4217)."
    money["properties"] = {name: {"type": "string"} for name in money["properties"]}
    del money["additionalProperties"]
    return {
        "$schema": DIALECT,
        "$id": f"urn:perennial:notices:{SCHEMA_VERSION}",
        "title": "Notices",
        "description": (
            f"Version {SCHEMA_VERSION}. Within a version nothing is taken away, renamed or given another meaning; "
            "fields and types may be added."
        ),
        "oneOf": [{"$ref": f"#/$defs/{kind.value}"} for kind in PAYLOADS],
        "$defs": {"Money": money} | {kind.value: schema_of(kind) for kind in PAYLOADS},
    }


def _properties() -> dict[str, dict[str, Any]]:  # Any: JSON
    """Of each field its schema, as the model has it, and what the model's docstring says of it."""
    said = descriptions()
    found: dict[str, dict[str, Any]] = {name: {"type": "string", "description": said[name]} for name in _ENVELOPE}
    for name, of_model in Notice.model_json_schema(mode="serialization")["properties"].items():
        others = [each for each in of_model.get("anyOf", [of_model]) if each.get("type") != "null"]
        plain = {key: value for key, value in others[0].items() if key in {"type", "format", "$ref"}}
        found[name] = plain | {"description": said[name]}
    return found


def descriptions() -> dict[str, str]:
    """What is said of each field, by its name."""
    _, _, attributes = (inspect.getdoc(Notice) or "").partition("Attributes:\n")
    rows = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", attributes, re.MULTILINE | re.DOTALL)
    in_words = {name: " ".join(text.split()) for name, text in rows}
    return {name: text[0].upper() + text[1:] for name, text in in_words.items()} | dict(_ENVELOPE)
