"""Notices on their way: numbered as they are told, recorded, delivered each by itself, and put in order again."""

from datetime import timedelta
from typing import Final

from perennial_billing.activities.signatures import RETRY_DELAYS
from tests.pictures.drawing import WIDTH, Colour, Drawing
from tests.pictures.life import life

_FIRST, _SHOWN = 1, 5
"""From the second notice on, so many: from `period.paid` to the retries."""
_LATE: Final = 1
"""Which of them your endpoint does not take at first."""
_LEFT, _STEP = 80.0, 138.0

_TRIED: Final = (
    f"What is not taken is tried for {int(sum(RETRY_DELAYS, timedelta()).total_seconds() // 3600)} hours, "
    "then by `perennial notices resend`."
)


def picture() -> str:
    """As SVG."""
    shown = life().notices[_FIRST : _FIRST + _SHOWN]
    drawing = Drawing(
        266, "Five notices are told in order; one arrives after the next, and its number restores the order"
    )
    drawing.words(24, 30, "Each notice has a number, and goes its own way", bold=True)
    for lane, y in (("told and recorded, in order", 92), ("at your endpoint", 194)):
        drawing.line((24, y), (WIDTH - 24, y), Colour.FAINT)
        drawing.words(24, y + 30 if y > 100 else y - 38, lane, small=True, colour=Colour.MUTED)
    for place, notice in enumerate(shown):
        x = _LEFT + place * _STEP
        _notice(drawing, x, 92, notice.number, notice.type.value, above=True)
        if place == _LATE:
            drawing.arrow((x, 104), (x + 10, 136), Colour.RED)
            drawing.cross(x + 12, 142)
            drawing.words(
                x + 22,
                140,
                "503; again later",
                small=True,
                colour=Colour.RED,
            )
            drawing.arrow((x + 16, 150), (x + _STEP + 62, 183), Colour.AMBER, dashed=True)
            _notice(drawing, x + _STEP + 66, 194, notice.number, "", above=False, late=True)
        else:
            drawing.arrow((x, 104), (x + 4, 182), Colour.MUTED)
            _notice(drawing, x + 4, 194, notice.number, "", above=False)
    order = ", ".join(str(number) for number in _arrived([notice.number for notice in shown]))
    drawing.words(
        24,
        252,
        f"It arrives as {order}. Its number tells its place. {_TRIED}",
        small=True,
        colour=Colour.MUTED,
    )
    return drawing.svg()


def _arrived(numbers: list[int]) -> list[int]:
    """As they arrive: the late one after its next."""
    return [*numbers[:_LATE], numbers[_LATE + 1], numbers[_LATE], *numbers[_LATE + 2 :]]


def _notice(drawing: Drawing, x: float, y: float, number: int, kind: str, *, above: bool, late: bool = False) -> None:
    fill, edge = (Colour.PALE_AMBER, Colour.AMBER) if late else (Colour.PALE_BLUE, Colour.BLUE)
    drawing.box(x - 12, y - 11, 24, 22, fill=fill, edge=edge)
    drawing.words(x, y + 4, str(number), colour=edge, anchor="middle", bold=True, small=True)
    if above:
        drawing.words(x, y - 17, kind, small=True, mono=True, anchor="middle")
