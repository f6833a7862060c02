"""What time it is for a request: the simulator's clock's, or the time that the caller brings along.

Subscriptions under test live in virtual time, each in its own; a request that carries its caller's time is dated by
it, so that the books show the virtual dates, and limits and expiries are met when the caller meets them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from amazon_pay_simulator.durations import CalendarDuration
from amazon_pay_simulator.refusals import Refusal

TIME_HEADER: Final = "x-simulator-time"
"""`yyyyMMddTHHmmssZ`, UTC. Amazon itself knows no such header."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Beyond, the calendar has no room for the time that a charge permission lives."""


class Clock:
    """Runs as the wall clock does, from whatever instant it was set to."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self._ahead = ahead

    @property
    def ahead(self) -> timedelta:
        """By how much it is ahead of the wall clock; below zero where it is behind."""
        return self._ahead

    def reset(self) -> None:
        """It is the wall clock's time again."""
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The instant (UTC, whole seconds)."""
        return (datetime.now(UTC) + self._ahead).replace(microsecond=0)

    def set(self, now: datetime) -> None:
        """Sets it.

        Raises:
            Refusal: InvalidParameterValue.
        """
        if not EARLIEST <= now < LATEST:
            raise Refusal("InvalidParameterValue", f"{now}: the clock goes from {EARLIEST:%Y} to {LATEST:%Y}")
        self._ahead = now - datetime.now(UTC)

    def advance(self, by: CalendarDuration) -> None:
        """Moves it on, months as the calendar has them.

        Raises:
            Refusal: InvalidParameterValue.
        """
        try:
            self.set(by.after(datetime.now(UTC) + self._ahead))
        except OverflowError:
            raise Refusal("InvalidParameterValue", f"by: the clock goes to {LATEST:%Y} at the most") from None

    def time_of(self, headers: Mapping[str, str]) -> datetime:
        """The instant (UTC, whole seconds) at which a request happens.

        Raises:
            Refusal: InvalidHeaderValue.
        """
        text = headers.get(TIME_HEADER)
        if text is None:
            return self.now()
        try:
            instant = datetime.strptime(text, TIMESTAMP_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise Refusal("InvalidHeaderValue", f"{TIME_HEADER}: {text!r} is not yyyyMMddTHHmmssZ") from None
        if not EARLIEST <= instant < LATEST:
            raise Refusal("InvalidHeaderValue", f"{TIME_HEADER}: {text} is not from {EARLIEST:%Y} to {LATEST:%Y}")
        return instant
