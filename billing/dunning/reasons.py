"""What each reasonCode means for collecting a period. A table: one row a code.

Source: Amazon Pay, "manage recurring payments" and "error handling". The codes are an open set: one that is not
listed means that an operator has to look, and never crashes anything.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Meaning(StrEnum):
    """What an answer that is not a success means."""

    SOFT = "soft"
    """May pass by itself: retry on the soft schedule while the permission is chargeable."""
    PROCESSING = "processing"
    """Amazon's own trouble: retry soon while the permission is chargeable."""
    PAYMENT_METHOD = "payment_method"
    """Only the buyer can mend it: no attempts until the payment method was changed."""
    MONTHLY_LIMIT = "monthly_limit"
    """The permission's limit of this calendar month is used up: the next month, and no attempt is spent."""
    PERMISSION_GONE = "permission_gone"
    """The permission cannot be charged any more."""
    ASK_PERMISSION = "ask_permission"
    """The permission's own state says what it is."""
    OPERATOR = "operator"
    """Our fault or the account's: held in plain sight, asked again slowly with the same key."""


CHARGE_REASONS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "SoftDeclined": Meaning.SOFT,
        "TransactionTimedOut": Meaning.SOFT,
        "ProcessingFailure": Meaning.PROCESSING,
        "HardDeclined": Meaning.PAYMENT_METHOD,
        "PaymentMethodNotAllowed": Meaning.PAYMENT_METHOD,
        "MFANotCompleted": Meaning.PAYMENT_METHOD,
        "PeriodicAmountExceeded": Meaning.MONTHLY_LIMIT,
        "AmazonRejected": Meaning.PERMISSION_GONE,
        "InvalidChargePermissionStatus": Meaning.ASK_PERMISSION,
        # A charge that was pending or authorized and then canceled; nothing was captured.
        "ExpiredUnused": Meaning.SOFT,
        "AmazonCanceled": Meaning.SOFT,
        "BuyerCanceled": Meaning.SOFT,
        "MerchantCanceled": Meaning.OPERATOR,
        "ChargePermissionCanceled": Meaning.PERMISSION_GONE,
        # The merchant's request, key or account is in the way; nobody was asked for money.
        **dict.fromkeys(
            (
                "AmountMismatch",
                "CurrencyMismatch",
                "DuplicateIdempotencyKey",
                "InvalidAPIVersion",
                "InvalidAccountStatus",
                "InvalidAuthentication",
                "InvalidAuthorizationToken",
                "InvalidChargeStatus",
                "InvalidHeaderValue",
                "InvalidParameterCombination",
                "InvalidParameterValue",
                "InvalidRequest",
                "InvalidRequestFormat",
                "InvalidRequestSignature",
                "InvalidSandboxSimulationSpecified",
                "MissingHeader",
                "MissingHeaderValue",
                "MissingParameterValue",
                "RequestNotSupported",
                "ResourceNotFound",
                "TLSVersionNotSupported",
                "TransactionAmountExceeded",
                "TransactionCountExceeded",
                "UnauthorizedAccess",
                "UnrecognizedField",
                "UnsupportedOperation",
            ),
            Meaning.OPERATOR,
        ),
    }
)
"""Why a charge was declined or refused. 408, 425, 429 and 5xx but for ProcessingFailure are no answers and not here."""

PERMISSION_REASONS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "PaymentMethodInvalid": Meaning.PAYMENT_METHOD,
        "PaymentMethodDeleted": Meaning.PAYMENT_METHOD,
        "PaymentMethodExpired": Meaning.PAYMENT_METHOD,
        "PaymentMethodNotAllowed": Meaning.PAYMENT_METHOD,
        "PaymentMethodNotSet": Meaning.PAYMENT_METHOD,
        "BillingAddressDeleted": Meaning.PAYMENT_METHOD,
        "MFAFailed": Meaning.PAYMENT_METHOD,
        # An earlier charge is not finished: look again on the quick schedule.
        "ChargeInProgress": Meaning.PROCESSING,
        # The plan's amount does not fit the permission.
        "AmountNotSet": Meaning.OPERATOR,
        "TransactionAmountExceeded": Meaning.OPERATOR,
    }
)
"""Why a permission is NonChargeable."""


TIMED_OUT: Final = "TransactionTimedOut"
"""Amazon had not enough time: it has, where a pending authorization is accepted."""


def meaning_of_charge(reason_code: str | None) -> Meaning:
    """What a declined or refused charge means."""
    return CHARGE_REASONS.get(reason_code or "", Meaning.OPERATOR)


def meaning_of_non_chargeable(reason_codes: tuple[str, ...]) -> Meaning:
    """What a NonChargeable permission means; a reason that only the buyer can mend goes before the others."""
    meanings = {PERMISSION_REASONS.get(code, Meaning.OPERATOR) for code in reason_codes}
    for meaning in (Meaning.PAYMENT_METHOD, Meaning.PROCESSING):
        if meaning in meanings:
            return meaning
    return Meaning.OPERATOR


NO_REASON: Final = "none"
OTHER_REASON: Final = "other"


def counted_as(reason_code: str | None) -> str:
    """A reason code as metrics have it: codes that nobody here knows are one, as what Amazon sends is an open set."""
    if not reason_code:
        return NO_REASON
    return reason_code if reason_code in CHARGE_REASONS or reason_code in PERMISSION_REASONS else OTHER_REASON
