"""One subscription's life, as its statuses follow each other."""

from datetime import UTC, datetime
from typing import Final

from perennial_billing.billing.status import Status
from tests.pictures.drawing import WIDTH, Axis, Colour, Drawing
from tests.pictures.life import BEGINS, ENDS, life, spans

_COLOURS: Final = {
    Status.ACTIVE: (Colour.PALE_GREEN, Colour.GREEN),
    Status.RETRYING: (Colour.PALE_AMBER, Colour.AMBER),
    Status.AWAITING_PAYMENT_METHOD: (Colour.PALE_RED, Colour.RED),
    Status.PAUSED: (Colour.PALE_BLUE, Colour.BLUE),
}
_GRAY: Final = (Colour.PLAIN, Colour.MUTED)
_TOP, _HEIGHT = 92, 40
_AXIS: Final = Axis(BEGINS, ENDS, 24, WIDTH - 24)


def picture() -> str:
    """As SVG."""
    drawing = Drawing(232, "The statuses of one subscription over half a year, and its charges")
    drawing.words(24, 30, "9.99 EUR on the first of each month: one workflow, from the start to the end", bold=True)
    for status, since, until in spans():
        fill, edge = _COLOURS.get(status, _GRAY)
        left, right = _AXIS.at(since), _AXIS.at(until)
        drawing.box(left, _TOP, right - left, _HEIGHT, fill=fill, edge=edge)
        words = "awaiting payment method" if status is Status.AWAITING_PAYMENT_METHOD else status.value
        if right - left > 7 * len(words):
            drawing.words((left + right) / 2, _TOP + 25, words, colour=edge, anchor="middle", small=True)
        else:
            drawing.line(((left + right) / 2, _TOP), ((left + right) / 2, _TOP - 12), edge)
            drawing.words((left + right) / 2, _TOP - 17, words, colour=edge, anchor="middle", small=True)
    _charges(drawing)
    for month in range(3, 10):
        first = datetime(2027, month, 1, 9, tzinfo=UTC)
        drawing.words(
            _AXIS.at(first),
            202,
            f"{first:%-d %b}",
            colour=Colour.MUTED,
            anchor="middle" if month > 3 else "start",
            small=True,
        )
    drawing.dot(34, 217, Colour.GREEN)
    drawing.words(44, 221, "captured", small=True)
    drawing.dot(114, 217, Colour.RED, hollow=True)
    drawing.words(124, 221, "declined", small=True)
    drawing.words(
        200,
        221,
        "While it was paused nothing was owed. Its end was planned: the paid month was served.",
        small=True,
        colour=Colour.MUTED,
    )
    return drawing.svg()


def _charges(drawing: Drawing) -> None:
    drawing.line((24, 164), (WIDTH - 24, 164), Colour.FAINT)
    for moment in life().moments:
        if moment.charge:
            failed = moment.charge != "captured"
            drawing.dot(_AXIS.at(moment.at), 164, Colour.RED if failed else Colour.GREEN, 4, hollow=failed)
