"""The tables are this release's, or it is said what they are."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from perennial_billing.ledger import migrations, versions
from perennial_billing.ledger.database import engine_of, place_of, writing
from perennial_billing.ledger.errors import LedgerError, LedgerUnavailableError, LedgerVersionError
from perennial_billing.ledger.finding import timeline
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.rebuilding import rebuild
from perennial_billing.ledger.settlements.storing import settled_times
from perennial_billing.ledger.tables import metadata
from perennial_billing.ledger.versions import bring_forward
from tests.ledger.told import notice, told


async def test_migrated_the_tables_are_those_that_we_use(ledger: Ledger) -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with ledger.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


def test_the_revisions_are_those_that_alembic_knows_in_its_order() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert versions._revisions() == [each.revision for each in script.walk_revisions()][::-1]


async def test_where_no_table_is_it_is_said_how_they_are_made(address: str) -> None:
    with pytest.raises(LedgerVersionError, match=r"no tables yet: run `perennial setup`"):
        async with Ledger.open(address):
            pass

    engine = engine_of(address)
    assert await bring_forward(engine)
    assert not await bring_forward(engine)
    await engine.dispose()
    async with Ledger.open(address):
        pass


def upgraded_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_tables_of_an_older_release_are_brought_forward_with_all_that_is_in_them(address: str) -> None:
    engine = engine_of(address)
    async with writing(engine) as connection:
        await connection.run_sync(upgraded_to, "0001")
    older = Ledger(engine, place_of(address))
    older._is_checked = True  # as that release was content with its tables
    await older.record(told(notice(1), notice(2)))
    with pytest.raises(LedgerVersionError, match=r"older release \(0001; this is \d{4}\): run `perennial setup`"):
        async with Ledger.open(address):
            pass

    assert await bring_forward(engine)
    await engine.dispose()

    async with Ledger.open(address) as ledger:
        assert [each.notice.number for each in await timeline(ledger, "C01-2702031-0000001")] == [1, 2]
        assert [each async for done in rebuild(ledger) for each in done.differences] == []
        assert await settled_times(ledger, "default") == []


async def test_tables_of_a_newer_release_are_left_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    async with writing(ledger.engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    address = ledger.engine.url.render_as_string(hide_password=False).replace("+aiosqlite", "").replace("+psycopg", "")
    for set_up in (False, True):
        with pytest.raises(LedgerVersionError, match=r"newer release \(9999; this is \d{4}\): install that release"):
            async with Ledger.open(address, set_up=set_up):
                pass


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://shop@db/ledger", "'mysql'"),
        ("ledger.db", "cannot be read"),
        ("sqlite://", "names no file"),
        ("", "cannot be read"),
        ("postgresql://shop:geheim@db:nowhere/ledger", "cannot be read"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_is_accepted_and_without_its_password(
    address: str, said: str
) -> None:
    with pytest.raises(LedgerError) as refused:
        engine_of(address)

    assert said in str(refused.value)
    assert "sqlite:////folder/ledger.db and postgresql://" in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_where_a_ledger_is_is_told_without_its_password() -> None:
    assert place_of("postgresql://shop:geheim@db.example:5432/books") == "PostgreSQL database books at db.example"
    assert place_of("sqlite:////var/lib/perennial/ledger.db") == "SQLite file /var/lib/perennial/ledger.db"


async def test_a_database_that_is_not_there_is_said_to_be_so_without_its_password() -> None:
    with pytest.raises(LedgerUnavailableError) as refused:
        async with Ledger.open("postgresql://shop:geheim@127.0.0.1:1/books"):
            pass

    assert "geheim" not in str(refused.value)
    assert "\n" not in str(refused.value)
