"""What the client puts on a real socket, operation by operation, and how it reads what comes back.

A mock transport would show what the client means to send; only a server shows what was sent.
"""

import inspect
import json
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Algorithm, AmazonPayClient, ClaimedAccount, CompletedCheckout, Environment, Region
from amazon_pay_client.errors import ClientUnusableError
from amazon_pay_client.models import ChargeState
from amazon_pay_client.signing import canonical_request, verify
from tests.client.examples import CHARGE, CREATE
from tests.client.loopback import KEY_ID, NO_TLS, Loopback, Received
from tests.client.operations import KEY, OPERATIONS, Operation

KEY_HEADER: Final = "x-amz-pay-idempotency-key"


def holds(received: Received, private_key: RSAPrivateKey, algorithm: Algorithm = Algorithm.V2) -> bool:
    """Whether a receiver who knows only the public key and the bytes accepts the request."""
    path, _, query = received.target.partition("?")
    authorization = received.authorization
    assert authorization.algorithm == algorithm.wire_name
    canonical = canonical_request(
        received.method,
        path,
        parse_qsl(query, keep_blank_values=True),
        received.merged_headers,
        authorization.signed_headers,
        received.body,
    )
    return verify(private_key.public_key(), algorithm, canonical, authorization.signature)


def wire_of(result: Any) -> Any:
    """What the caller was given, as it stands on the wire."""
    if isinstance(result, CompletedCheckout):
        result = result.session
    return None if result is None else json.loads(result.to_json())


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
async def older_client(server: Loopback, private_key: RSAPrivateKey) -> AsyncIterator[AmazonPayClient]:
    """With a key id that names no environment, in another region, and with the older algorithm."""
    async with AmazonPayClient(
        public_key_id="AOLDKEY",
        private_key=private_key,
        region=Region.JP,
        environment=Environment.LIVE,
        algorithm=Algorithm.V1,
        origin=server.origin,
        verify=NO_TLS,
    ) as client:
        yield client


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_each_operation_sends_its_method_address_and_body_once_and_signed(
    operation: Operation, client: AmazonPayClient, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answers(operation.answer, operation.status, dict(operation.headers))

    result = await operation.call(client)

    (received,) = server.received
    assert (received.method, received.target) == (operation.method, f"/v2{operation.target}")
    assert received.body == operation.body
    assert received.values("x-amz-pay-region") == ["na"]
    assert received.values("x-amz-pay-host") == received.values("host")
    assert (received.values("accept"), received.values("content-type")) == (["application/json"], ["application/json"])
    assert received.values(KEY_HEADER) == ([KEY] if operation.takes_key else [])
    assert received.authorization.public_key_id == KEY_ID
    always = {"accept", "content-type", "x-amz-pay-date", "x-amz-pay-host", "x-amz-pay-region"}
    assert set(received.authorization.signed_headers) == always | ({KEY_HEADER} if operation.takes_key else set())
    assert holds(received, private_key)
    if not isinstance(result, ClaimedAccount):
        assert wire_of(result) == _without_nulls(operation.answer)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_each_operation_keeps_its_address_below_the_environment_of_an_older_key(
    operation: Operation, older_client: AmazonPayClient, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answers(operation.answer, operation.status, dict(operation.headers))

    await operation.call(older_client)

    (received,) = server.received
    assert (received.method, received.target) == (operation.method, f"/live/v2{operation.target}")
    assert received.values("x-amz-pay-region") == ["jp"]
    assert holds(received, private_key, Algorithm.V1)


def operations_of(client: AmazonPayClient) -> dict[str, inspect.Signature]:
    """Every operation that the client has, by its path in Python."""
    groups = {name: group for name, group in vars(client).items() if not name.startswith("_")}
    return {
        f"{name}.{operation}": inspect.signature(method)
        for name, group in groups.items()
        for operation, method in inspect.getmembers(group, inspect.iscoroutinefunction)
        if not operation.startswith("_")
    }


def test_the_table_of_these_tests_leaves_no_operation_out(client: AmazonPayClient) -> None:
    called = {".".join(names[:2]) for names in (operation.call.__code__.co_names for operation in OPERATIONS)}

    assert called == set(operations_of(client))


def test_every_operation_takes_extra_headers_and_those_that_move_money_demand_a_key(client: AmazonPayClient) -> None:
    operations = operations_of(client)

    assert all("headers" in signature.parameters for signature in operations.values())
    demanding = {
        name
        for name, signature in operations.items()
        if "idempotency_key" in signature.parameters
        and signature.parameters["idempotency_key"].default is inspect.Parameter.empty
    }
    assert demanding == {"checkout_sessions.create", "charges.create", "charges.capture", "refunds.create"}


async def test_a_client_that_was_left_is_closed(server: Loopback, private_key: RSAPrivateKey) -> None:
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=server.origin
    ) as client:
        pass

    with pytest.raises(
        ClientUnusableError, match=r"^GET charges/\{charge_id\}: not sent: the client is closed$"
    ) as caught:
        await client.charges.get("S03-1")
    assert caught.value.never_sent
    assert not caught.value.is_retryable
    assert server.received == []


async def test_extra_headers_are_sent_and_signed(
    client: AmazonPayClient, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answers(CHARGE, 201)

    await client.charges.create(
        CREATE,
        idempotency_key=KEY,
        headers={"X-Amz-Pay-Simulation-Code": "SoftDeclined", "x-amz-pay-authtoken": "e.y.J", "x-other": "1"},
    )

    (received,) = server.received
    assert received.values("x-amz-pay-simulation-code") == ["SoftDeclined"]
    assert received.values("x-other") == ["1"]
    assert {"x-amz-pay-simulation-code", "x-amz-pay-authtoken"} < set(received.authorization.signed_headers)
    assert holds(received, private_key)


async def test_a_repetition_with_the_same_key_sends_the_same_bytes(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(CHARGE, 201)

    for _ in range(2):
        await client.charges.create(CREATE, idempotency_key=KEY)

    first, second = server.received
    assert (first.target, first.body) == (second.target, second.body)
    assert first.values(KEY_HEADER) == second.values(KEY_HEADER)


@pytest.mark.parametrize("algorithm", Algorithm)
async def test_an_old_key_id_and_either_algorithm_reach_the_path_of_the_environment(
    algorithm: Algorithm, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answers(CHARGE)

    async with AmazonPayClient(
        public_key_id="AOLDKEY",
        private_key=private_key,
        region=Region.JP,
        environment=Environment.SANDBOX,
        algorithm=algorithm,
        origin=server.origin,
    ) as client:
        charge = await client.charges.get("S03-1")

    (received,) = server.received
    assert received.target == "/sandbox/v2/charges/S03-1"
    assert holds(received, private_key, algorithm)
    assert charge.status_details.state is ChargeState.AUTHORIZED
