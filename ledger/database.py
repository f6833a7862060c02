"""Reaching the database: SQLite in a file, or PostgreSQL by its address."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from perennial_billing.ledger.errors import LedgerError, LedgerUnavailableError

SECONDS: Final = 4.0
"""How long anything may take that a subscription waits for: less than the activity that asks for it may."""

LOCKED_SECONDS: Final = 3.5
"""How long a process waits for its turn to write to an SQLite file."""

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_READS: Final = "perennial_reads"

_IN_SQLITE: Final = (
    "PRAGMA journal_mode = WAL",  # readers and the one who writes do not wait for each other
    "PRAGMA synchronous = FULL",  # what was recorded is on the disk: the subscription keeps it no longer
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {int(LOCKED_SECONDS * 1000)}",
)


def file_url(path: Path) -> str:
    """The address of a ledger in an SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def file_of(address: str) -> Path | None:
    """The SQLite file of a ledger; None where it is in another database.

    Raises:
        LedgerError: the address is none.
    """
    url = parsed(address)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def parsed(address: str) -> URL:
    """The address with the driver that we use.

    Raises:
        LedgerError: it is none, or of another database.
    """
    accepted = "sqlite:////folder/ledger.db and postgresql://user:password@host:5432/database are accepted"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise LedgerError(f"the ledger's address cannot be read; {accepted}") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise LedgerError(f"the ledger's address is of {url.drivername!r}; {accepted}")
    if driver.startswith("sqlite") and url.database in {None, "", ":memory:"}:
        raise LedgerError(f"the ledger's address names no file; {accepted}")
    return url.set(drivername=driver)


def place_of(address: str) -> str:
    """Where that is, for people: no user and no password."""
    url = parsed(address)
    if url.get_backend_name() == "sqlite":
        return f"SQLite file {url.database}"
    return f"PostgreSQL database {url.database} at {url.host or 'the local socket'}"


def engine_of(address: str) -> AsyncEngine:
    """An engine for the address; nothing is reached before it is used.

    Raises:
        LedgerError: the address is none.
    """
    url = parsed(address)
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, pool_size=4, pool_timeout=SECONDS)
        event.listen(engine.sync_engine, "connect", _prepared)
        event.listen(engine.sync_engine, "begin", _begun)
        return engine
    return create_async_engine(
        url, pool_size=5, pool_timeout=SECONDS, pool_pre_ping=True, connect_args={"connect_timeout": int(SECONDS)}
    )


def _prepared(connection: Any, _record: object) -> None:  # Any: of whichever driver
    """SQLite is told how to keep what it is given, and to begin transactions when it is told to."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _IN_SQLITE:
        cursor.execute(pragma)
    cursor.close()


def _begun(connection: Connection) -> None:
    """Who will write takes the turn at once: one that reads first cannot always write afterwards."""
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@asynccontextmanager
async def writing(engine: AsyncEngine, seconds: float | None = SECONDS) -> AsyncIterator[AsyncConnection]:
    """A transaction that all is taken back of where it fails.

    Args:
        engine: of the database.
        seconds: how long it may take; None where no subscription waits for it.

    Raises:
        LedgerUnavailableError: the database cannot do it now.
    """
    with _in_words():
        async with asyncio.timeout(seconds), engine.begin() as connection:
            yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that sees one state throughout, however long it lasts.

    Raises:
        LedgerUnavailableError: the database cannot do it now.
    """
    with _in_words():
        async with engine.execution_options(**{_READS: True}).connect() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection


@contextmanager
def _in_words() -> Iterator[None]:
    """Without the statement and its values, which are the merchant's."""
    try:
        yield
    except TimeoutError:
        raise LedgerUnavailableError(f"the ledger did not answer within {SECONDS:.0f} s") from None
    except PoolTimeoutError:
        raise LedgerUnavailableError("all connections to the ledger are in use") from None
    except DBAPIError as error:
        said = str(error.orig).strip().partition("\n")[0]
        raise LedgerUnavailableError(f"the ledger cannot be used: {said}") from None
    except (SQLAlchemyError, OSError) as error:
        raise LedgerUnavailableError(f"the ledger cannot be used: {type(error).__name__}") from None
