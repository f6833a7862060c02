"""What a caller does next hangs on the class of an error and on whether the same bytes may be sent again.

The table is Amazon Pay's list of statuses and reason codes; both are open sets, so unknown ones are tested too.
"""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amazon_pay_client.errors import (
    DECLINE_CODES,
    AccessError,
    AmazonPayError,
    AmountMismatchError,
    ApiError,
    BadRequestError,
    DeclinedError,
    DuplicateIdempotencyKeyError,
    InvalidAnswerError,
    InvalidStateError,
    NotFoundError,
    ThrottledError,
    TransportError,
    UnavailableError,
    UnsupportedOperationError,
    api_error,
)

FINAL: Final = False
RETRYABLE: Final = True

# Status, reason codes, class, and whether sending the same again may succeed.
TABLE: Final[list[tuple[int, str, type[ApiError], bool]]] = [
    (400, "InvalidHeaderValue InvalidRequest InvalidParameterValue InvalidRequestFormat", BadRequestError, FINAL),
    (400, "MissingHeader MissingHeaderValue MissingParameterValue UnrecognizedField", BadRequestError, FINAL),
    (400, "InvalidParameterCombination InvalidAPIVersion CurrencyMismatch", BadRequestError, FINAL),
    (400, "InvalidSandboxSimulationSpecified", BadRequestError, FINAL),
    (400, "DuplicateIdempotencyKey", DuplicateIdempotencyKeyError, FINAL),
    (400, "TransactionAmountExceeded PeriodicAmountExceeded", BadRequestError, FINAL),
    (401, "UnauthorizedAccess", AccessError, FINAL),
    (403, "InvalidAuthentication InvalidAccountStatus", AccessError, FINAL),
    (403, "InvalidRequestSignature InvalidAuthorizationToken", AccessError, FINAL),
    (404, "ResourceNotFound", NotFoundError, FINAL),
    (405, "UnsupportedOperation RequestNotSupported", UnsupportedOperationError, FINAL),
    (408, "RequestTimeout", UnavailableError, RETRYABLE),
    (409, "AmountMismatch", AmountMismatchError, FINAL),
    (422, "SoftDeclined HardDeclined AmazonRejected TransactionTimedOut", DeclinedError, FINAL),
    (422, "PaymentMethodNotAllowed MFANotCompleted TransactionCountExceeded", DeclinedError, FINAL),
    (422, "InvalidChargePermissionStatus InvalidChargeStatus", InvalidStateError, FINAL),
    (422, "InvalidCheckoutSessionStatus CheckoutSessionCanceled", InvalidStateError, FINAL),
    (422, "ChargePermissionNotModifiable", InvalidStateError, FINAL),
    (426, "TLSVersionNotSupported", UnavailableError, FINAL),
    (429, "TooManyRequests", ThrottledError, RETRYABLE),
    (500, "InternalServerError", UnavailableError, RETRYABLE),
    (500, "ProcessingFailure", DeclinedError, FINAL),
    (503, "ServiceUnavailable", UnavailableError, RETRYABLE),
]
# The same for a reason code that nobody has heard of.
BY_STATUS: Final[list[tuple[int, type[ApiError], bool]]] = [
    (400, BadRequestError, FINAL),
    (401, AccessError, FINAL),
    (403, AccessError, FINAL),
    (404, NotFoundError, FINAL),
    (405, UnsupportedOperationError, FINAL),
    (408, UnavailableError, RETRYABLE),
    (409, AmountMismatchError, FINAL),
    (418, BadRequestError, FINAL),
    (422, InvalidStateError, FINAL),
    (425, UnavailableError, RETRYABLE),
    (426, UnavailableError, FINAL),
    (429, ThrottledError, RETRYABLE),
    (500, UnavailableError, RETRYABLE),
    (502, UnavailableError, RETRYABLE),
    (503, UnavailableError, RETRYABLE),
    (504, UnavailableError, RETRYABLE),
    (599, UnavailableError, RETRYABLE),
]


@pytest.mark.parametrize(
    ("status", "reason_code", "kind", "is_retryable"),
    [(status, code, kind, again) for status, codes, kind, again in TABLE for code in codes.split()],
)
def test_each_documented_error_has_its_class_and_its_retryability(
    status: int, reason_code: str, kind: type[ApiError], *, is_retryable: bool
) -> None:
    error = api_error(status, reason_code, "some text")

    assert type(error) is kind
    assert error.is_retryable is is_retryable


@pytest.mark.parametrize(("status", "kind", "is_retryable"), BY_STATUS)
def test_an_unknown_reason_code_is_classed_by_its_status(
    status: int, kind: type[ApiError], *, is_retryable: bool
) -> None:
    error = api_error(status, "NeverHeardOf", "some text")

    assert type(error) is kind
    assert error.is_retryable is is_retryable


@given(status=st.integers(400, 599), reason_code=st.sampled_from(sorted(DECLINE_CODES)))
def test_a_decline_is_a_known_outcome_under_any_status(status: int, reason_code: str) -> None:
    error = api_error(status, reason_code, "some text")

    assert type(error) is DeclinedError
    assert not error.is_retryable


@given(status=st.integers(400, 599), reason_code=st.text(), message=st.text())
def test_any_status_and_code_become_an_error_that_keeps_what_amazon_said(
    status: int, reason_code: str, message: str
) -> None:
    error = api_error(status, reason_code, message, "request-1", 2.5)

    assert isinstance(error, ApiError)
    assert (error.status, error.reason_code, error.message) == (status, reason_code, message)
    assert (error.request_id, error.retry_after_seconds) == ("request-1", 2.5)


def test_an_error_reads_as_one_line_with_the_id_that_amazons_support_asks_for() -> None:
    assert str(api_error(422, "SoftDeclined", "no luck", "request-1")) == (
        "422 SoftDeclined: no luck (request id request-1)"
    )
    assert str(api_error(422, "SoftDeclined", "no luck")) == "422 SoftDeclined: no luck (request id unknown)"


def test_the_answer_that_never_came_is_retryable_and_is_not_an_answer() -> None:
    unreadable = InvalidAnswerError("a proxy's page", 502)

    assert TransportError("no answer").is_retryable
    assert unreadable.is_retryable
    assert unreadable.status == 502
    assert isinstance(unreadable, TransportError)
    assert not issubclass(TransportError, ApiError)


@pytest.mark.parametrize("kind", [TransportError, InvalidAnswerError, ApiError, DeclinedError, ThrottledError])
def test_one_class_catches_everything(kind: type[Exception]) -> None:
    assert issubclass(kind, AmazonPayError)


def test_a_duplicate_idempotency_key_is_caught_as_a_bad_request_and_a_decline_is_not() -> None:
    assert issubclass(DuplicateIdempotencyKeyError, BadRequestError)
    assert not issubclass(DeclinedError, BadRequestError | InvalidStateError | UnavailableError)
