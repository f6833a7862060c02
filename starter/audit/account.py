"""The account that is held against Amazon: which charges a subscription names, and what it says became of them.

It is made of what the ledger has, which reaches back to the beginning; or, where there is no ledger, of the window of
the latest periods that a subscription itself shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import LEDGER_LENGTH, PeriodOutcome
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.records import Entry


class Standing(StrEnum):
    """What became of a charge, as it was told."""

    PAID = "paid"
    AUTHORIZED = "authorized"
    """It waits for the merchant to capture it."""
    LAPSED = "lapsed"
    """It was authorized, and is not captured any more."""


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge that the account names.

    Attributes:
        charge_id: Amazon's; None where a period is called paid without one.
        period: what it was for, counted from 0.
        due: when that fell due (UTC), where it was told.
        amount: what was captured; what was authorized, before that.
        authorized: what was authorized, where it was captured later.
        standing: what became of it.
        since: no later than it was made, as far as is known (UTC).
        at: when it was told last (UTC).
        last_entry: the id of the entry that told of it last; 0 where there is none.
        life: which of the subscriptions that have lived under the charge permission, counted from 1: each has periods
            of its own.
    """

    charge_id: str | None
    period: int
    due: datetime | None
    amount: Money
    standing: Standing
    since: datetime
    at: datetime
    authorized: Money | None = None
    last_entry: int = 0
    life: int = 1

    @property
    def most(self) -> Money:
        """What it takes at the most of a month's limit: all that was authorized, also where a part was captured."""
        if self.authorized is None or self.authorized.amount < self.amount.amount:
            return self.amount
        return self.authorized


@dataclass(frozen=True, slots=True)
class Account:
    """What a subscription says of money.

    Attributes:
        charges: in the order in which they were first told.
        refunded: what went back, by the charge.
        refunded_at_entry: the id of the entry that told of the last refund of a charge.
        settled_by_hand: periods that somebody had to look at before they were settled.
        pending_since: since when Amazon is deciding on the charge of the latest period (UTC), where it is.
        is_whole: whether it reaches back to the first charge.
    """

    charges: Sequence[Charged] = ()
    refunded: Mapping[str, Money] = field(default_factory=dict)
    refunded_at_entry: Mapping[str, int] = field(default_factory=dict)
    settled_by_hand: frozenset[int] = frozenset()
    pending_since: datetime | None = None
    is_whole: bool = True

    @property
    def paid(self) -> list[Charged]:
        """Those that took money."""
        return [each for each in self.charges if each.standing is Standing.PAID]

    @property
    def charge_ids(self) -> set[str]:
        """All that are named."""
        return {each.charge_id for each in self.charges if each.charge_id is not None}

    @classmethod
    def of_entries(cls, entries: Iterable[Entry]) -> "Account":
        """As the ledger tells it."""
        told = _Telling()
        for entry in entries:
            told.take(entry)
        return told.account

    @classmethod
    def of_view(cls, view: SubscriptionView) -> "Account":
        """As a subscription shows it, as far as it reaches back."""
        charges = [
            Charged(
                charge_id=record.charge_id,
                period=record.period,
                due=record.due,
                amount=record.amount,
                standing=_STANDINGS[record.outcome],
                since=record.due,
                at=record.settled_at,
            )
            for record in view.ledger
            if record.outcome in _STANDINGS and (record.outcome is PeriodOutcome.PAID or record.charge_id is not None)
        ]
        refunded = {record.charge_id: record.refunded for record in view.ledger if record.charge_id and record.refunded}
        return cls(charges=charges, refunded=refunded, is_whole=view.next_period <= LEDGER_LENGTH)


_STANDINGS: Final = {
    PeriodOutcome.PAID: Standing.PAID,
    PeriodOutcome.AUTHORIZED: Standing.AUTHORIZED,
    PeriodOutcome.WRITTEN_OFF: Standing.LAPSED,
}
_TELLS_OF_A_CHARGE: Final = {
    NoticeType.PERIOD_PAID.value: Standing.PAID,
    NoticeType.PERIOD_AUTHORIZED.value: Standing.AUTHORIZED,
    NoticeType.PERIOD_WRITTEN_OFF.value: Standing.LAPSED,
}
_MAY_HAVE_BEEN_MADE: Final = frozenset({NoticeType.CHARGE_PENDING.value, NoticeType.SUBSCRIPTION_HELD.value})
"""Before the charge of a period is named, one may have been made when this was told."""

_DECIDED: Final = frozenset(
    {
        *(NoticeType.PERIOD_PAID.value, NoticeType.PERIOD_AUTHORIZED.value, NoticeType.PERIOD_WRITTEN_OFF.value),
        *(NoticeType.PERIOD_SKIPPED.value, NoticeType.CHARGE_DECLINED.value, NoticeType.PAYMENT_METHOD_NEEDED.value),
        *(NoticeType.SUBSCRIPTION_HELD.value, NoticeType.SUBSCRIPTION_UNPAID.value),
        *(NoticeType.CHARGE_PERMISSION_CLOSED.value, NoticeType.SUBSCRIPTION_ENDED.value),
        *(NoticeType.MONTHLY_LIMIT_REACHED.value, NoticeType.CHARGE_PERMISSION_REPLACED.value),
    }
)
"""After any of these nobody waits for Amazon to decide on the charge that was pending."""


class _Telling:
    """The account so far."""

    def __init__(self) -> None:
        self._charges: dict[tuple[int, str | None], Charged] = {}
        self._refunds: dict[str, Entry] = {}
        self._made: dict[int, datetime] = {}
        self._held: set[int] = set()
        self._pending_since: datetime | None = None
        self._life, self._last_number = 1, 0

    def take(self, entry: Entry) -> None:
        """One more thing was told."""
        # What is told again after Temporal was set back has a number that is known already, and is no new life.
        if entry.type == NoticeType.SUBSCRIPTION_STARTED.value and entry.number > self._last_number > 0:
            self._life += 1
            self._made.clear()
        self._last_number = max(self._last_number, entry.number)
        if entry.type == NoticeType.REFUND_COMPLETED.value:
            self._refunds[entry.refund_id or str(entry.id)] = entry
        if entry.type == NoticeType.CHARGE_PENDING.value:
            self._pending_since = entry.at
        elif entry.type in _DECIDED:
            self._pending_since = None
        if entry.period is None:
            return
        if entry.type in _MAY_HAVE_BEEN_MADE:
            self._made.setdefault(entry.period, entry.at)
        if entry.type == NoticeType.SUBSCRIPTION_HELD.value:
            self._held.add(entry.period)
        standing = _TELLS_OF_A_CHARGE.get(entry.type)
        if standing is not None and (standing is Standing.PAID or entry.charge_id is not None):
            self._charged(entry, entry.period, standing)

    def _charged(self, entry: Entry, period: int, standing: Standing) -> None:
        key = (period, entry.charge_id)
        before = self._charges.get(key)
        if entry.amount is None:
            return
        if before is None:
            since = min(self._made.get(period, entry.at), entry.at)
            authorized = entry.amount if standing is Standing.AUTHORIZED else None
            self._charges[key] = Charged(
                *(entry.charge_id, period, entry.due, entry.amount, standing, since, entry.at, authorized, entry.id),
                life=self._life,
            )
        else:
            self._charges[key] = replace(
                before, amount=entry.amount, standing=standing, at=entry.at, last_entry=entry.id
            )

    @property
    def account(self) -> Account:
        """All of it."""
        refunded: dict[str, Money] = {}
        at_entry: dict[str, int] = {}
        for entry in self._refunds.values():
            if entry.charge_id is not None and entry.amount is not None:
                before = refunded.get(entry.charge_id)
                refunded[entry.charge_id] = before.plus(entry.amount) if before else entry.amount
                at_entry[entry.charge_id] = entry.id
        return Account(
            charges=tuple(self._charges.values()),
            refunded=refunded,
            refunded_at_entry=at_entry,
            settled_by_hand=frozenset(self._held),
            pending_since=self._pending_since,
        )
