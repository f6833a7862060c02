"""What time it is for a request: the wall clock's, or the one that the caller brings along.

Subscriptions under test live in virtual time, each in its own; a request that carries its caller's time is dated by
it, so that the books show the virtual dates.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from amazon_pay.models.wire import TIMESTAMP_FORMAT
from simulator.refusals import Refusal

TIME_HEADER: Final = "x-simulator-time"
"""`yyyyMMddTHHmmssZ`, UTC. Amazon itself knows no such header."""


def time_of(headers: Mapping[str, str]) -> datetime:
    """The instant (UTC, whole seconds) at which a request happens.

    Raises:
        Refusal: InvalidHeaderValue.
    """
    text = headers.get(TIME_HEADER)
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.strptime(text, TIMESTAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("InvalidHeaderValue", f"{TIME_HEADER}: {text!r} is not yyyyMMddTHHmmssZ") from None
