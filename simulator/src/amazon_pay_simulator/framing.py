"""What Amazon's simulated pages look alike in: a heading, facts, and what there is to press."""

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from amazon_pay_client.models.charge_permissions import Frequency
from amazon_pay_simulator.cards import CARDS, DEFAULT_CARD, Card

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.3rem } .note { color: #666; font-size: .9rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem } dt { color: #666 }
dd { margin: 0; overflow-wrap: anywhere }
fieldset { border: 1px solid #ccc; border-radius: .4rem; margin: 1.5rem 0 }
label { display: grid; grid-template-columns: 1.5rem 12.5rem 1fr; align-items: baseline; padding: .2rem 0 }
button { font: inherit; padding: .5rem 1rem; margin: 0 .5rem .5rem 0; border: 1px solid #888; border-radius: .4rem }
button[value=approve], button[value=sign_in], button[value=change] { background: #222; border-color: #222; color: #fff }
"""
_BANNER: Final = "This is a simulator. No money moves here."

NOTHING_LEFT: Final = '<p class="note">Nothing is left to decide here.</p>'


def framed(heading: str, facts: Mapping[str, str], form: str) -> str:
    """A page.

    Args:
        heading: what it is, as HTML.
        facts: what the buyer is shown; texts of the merchant's, which become no markup.
        form: what there is to press, as HTML.
    """
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Simulated Amazon Pay</title>'
        f"<style>{_STYLE}</style><h1>{heading}</h1>"
        f'<p class="note">{_BANNER}</p><dl>{listed}</dl>{form}</html>'
    )


def choice_of_cards(*, only_good: bool = False) -> str:
    """The buyer's wallet as the beginning of a form; the buttons and its end follow.

    Args:
        only_good: without the cards that are for checkouts that come to nothing or have to wait.
    """
    cards = [card for card in CARDS.values() if not only_good or card.succeeds]
    return f'<form method="post"><fieldset><legend>Pay with</legend>{"".join(map(_choice, cards))}</fieldset>'


def _choice(card: Card) -> str:
    checked = " checked" if card.last_digits == DEFAULT_CARD else ""
    return (
        f'<label><input type="radio" name="card" value="{card.last_digits}"{checked}>'
        f'<span>{card.brand} …{card.last_digits}</span><span class="note">{card.story}</span></label>'
    )


def how_often(frequency: Frequency) -> str:
    """A frequency in words."""
    if frequency.unit == "Variable":
        return "from time to time"
    unit = frequency.unit.lower()
    return f"every {unit}" if frequency.value == "1" else f"every {frequency.value} {unit}s"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that a browser has sent."""
    return dict(parse_qsl((await request.body()).decode(errors="replace")))
