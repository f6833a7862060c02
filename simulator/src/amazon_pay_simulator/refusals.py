"""How the simulator says no: Amazon's HTTP statuses, reasonCodes and error bodies."""

from types import MappingProxyType
from typing import Final

STATUS_OF: Final = MappingProxyType(
    {
        "CurrencyMismatch": 400,
        "DuplicateIdempotencyKey": 400,
        "InvalidHeaderValue": 400,
        "InvalidParameterCombination": 400,
        "InvalidParameterValue": 400,
        "InvalidRequest": 400,
        "InvalidRequestFormat": 400,
        "InvalidSandboxSimulationSpecified": 400,
        "MissingHeader": 400,
        "MissingHeaderValue": 400,
        "MissingParameterValue": 400,
        "PeriodicAmountExceeded": 400,
        "TransactionAmountExceeded": 400,
        "UnrecognizedField": 400,
        "UnauthorizedAccess": 401,
        "InvalidAccountStatus": 403,
        "InvalidAuthentication": 403,
        "InvalidAuthorizationToken": 403,
        "InvalidRequestSignature": 403,
        "ResourceNotFound": 404,
        "RequestNotSupported": 405,
        "UnsupportedOperation": 405,
        "RequestTimeout": 408,
        "AmountMismatch": 409,
        "AmazonRejected": 422,
        "ChargePermissionNotModifiable": 422,
        "CheckoutSessionCanceled": 422,
        "HardDeclined": 422,
        "InvalidChargePermissionStatus": 422,
        "InvalidChargeStatus": 422,
        "InvalidCheckoutSessionStatus": 422,
        "MFANotCompleted": 422,
        "PaymentMethodNotAllowed": 422,
        "SoftDeclined": 422,
        "TransactionCountExceeded": 422,
        "TransactionTimedOut": 422,
        "TLSVersionNotSupported": 426,
        "TooManyRequests": 429,
        "InternalServerError": 500,
        "ProcessingFailure": 500,
        "ServiceUnavailable": 503,
    }
)
"""Source: Amazon Pay API v2, "error handling"."""


class Refusal(Exception):  # noqa: N818 - an answer of the simulated Amazon Pay, not an error of ours
    """An error answer.

    Attributes:
        status: HTTP status.
        reason_code: Amazon's reasonCode.
        message: for people.
    """

    def __init__(self, reason_code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{reason_code}: {message}")
        self.status: int = STATUS_OF[reason_code] if status is None else status
        self.reason_code = reason_code
        self.message = message
