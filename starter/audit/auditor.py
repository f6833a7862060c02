"""Goes through what the ledger has, asks what only others know, and gathers what does not hold."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.service import RPCError

from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.audits import Result, Run, note, pages_of
from perennial_billing.ledger.errors import LedgerUnavailableError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.records import Record, known_of, orphans, record_of
from perennial_billing.starter.audit.account import Account, Charged, Standing
from perennial_billing.starter.audit.amazon import Amazon, NotKnownError
from perennial_billing.starter.audit.case import Booked, Case, Presence
from perennial_billing.starter.audit.months import adds_up, shown_by_balance
from perennial_billing.starter.audit.presence import Seen, Workflows
from perennial_billing.starter.audit.rules import Finding, findings
from perennial_billing.starter.audit.rules.money import DECIDED_WITHIN, LAPSES_AFTER
from perennial_billing.starter.audit.witness import Witness
from perennial_billing.starter.errors import SubscriptionError

AT_ONCE: Final = 20
"""Subscriptions that are looked at together: what one waits for, another uses."""

NOTED_AT_ONCE: Final = 25
"""Results that are noted together; so many are looked at again at the most, where an audit was broken off."""

NOTED_IN_VAIN: Final = 3
"""So often that is tried again, before the audit ends; it can be gone on with."""

FIRST_LOOKS_BACK: Final = timedelta(days=62)
"""A subscription that was never audited: so far back its charges are read one by one, unless all are asked for."""

_NAMES_AT_ONCE: Final = 500

TimeOf = Callable[[str], Awaitable[datetime]]
"""Tells the time (UTC) of the subscription of a charge permission."""


async def real_time(_charge_permission_id: str) -> datetime:
    """The time of subscriptions that are not under test."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Audited:
    """One subscription that was looked at.

    Attributes:
        charge_permission_id: whose.
        findings: what does not hold; empty where all is well, as far as it is known.
        trouble: why it could not be audited, or not in full; that is no finding.
        entries: how many entries it had when it was last found to be right, which may be now; 0 where it never was.
        last_entry: the id of the last of them.
    """

    charge_permission_id: str
    findings: tuple[Finding, ...] = ()
    trouble: str | None = None
    entries: int = 0
    last_entry: int = 0

    @property
    def result(self) -> Result:
        """As the ledger notes it."""
        found = [{"rule": each.rule, "says": each.says, "to_do": each.to_do} for each in self.findings]
        return Result(self.charge_permission_id, self.entries, self.last_entry, found, self.trouble)

    @classmethod
    def of(cls, result: Result) -> "Audited":
        """As it was noted."""
        found = tuple(Finding(**each) for each in result.findings)
        return cls(result.charge_permission_id, found, result.trouble, result.entries, result.last_entry)


@dataclass(slots=True)
class _Looked:
    """What was seen of one subscription, and what could not be.

    Attributes:
        record: what the ledger has of it in the end.
        asked_by: what it had when Amazon was asked.
    """

    case: Case
    record: Record | None
    asked_by: Record | None
    trouble: list[str] = field(default_factory=list)


class Auditor:
    """Audits subscriptions.

    Args:
        ledger: what they told.
        workflows: Temporal, and those that run; None asks neither.
        amazon: says what really happened; None asks nobody, and says nothing of Amazon.
        witness: lists what happened, in place of Amazon.
        time_of: what time it is for each; theirs may be virtual.
        deep: reads every charge that is named anywhere.
    """

    def __init__(
        self,
        ledger: Ledger,
        workflows: Workflows | None = None,
        *,
        amazon: Amazon | None = None,
        witness: Witness | None = None,
        time_of: TimeOf = real_time,
        deep: bool = False,
    ) -> None:
        self._ledger = ledger
        self._workflows = workflows
        self._amazon = amazon
        self._witness = witness
        self._time_of = time_of
        self._deep = deep
        self.unlisted: str | None = None
        """Why an audit could not tell which subscriptions run that the ledger does not know, where that is so."""

    async def audit(self, run: Run) -> AsyncGenerator[Audited, None]:
        """Audits what is still to be audited, notes it, and gives each as soon as it is known.

        Raises:
            LedgerError: the ledger cannot be read or written; what was noted stays.
        """
        async with aclosing(self._subjects(run)) as groups:
            async for subjects, are_known in groups:
                async with aclosing(self._noted(run, subjects)) as each:
                    async for audited in each:
                        if are_known or audited.findings or audited.trouble:
                            yield audited

    async def _subjects(self, run: Run) -> AsyncGenerator[tuple[list[tuple[str, Record | None]], bool], None]:
        """Whom an audit looks at, some at a time, and whether the ledger knows them."""
        async for page in pages_of(self._ledger, run):
            yield [(record.charge_permission_id, record) for record in page], True
        if not run.selection.is_everything:
            return
        for names in _some_at_a_time(await orphans(self._ledger)):
            yield [(name, await record_of(self._ledger, name)) for name in names], True
        async for names in self._strangers():
            yield [(name, None) for name in names], False

    async def one(self, charge_permission_id: str) -> Audited:
        """Audits one subscription.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        return await self._audited(charge_permission_id, await record_of(self._ledger, charge_permission_id))

    async def _noted(self, run: Run, subjects: Sequence[tuple[str, Record | None]]) -> AsyncGenerator[Audited, None]:
        """Audits some, several at once."""
        places = asyncio.Semaphore(AT_ONCE)

        async def audit(name: str, record: Record | None) -> Audited:
            async with places:
                try:
                    return await self._audited(name, record)
                except Exception as error:  # noqa: BLE001 - whatever one has, others are audited
                    trouble = f"it could not be looked at: {type(error).__name__}"
                    return Audited(name, (), trouble, *_right_before(record))

        tasks = [asyncio.create_task(audit(name, record)) for name, record in subjects]
        waiting: list[Result] = []
        try:
            for next_one in asyncio.as_completed(tasks):
                audited = await next_one
                waiting.append(audited.result)
                if len(waiting) >= NOTED_AT_ONCE:
                    await self._note(run, waiting)
                    waiting = []
                yield audited
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._note(run, waiting)

    async def _note(self, run: Run, results: Sequence[Result]) -> None:
        """Notes results; a database that is busy for a moment is asked again."""
        for _ in range(NOTED_IN_VAIN):
            try:
                return await note(self._ledger, run, results)
            except LedgerUnavailableError:
                await asyncio.sleep(1)
        return await note(self._ledger, run, results)

    async def _audited(self, name: str, record: Record | None) -> Audited:
        """What does not hold is looked at a second time: something may have happened between two looks."""
        looked = await self._looked(name, record)
        found = findings(looked.case)
        if found:
            rules = {each.rule for each in found}
            looked = await self._looked(name, await record_of(self._ledger, name))
            found = [each for each in findings(looked.case) if each.rule in rules]
        is_right = not found and not looked.trouble and (self._amazon is not None or self._witness is not None)
        before = looked.asked_by
        # Whatever was not asked, or is not right, is looked at again next time, with the charges that it is about.
        until = (len(before.entries), before.last_entry) if is_right and before is not None else _right_before(before)
        return Audited(name, tuple(found), "; ".join(dict.fromkeys(looked.trouble)) or None, *until)

    async def _looked(self, name: str, record: Record | None) -> _Looked:
        """In an order in which nothing that happens meanwhile looks wrong: first Amazon, then the subscription, and the
        ledger once more where it tells more by then."""
        account = Account.of_entries(record.entries) if record is not None else Account()
        now = await self._time_of(name)
        looked = _Looked(Case(charge_permission_id=name, now=now, account=account, record=record), record, record)
        permission, charges = await self._by_amazon(looked)
        if self._workflows is not None:
            await self._by_workflow(looked, self._workflows, charges)
        looked.case = replace(looked.case, permission=permission, charges={each.charge_id: each for each in charges})
        return looked

    async def _by_amazon(self, looked: _Looked) -> tuple[PermissionAnswer | None, list[Booked]]:
        case = looked.case
        if self._witness is not None:
            named = frozenset(case.account.charge_ids)
            testimony = self._witness.testimony(case.charge_permission_id, named, case.now)
            looked.case = replace(case, all_charges=True)
            return testimony.permission, list(testimony.charges)
        if self._amazon is None or case.is_stranger:
            return None, []
        charges: list[Booked] = []
        try:
            permission = await self._amazon.permission(case.charge_permission_id, _account_of(case))
        except NotKnownError as error:
            looked.trouble.append(str(error))
            return None, []
        for charge_id in charges_to_read(case, permission, deep=self._deep):
            charges += await self._charge(looked, charge_id)
        return permission, charges

    async def _charge(self, looked: _Looked, charge_id: str) -> list[Booked]:
        if self._amazon is None:
            return []
        try:
            answer = await self._amazon.charge(charge_id, _account_of(looked.case))
        except NotKnownError as error:
            looked.trouble.append(str(error))
            return []
        return [Booked(answer.but(charge_id=charge_id))]

    async def _by_workflow(self, looked: _Looked, workflows: Workflows, charges: list[Booked]) -> None:
        """What Temporal and the subscription itself say; a question that fails is trouble, and no finding."""
        name = looked.case.charge_permission_id
        try:
            before = await workflows.seen(name)
            view = await _view(looked, workflows) if before.can_answer else None
            after = await workflows.seen(name) if view is not None else before
        except RPCError as error:
            looked.trouble.append(f"Temporal does not answer: {error.message}")
            return
        now = await self._time_of(name)
        looked.case = replace(
            looked.case,
            now=now,
            subscription=view,
            presence=after.presence,
            began_at=after.began_at,
            stopped=after.stopped,
            hindered=after.hindered,
            is_busy=before.is_busy or after.is_busy,
        )
        await self._read_again(looked, view, after)
        if looked.record is None and view is not None:
            looked.case = replace(looked.case, account=Account.of_view(view))
        if self._amazon is not None and _is_pending_long(looked.case) and view is not None and view.owed is not None:
            pending = view.owed.pending_charge_id
            if pending is not None:
                charges += await self._charge(looked, pending)

    async def _read_again(self, looked: _Looked, view: SubscriptionView | None, after: Seen) -> None:
        """The ledger, where the subscription has told something since, or has ended."""
        record = looked.record
        known = record.row.told if record is not None and record.row is not None else 0
        told = view.notices_told - view.notices_waiting if view is not None else known
        is_open = looked.case.status is not None and not looked.case.has_ended
        if told == known and not (view is None and is_open and after.presence is not Presence.RUNNING):
            return
        looked.record = await record_of(self._ledger, looked.case.charge_permission_id)
        if looked.record is not None:
            account = Account.of_entries(looked.record.entries)
            looked.case = replace(looked.case, record=looked.record, account=account)

    async def _strangers(self) -> AsyncIterator[list[str]]:
        """Charge permissions of which the ledger knows nothing: of the witness's, and of the workflows."""
        if self._witness is not None:
            for some in _some_at_a_time(self._witness.charge_permission_ids):
                yield await self._unknown_of(some)
        if self._workflows is None:
            return
        names: list[str] = []
        try:
            async for name in self._workflows.open():
                names.append(name)
                if len(names) >= _NAMES_AT_ONCE:
                    yield await self._unknown_of(names)
                    names = []
        except RPCError as error:
            self.unlisted = f"what runs without being in the ledger is not known: {error.message}"
        yield await self._unknown_of(names)

    async def _unknown_of(self, names: Sequence[str]) -> list[str]:
        known = await known_of(self._ledger, names)
        return [name for name in names if name not in known]


def _right_before(record: Record | None) -> tuple[int, int]:
    """Up to where it was found to be right by an earlier audit: how many entries, and the id of the last."""
    last = record.last_audit if record is not None else None
    return (last.entries, last.last_entry) if last is not None else (0, 0)


async def _view(looked: _Looked, workflows: Workflows) -> SubscriptionView | None:
    name = looked.case.charge_permission_id
    try:
        return await workflows.view(name)
    except SubscriptionError as error:
        looked.trouble.append(str(error).removeprefix(f"charge permission {name}: "))
        return None


def charges_to_read(case: Case, permission: PermissionAnswer, *, deep: bool = False) -> list[str]:
    """The charges that are worth a call each, of all that the account names.

    What was told since the last audit, unless the month's balance says enough of it; all of the month where that does
    not add up; what was given back since; what should not be authorized any more.

    Args:
        case: what the ledger has.
        permission: with what is left of the month's limit.
        deep: all of them.
    """
    account, record = case.account, case.record
    last = record.last_audit if record is not None else None
    own = [each for each in account.charges if each.charge_id not in case.predecessors_charges]
    even = adds_up(permission, own, case.now)
    shown = shown_by_balance(own, case.now) if even else set()

    def is_new(last_entry: int, at: datetime) -> bool:
        return last_entry > last.last_entry if last is not None else case.now - at <= FIRST_LOOKS_BACK

    def is_worth_it(each: Charged) -> bool:
        if deep:
            return True
        if (
            is_new(account.refunded_at_entry.get(each.charge_id or "", 0), each.at)
            and each.charge_id in account.refunded
        ):
            return True
        if each.standing is Standing.AUTHORIZED:
            return case.now - each.at > LAPSES_AFTER or case.has_ended
        doubtful = not even and case.now - each.at <= FIRST_LOOKS_BACK
        return doubtful or (is_new(each.last_entry, each.at) and each.charge_id not in shown)

    return list(dict.fromkeys(each.charge_id for each in account.charges if each.charge_id and is_worth_it(each)))


def _is_pending_long(case: Case) -> bool:
    since = case.account.pending_since
    return since is not None and case.now - since > DECIDED_WITHIN


def _account_of(case: Case) -> str:
    """The merchant account that Amazon is asked for: as the ledger has it, or else the subscription itself."""
    if case.record is not None and case.record.row is not None:
        return case.record.row.merchant_account
    return case.subscription.terms.merchant_account if case.subscription is not None else DEFAULT_ACCOUNT


def _some_at_a_time(names: Sequence[str]) -> Iterable[list[str]]:
    for at in range(0, len(names), _NAMES_AT_ONCE):
        yield list(names[at : at + _NAMES_AT_ONCE])
