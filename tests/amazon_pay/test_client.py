"""What the client puts on a real socket, operation by operation, and how it reads what comes back.

A mock transport would show what the client means to send; only a server shows what was sent.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay import Algorithm, AmazonPayClient, Environment, Region
from amazon_pay.models import Charge, ChargePermission, ChargeState
from amazon_pay.signing import canonical_request, verify
from tests.amazon_pay.examples import CHARGE, CLOSE, CLOSE_BODY, CREATE, CREATE_BODY, PERMISSION
from tests.amazon_pay.loopback import KEY_ID, Loopback, Received

Operation = Callable[[AmazonPayClient], Awaitable[Charge | ChargePermission]]
OPERATIONS: Final[dict[str, tuple[Operation, int, dict[str, Any], str, str, bytes]]] = {
    "create charge": (
        lambda client: client.charges.create(CREATE, idempotency_key="p7-a1"),
        201,
        CHARGE,
        "POST",
        "/v2/charges",
        CREATE_BODY,
    ),
    "get charge": (
        lambda client: client.charges.get("S03-1"),
        200,
        CHARGE,
        "GET",
        "/v2/charges/S03-1",
        b"",
    ),
    "get charge permission": (
        lambda client: client.charge_permissions.get("C01-1-2"),
        200,
        PERMISSION,
        "GET",
        "/v2/chargePermissions/C01-1-2",
        b"",
    ),
    "close charge permission": (
        lambda client: client.charge_permissions.close("C01-1-2", CLOSE),
        200,
        PERMISSION,
        "DELETE",
        "/v2/chargePermissions/C01-1-2/close",
        CLOSE_BODY,
    ),
}


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


@pytest.mark.parametrize(
    ("operation", "status", "body", "method", "target", "sent"), OPERATIONS.values(), ids=OPERATIONS.keys()
)
async def test_each_operation_sends_its_method_path_and_body_once_and_signed(
    operation: Operation,
    status: int,
    body: dict[str, Any],
    method: str,
    target: str,
    sent: bytes,
    client: AmazonPayClient,
    server: Loopback,
    private_key: RSAPrivateKey,
) -> None:
    server.answers(body, status)

    read = await operation(client)

    (received,) = server.received
    assert (received.method, received.target, received.body) == (method, target, sent)
    assert received.values("x-amz-pay-region") == ["na"]
    assert received.values("x-amz-pay-host") == received.values("host")
    assert received.authorization.public_key_id == KEY_ID
    assert holds(received, private_key)
    assert json.loads(read.to_json()) == _without_nulls(body)


async def test_every_request_asks_for_json_and_says_that_it_sends_json(
    client: AmazonPayClient, server: Loopback
) -> None:
    for operation, status, body, *_ in OPERATIONS.values():
        server.answers(body, status)
        await operation(client)

    for received in server.received:
        assert (received.values("accept"), received.values("content-type")) == (
            ["application/json"],
            ["application/json"],
        )


async def test_a_client_that_was_left_is_closed(server: Loopback, private_key: RSAPrivateKey) -> None:
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=server.origin
    ) as client:
        pass

    with pytest.raises(RuntimeError, match="closed"):
        await client.charges.get("S03-1")
    assert server.received == []


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


async def test_only_create_carries_an_idempotency_key_and_the_key_is_signed(
    client: AmazonPayClient, server: Loopback
) -> None:
    for operation, status, body, *_ in OPERATIONS.values():
        server.answers(body, status)
        await operation(client)

    create, *others = server.received
    assert create.values("x-amz-pay-idempotency-key") == ["p7-a1"]
    assert "x-amz-pay-idempotency-key" in create.authorization.signed_headers
    assert not any(other.values("x-amz-pay-idempotency-key") for other in others)


async def test_extra_headers_are_sent_and_signed(
    client: AmazonPayClient, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answers(CHARGE, 201)

    await client.charges.create(
        CREATE, idempotency_key="p7-a1", headers={"X-Amz-Pay-Simulation-Code": "SoftDeclined", "x-other": "1"}
    )

    (received,) = server.received
    assert received.values("x-amz-pay-simulation-code") == ["SoftDeclined"]
    assert received.values("x-other") == ["1"]
    assert "x-amz-pay-simulation-code" in received.authorization.signed_headers
    assert holds(received, private_key)


@pytest.mark.parametrize("name", ["x-amz-pay-idempotency-key", "X-Amz-Pay-Idempotency-Key"])
async def test_an_extra_header_never_adds_a_second_idempotency_key(
    name: str, client: AmazonPayClient, server: Loopback
) -> None:
    server.answers(CHARGE, 201)

    await client.charges.create(CREATE, idempotency_key="p7-a1", headers={name: "another"})

    assert server.received[0].values("x-amz-pay-idempotency-key") == ["p7-a1"]


async def test_a_repetition_with_the_same_key_sends_the_same_bytes(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(CHARGE, 201)

    for _ in range(2):
        await client.charges.create(CREATE, idempotency_key="p7-a1")

    first, second = server.received
    assert (first.target, first.body) == (second.target, second.body)
    assert first.values("x-amz-pay-idempotency-key") == second.values("x-amz-pay-idempotency-key")


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
    assert received.values("x-amz-pay-region") == ["jp"]
    assert holds(received, private_key, algorithm)
    assert charge.status_details.state is ChargeState.AUTHORIZED
