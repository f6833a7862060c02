"""Whatever bytes come back, the caller meets an answer or an `AmazonPayError`: nobody can list all proxies."""

import json
from typing import Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from amazon_pay import AmazonPayClient
from amazon_pay.errors import AmazonPayError, ApiError, InvalidAnswerError, TransportError
from amazon_pay.models import Charge
from tests.amazon_pay.examples import CHARGE
from tests.amazon_pay.loopback import Loopback, answer

SERVER_OUTLIVES_EXAMPLES: Final = settings(
    deadline=None,  # sockets have no steady time
    max_examples=150,
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
    | st.builds(lambda field, value: json.dumps(CHARGE | {field: value}).encode(), st.sampled_from([*CHARGE]), JSON)
)


async def outcome_of(client: AmazonPayClient) -> Charge | AmazonPayError:
    try:
        return await client.charges.get("S01-1")
    except AmazonPayError as error:
        return error


@given(status=st.integers(200, 999), body=BODIES)
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
