"""What can go wrong, one class per kind of answer that a caller handles differently.

    AmazonPayError
    ├── TransportError               no answer came: the outcome is unknown
    │   ├── InvalidAnswerError       an answer came that is not Amazon Pay's: the outcome is unknown
    │   │   └── IncompleteAnswerError  it is a success of Amazon Pay's, and does not say what came of it
    │   └── ClientUnusableError      the client is closed, or no event loop runs: nothing was sent
    └── ApiError                     Amazon Pay answered with an error
        ├── BadRequestError          400  the request is wrong
        │   └── DuplicateIdempotencyKeyError   the key was used before with another body
        ├── AccessError              401, 403  key, signature, account or merchant is wrong
        ├── NotFoundError            404  no such object in this account and environment
        ├── UnsupportedOperationError 405
        ├── AmountMismatchError      409
        ├── DeclinedError            422 and ProcessingFailure: the payment was declined
        ├── InvalidStateError        422  the object's state does not allow the operation
        ├── ThrottledError           429
        └── UnavailableError         408, 425, 426, 5xx except ProcessingFailure

Source of codes and statuses: Amazon Pay API v2, "error handling". Both are open sets: what is not listed still
becomes one of these classes, by its status.
"""

from typing import Final

DECLINE_CODES: Final = frozenset(
    {
        "SoftDeclined",
        "HardDeclined",
        "AmazonRejected",
        "ProcessingFailure",
        "TransactionTimedOut",
        "PaymentMethodNotAllowed",
        "MFANotCompleted",
        "TransactionCountExceeded",
    }
)
RETRYABLE_STATUSES: Final = frozenset({408, 425, 429})
"""Besides every 5xx: Amazon did not answer the question itself."""
_FIRST_SERVER_ERROR: Final = 500


class AmazonPayError(Exception):
    """Base of every error that this package raises after a request was built.

    Attributes:
        is_retryable: sending the same bytes with the same idempotency key again is safe and may succeed.
        retry_after_seconds: what the answer asked to wait, if it did.
    """

    is_retryable: bool = False
    retry_after_seconds: float | None = None


class TransportError(AmazonPayError):
    """No usable answer: a time limit, a lost or refused connection. Whether Amazon acted is unknown.

    Attributes:
        never_sent: no connection came about, so Amazon surely did not act.
    """

    is_retryable = True

    def __init__(self, *args: object, never_sent: bool = False) -> None:
        super().__init__(*args)
        self.never_sent = never_sent


class InvalidAnswerError(TransportError):
    """An answer that is not Amazon Pay's JSON, such as a proxy's page. Whether Amazon acted is unknown.

    Attributes:
        status: the HTTP status of that answer.
    """

    def __init__(self, message: str, status: int, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, status)
        self.status = status
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return str(self.args[0])


class IncompleteAnswerError(InvalidAnswerError):
    """A success without what decides: the object's id, or its state. Amazon acted, and what came of it is unknown.

    Every other field may be missing or unreadable without this error. Sending the same again is safe, but Amazon most
    likely answers the same again: look at the object in Seller Central, and ask Amazon's support with the request id.

    Attributes:
        missing: what is missing or cannot be read, by its path on the wire, such as `statusDetails.state`.
        request_id: `x-amz-pay-request-id`, which Amazon's support asks for.
    """

    def __init__(self, message: str, status: int, missing: tuple[str, ...] = (), request_id: str | None = None) -> None:
        super().__init__(message, status)
        self.missing = missing
        self.request_id = request_id


class ClientUnusableError(TransportError):
    """The client cannot send here: it is closed, or it is the asynchronous one and no event loop of asyncio runs.

    Nothing was sent, so Amazon surely did not act; to send the same again from here is of no use.
    """

    is_retryable = False

    def __init__(self, *args: object) -> None:
        super().__init__(*args, never_sent=True)


class ApiError(AmazonPayError):
    """Amazon Pay answered with an error.

    Attributes:
        status: HTTP status.
        reason_code: Amazon's reasonCode; an open set.
        message: Amazon's text, for people.
        request_id: `x-amz-pay-request-id`, which Amazon's support asks for.
        clock: that this machine's clock is wrong, in words, where a 401 or 403 shows that: no signature holds then.
    """

    def __init__(
        self,
        status: int,
        reason_code: str,
        message: str,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
        clock: str | None = None,
    ) -> None:
        super().__init__(status, reason_code, message, request_id, retry_after_seconds, clock)
        self.status = status
        self.reason_code = reason_code
        self.message = message
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.clock = clock

    def __str__(self) -> str:
        clock = f"; {self.clock}" if self.clock else ""
        return f"{self.status} {self.reason_code}: {self.message} (request id {self.request_id or 'unknown'}){clock}"

    @property
    def is_retryable(self) -> bool:  # type: ignore[override]  # a constant in the base, derived here
        """True for 408, 425, 429 and every 5xx, except a ProcessingFailure, which is a known outcome."""
        unknown = self.status in RETRYABLE_STATUSES or self.status >= _FIRST_SERVER_ERROR
        return unknown and self.reason_code not in DECLINE_CODES


class BadRequestError(ApiError):
    """400: the request is wrong, and will be wrong again."""


class DuplicateIdempotencyKeyError(BadRequestError):
    """400: the key was used before with other values. Never mend this with a fresh key blindly."""


class AccessError(ApiError):
    """401 or 403: key, signature, account or merchant is not what Amazon expects."""


class NotFoundError(ApiError):
    """404: no such object in this account and environment."""


class UnsupportedOperationError(ApiError):
    """405."""


class AmountMismatchError(ApiError):
    """409."""


class DeclinedError(ApiError):
    """The payment was declined: 422 with a decline's reasonCode, or 500 ProcessingFailure. A known outcome."""


class InvalidStateError(ApiError):
    """422: the object's state does not allow the operation."""


class ThrottledError(ApiError):
    """429."""


class UnavailableError(ApiError):
    """408, 425, 426 and 5xx except ProcessingFailure."""


_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    405: UnsupportedOperationError,
    408: UnavailableError,
    409: AmountMismatchError,
    422: InvalidStateError,
    425: UnavailableError,
    426: UnavailableError,
    429: ThrottledError,
}


def api_error(
    status: int,
    reason_code: str,
    message: str,
    request_id: str | None = None,
    retry_after_seconds: float | None = None,
    clock: str | None = None,
) -> ApiError:
    """Makes the error of the right class from the parts of an error answer."""
    kind: type[ApiError]
    if reason_code == "DuplicateIdempotencyKey":
        kind = DuplicateIdempotencyKeyError
    elif reason_code in DECLINE_CODES:
        kind = DeclinedError
    elif status >= _FIRST_SERVER_ERROR:
        kind = UnavailableError
    else:
        kind = _BY_STATUS.get(status, BadRequestError)
    return kind(status, reason_code, message, request_id, retry_after_seconds, clock)
