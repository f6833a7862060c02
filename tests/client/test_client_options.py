"""How a client is set up: what is accepted, what is refused in one line, and what it says of itself on the wire."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import amazon_pay_client
from amazon_pay_client import (
    AmazonPayClient,
    Environment,
    Integrator,
    PrivateKeyError,
    Region,
    SyncAmazonPayClient,
    errors,
)
from amazon_pay_client.models import CreateChargeRequest
from tests.client.examples import CHARGE, CREATE, CREATE_BODY
from tests.client.loopback import KEY_ID, NO_TLS, Loopback
from tests.client.test_client import KEY_HEADER, holds
from tests.hostile import Hostile

Kind = type[AmazonPayClient] | type[SyncAmazonPayClient]
BOTH: Final = (AmazonPayClient, SyncAmazonPayClient)


@pytest.fixture
def options(server: Loopback, private_key: RSAPrivateKey) -> dict[str, Any]:
    """Of an ordinary client."""
    server.answers(CHARGE)
    return {
        "public_key_id": KEY_ID,
        "private_key": private_key,
        "region": "na",
        "origin": server.origin,
        "verify": NO_TLS,
    }


async def read_a_charge(options: dict[str, Any], **call: Any) -> None:
    async with AmazonPayClient(**options) as client:
        await client.charges.get("S01-1", **call)


def pem_of(private_key: RSAPrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("name", "signed_for"),
    [("us", "na"), ("NA", "na"), ("de", "eu"), ("uk", "eu"), ("eu", "eu"), ("jp", "jp"), (Region.JP, "jp")],
)
async def test_a_region_is_given_by_any_of_its_names(
    name: Region | str, signed_for: str, options: dict[str, Any], server: Loopback
) -> None:
    await read_a_charge(options | {"region": name})

    assert server.received[0].values("x-amz-pay-region") == [signed_for]


@pytest.mark.parametrize("form", ["text", "bytes", "one line", "one line of Windows", "path", "text of a path"])
async def test_a_private_key_is_given_as_settings_have_it(
    form: str, options: dict[str, Any], server: Loopback, private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    pem, file = pem_of(private_key), tmp_path / "private.pem"
    file.write_bytes(pem)
    file.chmod(0o600)
    forms: dict[str, str | bytes | Path] = {
        "text": pem.decode(),
        "bytes": pem,
        "one line": pem.decode().replace("\n", "\\n"),
        "one line of Windows": pem.decode().replace("\n", "\\r\\n"),
        "path": file,
        "text of a path": str(file),
    }

    await read_a_charge(options | {"private_key": forms[form]})

    assert holds(server.received[0], private_key)


async def test_an_older_key_takes_its_environment_by_name(options: dict[str, Any], server: Loopback) -> None:
    await read_a_charge(options | {"public_key_id": "AOLDKEY", "environment": "Live"})

    assert server.received[0].target == "/live/v2/charges/S01-1"
    assert Environment.parse(" sandbox ") is Environment.SANDBOX


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("region", "fr", r"^region: 'fr' is not a region of Amazon Pay; accepted are de, eu, jp, na, uk, us$"),
        ("environment", "test", r"^environment: 'test' .*accepted are sandbox, live$"),
        ("public_key_id", "", r"^public_key_id: it is empty"),
        ("public_key_id", "SANDBOX-A\n", r"^public_key_id: .*holds blanks"),
        ("public_key_id", "SANDBOX-A,B", r"^public_key_id: .*commas"),
        ("origin", "pay.example", r"^origin: it is not an address; scheme and host are needed"),
        ("origin", "ftp://pay.example", r"^origin: it is not an address"),
        ("origin", "https://", r"^origin: it is not an address"),
        ("origin", "", r"^origin: it is not an address"),
        ("origin", "https://pay.example:port", r"^origin: it is not an address"),
        ("origin", "https://pay.example/v2", r"^origin: .* has a path, a query or a fragment"),
        ("origin", "https://pay.example?a=b", r"^origin: .* has a path, a query or a fragment"),
        ("origin", "https://pay.example#a", r"^origin: .* has a path, a query or a fragment"),
        ("origin", "https://user:s3cret@pay.example", r"^origin: it holds a user name or a password"),
        ("public_key_id", None, r"^public_key_id: a NoneType was given; is its setting there"),
        ("region", None, r"^region: a NoneType was given"),
        ("private_key", None, r"^private key: a NoneType was given; PEM text"),
        ("proxy", "gopher://s3cret@proxy.example", r"^proxy: it is not the address of one"),
        ("at_once", 0, r"^at_once: 0 is too few; 1 or more is accepted$"),
        ("kept_connections", -1, r"^kept_connections: -1 is too few; 0 or more is accepted$"),
        ("application", "My\nShop", r"^headers: the value of user-agent cannot be sent"),
        ("headers", {KEY_HEADER: "p7-a1"}, r"^headers: an idempotency key is for one request"),
        ("headers", {"authorization": "s3cret"}, r"^headers: authorization is made by the client"),
        ("integrator", Integrator(integrator_id=""), r"^headers: the value of x-amz-pay-integrator-id cannot be sent"),
    ],
)
def test_an_option_that_is_wrong_is_refused_in_one_line(
    kind: Kind, option: str, value: object, reason: str, private_key: RSAPrivateKey
) -> None:
    given: dict[str, Any] = {"public_key_id": KEY_ID, "private_key": private_key, "region": "na", "verify": NO_TLS}

    with pytest.raises(ValueError, match=reason) as caught:
        kind(**given | {option: value})

    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_private_key_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PrivateKeyError, match="No such file"):
        AmazonPayClient(public_key_id=KEY_ID, private_key=tmp_path / "none.pem", region="na")


async def test_the_user_agent_names_the_client_and_then_the_application(
    options: dict[str, Any], server: Loopback
) -> None:
    await read_a_charge(options)
    await read_a_charge(options | {"application": "MyShop/2.1"})
    await read_a_charge(options | {"headers": {"User-Agent": "Own/1"}})

    (plain,), (named,), (own,) = (each.values("user-agent") for each in server.received)
    assert plain.startswith("amazon-pay-client/0.")
    assert " Python/3." in plain
    assert named == f"{plain} MyShop/2.1"
    assert own == "Own/1"


async def test_headers_for_every_request_are_sent_signed_and_come_after_those_of_a_call(
    options: dict[str, Any], server: Loopback, private_key: RSAPrivateKey
) -> None:
    every = {"X-Amz-Pay-Authtoken": "token-of-all", "x-trace": "t-1"}

    await read_a_charge(options | {"headers": every})
    await read_a_charge(options | {"headers": every}, headers={"x-amz-pay-authtoken": "token-of-one"})

    first, second = server.received
    assert (first.values("x-amz-pay-authtoken"), first.values("x-trace")) == (["token-of-all"], ["t-1"])
    assert second.values("x-amz-pay-authtoken") == ["token-of-one"]
    assert "x-amz-pay-authtoken" in first.authorization.signed_headers
    assert holds(first, private_key)
    assert holds(second, private_key)


async def test_an_integrator_is_named_as_amazon_documents_it(
    options: dict[str, Any], server: Loopback, private_key: RSAPrivateKey
) -> None:
    integrator = Integrator(integrator_id="A1INTEGRATOR", integrator_version="4.2.0", platform_version="2.4.7")

    await read_a_charge(options | {"integrator": integrator})

    (received,) = server.received
    assert received.values("x-amz-pay-integrator-id") == ["A1INTEGRATOR"]
    assert received.values("x-amz-pay-integrator-version") == ["4.2.0"]
    assert received.values("x-amz-pay-platform-version") == ["2.4.7"]
    assert holds(received, private_key)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_proxy_gets_what_would_go_to_amazon(
    kind: Kind, options: dict[str, Any], server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    through = options | {"origin": "http://pay.example", "proxy": server.origin}

    if kind is AmazonPayClient:
        await read_a_charge(through)
    else:
        with SyncAmazonPayClient(**through) as client:
            await asyncio.to_thread(client.charges.get, "S01-1")

    assert server.received[0].target == "http://pay.example/v2/charges/S01-1"


@pytest.mark.parametrize(("kept", "connections"), [(0, 3), (1, 1)])
async def test_as_many_connections_are_kept_as_were_asked_for(
    kept: int, connections: int, private_key: RSAPrivateKey
) -> None:
    ports: set[object] = set()

    class Counting(Hostile):
        async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ports.add(writer.get_extra_info("peername"))
            await super()._serve(reader, writer)

    async with (
        Counting(body=CHARGE).serving() as counting,
        AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region="na", origin=counting.origin, kept_connections=kept
        ) as client,
    ):
        for _ in range(3):
            await client.charges.get("S01-1")

    assert len(ports) == connections


# A dict instead of a model


@pytest.mark.parametrize(
    "given",
    [
        {
            "chargePermissionId": "C01-1-2",
            "chargeAmount": {"amount": "9.99", "currencyCode": "USD"},
            "captureNow": True,
            "softDescriptor": "Perennial",
        },
        CREATE.model_dump(),
    ],
    ids=["Amazon's names", "Python's names"],
)
async def test_a_dict_is_a_request_with_amazons_names_or_pythons(
    given: dict[str, Any], client: AmazonPayClient, server: Loopback
) -> None:
    server.answers(CHARGE, 201)

    await client.charges.create(given, idempotency_key="p7-a1")

    assert server.received[0].body == CREATE_BODY


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, r"^request: the dict is no CreateChargeRequest \(chargePermissionId: .*; chargeAmount: "),
        ({"chargePermission": "C01"}, r"chargePermission: Extra inputs are not permitted"),
        ("C01-1-2", r"^request: a str was given; a CreateChargeRequest or a dict of its fields is needed$"),
        (None, r"^request: a NoneType was given"),
    ],
)
async def test_what_makes_no_request_is_refused_in_one_line(
    given: Any, reason: str, client: AmazonPayClient, server: Loopback
) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        await client.charges.create(given, idempotency_key="p7-a1")

    assert "\n" not in str(caught.value)
    assert server.received == []


async def test_a_request_of_another_operation_is_refused(client: AmazonPayClient, server: Loopback) -> None:
    request: Any = CreateChargeRequest.model_validate(CREATE.model_dump())

    with pytest.raises(ValueError, match=r"^request: a CreateChargeRequest was given; a CreateRefundRequest"):
        await client.refunds.create(request, idempotency_key="r-1")

    assert server.received == []


def test_every_error_is_exported_from_the_root() -> None:
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}

    assert classes
    assert classes <= set(amazon_pay_client.__all__)


@pytest.mark.parametrize("kind", BOTH)
async def test_another_accounts_client_signs_with_its_own_key_and_sends_as_the_first_does(
    kind: Kind, options: dict[str, Any], server: Loopback
) -> None:
    own, application = rsa.generate_private_key(public_exponent=65537, key_size=2048), "Mall/7.3"
    first = kind(**options, application=application)
    other = first.for_account(public_key_id="SANDBOX-KIOSK", private_key=own, region="jp")

    await read(other)
    await read(first)

    received, before = server.received
    assert received.authorization.public_key_id == "SANDBOX-KIOSK"
    assert received.values("x-amz-pay-region") == ["jp"]
    assert holds(received, own)
    assert application in received.values("user-agent")[0]
    assert before.authorization.public_key_id == KEY_ID, "the first one is as it was"
    if isinstance(first, AmazonPayClient):
        await first.aclose()
    else:
        first.close()
    with pytest.raises(errors.ClientUnusableError):
        await read(other)


async def read(client: AmazonPayClient | SyncAmazonPayClient) -> None:
    """Reads a charge, in whichever way the client does."""
    if isinstance(client, AmazonPayClient):
        await client.charges.get("S01-1")
    else:
        await asyncio.to_thread(client.charges.get, "S01-1")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("public_key_id", "LIVE-KIOSK", r"^environment: 'sandbox' was asked for, but the public key id is for 'live'"),
        ("region", "fr", r"^region: 'fr' is not a region"),
        ("private_key", "none.pem", r"^private key file none.pem: No such file"),
    ],
)
def test_another_account_is_refused_as_a_first_one_is(
    option: str, value: str, reason: str, options: dict[str, Any], private_key: RSAPrivateKey
) -> None:
    other: dict[str, Any] = {
        "public_key_id": "SANDBOX-KIOSK",
        "private_key": private_key,
        "region": "jp",
        "environment": "sandbox",
    }

    with pytest.raises(ValueError, match=reason):
        AmazonPayClient(**options).for_account(**other | {option: value})
