"""Two attempts to charge one period, with a lost answer and a worker that dies: one of them is paid, once."""

from typing import Final, NamedTuple

from perennial_billing.billing.keys import idempotency_key
from tests.billing.support import PERMISSION_ID
from tests.pictures.drawing import Colour, Drawing

_WORKER, _AMAZON, _PERIOD = 286.0, 596.0, 3


class Exchange(NamedTuple):
    """A request and what came of it."""

    attempt: int
    answer: str
    meaning: str
    there: str
    colour: Colour
    lost: bool = False


_EXCHANGES: Final = (
    Exchange(
        1,
        "no answer: the connection broke",
        "outcome unknown: the same again",
        "may have charged, or not",
        Colour.MUTED,
        lost=True,
    ),
    Exchange(1, "SoftDeclined", "a known decline: another attempt later", "one key, one charge", Colour.RED),
    Exchange(2, "captured, and the worker dies", "nobody has noted it", "keeps its answer", Colour.MUTED, lost=True),
    Exchange(2, "captured: the same charge", "paid, once", "answers what it has kept", Colour.GREEN),
)


def picture() -> str:
    """As SVG."""
    drawing = Drawing(
        80 + 66 * len(_EXCHANGES) + 20,
        "Requests with two idempotency keys, of which the second is answered twice with one charge",
    )
    drawing.words(24, 30, f"Period {_PERIOD}: two attempts, two keys, four requests, one payment", bold=True)
    for x, who in ((_WORKER, "a worker"), (_AMAZON, "Amazon Pay")):
        drawing.words(x, 58, who, anchor="middle", colour=Colour.MUTED)
        drawing.line((x, 66), (x, 70 + 66 * len(_EXCHANGES)), Colour.FAINT)
    for place, exchange in enumerate(_EXCHANGES):
        y = 88 + place * 66
        key = idempotency_key(PERMISSION_ID, _PERIOD, exchange.attempt)
        drawing.arrow((_WORKER, y), (_AMAZON, y), Colour.BLUE)
        drawing.words(
            (_WORKER + _AMAZON) / 2, y - 6, f"Create Charge, key {key}", anchor="middle", small=True, mono=True
        )
        if exchange.lost:
            drawing.line((_AMAZON, y + 22), (_WORKER + 60, y + 22), exchange.colour, dashed=True)
            drawing.cross(_WORKER + 54, y + 22)
        else:
            drawing.arrow((_AMAZON, y + 22), (_WORKER, y + 22), exchange.colour)
        drawing.words(
            (_WORKER + _AMAZON) / 2 + 20, y + 17, exchange.answer, anchor="middle", small=True, colour=exchange.colour
        )
        drawing.words(_WORKER - 12, y + 26, exchange.meaning, anchor="end", small=True, colour=exchange.colour)
        drawing.words(_AMAZON + 12, y + 4, exchange.there, small=True, colour=Colour.MUTED)
    return drawing.svg()
