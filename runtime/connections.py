"""One connection of our HTTP server, bounded in everything that its other side decides.

Uvicorn bounds the time between two requests, and nothing within one: a header may be endless, a request may take for
ever to arrive, and however many requests are sent at once are all held. A proxy in front bounds that too; what is here
holds without one.
"""

import asyncio
import logging
import resource
from collections import Counter
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

LARGEST_HEAD_BYTES: Final = 32 * 1024
"""Of a request's line and header fields, as most servers and proxies have it (nginx: four times 8 KiB)."""

REQUEST_SECONDS: Final = 20.0
"""How long a request may take to arrive, head and body; SNS itself gives a receiver 15 s for everything."""

ANSWER_SECONDS: Final = 20.0
"""How long an answer that fills the connection may wait for its reader to go on."""

MOST_WAITING_REQUESTS: Final = 16
"""On one connection, sent before the one ahead of them was answered. No client or proxy of today does so at all."""

MANY_CONNECTIONS: Final = 512
"""At a time; of more than these, those that have waited for their request for a while are given up."""

MOST_CONNECTIONS: Final = 4096
"""At a time, however young they are."""

PATIENCE_SECONDS: Final = 2.0
"""How long a connection may take to say something while there are many: an honest one says all at once, and one that
was accepted in the middle of a burst is not to go with the burst."""

_AFTER_A_BURST_SECONDS: Final = 0.001

OTHER_FILES: Final = 128
"""Of those that the process may have open, what is left for everything but connections."""

LOGGED_EVERY_SECONDS: Final = 60.0

_log = logging.getLogger("http")


def most_connections() -> int:
    """How many are taken: fewer where the process may open few files, as the server could not accept any more then."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, files - OTHER_FILES))


class Connections(ServerState):
    """All connections of one server, and those of them that wait for a request with the time since when, the one that
    waits longest first."""

    def __init__(self) -> None:
        super().__init__()
        self.most = most_connections()
        self.waiting: dict[Connection, float] = {}
        self.cut: Counter[str] = Counter()
        self._is_thinned_out = False
        self._logged_at = float("-inf")

    def make_room(self) -> bool:
        """Gives up the connection that waits longest, where there are too many; False where each is being answered.

        Where there are many, those that still wait are given up later: what they have sent may not have been read yet.
        """
        now = asyncio.get_running_loop().time()
        while len(self.connections) > self.most:
            if not self._gives_up_oldest(now):
                return False
        if len(self.connections) > MANY_CONNECTIONS and not self._is_thinned_out:
            self._is_thinned_out = True
            # Looked at by itself, once the burst is over in which this one was accepted: nothing is read before.
            asyncio.get_running_loop().call_later(_AFTER_A_BURST_SECONDS, self._look)
        return True

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(PATIENCE_SECONDS, self._thin_out, loop.time())

    def _thin_out(self, seen_at: float) -> None:
        """Gives up those that waited when it was looked before, which the loop has read from since."""
        while len(self.connections) > MANY_CONNECTIONS and self._gives_up_oldest(seen_at):
            pass
        self._is_thinned_out = len(self.connections) > MANY_CONNECTIONS
        if self._is_thinned_out:
            self._look()

    def _gives_up_oldest(self, waiting_since: float) -> bool:
        oldest, since = next(iter(self.waiting.items()), (None, 0.0))
        if oldest is None or since > waiting_since:
            return False
        oldest.give_up("too_many")
        return True

    def count(self, why: str) -> None:
        """Counts a connection that was cut. Logged now and then, as whoever sends much must not fill the log."""
        self.cut[why] += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= LOGGED_EVERY_SECONDS:
            self._logged_at = now
            _log.warning("connections were cut", extra={"since_the_start": dict(self.cut)})


class Connection(HttpToolsProtocol):
    """A connection. It is cut where a bound is passed."""

    server_state: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: as in the base
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline: asyncio.TimerHandle | None = None
        self._answer_deadline: asyncio.TimerHandle | None = None
        self._is_arriving = False
        self._reads_on = True
        self._unanswered = 0
        self._head_bytes = 0
        self._bytes_beside_bodies = 0

    # As the transport calls it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        self._wait_for_request()
        if not self.server_state.make_room():
            self.give_up("too_many")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._unset_keepalive_if_required()
        if self._answer_deadline is not None:
            self._answer_deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._reads_on or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if not self._is_arriving:
            self._wait_for_request()  # from its first byte on
        self._bytes_beside_bodies += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # nothing here can be upgraded to; it was answered as any other
        except httptools.HttpParserError:
            self._refuse("malformed", b"400 Bad Request")
        else:
            if self._bytes_beside_bodies > LARGEST_HEAD_BYTES:
                self._refuse("too_large", b"431 Request Header Fields Too Large")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_deadline = self.loop.call_later(ANSWER_SECONDS, self.give_up, "unread")

    def resume_writing(self) -> None:
        if self._answer_deadline is not None:
            self._answer_deadline.cancel()
        super().resume_writing()

    # As the parser calls it; what is raised here is an error of its own to `data_received`

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_WAITING_REQUESTS:
            raise _BoundError
        if not self._is_arriving:
            self._wait_for_request()
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._unanswered += 1
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # what comes after is no HTTP

    def on_body(self, body: bytes) -> None:
        # What a chunk is wrapped in may be as large as the chunk, and no larger.
        self._bytes_beside_bodies = max(0, self._bytes_beside_bodies - 2 * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._bytes_beside_bodies = 0
        self._stop_waiting()
        super().on_message_complete()

    # What it does

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        super().on_response_complete()
        if not self._is_arriving and not self._unanswered and not self.transport.is_closing():
            self.server_state.waiting[self] = self.loop.time()  # idle

    def give_up(self, why: str) -> None:
        """Cuts it, whatever is under way."""
        self._stop_waiting()
        self.connections.discard(self)
        self.server_state.count(why)
        self.transport.abort()

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        self._is_arriving = True
        self.server_state.waiting[self] = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._refuse, "slow", b"408 Request Timeout")

    def _stop_waiting(self) -> None:
        self._is_arriving = False
        self.server_state.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LARGEST_HEAD_BYTES:
            raise _BoundError

    def _refuse(self, why: str, status: bytes) -> None:
        """Reads no further, says why and closes; what was asked before and is all there is answered first."""
        self._stop_waiting()
        self._reads_on = False
        self.server_state.count(why)
        if self._unanswered and not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif self._unanswered > 1 or (self._unanswered and self.cycle.response_started):
            self.transport.abort()
        else:
            self.transport.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
            self.transport.close()


class _BoundError(Exception):
    """More than a request may have, or than may wait."""
