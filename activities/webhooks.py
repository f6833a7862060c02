"""The form of a notice as a webhook: the Standard Webhooks specification."""

import hashlib
import json
from datetime import UTC
from typing import Any, Final

from amazon_pay_client import Region
from perennial_billing.activities.signatures import WebhookMessage
from perennial_billing.billing.protocol.notices import NEEDS_THE_BUYER, Notice
from perennial_billing.ledger.tables import OF_THE_ENVIRONMENT

DIGEST_LENGTH: Final = 16
"""Hexadecimal digits of a webhook's id: two contents of one number are never taken for each other."""


def delivery_id(charge_permission_id: str, number: int, endpoint: str = OF_THE_ENVIRONMENT) -> str:
    """Under which a notice is delivered to an endpoint: one for each number of a subscription."""
    delivery = f"notice-{charge_permission_id}-{number}"
    return delivery if endpoint == OF_THE_ENVIRONMENT else f"{delivery}-{endpoint}"


def message_of(
    notice: Notice,
    *,
    charge_permission_id: str,
    merchant_reference: str,
    plan_id: str,
    region: Region,
    origin: str | None = None,
) -> WebhookMessage:
    """The webhook of a notice.

    Its id tells the contents as well as the number: after the database was set back to an older one, a number is told
    again with what happened then, and an endpoint that drops the ids it knows is to hear of that.

    Args:
        notice: what happened.
        charge_permission_id: whose.
        merchant_reference: the merchant's own.
        plan_id: the plan's.
        region: whose page mends a payment method.
        origin: of a simulator whose page it is instead of Amazon's.
    """
    fields = notice.model_dump(mode="json", exclude={"type", "at"}, exclude_none=True)
    data: dict[str, Any] = {  # Any: JSON
        "charge_permission_id": charge_permission_id,
        "merchant_reference": merchant_reference,
        "plan_id": plan_id,
        **fields,
    }
    if notice.type in NEEDS_THE_BUYER:
        data["update_url"] = region.payment_method_update_url(charge_permission_id, origin)
    body = json.dumps({"type": notice.type.value, "timestamp": notice.at.astimezone(UTC).isoformat(), "data": data})
    digest = hashlib.sha256(body.encode()).hexdigest()[:DIGEST_LENGTH]
    return WebhookMessage(id=f"{delivery_id(charge_permission_id, notice.number)}-{digest}", body=body)
