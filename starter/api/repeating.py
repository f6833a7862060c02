"""A request that is sent again is answered as it was: from what was kept, and else because nothing is done twice.

Every POST carries an `Idempotency-Key`. Of it and the API key an id is made, under which whatever is asked for is
asked of the subscription, which recognises it. So where this process died between Amazon's answer and its own, the
repetition finds what was done; and where a thousand are sent at once, one does it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final
from weakref import WeakValueDictionary

from fastapi import Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from perennial_billing.ledger.api_answers import KEPT_FOR, Answers, KeptAnswer
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.api.problems import ProblemError

REPLAYED: Final = "Idempotency-Replayed"
"""The header of an answer that was given before."""

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Yours, another for each thing that is wanted: sent again with it, the request does nothing more, "
        f"and is answered as before. Kept for {KEPT_FOR.days} days.",
    ),
]

Do = Callable[[str], Awaitable[BaseModel]]
"""Does what is wanted, under an id by which it is recognised."""


class Repetitions:
    """Recognises the requests of one process that were sent before, or are being answered.

    Args:
        ledger: where answers are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._answers = Answers(ledger)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def answer(self, request: Request, key: ApiKey, idempotency_key: str, do: Do, status: int) -> Response:
        """See `once`."""
        said = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + await request.body()
        wish = hashlib.sha256(said).hexdigest()
        request_id = hashlib.sha256(f"{key.id} {idempotency_key}".encode()).hexdigest()[:32]
        async with self._held(request_id):
            kept = await self._answers.kept(key.id, idempotency_key)
            is_new = kept is None
            if kept is None:
                done = (await do(request_id)).model_dump_json(exclude_none=True)
                kept = await self._answers.keep(key.id, idempotency_key, KeptAnswer(wish, status, done))
        if kept.wish != wish:
            detail = "the Idempotency-Key is that of another request; each thing that is wanted has its own"
            raise ProblemError(409, "key-in-use", "Another request has this key", detail)
        headers = {} if is_new else {REPLAYED: "true"}
        return Response(kept.body, kept.status, headers, "application/json")

    async def first(self, key: ApiKey, request_id: str, decide: Callable[[], Awaitable[str]]) -> str:
        """What was decided for a request when it was first sent: kept before anything is done by it, so that its
        repetition does the same, also where the process died before it had answered.

        Raises:
            LedgerError: it is not kept, so nothing may be done by it.
        """
        name = f"first of {request_id}"  # it has a space, and no idempotency key of anybody's has
        kept = await self._answers.kept(key.id, name)
        if kept is None:
            kept = await self._answers.keep(key.id, name, KeptAnswer("", 0, await decide()))
        return kept.body

    @asynccontextmanager
    async def _held(self, name: str) -> AsyncIterator[None]:
        """The repetitions of a request wait for it."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        async with lock:
            yield


def repetitions_of(request: Request) -> Repetitions:
    """Those of the application that takes a request."""
    repetitions: Repetitions = request.app.state.repetitions
    return repetitions


async def once(request: Request, key: ApiKey, idempotency_key: str, do: Do, status: int = 200) -> Response:
    """The answer to a request: what was kept under its key, or what doing it comes to.

    Only what was done is kept: a refusal has changed nothing, and may be none the next time.

    Raises:
        ProblemError: the key is that of another request.
        LedgerError: nothing was done, or what was done is not kept; the same may be sent again.
    """
    return await repetitions_of(request).answer(request, key, idempotency_key, do, status)
