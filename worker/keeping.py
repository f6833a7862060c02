"""Adding accounts to the ledger, giving them other keys, and removing them: the rules of what is taken."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from amazon_pay_client import PrivateKeyError, Region, load_private_key
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.ledger import accounts as kept
from perennial_billing.ledger.accounts import MOST_ACCOUNTS, KeptAccount, Sealing
from perennial_billing.ledger.finding import Search, find
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import NEW_ACCOUNTS_SECRET, PREFIX, Settings
from perennial_billing.worker.accounts import (
    LONGEST_DESCRIPTOR,
    MERCHANT_ID,
    checked_name,
    checked_region,
    known_without_ledger,
)
from perennial_billing.worker.rates import checked_quotas


class AccountNotFoundError(Refused):
    """There is no such account in the ledger."""

    def __init__(self, name: str) -> None:
        super().__init__("account", name, "one that `perennial accounts list` shows as of the ledger is")

    def __reduce__(self) -> tuple[Any, ...]:  # Any: as `pickle` has it
        return (type(self), (self.value,))


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair.

    Attributes:
        public_key_id: as Seller Central shows it.
        private_key: of the pair; never shown.
    """

    public_key_id: str
    private_key: RSAPrivateKey = field(repr=False)

    @classmethod
    def of_file(cls, public_key_id: str, path: Path, passphrase: str | None) -> "NewKey":
        """A pair whose private key is in a file.

        Raises:
            StartupError: it cannot be used.
        """
        try:
            return cls(public_key_id, load_private_key(path, passphrase))
        except PrivateKeyError as error:
            raise StartupError(f"--private-key: {error}") from None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that is to be added.

    Attributes:
        name: our short name.
        merchant_id: Amazon's id of it.
        region: of the seller account.
        key: its key pair.
        quotas: calls a second by operation, where they are not the deployment's.
        soft_descriptor: what buyers read on their statements, where the plan says nothing.
    """

    name: str
    merchant_id: str
    region: Region
    key: NewKey
    quotas: Mapping[str, float]
    soft_descriptor: str | None


def sealing_of(settings: Settings) -> Sealing:
    """What encrypts private keys.

    Raises:
        StartupError: no secret is set; says how one is made.
    """
    sealing = Sealing(settings.accounts_secrets)
    if not sealing.is_possible:
        why = "is not set, and private keys are kept encrypted with it alone"
        to_do = f"set it to what `{NEW_ACCOUNTS_SECRET}` prints, for workers, API and commands alike"
        raise StartupError(f"{PREFIX}ACCOUNTS_SECRET: {why}; {to_do}")
    return sealing


def new_account(
    settings: Settings,
    *,
    name: str,
    merchant_id: str,
    region: str,
    key: NewKey,
    quotas: Mapping[str, float],
    soft_descriptor: str | None,
) -> NewAccount:
    """An account as it was described.

    Raises:
        Refused: a field cannot be taken; says what can.
    """
    if re.fullmatch(MERCHANT_ID, merchant_id) is None:
        raise Refused("merchant_id", repr(merchant_id), "the merchant id as Seller Central shows it is")
    if soft_descriptor is not None and not 0 < len(soft_descriptor) <= LONGEST_DESCRIPTOR:
        raise Refused("soft_descriptor", repr(soft_descriptor), f"1 to {LONGEST_DESCRIPTOR} characters are")
    try:
        checked = checked_region(region, key.public_key_id, settings)
        rates = checked_quotas(quotas)
        own_name = checked_name(name)
    except ValueError as error:
        where, _, why = str(error).partition(": ")
        raise Refused(where, "", why) from None
    return NewAccount(own_name, merchant_id, checked, key, {c.value: r for c, r in rates.items()}, soft_descriptor)


async def add(ledger: Ledger, settings: Settings, account: NewAccount) -> None:
    """Adds an account; workers know it when it is asked for, or within a minute.

    Raises:
        StartupError: no secret is set to encrypt its key with.
        Refused: its name or its merchant id is known, or there are too many.
        LedgerError: it was not added.
    """
    sealing = sealing_of(settings)
    elsewhere = known_without_ledger(settings)
    if account.name in elsewhere:
        where = "the environment variables" if account.name == DEFAULT_ACCOUNT else f"{PREFIX}ACCOUNTS_PATH"
        raise Refused("name", account.name, f"it stands in {where} already; another name is", Kind.CONFLICT)
    ids = {each.merchant_id for each in elsewhere.values()} | {settings.merchant_id}
    if account.merchant_id in ids:
        raise Refused("merchant_id", account.merchant_id, "it has an account already; one for each is", Kind.CONFLICT)
    if DEFAULT_ACCOUNT in elsewhere and settings.merchant_id is None:
        why = f"set {PREFIX}MERCHANT_ID first: notifications are told apart by it"
        raise Refused("account", account.name, why, Kind.NOT_NOW)
    columns = {
        "name": account.name,
        "merchant_id": account.merchant_id,
        "region": account.region.value,
        "environment": settings.environment.value,
        "public_key_id": account.key.public_key_id,
        "sealed_key": sealing.seal(_pem(account.key.private_key)),
        "quotas": dict(account.quotas),
        "soft_descriptor": account.soft_descriptor,
    }
    if not await kept.add_account(ledger, columns):
        accepted = f"a name and a merchant id that no other has are, of {MOST_ACCOUNTS:,} at most"
        raise Refused("account", account.name, accepted, Kind.CONFLICT)


async def rotate(ledger: Ledger, settings: Settings, name: str, key: NewKey) -> None:
    """Gives an account another key pair; workers sign with it within a minute. The old one may be deleted then.

    Raises:
        StartupError: no secret is set to encrypt its key with.
        AccountNotFoundError: the ledger has no such account.
        LedgerError: it has the key that it had.
    """
    sealed = sealing_of(settings).seal(_pem(key.private_key))
    if not await kept.replace_key(ledger, name, key.public_key_id, sealed):
        raise AccountNotFoundError(name)


async def remove(ledger: Ledger, name: str, *, although_billed: bool) -> None:
    """Forgets an account and its key.

    Raises:
        AccountNotFoundError: the ledger has no such account.
        Refused: a subscription of it has not ended, and nobody says that this is meant.
        LedgerError: it was not forgotten.
    """
    await row_of(ledger, name)
    open_ones = await find(ledger, Search(merchant_account=name, has_ended=False), limit=1)
    if open_ones and not although_billed:
        first = open_ones[0].charge_permission_id
        why = f"subscriptions of it have not ended, such as {first}, and none could be charged; end them first"
        raise Refused("account", name, why, Kind.NOT_NOW)
    if not await kept.remove_account(ledger, name):
        raise AccountNotFoundError(name)


async def row_of(ledger: Ledger, name: str) -> KeptAccount:
    """An account as the ledger has it.

    Raises:
        AccountNotFoundError: it has none.
        LedgerError: it cannot be read now.
    """
    found = next((each for each in await kept.all_accounts(ledger) if each.name == name), None)
    if found is None:
        raise AccountNotFoundError(name)
    return found


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
