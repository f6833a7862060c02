"""The ledger that a process of ours uses: the one that is set, or a file of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import platformdirs

from perennial_billing.ledger.database import engine_of, file_of, file_url, place_of
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.versions import bring_forward, is_behind
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings

FILE: Final = "ledger.db"


@asynccontextmanager
async def ledger_of(settings: Settings, *, patient: bool = False) -> AsyncIterator[Ledger]:
    """Opens it; the tables of a file of our own are made, those of a database that is set are as `setup` made them.

    Args:
        settings: which.
        patient: a database that cannot be used now is looked at when it is needed.

    Raises:
        StartupError: the ledger's address is none, or its tables are of another release.
    """
    address = _address(settings)
    async with AsyncExitStack() as stack:
        try:
            opening = Ledger.open(address, set_up=settings.ledger_url is None, patient=patient)
            ledger = await stack.enter_async_context(opening)
        except LedgerError as error:
            raise StartupError(f"{PREFIX}LEDGER_URL: {error}") from None
        yield ledger


def has_ledger(settings: Settings) -> bool:
    """Whether there is one to look into: that is set, or the file of our own where it was made."""
    return settings.ledger_url is not None or settings.data_folder is not None or (_folder(settings) / FILE).exists()


def ledger_file(settings: Settings) -> Path | None:
    """The file that the ledger is; None where it is a database that is set, or its address is none."""
    if settings.ledger_url is None:
        return _folder(settings) / FILE
    try:
        return file_of(settings.ledger_url.get_secret_value())
    except LedgerError:
        return None


async def set_up_ledger(settings: Settings, *, is_trial: bool = False) -> tuple[str, bool]:
    """Makes the tables, or brings them forward; says where they are, and whether anything was to be done.

    Args:
        settings: which ledger.
        is_trial: whether it is only looked at.

    Raises:
        StartupError: the ledger's address is none, the database cannot be used, or its tables are of a newer release.
    """
    address = _address(settings)
    engine = engine_of(address)
    try:
        changed = await is_behind(engine) if is_trial else await bring_forward(engine)
        return place_of(address), changed
    except LedgerError as error:
        raise StartupError(f"{PREFIX}LEDGER_URL: {error}") from None
    finally:
        await engine.dispose()


def _address(settings: Settings) -> str:
    return settings.ledger_url.get_secret_value() if settings.ledger_url else _own_file(settings)


def _own_file(settings: Settings) -> str:
    folder = _folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"{folder} cannot be made ({error.strerror or error})"
        raise StartupError(f"{PREFIX}DATA_FOLDER: {why}; set it, or {PREFIX}LEDGER_URL") from None
    return file_url(folder / FILE)


def _folder(settings: Settings) -> Path:
    return settings.data_folder or Path(platformdirs.user_data_dir("perennial"))
