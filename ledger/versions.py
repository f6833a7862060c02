"""Which release the tables are of, and bringing them forward."""

from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.errors import LedgerVersionError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
HOW: Final = "run `perennial setup`"

_VERSION: Final = "alembic_version"
"""The table in which Alembic notes the revision."""


async def check_version(engine: AsyncEngine) -> None:
    """Looks whether the tables are this release's.

    Raises:
        LedgerVersionError: they are older or newer, or there are none.
        LedgerUnavailableError: the database cannot be used now.
    """
    async with reading(engine) as connection:
        found = await connection.run_sync(_revision)
    known = _revisions()
    if found == known[-1]:
        return
    if found is None:
        raise LedgerVersionError(f"the ledger has no tables yet: {HOW}")
    if found in known:
        raise LedgerVersionError(f"the ledger's tables are of an older release ({found}; this is {known[-1]}): {HOW}")
    raise LedgerVersionError(
        f"the ledger's tables are of a newer release ({found}; this is {known[-1]}): install that release"
    )


async def bring_forward(engine: AsyncEngine) -> bool:
    """Makes the tables, or changes them to this release's; all of it or nothing. False where they were already.

    Raises:
        LedgerVersionError: they are of a newer release.
        LedgerUnavailableError: the database cannot be used now.
    """
    if not await is_behind(engine):
        return False
    async with writing(engine) as connection:
        await connection.run_sync(_upgrade)
    return True


async def is_behind(engine: AsyncEngine) -> bool:
    """Whether the tables are still to be made, or to be brought forward.

    Raises:
        LedgerVersionError: they are of a newer release.
        LedgerUnavailableError: the database cannot be used now.
    """
    try:
        await check_version(engine)
    except LedgerVersionError as error:
        if "newer" in str(error):
            raise
        return True
    return False


def _revisions() -> list[str]:
    """The revisions that this release knows, the newest last: their files begin with them.

    Alembic knows them as well, and takes longer to import than all else of a worker's start but Temporal's SDK.
    """
    return sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_VERSION}")).scalar()  # noqa: S608 - a name of ours


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
