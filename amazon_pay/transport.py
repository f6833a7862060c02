"""How one request goes out and its answer comes back: bytes, signature, time limits, errors."""

import json
import math
import re
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from amazon_pay.errors import ApiError, InvalidAnswerError, TransportError, api_error
from amazon_pay.models.wire import RequestModel, WireModel
from amazon_pay.regions import Endpoint
from amazon_pay.signing import IDEMPOTENCY_HEADER, REQUEST_ID_HEADER, SignatureAuth

Model = TypeVar("Model", bound=WireModel)

_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


def segment(identifier: str) -> str:
    """An id as one segment of a path.

    Raises:
        ValueError: the id is empty or a dot segment, which would address another resource.
    """
    if identifier in {"", ".", ".."}:
        raise ValueError(f"id: {identifier!r} addresses another resource; the id of an object is needed")
    return quote(identifier, safe="")


class Transport:
    """Sends signed requests and reads the answers. One per client."""

    def __init__(self, http: httpx.AsyncClient, auth: SignatureAuth, endpoint: Endpoint) -> None:
        self._http = http
        self._auth = auth
        self._endpoint = endpoint

    async def send(
        self,
        method: str,
        resource: str,
        *,
        body: RequestModel | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Sends one signed request and returns a successful answer.

        Raises:
            ValueError: the idempotency key is not one; nothing was sent.
            ApiError: an error answer.
            TransportError: no answer, or one that is not Amazon Pay's.
        """
        all_headers = httpx.Headers(dict(headers or {}))
        if idempotency_key is not None:
            if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
                raise ValueError(
                    f"idempotency key: {idempotency_key!r} is not one; 1 to 32 characters of "
                    "A-Z, a-z, 0-9, '_' and '-' are accepted"
                )
            all_headers[IDEMPOTENCY_HEADER] = idempotency_key
        try:
            answer = await self._http.request(
                method,
                self._endpoint.url(resource),
                content=body.to_json() if body is not None else b"",
                headers=all_headers,
                auth=self._auth,
            )
        except httpx.HTTPError as error:
            raise TransportError(f"{method} {resource}: no answer ({type(error).__name__}: {error})") from error
        if answer.is_success:
            return answer
        raise _error_of(answer)

    @staticmethod
    def read(answer: httpx.Response, model: type[Model]) -> Model:
        """Reads a successful answer's body.

        Raises:
            InvalidAnswerError: the body is not what was expected; Amazon may well have acted.
        """
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, item["loc"])) or "body" for item in error.errors())
            raise InvalidAnswerError(
                f"status {answer.status_code}: the answer is not a {model.__name__} (wrong: {fields})",
                answer.status_code,
            ) from None


def _error_of(answer: httpx.Response) -> ApiError | InvalidAnswerError:
    """The exception for an answer that is not a success."""
    try:
        body: object = json.loads(answer.content)
    except (ValueError, RecursionError):
        body = None
    reason_code = body.get("reasonCode") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(reason_code, str):
        return InvalidAnswerError(
            f"status {answer.status_code}: the answer is not an error of Amazon Pay", answer.status_code
        )
    return api_error(
        answer.status_code,
        reason_code,
        str(body.get("message") or ""),
        answer.headers.get(REQUEST_ID_HEADER),
        _seconds(answer.headers.get("retry-after")),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; the date form and anything unreadable count as absent."""
    if retry_after is None or not retry_after.strip().isdecimal():
        return None
    seconds = float(retry_after)
    return seconds if math.isfinite(seconds) else None
