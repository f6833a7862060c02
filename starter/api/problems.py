"""What goes wrong, as RFC 9457 says it: a type, a title, what to do, and for each field what is accepted."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from perennial_billing.billing.refusals import Kind, Refused, refusals_of
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.runtime.codec import CodecError
from perennial_billing.starter.endpoints import EndpointNotFoundError
from perennial_billing.starter.errors import (
    HinderedError,
    NotAnsweredError,
    NoTestClockError,
    NotReadError,
    NotSettledError,
    NoWorkerError,
    RequestRefusedError,
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
    TemporalUnavailableError,
)

MEDIA_TYPE: Final = "application/problem+json"
ABOUT: Final = "urn:perennial:problem:"
"""Before the word that names the kind of problem; a name, and no address to look it up at."""

AGAIN_AFTER_SECONDS: Final = 5

_log = structlog.get_logger("api")


class FieldProblem(BaseModel):
    """One field that was not accepted."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Its path, such as `plan.phases.0.amount`.")
    value: str = Field(description="What was given, as far as it can be told in a line.")
    accepted: str = Field(description="What is accepted.")


class Problem(BaseModel):
    """A problem by RFC 9457."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Names the kind of problem; programs decide by it.")
    title: str = Field(description="The kind in words.")
    status: int
    detail: str = Field(description="What happened, and what to do.")
    errors: tuple[FieldProblem, ...] = Field(default=(), description="The fields that were not accepted.")
    request_id: str | None = Field(default=None, description="What to name when you ask somebody about it.")


class ProblemError(Exception):
    """A request that is answered with a problem.

    Args:
        status: of HTTP.
        kind: the word that names it.
        title: the kind in words.
        detail: what happened, and what to do.
        errors: fields that were not accepted.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        errors: Sequence[Refused] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.title, self.detail = status, kind, title, detail
        self.errors, self.headers = tuple(errors), headers or {}


def answers_with_problems(app: FastAPI) -> None:
    """Whatever goes wrong in an application is answered as a problem."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(SubscriptionError, _subscription)
    app.add_exception_handler(LedgerError, _ledger)
    app.add_exception_handler(CodecError, _codec)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def of_refused(refused: Refused, about: str = "") -> ProblemError:
    """A rule said no: what is not accepted at all, not now, or what contradicts something that stands."""
    detail = f"{about}: {refused}" if about else str(refused)
    match refused.kind:
        case Kind.INVALID:
            return ProblemError(422, "not-accepted", "A field is not accepted", detail, [refused])
        case Kind.NOT_NOW:
            return ProblemError(409, "not-now", "It is not possible now", detail, [refused])
        case _:
            return ProblemError(409, "conflict", "Something else stands already", detail, [refused])


async def _problem(request: Request, error: Exception) -> JSONResponse:
    return answer_with(request, error) if isinstance(error, ProblemError) else await _fault(request, error)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, EndpointNotFoundError):
        return answer_with(request, ProblemError(404, "not-found", "There is no such endpoint", str(error), [error]))
    return answer_with(request, of_refused(error)) if isinstance(error, Refused) else await _fault(request, error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    found: list[Refused] = []
    if isinstance(error, RequestValidationError):
        # FastAPI keeps what pydantic found without pydantic's error.
        found = refusals_of(ValidationError.from_exception_data("request", _lines(error.errors())))
    elif isinstance(error, ValidationError):
        found = refusals_of(error)
    in_words = "; ".join(map(str, found)) or "it cannot be read"
    return answer_with(request, ProblemError(422, "not-accepted", "A field is not accepted", in_words, found))


def _lines(found: Sequence[Any]) -> list[Any]:  # Any: pydantic's error details, as FastAPI passes them on
    """The lines of an error, without where in the request they stand."""
    places = {"body", "query", "path", "header"}
    lines = []
    for each in found:
        location = tuple(part for part in each["loc"] if part not in places) or tuple(each["loc"])
        line = {"type": each["type"], "loc": location, "input": each.get("input")}
        if "ctx" in each:
            line["ctx"] = each["ctx"]
        lines.append(line)
    return lines


_MEANINGS: Final[tuple[tuple[type[SubscriptionError], int, str, str], ...]] = (
    (SubscriptionNotFoundError, 404, "not-found", "There is no such subscription"),
    (SubscriptionEndedError, 409, "ended", "The subscription has ended"),
    (SubscriptionConflictError, 409, "conflict", "Something else stands already"),
    (HinderedError, 409, "hindered", "Its workflow makes no progress"),
    (NoTestClockError, 409, "no-test-clock", "The time cannot be moved here"),
    (NotAnsweredError, 503, "not-answered", "It was not answered in time"),
    (NotReadError, 503, "amazon-silent", "Amazon did not answer"),
    (NotSettledError, 503, "not-settled", "Something is under way"),
    (NoWorkerError, 503, "no-worker", "No worker answers"),
    (TemporalUnavailableError, 503, "temporal-unavailable", "The Temporal server does not answer"),
    (SubscriptionError, 400, "not-possible", "It is not possible"),
)
"""What is answered, by the error; the last row takes all that have none of their own."""


async def _subscription(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RequestRefusedError):
        return answer_with(request, of_refused(error.refused, str(error).partition(": ")[0]))
    detail = str(error)
    if isinstance(error, NotAnsweredError):
        detail = f"{error.why}; send it again with the same Idempotency-Key, which asks for nothing new"
    status, kind, title = next(meaning[1:] for meaning in _MEANINGS if isinstance(error, meaning[0]))
    headers = {"Retry-After": str(AGAIN_AFTER_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return answer_with(request, ProblemError(status, kind, title, detail, headers=headers))


async def _ledger(request: Request, error: Exception) -> JSONResponse:
    again = {"Retry-After": str(AGAIN_AFTER_SECONDS)}
    problem = ProblemError(503, "ledger-unavailable", "The ledger cannot be used now", str(error), headers=again)
    return answer_with(request, problem)


async def _codec(request: Request, error: Exception) -> JSONResponse:
    """Temporal's answer is encrypted under a key that is not here."""
    return answer_with(request, ProblemError(503, "key-missing", "What Temporal keeps cannot be read", str(error)))


async def _http(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: an address that is none, a method that it does not have, bytes that no text
    is made of."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == HTTPStatus.BAD_REQUEST:
        return answer_with(
            request,
            ProblemError(422, "not-accepted", "The body cannot be read", "it is not JSON in UTF-8, which is accepted"),
        )
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    word = {404: "no-such-address", 405: "no-such-method"}.get(status, "not-possible")
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    return answer_with(
        request, ProblemError(status, word, detail, f"{request.method} {request.url.path}: {detail}", headers=headers)
    )


async def _fault(request: Request, error: Exception) -> JSONResponse:
    _log.error("request failed", path=request.url.path, error=type(error).__name__, exc_info=error)
    detail = "this is a fault of ours: the log has it under the request's id. The same request may be sent again"
    return answer_with(request, ProblemError(500, "fault", "Something is wrong here", detail))


def answer_with(request: Request, error: ProblemError) -> JSONResponse:
    """The problem as it is answered."""
    problem = Problem(
        type=ABOUT + error.kind,
        title=error.title,
        status=error.status,
        detail=error.detail,
        errors=tuple(FieldProblem(field=each.field, value=each.value, accepted=each.accepted) for each in error.errors),
        request_id=getattr(request.state, "request_id", None),
    )
    content = problem.model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, error.status, error.headers, MEDIA_TYPE)
