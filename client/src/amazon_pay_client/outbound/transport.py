"""How a request goes out: it waits for its turn, gets a place of its own, and stays within its bounds to the end."""

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

from amazon_pay_client.outbound.answers import Measure, plain_headers
from amazon_pay_client.outbound.bounds import EXTENSION, Bounds
from amazon_pay_client.outbound.connections import Connections
from amazon_pay_client.outbound.errors import NeverSentError
from amazon_pay_client.outbound.forks import begins_anew_in_children
from amazon_pay_client.outbound.library import httpcore, httpx
from amazon_pay_client.outbound.place import Place, in_the_librarys_words
from amazon_pay_client.outbound.proxies import Proxies
from amazon_pay_client.outbound.turns import Turn, Turns

MOST_UNUSED: Final = 20
"""Connections that are kept for the next request, unless a client says otherwise."""


class BoundedTransport(httpx.AsyncBaseTransport):
    """The transport of every asynchronous client of ours.

    Nothing is shared between two exchanges but the count of turns, so whatever one meets (silence, a reset, a
    cancellation at any moment) another cannot notice: a place in which an exchange did not come to its orderly end is
    thrown away, connection and all, and the next request gets a fresh one.

    It may be used in any number of event loops, one after another or in several threads at once: each has connections
    of its own, and the turns count over all of them. A forked child begins without any.

    Args:
        at_once: exchanges under way at a time; further ones wait as long as their own bounds let them.
        bounds: of requests that bring none.
        tls: whom to trust.
        proxies: what leads out.
        most_unused: connections that are kept for the next request, in each event loop.
        public_only: whether only addresses of the internet's are connected to.
    """

    def __init__(
        self,
        *,
        at_once: int,
        bounds: Bounds,
        tls: ssl.SSLContext,
        proxies: Proxies,
        most_unused: int = MOST_UNUSED,
        public_only: bool = False,
    ) -> None:
        self._at_once = at_once
        self._bounds = bounds
        self._tls = tls
        self._proxies = proxies
        self._most_unused = most_unused
        self._public_only = public_only
        self._is_closed = False
        self.begin_anew()
        begins_anew_in_children(self)

    def begin_anew(self) -> None:
        """Forgets every connection and turn; for a process that was forked."""
        self._lock = threading.RLock()  # see Turns
        self._turns = Turns(self._at_once)
        self._in: dict[asyncio.AbstractEventLoop, Connections] = {}

    @property
    def under_way(self) -> int:
        """How many exchanges there are now."""
        return self._turns.under_way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request; its answer must be read to the end or closed.

        Raises:
            httpx.TransportError: no answer, or one out of bounds. `NeverSentError`, `ConnectError`, `ConnectTimeout`
                and `PoolTimeout` say that nothing was sent.
        """
        bounds = request.extensions.get(EXTENSION, self._bounds)
        ends = time.monotonic() + bounds.seconds
        connections = await self._of_this_loop()
        turn = await self._turns.take(ends)
        connections.turns.add(turn)
        try:
            self._refuse_when_closed()
            place = connections.place_for(request.url, self._tls, self._proxies, public_only=self._public_only)
        except BaseException:
            self._give_back(turn, connections)
            raise

        def end(*, orderly: bool) -> None:
            self._give_back(turn, connections)
            connections.end(place, orderly=orderly)

        try:
            answer = await place.send(request, bounds, ends)
            headers = plain_headers(answer)
        except BaseException:
            end(orderly=False)
            raise
        body = _Body(answer, bounds.answer_bytes, place, lambda orderly: end(orderly=orderly))
        return httpx.Response(answer.status, headers=headers, stream=body, extensions=dict(answer.extensions))

    async def aclose(self) -> None:
        """Closes every connection, those of exchanges under way as well."""
        self._is_closed = True
        here = asyncio.get_running_loop()
        with self._lock:
            of_all, self._in = self._in, {}
        for loop, connections in of_all.items():
            if loop is here:
                await connections.aclose()
            else:
                connections.close_from_elsewhere()

    async def _of_this_loop(self) -> Connections:
        """The connections of the event loop that runs now.

        Raises:
            NeverSentError: none runs, or this transport is closed.
        """
        self._refuse_when_closed()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise NeverSentError("no event loop of asyncio runs here") from None
        with self._lock:
            connections = self._in.get(loop)
            if connections is not None:
                return connections
            self._forget_those_that_were_closed()
            connections = Connections(loop, self._most_unused, partial(self._forget, loop))
            self._in[loop] = connections
        await connections.begin()
        return connections

    def _forget_those_that_were_closed(self) -> None:
        """Loops that did not end their generators before, so that nobody was told; and the turns of calls in them."""
        for loop, connections in list(self._in.items()):
            if loop.is_closed():
                del self._in[loop]
                for turn in list(connections.turns):
                    self._give_back(turn, connections)

    def _give_back(self, turn: Turn, connections: Connections) -> None:
        connections.turns.discard(turn)
        self._turns.give_back(turn)

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._in.pop(loop, None)

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise NeverSentError("the client is closed")


class _Body(httpx.AsyncByteStream):
    """An answer's body, within its bound; its end is the exchange's."""

    def __init__(self, answer: httpcore.Response, at_most: int, place: Place, end: Callable[[bool], None]) -> None:
        self._answer = answer
        self._measure = Measure(at_most, place.part_of_the_body_came)
        self._end = end
        self._is_whole = False
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with in_the_librarys_words():
            async for part in self._answer.aiter_stream():
                self._measure.add(part)
                yield part
        self._is_whole = True

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        orderly = False
        try:
            if self._is_whole:
                await self._answer.aclose()
                orderly = True
        finally:
            self._end(orderly)
