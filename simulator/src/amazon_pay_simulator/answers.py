"""How the control API and the buyer's pages say no: in one line of text."""

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from amazon_pay_simulator.in_words import in_one_line
from amazon_pay_simulator.refusals import Refusal


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """A call that the account refuses is answered as Amazon would."""
    if not isinstance(error, Refusal):
        raise error
    return refused(error)


def refused(refusal: Refusal) -> Response:
    """The answer to what is refused."""
    return PlainTextResponse(str(refusal), refusal.status)


async def answer_invalid(_request: Request, error: Exception) -> Response:
    """A call whose values cannot be read is answered by the names of the fields, and what they accept."""
    if not isinstance(error, RequestValidationError):
        raise error
    return PlainTextResponse(in_one_line(error.errors(), without={"body", "query", "path"}), 422)
