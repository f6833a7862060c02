"""How the simulator says no: Amazon's HTTP statuses, reasonCodes and error bodies."""

from typing import Final

_STATUS_OF: Final = {
    "InvalidRequest": 400,
    "InvalidHeaderValue": 400,
    "InvalidParameterValue": 400,
    "MissingHeader": 400,
    "CurrencyMismatch": 400,
    "DuplicateIdempotencyKey": 400,
    "InvalidSandboxSimulationSpecified": 400,
    "PeriodicAmountExceeded": 400,
    "TransactionAmountExceeded": 400,
    "InvalidAuthentication": 403,
    "InvalidRequestSignature": 403,
    "ResourceNotFound": 404,
    "UnsupportedOperation": 405,
    "AmazonRejected": 422,
    "HardDeclined": 422,
    "InvalidChargePermissionStatus": 422,
    "InvalidChargeStatus": 422,
    "MFANotCompleted": 422,
    "PaymentMethodNotAllowed": 422,
    "SoftDeclined": 422,
    "TransactionTimedOut": 422,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ProcessingFailure": 500,
    "ServiceUnavailable": 503,
}
"""Source: Amazon Pay API v2, "error handling"."""


class Refusal(Exception):  # noqa: N818 - an answer of the simulated Amazon Pay, not an error of ours
    """An error answer.

    Attributes:
        status: HTTP status.
        reason_code: Amazon's reasonCode.
        message: for people.
    """

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(f"{reason_code}: {message}")
        self.status = _STATUS_OF[reason_code]
        self.reason_code = reason_code
        self.message = message
