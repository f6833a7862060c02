"""Keys of the HTTP API: made once, shown once, kept as a digest.

A secret is 256 bits of chance, so its digest needs neither salt nor slowness: nobody can try so many.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import insert, select, update

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.entries import Row
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import api_keys

PREFIX: Final = "perennial"
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 8


class Scope(StrEnum):
    """What a key allows."""

    READ = "read"
    """Everything that only looks."""
    ACT = "act"
    """Starting and changing subscriptions; no money goes back."""
    REFUND = "refund"
    """Giving money back."""
    ADMIN = "admin"
    """What concerns all subscriptions: many at once, endpoints, notices sent again."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without its secret.

    Attributes:
        id: by which it is revoked; not secret.
        name: whose it is; the actor of what is asked with it.
        scopes: what it allows.
        made_at: when (UTC).
        revoked_at: since when it allows nothing (UTC).
        accounts: the merchant accounts whose subscriptions it sees and touches; all of them where it is empty.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    made_at: datetime
    revoked_at: datetime | None = None
    accounts: frozenset[str] = frozenset()

    def sees(self, account: str) -> bool:
        """Whether a merchant account's subscriptions are there for it at all."""
        return not self.accounts or account in self.accounts


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with what is sent as the bearer token; nobody can tell that again."""

    key: ApiKey
    token: str


async def make(ledger: Ledger, name: str, scopes: Sequence[Scope], accounts: Sequence[str] = ()) -> NewKey:
    """Makes a key; for all merchant accounts, or some.

    Raises:
        LedgerError: it could not be kept, and does not exist.
    """
    await ledger.check_version()
    key = ApiKey(secrets.token_hex(_ID_BYTES), name, frozenset(scopes), datetime.now(UTC), accounts=frozenset(accounts))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    row = {
        "id": key.id,
        "name": key.name,
        "digest": _digest(secret),
        "scopes": " ".join(sorted(key.scopes)),
        "made_at": key.made_at,
        "accounts": " ".join(sorted(key.accounts)),
    }
    async with writing(ledger.engine) as connection:
        await connection.execute(insert(api_keys).values(row))
    return NewKey(key, f"{PREFIX}_{key.id}_{secret}")


async def listed(ledger: Ledger) -> list[ApiKey]:
    """All keys, also the revoked ones, the oldest first.

    Raises:
        LedgerError: they cannot be read now.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        rows = (await connection.execute(select(api_keys).order_by(api_keys.c.made_at, api_keys.c.id))).mappings()
        return [_key(dict(row)) for row in rows]


async def revoke(ledger: Ledger, key_id: str) -> bool:
    """From now on it allows nothing; False where there is no such key, or it was revoked before.

    Raises:
        LedgerError: it could not be revoked, and is valid.
    """
    await ledger.check_version()
    chosen = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    async with writing(ledger.engine) as connection:
        return bool((await connection.execute(chosen.values(revoked_at=datetime.now(UTC)))).rowcount)


async def key_of(ledger: Ledger, token: str) -> ApiKey | None:
    """The key that a bearer token is of; None where it is none of ours, or was revoked.

    Raises:
        LedgerError: that cannot be found out now.
    """
    await ledger.check_version()
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    async with reading(ledger.engine) as connection:
        row = (await connection.execute(select(api_keys).where(api_keys.c.id == key_id))).mappings().first()
    # Compared also where there is no such key, so that how long it takes tells nothing.
    matches = hmac.compare_digest(_digest(secret), row["digest"] if row else _digest(""))
    if row is None or not matches or prefix != PREFIX or row["revoked_at"] is not None:
        return None
    return _key(dict(row))


def _key(row: Row) -> ApiKey:
    scopes = frozenset(map(Scope, row["scopes"].split()))
    accounts = frozenset(row["accounts"].split())
    return ApiKey(row["id"], row["name"], scopes, row["made_at"], row["revoked_at"], accounts)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
