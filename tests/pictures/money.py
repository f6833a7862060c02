"""Two units instead of one, in the middle of a paid month: what is credited, charged today and charged next."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from perennial_billing.billing.changes import ChangePlan, When
from perennial_billing.billing.forecast.preview import dry_run
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.commands import Action
from tests.billing.support import CAPTURED, MONTHLY, Life, at, terms
from tests.pictures.drawing import WIDTH, Axis, Colour, Drawing

_PRICE: Final = Money.parse("31.00 EUR")
_MARCH, _MID, _APRIL, _CUT = "2026-03-01 10:00", "2026-03-16 10:00", "2026-04-01 10:00", "2026-04-16 10:00"
_AXIS: Final = Axis(at(_MARCH), at(_CUT), 24, WIDTH - 24)
"""The last period is longer than what is seen of it."""
_BEFORE, _AFTER, _HEIGHT = 70, 140, 46


def picture() -> str:
    """As SVG."""
    life = Life(terms(_MARCH).but(plan=Plan.of("tea", _PRICE, MONTHLY)))
    life.step(Action.CHARGE, _MARCH, CAPTURED)
    found = dry_run(life.subscription, ChangePlan(quantity=2, when=When.NOW), at(_MID))
    (today,), following = found.charged_now, found.upcoming[0]
    unused = (at(_APRIL) - at(_MID)) / (at(_APRIL) - at(_MARCH))
    credit = Money.rounded(_PRICE.amount * Decimal(unused), "EUR")
    bridge = Money(amount=today.amount.amount + credit.amount, currency="EUR")

    drawing = Drawing(
        262, "A second unit from 16 March on: the unused days are credited, and the rest is charged at once"
    )
    drawing.words(24, 30, "31.00 EUR a month; from 16 March on two of them (--quantity 2 --when now)", bold=True)
    drawing.words(24, _BEFORE - 8, "paid on 1 March", small=True, colour=Colour.MUTED)
    _bar(drawing, _BEFORE, (_MARCH, _MID), f"served: {_less(_PRICE, credit)}", (Colour.PALE_GREEN, Colour.GREEN))
    _bar(drawing, _BEFORE, (_MID, _APRIL), f"16 of 31 days unused: {credit} credit", (Colour.PALE_AMBER, Colour.AMBER))
    drawing.words(24, _AFTER - 8, "from the change on", small=True, colour=Colour.MUTED)
    _bar(drawing, _AFTER, (_MID, _APRIL), f"16 days of two units: {bridge}", (Colour.PALE_BLUE, Colour.BLUE))
    _bar(
        drawing, _AFTER, (_APRIL, _CUT), f"two units, all of April: {following.amount}", (Colour.PALE_BLUE, Colour.BLUE)
    )
    for day, said in (
        (_MARCH, f"1 March: {_PRICE}"),
        (_MID, f"16 March: {today.amount}"),
        (_APRIL, f"1 April: {following.amount}"),
    ):
        _charged(drawing, at(day), said)
    drawing.words(
        24,
        248,
        "Charged on 16 March: the new days less the credit. The due dates stay where they were.",
        small=True,
        colour=Colour.MUTED,
    )
    return drawing.svg()


def _bar(drawing: Drawing, y: float, days: tuple[str, str], said: str, colours: tuple[Colour, Colour]) -> None:
    left, right = _AXIS.at(at(days[0])), _AXIS.at(at(days[1]))
    drawing.box(left, y, right - left, _HEIGHT, fill=colours[0], edge=colours[1])
    drawing.words((left + right) / 2, y + 27, said, colour=colours[1], anchor="middle", small=True)


def _charged(drawing: Drawing, day: datetime, said: str) -> None:
    x = _AXIS.at(day)
    drawing.dot(x, 208, Colour.GREEN)
    drawing.words(x + 10, 212, said, small=True, bold=True)


def _less(whole: Money, part: Money) -> Money:
    return Money(amount=whole.amount - part.amount, currency=whole.currency)
