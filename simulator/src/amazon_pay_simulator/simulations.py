"""The codes of the header `x-amz-pay-simulation-code`, by operation. Source: Amazon Pay, "sandbox simulations".

The page was not read whole: codes that it is not known to have are here too where a test needs them, and one that is
not here is refused as Amazon refuses a wrong one.
"""

from types import MappingProxyType
from typing import Final

from amazon_pay_client.models import CreateChargeRequest
from amazon_pay_simulator.refusals import Refusal

DECLINES: Final = MappingProxyType(
    {
        "HardDeclined": "The payment was declined; the buyer has to update the payment method",
        "AmazonRejected": "The payment was rejected; the charge permission is closed",
        "SoftDeclined": "The payment was declined; a retry may succeed",
        "TransactionTimedOut": "There was not enough time to process the payment",
        "ProcessingFailure": "Amazon could not process the payment because of an internal error",
        "PaymentMethodNotAllowed": "The payment method is not allowed",
        "MFANotCompleted": "The buyer did not complete the authentication",
        "PeriodicAmountExceeded": "The monthly limit of the charge permission is exceeded",
    }
)
"""Answers of Create Charge that charge nobody, and what Amazon says then."""

PENDING: Final = frozenset({"AuthorizationInitiated", "CaptureInitiated"})

SIMULATIONS: Final = MappingProxyType(
    {
        "CompleteCheckoutSession": frozenset({"BuyerCanceled", "AmazonCanceled", "Declined", "AuthorizationInitiated"}),
        "CreateCharge": frozenset(DECLINES) | PENDING,
        "CaptureCharge": frozenset({"AmazonRejected", "ProcessingFailure", "CaptureInitiated"}),
        "CancelCharge": frozenset({"ExpiredUnused", "AmazonCanceled"}),
        "CloseChargePermission": frozenset({"AmazonClosed", "AmazonCanceled", "Expired"}),
        "CreateRefund": frozenset({"AmazonRejected", "ProcessingFailure"}),
    }
)


def check_simulation(operation: str, code: str | None) -> None:
    """Accepts a code for an operation; operations without any ignore the header.

    Raises:
        Refusal: InvalidSandboxSimulationSpecified.
    """
    accepted = SIMULATIONS.get(operation)
    if code is not None and accepted is not None and code not in accepted:
        raise Refusal(
            "InvalidSandboxSimulationSpecified",
            f"{code} cannot be simulated on {operation}; accepted are {', '.join(sorted(accepted))}",
        )


def check_pending(code: str, request: CreateChargeRequest) -> None:
    """An authorization pends only with a merchant who can handle that, as the prerequisites of the test cards say.

    A script may do what Amazon would not; the header may not.

    Raises:
        Refusal: InvalidSandboxSimulationSpecified.
    """
    if code == "AuthorizationInitiated" and not request.can_handle_pending_authorization:
        raise Refusal(
            "InvalidSandboxSimulationSpecified", f"{code} needs canHandlePendingAuthorization=true in the request"
        )
