"""`perennial dev --sandbox` as a person runs it, the simulator standing in for Amazon's sandbox over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from amazon_pay_client import load_private_key
from amazon_pay_simulator import SimulatorConfig, SimulatorHandle, create_app
from amazon_pay_simulator.notifications import CERTIFICATE_FILE, NotificationSigner
from perennial_billing.runtime.http import bind, origin_of, serving
from tests.starter.command_line import Said, dead_port, typed
from tests.starter.key_material import RSA_PEM, leaked
from tests.starter.test_demo import Server
from tests.starter.test_dev import running, told

KEY_ID: Final = "SANDBOX-AG5TQ2WX"
OLD_LEDGER: Final = "the simulator's own ledger"


@dataclass(frozen=True)
class Merchant:
    """Whose keys are used.

    Attributes:
        amazon: plays Amazon's sandbox.
        key_file: where the private key is.
        environment: as the merchant has set it.
    """

    amazon: SimulatorHandle
    key_file: Path
    environment: dict[str, str]


@pytest.fixture
async def merchant(tmp_path: Path) -> AsyncIterator[Merchant]:
    keys = tmp_path / "keys"
    keys.mkdir()
    key_file = keys / "sandbox.pem"
    key_file.write_text(RSA_PEM)
    key_file.chmod(0o600)
    listener = bind("127.0.0.1", 0)
    config = SimulatorConfig(
        public_keys={KEY_ID: load_private_key(RSA_PEM).public_key()},
        merchant_id="A3TEAHOUSE",
        origin=origin_of(listener),
        signer=NotificationSigner.load_or_create(keys),
    )
    async with serving(create_app(config), listener) as origin, SimulatorHandle(origin) as amazon:
        yield Merchant(
            amazon,
            key_file,
            {
                "PERENNIAL_AMAZON_PAY_ORIGIN": origin,
                "PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH": str(keys / CERTIFICATE_FILE),
                "PERENNIAL_PUBLIC_KEY_ID": KEY_ID,
                "PERENNIAL_PRIVATE_KEY_PATH": str(key_file),
                "PERENNIAL_MERCHANT_ID": "A3TEAHOUSE",
            },
        )


def assert_nothing_was_started(folder: Path) -> None:
    assert {path.name for path in folder.rglob("*") if path.is_file()} <= {"dev.lock"}


def trouble_in(said: Said) -> list[str]:
    """What stands on standard error, without the ports that others who run beside this test have taken."""
    return [line for line in said.err.splitlines() if not line.startswith("mind: port ")]


def assert_kept(said: Said) -> None:
    assert leaked(RSA_PEM, said.out, said.err) == set()


@pytest.mark.long  # in the suite: each step before
async def test_everything_starts_on_amazons_sandbox_and_its_first_notification_is_said(
    merchant: Merchant, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "ledger.db").write_text(OLD_LEDGER)
    server = Server(tmp_path)
    async with running(folder, server, "--sandbox", environment=merchant.environment) as dev:
        assert dev.checks["signature"] == f"done       signature: accepted, of {KEY_ID}"
        assert dev.checks["notifications"].startswith("waiting")
        receiver = dev.where["Notifications"]
        assert receiver in dev.checks["notifications"]
        assert dev.where["Amazon Pay, sandbox"] == merchant.amazon.origin

        await merchant.amazon.send_notifications_to(receiver)
        permission = (await merchant.amazon.open_permission()).charge_permission_id
        # In a shell that has the merchant's own settings, and in one that has none.
        theirs = {"PERENNIAL_PUBLIC_KEY_ID": KEY_ID, "PERENNIAL_PRIVATE_KEY_PATH": str(merchant.key_file)}
        started = await dev.typed("start", permission, "--amount", "6.40 USD", "--json", **theirs)
        assert started.code == 0, started.err
        assert "amazon-sandbox" in started.err
        await told(dev, "notifications: one of Amazon's has arrived, of a CHARGE")
        shown = await dev.typed("find", "--json")
        assert [each["charge_permission_id"] for each in shown.data] == [permission]
        assert_kept(started)
        code, err = await dev.end()
        assert (code, "Traceback" in err) == (0, False)
    books = await merchant.amazon.books()
    assert [str(charge.charge_amount.amount) for charge in books.charges] == ["6.40"]
    assert not server.runs
    assert (folder / "ledger.db").read_text() == OLD_LEDGER
    own = {path.name for path in (folder / "amazon-sandbox").iterdir()}
    assert {"ledger.db", "temporal.db", "api-key"} <= own
    assert "merchant-private-key.pem" not in own


async def test_the_checks_are_data_where_that_is_asked_for_and_nothing_starts(
    merchant: Merchant, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    said = await typed("dev", "--sandbox", "--json", **merchant.environment | {"PERENNIAL_DATA_FOLDER": str(folder)})

    assert (said.code, trouble_in(said)) == (0, [])
    assert said.data["ready"] is True
    assert {check["name"]: check["state"] for check in said.data["checks"]}["notifications"] == "waiting"
    assert set(said.data["checks"][0]) == {"name", "state", "mandatory", "found", "to_do"}
    assert_kept(said)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("trouble", "code", "named"),
    [
        ({"PERENNIAL_PUBLIC_KEY_ID": ""}, 2, "public key id: missing"),
        ({"PERENNIAL_PUBLIC_KEY_ID": "LIVE-AG5TQ2WX"}, 2, "the key's environment: wrong"),
        ({"PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-NOBODYS"}, 2, "signature: wrong"),
        ({"PERENNIAL_PRIVATE_KEY_PATH": "/nowhere/sandbox.pem"}, 2, "private key: wrong"),
        ({"PERENNIAL_PRIVATE_KEY_PATH": "", "PERENNIAL_PRIVATE_KEY": "swordfish-swordfish"}, 2, "private key: wrong"),
        ({"PERENNIAL_REGION": "mars"}, 2, "region: wrong"),
    ],
)
async def test_a_step_that_is_missing_or_wrong_starts_nothing(
    merchant: Merchant, tmp_path: Path, trouble: dict[str, str], code: int, named: str
) -> None:
    folder = tmp_path / "kept"
    said = await typed("dev", "--sandbox", **merchant.environment | trouble | {"PERENNIAL_DATA_FOLDER": str(folder)})

    assert said.code == code
    assert trouble_in(said) == [f"error: nothing was started: {named}"]
    state = named.split(": ")[1]
    assert [line.partition("  ")[0] for line in said.out.splitlines()].count(state) == 1
    assert len(said.out.splitlines()) == 9
    assert "swordfish-swordfish" not in said.out + said.err
    assert_kept(said)
    assert_nothing_was_started(folder)


async def test_another_private_key_than_the_ids_is_refused_and_not_shown(merchant: Merchant, tmp_path: Path) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    merchant.key_file.write_text(pem)

    said = await typed("dev", "--sandbox", **merchant.environment | {"PERENNIAL_DATA_FOLDER": str(tmp_path / "kept")})

    assert (said.code, trouble_in(said)) == (2, ["error: nothing was started: signature: wrong"])
    assert "403 InvalidRequestSignature" in said.out
    assert leaked(pem, said.out, said.err) == set()


async def test_an_amazon_that_does_not_answer_is_to_be_asked_again(merchant: Merchant, tmp_path: Path) -> None:
    with dead_port() as port:
        away = {"PERENNIAL_AMAZON_PAY_ORIGIN": f"http://127.0.0.1:{port}"}
        folder = {"PERENNIAL_DATA_FOLDER": str(tmp_path / "kept")}
        said = await typed("dev", "--sandbox", **merchant.environment | away | folder)
        data = await typed("dev", "--sandbox", "--json", **merchant.environment | away | folder)

    assert (said.code, trouble_in(said)) == (3, ["error: nothing was started: Amazon answers: no answer"])
    assert (data.code, data.data["ready"]) == (3, False)


async def test_live_is_never_touched(merchant: Merchant, tmp_path: Path) -> None:
    said = await typed("dev", "--sandbox", PERENNIAL_ENVIRONMENT="live")

    assert said.code == 2
    assert "PERENNIAL_ENVIRONMENT" in said.trouble


async def test_checks_as_data_need_a_sandbox_to_check() -> None:
    said = await typed("dev", "--json")

    assert said.code == 2
    assert "--sandbox" in said.trouble


@pytest.mark.long
async def test_a_reset_leaves_the_merchants_key_where_it_is(merchant: Merchant, tmp_path: Path) -> None:
    folder = tmp_path / "kept" / "amazon-sandbox"
    folder.mkdir(parents=True)
    key = folder / "merchant-private-key.pem"
    key.write_text(RSA_PEM)
    key.chmod(0o600)
    (folder / "ledger.db").write_text("of an earlier run")
    mine = merchant.environment | {"PERENNIAL_PRIVATE_KEY_PATH": str(key)}

    asked = await typed("dev", "--sandbox", "--reset", **mine | {"PERENNIAL_DATA_FOLDER": str(tmp_path / "kept")})
    assert asked.code == 1
    assert "--yes" in asked.err

    arguments = ("--sandbox", "--reset", "--yes")
    async with running(tmp_path / "kept", Server(tmp_path), *arguments, environment=mine) as dev:
        await dev.end()
    assert key.read_text() == RSA_PEM
    assert (folder / "ledger.db").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.long
async def test_what_keeps_other_commands_from_it_is_said(merchant: Merchant, tmp_path: Path) -> None:
    set_here = merchant.environment | {"PERENNIAL_LEDGER_URL": f"sqlite:///{tmp_path}/theirs.db"}
    async with running(tmp_path / "kept", Server(tmp_path), "--sandbox", environment=set_here) as dev:
        _, err = await dev.end()

    assert "PERENNIAL_LEDGER_URL: set here" in err
    assert not (tmp_path / "theirs.db").exists()
