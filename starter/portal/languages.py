"""What the page says, in each of its languages: messages of ours, and dates, amounts and plurals as Babel writes them.

A message is a line of `messages/<language>.toml`, with placeholders in braces; one that counts something is a table of
the language's plural forms. A test holds that every language has every message, with the same placeholders.
"""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency

from perennial_billing.billing.money import Money

LANGUAGES: Final = ("en", "de", "fr", "it", "es", "ja")
"""The first is spoken to whoever wants none of them."""

Message = str | Mapping[str, str]

_MOST_WANTED: Final = 20


@cache
def messages_of(language: str) -> Mapping[str, Message]:
    """All messages of a language."""
    text = files(__package__).joinpath("messages", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


class Speech:
    """One language, and the time zone that dates are told in.

    Args:
        language: one of `LANGUAGES`.
        zone: IANA zone: the subscription's.
    """

    def __init__(self, language: str, zone: str = "UTC") -> None:
        self.language, self.zone = language, ZoneInfo(zone)
        self.locale = Locale.parse(language)
        self._messages = messages_of(language)

    @property
    def name(self) -> str:
        """The language's own name of itself."""
        return self.locale.get_display_name(self.locale) or self.language

    def has(self, key: str) -> bool:
        """Whether there is such a message."""
        return key in self._messages

    def say(self, key: str, **given: str) -> str:
        """A message with its placeholders filled in."""
        message = self._messages[key]
        if not isinstance(message, str):
            raise AssertionError(f"{key} counts something")
        return message.format_map(given)

    def count(self, key: str, number: int) -> str:
        """A message that counts."""
        message = self._messages[key]
        if isinstance(message, str):
            raise AssertionError(f"{key} counts nothing")
        form = message.get(self.locale.plural_form(number), message["other"])
        return form.format_map({"count": str(number)})

    def amount(self, money: Money) -> str:
        """An amount with its currency."""
        return format_currency(money.amount, money.currency, locale=self.locale)

    def day_of(self, instant: datetime) -> date:
        """The day of an instant, where the subscription lives."""
        return instant.astimezone(self.zone).date()

    def date(self, when: datetime | date) -> str:
        """A day in words."""
        day = self.day_of(when) if isinstance(when, datetime) else when
        return format_date(day, "long", locale=self.locale)

    def short_date(self, instant: datetime) -> str:
        """The same, as short as a table wants it."""
        return format_date(self.day_of(instant), "medium", locale=self.locale)


def language_of(asked: str | None, accepted: str | None) -> str:
    """The language to speak: that which a link asks for, or else the first of those that a browser accepts.

    Args:
        asked: of the link.
        accepted: the header Accept-Language (RFC 9110, section 12.5.4).
    """
    wanted = [asked or "", *_by_weight(accepted or "")]
    spoken = (each.partition("-")[0].strip().lower() for each in wanted)
    return next((each for each in spoken if each in LANGUAGES), LANGUAGES[0])


def _by_weight(accepted: str) -> list[str]:
    """The languages of the header, the most wanted first."""
    found: list[tuple[float, str]] = []
    for part in accepted.split(",")[:_MOST_WANTED]:
        language, _, weight = part.partition(";")
        try:
            weighs = float(weight.partition("=")[2] or 1)
        except ValueError:
            continue
        if weighs > 0:
            found.append((-weighs, language.strip()))
    return [language for _, language in sorted(found, key=lambda each: each[0])]
