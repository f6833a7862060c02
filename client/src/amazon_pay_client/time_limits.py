"""How long one sending of a request may take, by what the operation does at Amazon.

A limit covers everything: waiting for its turn among the client's calls, connecting, sending, and reading the whole
answer.
"""

import math
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final


class OperationKind(Enum):
    """What an operation does at Amazon, as far as its duration goes; the value names the field of `TimeLimits`."""

    READ = "read_seconds"
    WRITE = "write_seconds"
    PAYMENT = "payment_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """The limits in seconds, each for one sending; a repetition has the whole limit again.

    Attributes:
        read_seconds: nothing is done at Amazon but a look-up, and asking again is safe at any time.
        write_seconds: something is written, and nobody outside Amazon is asked.
        payment_seconds: a bank is asked. Create Charge without pending authorization may take 15 s, and 30 s in
            Japan (Amazon Pay API v2, "charge"); to hang up earlier makes a known outcome an unknown one.
        connect_seconds: a host that is there answers at once; longer waits only delay the next attempt.

    Raises:
        ValueError: a limit is not a finite number above zero.
    """

    read_seconds: float = 15.0
    write_seconds: float = 25.0
    payment_seconds: float = 40.0
    connect_seconds: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            seconds = getattr(self, field.name)
            if not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"{field.name}: {seconds!r} is not a limit; a number of seconds above 0 is accepted")

    def of(self, kind: OperationKind) -> float:
        """The limit of one kind of operation, in seconds."""
        seconds: float = getattr(self, kind.value)
        return seconds


DEFAULT_TIME_LIMITS: Final = TimeLimits()
