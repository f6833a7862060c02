"""The texts that a buyer reads of a charge: templates in the plan, filled in for each period.

A template is plain text with placeholders in braces, such as `Coffee from {start} to {last_day}`. The vocabulary is
fixed (`PLACEHOLDERS`), and a placeholder is replaced by a text and nothing else: no format, no attribute, no nesting.
A brace that is meant as itself is written twice.

What Amazon would refuse is refused when the plan is read, never when a charge is due: so the longest values that
placeholders can take are reckoned with. What was accepted once has to stay accepted, as plans stand in the states of
running subscriptions; and what a template gives must not change from one release to the next, as an attempt that is
repeated sends what it sent before. So both may be added to, and nothing else.

Nothing here is personal: Amazon forbids sensitive data in these fields, and the one placeholder that the merchant
fills, the merchant reference, is told of everywhere as none.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple, Self

from pydantic import field_validator

from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value

LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {"soft_descriptor": 16, "note_to_buyer": 255, "merchant_store_name": 50, "custom_information": 4096}
)
"""How long each may be once it is filled in. Source: Amazon Pay API v2, "charge" and "merchantMetadata"; the last one
from integrations, as the page could not be read.

Amazon does not say what it counts. Counted here are UTF-16 units, of which a character has one or, such as an emoji,
two: whoever counts characters counts no more.
"""

LONGEST_MERCHANT_REFERENCE: Final = 128
"""Characters; what `Terms.merchant_reference` takes."""

_LONGEST_NUMBER: Final = len("9999999")
"""Digits of a period's number: with a period a day, so many are more than the calendar has days."""

_LONGEST_DATE: Final = len("9999-12-31")

_LONGEST: Final[Mapping[str, int]] = MappingProxyType(
    {
        "period": _LONGEST_NUMBER,
        "nth": _LONGEST_NUMBER,
        "start": _LONGEST_DATE,
        "end": _LONGEST_DATE,
        "last_day": _LONGEST_DATE,
        "merchant_reference": LONGEST_MERCHANT_REFERENCE,
    }
)
"""Beside the plan's name, whose length is known."""

PLACEHOLDERS: Final = (*_LONGEST, "plan")
"""What may stand in braces; see `PeriodInWords`."""

_PIECE: Final = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|(?P<brace>[{}])|[^{}]+")
_INVISIBLE: Final = re.compile(
    r"[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff]"
)
"""Control characters, line ends, and what is not seen or turns the direction of writing. A list of our own, as that of
Python's changes with its version."""

_SHOWN: Final = 60
"""Characters of a template that a refusal tells."""


class PeriodInWords(NamedTuple):
    """What a template can speak of.

    Attributes:
        period: the period's number, counted from 0.
        start: the day on which it falls due, in the subscription's zone.
        end: the day on which the next one does.
        plan: the plan's name, its `plan_id`.
        merchant_reference: the merchant's own reference; empty where there is none.
    """

    period: int
    start: date
    end: date
    plan: str
    merchant_reference: str

    @property
    def values(self) -> Mapping[str, str]:
        """By the name of the placeholder: dates as in 2027-01-31, `nth` counted from 1, `last_day` the one before
        `end`, but never before `start`."""
        return {
            "period": str(self.period),
            "nth": str(self.period + 1),
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "last_day": max(self.start, self.end - timedelta(days=1)).isoformat(),
            "plan": self.plan,
            "merchant_reference": self.merchant_reference,
        }


class ChargeTexts(Value):
    """The texts of one charge, as Amazon is sent them.

    Attributes:
        soft_descriptor: on the buyer's statement, after `AMZ* `; only where money is taken.
        note_to_buyer: in Amazon's mails to the buyer.
        merchant_store_name: there as well, instead of the account's.
        custom_information: for the merchant alone.
    """

    soft_descriptor: str | None = None
    note_to_buyer: str | None = None
    merchant_store_name: str | None = None
    custom_information: str | None = None

    @classmethod
    def of(cls, texts: Mapping[str, str | None]) -> Self | None:
        """Those that say something; None where none does."""
        said = {name: text for name, text in texts.items() if text}
        return cls(**said) if said else None

    @property
    def until_captured(self) -> Self | None:
        """What a charge is sent with that is not captured at once: Amazon takes the descriptor with a capture alone."""
        return self.of(self.model_dump() | {"soft_descriptor": None})

    @property
    def of_the_seller(self) -> Self | None:
        """What says who charges, without what it is for."""
        return self.of({"soft_descriptor": self.soft_descriptor, "merchant_store_name": self.merchant_store_name})


class Texts(Value):
    """The templates of a plan; see `ChargeTexts` for who reads each. What is not given is not sent."""

    soft_descriptor: str | None = None
    note_to_buyer: str | None = None
    merchant_store_name: str | None = None
    custom_information: str | None = None

    @field_validator("*")
    @classmethod
    def _can_be_filled_in(cls, template: str | None) -> str | None:
        if template is None:
            return None
        if not template.strip():
            raise Refused("", repr(template), "a text is; leave the field out to say nothing")
        if unseen := _INVISIBLE.search(template):
            raise Refused("", repr(unseen.group()), "text in one line, of characters that can be seen, is")
        for name, _ in _pieces(template):
            if name is not None and name not in PLACEHOLDERS:
                known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
                raise Refused("", f"{{{_short(name)}}}", f"of placeholders, {known} are")
        return template

    def check_lengths(self, plan_id: str) -> None:
        """Whether each keeps to Amazon's limit, whatever its placeholders come to.

        A merchant reference counts as long as it may be. It is not cut to fit: a part of it could be another
        subscriber's.

        Args:
            plan_id: the plan's name.

        Raises:
            Refused: one can get too long; the field is named by its path in the plan.
        """
        for field, limit in LIMITS.items():
            template: str | None = getattr(self, field)
            if template is None:
                continue
            longest = _longest(template, plan_id)
            if longest > limit:
                why = f"at most {limit} characters are, and it may come to {longest}"
                raise Refused(f"texts.{field}", repr(_short(template)), why + _of_placeholders(template, plan_id))

    def filled(self, period: PeriodInWords) -> ChargeTexts | None:
        """The texts for one period; None where none says anything.

        A text that would be too long after all is not sent: no charge is held up by what is only to be read.
        """
        texts = {}
        for field, limit in LIMITS.items():
            template: str | None = getattr(self, field)
            text = _fill(template, period.values).strip() if template is not None else ""
            texts[field] = text if _length(text) <= limit else None
        return ChargeTexts.of(texts)


def _pieces(template: str) -> Iterator[tuple[str | None, str]]:
    """What a template is made of, in its order: the name of a placeholder, or None and a text.

    Raises:
        Refused: a brace has no other.
    """
    for found in _PIECE.finditer(template):
        if found["brace"]:
            meant = "a placeholder's two braces are; one that is meant as itself is written twice, {{ or }}"
            raise Refused("", f"a single {found['brace']}", meant)
        name = found["name"]
        yield (name, "") if name is not None else (None, found.group().replace("{{", "{").replace("}}", "}"))


def _fill(template: str, values: Mapping[str, str]) -> str:
    return "".join(text if name is None else values[name] for name, text in _pieces(template))


def _longest(template: str, plan_id: str) -> int:
    return sum(_length(text) if name is None else _of(name, plan_id) for name, text in _pieces(template))


def _of(name: str, plan_id: str) -> int:
    """How long a placeholder's value may be."""
    return len(plan_id) if name == "plan" else _LONGEST[name]


def _of_placeholders(template: str, plan_id: str) -> str:
    """How long those in it may be, in words."""
    names = dict.fromkeys(name for name, _ in _pieces(template) if name is not None)
    each = ", ".join(f"{{{name}}} {_of(name, plan_id)}" for name in names)
    return f" ({each})" if each else ""


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
