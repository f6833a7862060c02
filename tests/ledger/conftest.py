"""Ledgers, on both databases."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from benchmarks.postgres import Postgres, postgres, program
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger

DATABASES: Final = ("sqlite", "postgresql")


@pytest_asyncio.fixture(scope="session")
async def server() -> AsyncIterator[Postgres | None]:
    """PostgreSQL with a database `template` that has the tables; None where it is not installed."""
    if program("postgres") is None:
        assert not os.environ.get("CI"), "PostgreSQL is missing, and CI installs it"
        yield None
        return
    async with postgres() as running:
        running.execute("CREATE DATABASE template")
        async with Ledger.open(running.url("template"), set_up=True):
            pass
        yield running


@pytest.fixture(params=DATABASES)
def address(request: pytest.FixtureRequest, server: Postgres | None, tmp_path: Path) -> Iterator[str]:
    """The address of a database in which nothing is, not even a table."""
    if request.param == "sqlite":
        yield file_url(tmp_path / "ledger.db")
        return
    if server is None:
        pytest.skip("PostgreSQL is not installed")
    yield server.url(server.create())


@pytest_asyncio.fixture(params=DATABASES)
async def ledger(
    request: pytest.FixtureRequest, server: Postgres | None, empty_ledger: Path, tmp_path: Path
) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    if request.param == "sqlite":
        async with Ledger.open(file_url(Path(shutil.copy(empty_ledger, tmp_path / "ledger.db")))) as opened:
            yield opened
        return
    if server is None:
        pytest.skip("PostgreSQL is not installed")
    async with Ledger.open(server.url(server.create("template"))) as opened:
        yield opened
