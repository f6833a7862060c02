"""One call of an operation, without any I/O: how its request is made, and what came of it. Whoever sends it knows
neither, so that what is awaited and what blocks are the same."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from amazon_pay_client.answers import JsonAnswer, error_of, json_answer
from amazon_pay_client.errors import ClientUnusableError, TransportError
from amazon_pay_client.exchanges import Stopwatch
from amazon_pay_client.headers import checked_headers
from amazon_pay_client.models.wire import RequestModel
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.errors import NeverSentError
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.paths import Resource, resource_at
from amazon_pay_client.regions import Endpoint
from amazon_pay_client.retry import may_be_repeated
from amazon_pay_client.signing import IDEMPOTENCY_HEADER, SignatureAuth, canonical_query
from amazon_pay_client.time_limits import OperationKind, TimeLimits

Answer = TypeVar("Answer")
Request = TypeVar("Request", bound=RequestModel)

LARGEST_ANSWER_BYTES: Final = 2 * 1024 * 1024
"""Of one answer of Amazon's. The largest that is documented is a list of 100 reports or report documents of under 1 KB
each (Amazon Pay API v2, "reports"); a report itself is fetched from the address that the answer names."""

_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Answer]):
    """What a caller asks for.

    Attributes:
        method: upper case.
        to: from `resource`.
        read: makes the result of a successful answer; see `model_of` and `nothing`.
        kind: decides the time limit; GET reads and everything else writes unless it is given.
        query: decoded names and values; sent in the order in which they are signed.
        body: a model, the exact bytes, or None for an empty body.
        idempotency_key: the caller's.
        headers: the caller's.
        also_success: statuses besides 2xx that the operation answers with.
    """

    method: str
    to: Resource
    read: Callable[[httpx.Response], Answer]
    kind: OperationKind | None = None
    query: Sequence[tuple[str, str]] = ()
    body: RequestModel | bytes | None = None
    idempotency_key: str | None = None
    headers: Mapping[str, str] | None = None
    also_success: Collection[int] = ()


def any_call(
    method: str,
    path: str,
    *,
    query: Mapping[str, str],
    body: RequestModel | Mapping[str, Any] | bytes | None,
    idempotency_key: str | None,
    headers: Mapping[str, str] | None,
) -> Call[JsonAnswer]:
    """A call that no model knows. What a POST does is not known either, so it has the time of a payment.

    Raises:
        ValueError: the method or the path is none, or the body is not JSON.
    """
    if method.upper() not in _METHODS:
        raise ValueError(f"method: {method!r} is none of the API; accepted are {', '.join(sorted(_METHODS))}")
    if not isinstance(body, (RequestModel, Mapping, bytes, type(None))):
        raise ValueError(f"body: a {type(body).__name__} was given; a dict, a model or bytes are accepted")
    return Call(
        method=method.upper(),
        to=resource_at(path),
        read=json_answer,
        kind=OperationKind.PAYMENT if method.upper() == "POST" else None,
        query=list(query.items()),
        body=json_of(body) if isinstance(body, Mapping) else body,
        idempotency_key=idempotency_key,
        headers=headers,
        also_success=(HTTPStatus.SEE_OTHER,),
    )


def json_of(body: Mapping[str, Any], field: str = "body") -> bytes:
    """A dict as JSON; a `Decimal` as a string, as Amazon writes amounts.

    Raises:
        ValueError: something in it has no form in JSON.
    """

    def text(value: object) -> str:
        if isinstance(value, Decimal):
            return f"{value:f}"
        raise ValueError(f"a {type(value).__name__} has no form in JSON; give it as a string")

    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=text).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{field}: it cannot be written as JSON ({error})") from None


def request_of(model: type[Request], given: Request | Mapping[str, Any], field: str = "request") -> Request:
    """The request that a caller gave: the model itself, or a dict with Amazon's names or Python's.

    Raises:
        ValueError: it is neither, or the dict does not make one. The message names fields, and none of their values.
    """
    if isinstance(given, model):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{field}: a {type(given).__name__} was given; a {model.__name__} or a dict of its fields is needed"
        )
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'all'}: {each['msg']}" for each in error.errors())
        raise ValueError(f"{field}: the dict is no {model.__name__} ({wrong})") from None


class Prepared(Generic[Answer]):
    """A call that can be sent, as often as its caller lets it: each time with a new date and signature."""

    def __init__(
        self,
        call: Call[Answer],
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes,
        bounds: Bounds,
        auth: SignatureAuth,
    ) -> None:
        self._call = call
        self._url = url
        self._headers = headers
        self._content = content
        self._bounds = bounds
        self._auth = auth

    def request(self) -> httpx.Request:
        """The bytes of one sending, signed now."""
        call = self._call
        return httpx.Request(
            call.method,
            self._url,
            headers=self._auth.headers_for(call.method, self._url, self._headers, self._content),
            content=self._content,
            extensions=self._bounds.extensions,
        )

    def stopwatch(self) -> Stopwatch:
        """Runs from now on, until one sending is over."""
        return Stopwatch(self._call.method, self._call.to.name)

    def result(self, answer: httpx.Response) -> Answer:
        """What the answer says.

        Raises:
            ApiError: it is an error.
            InvalidAnswerError: it is not Amazon Pay's.
        """
        if answer.is_success or answer.status_code in self._call.also_success:
            return self._call.read(answer)
        raise error_of(answer)

    def failure(self, error: Exception) -> TransportError:
        """What it is for the caller that no answer came, whatever was thrown."""
        what = f"{self._call.method} {self._call.to.name}"
        if isinstance(error, NeverSentError):
            return ClientUnusableError(f"{what}: not sent: {error}")
        if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
            return TransportError(f"{what}: no answer within {self._bounds.seconds:g} s")
        return TransportError(
            f"{what}: no answer ({type(error).__name__}: {error})", never_sent=isinstance(error, _NEVER_SENT)
        )

    def may_be_repeated(self, error: BaseException) -> bool:
        """Whether it may be sent again after this error."""
        return may_be_repeated(error, method=self._call.method, has_idempotency_key=IDEMPOTENCY_HEADER in self._headers)


class Preparation:
    """Makes what is sent of what is asked for. One for each client; it sends nothing itself.

    Args:
        auth: signs.
        endpoint: where Amazon is.
        time_limits: by the kind of operation.
        headers: of every request, by lower-case name; those of a call come before them.
    """

    def __init__(
        self, auth: SignatureAuth, endpoint: Endpoint, time_limits: TimeLimits, headers: Mapping[str, str]
    ) -> None:
        self._auth = auth
        self._endpoint = endpoint
        self._time_limits = time_limits
        self._headers = headers

    def of(self, call: Call[Answer]) -> Prepared[Answer]:
        """The call, ready to be sent.

        Raises:
            ValueError: a header, the idempotency key or the address cannot be sent.
        """
        headers = {**self._headers, **checked_headers(call.headers, call.idempotency_key)}
        query = canonical_query(call.query)
        address = self._endpoint.url(call.to.path) + (f"?{query}" if query else "")
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise ValueError(f"{call.method} {call.to.name}: the address cannot be sent ({error})") from None
        kind = call.kind or (OperationKind.READ if call.method == "GET" else OperationKind.WRITE)
        bounds = Bounds(
            seconds=self._time_limits.of(kind),
            connect_seconds=self._time_limits.connect_seconds,
            answer_bytes=LARGEST_ANSWER_BYTES,
        )
        body = call.body
        content = body.to_json() if isinstance(body, RequestModel) else body or b""
        return Prepared(call, url, headers, content, bounds, self._auth)
