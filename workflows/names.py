"""Names that the workflow shares with whoever starts, signals, searches or hosts it."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from temporalio.common import SearchAttributeKey

STATUS: Final[SearchAttributeKey[str]] = SearchAttributeKey.for_keyword("SubscriptionStatus")
NEXT_ACTION_AT: Final[SearchAttributeKey[datetime]] = SearchAttributeKey.for_datetime("NextActionAt")
PLAN: Final[SearchAttributeKey[str]] = SearchAttributeKey.for_keyword("Plan")
MERCHANT_REFERENCE: Final[SearchAttributeKey[str]] = SearchAttributeKey.for_keyword("MerchantReference")
LAST_REASON: Final[SearchAttributeKey[str]] = SearchAttributeKey.for_keyword("LastReason")
NEEDS_ATTENTION: Final[SearchAttributeKey[bool]] = SearchAttributeKey.for_bool("NeedsAttention")
PAST_DUE: Final[SearchAttributeKey[bool]] = SearchAttributeKey.for_bool("PastDue")
MERCHANT_ACCOUNT: Final[SearchAttributeKey[str]] = SearchAttributeKey.for_keyword("MerchantAccount")

SEARCH_ATTRIBUTES: Final = (
    STATUS,
    NEXT_ACTION_AT,
    PLAN,
    MERCHANT_REFERENCE,
    MERCHANT_ACCOUNT,
    LAST_REASON,
    NEEDS_ATTENTION,
    PAST_DUE,
)
"""All of them must exist in the namespace before the first subscription starts."""


SUBSCRIPTION_WORKFLOW: Final = "SubscriptionWorkflow"
"""The type of the workflow of one subscription."""

THINGS: Final[Mapping[str, str]] = MappingProxyType({"CHARGE": "charge", "REFUND": "refund", "CHARGEBACK": "dispute"})
"""What Amazon's notifications may be about beside the charge permission, by their object types; see `Thing`."""


LONGEST_SUMMARY_BYTES: Final = 400
"""Temporal's limit (`limit.userMetadataSummarySize`): a workflow that sets a longer one does not go on."""


def in_summary(text: str) -> str:
    """A text as the summary of a workflow, a timer or an activity, cut where Temporal would refuse it."""
    return text.encode(errors="replace")[:LONGEST_SUMMARY_BYTES].decode(errors="ignore")


class Call(StrEnum):
    """The operations of Amazon Pay that subscriptions call, each limited by Amazon by itself."""

    CREATE_CHARGE = "CreateCharge"
    CAPTURE_CHARGE = "CaptureCharge"
    GET_CHARGE = "GetCharge"
    CREATE_REFUND = "CreateRefund"
    GET_REFUND = "GetRefund"
    GET_DISPUTE = "GetDispute"
    GET_CHARGE_PERMISSION = "GetChargePermission"
    UPDATE_CHARGE_PERMISSION = "UpdateChargePermission"
    CLOSE_CHARGE_PERMISSION = "CloseChargePermission"


AMAZONS_NAME: Final = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,127}")
"""What ids and kinds of Amazon's look like. What looks otherwise cannot be asked for, and would be tried for ever."""

ENDED_WORKFLOW: Final = "EndedSubscriptionWorkflow"
"""The workflow type of what goes on about a subscription when it has ended."""


AMAZON_PAY_NOTIFICATION: Final = "amazon_pay_notification"
"""The signal for Amazon's notifications about a charge, a refund or a dispute."""

WAKE: Final = "wake"
"""The signal that changes nothing, and lets a run see whether another release takes over."""


def call_queue(task_queue: str, call: Call) -> str:
    """The task queue of one operation, so that its rate is limited by itself and for all workers together."""
    return f"{task_queue}-{call}"


def notices_queue(task_queue: str) -> str:
    """The task queue on which notices are delivered, so that a slow endpoint holds up nothing else."""
    return f"{task_queue}-notices"


def amounts_queue(task_queue: str) -> str:
    """The task queue on which the merchant is asked for amounts."""
    return f"{task_queue}-amounts"


def ended_workflow_id(charge_permission_id: str) -> str:
    """The workflow of what goes on about a subscription when it has ended."""
    return f"ended-{charge_permission_id}"


def workflow_id(charge_permission_id: str) -> str:
    """The workflow of a subscription. A notification carries the permission's id, so no lookup is needed."""
    return f"subscription-{charge_permission_id}"


def charge_permission_of(workflow_id: str) -> str | None:
    """Whose subscription a workflow is, or was, by its id; None where it is another workflow."""
    prefix, dash, charge_permission_id = workflow_id.partition("-")
    return charge_permission_id if dash and prefix in _OF_ONE else None


_OF_ONE: Final = frozenset({"subscription", "ended"})
