"""The merchant accounts that were added to a ledger, with their private keys, which are kept encrypted.

The table is written and read here alone. What opens a key is a secret of the processes, and never stands beside it: a
copy of the database signs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import delete, func, or_, select, update

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import accounts

MOST_ACCOUNTS: Final = 1_000
"""Of how many Temporal keeps the weights of one queue apart (`matching.maxFairnessKeyWeightOverrides`)."""


class KeyNotOpenedError(LedgerError):
    """A private key was encrypted with a secret that this process does not have."""


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """An account as the table has it.

    Attributes:
        name: our short name.
        merchant_id: Amazon's id of it.
        region: of the seller account, as the region header has it: na, eu or jp.
        environment: Amazon Pay's, sandbox or live.
        public_key_id: of the key pair.
        sealed_key: the private key, encrypted.
        quotas: calls a second by operation, where they are not Amazon's own.
        soft_descriptor: what buyers read on their statements, where the plan says nothing.
        added_at: since when it is known (UTC).
        key_since: since when it has this key pair (UTC).
    """

    name: str
    merchant_id: str
    region: str
    environment: str
    public_key_id: str
    sealed_key: str = field(repr=False)
    quotas: Mapping[str, float]
    soft_descriptor: str | None
    added_at: datetime
    key_since: datetime


class Sealing:
    """Encrypts private keys, and opens them again (Fernet: AES-128 in CBC mode, with an HMAC by SHA-256).

    Args:
        secrets: URL-safe base64 of 32 bytes each; the first encrypts, each opens.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._fernets = [Fernet(secret) for secret in secrets]
        self._all = MultiFernet(self._fernets) if self._fernets else None

    @property
    def is_possible(self) -> bool:
        """Whether there is a secret."""
        return self._all is not None

    def seal(self, pem: bytes) -> str:
        """A private key, encrypted with the first secret.

        Raises:
            KeyNotOpenedError: there is none.
        """
        if self._all is None:
            raise KeyNotOpenedError("there is no secret to encrypt private keys with")
        return self._all.encrypt(pem).decode()

    def open(self, sealed: str) -> bytes:
        """What was encrypted, with any of the secrets.

        Raises:
            KeyNotOpenedError: with none of them.
        """
        if self._all is None:
            raise KeyNotOpenedError("there is no secret to open private keys with")
        try:
            return self._all.decrypt(sealed.encode())
        except InvalidToken:
            raise KeyNotOpenedError("no secret opens the private key; it was encrypted with another") from None

    def is_by_the_first(self, sealed: str) -> bool:
        """Whether the first secret opens it, so that all others may go."""
        try:
            self._fernets[0].decrypt(sealed.encode())
        except (InvalidToken, IndexError):
            return False
        return True


async def all_accounts(ledger: Ledger) -> list[KeptAccount]:
    """Every one, by name.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        rows = (await connection.execute(select(accounts).order_by(accounts.c.name))).mappings()
        return [KeptAccount(**row) for row in rows]


async def add_account(ledger: Ledger, account: Mapping[str, Any]) -> bool:  # Any: as the columns have it
    """Keeps one; False where its name or its merchant id is known, or there are too many.

    Args:
        ledger: where.
        account: its columns, but for the times.

    Raises:
        LedgerError: it is not kept.
    """
    await ledger.check_version()
    now = ledger.now()
    values = dict(account) | {"added_at": now, "key_since": now}
    known = or_(accounts.c.name == values["name"], accounts.c.merchant_id == values["merchant_id"])
    async with writing(ledger.engine) as connection:
        count = (await connection.execute(select(func.count()).select_from(accounts))).scalar_one()
        is_known = (await connection.execute(select(accounts.c.name).where(known))).first() is not None
        if is_known or count >= MOST_ACCOUNTS:
            return False
        added = ledger.insert(accounts).values(values).on_conflict_do_nothing().returning(accounts.c.name)
        return (await connection.execute(added)).first() is not None


async def replace_key(ledger: Ledger, name: str, public_key_id: str, sealed_key: str) -> bool:
    """Gives one another key pair, at once and whole; False where there is none of that name.

    Raises:
        LedgerError: it has the one that it had.
    """
    await ledger.check_version()
    changed = {"public_key_id": public_key_id, "sealed_key": sealed_key, "key_since": ledger.now()}
    async with writing(ledger.engine) as connection:
        chosen = update(accounts).where(accounts.c.name == name).values(changed)
        return (await connection.execute(chosen)).rowcount > 0


async def seal_anew(ledger: Ledger, sealing: Sealing) -> list[str]:
    """Encrypts with the first secret what was encrypted with another; whose keys those are.

    Raises:
        KeyNotOpenedError: one cannot be opened; nothing was changed.
        LedgerError: nothing was changed.
    """
    await ledger.check_version()
    column = accounts.c
    async with writing(ledger.engine) as connection:
        found = (await connection.execute(select(column.name, column.sealed_key).order_by(column.name))).all()
        older = [(name, sealed) for name, sealed in found if not sealing.is_by_the_first(sealed)]
        for name, sealed in older:
            try:
                anew = sealing.seal(sealing.open(sealed))
            except KeyNotOpenedError as error:
                raise KeyNotOpenedError(f"account {name}: {error}") from None
            # One that got another key pair meanwhile has it encrypted already.
            same = (column.name == name) & (column.sealed_key == sealed)
            await connection.execute(update(accounts).where(same).values(sealed_key=anew))
        return [name for name, _ in older]


async def remove_account(ledger: Ledger, name: str) -> bool:
    """Forgets one and its key; False where there is none.

    Raises:
        LedgerError: it is not forgotten.
    """
    await ledger.check_version()
    async with writing(ledger.engine) as connection:
        return (await connection.execute(delete(accounts).where(accounts.c.name == name))).rowcount > 0
