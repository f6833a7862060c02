"""The connections of one event loop. A connection belongs to the loop that it was opened in, and ends with it."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Callable

from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.outbound.place import Place
from amazon_pay_client.outbound.proxies import Proxies
from amazon_pay_client.outbound.shelf import Shelf, origin_of
from amazon_pay_client.outbound.turns import Turn

_log = logging.getLogger(__name__)


class Connections:
    """What one transport has open in one event loop; all is done in that loop but `close_from_elsewhere`.

    An event loop tells nobody that it ends, but it ends the asynchronous generators that were begun in it:
    `asyncio.run` and whatever does as it does (asgiref's `async_to_sync`, `asyncio.Runner`) waits for that. So one
    generator lives as long as the loop, and closes the connections while they still can be closed.

    Args:
        loop: the one that runs now.
        most_unused: connections that are kept for the next request.
        when_ended: called when all is closed.

    Attributes:
        turns: of the exchanges that are under way here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most_unused: int, when_ended: Callable[[], None]) -> None:
        self._loop = loop
        self._shelf: Shelf[Place] = Shelf(most_unused)
        self.turns: set[Turn] = set()
        self._when_ended = when_ended
        self._closing: set[asyncio.Task[None]] = set()
        self._life = self._until_the_loop_ends()

    async def begin(self) -> None:
        """Before the first connection. It waits for nothing."""
        await anext(self._life)

    def place_for(self, url: httpx.URL, tls: ssl.SSLContext, proxies: Proxies, *, public_only: bool) -> Place:
        """A place for one exchange: one that is kept, or a new one."""
        origin = origin_of(url)
        place, old = self._shelf.take(origin)
        for each in old:
            self._throw_away(each)
        if place is None:
            place = Place(origin, tls, proxies.to(url), public_only=public_only)
            self._shelf.add(place)
        return place

    def end(self, place: Place, *, orderly: bool) -> None:
        """Ends an exchange. Does not wait for anything, so that no cancellation can come in between."""
        for each in self._shelf.put_back(place, orderly=orderly):
            self._throw_away(each)

    async def aclose(self) -> None:
        """Closes all, those of exchanges under way as well."""
        await self._life.aclose()

    def close_from_elsewhere(self) -> None:
        """The same from another event loop or thread, without waiting for it.

        Where this loop does not run any more, nothing can be closed in it: what it left open ends with the objects.
        """
        if self._loop.is_running():
            with contextlib.suppress(RuntimeError):  # it was closed in this very moment
                self._loop.call_soon_threadsafe(self._close_in_a_task)

    def _close_in_a_task(self) -> None:
        self._keep(self._loop.create_task(self.aclose()))

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            for place in self._shelf.clear():
                self._throw_away(place)
            while others := self._closing - {asyncio.current_task()}:
                await asyncio.wait(others)
            self._when_ended()

    def _throw_away(self, place: Place) -> None:
        """Closes it in a task of its own: whoever was cancelled waits for nothing more."""
        if self._loop.is_closed():
            return  # what is left of a call is collected, and its connection with it
        self._keep(self._loop.create_task(_close(place)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _close(place: Place) -> None:
    try:
        await place.aclose()
    except Exception as error:  # noqa: BLE001 - nobody waits for it, and the connection is given up anyway
        _log.debug("a connection did not close: %s", type(error).__name__)
