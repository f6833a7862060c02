"""What a subscription tells, as the ledger takes it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from perennial_billing.billing.money import MINOR_UNIT_DECIMALS, Money
from perennial_billing.billing.protocol.moment import Moment
from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.summary import Summary

Row = dict[str, Any]  # Any: a row's columns have different types

DIGEST_LENGTH: Final = 16
"""Hexadecimal digits; two things that happened are never taken for each other under one number."""

_FACTS: Final = (
    "type",
    "period",
    "due",
    "attempt",
    "amount",
    "charge_id",
    "refund_id",
    "dispute_id",
    "reason_code",
    "status",
    "successor",
    "request",
    "reference",
    "predecessor",
)

_LIKE_THE_NOTICE: Final = (
    "number",
    "at",
    "period",
    "due",
    "attempt",
    "charge_id",
    "refund_id",
    "dispute_id",
    "reason_code",
    "status",
    "successor",
)


@dataclass(frozen=True, slots=True)
class Told:
    """Notices that are handed on together.

    Attributes:
        charge_permission_id: whose.
        merchant_account: whose subscription it is.
        merchant_reference: the merchant's own.
        plan_id: the plan's.
        notices: oldest first.
        summary: how the subscription stands after them; None where it had ended before.
        state: all that the subscription knows then, as JSON; None where it had ended before.
        moment: when in its workflow's history it is told; None where it had ended before.
    """

    charge_permission_id: str
    merchant_account: str
    merchant_reference: str
    plan_id: str
    notices: Sequence[Notice]
    summary: Summary | None = None
    state: str | None = None
    moment: Moment | None = None


def entries_of(told: Told, recorded_at: datetime) -> Iterator[Row]:
    """The rows of what is told.

    Args:
        told: what.
        recorded_at: when it is written down (UTC, the process's clock).
    """
    for notice in told.notices:
        is_last = notice is told.notices[-1]
        written = notice.model_dump(mode="json", exclude_none=True)
        yield {
            "charge_permission_id": told.charge_permission_id,
            "digest": digest_of(notice),
            "type": notice.type.value,
            "recorded_at": recorded_at,
            "amount_minor": minor(notice.amount) if notice.amount else None,
            "currency": notice.amount.currency if notice.amount else None,
            "merchant_account": told.merchant_account,
            "merchant_reference": told.merchant_reference,
            "plan_id": told.plan_id,
            "notice": written,
            "summary": told.summary.model_dump(mode="json", exclude_none=True) if told.summary and is_last else None,
            **{name: getattr(notice, name) for name in _LIKE_THE_NOTICE},
        }


def digest_of(notice: Notice) -> str:
    """Of what a notice says has happened, not of when it was told, or what was to be done then.

    A workflow task that is lost after it told something is worked on again, a little later, and tells it again.
    """
    facts = notice.model_dump(mode="json", include=set(_FACTS), exclude_none=True)
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


def minor(money: Money) -> int:
    """An amount in its currency's minor units."""
    return int(money.amount.scaleb(MINOR_UNIT_DECIMALS[money.currency]))


def money(minor_units: int, currency: str) -> Money:
    """What `minor` was made of; also a sum, which may be more than any charge can be."""
    amount = Decimal(minor_units).scaleb(-MINOR_UNIT_DECIMALS[currency])
    return Money.zero(currency).but(amount=amount)
