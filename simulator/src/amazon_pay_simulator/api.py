"""The Amazon Pay API v2 over HTTP: who asks, what for, under which idempotency key, and what goes wrong on the way."""

import asyncio
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from amazon_pay_client.models import CreateChargeRequest, WireModel
from amazon_pay_client.models.wire import TIMESTAMP_FORMAT, RequestModel
from amazon_pay_client.signing import IDEMPOTENCY_HEADER, REQUEST_ID_HEADER, SIMULATION_HEADER
from amazon_pay_simulator.account import Account
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import BookedCall, SavedAnswer, ScriptedAnswer
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.environments import ReleaseEnvironment, environment_of
from amazon_pay_simulator.faults import Fault, Faults
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.requests import read_query, read_request
from amazon_pay_simulator.routes import Call, Operation, find_operation
from amazon_pay_simulator.signatures import check_signature
from amazon_pay_simulator.simulations import DECLINES, check_pending, check_simulation
from amazon_pay_simulator.throttling import Throttle
from amazon_pay_simulator.wire import cut, slowly

_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NOT_PROCESSED: Final = frozenset({400, 401, 403, 404, 405, 408, 429})
_REFUSED_AT_ONCE: Final = {
    Fault.INTERNAL_ERROR: "InternalServerError",
    Fault.UNAVAILABLE: "ServiceUnavailable",
    Fault.THROTTLED: "TooManyRequests",
}


@dataclass(slots=True)
class _Outcome:
    """An answer, and what happens to it on its way."""

    response: Response
    delay_seconds: float = 0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class AmazonPayApi:
    """An ASGI application: the HTTP side of an account.

    Attributes:
        account: what is operated on.
        public_keys: whose requests are accepted, by public key id.
        clock: what time it is.
        assumptions: what the documentation leaves open.
        throttle: Amazon's limits.
        faults: what goes wrong.
    """

    account: Account
    public_keys: Mapping[str, RSAPublicKey]
    clock: Clock
    assumptions: Assumptions = field(default_factory=Assumptions)
    throttle: Throttle = field(default_factory=Throttle)
    faults: Faults = field(default_factory=Faults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or cuts the connection where that is the fault."""
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # it never came whole, and nobody is there any more
        key = request.headers.get(IDEMPOTENCY_HEADER, "")
        fault, latency = self.faults.of_request(f"{request.method} {request.url.path} {key}")
        if fault is Fault.RESET:
            await cut(receive, send, reset=True)
            return
        outcome = self._outcome(request, body, fault)
        await asyncio.sleep(latency + outcome.delay_seconds)
        if outcome.fault is Fault.RESET:
            await cut(receive, send, reset=True)
            return
        if Fault.LOST_ANSWER in {fault, outcome.fault}:
            await cut(receive, send, reset=False)
            return
        response = outcome.response
        response.headers[REQUEST_ID_HEADER] = uuid.uuid4().hex
        if Fault.SLOW_BODY in {fault, outcome.fault}:
            response = slowly(response)
        await response(scope, receive, send)

    def _outcome(self, request: Request, body: bytes, fault: Fault | None) -> _Outcome:
        headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
        try:
            key_id = check_signature(
                self.public_keys,
                request.method,
                request.scope["raw_path"].decode(),
                request.url.query,
                headers,
                body,
                self.assumptions.clock_skew,
            )
            operation, ids = find_operation(request.method, request.url.path)
            if fault in _REFUSED_AT_ONCE:
                return _Outcome(_refused_by_fault(fault))
            self.throttle.take(operation.name)
            with self.account.books.together():
                environment = environment_of(key_id, request.url.path)
                asked = request.url.query.encode() if operation.query else body
                return self._perform(operation, ids, environment, headers, asked)
        except Refusal as refusal:
            return _Outcome(_refused(refusal))

    def _perform(
        self,
        operation: Operation,
        ids: list[str],
        environment: ReleaseEnvironment,
        headers: Mapping[str, str],
        asked: bytes,
    ) -> _Outcome:
        now = self.clock.time_of(headers)
        is_sandbox = environment is ReleaseEnvironment.SANDBOX
        simulate = headers.get(SIMULATION_HEADER) if is_sandbox else None  # there is nothing to simulate in Live
        key = _key_of(operation, headers)
        request = _read(operation, asked)
        said = _in_one_form(operation, ids, request)
        saved_as = key if is_sandbox or not key else f"{environment}/{key}"
        saved = self.account.books.saved_answers.get(saved_as) if key else None
        if saved is not None:
            return self._repeat(saved, said, request, key, now.strftime(TIMESTAMP_FORMAT))
        check_simulation(operation.name, simulate)
        self._check_environment(_ids_in(ids, request), environment)
        self._pass_time(_ids_in(ids, request), now)
        scripted = self._scripted_answer(request, simulate)
        if scripted.fault is Fault.RESET or scripted.fault in _REFUSED_AT_ONCE:
            return _Outcome(_refused_by_fault(scripted.fault), scripted.delay_seconds, scripted.fault)
        call = Call(ids, request, now, environment, simulate, scripted)
        charge_id, reason_code = None, None
        try:
            answer = operation.perform(self.account, call)
        except Refusal as refusal:
            response, reason_code = _refused(refusal), refusal.reason_code
        else:
            response = _answer(answer, operation.status_of(self.account, answer))
            charge_id = getattr(answer, "charge_id", None)
        if isinstance(request, CreateChargeRequest):
            at = now.strftime(TIMESTAMP_FORMAT)
            self._book_call(request, key, at, response.status_code, reason_code=reason_code, charge_id=charge_id)
        if key and self._is_saved(response.status_code, reason_code):
            self.account.books.saved_answers[saved_as] = SavedAnswer(
                request=said, status=response.status_code, body=bytes(response.body).decode()
            )
        return _Outcome(response, scripted.delay_seconds, scripted.fault)

    def _repeat(self, saved: SavedAnswer, said: str, request: RequestModel | None, key: str, at: str) -> _Outcome:
        """The saved answer again, whatever has happened since."""
        if saved.request != said:
            raise Refusal("DuplicateIdempotencyKey", "The idempotency key was used before with other values")
        if isinstance(request, CreateChargeRequest):
            self._book_call(request, key, at, saved.status, replayed=True)
        return _Outcome(Response(saved.body, saved.status, media_type="application/json"))

    def _is_saved(self, status: int, reason_code: str | None) -> bool:
        """Whether an answer is kept for its key. What was not processed is not; the rest is assumed."""
        if reason_code is None:
            return True
        if status in _NOT_PROCESSED:
            return False
        if reason_code in DECLINES or status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.assumptions.saves_declines
        return self.assumptions.saves_server_errors

    def _check_environment(self, ids: Iterable[str], environment: ReleaseEnvironment) -> None:
        """What is of the other world does not exist in this one."""
        for identifier in ids:
            found = self.account.environment_of(identifier)
            if found is not None and found != environment:
                raise Refusal("ResourceNotFound", f"There is no {identifier} in {environment}")

    def _pass_time(self, ids: Iterable[str], now: datetime) -> None:
        """What was to happen by itself to the permission that the request is about happens first."""
        books = self.account.books
        for identifier in ids:
            permission_id = identifier if identifier in books.permissions else None
            if identifier in books.charges:
                permission_id = books.charges[identifier].charge_permission_id
            elif identifier in books.refunds:
                permission_id = books.charges[books.refunds[identifier].charge_id].charge_permission_id
            if permission_id is not None:
                self.account.pass_time(now, permission_id)
                return

    def _scripted_answer(self, request: RequestModel | None, simulate: str | None) -> ScriptedAnswer:
        """The simulation header goes before the permission's script; without both, a success."""
        if not isinstance(request, CreateChargeRequest):
            return ScriptedAnswer()
        if simulate is not None:
            check_pending(simulate, request)
            return ScriptedAnswer(code=simulate)
        return self.account.books.next_answer(request.charge_permission_id)

    def _book_call(
        self,
        request: CreateChargeRequest,
        key: str,
        at: str,
        status: int,
        *,
        reason_code: str | None = None,
        charge_id: str | None = None,
        replayed: bool = False,
    ) -> None:
        self.account.books.book_call(
            BookedCall(
                charge_permission_id=request.charge_permission_id,
                idempotency_key=key,
                at=at,
                status=status,
                reason_code=reason_code,
                charge_id=charge_id,
                replayed=replayed,
            )
        )


def _read(operation: Operation, asked: bytes) -> RequestModel | None:
    """What is asked for by a body, or by the query of a list; None where the path says it all."""
    if operation.query is not None:
        return read_query(operation.query, asked.decode())
    return read_request(operation.body, asked) if operation.body else None


def _key_of(operation: Operation, headers: Mapping[str, str]) -> str:
    """The idempotency key; empty where the operation honours none."""
    key = headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        if operation.needs_key:
            raise Refusal("MissingHeader", f"{IDEMPOTENCY_HEADER} is missing")
        return ""
    if not (operation.needs_key or operation.takes_key):
        return ""
    if not key:
        raise Refusal("MissingHeaderValue", f"{IDEMPOTENCY_HEADER} is empty")
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Refusal("InvalidHeaderValue", f"{IDEMPOTENCY_HEADER} is not 1 to 32 of A-Z a-z 0-9 _ -")
    return key


def _ids_in(ids: Iterable[str], request: RequestModel | None) -> list[str]:
    """The ids of the objects that a request is about, in its path and in its body."""
    named = (getattr(request, name, None) for name in ("charge_permission_id", "charge_id"))
    return [*ids, *(identifier for identifier in named if isinstance(identifier, str))]


def _in_one_form(operation: Operation, ids: list[str], request: RequestModel | None) -> str:
    """What a request asks for, in one form however it was written."""
    values = request.model_dump(mode="json", by_alias=True) if request is not None else None
    return json.dumps([operation.name, ids, values], sort_keys=True)


def _answer(model: WireModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(by_alias=True), status, media_type="application/json")


def _refused(refusal: Refusal) -> Response:
    body = ErrorBody(reason_code=refusal.reason_code, message=refusal.message)
    return _answer(body, refusal.status)


def _refused_by_fault(fault: Fault) -> Response:
    """The answer of an Amazon that has done nothing; a reset sends none."""
    return _refused(Refusal(_REFUSED_AT_ONCE.get(fault, "ServiceUnavailable"), "A fault that was asked for"))


class ErrorBody(WireModel):
    """Amazon's error envelope."""

    reason_code: str
    message: str
