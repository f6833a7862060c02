"""What Amazon says is left of a calendar month's limit, held against the charges that the account names.

Amazon lists no charges, but it counts them: `limits.amountBalance` of a charge permission is what may still be charged
in the calendar month ("monthly recurring charge limits"). So a charge that nobody here knows shows itself there, for
one call, however many charges there are.

What Amazon leaves open is left open here: in which zone a month turns, and whether it counts all that was authorized
where a part of it was captured. What went back is not taken for given free again; where Amazon does that, it has
counted less than the account names, which only makes the charges be read one by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.starter.audit.account import Charged, Standing

_FIRST_ZONE: Final = timedelta(hours=14)
"""Where a month turns first, before UTC."""

_LAST_ZONE: Final = timedelta(hours=12)
"""Where it turns last, after UTC."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month, wherever it turns. Instants in UTC.

    Attributes:
        begins: when it begins in the first zone.
        has_begun: when it has begun in every zone.
        ends: when it ends in the first zone.
        has_ended: when it has ended in every zone.
    """

    begins: datetime
    has_begun: datetime
    ends: datetime
    has_ended: datetime

    def may_hold(self, charged: Charged) -> bool:
        """Whether a charge may have been made in it."""
        return charged.since < self.has_ended and charged.at >= self.begins

    def holds(self, charged: Charged) -> bool:
        """Whether it surely was."""
        return self.has_begun <= charged.since and charged.at < self.ends


def months_at(now: datetime) -> list[Month]:
    """The month that an instant is in: two of them while it turns somewhere."""
    firsts = {(now + _FIRST_ZONE).date().replace(day=1), (now - _LAST_ZONE).date().replace(day=1)}
    return [_month(datetime(first.year, first.month, 1, tzinfo=UTC)) for first in sorted(firsts)]


def _month(first: datetime) -> Month:
    last = (first + timedelta(days=32)).replace(day=1)
    return Month(first - _FIRST_ZONE, first + _LAST_ZONE, last - _FIRST_ZONE, last + _LAST_ZONE)


def used_of(permission: PermissionAnswer | None, charges: Iterable[Charged]) -> Decimal | None:
    """How much Amazon has counted in the month; None where it does not say, or in another currency than is charged."""
    if permission is None or permission.monthly_limit is None or permission.monthly_balance is None:
        return None
    limit = permission.monthly_limit
    if any(each.amount.currency != limit.currency for each in charges):
        return None
    return limit.amount - permission.monthly_balance.amount


def most_counted(charges: Sequence[Charged], now: datetime) -> Decimal:
    """What Amazon may have counted at the most, of the charges that the account names."""
    return max(_most(charges, month) for month in months_at(now))


def adds_up(permission: PermissionAnswer | None, charges: Sequence[Charged], now: datetime) -> bool:
    """Whether Amazon has counted what the account names, neither more nor less."""
    used = used_of(permission, charges)
    return used is not None and any(_least(charges, month) <= used <= _most(charges, month) for month in months_at(now))


def shown_by_balance(charges: Iterable[Charged], now: datetime) -> set[str]:
    """The charges of which a balance that adds up says enough: they surely are of the month."""
    months = months_at(now)
    return {
        each.charge_id
        for each in charges
        if each.charge_id is not None and each.standing is Standing.PAID and len(months) == 1 and months[0].holds(each)
    }


def _most(charges: Sequence[Charged], month: Month) -> Decimal:
    named = (each for each in charges if each.standing is not Standing.LAPSED and month.may_hold(each))
    return sum((each.most.amount for each in named), Decimal(0))


def _least(charges: Sequence[Charged], month: Month) -> Decimal:
    return sum(
        (each.amount.amount for each in charges if each.standing is Standing.PAID and month.holds(each)), Decimal(0)
    )
