"""The merchant accounts that this process makes calls for: where they stand, and the client of each.

There are three places, and a name stands in one of them: the environment variables name the account `default`, as ever;
a file has further ones; and the ledger has those that were added by command. The first two are known from the start.
The ledger is asked for what they do not have, so while it is away their calls are made all the same.
"""

import asyncio
import logging
import math
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from amazon_pay_client import AmazonPayClient, Environment, PrivateKeyError, Region, load_private_key
from amazon_pay_client.files import read_small_file
from amazon_pay_client.regions import endpoint_for
from perennial_billing.activities.accounts import AccountClient, AccountClients, AccountUnusableError
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT, MerchantAccount
from perennial_billing.ledger.accounts import KeptAccount, KeyNotOpenedError, Sealing, all_accounts
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.worker.rates import Turns, checked_quotas, rate_of
from perennial_billing.workflows.names import Call
from perennial_billing.workflows.performing import PERFORMANCES

KNOWN_SECONDS: Final = 60.0
"""How long accounts are known before they are read again: so soon a worker learns of another key, or another quota."""

LOOKED_UP_SECONDS: Final = 1.0
"""How long whoever asks for an account that is not known waits after the ledger was read last: such calls come in a
row, and the account may have been added a moment ago."""

MERCHANT_ID: Final = r"^[A-Za-z0-9_-]{1,64}$"
LONGEST_DESCRIPTOR: Final = 16
"""Characters (Amazon Pay API v2, "charge")."""

LARGEST_FILE_BYTES: Final = 1024 * 1024

_PATH: Final = f"{PREFIX}ACCOUNTS_PATH"
_SECRET: Final = f"{PREFIX}ACCOUNTS_SECRET"

CALLS: Final = {how.activity.__name__: how.call for how in PERFORMANCES.values() if how.call is not None}
"""The operation of Amazon's that each activity calls."""

_log = logging.getLogger("accounts")


class Source(StrEnum):
    """Where an account stands."""

    SETTINGS = "settings"
    FILE = "file"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Account:
    """A merchant account.

    Attributes:
        name: our short name, which terms name.
        merchant_id: Amazon's id of it; None where the environment variables do not say, in sandbox.
        region: of the seller account.
        public_key_id: of the key pair.
        source: where it stands.
        quotas: calls a second by operation, where they are not the deployment's.
        soft_descriptor: what buyers read on their statements, where the plan says nothing.
        private_key: PEM text, the path of a file with it, or what is sealed in the ledger; never shown.
        passphrase: where the private key of the environment variables is encrypted.
    """

    name: str
    merchant_id: str | None
    region: Region
    public_key_id: str
    source: Source
    quotas: Mapping[Call, float] = field(default_factory=dict)
    soft_descriptor: str | None = None
    private_key: bytes | Path | str = field(default=b"", repr=False)
    passphrase: str | None = field(default=None, repr=False)

    def key(self, sealing: Sealing) -> RSAPrivateKey:
        """Its private key.

        Raises:
            AccountUnusableError: it cannot be used here; says why, and what to do.
        """
        try:
            return load_private_key(
                sealing.open(self.private_key) if isinstance(self.private_key, str) else self.private_key,
                self.passphrase,
            )
        except KeyNotOpenedError as error:
            to_do = f"set {_SECRET} to the secret with which it was added, for this process as well"
            raise AccountUnusableError(f"account {self.name}: {error}; {to_do}") from None
        except PrivateKeyError as error:
            raise AccountUnusableError(f"account {self.name}: {error}") from None


class AccountTable(BaseModel):
    """One `[accounts.NAME]` of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    merchant_id: Annotated[str, Field(pattern=MERCHANT_ID)]
    region: str
    public_key_id: Annotated[str, Field(max_length=64)]
    private_key_path: Path
    soft_descriptor: Annotated[str, Field(min_length=1, max_length=LONGEST_DESCRIPTOR)] | None = None
    quotas: dict[str, float] = {}


def account_of_settings(settings: Settings) -> Account | None:
    """The account `default`, as the environment variables have it; None where they name no key.

    A process that only wants to know which accounts there are needs no private key.

    Raises:
        StartupError: the region is none.
    """
    if settings.public_key_id is None:
        return None
    passphrase = settings.private_key_passphrase
    return Account(
        name=DEFAULT_ACCOUNT,
        merchant_id=settings.merchant_id,
        region=region_of_settings(settings),
        public_key_id=settings.public_key_id,
        source=Source.SETTINGS,
        private_key=_private_key(settings),
        passphrase=passphrase.get_secret_value() if passphrase else None,
    )


def _private_key(settings: Settings) -> bytes | Path:
    try:
        return settings.private_key_source
    except StartupError:
        return b""


def region_of_settings(settings: Settings) -> Region:
    """The region of the environment variables.

    Raises:
        StartupError: it is none.
    """
    try:
        return Region.parse(settings.region)
    except ValueError as error:
        raise StartupError(f"{PREFIX}REGION: {str(error).removeprefix('region: ')}") from None


def accounts_of_file(settings: Settings) -> list[Account]:
    """Those of the file that the environment variables name, in its order; none where they name none.

    Raises:
        StartupError: it cannot be read; says which account, which field, and what is accepted.
    """
    path = settings.accounts_path
    if path is None:
        return []
    try:
        read = tomllib.loads(read_small_file(path, LARGEST_FILE_BYTES).content.decode())
    except OSError as error:
        raise StartupError(f"{_PATH}: {path}: {error.strerror or error}") from None
    except ValueError as error:  # whatever TOML and UTF-8 refuse; neither repeats a line
        raise StartupError(f"{_PATH}: {path}: it is not TOML: {error}") from None
    tables = read.get("accounts")
    if not isinstance(tables, dict) or len(read) > 1:
        raise StartupError(f"{_PATH}: {path}: tables [accounts.NAME] are accepted, and nothing else")
    try:
        return [_account_of_table(name, table, path.parent, settings) for name, table in tables.items()]
    except ValueError as error:
        raise StartupError(f"{_PATH}: {path}: {error}") from None


def _account_of_table(name: str, table: object, folder: Path, settings: Settings) -> Account:
    try:
        read = AccountTable.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"accounts.{name}{'.' if where else ''}{where}: {first['msg']}") from None
    try:
        return Account(
            name=checked_name(name),
            merchant_id=read.merchant_id,
            region=checked_region(read.region, read.public_key_id, settings),
            public_key_id=read.public_key_id,
            source=Source.FILE,
            quotas=checked_quotas(read.quotas),
            soft_descriptor=read.soft_descriptor,
            private_key=folder / read.private_key_path,
        )
    except ValueError as error:
        raise ValueError(f"accounts.{name}.{error}") from None


def checked_name(name: str) -> str:
    """The name, where it can be one.

    Raises:
        ValueError: it cannot.
    """
    try:
        return TypeAdapter(MerchantAccount).validate_python(name)
    except ValidationError:
        accepted = "1 to 32 of a-z, 0-9 and -, beginning with a letter or digit, are accepted"
        raise ValueError(f"name: {name!r}: {accepted}") from None


def checked_region(region: str, public_key_id: str, settings: Settings) -> Region:
    """The region, where it is one, and the key one of the deployment's environment.

    Raises:
        ValueError: they are not.
    """
    found = Region.parse(region)
    try:
        endpoint_for(public_key_id, found, Environment(settings.environment.value), settings.amazon_pay_origin)
    except ValueError as error:
        if not str(error).startswith("environment: "):
            raise
        here = settings.environment.value
        why = f"the key is not of {here}, as this deployment is ({PREFIX}ENVIRONMENT)"
        raise ValueError(f"public_key_id: {why}; live and sandbox never share a namespace") from None
    return found


def known_without_ledger(settings: Settings) -> dict[str, Account]:
    """The accounts of the environment variables and of the file, by name.

    Raises:
        StartupError: one is not as it has to be, or two have the same name or merchant id.
    """
    own = account_of_settings(settings)
    found: dict[str, Account] = {}
    for each in [*([own] if own else []), *accounts_of_file(settings)]:
        if each.name in found:
            why = f"accounts.{each.name}: the environment variables name that account as well ({PREFIX}PUBLIC_KEY_ID)"
            raise StartupError(f"{_PATH}: {why}; give it another name, or unset them")
        twin = next((other for other in found.values() if other.merchant_id == each.merchant_id), None)
        if twin is not None:
            why = f"accounts.{each.name}.merchant_id: {each.merchant_id} is that of account {twin.name} already"
            raise StartupError(f"{_PATH}: {why}; one account for each merchant id is accepted")
        found[each.name] = each
    if len(found) > 1 and own is not None and own.merchant_id is None:
        raise StartupError(f"{PREFIX}MERCHANT_ID: must be set where {_PATH} names further accounts")
    return found


class Accounts(AccountClients):
    """All accounts of this process, and a client of each, made when it is needed first.

    The clients have one pool of connections. What was read is known for a while; an account that is not known is looked
    up before anybody is told so.

    Args:
        settings: of this process.
        ledger: has the accounts that were added; None where no ledger is asked.
        default: a client of the account of the environment variables, where one is open: its connections are used.

    Raises:
        StartupError: what the environment variables or the file say cannot be used.
    """

    def __init__(self, settings: Settings, ledger: Ledger | None, default: AmazonPayClient | None = None) -> None:
        self._settings = settings
        self._ledger = ledger
        self._sealing = Sealing(settings.accounts_secrets)
        self._fixed = known_without_ledger(settings)
        self._file_seen = _mark(settings.accounts_path)
        self._added: dict[str, Account] = {}
        self._refused: dict[str, str] = {}
        self._read_at = -math.inf
        self._file_at = time.monotonic()
        self._trouble: str | None = None
        self._reading = asyncio.Lock()
        self._base = default
        self._owned: AmazonPayClient | None = None
        self._clients: dict[str, tuple[Account, AccountClient]] = {}
        if default is not None and (own := self._fixed.get(DEFAULT_ACCOUNT)) is not None:
            self._clients[DEFAULT_ACCOUNT] = (own, self._with(default, own))

    @property
    def refused(self) -> Mapping[str, str]:
        """The ledger's accounts that cannot be used here, and why."""
        return self._refused

    @property
    def trouble(self) -> str | None:
        """Why the ledger's accounts could not be read when that was tried last."""
        return self._trouble

    async def of(self, account: str) -> AccountClient:
        """See `AccountClients.of`."""
        found = await self.account(account)
        made = self._clients.get(account)
        if made is None or made[0] != found:
            made = self._clients[account] = (found, self._with(self._client(found), found))
        return made[1]

    async def account(self, name: str) -> Account:
        """One of them.

        Raises:
            AccountUnusableError: it is not known here, or cannot be used.
        """
        self._look_at_file(KNOWN_SECONDS)
        if name in self._fixed:
            return self._fixed[name]  # whether or not the ledger is there
        await self._look(KNOWN_SECONDS)
        if name not in self._added:
            await self._look_once_more()
        if (found := self._known(name)) is not None:
            return found
        if name in self._refused:
            raise AccountUnusableError(f"account {name}: {self._refused[name]}")
        if self._trouble is not None:
            raise AccountUnusableError(f"account {name}: it is not known here, as {self._trouble}")
        to_do = "add it (`perennial accounts add`), and give this process the same ledger"
        raise AccountUnusableError(f"account {name}: it is not known here; {to_do}")

    async def all(self) -> list[Account]:
        """Every one that is known now, by name; those of the ledger as they were last read, while it is away."""
        await self._look(KNOWN_SECONDS)
        known = {**self._added, **self._fixed}
        return [known[name] for name in sorted(known)]

    async def names(self) -> list[str]:
        """The same, by their short names alone."""
        return [each.name for each in await self.all()]

    async def region_of(self, name: str) -> Region:
        """An account's region; that of the settings where the account is not known here now."""
        try:
            return (await self.account(name)).region
        except AccountUnusableError:
            return region_of_settings(self._settings)

    async def is_merchant(self, merchant_id: str) -> bool | None:
        """Whether an account has this merchant id, or none has any, as in a sandbox without settings; None where that
        is not known now, as the ledger cannot be asked."""
        self._look_at_file(KNOWN_SECONDS)
        if merchant_id not in self._merchants:
            await self._look_once_more()
        if merchant_id in self._merchants:
            return True
        if self._trouble is not None:
            return None
        return not self._merchants and not self._refused

    @property
    def _merchants(self) -> set[str]:
        """All merchant ids that are known."""
        known = [each.merchant_id for each in [*self._fixed.values(), *self._added.values()]]
        return {each for each in [*known, self._settings.merchant_id] if each is not None}

    async def aclose(self) -> None:
        """Closes the connections, unless they are those of the client that was given."""
        if self._owned is not None:
            await self._owned.aclose()

    def _known(self, name: str) -> Account | None:
        return self._fixed.get(name) or self._added.get(name)

    def _with(self, client: AmazonPayClient, account: Account) -> AccountClient:
        turns = {each: Turns(rate_of(self._settings, call, account.quotas)) for each, call in CALLS.items()}

        async def turn(activity_type: str) -> None:
            if activity_type in turns:
                await turns[activity_type].take()

        return AccountClient(client, account.region, account.merchant_id, account.soft_descriptor, turn)

    def _client(self, account: Account) -> AmazonPayClient:
        key = account.key(self._sealing)
        about: Any = {  # Any: of one call or the other
            "public_key_id": account.public_key_id,
            "private_key": key,
            "region": account.region,
            "environment": Environment(self._settings.environment.value),
        }
        try:
            if self._base is not None:
                return self._base.for_account(**about)
            self._base = self._owned = AmazonPayClient(**about, origin=self._settings.amazon_pay_origin)
        except ValueError as error:
            raise AccountUnusableError(f"account {account.name}: {error}") from None
        return self._base

    async def _look_once_more(self) -> None:
        """Reads what is later than this question."""
        asked_at = time.monotonic()
        while self._ledger is not None and self._read_at < asked_at:
            await asyncio.sleep(max(0.0, self._read_at + LOOKED_UP_SECONDS - time.monotonic()))
            await self._look(LOOKED_UP_SECONDS)
        self._look_at_file(LOOKED_UP_SECONDS)

    async def _look(self, seconds: float) -> None:
        """Reads anew what was read longer ago than that."""
        self._look_at_file(seconds)
        if self._ledger is None or time.monotonic() - self._read_at < seconds:
            return
        async with self._reading:
            if time.monotonic() - self._read_at >= seconds:  # else somebody has read it meanwhile
                await self._read_ledger(self._ledger)

    def _look_at_file(self, seconds: float) -> None:
        """Reads the file anew where it was changed; one that cannot be read now changes nothing."""
        path, now = self._settings.accounts_path, time.monotonic()
        if path is None or now - self._file_at < seconds:
            return
        self._file_at = now
        seen = _mark(path)
        if seen == self._file_seen:
            return
        try:
            self._fixed = known_without_ledger(self._settings)
        except StartupError as error:
            _log.warning("the accounts' file cannot be read, and counts as it was", extra={"why": str(error)})
            return
        self._file_seen = seen
        # A path may be the same, and the key in its file another.
        for name in [name for name, (account, _) in self._clients.items() if account.source is Source.FILE]:
            del self._clients[name]

    async def _read_ledger(self, ledger: Ledger) -> None:
        try:
            rows = await all_accounts(ledger)
        except LedgerError as error:
            if self._trouble is None:
                _log.warning("the ledger's accounts cannot be read now", extra={"why": str(error)})
            self._trouble = str(error)
            # Whoever is known is not asked for again and again; whoever is not, soon.
            self._read_at = time.monotonic()
            return
        self._read_at, self._trouble = time.monotonic(), None
        self._added, self._refused = {}, {}
        for row in rows:
            try:
                self._added[row.name] = account_of_row(row, self._settings)
            except ValueError as error:
                self._refused[row.name] = str(error)


def account_of_row(row: KeptAccount, settings: Settings) -> Account:
    """An account of the ledger.

    Raises:
        ValueError: it is one of another environment, or its row is not as this release writes it.
    """
    here = settings.environment.value
    if row.environment != here:
        raise ValueError(f"it is one of {row.environment}, and this deployment is {here} ({PREFIX}ENVIRONMENT)")
    return Account(
        name=row.name,
        merchant_id=row.merchant_id,
        region=Region.parse(row.region),
        public_key_id=row.public_key_id,
        source=Source.LEDGER,
        quotas=checked_quotas(row.quotas),
        soft_descriptor=row.soft_descriptor,
        private_key=row.sealed_key,
    )


def _mark(path: Path | None) -> tuple[int, int] | None:
    """What changes when a file does."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found is not None else None
