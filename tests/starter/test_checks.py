"""What Amazon's sandbox needs, looked at step by step: against the simulator standing in for it, and against servers
that are none."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from amazon_pay_client import Region, load_private_key
from amazon_pay_client.errors import NotFoundError, api_error
from amazon_pay_simulator import SimulatorConfig, create_app
from amazon_pay_simulator.faults import Fault, FaultPlan
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.checks import answers, keys
from perennial_billing.starter.checks.answers import Heard, NotHeard
from perennial_billing.starter.checks.check import Check, State, in_the_way
from perennial_billing.starter.checks.reading import heard_of_amazon
from perennial_billing.starter.checks.sandbox import sandbox_checks
from tests.client.loopback import Loopback, answer
from tests.starter.command_line import dead_port
from tests.starter.key_material import (
    DAMAGED_PEM,
    ENCRYPTED_PEM,
    NOT_RSA_PEM,
    PASSPHRASE,
    RSA_PEM,
    WITHOUT_ITS_FIRST_LINE,
    leaked,
)

KEY_ID: Final = "SANDBOX-AF2QKTR7"
OLDER_ID: Final = "AF2QKTR7"
RECEIVER: Final = "http://127.0.0.1:8601/ipn"
NOON: Final = datetime(2027, 3, 4, 12, 0, 0, tzinfo=UTC)


def config(faults: FaultPlan | None = None) -> SimulatorConfig:
    public = load_private_key(RSA_PEM).public_key()
    return SimulatorConfig(
        public_keys={KEY_ID: public, OLDER_ID: public}, merchant_id="A2SHOPOFOURS", faults=faults or FaultPlan()
    )


@pytest.fixture
async def amazon() -> AsyncIterator[str]:
    """The simulator, in the place of Amazon's sandbox."""
    async with serving(create_app(config()), bind("127.0.0.1", 0)) as origin:
        yield origin


def settings(**given: object) -> Settings:
    known: dict[str, object] = {
        "public_key_id": KEY_ID,
        "private_key": SecretStr(RSA_PEM),
        "merchant_id": "A2SHOPOFOURS",
    }
    return Settings.model_validate(known | given)


async def made(of: Settings) -> dict[str, Check]:
    checks = [check async for check in sandbox_checks(of, RECEIVER)]
    for check in checks:
        assert leaked(RSA_PEM, check.line) == set()
        assert len(check.line.splitlines()) == 1
    return {check.name: check for check in checks}


def states(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.state.value for name, check in checks.items()}


async def test_everything_is_right_but_that_no_notification_has_come_yet(amazon: str) -> None:
    checks = await made(settings(amazon_pay_origin=amazon))

    assert states(checks) == {
        "region": "done",
        "public key id": "done",
        "private key": "done",
        "the key's environment": "done",
        "merchant id": "done",
        "Amazon answers": "done",
        "signature": "done",
        "clock": "done",
        "notifications": "waiting",
    }
    assert in_the_way(checks.values()) == []
    assert RECEIVER in checks["notifications"].line
    assert checks["region"].found == f"na: {amazon}"


async def test_an_older_id_is_asked_for_in_the_sandbox(amazon: str) -> None:
    checks = await made(settings(public_key_id=OLDER_ID, amazon_pay_origin=amazon))

    assert in_the_way(checks.values()) == []
    assert "older" in checks["the key's environment"].found


@pytest.mark.parametrize("key_id", ["LIVE-AF2QKTR7", "live-AF2QKTR7"])
async def test_a_key_of_live_is_refused_before_anybody_is_asked(key_id: str) -> None:
    async with Loopback() as server:
        checks = await made(settings(public_key_id=key_id, amazon_pay_origin=server.origin))

    assert server.received == []
    assert checks["the key's environment"].state is State.WRONG
    assert "real money" in checks["the key's environment"].found
    assert states(checks)["signature"] == "not tried"
    assert checks["signature"].found == "the key's environment comes first"


async def test_a_key_of_live_is_never_sent_even_where_somebody_asks_for_it() -> None:
    async with Loopback() as server:
        with pytest.raises(ValueError, match="live"):
            await heard_of_amazon("LIVE-AF2QKTR7", load_private_key(RSA_PEM), Region.NA, server.origin)

    assert server.received == []


@pytest.mark.parametrize(
    ("given", "name", "state", "words"),
    [
        ({"region": "mars"}, "region", "wrong", "PERENNIAL_REGION: 'mars'"),
        ({"amazon_pay_origin": "http://me:secret-word@127.0.0.1:1"}, "region", "wrong", "AMAZON_PAY_ORIGIN"),
        ({"public_key_id": None}, "public key id", "missing", "PERENNIAL_PUBLIC_KEY_ID is not set"),
        ({"public_key_id": "SANDBOX A"}, "public key id", "wrong", "holds what no id does"),
        ({"private_key": None}, "private key", "missing", "PERENNIAL_PRIVATE_KEY_PATH"),
        ({"private_key_path": "/nowhere/key.pem"}, "private key", "wrong", "both are"),
    ],
)
async def test_a_setting_that_is_missing_or_wrong_is_named_with_what_to_do(
    given: dict[str, object], name: str, state: str, words: str
) -> None:
    async with Loopback() as server:
        checks = await made(settings(**{"amazon_pay_origin": server.origin} | given))

    assert server.received == []
    assert checks[name].state.value == state
    assert words in checks[name].found
    assert checks[name].to_do
    assert "secret-word" not in checks[name].line
    assert [check.name for check in in_the_way(checks.values())] == [name]
    assert states(checks)["Amazon answers"] == "not tried"


@pytest.mark.parametrize(
    ("key", "passphrase", "words"),
    [
        (NOT_RSA_PEM, None, "not RSA"),
        (DAMAGED_PEM, None, "damaged"),
        (ENCRYPTED_PEM, None, "needs a passphrase"),
        (ENCRYPTED_PEM, PASSPHRASE[:-1], "passphrase is wrong"),
        (WITHOUT_ITS_FIRST_LINE, None, "not a PEM file"),
    ],
    ids=["not RSA", "damaged", "no passphrase", "wrong passphrase", "no first line"],
)
def test_a_private_key_that_cannot_sign_is_told_why_and_is_not_shown(
    key: str, passphrase: str | None, words: str
) -> None:
    secret = SecretStr(passphrase) if passphrase else None
    check, found = keys.private_key(settings(private_key=SecretStr(key), private_key_passphrase=secret))

    assert (check.state, found) == (State.WRONG, None)
    assert words in check.found
    assert leaked(key, check.line) == set()
    assert passphrase is None or leaked(passphrase, check.line) == set()


def test_a_file_that_is_not_there_or_is_for_others_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.pem"
    missing, _ = keys.private_key(settings(private_key=None, private_key_path=path))
    path.write_text(RSA_PEM)
    path.chmod(0o644)
    open_to_all, _ = keys.private_key(settings(private_key=None, private_key_path=path))
    path.chmod(0o600)
    right, key = keys.private_key(settings(private_key=None, private_key_path=path))

    assert (missing.state, open_to_all.state, right.state) == (State.WRONG, State.WRONG, State.DONE)
    assert "PERENNIAL_PRIVATE_KEY_PATH" in missing.found
    assert str(path) in missing.found
    assert "chmod 600" in open_to_all.found
    assert right.found == "RSA, 2048 bits"
    assert isinstance(key, rsa.RSAPrivateKey)


def test_a_key_in_the_place_of_its_id_is_not_shown() -> None:
    body = "".join(RSA_PEM.splitlines()[1:-1])

    check = keys.public_key_id(settings(public_key_id=body))

    assert check.state is State.WRONG
    assert leaked(RSA_PEM, check.line) == set()


async def test_a_merchant_id_can_do_without(amazon: str) -> None:
    checks = await made(settings(merchant_id=None, amazon_pay_origin=amazon))

    assert states(checks)["merchant id"] == "missing"
    assert in_the_way(checks.values()) == []


async def test_another_private_key_than_that_of_the_id(amazon: str) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    heard = await heard_of_amazon(KEY_ID, other, Region.NA, amazon)

    check = answers.signature(heard, KEY_ID)
    assert (answers.answered(heard).state, check.state) == (State.DONE, State.WRONG)
    assert "403 InvalidRequestSignature" in check.found
    assert "is not the one that belongs" in check.found


async def test_an_id_that_amazon_does_not_know(amazon: str) -> None:
    checks = await made(settings(public_key_id="SANDBOX-NOBODYS", amazon_pay_origin=amazon))

    assert [check.name for check in in_the_way(checks.values())] == ["signature"]
    assert "403 InvalidAuthentication" in checks["signature"].found
    assert "PERENNIAL_REGION" in checks["signature"].to_do


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "UnauthorizedAccess", "may not read"),
        (403, "InvalidAccountStatus", "cannot be used"),
        (403, "SomethingNew", "does not believe"),
        (400, "InvalidHeaderValue", "clock is ahead"),
        (400, "InvalidParameterValue", "did not look"),
    ],
)
async def test_every_refusal_is_said_as_what_it_means(status: int, code: str, words: str) -> None:
    async with Loopback() as server:
        server.answers({"reasonCode": code, "message": "no"}, status, {"x-amz-pay-request-id": "REQ-8"})
        checks = await made(settings(amazon_pay_origin=server.origin))

    assert checks["Amazon answers"].state is State.DONE
    assert checks["signature"].state is State.WRONG
    assert f"{status} {code} (request id REQ-8): " in checks["signature"].found
    assert words in checks["signature"].found
    assert server.received[0].target.startswith("/v2/chargePermissions/C01-")


@pytest.mark.parametrize(("days", "words"), [(-1, "24 h ahead of"), (1, "24 h behind")])
async def test_a_clock_that_is_off_is_said(days: int, words: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)
    async with Loopback() as server:
        server.answers({"reasonCode": "ResourceNotFound", "message": "no"}, 404, {"date": date})
        checks = await made(settings(amazon_pay_origin=server.origin))

    assert [check.name for check in in_the_way(checks.values())] == ["clock"]
    assert words in checks["clock"].found
    assert "NTP" in checks["clock"].to_do


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Thu, 04 Mar 2027 12:00:00 GMT", timedelta(0)),
        ("Thu, 04 Mar 2027 11:59:59 GMT", timedelta(0)),  # whole seconds: it may be as late as 12:00:00
        ("Thu, 04 Mar 2027 12:00:14 GMT", timedelta(0)),  # between question and answer
        ("Thu, 04 Mar 2027 11:57:59 GMT", timedelta(minutes=2)),
        ("Thu, 04 Mar 2027 12:05:15 GMT", -timedelta(minutes=5)),
        ("a quarter past", None),
        (None, None),
    ],
)
def test_a_slow_answer_is_no_wrong_clock(date: str | None, ahead: timedelta | None) -> None:
    heard = Heard(host="h", error=None, date=date, sent=NOON, received=NOON + timedelta(seconds=15))

    assert answers.ahead_by(heard) == ahead


def test_a_minute_is_too_much_and_less_is_not() -> None:
    def state(seconds: int) -> State:
        date = format_datetime(NOON - timedelta(seconds=seconds + 1), usegmt=True)
        return answers.clock_of(Heard(host="h", error=None, date=date, sent=NOON, received=NOON)).state

    assert (state(59), state(60)) == (State.DONE, State.WRONG)


async def test_a_host_that_is_not_there_may_be_later() -> None:
    with dead_port() as port:
        checks = await made(settings(amazon_pay_origin=f"http://127.0.0.1:{port}"))

    assert states(checks)["Amazon answers"] == "no answer"
    assert f"127.0.0.1:{port}" in checks["Amazon answers"].found
    assert {states(checks)[name] for name in ("signature", "clock")} == {"not tried"}


async def test_a_host_that_keeps_silent_is_given_up() -> None:
    async with Loopback() as server:
        server.answer = None
        heard = await heard_of_amazon(KEY_ID, load_private_key(RSA_PEM), Region.NA, server.origin, seconds=0.3)

    assert heard == NotHeard(host=server.origin, why="no answer within 0.3 s")
    assert answers.answered(heard).state is State.UNANSWERED


@pytest.mark.parametrize(
    ("status", "state"), [(200, State.WRONG), (403, State.WRONG), (302, State.WRONG), (502, State.UNANSWERED)]
)
async def test_a_page_of_somebody_between_is_not_amazon(status: int, state: State) -> None:
    async with Loopback() as server:
        server.answer = answer(status, b"<html>Sign in to the network</html>", {"content-type": "text/html"})
        checks = await made(settings(amazon_pay_origin=server.origin))

    assert checks["Amazon answers"].state is state
    assert checks["signature"].state is State.NOT_TRIED


async def test_a_success_that_shows_nothing_of_amazons_is_not_amazon() -> None:
    async with Loopback() as server:
        server.answers({"status": "ok"})
        checks = await made(settings(amazon_pay_origin=server.origin))

    assert checks["Amazon answers"].state is State.WRONG


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.UNAVAILABLE, Fault.INTERNAL_ERROR, Fault.RESET])
async def test_what_amazon_says_in_trouble_is_no_verdict(fault: Fault) -> None:
    app = create_app(config(FaultPlan(requests={fault: 1.0})))
    async with serving(app, bind("127.0.0.1", 0)) as origin:
        checks = await made(settings(amazon_pay_origin=origin))

    assert [(check.name, check.state) for check in in_the_way(checks.values())] == [
        ("Amazon answers", State.UNANSWERED)
    ]


def test_an_old_tls_is_said() -> None:
    error = api_error(426, "TLSVersionNotSupported", "no")
    heard = Heard(host="https://pay-api.amazon.eu", error=error, date=None, sent=NOON, received=NOON)

    assert answers.answered(heard).state is State.WRONG
    assert "TLS 1.2" in answers.answered(heard).to_do


def test_an_answer_without_a_date_leaves_the_clock_to_the_signature() -> None:
    error = api_error(404, "ResourceNotFound", "no")
    assert isinstance(error, NotFoundError)
    heard = Heard(host="h", error=error, date=None, sent=NOON, received=NOON)

    assert answers.clock_of(heard).state is State.DONE
