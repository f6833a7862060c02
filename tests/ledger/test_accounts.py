"""Accounts in the ledger, on both databases: their keys are encrypted, replaced whole, and removed."""

from typing import Any, Final

import pytest
from sqlalchemy import text

from perennial_billing.ledger.accounts import (
    KeptAccount,
    KeyNotOpenedError,
    Sealing,
    add_account,
    all_accounts,
    remove_account,
    replace_key,
    seal_anew,
)
from perennial_billing.ledger.ledger import Ledger
from tests.shops import ACCOUNTS_SECRET, OTHER_SECRET

PEM: Final = b"-----BEGIN PRIVATE KEY-----\nMIIEexample-of-the-orchard\n-----END PRIVATE KEY-----\n"


def columns(**changes: Any) -> dict[str, Any]:
    """Of an orchard that sells in Japan."""
    return {
        "name": "orchard",
        "merchant_id": "A3ORCHARD",
        "region": "jp",
        "environment": "live",
        "public_key_id": "LIVE-ORCHARD-1",
        "sealed_key": Sealing([ACCOUNTS_SECRET]).seal(PEM),
        "quotas": {"CreateCharge": 12.5},
        "soft_descriptor": None,
    } | changes


async def orchard(ledger: Ledger) -> KeptAccount:
    [found] = await all_accounts(ledger)
    return found


async def test_an_account_comes_back_as_it_was_added_and_its_key_stands_nowhere_in_the_clear(ledger: Ledger) -> None:
    assert await add_account(ledger, columns())

    found = await orchard(ledger)
    assert (found.merchant_id, found.region, found.quotas) == ("A3ORCHARD", "jp", {"CreateCharge": 12.5})
    assert found.added_at == found.key_since
    assert Sealing([ACCOUNTS_SECRET]).open(found.sealed_key) == PEM
    async with ledger.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT * FROM accounts"))).all()
    assert "example-of-the-orchard" not in str(rows)
    assert found.sealed_key not in repr(found)


@pytest.mark.parametrize("twin", [{"merchant_id": "A3OTHER"}, {"name": "other"}], ids=["name", "merchant id"])
async def test_a_name_and_a_merchant_id_are_one_accounts_alone(ledger: Ledger, twin: dict[str, str]) -> None:
    assert await add_account(ledger, columns())

    assert not await add_account(ledger, columns(**twin))
    assert (await orchard(ledger)).merchant_id == "A3ORCHARD"


async def test_another_key_pair_takes_the_place_of_the_old_one_at_once(ledger: Ledger) -> None:
    await add_account(ledger, columns())
    before = await orchard(ledger)
    sealed = Sealing([ACCOUNTS_SECRET]).seal(PEM.replace(b"orchard", b"cider"))

    assert await replace_key(ledger, "orchard", "LIVE-ORCHARD-2", sealed)
    assert not await replace_key(ledger, "cellar", "LIVE-ORCHARD-2", sealed)

    after = await orchard(ledger)
    assert (after.public_key_id, after.sealed_key) == ("LIVE-ORCHARD-2", sealed)
    assert after.key_since >= before.key_since == after.added_at


async def test_keys_are_encrypted_anew_with_the_first_secret_and_opened_without_the_old_one_then(
    ledger: Ledger,
) -> None:
    await add_account(ledger, columns())
    both = Sealing([OTHER_SECRET, ACCOUNTS_SECRET])

    assert await seal_anew(ledger, both) == ["orchard"]
    assert await seal_anew(ledger, both) == []

    assert Sealing([OTHER_SECRET]).open((await orchard(ledger)).sealed_key) == PEM


async def test_a_key_that_no_secret_opens_stays_as_it_is(ledger: Ledger) -> None:
    await add_account(ledger, columns())
    before = (await orchard(ledger)).sealed_key

    with pytest.raises(KeyNotOpenedError, match=r"^account orchard: no secret opens"):
        await seal_anew(ledger, Sealing([OTHER_SECRET]))

    assert (await orchard(ledger)).sealed_key == before


def test_without_a_secret_nothing_is_sealed_or_opened() -> None:
    none = Sealing([])
    assert not none.is_possible
    with pytest.raises(KeyNotOpenedError, match="no secret to encrypt"):
        none.seal(PEM)
    with pytest.raises(KeyNotOpenedError, match="no secret to open"):
        none.open(Sealing([ACCOUNTS_SECRET]).seal(PEM))


async def test_a_removed_account_is_gone_with_its_key(ledger: Ledger) -> None:
    await add_account(ledger, columns())

    assert await remove_account(ledger, "orchard")
    assert not await remove_account(ledger, "orchard")
    assert await all_accounts(ledger) == []
