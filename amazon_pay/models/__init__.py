"""Typed requests and answers: Python names here, Amazon's names on the wire."""

from amazon_pay.models.charge_permissions import (
    ChargePermission,
    ChargePermissionState,
    ChargePermissionStatusDetails,
    ChargePermissionType,
    CloseChargePermissionRequest,
    Frequency,
    Limits,
    Reason,
    RecurringMetadata,
)
from amazon_pay.models.charges import Charge, ChargeState, ChargeStatusDetails, CreateChargeRequest
from amazon_pay.models.common import AnsweredMetadata, MerchantMetadata, StatusDetails
from amazon_pay.models.wire import Currency, Price, RequestModel, Timestamp, WireModel

__all__ = [
    "AnsweredMetadata",
    "Charge",
    "ChargePermission",
    "ChargePermissionState",
    "ChargePermissionStatusDetails",
    "ChargePermissionType",
    "ChargeState",
    "ChargeStatusDetails",
    "CloseChargePermissionRequest",
    "CreateChargeRequest",
    "Currency",
    "Frequency",
    "Limits",
    "MerchantMetadata",
    "Price",
    "Reason",
    "RecurringMetadata",
    "RequestModel",
    "StatusDetails",
    "Timestamp",
    "WireModel",
]
