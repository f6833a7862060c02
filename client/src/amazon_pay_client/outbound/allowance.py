"""What one exchange may still take of its time and of bytes, however its connection is waited for."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.library import httpcore

NO_TIME: Final = 0.0

READ_BYTES: Final = 16 * 1024
"""At a time. What one reading brings is taken apart in one go, and others wait meanwhile."""

OVERHEAD_BYTES: Final = 48 * 1024
"""What may be read of a connection beyond the answer's body: headers, interim answers, the lengths of chunks, and what
has come already of the rest. Servers send heads of 8 or 16 KiB at the most; each interim answer and each tiny chunk
costs as much time as a large one."""

SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]


class EndlessAnswerError(httpcore.RemoteProtocolError):
    """Bytes came over the connection, and hardly any of them for the body."""


@dataclass(slots=True)
class Allowance:
    """What is left to one exchange, in time and in bytes.

    Attributes:
        ends: when its time is up, on `time.monotonic`.
        connected_by: when a connection must stand.
        bytes_left: how many may still be read from the connection until a part of the body comes of it.
    """

    ends: float = NO_TIME
    connected_by: float = NO_TIME
    bytes_left: int = 0

    @classmethod
    def of(cls, bounds: Bounds, ends: float) -> "Allowance":
        """At the start of an exchange, when its turn has come."""
        connected_by = min(ends, time.monotonic() + bounds.connect_seconds)
        return cls(ends, connected_by, OVERHEAD_BYTES)

    def came(self, length: int) -> None:
        """So many bytes were read from the connection.

        Raises:
            EndlessAnswerError: there are more of them than an answer has around its body.
        """
        self.bytes_left -= length
        if self.bytes_left < 0:
            raise EndlessAnswerError("the answer is hardly more than what surrounds a body")

    def part_of_the_body_came(self, length: int) -> None:
        """As much again may be read, and a little for what surrounds it: a body in tiny chunks is mostly framing."""
        self.bytes_left += length + length // 4


def seconds_until(ends: float, up: type[httpcore.TimeoutException]) -> float:
    """The seconds until then; a server that always has another byte ready is never waited for, so it is asked here.

    Raises:
        httpcore.TimeoutException: of the kind given; the time is up.
    """
    left = ends - time.monotonic()
    if left <= 0:
        raise up("the time of the exchange is up")
    return left
