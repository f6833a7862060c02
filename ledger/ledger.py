"""The ledger that a process has open: what is told is recorded in it."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Self

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from perennial_billing.billing.protocol.moment import Moment
from perennial_billing.ledger import versions
from perennial_billing.ledger.database import engine_of, place_of, reading, writing
from perennial_billing.ledger.deliveries import Delivery
from perennial_billing.ledger.entries import Row, Told, entries_of
from perennial_billing.ledger.errors import LedgerAheadError, LedgerUnavailableError
from perennial_billing.ledger.projection import folded
from perennial_billing.ledger.states import Stood, is_worked_on_again, packed
from perennial_billing.ledger.tables import deliveries, entries, states, subscriptions


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """What was told, and what was made of it.

    Args:
        engine: of the database.
        place: where that is, for people.
        clock: when something is recorded (UTC).
    """

    def __init__(self, engine: AsyncEngine, place: str, clock: Callable[[], datetime] = _now) -> None:
        self.engine = engine
        self.place = place
        self.now = clock
        self._is_checked = False
        self.insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        # Made once: to make them anew, and to recognise them, takes longer than the database does.
        self._add = self.insert(entries).on_conflict_do_nothing().returning(entries.c.number, entries.c.digest)
        self._find = select(subscriptions).where(subscriptions.c.charge_permission_id == bindparam("whose"))
        self._find = self._find.with_for_update()
        put = self.insert(subscriptions)
        changed = {column.name: put.excluded[column.name] for column in subscriptions.c if not column.primary_key}
        self._put = put.on_conflict_do_update(index_elements=[subscriptions.c.charge_permission_id], set_=changed)
        self._set_out = self.insert(deliveries).on_conflict_do_nothing()
        whose = entries.c.charge_permission_id == bindparam("whose")
        self._since = select(entries.c.number, entries.c.digest).where(whose, entries.c.number >= bindparam("first"))
        self._last = select(func.max(entries.c.number)).where(whose)
        self._stood = select(states.c.told, states.c.recorded_at, states.c.run_id, states.c.history_length)
        self._stood = self._stood.where(states.c.charge_permission_id == bindparam("whose"))
        keep = self.insert(states)
        kept = {column.name: keep.excluded[column.name] for column in states.c if not column.primary_key}
        self._keep = keep.on_conflict_do_update(index_elements=[states.c.charge_permission_id], set_=kept)

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str, *, set_up: bool = False, patient: bool = False) -> AsyncIterator[Self]:
        """The ledger at an address, until the context is left.

        Args:
            address: `sqlite:////folder/ledger.db` or `postgresql://user:password@host/database`.
            set_up: makes or brings forward the tables where that is needed.
            patient: a database that cannot be used now is no reason to fail: it is looked at when it is needed.

        Raises:
            LedgerError: the address is none, the database cannot be used, or the tables are of another release.
        """
        engine = engine_of(address)
        ledger = cls(engine, place_of(address))
        try:
            if set_up:
                await versions.bring_forward(engine)
            try:
                await ledger.check_version()
            except LedgerUnavailableError:
                if not patient:
                    raise
            yield ledger
        finally:
            await engine.dispose()

    async def check_version(self) -> None:
        """Looks, once, whether the tables are this release's.

        Raises:
            LedgerVersionError: they are not.
            LedgerUnavailableError: the database cannot be used now.
        """
        if not self._is_checked:
            await versions.check_version(self.engine)
            self._is_checked = True

    async def reach(self) -> None:
        """Looks whether the database can be used now.

        Raises:
            LedgerError: it cannot, or is of another release.
        """
        await self.check_version()
        async with reading(self.engine) as connection:
            await connection.execute(select(1))

    async def record(self, told: Told, queued: Sequence[Delivery] = ()) -> Collection[int]:
        """Writes down what was told; what was recorded before is not recorded again, so it may be repeated.

        Answers with the numbers of the notices that were not there before.

        Args:
            told: what.
            queued: the deliveries that are about to be started for it, or are not as an endpoint is disabled.

        Raises:
            LedgerAheadError: something else was told since under the same numbers; nothing was recorded.
            LedgerError: nothing was recorded.
        """
        await self.check_version()
        now = self.now()
        rows = list(entries_of(told, now))
        async with writing(self.engine) as connection:
            lost = await self._check_goes_on(connection, told, rows) if rows else ()
            new = await self._added(connection, rows)
            if new:
                await self._project(connection, told.charge_permission_id, new, lost)
                await self._keep_state(connection, told, now)
            if queued:
                await self._queue(connection, queued, now)
        return {row["number"] for row in new}

    async def last_told(self, charge_permission_id: str, moment: Moment | None = None) -> int:
        """How many notices a subscription had told when it told something last; 0 where it has told none.

        Args:
            charge_permission_id: whose.
            moment: of its workflow's history; what was told a moment ago by a task that is worked on again does not
                count.

        Raises:
            LedgerError: the database cannot be used now, or is of another release.
        """
        await self.check_version()
        async with reading(self.engine) as connection:
            stood = (await connection.execute(self._stood, {"whose": charge_permission_id})).first()
            if stood is None:
                return await connection.scalar(self._last, {"whose": charge_permission_id}) or 0
            return 0 if is_worked_on_again(Stood(*stood), moment, self.now()) else int(stood[0])

    async def _check_goes_on(self, connection: AsyncConnection, told: Told, rows: Sequence[Row]) -> Collection[str]:
        """Whether what is recorded from the first of these on is these, as far as anything is; the digests of that.

        A task that is lost after it told something is worked on again, and may have heard more by then. So the same may
        be told under a later number, or something else, beside which it is recorded. Something else that was told
        otherwise is what its workflow does not know any more.
        """
        whose = {"whose": told.charge_permission_id}
        found = (await connection.execute(self._since, {**whose, "first": rows[0]["number"]})).all()
        last = {row["digest"]: row["number"] for row in rows}
        digests = [digest for _, digest in found]
        if all(last.get(digest, 0) >= number for number, digest in found):
            return digests
        stood = (await connection.execute(self._stood, whose)).first()
        if stood is None or not is_worked_on_again(Stood(*stood), told.moment, self.now()):
            raise LedgerAheadError(max(number for number, _ in found))
        return digests

    async def _keep_state(self, connection: AsyncConnection, told: Told, now: datetime) -> None:
        if told.state is None:
            return
        row = {
            "charge_permission_id": told.charge_permission_id,
            "told": told.notices[-1].number,
            "recorded_at": now,
            "run_id": told.moment.run if told.moment else "",
            "history_length": told.moment.length if told.moment else 0,
            "state": packed(told.state),
        }
        await connection.execute(self._keep, row)

    async def _added(self, connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
        """Those that were not there before, in their order."""
        if not rows:
            return []
        added = {tuple(each) for each in await connection.execute(self._add, list(rows))}
        return [row for row in rows if (row["number"], row["digest"]) in added]

    async def _project(
        self, connection: AsyncConnection, charge_permission_id: str, new: Sequence[Row], lost: Collection[str]
    ) -> None:
        found = (await connection.execute(self._find, {"whose": charge_permission_id})).mappings().first()
        await self.put(connection, folded(dict(found) if found else None, new, lost))

    async def put(self, connection: AsyncConnection, row: Row) -> None:
        """Sets a subscription's row, within a transaction of somebody's."""
        await connection.execute(self._put, row)

    async def _queue(self, connection: AsyncConnection, queued: Sequence[Delivery], now: datetime) -> None:
        rows = [
            {
                "id": each.id,
                "charge_permission_id": each.charge_permission_id,
                "number": each.number,
                "endpoint": each.endpoint,
                "state": each.state.value,
                "since": now,
                "updated_at": now,
            }
            for each in queued
        ]
        await connection.execute(self._set_out, rows)
