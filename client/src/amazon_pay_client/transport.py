"""How one request goes out and its answer comes back: bytes, signature, time limits, repetition, errors."""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from amazon_pay_client import clock
from amazon_pay_client.errors import ApiError, IncompleteAnswerError, InvalidAnswerError, TransportError, api_error
from amazon_pay_client.headers import checked_headers
from amazon_pay_client.models.leniency import missing_fields
from amazon_pay_client.models.wire import RequestModel, WireModel
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.regions import Endpoint
from amazon_pay_client.retry import Retry, may_be_repeated
from amazon_pay_client.signing import IDEMPOTENCY_HEADER, REQUEST_ID_HEADER, SignatureAuth, canonical_query
from amazon_pay_client.time_limits import OperationKind, TimeLimits

Model = TypeVar("Model", bound=WireModel)
Answer = TypeVar("Answer")

LONGEST_ID: Final = 1000
"""Characters. The longest identifier that is documented is a buyer token (Amazon Pay API v2, "buyer")."""

_OF_ACCESS: Final = frozenset({401, 403})
"""Statuses of a request that is not believed: the clock, which is signed, may be why."""

LARGEST_ANSWER_BYTES: Final = 2 * 1024 * 1024
"""Of one answer of Amazon's. The largest that is documented is a list of 100 reports or report documents of under 1 KB
each (Amazon Pay API v2, "reports"); a report itself is fetched from the address that the answer names."""

_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def segment(identifier: str, field: str = "id") -> str:
    """An id as one segment of a path.

    Raises:
        ValueError: the id is empty or a dot segment, which would address another resource, or cannot be sent. The
            message names the field; a long id is not repeated in it, because it can be a token.
    """
    if identifier in {"", ".", ".."}:
        raise ValueError(f"{field}: {identifier!r} addresses another resource; the id of an object is needed")
    if len(identifier) > LONGEST_ID:
        raise ValueError(f"{field}: it has {len(identifier)} characters; at most {LONGEST_ID} are accepted")
    try:
        return quote(identifier, safe="")
    except UnicodeEncodeError:
        raise ValueError(f"{field}: it holds half a surrogate pair, which cannot be sent") from None


@dataclass(frozen=True, slots=True)
class Resource:
    """What a request addresses below the API's version.

    Attributes:
        path: as it is sent.
        name: the same with the ids' names instead of the ids, for errors: some ids are secrets.
    """

    path: str
    name: str


def resource(template: str, **ids: str) -> Resource:
    """A resource such as `charges/{charge_id}`, with its ids filled in.

    Raises:
        ValueError: an id cannot be a segment of a path.
    """
    return Resource(template.format_map({field: segment(value, field) for field, value in ids.items()}), template)


class Transport:
    """Sends signed requests and reads the answers. One per client."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        auth: SignatureAuth,
        endpoint: Endpoint,
        time_limits: TimeLimits,
        retry: Retry | None,
    ) -> None:
        self._http = http
        self._auth = auth
        self._endpoint = endpoint
        self._time_limits = time_limits
        self._retry = retry

    async def send(
        self,
        method: str,
        to: Resource,
        read: Callable[[httpx.Response], Answer],
        *,
        kind: OperationKind | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: RequestModel | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        also_success: Collection[int] = (),
    ) -> Answer:
        """Sends a signed request and reads its answer.

        Args:
            method: upper case.
            to: from `resource`.
            read: makes the result of a successful answer; see `model_of` and `nothing`.
            kind: decides the time limit; GET reads and everything else writes unless it is given.
            query: decoded names and values; sent in the order in which they are signed.
            body: None for an empty body.
            idempotency_key: the caller's.
            headers: the caller's.
            also_success: statuses besides 2xx that the operation answers with.

        Raises:
            ValueError: a header or the idempotency key cannot be sent; nothing was sent.
            ApiError: an error answer.
            TransportError: no answer, or one that is not Amazon Pay's.
        """
        checked = checked_headers(headers, idempotency_key)
        once = partial(
            self._send_once,
            method=method,
            to=to,
            read=read,
            limit_seconds=self._time_limits.of(
                kind or (OperationKind.READ if method == "GET" else OperationKind.WRITE)
            ),
            query=canonical_query(query),
            content=body.to_json() if body is not None else b"",
            headers=checked,
            also_success=also_success,
        )
        if self._retry is None:
            return await once()
        return await self._retry.run(
            once, partial(may_be_repeated, method=method, has_idempotency_key=IDEMPOTENCY_HEADER in checked)
        )

    async def _send_once(
        self,
        *,
        method: str,
        to: Resource,
        read: Callable[[httpx.Response], Answer],
        limit_seconds: float,
        query: str,
        content: bytes,
        headers: httpx.Headers,
        also_success: Collection[int],
    ) -> Answer:
        address = self._endpoint.url(to.path) + (f"?{query}" if query else "")
        bounds = Bounds(
            seconds=limit_seconds,
            connect_seconds=self._time_limits.connect_seconds,
            answer_bytes=LARGEST_ANSWER_BYTES,
        )
        try:
            answer = await self._http.request(
                method, address, content=content, headers=headers, auth=self._auth, extensions=bounds.extensions
            )
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            raise TransportError(f"{method} {to.name}: no answer within {limit_seconds:g} s") from None
        except httpx.InvalidURL as error:
            raise ValueError(f"{method} {to.name}: the address cannot be sent ({error})") from None
        except httpx.HTTPError as error:
            raise TransportError(
                f"{method} {to.name}: no answer ({type(error).__name__}: {error})",
                never_sent=isinstance(error, _NEVER_SENT),
            ) from error
        if answer.is_success or answer.status_code in also_success:
            return read(answer)
        raise _error_of(answer)


def model_of(model: type[Model]) -> Callable[[httpx.Response], Model]:
    """A reader of answers whose body is this model, as `WireModel.from_answer` reads it.

    It raises `IncompleteAnswerError` for an object without what decides, and `InvalidAnswerError` for anything else.
    """

    def read(answer: httpx.Response) -> Model:
        try:
            return model.from_answer(_in_unicode(answer.content))
        except ValidationError as error:
            raise _unread(answer, model.__name__, error) from None

    return read


def _unread(answer: httpx.Response, what: str, error: ValidationError) -> InvalidAnswerError:
    """The exception for a success that is not what was asked for; it names fields and never their values."""
    status, body = answer.status_code, _json(answer)
    if not isinstance(body, dict):
        return InvalidAnswerError(f"status {status}: the answer is not a {what}", status)
    missing = missing_fields(error, body)
    request_id = answer.headers.get(REQUEST_ID_HEADER)
    return IncompleteAnswerError(
        f"status {status}: Amazon Pay's answer is no whole {what}: {', '.join(missing)} missing or unreadable "
        f"(request id {request_id or 'unknown'})",
        status,
        missing,
        request_id,
    )


def _in_unicode(content: bytes) -> bytes:
    """The same JSON, without escapes that stand for no character: half a surrogate pair is one that JSON can write and
    pydantic does not read, and what was done at Amazon would not be known for a text that nobody acts on."""
    if _HALF_A_PAIR.search(content) is None:
        return content
    try:
        return json.dumps(json.loads(content, parse_float=str), ensure_ascii=False).encode(errors="replace")
    except (ValueError, RecursionError):
        return content


_HALF_A_PAIR: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""Or the beginning of a whole one."""


def nothing(answer: httpx.Response) -> None:
    """Reads an answer that says nothing but that it is done: without a body, or with an object that is not needed.

    Raises:
        InvalidAnswerError: the body is something else, such as a proxy's page; Amazon may well have acted.
    """
    if answer.content and not isinstance(_json(answer), dict):
        raise InvalidAnswerError(
            f"status {answer.status_code}: the answer is neither empty nor an object", answer.status_code
        )


def _error_of(answer: httpx.Response) -> ApiError | InvalidAnswerError:
    """The exception for an answer that is not a success."""
    body = _json(answer)
    retry_after_seconds = _seconds(answer.headers.get("retry-after"))
    reason_code = body.get("reasonCode") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(reason_code, str):
        return InvalidAnswerError(
            f"status {answer.status_code}: the answer is not an error of Amazon Pay",
            answer.status_code,
            retry_after_seconds,
        )
    return api_error(
        answer.status_code,
        reason_code,
        str(body.get("message") or ""),
        answer.headers.get(REQUEST_ID_HEADER),
        retry_after_seconds,
        clock.in_words(clock.ahead_of(answer.headers.get("date"))) if answer.status_code in _OF_ACCESS else None,
    )


def _json(answer: httpx.Response) -> object:
    """The body as JSON; None where it is none."""
    try:
        value: object = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return value


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; the date form and anything unreadable count as absent."""
    if retry_after is None or not retry_after.strip().isdecimal():
        return None
    seconds = float(retry_after)
    return seconds if math.isfinite(seconds) else None
