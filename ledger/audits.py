"""What was audited when, and what came of it: so that an audit can go on where it was broken off."""

import hashlib
import heapq
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Select, func, insert, or_, select, update

from perennial_billing.billing.status import ENDED
from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.records import Record, count_of, pages, records
from perennial_billing.ledger.tables import audit_runs, audits, subscriptions

LONGEST_TROUBLE: Final = 512
_NAMES_AT_ONCE: Final = 10_000
_SAMPLED_AT_ONCE: Final = 200
_TOLD_AT_ONCE: Final = 500
_OF_A_RESULT: Final = ("charge_permission_id", "entries", "last_entry", "findings", "trouble")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which subscriptions are audited, and how closely.

    Attributes:
        running: only those that have not ended.
        changed: only those that have told something since their last audit, or of which that found something, or was
            not possible.
        sample: so many, drawn at random; all where it is None.
        seed: of the draw: the same seed draws the same of the same subscriptions.
        deep: every charge that is named anywhere is read at Amazon.
        account: only those of the merchant account with this short name.
    """

    running: bool = False
    changed: bool = False
    sample: int | None = None
    seed: int = 0
    deep: bool = False
    account: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no subscription is left out on purpose."""
        return not (self.running or self.changed or self.sample is not None or self.account is not None)


@dataclass(frozen=True, slots=True)
class Run:
    """An audit that was begun.

    Attributes:
        id: the ledger's.
        selection: what it is about.
        began_at: when (UTC).
        done: how many subscriptions it has audited.
    """

    id: int
    selection: Selection
    began_at: datetime
    done: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of auditing one subscription.

    Attributes:
        charge_permission_id: whose.
        entries: how many entries it had when it was last found to be right; 0 where it never was.
        last_entry: the id of the last of them.
        findings: what does not hold, as JSON has it.
        trouble: why it could not be audited, or not in full.
    """

    charge_permission_id: str
    entries: int
    last_entry: int
    findings: Sequence[dict[str, str]]
    trouble: str | None = None


async def begin(ledger: Ledger, selection: Selection) -> Run:
    """A new audit.

    Raises:
        LedgerError: it could not be noted.
    """
    await ledger.check_version()
    now = datetime.now(UTC)
    statement = insert(audit_runs).values(selection=asdict(selection), began_at=now).returning(audit_runs.c.id)
    async with writing(ledger.engine) as connection:
        number = (await connection.execute(statement)).scalar_one()
    return Run(number, selection, now)


async def broken_off(ledger: Ledger) -> Run | None:
    """The latest audit that did not come to its end, and that no later one has made up for.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    await ledger.check_version()
    latest = select(audit_runs).where(audit_runs.c.ended_at.is_(None)).order_by(audit_runs.c.id.desc()).limit(1)
    async with reading(ledger.engine) as connection:
        row = (await connection.execute(latest)).mappings().first()
        if row is None:
            return None
        of_it = select(func.count()).select_from(audits).where(audits.c.run == row["id"])
        done = (await connection.execute(of_it)).scalar_one()
    return Run(row["id"], Selection(**row["selection"]), row["began_at"], done)


async def ended(ledger: Ledger, run: Run) -> None:
    """An audit has come to its end; one of the same that was broken off before needs no going on, either.

    Raises:
        LedgerUnavailableError: it could not be noted.
    """
    column = audit_runs.c
    before = select(column.id, column.selection).where(column.ended_at.is_(None), column.id < run.id)
    async with writing(ledger.engine) as connection:
        over = [run.id]
        for number, selection in await connection.execute(before):
            if run.selection.is_everything or Selection(**selection) == run.selection:
                over.append(number)
        statement = update(audit_runs).where(column.id.in_(over)).values(ended_at=datetime.now(UTC))
        await connection.execute(statement)


async def note(ledger: Ledger, run: Run, results: Sequence[Result]) -> None:
    """Notes what came of auditing some.

    Raises:
        LedgerUnavailableError: nothing was noted.
    """
    if not results:
        return
    now = datetime.now(UTC)
    rows = [
        asdict(result)
        | {"run": run.id, "at": now, "found": bool(result.findings)}
        | {"trouble": result.trouble[:LONGEST_TROUBLE] if result.trouble else None}
        for result in results
    ]
    statement = ledger.insert(audits)
    changed = {name: statement.excluded[name] for name in rows[0] if name != "charge_permission_id"}
    statement = statement.on_conflict_do_update(index_elements=[audits.c.charge_permission_id], set_=changed)
    async with writing(ledger.engine) as connection:
        await connection.execute(statement, rows)


async def noted(ledger: Ledger, run: Run) -> AsyncIterator[Result]:
    """What an audit has found so far, or could not find out; nothing of those that keep every promise.

    Raises:
        LedgerUnavailableError: the ledger cannot be read.
    """
    column = audits.c
    after = ""
    while True:
        told = or_(column.found.is_(True), column.trouble.is_not(None))
        page = select(audits).where(column.run == run.id, told, column.charge_permission_id > after)
        async with reading(ledger.engine) as connection:
            ordered = page.order_by(column.charge_permission_id).limit(_TOLD_AT_ONCE)
            rows = (await connection.execute(ordered)).mappings().all()
        for row in rows:
            yield Result(**{name: row[name] for name in _OF_A_RESULT})
        if len(rows) < _TOLD_AT_ONCE:
            return
        after = rows[-1]["charge_permission_id"]


async def left(ledger: Ledger, run: Run) -> int:
    """How many subscriptions an audit is still to look at.

    Raises:
        LedgerUnavailableError: the ledger cannot be read.
    """
    query = _chosen(run).with_only_columns(func.count())
    async with reading(ledger.engine) as connection:
        number = int((await connection.execute(query)).scalar_one())
    sample = run.selection.sample
    return number if sample is None else max(0, min(number + run.done, sample) - run.done)


async def pages_of(ledger: Ledger, run: Run) -> AsyncIterator[list[Record]]:
    """What the ledger has of the subscriptions that an audit is still to look at, some at a time.

    Raises:
        LedgerUnavailableError: the ledger cannot be read.
    """
    if run.selection.sample is None:
        async for page in pages(ledger, _chosen(run)):
            yield page
        return
    drawn = await _drawn(ledger, run)
    for at in range(0, len(drawn), _SAMPLED_AT_ONCE):
        yield await records(ledger, drawn[at : at + _SAMPLED_AT_ONCE])


async def _drawn(ledger: Ledger, run: Run) -> list[str]:
    """A sample, without those of it that were looked at: whose name comes to the lowest number, with the seed."""
    selection, column = run.selection, subscriptions.c.charge_permission_id
    lowest: list[tuple[bytes, str]] = []
    after = ""
    while True:
        page = _chosen(run, again=True).where(column > after).order_by(column).limit(_NAMES_AT_ONCE)
        async with reading(ledger.engine) as connection:
            names = [str(name) for name, _ in await connection.execute(page)]
        thrown = ((hashlib.sha256(f"{selection.seed}/{name}".encode()).digest(), name) for name in names)
        lowest = heapq.nsmallest(selection.sample or 0, [*lowest, *thrown])
        if len(names) < _NAMES_AT_ONCE:
            break
        after = names[-1]
    drawn = sorted(name for _, name in lowest)
    done = select(audits.c.charge_permission_id).where(audits.c.run == run.id)
    async with reading(ledger.engine) as connection:
        looked_at = set((await connection.execute(done)).scalars())
    return [name for name in drawn if name not in looked_at]


def _chosen(run: Run, *, again: bool = False) -> Select[Any]:  # Any: of several columns
    """Ids, and how many entries each is thought to have.

    Args:
        run: for which audit.
        again: also those that it has looked at.
    """
    row, last = subscriptions.c, audits.c
    query = select(row.charge_permission_id, row.told).select_from(
        subscriptions.outerjoin(audits, row.charge_permission_id == last.charge_permission_id)
    )
    if not again:
        query = query.where(or_(last.run.is_(None), last.run != run.id))
    if run.selection.account is not None:
        query = query.where(row.merchant_account == run.selection.account)
    if run.selection.running:
        query = query.where(or_(row.status.is_(None), row.status.not_in([status.value for status in ENDED])))
    if run.selection.changed:
        held = (last.trouble.is_(None), last.found.is_(False), count_of(row.charge_permission_id) == last.entries)
        this_time = [last.run == run.id] if again else []
        query = query.where(or_(last.run.is_(None), *this_time, *(~each for each in held)))
    return query
