"""Durations as people and ISO 8601 write them: with years and months, which are of no fixed length."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from amazon_pay_simulator.context import months_later

_MONTHS_OF_A_YEAR: Final = 12
_WRITTEN: Final = re.compile(r"(?P<sign>[+-]?)P(?:(?P<years>\d{1,6})Y)?(?:(?P<months>\d{1,6})M)?(?P<rest>.*)")
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


def _fixed(value: object) -> timedelta:
    try:
        return _FIXED.validate_python(value)
    except ValidationError:
        raise ValueError("a duration is accepted: seconds, or ISO 8601 such as PT90S, P3D, P1M or P1Y") from None


ReadDuration = Annotated[
    CalendarDuration,
    BeforeValidator(read_duration, json_schema_input_type=float | str),
    Field(examples=["P1M"]),
]
"""In a body: seconds as a number, or an ISO 8601 duration."""
