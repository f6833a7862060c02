"""How a request goes out: it waits for its turn, gets a place of its own, and stays within its bounds to the end."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from amazon_pay_client.outbound.bounds import EXTENSION, Bounds
from amazon_pay_client.outbound.errors import AnswerEncodedError, AnswerTooLargeError
from amazon_pay_client.outbound.library import httpcore, httpx
from amazon_pay_client.outbound.place import KEPT_SECONDS, Place, in_the_librarys_words, origin_of
from amazon_pay_client.outbound.proxies import Proxies
from amazon_pay_client.outbound.turns import Turn, Turns

MOST_UNUSED: Final = 20
"""Connections that are kept for the next request."""

_log = logging.getLogger(__name__)


class BoundedTransport(httpx.AsyncBaseTransport):
    """The transport of every client of ours.

    Nothing is shared between two exchanges but the count of turns, so whatever one meets (silence, a reset, a
    cancellation at any moment) another cannot notice: a place in which an exchange did not come to its orderly end is
    thrown away, connection and all, and the next request gets a fresh one.

    Args:
        at_once: exchanges under way at a time; further ones wait as long as their own bounds let them.
        bounds: of requests that bring none.
        tls: whom to trust.
        proxies: what leads out.
    """

    def __init__(self, *, at_once: int, bounds: Bounds, tls: ssl.SSLContext, proxies: Proxies) -> None:
        self._turns = Turns(at_once)
        self._bounds = bounds
        self._tls = tls
        self._proxies = proxies
        self._unused: list[Place] = []
        self._used: set[Place] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def under_way(self) -> int:
        """How many exchanges there are now."""
        return self._turns.under_way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request; its answer must be read to the end or closed.

        Raises:
            httpx.TransportError: no answer, or one out of bounds. `ConnectError`, `ConnectTimeout` and `PoolTimeout`
                say that nothing was sent.
        """
        bounds = request.extensions.get(EXTENSION, self._bounds)
        ends = time.monotonic() + bounds.seconds
        turn = await self._turns.take(ends)
        try:
            place = self._place_for(request.url)
        except BaseException:
            self._turns.give_back(turn)
            raise
        try:
            answer = await place.send(request, bounds, ends)
            headers = _plain(answer)
        except BaseException:
            self._end(turn, place, orderly=False)
            raise
        body = _Body(answer, bounds.answer_bytes, place, lambda orderly: self._end(turn, place, orderly=orderly))
        return httpx.Response(answer.status, headers=headers, stream=body, extensions=dict(answer.extensions))

    async def aclose(self) -> None:
        """Closes every connection, those of exchanges under way as well."""
        self._is_closed = True
        for place in (*self._unused, *self._used):
            self._throw_away(place)
        self._unused.clear()
        while self._closing:
            await asyncio.wait(self._closing)

    def _place_for(self, url: httpx.URL) -> Place:
        self._throw_away_what_is_old()
        origin = origin_of(url)
        # The last one first: the others grow old, and are closed.
        place = next((place for place in reversed(self._unused) if place.origin == origin), None)
        if place is None:
            place = Place(origin, self._tls, self._proxies.to(url))
        else:
            self._unused.remove(place)
        self._used.add(place)
        return place

    def _end(self, turn: Turn, place: Place, *, orderly: bool) -> None:
        """Ends an exchange. Does not wait for anything, so that no cancellation can come in between."""
        self._used.discard(place)
        self._turns.give_back(turn)
        if not orderly or self._is_closed:
            self._throw_away(place)
            return
        place.unused_since = time.monotonic()
        self._unused.append(place)
        if len(self._unused) > MOST_UNUSED:
            self._throw_away(self._unused.pop(0))

    def _throw_away_what_is_old(self) -> None:
        while self._unused and self._unused[0].unused_since + KEPT_SECONDS < time.monotonic():
            self._throw_away(self._unused.pop(0))

    def _throw_away(self, place: Place) -> None:
        """Closes it in a task of its own: whoever was cancelled waits for nothing more."""
        closing = asyncio.get_running_loop().create_task(_close(place))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def _plain(answer: httpcore.Response) -> httpx.Headers:
    """The headers of an answer that comes as it is.

    Raises:
        AnswerEncodedError: it is packed.
    """
    headers = httpx.Headers(answer.headers)
    if headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
        raise AnswerEncodedError("the answer is packed, though it was asked for as it is")
    return headers


async def _close(place: Place) -> None:
    try:
        await place.aclose()
    except Exception as error:  # noqa: BLE001 - nobody waits for it, and the connection is given up anyway
        _log.debug("a connection did not close: %s", type(error).__name__)


class _Body(httpx.AsyncByteStream):
    """An answer's body, within its bound; its end is the exchange's."""

    def __init__(self, answer: httpcore.Response, at_most: int, place: Place, end: Callable[[bool], None]) -> None:
        self._answer = answer
        self._at_most = at_most
        self._place = place
        self._end = end
        self._is_whole = False
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        with in_the_librarys_words():
            async for part in self._answer.aiter_stream():
                length += len(part)
                self._place.part_of_the_body_came(len(part))
                if length > self._at_most:
                    raise AnswerTooLargeError(f"the answer is larger than {self._at_most} bytes")
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
