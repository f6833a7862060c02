"""The Amazon Pay API v2, as far as a recurring integration calls it."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from amazon_pay.models import CloseChargePermissionRequest, CreateChargeRequest, WireModel
from amazon_pay.models.wire import TIMESTAMP_FORMAT, RequestModel
from amazon_pay.signing import IDEMPOTENCY_HEADER, REQUEST_ID_HEADER, SIMULATION_HEADER
from simulator.account import Account
from simulator.books import BookedCall, SavedAnswer, ScriptedAnswer
from simulator.clock import time_of
from simulator.refusals import Refusal
from simulator.signatures import check_signature

PATH_PREFIXES: Final = ("/v2", "/sandbox/v2", "/live/v2")
"""Key ids with an environment prefix use the first; others name the environment in the path."""

Body = TypeVar("Body", bound=RequestModel)

_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_UNSAVED_STATUSES: Final = frozenset({400, 401, 403, 404, 405, 429, 503})
"""Whether error answers are saved under an idempotency key is not documented. Assumption: a decline is, a request
that was not processed is not."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    path: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now: datetime


class AmazonPayApi:
    """The HTTP side of an account.

    Args:
        account: what is operated on.
        public_keys: whose requests are accepted, by public key id.
    """

    def __init__(self, account: Account, public_keys: Mapping[str, RSAPublicKey]) -> None:
        self._account = account
        self._public_keys = public_keys

    def routes(self) -> list[Route]:
        """The routes under every prefix, with and without a slash at the end, as SDKs differ."""
        operations: list[tuple[str, str, Callable[[Call], Awaitable[Response]]]] = [
            ("POST", "/charges", self._create_charge),
            ("GET", "/charges/{charge_id}", self._get_charge),
            ("GET", "/chargePermissions/{charge_permission_id}", self._get_permission),
            ("DELETE", "/chargePermissions/{charge_permission_id}/close", self._close_permission),
        ]
        return [
            Route(f"{prefix}{path}{slash}", self._endpoint(operation), methods=[method])
            for prefix in PATH_PREFIXES
            for method, path, operation in operations
            for slash in ("", "/")
        ]

    def _endpoint(self, operation: Callable[[Call], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body = await request.body()
            headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
            try:
                check_signature(
                    self._public_keys,
                    request.method,
                    request.scope["raw_path"].decode(),
                    request.url.query,
                    headers,
                    body,
                )
                call = Call(request.path_params, headers, body, time_of(headers))
                response = await operation(call)
            except Refusal as refusal:
                response = _refused(refusal)
            response.headers[REQUEST_ID_HEADER] = uuid.uuid4().hex
            return response

        return answer

    async def _create_charge(self, call: Call) -> Response:
        key = call.headers.get(IDEMPOTENCY_HEADER)
        if key is None:
            raise Refusal("MissingHeader", f"{IDEMPOTENCY_HEADER} is missing")
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise Refusal("InvalidHeaderValue", f"{IDEMPOTENCY_HEADER} is not 1 to 32 of A-Z a-z 0-9 _ -")
        request = _parse(CreateChargeRequest, call.body)
        books = self._account.books
        saved = books.saved_answers.get(key)
        if saved is not None:
            if saved.request != request:
                raise Refusal("DuplicateIdempotencyKey", "The idempotency key was used before with other values")
            self._book_call(call, request, key, saved.status, replayed=True)
            return Response(saved.body, saved.status, media_type="application/json")
        scripted = self._scripted_answer(request.charge_permission_id, call)
        try:
            charge = self._account.create_charge(request, scripted, call.now)
        except Refusal as refusal:
            response = _refused(refusal)
            self._book_call(call, request, key, refusal.status, reason_code=refusal.reason_code)
        else:
            response = _answer(charge, 201)
            self._book_call(call, request, key, 201, charge_id=charge.charge_id)
        if response.status_code not in _UNSAVED_STATUSES:
            books.saved_answers[key] = SavedAnswer(request, response.status_code, bytes(response.body))
        if scripted.delay_seconds:
            await asyncio.sleep(scripted.delay_seconds)
        return response

    async def _get_charge(self, call: Call) -> Response:
        return _answer(self._account.books.charge(call.path["charge_id"]))

    async def _get_permission(self, call: Call) -> Response:
        return _answer(self._account.read_permission(call.path["charge_permission_id"], call.now))

    async def _close_permission(self, call: Call) -> Response:
        request = _parse(CloseChargePermissionRequest, call.body)
        return _answer(self._account.close_permission(call.path["charge_permission_id"], request, call.now))

    def _scripted_answer(self, charge_permission_id: str, call: Call) -> ScriptedAnswer:
        """The simulation header goes before the permission's script; without both, a success."""
        code = call.headers.get(SIMULATION_HEADER)
        if code is not None:
            return ScriptedAnswer(code=code)
        script = self._account.books.scripts.get(charge_permission_id)
        return script.popleft() if script else ScriptedAnswer()

    def _book_call(
        self,
        call: Call,
        request: CreateChargeRequest,
        key: str,
        status: int,
        *,
        reason_code: str | None = None,
        charge_id: str | None = None,
        replayed: bool = False,
    ) -> None:
        self._account.books.calls.append(
            BookedCall(
                charge_permission_id=request.charge_permission_id,
                idempotency_key=key,
                at=call.now.strftime(TIMESTAMP_FORMAT),
                status=status,
                reason_code=reason_code,
                charge_id=charge_id,
                replayed=replayed,
            )
        )


def _parse(model: type[Body], body: bytes) -> Body:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) or "body" for item in error.errors())
        raise Refusal("InvalidParameterValue", f"Not accepted: {fields}") from None


def _answer(model: WireModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(by_alias=True), status, media_type="application/json")


def _refused(refusal: Refusal) -> Response:
    body = ErrorBody(reason_code=refusal.reason_code, message=refusal.message)
    return _answer(body, refusal.status)


async def answer_unknown_operation(request: Request, error: Exception) -> Response:
    """What no route is there for, in Amazon's form under Amazon's paths."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    if not path.startswith(PATH_PREFIXES):
        return PlainTextResponse(error.detail, error.status_code)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _refused(Refusal("UnsupportedOperation", f"{request.method} is not supported for {path}"))
    return _refused(Refusal("ResourceNotFound", f"There is nothing at {path}"))


class ErrorBody(WireModel):
    """Amazon's error envelope."""

    reason_code: str
    message: str
