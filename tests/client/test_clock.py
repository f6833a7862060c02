"""A machine whose clock is wrong: no signature of its holds, and the answer's `Date` shows why."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.clock import ahead_of, in_words
from amazon_pay_client.errors import AccessError, AmazonPayError, ApiError
from tests.client.examples import CREATE
from tests.client.loopback import Loopback

REFUSED = {"reasonCode": "InvalidRequestSignature", "message": "Unable to verify signature"}


def dated(ahead: timedelta) -> dict[str, str]:
    """The header of an Amazon whose clock is ahead of this machine's."""
    return {"date": format_datetime(datetime.now(UTC) + ahead, usegmt=True)}


async def failure_of(client: AmazonPayClient) -> AmazonPayError:
    with pytest.raises(AmazonPayError) as caught:
        await client.charges.create(CREATE, idempotency_key="p2-a3")
    return caught.value


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(hours=26), "this machine's clock is 26 h behind Amazon's"),
        (timedelta(days=-1), "this machine's clock is 24 h ahead of Amazon's"),
        (timedelta(minutes=17), "this machine's clock is 17 min behind Amazon's"),
        (timedelta(seconds=20), None),
    ],
)
async def test_a_signature_that_is_not_believed_tells_by_how_much_this_machines_clock_is_wrong(
    client: AmazonPayClient, server: Loopback, ahead: timedelta, words: str | None
) -> None:
    server.answers(REFUSED, 403, dated(ahead))

    error = await failure_of(client)

    assert isinstance(error, AccessError)
    assert error.clock == words
    assert str(error).endswith(f"; {words}" if words else "(request id unknown)")


@pytest.mark.parametrize(("status", "reason_code"), [(422, "HardDeclined"), (400, "InvalidParameterValue")])
async def test_an_answer_that_has_nothing_to_do_with_the_signature_says_nothing_of_the_clock(
    client: AmazonPayClient, server: Loopback, status: int, reason_code: str
) -> None:
    server.answers({"reasonCode": reason_code, "message": ""}, status, dated(timedelta(days=3)))

    error = await failure_of(client)

    assert isinstance(error, ApiError)
    assert error.clock is None


@pytest.mark.parametrize("date", ["", "tomorrow", "Thu, 32 Dec 2026 25:00:00 GMT", "0"])
async def test_a_date_that_is_none_says_nothing(client: AmazonPayClient, server: Loopback, date: str) -> None:
    server.answers(REFUSED, 401, {"date": date})

    error = await failure_of(client)

    assert isinstance(error, AccessError)
    assert error.clock is None


@given(st.text())
def test_no_header_is_too_odd_to_be_read(date: str) -> None:
    in_words(ahead_of(date))
