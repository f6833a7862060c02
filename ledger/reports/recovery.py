"""What became of the periods that could not be collected at once: how much came after all, how, and how soon.

A period is one subscriber's, also where the subscription goes on under another charge permission meanwhile. It counts
where something that stood in its way was told, such as a decline, or where its first attempt was not the one that
succeeded. A call that Amazon has not answered says nothing, and an amount that is not known yet is not owed: neither is
a refusal.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CTE, Select, String, and_, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.selecting import Seconds, is_a, of_account, total, within
from perennial_billing.ledger.tables import entries

_TROUBLE: Final = (
    NoticeType.CHARGE_DECLINED,
    NoticeType.MONTHLY_LIMIT_REACHED,
    NoticeType.PAYMENT_METHOD_NEEDED,
    NoticeType.CHARGE_PERMISSION_CLOSED,
    NoticeType.SUBSCRIPTION_HELD,
    NoticeType.SUBSCRIPTION_UNPAID,
)
_WITH_THE_BUYER: Final = (NoticeType.PAYMENT_METHOD_NEEDED, NoticeType.PAYMENT_METHOD_MENDED)

_HOUR: Final = 3_600


class Outcome(StrEnum):
    """What became of a period that could not be collected at once."""

    RETRY = "retry"
    """Another attempt with the same payment method was paid, by the schedule or by hand."""
    MENDED = "mended payment method"
    """It was paid after the buyer had been asked to mend the payment method."""
    NEW_CHECKOUT = "new checkout"
    """It was paid under another charge permission."""
    OPEN = "open"
    """It is owed, or authorized and not captured."""
    WRITTEN_OFF = "written off"


RECOVERED: Final = (Outcome.RETRY, Outcome.MENDED, Outcome.NEW_CHECKOUT)


@dataclass(frozen=True, slots=True)
class Periods:
    """Some periods, and what they come to."""

    count: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of some periods in one currency.

    Attributes:
        outcomes: each outcome's periods, also of those that nothing came to.
    """

    outcomes: Mapping[Outcome, Periods]

    @property
    def refused(self) -> Periods:
        """All of them."""
        return _together(list(self.outcomes.values()))

    @property
    def recovered(self) -> Periods:
        """Those that were paid after all."""
        return _together([self.outcomes[outcome] for outcome in RECOVERED])

    @property
    def rate(self) -> float:
        """The share of the periods that was recovered."""
        return self.recovered.count / self.refused.count

    @property
    def amount_rate(self) -> float | None:
        """The share of their amount; None where that is nothing."""
        refused = self.refused.amount.amount
        return float(self.recovered.amount.amount / refused) if refused else None


@dataclass(frozen=True, slots=True)
class CurrencyRecovery:
    """What became of the periods in one currency.

    Attributes:
        currency: which.
        all: of them.
        by_reason: by the reason code of the first refusal, the most frequent first; empty where none was told.
        by_attempt: what was recovered with which attempt, under the charge permission that refused the first one.
    """

    currency: str
    all: Recovery
    by_reason: Mapping[str, Recovery]
    by_attempt: Mapping[int, Periods]


@dataclass(frozen=True, slots=True)
class Durations:
    """How long it took from the due date to the payment, in whole hours.

    Attributes:
        count: of how many periods.
        median: the half of them took no longer.
        ninety: nine in ten took no longer.
    """

    count: int
    median: timedelta
    ninety: timedelta


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """The report.

    Attributes:
        since: periods count that fell due then or later (UTC); None for all.
        until: and before then (UTC).
        currencies: by name.
        durations: by outcome, of what was recovered.
        duration: of all that was; None where nothing was.
    """

    since: datetime | None
    until: datetime | None
    currencies: Sequence[CurrencyRecovery]
    durations: Mapping[Outcome, Durations]
    duration: Durations | None


@dataclass(slots=True)
class _Tally:
    """Periods and minor units that are counted up."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    minor: Counter[Outcome] = field(default_factory=Counter)

    def add(self, outcome: Outcome, count: int, minor: int) -> None:
        self.counts[outcome] += count
        self.minor[outcome] += minor

    def recovery(self, currency: str) -> Recovery:
        return Recovery({each: Periods(self.counts[each], money(self.minor[each], currency)) for each in Outcome})


async def recovery(
    ledger: Ledger, since: datetime | None = None, until: datetime | None = None, *, account: str | None = None
) -> RecoveryReport:
    """Makes the report.

    Args:
        ledger: of which.
        since: periods count that fell due then or later (aware).
        until: and before then (aware).
        account: of one merchant account only.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    became = _became(since, until, account)
    async with reading(ledger.engine) as connection:
        currencies = await _by_currency(connection, became)
        hours = await _hours(connection, became)
    durations = {outcome: _durations(hours[outcome]) for outcome in RECOVERED if hours[outcome]}
    every: Counter[int] = sum(hours.values(), Counter())
    return RecoveryReport(since, until, currencies, durations, _durations(every) if every else None)


async def _by_currency(connection: AsyncConnection, became: CTE) -> list[CurrencyRecovery]:
    by = (became.c.currency, became.c.outcome, became.c.reason, became.c.attempt)
    rows = await connection.execute(select(*by, func.count(), total(became.c.minor)).group_by(*by))
    every: dict[str, _Tally] = {}
    reasons: dict[str, dict[str, _Tally]] = {}
    attempts: dict[str, dict[int, _Tally]] = {}
    for currency, said, reason, attempt, count, minor in rows:
        outcome = Outcome(said)
        tallies = [
            every.setdefault(currency, _Tally()),
            reasons.setdefault(currency, {}).setdefault(reason or "", _Tally()),
        ]
        if attempt is not None and outcome in {Outcome.RETRY, Outcome.MENDED}:
            tallies.append(attempts.setdefault(currency, {}).setdefault(attempt, _Tally()))
        for tally in tallies:
            tally.add(outcome, int(count), int(minor))
    return [
        CurrencyRecovery(
            currency,
            tally.recovery(currency),
            {
                reason: of.recovery(currency)
                for reason, of in sorted(reasons[currency].items(), key=lambda each: (-each[1].counts.total(), each[0]))
            },
            {attempt: of.recovery(currency).recovered for attempt, of in sorted(attempts.get(currency, {}).items())},
        )
        for currency, tally in sorted(every.items())
    ]


async def _hours(connection: AsyncConnection, became: CTE) -> dict[Outcome, Counter[int]]:
    """How many periods took how many hours, by outcome."""
    hours = became.c.seconds // _HOUR
    by = (became.c.outcome, hours)
    rows = await connection.execute(
        select(*by, func.count()).where(became.c.outcome.in_([each.value for each in RECOVERED])).group_by(*by)
    )
    found: dict[Outcome, Counter[int]] = {outcome: Counter() for outcome in RECOVERED}
    for outcome, took, count in rows:
        found[Outcome(outcome)][max(int(took), 0)] += count
    return found


def _durations(hours: Counter[int]) -> Durations:
    return Durations(hours.total(), _within(hours, 0.5), _within(hours, 0.9))


def _within(hours: Counter[int], share: float) -> timedelta:
    """The shortest time within which such a share was there (the nearest rank)."""
    wanted, seen = math.ceil(share * hours.total()), 0
    for took in sorted(hours):
        seen += hours[took]
        if seen >= wanted:
            return timedelta(hours=took)
    raise AssertionError("nothing was counted")


def _together(parts: Sequence[Periods]) -> Periods:
    currency = parts[0].amount.currency
    amount = sum((part.amount.amount for part in parts), Decimal(0))
    return Periods(sum(part.count for part in parts), Money.zero(currency).but(amount=amount))


def _chain() -> CTE:
    """Each charge permission that another one was replaced by, with the first of them all."""
    is_replaced = is_a(NoticeType.CHARGE_PERMISSION_REPLACED)
    later = entries.alias()
    successors = select(later.c.successor).where(
        later.c.type == NoticeType.CHARGE_PERMISSION_REPLACED.value, later.c.successor.is_not(None)
    )
    first = select(entries.c.charge_permission_id.label("first"), entries.c.successor.label("permission")).where(
        is_replaced, entries.c.successor.is_not(None), entries.c.charge_permission_id.not_in(successors)
    )
    chain = first.cte("chain", recursive=True)
    following = select(chain.c.first, entries.c.successor).where(
        is_replaced, entries.c.successor.is_not(None), entries.c.charge_permission_id == chain.c.permission
    )
    return chain.union(following)


def _refused(chain: CTE, since: datetime | None, until: datetime | None, account: str | None) -> CTE:
    """The periods that count: whose they are, what was told of each first, and whether the buyer was asked."""
    # SQLite finds rows by an index of it only where it is a text for certain, as the ids are that it is compared with.
    of_first = cast(func.coalesce(chain.c.first, entries.c.charge_permission_id), String)
    trouble = and_(is_a(*_TROUBLE, *_WITH_THE_BUYER), entries.c.reason_code.is_distinct_from(OUTCOME_UNKNOWN))
    later = and_(is_a(NoticeType.PERIOD_PAID), entries.c.attempt > 1)
    due = func.min(entries.c.due)
    return (
        select(
            of_first.label("first"),
            entries.c.period,
            func.min(entries.c.id).label("told"),
            due.label("due"),
            func.max(case((is_a(*_WITH_THE_BUYER), 1), else_=0)).label("with_buyer"),
        )
        .select_from(entries.outerjoin(chain, chain.c.permission == entries.c.charge_permission_id))
        .where(
            or_(trouble, later),
            entries.c.period.is_not(None),
            entries.c.amount_minor.is_not(None),
            of_account(account),
        )
        .group_by(of_first, entries.c.period)
        .having(within(due, since, until))
        .cte("refused")
    )


def _settled(chain: CTE, refused: CTE) -> CTE:
    """How each of these periods ended, where it has: by the first entry that tells it."""
    # Not the bare column: by the index of types SQLite would go through all that was ever paid, for each period anew.
    ends = and_(
        func.coalesce(entries.c.type, "").in_([NoticeType.PERIOD_PAID.value, NoticeType.PERIOD_WRITTEN_OFF.value]),
        entries.c.period == refused.c.period,
    )
    columns = (refused.c.first, refused.c.period, entries.c.type, entries.c.id)
    at_first = select(*columns).where(ends, entries.c.charge_permission_id == refused.c.first)
    under_another = select(*columns).where(
        ends, chain.c.first == refused.c.first, entries.c.charge_permission_id == chain.c.permission
    )
    told = at_first.union_all(under_another).subquery()

    def first_of(kind: NoticeType) -> Any:  # Any: a column of ids
        return func.min(case((told.c.type == kind.value, told.c.id)))

    return (
        select(
            told.c.first,
            told.c.period,
            first_of(NoticeType.PERIOD_PAID).label("paid"),
            first_of(NoticeType.PERIOD_WRITTEN_OFF).label("written_off"),
        )
        .group_by(told.c.first, told.c.period)
        .cte("settled")
    )


def _became(since: datetime | None, until: datetime | None, account: str | None) -> CTE:
    """A row for each period: what it came to, why it was refused, what became of it, and when."""
    chain = _chain()
    refused = _refused(chain, since, until, account)
    settled = _settled(chain, refused)
    told, paid = entries.alias(), entries.alias()
    outcome = case(
        (and_(paid.c.id.is_(None), settled.c.written_off.is_not(None)), Outcome.WRITTEN_OFF.value),
        (paid.c.id.is_(None), Outcome.OPEN.value),
        (paid.c.charge_permission_id != told.c.charge_permission_id, Outcome.NEW_CHECKOUT.value),
        (refused.c.with_buyer == 1, Outcome.MENDED.value),
        else_=Outcome.RETRY.value,
    )
    rows: Select[Any] = select(  # Any: columns of different types
        told.c.currency,
        told.c.amount_minor.label("minor"),
        told.c.reason_code.label("reason"),
        paid.c.attempt,
        outcome.label("outcome"),
        (Seconds(paid.c.at) - Seconds(refused.c.due)).label("seconds"),
    ).select_from(
        refused.join(told, told.c.id == refused.c.told)
        .outerjoin(settled, and_(settled.c.first == refused.c.first, settled.c.period == refused.c.period))
        .outerjoin(paid, paid.c.id == settled.c.paid)
    )
    return rows.cte("became")
