"""The same way out for threads that wait: see `transport`."""

import logging
import ssl
import time
from collections.abc import Callable, Iterator

from amazon_pay_client.outbound.answers import Measure, plain_headers
from amazon_pay_client.outbound.bounds import EXTENSION, Bounds
from amazon_pay_client.outbound.errors import NeverSentError
from amazon_pay_client.outbound.forks import begins_anew_in_children
from amazon_pay_client.outbound.library import httpcore, httpx
from amazon_pay_client.outbound.place import BlockingPlace, in_the_librarys_words
from amazon_pay_client.outbound.proxies import Proxies
from amazon_pay_client.outbound.shelf import Shelf, origin_of
from amazon_pay_client.outbound.transport import MOST_UNUSED
from amazon_pay_client.outbound.turns import Turns

_log = logging.getLogger(__name__)


class BlockingTransport(httpx.BaseTransport):
    """The transport of every client that blocks. Any number of threads may use it at once; a forked child begins anew.

    Args:
        at_once: exchanges under way at a time, over all threads; further ones wait as long as their bounds let them.
        bounds: of requests that bring none.
        tls: whom to trust.
        proxies: what leads out.
        most_unused: connections that are kept for the next request.
    """

    def __init__(
        self, *, at_once: int, bounds: Bounds, tls: ssl.SSLContext, proxies: Proxies, most_unused: int = MOST_UNUSED
    ) -> None:
        self._at_once = at_once
        self._bounds = bounds
        self._tls = tls
        self._proxies = proxies
        self._most_unused = most_unused
        self._is_closed = False
        self.begin_anew()
        begins_anew_in_children(self)

    def begin_anew(self) -> None:
        """Forgets every connection and turn; for a process that was forked."""
        self._turns = Turns(self._at_once)
        self._shelf: Shelf[BlockingPlace] = Shelf(self._most_unused)

    @property
    def under_way(self) -> int:
        """How many exchanges there are now."""
        return self._turns.under_way

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request; its answer must be read to the end or closed.

        Raises:
            httpx.TransportError: no answer, or one out of bounds. `NeverSentError`, `ConnectError`, `ConnectTimeout`
                and `PoolTimeout` say that nothing was sent.
        """
        self._refuse_when_closed()
        bounds = request.extensions.get(EXTENSION, self._bounds)
        ends = time.monotonic() + bounds.seconds
        turn = self._turns.take_blocking(ends)
        try:
            self._refuse_when_closed()
            place = self._place_for(request.url)
        except BaseException:
            self._turns.give_back(turn)
            raise

        def end(*, orderly: bool) -> None:
            self._turns.give_back(turn)
            for each in self._shelf.put_back(place, orderly=orderly):
                _close(each)

        try:
            answer = place.send(request, bounds, ends)
            headers = plain_headers(answer)
        except BaseException:
            end(orderly=False)
            raise
        body = _Body(answer, bounds.answer_bytes, place, lambda orderly: end(orderly=orderly))
        return httpx.Response(answer.status, headers=headers, stream=body, extensions=dict(answer.extensions))

    def close(self) -> None:
        """Closes every connection, those of exchanges under way as well."""
        self._is_closed = True
        for place in self._shelf.clear():
            _close(place)

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise NeverSentError("the client is closed")

    def _place_for(self, url: httpx.URL) -> BlockingPlace:
        origin = origin_of(url)
        place, old = self._shelf.take(origin)
        for each in old:
            _close(each)
        if place is None:
            place = BlockingPlace(origin, self._tls, self._proxies.to(url))
            self._shelf.add(place)
        return place


def _close(place: BlockingPlace) -> None:
    try:
        place.close()
    except Exception as error:  # noqa: BLE001 - nobody waits for it, and the connection is given up anyway
        _log.debug("a connection did not close: %s", type(error).__name__)


class _Body(httpx.SyncByteStream):
    """An answer's body, within its bound; its end is the exchange's."""

    def __init__(
        self, answer: httpcore.Response, at_most: int, place: BlockingPlace, end: Callable[[bool], None]
    ) -> None:
        self._answer = answer
        self._measure = Measure(at_most, place.part_of_the_body_came)
        self._end = end
        self._is_whole = False
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        with in_the_librarys_words():
            for part in self._answer.iter_stream():
                self._measure.add(part)
                yield part
        self._is_whole = True

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        orderly = False
        try:
            if self._is_whole:
                self._answer.close()
                orderly = True
        finally:
            self._end(orderly)
