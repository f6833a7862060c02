"""The accounts of a process: where they stand, what is refused of them, and how soon another key is noticed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from amazon_pay_client import Region
from amazon_pay_simulator.certificates import new_key
from perennial_billing.activities.accounts import AccountUnusableError
from perennial_billing.billing.refusals import Refused
from perennial_billing.ledger.accounts import remove_account
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import Settings
from perennial_billing.worker import accounts as module
from perennial_billing.worker.accounts import Accounts, Source, known_without_ledger
from perennial_billing.worker.keeping import NewAccount, NewKey, add, new_account, remove, rotate
from perennial_billing.workflows.names import Call
from tests.shops import ACCOUNTS_SECRET, OTHER_SECRET, shops_key

FILE: Final = """
[accounts.kiosk]
merchant_id = "A4KIOSK"
region = "de"
public_key_id = "SANDBOX-KIOSK"
private_key_path = "kiosk.pem"
soft_descriptor = "Kiosk"
quotas = { CreateCharge = 8, GetCharge = 2.5 }
"""


def pem_of(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a private key for the kiosk and for the account of the settings, and the file of accounts."""
    for name in ("kiosk", "own"):
        written(tmp_path / f"{name}.pem", pem_of(shops_key()))
    written(tmp_path / "accounts.toml", FILE.encode())
    return tmp_path


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(file_url(tmp_path / "ledger.db"), set_up=True) as opened:
        yield opened


def settings_of(folder: Path, **changes: Any) -> Settings:
    """Of a deployment with an account of its own, `default`, and those of the file."""
    return Settings.model_validate(
        {
            "merchant_id": "A4OWN",
            "public_key_id": "SANDBOX-OWN",
            "private_key_path": folder / "own.pem",
            "accounts_path": folder / "accounts.toml",
            "accounts_secret": ACCOUNTS_SECRET,
        }
        | changes
    )


def pier(**changes: Any) -> NewAccount:
    """An account that is added to the ledger."""
    described: dict[str, Any] = {
        "name": "pier",
        "merchant_id": "A4PIER",
        "region": Region.JP,
        "key": NewKey("SANDBOX-PIER", shops_key()),
        "quotas": {"CreateCharge": 6.0},
        "soft_descriptor": None,
    }
    return NewAccount(**described | changes)


def test_the_environment_variables_name_one_account_and_the_file_further_ones(folder: Path) -> None:
    found = known_without_ledger(settings_of(folder))

    assert list(found) == ["default", "kiosk"]
    own, kiosk = found["default"], found["kiosk"]
    assert (own.merchant_id, own.region, own.source) == ("A4OWN", Region.NA, Source.SETTINGS)
    assert (kiosk.merchant_id, kiosk.region, kiosk.source) == ("A4KIOSK", Region.EU, Source.FILE)
    assert (kiosk.quotas, kiosk.soft_descriptor) == ({Call.CREATE_CHARGE: 8.0, Call.GET_CHARGE: 2.5}, "Kiosk")


async def test_with_nothing_else_set_there_is_the_one_account_and_no_ledger_is_asked(folder: Path) -> None:
    known = Accounts(settings_of(folder, accounts_path=None, accounts_secret=None), None)

    assert [each.name for each in await known.all()] == ["default"]
    assert (await known.of("default")).merchant_id == "A4OWN"
    with pytest.raises(AccountUnusableError, match=r"^account kiosk: it is not known here; add it"):
        await known.of("kiosk")
    await known.aclose()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[accounts.kiosk]", "[accounts.default]", "accounts.default: the environment variables name that account"),
        ("[accounts.kiosk]", "[accounts.Kiosk]", "accounts.Kiosk.name: 'Kiosk': 1 to 32 of a-z"),
        ("[accounts.kiosk]", "[shops.kiosk]", r"tables \[accounts.NAME\] are accepted, and nothing else"),
        ('"A4KIOSK"', '"A4OWN"', "accounts.kiosk.merchant_id: A4OWN is that of account default already"),
        ('"A4KIOSK"', '"A4 KIOSK"', "accounts.kiosk.merchant_id: String should match pattern"),
        ('"de"', '"fr"', "accounts.kiosk.region: 'fr' is not a region of Amazon Pay"),
        ("SANDBOX-KIOSK", "LIVE-KIOSK", "accounts.kiosk.public_key_id: the key is not of sandbox, as this deployment"),
        ("CreateCharge = 8", "Charge = 8", "accounts.kiosk.quotas: 'Charge' is no operation that is called"),
        ("CreateCharge = 8", "CreateCharge = 0", "accounts.kiosk.quotas: CreateCharge: 0.0: calls a second, above 0"),
        ("private_key_path", "private_key", "accounts.kiosk.private_key_path: Field required"),
        ('"Kiosk"', '"Kiosk at the corner"', "accounts.kiosk.soft_descriptor: String should have at most 16"),
        ("[accounts.kiosk]", "[accounts.kiosk", "it is not TOML"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused_by_account_and_field(
    folder: Path, before: str, after: str, said: str
) -> None:
    assert before in FILE
    (folder / "accounts.toml").write_text(FILE.replace(before, after))

    with pytest.raises(StartupError, match=rf"^PERENNIAL_ACCOUNTS_PATH: .*{said}"):
        known_without_ledger(settings_of(folder))


def test_a_file_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(StartupError, match=r"^PERENNIAL_ACCOUNTS_PATH: .*nowhere.toml: No such file"):
        known_without_ledger(settings_of(folder, accounts_path=folder / "nowhere.toml"))


def test_with_further_accounts_the_first_ones_merchant_id_must_be_known(folder: Path) -> None:
    with pytest.raises(StartupError, match=r"^PERENNIAL_MERCHANT_ID: must be set"):
        known_without_ledger(settings_of(folder, merchant_id=None))


async def test_clients_share_their_connections_and_sign_each_for_its_own_account(folder: Path, ledger: Ledger) -> None:
    settings = settings_of(folder)
    await add(ledger, settings, pier())
    known = Accounts(settings, ledger)

    own, kiosk, pier_ = [await known.of(name) for name in ("default", "kiosk", "pier")]

    assert [each.region for each in (own, kiosk, pier_)] == [Region.NA, Region.EU, Region.JP]
    signed = [each.client.signed_headers("GET", "charges/S01-1")["authorization"] for each in (own, kiosk, pier_)]
    assert ["OWN" in signed[0], "KIOSK" in signed[1], "PIER" in signed[2]] == [True, True, True]
    pools = {id(each.client._transport._http) for each in (own, kiosk, pier_)}
    assert len(pools) == 1
    assert (await known.of("pier")) is pier_, "it is made once"
    await known.aclose()


async def test_another_key_is_signed_with_once_what_was_known_is_a_minute_old(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(folder)
    await add(ledger, settings, pier())
    known = Accounts(settings, ledger)
    before = await known.of("pier")
    await rotate(ledger, settings, "pier", NewKey("SANDBOX-PIER-2", new_key()))
    (folder / "accounts.toml").write_text(FILE.replace("SANDBOX-KIOSK", "SANDBOX-KIOSK-2"))
    assert await known.of("pier") is before, "a minute has not passed"

    monkeypatch.setattr(module, "KNOWN_SECONDS", 0.0)

    for name, key_id in (("pier", "SANDBOX-PIER-2"), ("kiosk", "SANDBOX-KIOSK-2")):
        signed = (await known.of(name)).client.signed_headers("GET", "charges/S01-1")
        assert f"PublicKeyId={key_id}," in signed["authorization"]
    (folder / "accounts.toml").write_text("nothing that is TOML")
    assert (await known.of("kiosk")).merchant_id == "A4KIOSK", "what cannot be read changes nothing"
    await known.aclose()


async def test_an_account_that_was_added_a_moment_ago_is_found(folder: Path, ledger: Ledger) -> None:
    settings = settings_of(folder)
    known = Accounts(settings, ledger)
    assert [each.name for each in await known.all()] == ["default", "kiosk"]

    await add(ledger, settings, pier())

    assert (await known.of("pier")).merchant_id == "A4PIER"
    assert await known.is_merchant("A4PIER")
    await known.aclose()


async def test_while_the_ledger_is_away_all_that_is_known_is_charged_for(tmp_path: Path, folder: Path) -> None:
    settings = settings_of(folder)
    nowhere = tmp_path / "nowhere" / "ledger.db"
    async with Ledger.open(file_url(nowhere), patient=True) as ledger:
        known = Accounts(settings, ledger)

        assert (await known.of("default")).merchant_id == "A4OWN"
        assert (await known.of("kiosk")).merchant_id == "A4KIOSK"
        assert await known.is_merchant("A4KIOSK")
        assert await known.is_merchant("A4PIER") is None, "it may be one that the ledger has"
        with pytest.raises(AccountUnusableError, match=r"^account pier: it is not known here, as the ledger cannot"):
            await known.of("pier")
        await known.aclose()


@pytest.mark.parametrize(
    ("secret", "said"),
    [(None, "no secret to open private keys with"), (OTHER_SECRET, "no secret opens the private key")],
)
async def test_a_key_that_cannot_be_opened_here_says_which_setting_is_missing(
    folder: Path, ledger: Ledger, secret: str | None, said: str
) -> None:
    await add(ledger, settings_of(folder), pier())
    known = Accounts(settings_of(folder, accounts_secret=secret), ledger)

    with pytest.raises(AccountUnusableError, match=rf"^account pier: .*{said}.*PERENNIAL_ACCOUNTS_SECRET"):
        await known.of("pier")
    assert await known.is_merchant("A4PIER"), "a receiver needs no key"
    await known.aclose()


async def test_an_account_of_another_environment_is_refused(folder: Path, ledger: Ledger) -> None:
    live = settings_of(folder, environment="live", public_key_id="LIVE-OWN", accounts_path=None)
    await add(ledger, live, pier(key=NewKey("LIVE-PIER", shops_key())))
    known = Accounts(settings_of(folder), ledger)

    with pytest.raises(AccountUnusableError, match=r"^account pier: it is one of live, and this deployment is sandbox"):
        await known.of("pier")
    with pytest.raises(Refused, match=r"live and sandbox never share a namespace"):
        new_account(
            live,
            name="other",
            merchant_id="A4OTHER",
            region="na",
            key=NewKey("SANDBOX-OTHER", shops_key()),
            quotas={},
            soft_descriptor=None,
        )
    await known.aclose()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "kiosk"}, "name: kiosk is in conflict.*PERENNIAL_ACCOUNTS_PATH already"),
        ({"name": "default"}, "name: default is in conflict.*the environment variables already"),
        ({"merchant_id": "A4OWN"}, "merchant_id: A4OWN is in conflict.*it has an account already"),
        ({"name": "pier"}, "account: pier is in conflict"),
    ],
)
async def test_a_name_or_merchant_that_is_known_is_not_added_again(
    folder: Path, ledger: Ledger, changes: dict[str, Any], said: str
) -> None:
    settings = settings_of(folder)
    await add(ledger, settings, pier())

    with pytest.raises(Refused, match=said):
        await add(ledger, settings, pier(**changes))


async def test_without_a_secret_nothing_is_added_and_how_one_is_made_is_said(folder: Path, ledger: Ledger) -> None:
    with pytest.raises(StartupError, match=r"^PERENNIAL_ACCOUNTS_SECRET: is not set, .*openssl rand"):
        await add(ledger, settings_of(folder, accounts_secret=None), pier())


async def test_a_removed_account_is_unknown_once_it_is_looked_up_again(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KNOWN_SECONDS", 0.0)
    settings = settings_of(folder)
    await add(ledger, settings, pier())
    known = Accounts(settings, ledger)
    await known.of("pier")

    await remove(ledger, "pier", although_billed=False)

    with pytest.raises(AccountUnusableError, match="not known here"):
        await known.of("pier")
    assert await known.is_merchant("A4PIER") is False
    assert not await remove_account(ledger, "pier")
    await known.aclose()


async def test_where_no_merchant_is_named_at_all_every_ones_notifications_are_taken(tmp_path: Path) -> None:
    known = Accounts(Settings(private_key=SecretStr("x")), None)

    assert await known.is_merchant("A4WHOEVER")
