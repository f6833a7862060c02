"""What `perennial dev` keeps in its folder: the API's key, the secret of links, and which files are its own."""

import os
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet

from perennial_billing.ledger.api_keys import Scope, key_of, make
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.errors import StartupError

API_KEY_FILE: Final = "api-key"
API_KEY_NAME: Final = "dev"
PORTAL_SECRET_FILE: Final = "portal-secret"  # noqa: S105 - a file's name
_OWN: Final = ("temporal.db*", "ledger.db*", "dev-profile.json", API_KEY_FILE, PORTAL_SECRET_FILE)
"""Beside the lock, which is held meanwhile."""
_SIMULATOR: Final = ("simulator.db*", "merchant-private-key.pem", "sns-certificate.pem", "sns-key.pem")
"""Of a simulator's account. In the sandbox's folder, such a key would be the merchant's, of which there is no other."""


async def api_key(folder: Path, ledger: Ledger) -> str:
    """The key of an earlier run, or a new one of every scope where there is none that is valid.

    Raises:
        StartupError: its file cannot be used.
        LedgerError: the ledger cannot be used.
    """
    path = folder / API_KEY_FILE
    try:
        if path.exists():
            token = path.read_text().strip()
            if await key_of(ledger, token) is not None:
                return token
            path.unlink()
        token = (await make(ledger, API_KEY_NAME, list(Scope))).token
        _write(path, token)
    except OSError as error:
        raise StartupError(f"--data-folder: {path} cannot be used ({error.strerror or error})") from None
    return token


def portal_secret(folder: Path) -> str:
    """What links of the buyer's page are sealed with: that of an earlier run, or a new one.

    Raises:
        StartupError: its file cannot be used.
    """
    path = folder / PORTAL_SECRET_FILE
    try:
        if path.exists():
            return path.read_text().strip()
        secret = Fernet.generate_key().decode()
        _write(path, secret)
    except OSError as error:
        raise StartupError(f"--data-folder: {path} cannot be used ({error.strerror or error})") from None
    return secret


def _write(path: Path, secret: str) -> None:
    """For its owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)


def own_files(folder: Path, *, sandbox: bool) -> list[Path]:
    """What is there of earlier runs; a folder may hold other files, which are left alone.

    Args:
        folder: which.
        sandbox: whether it is that of Amazon's sandbox, or of the simulator.
    """
    patterns = _OWN if sandbox else (*_OWN, *_SIMULATOR)
    return sorted(path for pattern in patterns for path in folder.glob(pattern))
