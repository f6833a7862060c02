"""What one exchange may take: a request and its answer, from the wait for a turn to the last byte."""

import math
from dataclasses import dataclass, fields
from typing import Any, Final

EXTENSION: Final = "perennial.bounds"
"""Where a request carries its bounds on the way through the library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of one exchange.

    Attributes:
        seconds: for the whole of it: waiting for a turn, connecting, sending, and the answer to its last byte.
        connect_seconds: of these, at most so many until a connection stands, TLS included.
        answer_bytes: of the answer's body.

    Raises:
        ValueError: a bound is not a finite number above zero.
    """

    seconds: float
    connect_seconds: float = 5.0
    answer_bytes: int = 64 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{field.name}: {value!r} is not a bound; a number above 0 is accepted")

    @property
    def extensions(self) -> dict[str, Any]:  # Any: as the library has it
        """What a request is given as its `extensions`, for these bounds to hold instead of the client's own."""
        return {EXTENSION: self}
