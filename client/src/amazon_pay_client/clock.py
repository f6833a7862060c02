"""This machine's clock, which stands in every signature, held against Amazon's, which dates every answer."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

NOTABLE: Final = timedelta(minutes=1)
"""More than a slow answer and the whole seconds of the header explain. How much Amazon allows is not documented."""


def now() -> datetime:
    """This machine's time (UTC), as requests are signed with it."""
    return datetime.now(UTC)


def ahead_of(date: str | None) -> timedelta | None:
    """How far this machine's clock is ahead of an answer's `Date` header; negative where it is behind.

    None where the header is missing or is no date. Source: RFC 9110, section 6.6.1.
    """
    if date is None:
        return None
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    return now() - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))


def in_words(ahead: timedelta | None) -> str | None:
    """Such as "this machine's clock is 26 h behind Amazon's"; None where it is right, or that is not known."""
    if ahead is None or abs(ahead) < NOTABLE:
        return None
    minutes = round(abs(ahead) / timedelta(minutes=1))
    size = f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"  # noqa: PLR2004 - easier to read then
    return f"this machine's clock is {size} {'ahead of' if ahead > timedelta() else 'behind'} Amazon's"
