"""Which release the tables are of, and bringing them forward."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.errors import LedgerVersionError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
HOW: Final = "run `perennial setup`"


async def check_version(engine: AsyncEngine) -> None:
    """Looks whether the tables are this release's.

    Raises:
        LedgerVersionError: they are older or newer, or there are none.
        LedgerUnavailableError: the database cannot be used now.
    """
    async with reading(engine) as connection:
        found = await connection.run_sync(_revision)
    script = _script()
    expected = script.get_current_head()
    if found == expected:
        return
    if found is None:
        raise LedgerVersionError(f"the ledger has no tables yet: {HOW}")
    known = {revision.revision for revision in script.walk_revisions()}
    if found in known:
        raise LedgerVersionError(f"the ledger's tables are of an older release ({found}; this is {expected}): {HOW}")
    raise LedgerVersionError(
        f"the ledger's tables are of a newer release ({found}; this is {expected}): install that release"
    )


async def bring_forward(engine: AsyncEngine) -> bool:
    """Makes the tables, or changes them to this release's; all of it or nothing. False where they were already.

    Raises:
        LedgerVersionError: they are of a newer release.
        LedgerUnavailableError: the database cannot be used now.
    """
    try:
        await check_version(engine)
    except LedgerVersionError as error:
        if "newer" in str(error):
            raise
    else:
        return False
    async with writing(engine) as connection:
        await connection.run_sync(_upgrade)
    return True


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
