"""Time zones by the data of the pinned `tzdata` package, never by the machine's own.

Two workers on two images have to wake a subscriber at the same instant, also where a country has just changed its
rules; so the rules come with the release, like the code that uses them.
"""

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from perennial_billing.billing.refusals import Refused

_DATA: Final = files("tzdata")
_NAMES: Final = frozenset(_DATA.joinpath("zones").read_text(encoding="utf-8").split())


RULES: Final = version("tzdata")
"""Which edition of the rules these are."""


@cache
def zone(name: str) -> ZoneInfo:
    """The rules of an IANA zone.

    Raises:
        Refused: there is no such zone.
    """
    if name not in _NAMES:
        raise Refused("", repr(name), "IANA names of time zones are, such as 'Europe/Berlin' or 'UTC'")
    with _DATA.joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def _known_zone(value: object) -> object:
    return zone(value).key if isinstance(value, str) else value


ZoneName = Annotated[str, BeforeValidator(_known_zone)]
"""An IANA zone name. Zones travel by name: a datetime on the wire loses its zone."""
