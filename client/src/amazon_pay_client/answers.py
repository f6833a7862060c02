"""How an answer is read: as a model, as nothing, as JSON, or as the error that it is."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from amazon_pay_client import clock
from amazon_pay_client.errors import ApiError, IncompleteAnswerError, InvalidAnswerError, api_error
from amazon_pay_client.models.leniency import missing_fields
from amazon_pay_client.models.wire import WireModel
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.signing import REQUEST_ID_HEADER

Model = TypeVar("Model", bound=WireModel)

_OF_ACCESS: Final = frozenset({401, 403})
"""Statuses of a request that is not believed: the clock, which is signed, may be why."""


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """What Amazon answered to a call that no model knows.

    Attributes:
        status: of HTTP; a success, or 303 where Amazon answers with an address (`headers["location"]`).
        body: the JSON, its fractions as `Decimal`; None where the body is empty.
        headers: by lower-case name.
    """

    status: int
    body: Any  # Any: what only the caller knows
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """What Amazon's support asks for."""
        return self.headers.get(REQUEST_ID_HEADER)


def json_answer(answer: httpx.Response) -> JsonAnswer:
    """Reads any JSON, or an empty body.

    Raises:
        InvalidAnswerError: the body is something else, such as a proxy's page; Amazon may well have acted.
    """
    try:
        body = json.loads(answer.content, parse_float=Decimal) if answer.content else None
    except (ValueError, ArithmeticError, RecursionError):
        raise InvalidAnswerError(
            f"status {answer.status_code}: the answer is neither empty nor JSON", answer.status_code
        ) from None
    return JsonAnswer(answer.status_code, body, dict(answer.headers))


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


def error_of(answer: httpx.Response) -> ApiError | InvalidAnswerError:
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
