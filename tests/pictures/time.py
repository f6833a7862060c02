"""A year of due dates, from an anchor on the last day of a month, over two changes of the clocks."""

from datetime import UTC
from typing import Final

from perennial_billing.billing.zones import zone
from tests.billing.support import calendar
from tests.pictures.drawing import Colour, Drawing

_BERLIN: Final = "Europe/Berlin"
_TOP, _ROW, _LEFT, _DAY = 84, 24, 110, 13


def picture() -> str:
    """As SVG."""
    dates = calendar("2027-01-31 09:00", _BERLIN)
    drawing = Drawing(_TOP + 12 * _ROW + 26, "Twelve due dates of a subscription that began on 31 January")
    drawing.words(24, 30, "Anchor: 31 January 2027, 09:00 in Berlin; every month", bold=True)
    for day in (1, 10, 20, 28, 31):
        drawing.words(_x(day), 60, str(day), colour=Colour.MUTED, anchor="middle", small=True)
    drawing.words(550, 60, "in Berlin", colour=Colour.MUTED, small=True)
    drawing.words(650, 60, "in UTC", colour=Colour.MUTED, small=True)
    for number in range(12):
        due, y = dates.due(number), _TOP + number * _ROW
        local = due.astimezone(zone(_BERLIN))
        last = dates.due(number + 1).astimezone(zone(_BERLIN)).day
        assert last
        drawing.words(24, y + 4, f"period {number}", colour=Colour.MUTED, small=True)
        drawing.line((_x(1), y), (_x(31), y), Colour.FAINT)
        drawing.dot(_x(local.day), y, Colour.BLUE if local.day == 31 else Colour.AMBER)
        drawing.words(550, y + 4, f"{local:%-d %b  %H:%M}", small=True, mono=True)
        summer = due.hour != dates.due(0).hour
        drawing.words(
            650,
            y + 4,
            f"{due.astimezone(UTC):%H:%M}",
            small=True,
            mono=True,
            colour=Colour.AMBER if summer else Colour.INK,
        )
    drawing.words(
        24,
        _TOP + 12 * _ROW + 8,
        "A short month moves nothing: the 31st comes back. The clock on the wall stays, whatever UTC says.",
        small=True,
        colour=Colour.MUTED,
    )
    return drawing.svg()


def _x(day: int) -> float:
    return _LEFT + (day - 1) * _DAY
