"""Merchant accounts, as the commands are typed: added, checked at Amazon, given another key, and removed."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from amazon_pay_simulator.certificates import new_key
from amazon_pay_simulator.merchants import Merchant, public_pem
from perennial_billing.ledger.finding import Search, find
from perennial_billing.sandbox.stage import Stage, stage
from tests.endpoint import SECRET
from tests.shops import ACCOUNTS_SECRET, OTHER_SECRET, known_at_amazon, shops_key
from tests.starter.command_line import Said, joined_to, typed

WHERE: Final = "--merchant-id A2PIER --region na"


@pytest_asyncio.fixture(scope="module")
async def mall() -> AsyncIterator[Stage]:
    async with stage(accounts_secret=ACCOUNTS_SECRET) as set_up:
        yield set_up


def written(path: Path, key: RSAPrivateKey, passphrase: str | None = None) -> Path:
    """A private key's file."""
    how = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    path.chmod(0o600)
    return path


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """The private key that Amazon knows of each merchant here."""
    return written(tmp_path / "pier.pem", shops_key())


def environment(mall: Stage) -> dict[str, str]:
    """Of whoever types."""
    return joined_to(mall) | {
        "PERENNIAL_MERCHANT_ID": "A1SIMULATOR",
        "PERENNIAL_ACCOUNTS_SECRET": ACCOUNTS_SECRET,
    }


async def said(mall: Stage, line: str, **changes: str) -> Said:
    return await typed(*line.split(), **environment(mall) | changes)


async def data(mall: Stage, line: str, **changes: str) -> Any:
    answer = await said(mall, f"{line} --json", **changes)
    assert answer.code == 0, answer.err
    return answer.data


async def test_an_account_is_added_listed_checked_rotated_and_removed(mall: Stage, pem: Path, tmp_path: Path) -> None:
    await known_at_amazon(mall, "pier")
    add = f"accounts add pier {WHERE} --public-key-id SANDBOX-PIER --private-key {pem} --quota CreateCharge=8"

    added = await data(mall, f"{add} --soft-descriptor Pier")
    assert added == {"name": "pier", "merchant_id": "A2PIER", "public_key_id": "SANDBOX-PIER", "added": True}

    listed = {each["name"]: each for each in await data(mall, "accounts list")}
    assert listed["default"]["source"] == "settings"
    assert listed["pier"] == {
        "name": "pier",
        "merchant_id": "A2PIER",
        "region": "na",
        "public_key_id": "SANDBOX-PIER",
        "source": "ledger",
        "quotas": {"CreateCharge": 8.0},
        "soft_descriptor": "Pier",
    }
    for line in ("accounts list", "accounts check"):
        page = await said(mall, line)
        assert page.code == 0, page.err
        assert "pier" in page.out
        assert "PRIVATE KEY" not in page.out

    another = new_key()
    keys = {"SANDBOX-PIER": shops_key(), "SANDBOX-PIER-2": another}
    await mall.simulator.put_merchant(
        Merchant(merchant_id="A2PIER", public_keys={name: public_pem(key.public_key()) for name, key in keys.items()})
    )
    rotate = f"accounts rotate-key pier --public-key-id SANDBOX-PIER-2 --private-key {tmp_path / 'second.pem'}"
    written(tmp_path / "second.pem", another, "a passphrase")
    rotated = await data(mall, rotate, PERENNIAL_ACCOUNT_PASSPHRASE="a passphrase")
    assert rotated == {"name": "pier", "public_key_id": "SANDBOX-PIER-2", "before": "SANDBOX-PIER"}
    checked = await data(mall, "accounts check pier")
    assert [each["state"] for each in checked["pier"]] == ["done", "done", "done"]

    resealed = await data(mall, "accounts reseal", PERENNIAL_ACCOUNTS_SECRET=f"{OTHER_SECRET},{ACCOUNTS_SECRET}")
    assert resealed == {"resealed": ["pier"]}
    with_the_first_alone = await said(mall, "accounts check pier", PERENNIAL_ACCOUNTS_SECRET=OTHER_SECRET)
    assert with_the_first_alone.code == 0
    with_the_old_one = await said(mall, "accounts check pier --json", PERENNIAL_ACCOUNTS_SECRET=ACCOUNTS_SECRET)
    assert with_the_old_one.code == 1
    assert "PERENNIAL_ACCOUNTS_SECRET" in with_the_old_one.err

    assert await data(mall, "accounts remove pier") == {"name": "pier", "removed": True}
    again = await said(mall, "accounts remove pier")
    assert (again.code, "one that `perennial accounts list` shows" in again.err) == (1, True)


async def test_a_key_that_amazon_does_not_take_is_neither_added_nor_put_in_the_others_place(
    mall: Stage, pem: Path, tmp_path: Path
) -> None:
    await known_at_amazon(mall, "quay")
    stranger = written(tmp_path / "stranger.pem", new_key())
    add = "accounts add quay --merchant-id A2QUAY --region na --public-key-id SANDBOX-QUAY --private-key"

    refused = await said(mall, f"{add} {stranger}")
    assert refused.code == 1
    assert "signature: Amazon answers 403 InvalidRequestSignature" in refused.trouble
    assert "quay" not in {each["name"] for each in await data(mall, "accounts list")}

    await data(mall, f"{add} {pem}")
    rotate = f"accounts rotate-key quay --public-key-id SANDBOX-NOBODY --private-key {stranger}"
    refused = await said(mall, rotate)
    assert refused.code == 1
    assert "InvalidAuthentication" in refused.trouble
    listed = {each["name"]: each["public_key_id"] for each in await data(mall, "accounts list")}
    assert listed["quay"] == "SANDBOX-QUAY"
    assert (await data(mall, f"{rotate} --unchecked"))["before"] == "SANDBOX-QUAY"
    assert (await said(mall, "accounts check quay")).code == 1
    await data(mall, "accounts remove quay")


async def test_an_account_whose_subscriptions_are_billed_is_not_removed_unless_that_is_meant(
    mall: Stage, pem: Path
) -> None:
    merchant_id = await known_at_amazon(mall, "jetty")
    await data(
        mall,
        f"accounts add jetty --merchant-id {merchant_id} --region na --public-key-id SANDBOX-JETTY --private-key {pem}",
    )
    start = "start C01-5512003-0000001 --every month --plan-id mooring --account jetty --unchecked --amount"
    answer = await typed(*start.split(), "3.10 USD", **environment(mall))
    assert answer.code == 0, answer.err
    async with asyncio.timeout(30):
        while not await find(mall.ledger, Search(merchant_account="jetty")):
            await asyncio.sleep(0.1)

    refused = await said(mall, "accounts remove jetty")

    assert refused.code == 1
    assert "subscriptions of it have not ended, such as C01-5512003-0000001" in refused.trouble
    assert (await said(mall, "accounts remove jetty --although-billed")).code == 0


@pytest.mark.parametrize(
    ("changed", "code", "reason"),
    [
        (("--region na", "--region fr"), 2, "'fr' is not a region"),
        (("SANDBOX-WHARF", "LIVE-WHARF"), 2, "the key is not of sandbox"),
        (("A2WHARF", "A2 WHARF"), 2, "the merchant id as Seller Central shows it is"),
        (("--quota CreateCharge=8", "--quota Charge=8"), 2, "'Charge' is no operation that is called"),
        (("--quota CreateCharge=8", "--quota CreateCharge"), 2, "such as CreateCharge=8 is accepted"),
        (("--quota CreateCharge=8", "--quota CreateCharge=-1"), 2, "calls a second, above 0"),
        (("--unchecked", "--unchecked --soft-descriptor Wharfandwarehouse1"), 2, "1 to 16 characters are"),
        (("pier.pem", "none.pem"), 2, "--private-key: private key file .*none.pem: No such file"),
        (("accounts add wharf", "accounts add Wharf"), 2, "'Wharf': 1 to 32 of a-z"),
        (("accounts add wharf", "accounts add default"), 1, "it stands in the environment variables already"),
        (("A2WHARF", "A1SIMULATOR"), 1, "it has an account already"),
    ],
)
async def test_what_cannot_be_added_is_refused_in_one_line(
    mall: Stage, pem: Path, changed: tuple[str, str], code: int, reason: str
) -> None:
    line = (
        f"accounts add wharf --merchant-id A2WHARF --region na --public-key-id SANDBOX-WHARF --private-key {pem} "
        "--quota CreateCharge=8 --unchecked"
    )
    before, after = changed
    assert before in line
    words = [word.replace("\0", " ") for word in line.replace(before, after.replace("A2 W", "A2\0W")).split(" ")]

    answer = await typed(*words, **environment(mall))

    assert answer.code == code, answer.err
    assert re.search(reason, answer.trouble), answer.trouble


async def test_without_a_secret_add_says_how_one_is_made(mall: Stage, pem: Path) -> None:
    line = f"accounts add pier {WHERE} --public-key-id SANDBOX-PIER --private-key {pem}"

    answer = await said(mall, line, PERENNIAL_ACCOUNTS_SECRET="")

    assert answer.code == 2
    assert "PERENNIAL_ACCOUNTS_SECRET: is not set" in answer.trouble
    assert "openssl rand -base64 32" in answer.trouble


async def test_keys_and_endpoints_are_limited_to_accounts_as_they_are_typed(mall: Stage) -> None:
    made = await data(mall, "keys make till --scope read --account pier --account quay")
    assert made["accounts"] == ["pier", "quay"]
    listed = {each["name"]: each["accounts"] for each in await data(mall, "keys list")}
    assert listed["till"] == ["pier", "quay"]
    refused = await said(mall, "keys make boss --scope admin --account pier")
    assert (refused.code, "a key with the scope admin is for all accounts" in refused.trouble) == (2, True)
    refused = await said(mall, "keys make boss --scope read --account Pier")
    assert (refused.code, "'Pier' is no short name" in refused.trouble) == (2, True)

    added = await data(mall, f"endpoints add https://pier.example/notices --account pier --secret {SECRET}")
    assert added["accounts"] == ["pier"]
    refused = await said(mall, "endpoints add https://pier.example/notices --account Pier")
    assert (refused.code, "the short name of a merchant account is" in refused.trouble) == (2, True)
    assert json.dumps(await data(mall, "endpoints list")).count('"pier"') == 1
