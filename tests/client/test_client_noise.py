"""Whatever bytes come back, the caller meets an answer or an `AmazonPayError`: nobody can list all proxies."""

import json
from typing import Any, Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.errors import AmazonPayError, ApiError, InvalidAnswerError, TransportError
from amazon_pay_client.models import Charge
from tests.client.examples import CHARGE
from tests.client.loopback import Loopback, answer
from tests.client.operations import OPERATIONS, Operation

SERVER_OUTLIVES_EXAMPLES: Final = settings(
    deadline=None,  # sockets have no steady time
    max_examples=75,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
BODIES: Final = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.builds(lambda code, text: json.dumps({"reasonCode": code, "message": text}).encode(), JSON, JSON)
)


def bodies_like(example_of_it: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """The answer with some field, at any depth, that holds anything at all."""

    def with_one_other(answer_body: Any, path: tuple[Any, ...], value: Any) -> Any:
        if not path:
            return value
        copy = answer_body.copy()
        copy[path[0]] = with_one_other(answer_body[path[0]], path[1:], value)
        return copy

    def paths(body: Any) -> list[tuple[Any, ...]]:
        entries = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
        return [(), *((name, *path) for name, inner in entries for path in paths(inner))]

    return st.builds(
        lambda path, value: json.dumps(with_one_other(example_of_it, path, value)).encode(),
        st.sampled_from(paths(example_of_it)),
        JSON
        | st.sampled_from(
            [
                "20231026T062827Z",
                10**30,
                -1,
                1.7e9,
                "0001-01-01T00:00:00+05:00",
                "0900-01-01T00:00:00Z",
                "9999-12-31T23:59:59-05:00",
                "{}",
                "[",
                '{"name":3}',
                "NaN",
                "1e999",
            ]
        ),
    )


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[Operation, bytes]:
    """An operation, and a body that may come back."""
    operation = draw(st.sampled_from(OPERATIONS))
    return operation, draw(bodies_like(operation.answer) | BODIES if operation.answer else BODIES)


CHARGES: Final = st.builds(
    lambda field, value: json.dumps(CHARGE | {field: value}).encode(), st.sampled_from([*CHARGE]), JSON
)
READ_CHARGE: Final = next(operation for operation in OPERATIONS if operation.name == "get charge")


async def outcome_of(client: AmazonPayClient, operation: Operation = READ_CHARGE) -> Any:
    """What the caller is given, or the documented error; Any: the results differ."""
    try:
        return await operation.call(client)
    except AmazonPayError as error:
        return error


@given(status=st.integers(200, 999), body=BODIES | CHARGES)
@example(status=500, body=b"1" * 5000)
@example(status=422, body=b'{"reasonCode":"a","message":' + b"[" * 900 + b"]" * 900 + b"}")
@example(status=201, body=b'{"chargeId":"\\ud800"}')
@SERVER_OUTLIVES_EXAMPLES
async def test_any_answer_is_a_charge_or_a_documented_error_with_its_status(
    status: int, body: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(status, body)

    outcome = await outcome_of(client)

    if isinstance(outcome, Charge):
        assert 200 <= status < 300
        assert outcome.to_json()
    else:
        assert isinstance(outcome, ApiError | InvalidAnswerError)
        assert outcome.status == status
        assert str(outcome)


@given(exchange=exchanges(), status=st.sampled_from([200, 201, 202, 204, 303, 400, 422, 500]))
@settings(SERVER_OUTLIVES_EXAMPLES, max_examples=100)
async def test_any_answer_to_any_operation_is_a_result_or_a_documented_error(
    exchange: tuple[Operation, bytes], status: int, client: AmazonPayClient, server: Loopback
) -> None:
    operation, body = exchange
    server.answer = answer(status, body, {"location": "https://example.com/a page"})

    outcome = await outcome_of(client, operation)

    if isinstance(outcome, AmazonPayError):
        assert isinstance(outcome, ApiError | InvalidAnswerError)
        assert outcome.status == status
        assert str(outcome)
    else:
        assert 200 <= status < 300 or (status == 303 and operation.status == 303)


@given(status=st.integers(100, 199), body=BODIES)
@SERVER_OUTLIVES_EXAMPLES
async def test_an_interim_answer_alone_is_no_answer(
    status: int, body: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(status, body)

    assert isinstance(await outcome_of(client), TransportError)


@given(noise=st.binary(max_size=100))
@SERVER_OUTLIVES_EXAMPLES
async def test_any_noise_on_the_wire_is_a_transport_error(
    noise: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = noise

    assert isinstance(await outcome_of(client), TransportError)
