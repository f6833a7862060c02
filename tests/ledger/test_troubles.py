"""A database that is locked, full, slow or gone: it is said in time, nothing is half-written, and afterwards all is."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import psycopg
import pytest
from sqlalchemy import text

from benchmarks.postgres import postgres, program
from perennial_billing.billing.money import Money
from perennial_billing.ledger.database import SECONDS
from perennial_billing.ledger.errors import LedgerUnavailableError
from perennial_billing.ledger.finding import Search, find, timeline
from perennial_billing.ledger.ledger import Ledger
from tests.ledger.told import notice, told

TEA: Final = "C01-2702031-0000001"
LONGEST: Final = SECONDS + 1.0
"""An activity that announces may take five seconds: none waits for the database longer than that."""

Trouble = Callable[[Ledger], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def locked(ledger: Ledger) -> AsyncIterator[None]:
    """Somebody else writes, and does not come to an end."""
    if ledger.engine.dialect.name == "sqlite":
        other = sqlite3.connect(ledger.engine.url.database or "", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()
        return
    with psycopg.connect(_plain(ledger)) as connection:
        connection.execute("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@asynccontextmanager
async def full(ledger: Ledger) -> AsyncIterator[None]:
    """No page more: what PostgreSQL says then is said by a trigger, as a full disk cannot be had."""
    if ledger.engine.dialect.name == "sqlite":
        await _each_connection(ledger, "PRAGMA max_page_count = 1")  # as many as there are
        yield
        await _each_connection(ledger, "PRAGMA max_page_count = 1073741823")
        return
    async with _trigger(ledger, "RAISE EXCEPTION 'could not extend file: No space left' USING ERRCODE = '53100'"):
        yield


@asynccontextmanager
async def slow(ledger: Ledger) -> AsyncIterator[None]:
    """Each row takes longer than anybody waits."""
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("SQLite is as slow as its disk")
    async with _trigger(ledger, "PERFORM pg_sleep(30)"):
        yield


@asynccontextmanager
async def _trigger(ledger: Ledger, does: str) -> AsyncIterator[None]:
    async with ledger.engine.begin() as connection:
        body = f"CREATE FUNCTION trouble() RETURNS trigger AS $$ BEGIN {does}; RETURN NEW; END $$ LANGUAGE plpgsql"
        await connection.execute(text(body))
        await connection.execute(
            text("CREATE TRIGGER trouble BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION trouble()")
        )
    yield
    async with ledger.engine.begin() as connection:
        await connection.execute(text("DROP FUNCTION trouble() CASCADE"))


async def _each_connection(ledger: Ledger, pragma: str) -> None:
    """A limit of pages is each connection's own, so all of the pool's are told."""
    async with asyncio.timeout(20):
        held = [await ledger.engine.execution_options(perennial_reads=True).connect() for _ in range(4)]
        for connection in held:
            await connection.execute(text(pragma))
        for connection in held:
            await connection.close()


def _plain(ledger: Ledger) -> str:
    return ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.mark.parametrize("trouble", [locked, full, slow], ids=lambda trouble: trouble.__name__)
async def test_it_is_said_in_time_and_afterwards_all_is_recorded_once(ledger: Ledger, trouble: Trouble) -> None:
    await ledger.record(told(notice(1)))
    many = [notice(number, reason="x" * 400) for number in range(2, 40)]

    async with trouble(ledger):
        began = time.monotonic()
        with pytest.raises(LedgerUnavailableError):
            await ledger.record(told(*many))
        assert time.monotonic() - began < LONGEST * 3, "a machine that stalls aside"

    [row] = await find(ledger, Search(charge_permission_id=TEA))
    assert (row.told, row.charged) == (1, Money.parse("14.90 EUR")), "neither the row nor an entry moved"
    await ledger.record(told(*many))
    await ledger.record(told(*many))
    assert [each.notice.number for each in await timeline(ledger, TEA)] == list(range(1, 40))
    [row] = await find(ledger, Search(charge_permission_id=TEA))
    assert row.charged == Money.parse("581.10 EUR")


async def test_a_server_that_is_gone_and_comes_back_is_found_again() -> None:
    """Connections that the pool still holds are of the server that died."""
    if program("postgres") is None:
        pytest.skip("PostgreSQL is not installed")
    async with postgres(outlives=True) as server:
        name = server.create()
        async with Ledger.open(server.url(name), set_up=True) as ledger:
            await ledger.record(told(notice(1)))
            await server.kill()
            with pytest.raises(LedgerUnavailableError, match="the ledger cannot be used"):
                await ledger.record(told(notice(2)))

            await server.start_again()
            await ledger.record(told(notice(2)))

            assert [each.notice.number for each in await timeline(ledger, TEA)] == [1, 2]


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"somebody's notes, and not a database at all" * 100)
    with pytest.raises(LedgerUnavailableError, match="not a database"):
        async with Ledger.open(f"sqlite:///{file}", set_up=True):
            pytest.fail("it was opened")


async def test_a_folder_in_which_nothing_can_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match="unable to open database file"):
        async with Ledger.open(f"sqlite:///{tmp_path}/nowhere/ledger.db", set_up=True):
            pytest.fail("it was opened")
