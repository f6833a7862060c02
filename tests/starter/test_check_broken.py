"""`perennial check` where one thing is broken: it is named with what to do, all else is looked at as well, and what is
dead holds up nobody. Each against real servers on loopback."""

import asyncio
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from temporalio.service import OperatorService, RPCError, RPCStatusCode

from amazon_pay_client import Environment
from perennial_billing.ledger.arrivals import Arrival
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.checks import (
    addresses,
    asking,
    certificates,
    folders,
    keys,
    notifications,
    rates,
    reaching,
)
from perennial_billing.starter.checks import deployment as deployment_module
from perennial_billing.starter.checks.addresses import NotReached, Reached
from perennial_billing.starter.checks.check import Check, State, in_the_way
from perennial_billing.starter.checks.looking import Look, looked_at
from perennial_billing.worker.rates import rates_of
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES
from tests.client.loopback import Loopback, answer
from tests.scenarios.story import Story
from tests.starter.command_line import Said, dead_port, joined_to, typed

SECRET: Final = "whsec_" + "A" * 32
Broken = Mapping[str, str]


async def looked(house: Stage, *options: str, **broken: str) -> tuple[Said, dict[str, dict[str, Any]]]:
    """What is said of the house where these variables are otherwise. Any: a check as data."""
    said = await typed("check", "--json", *options, **(joined_to(house) | house.worker_environment() | broken))
    return said, {each["name"]: each for each in said.data["checks"]}


@pytest.mark.parametrize(
    ("broken", "name", "state", "words", "to_do"),
    [
        ({"PERENNIAL_HEALTH_PORT": "eighty"}, "settings", "wrong", "PERENNIAL_HEALTH_PORT", "set it right"),
        ({"PERENNIAL_REGION": "mars"}, "region", "wrong", "'mars'", "na, eu or jp"),
        ({"PERENNIAL_PUBLIC_KEY_ID": ""}, "public key id", "missing", "is not set", "Create keys"),
        ({"PERENNIAL_PUBLIC_KEY_ID": "LIVE-A"}, "the key's environment", "wrong", "real money", "take a key of"),
        ({"PERENNIAL_PRIVATE_KEY_PATH": "/nowhere.pem"}, "private key", "wrong", "/nowhere.pem", "set it to"),
        ({"PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-B"}, "signature (default)", "wrong", "InvalidAuth", "Seller Central"),
        ({"PERENNIAL_CALLS_PER_SECOND": "Charge=8"}, "quotas", "wrong", "'Charge'", "CreateCharge"),
        ({"PERENNIAL_LEDGER_URL": "sqlite:////nowhere/a.db"}, "ledger", "wrong", "PERENNIAL_LEDGER_URL", "repeat"),
        ({"PERENNIAL_LEDGER_URL": "sqlite:////nowhere/a.db"}, "data folder", "wrong", "/nowhere", "let this user"),
        ({"TEMPORAL_NAMESPACE": "nobodys"}, "Temporal", "wrong", "no namespace nobodys", "create it"),
        ({"PERENNIAL_TASK_QUEUE": "another"}, "workers", "missing", "nobody asks", "start `perennial worker`"),
        ({"PERENNIAL_TASK_QUEUE": "another"}, "call queues", "missing", "no limit", "start a worker"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere.pem"}, "Temporal", "wrong", "configuration", "put right"),
    ],
    ids=lambda given: next(iter(given)).lower() if isinstance(given, dict) else None,
)
async def test_what_is_broken_is_named_with_what_to_do(
    house: Stage, broken: Broken, name: str, state: str, words: str, to_do: str
) -> None:
    said, found = await looked(house, **broken)

    assert said.code == 1
    assert found[name]["state"] == state
    assert words in found[name]["found"]
    assert to_do in found[name]["to_do"]
    assert "Traceback" not in said.err


def _check(data: Mapping[str, Any]) -> Check:
    return Check(
        name=data["name"], state=State(data["state"]), found=data["found"], is_mandatory=bool(data["mandatory"])
    )


async def test_where_nobody_answers_that_is_the_exit_code_and_all_else_is_looked_at(house: Stage) -> None:
    with dead_port() as port:
        said, found = await looked(house, PERENNIAL_AMAZON_PAY_ORIGIN=f"http://127.0.0.1:{port}")

    assert found["Amazon answers (default)"]["state"] == "no answer"
    assert "HTTPS_PROXY" in found["Amazon answers (default)"]["to_do"]
    assert found["workers"]["state"] == "done"
    others = [each for each in in_the_way(map(_check, found.values())) if each.name != "Amazon answers (default)"]
    assert said.code == (1 if others else 3)


async def test_a_clock_that_is_off_is_said(house: Stage) -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    async with Loopback() as amazon:
        amazon.answers({"reasonCode": "ResourceNotFound", "message": "no"}, 404, {"date": tomorrow})
        _, found = await looked(house, PERENNIAL_AMAZON_PAY_ORIGIN=amazon.origin)

    assert found["clock (default)"]["state"] == "wrong"
    assert "24 h behind" in found["clock (default)"]["found"]


async def test_the_key_of_a_namespace_alone_knows_the_search_attributes_by_their_columns(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at Temporal Cloud, whose operator's service is for administrators."""
    told = await asking.attributes_of(house.client)

    async def refused(*_: object, **__: object) -> None:
        raise RPCError("not for this key", RPCStatusCode.PERMISSION_DENIED, b"")

    monkeypatch.setattr(OperatorService, "list_search_attributes", refused)
    by_columns = await asking.attributes_of(house.client)
    assert {key.name: told[key.name] for key in SEARCH_ATTRIBUTES} == by_columns


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """Takes connections, and says nothing."""

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()


async def test_what_keeps_silent_is_named_and_holds_up_nothing_else(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_module, "CONNECTS_WITHIN", 0.2)
    monkeypatch.setattr(reaching, "SECONDS", 0.2)
    monkeypatch.setitem(reaching.reached.__kwdefaults__ or {}, "seconds", 0.2)
    async with silent() as temporal, silent() as endpoint:
        said, found = await looked(
            house,
            TEMPORAL_ADDRESS=temporal,
            PERENNIAL_WEBHOOK_URL=f"http://{endpoint}/notices",
            PERENNIAL_WEBHOOK_SECRET=SECRET,
        )

    assert said.code == 1
    assert (found["Temporal"]["state"], found["overdue"]["state"]) == ("wrong", "not tried")
    assert "does not answer within 0.2 s" in found["Temporal"]["found"]
    assert "no answer within 0.2 s" in found["endpoint environment"]["found"]
    assert found["ledger"]["state"] == found["signature (default)"]["state"] == "done"


async def test_a_look_that_never_ends_is_given_up_and_the_others_are_there_in_their_order() -> None:
    async def never() -> list[Check]:
        await asyncio.Event().wait()
        return []

    async def at_once() -> list[Check]:
        return [Check(name="b", state=State.DONE, found="here")]

    looks = [Look(("a", "a too"), never, seconds=0.01), Look(("b",), at_once)]
    made = [each async for each in looked_at(looks)]

    assert [(each.name, each.state) for each in made] == [
        ("a", State.UNANSWERED), ("a too", State.UNANSWERED), ("b", State.DONE),
    ]  # fmt: skip
    assert made[0].found == "no answer within 0.01 s"


# Addresses of the merchant's


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (204, "done", "answers 204 to HEAD, without TLS"),
        (405, "done", "answers 405"),
        (404, "done", "takes POST alone, or the path is another"),
        (503, "wrong", "answers 503"),
    ],
)
async def test_an_endpoint_is_asked_for_nothing_and_told_nothing(
    house: Stage, status: int, state: str, words: str
) -> None:
    async with Loopback() as shop:
        shop.answer = answer(status, b"")
        _, found = await looked(house, PERENNIAL_WEBHOOK_URL=f"{shop.origin}/notices", PERENNIAL_WEBHOOK_SECRET=SECRET)

    assert [(each.method, each.target, each.body) for each in shop.received] == [("HEAD", "/notices", b"")]
    assert found["endpoint environment"]["state"] == state
    assert words in found["endpoint environment"]["found"]


async def test_an_endpoint_that_was_disabled_is_said_and_another_network_than_allowed_is_not_asked() -> None:
    mended = addresses.endpoint("ep-1", "https://shop.example/n", Reached(status=200), is_enabled=False)
    assert (mended.state, mended.is_in_the_way) == (State.WRONG, False)
    assert "`perennial endpoints enable ep-1`" in mended.to_do

    async with Loopback() as inside:
        inside.answer = answer(200, b"")
        refused = await reaching.reached("HEAD", f"{inside.origin}/n", public_only=True)
    assert isinstance(refused, NotReached)
    assert inside.received == []


def certificate(days: int, folder: Path) -> tuple[Path, Path]:
    """The files of a certificate of 127.0.0.1 that signs itself, and of its private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@asynccontextmanager
async def by_tls(files: tuple[Path, Path], said: bytes) -> AsyncIterator[str]:
    """A server with a certificate, and its origin."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*files)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield "https://{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()


TAKES_POST: Final = answer(405, b"", {"allow": "POST"})


@pytest.mark.parametrize(
    ("days", "trusted", "said", "state", "words"),
    [
        (90, True, TAKES_POST, State.DONE, "takes POST, its certificate holds until"),
        (5, True, TAKES_POST, State.WRONG, "expires on"),
        (-1, True, TAKES_POST, State.WRONG, "CERTIFICATE_VERIFY_FAILED"),
        (90, False, TAKES_POST, State.WRONG, "CERTIFICATE_VERIFY_FAILED"),
        (90, True, answer(200, b"<html>"), State.WRONG, "answers 200 and not as the receiver does"),
        (90, True, answer(502, b""), State.WRONG, "answers 502"),
    ],
    ids=["right", "expires soon", "expired", "nobody believes it", "another page", "nothing behind the proxy"],
)
async def test_the_address_that_amazon_has_leads_to_the_receiver_by_a_certificate_that_holds(
    *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, trusted: bool, said: bytes, state: State, words: str
) -> None:
    files = certificate(days, tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    async with by_tls(files, said) as origin:
        found = await reaching.reached("GET", f"{origin}/ipn", public_only=False)
    check = addresses.receiver(f"{origin}/ipn", found, path="/ipn")

    assert check.state is state
    assert words in check.found
    assert bool(check.to_do) == (state is State.WRONG)


async def test_the_receiver_itself_is_known_by_what_it_answers_and_in_the_open_it_is_refused(house: Stage) -> None:
    _, found = await looked(house, "--ipn-url", house.ipn_url)
    assert found["notifications' address"]["state"] == "wrong"
    assert "https alone" in found["notifications' address"]["found"]

    answered = await reaching.reached("GET", house.ipn_url, public_only=False)
    assert addresses.receiver("https://shop.example/ipn", answered, path="/ipn").state is State.DONE


async def test_that_notifications_arrive_is_noted_by_the_receiver_and_told(house: Stage) -> None:
    mended = await Story.begin(house)
    await mended.until_due(0)  # of whose charge Amazon tells
    _, found = await looked(house)
    while found["notifications"]["state"] != "done":  # it is noted beside
        _, found = await looked(house)
    assert re.fullmatch(
        r"the last one of Amazon's arrived at \S+ \S+ UTC, by arn:aws:sns:\S+", found["notifications"]["found"]
    )


@pytest.mark.parametrize(
    ("days_ago", "topics", "state", "words"),
    [
        (None, (), State.WAITING, "none of Amazon's has arrived"),
        (2, (), State.DONE, "by arn:a"),
        (2, ("arn:a", "arn:b"), State.WAITING, "none has by arn:b"),
        (60, ("arn:a",), State.WRONG, "the last one of Amazon's arrived at"),
    ],
)
def test_whether_notifications_arrive_is_in_nobodys_way(
    days_ago: int | None, topics: tuple[str, ...], state: State, words: str
) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago or 0)
    check = notifications.recorded([Arrival("arn:a", at, at)] if days_ago is not None else [], topics)

    assert (check.state, check.is_in_the_way) == (state, False)
    assert words in check.found


# What is on this machine


def test_a_folder_that_cannot_be_written_to_or_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders.data_folder(tmp_path, holds_ledger=True).state is State.DONE
    assert list(tmp_path.iterdir()) == []
    missing = folders.data_folder(tmp_path / "gone", holds_ledger=True)
    assert (missing.state, "No such file" in missing.found) == (State.WRONG, True)
    assert folders.data_folder(tmp_path / "gone", holds_ledger=False).state is State.DONE

    monkeypatch.setattr(folders, "LEAST_FREE_BYTES", 2**80)
    full = folders.data_folder(tmp_path, holds_ledger=True)
    assert (full.state, full.to_do.partition(":")[0]) == (State.WRONG, "make room")


@pytest.mark.parametrize(
    ("days", "state", "words"),
    [(90, State.DONE, "holds until"), (3, State.WRONG, "it expires on"), (-2, State.WRONG, "it expired on")],
)
def test_the_certificate_shown_to_temporal_is_renewed_before_it_expires(
    tmp_path: Path, days: int, state: State, words: str
) -> None:
    check = certificates.client_certificate(certificate(days, tmp_path)[0].read_bytes())

    assert check.state is state
    assert words in check.found
    assert certificates.client_certificate(b"none").state is State.WRONG


@pytest.mark.parametrize(
    ("environment", "given", "state", "words"),
    [
        ("live", {}, State.DONE, "within Amazon's limits"),
        ("live", {"CreateCharge": 50.0}, State.WRONG, "CreateCharge 50 and not 4"),
        ("live", {"GetCharge": 0.01}, State.WRONG, "GetCharge 0.01"),
    ],
)
def test_quotas_that_amazon_would_refuse_or_that_take_for_ever_are_said(
    environment: str, given: dict[str, float], state: State, words: str
) -> None:
    settings = Settings.model_validate({"environment": environment, "calls_per_second": given or None})
    check = rates.quotas(rates_of(settings), settings)

    assert (check.state, check.is_in_the_way) == (state, False)
    assert words in check.found


def test_a_key_of_the_other_environment_is_refused_in_both() -> None:
    live, sandbox = Environment.LIVE, Environment.SANDBOX
    assert keys.key_of_environment("LIVE-A", live).state is State.DONE
    assert keys.key_of_environment("SANDBOX-A", live).state is State.WRONG
    assert keys.key_of_environment("LIVE-A", sandbox).state is State.WRONG
    assert keys.key_of_environment("SANDBOX-A", sandbox).state is State.DONE
