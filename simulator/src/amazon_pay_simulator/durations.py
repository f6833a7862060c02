"""Durations as people and ISO 8601 write them: with years and months, which are of no fixed length."""

import contextlib
import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

_MONTHS_OF_A_YEAR: Final = 12
_WRITTEN: Final = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<years>\d{1,6})Y)?(?:(?P<months>\d{1,6})M)?(?P<rest>[^YMT]*(T.+)?)"
)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_MISPLACED: Final = re.compile(r"^[^T]*[YM]")
"""Years or months that are written elsewhere than at the beginning."""
_FIXED: Final = TypeAdapter(timedelta)


@dataclass(frozen=True, slots=True)
class CalendarDuration:
    """So many calendar months, and then so much time.

    Attributes:
        months: a month later is the same day of the next one, or its last day where that is shorter.
        time: what is added after them.
    """

    months: int
    time: timedelta

    def after(self, instant: datetime) -> datetime:
        """The instant that comes so much later.

        Raises:
            OverflowError: it is none that a calendar has.
        """
        try:
            return months_later(instant, self.months) + self.time
        except ValueError as error:  # a year before 1 or after 9999
            raise OverflowError(str(error)) from None


def read_duration(value: object) -> CalendarDuration:
    """Seconds, or an ISO 8601 duration such as PT90S, P3D, P1M or P1Y6M.

    Raises:
        ValueError: it is no duration.
    """
    if isinstance(value, CalendarDuration):
        return value
    written = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if written is None or not (written["years"] or written["months"]):
        return CalendarDuration(0, _fixed(value))
    months = int(written["years"] or 0) * _MONTHS_OF_A_YEAR + int(written["months"] or 0)
    sign = -1 if written["sign"] == "-" else 1
    return CalendarDuration(sign * months, sign * (_fixed(f"P{written['rest']}") if written["rest"] else timedelta(0)))


def seconds_of(value: object) -> object:
    """A number as it is, also where a command line has it as text; everything else as it is."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _fixed(value: object) -> timedelta:
    # Of these pydantic would make 365 and 30 days.
    if not (isinstance(value, str) and _MISPLACED.search(value)):
        with contextlib.suppress(ValidationError):
            return _FIXED.validate_python(seconds_of(value))
    raise ValueError("a duration is accepted: seconds, or ISO 8601 such as PT90S, P3D, P1M or P1Y")


FixedDuration = Annotated[timedelta, BeforeValidator(seconds_of), Field(ge=timedelta(0))]
"""Seconds or an ISO 8601 duration, in which a month has 30 days; not below zero."""

ReadDuration = Annotated[
    CalendarDuration,
    BeforeValidator(read_duration, json_schema_input_type=float | str),
    Field(examples=["P1M"]),
]
"""In a body: seconds as a number, or an ISO 8601 duration."""


def months_later(instant: datetime, months: int) -> datetime:
    """The same day and time some calendar months later; the month's last day where that month is shorter."""
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    return instant.replace(year=year, month=month + 1, day=min(instant.day, monthrange(year, month + 1)[1]))
