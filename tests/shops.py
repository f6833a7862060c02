"""Merchants at the simulator with accounts in the ledger: each has a key, buyers, books and limits of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Region
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.certificates import new_key
from amazon_pay_simulator.merchants import Merchant, public_pem
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.sandbox.stage import Stage
from perennial_billing.worker.keeping import NewAccount, NewKey, add

ACCOUNTS_SECRET: Final = "c2l4dGVlbiBzaGlwcyBhbmQgc2l4dGVlbiBtYXN0cyE="
OTHER_SECRET: Final = "YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXQ="


@dataclass(frozen=True)
class Shop:
    """A merchant with an account.

    Attributes:
        name: of the account.
        merchant_id: Amazon's.
        simulator: shows this merchant's books, and plays this merchant's buyers.
    """

    name: str
    merchant_id: str
    simulator: SimulatorHandle

    async def terms(self, like: Terms) -> Terms:
        """The same, of a buyer of this merchant's."""
        permission = (await self.simulator.open_permission()).charge_permission_id
        return like.model_copy(update={"charge_permission_id": permission, "merchant_account": self.name})


@cache
def shops_key() -> RSAPrivateKey:
    """Of all of them: whose a request is, its key's id says."""
    return new_key()


async def known_at_amazon(stage: Stage, name: str, key_id: str | None = None) -> str:
    """A merchant at the simulator, whose notifications go where those of the stage go; the merchant's id."""
    merchant_id = f"A2{name.upper().replace('-', '')}"
    keys = {key_id or f"SANDBOX-{name.upper()}": public_pem(shops_key().public_key())}
    merchant = Merchant(merchant_id=merchant_id, public_keys=keys, receivers=(stage.ipn_url,))
    await stage.simulator.put_merchant(merchant)
    return merchant_id


@asynccontextmanager
async def shop(
    stage: Stage,
    name: str,
    *,
    quotas: Mapping[str, float] | None = None,
    soft_descriptor: str | None = None,
    region: Region = Region.NA,
) -> AsyncIterator[Shop]:
    """A merchant whose account was added to the ledger."""
    merchant_id = await known_at_amazon(stage, name)
    key = NewKey(f"SANDBOX-{name.upper()}", shops_key())
    account = NewAccount(name, merchant_id, region, key, quotas or {}, soft_descriptor)
    await add(stage.ledger, stage.settings, account)
    async with SimulatorHandle(stage.simulator.origin, merchant_id) as simulator:
        yield Shop(name, merchant_id, simulator)
