"""What the client refuses before a byte leaves: a request that is surely wrong must not become a charge."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Environment, Region
from tests.client.answers import REPORTS
from tests.client.examples import CHARGE, CLOSE, CREATE, PERMISSION
from tests.client.loopback import KEY_ID, Loopback
from tests.client.operations import NEW_YEAR, NEXT_WEEK, ORDERS


def test_a_client_for_the_wrong_environment_cannot_be_made(private_key: RSAPrivateKey) -> None:
    with pytest.raises(ValueError, match="environment"):
        AmazonPayClient(public_key_id=KEY_ID, private_key=private_key, region=Region.NA, environment=Environment.LIVE)


@pytest.mark.parametrize("key", ["", "x" * 33, "0b3f4c1e-6a52-4b0e-9d57-0c6f1a1f2c3d", "a b", "a\n", "cl\u00e9", "a.b"])
async def test_a_bad_idempotency_key_is_refused_before_anything_is_sent(
    key: str, client: AmazonPayClient, server: Loopback
) -> None:
    with pytest.raises(ValueError, match=r"^idempotency key: .*1 to 32 characters"):
        await client.charges.create(CREATE, idempotency_key=key)

    assert server.received == []


@pytest.mark.parametrize("key", ["x", "x" * 32, "Period_7-attempt-1"])
async def test_a_good_idempotency_key_is_sent_as_it_is(key: str, client: AmazonPayClient, server: Loopback) -> None:
    server.answers(CHARGE, 201)

    await client.charges.create(CREATE, idempotency_key=key)

    assert server.received[0].values("x-amz-pay-idempotency-key") == [key]


@pytest.mark.parametrize("identifier", ["", ".", ".."])
async def test_an_id_that_would_address_another_resource_is_refused_before_anything_is_sent(
    identifier: str, client: AmazonPayClient, server: Loopback
) -> None:
    server.answers(PERMISSION)

    with pytest.raises(ValueError, match=r"^charge_permission_id: .*addresses another resource"):
        await client.charge_permissions.close(identifier, CLOSE)

    assert server.received == []


async def test_an_id_stays_one_segment_of_the_path_whatever_it_holds(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(CHARGE)

    await client.charges.get("a/../b?c#d e%2F")

    assert server.received[0].target == "/v2/charges/a%2F..%2Fb%3Fc%23d%20e%252F"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda client: client.charges.get(""), "^charge_id: "),
        (lambda client: client.refunds.get(".."), "^refund_id: "),
        (lambda client: client.stores.update("A1", ".", None), "^store_id: "),
        (lambda client: client.buyers.get("x" * 1001), "^buyer_token: it has 1001 characters"),
        (lambda client: client.charges.get("\ud800"), "^charge_id: it holds half a surrogate pair"),
        (lambda client: client.authorization_tokens.get("token", merchant_id=""), "^merchant_id: "),
    ],
)
async def test_an_id_that_cannot_be_sent_is_refused_by_its_name(
    call: Callable[[AmazonPayClient], Awaitable[Any]], reason: str, client: AmazonPayClient, server: Loopback
) -> None:
    with pytest.raises(ValueError, match=reason):
        await call(client)

    assert server.received == []


async def test_a_token_in_the_path_is_never_shown_by_an_error(client: AmazonPayClient, server: Loopback) -> None:
    server.answer = b""

    with pytest.raises(Exception, match=r"GET buyers/\{buyer_token\}: no answer") as caught:
        await client.buyers.get("Atza-secret")
    with pytest.raises(ValueError, match="characters") as refused:
        await client.buyers.get("Atza-secret" * 100)

    assert "secret" not in f"{caught.value!r}{caught.value.__cause__!r}{refused.value!r}"


@pytest.mark.parametrize("name", ["", "x a", "x\r\na", "x:", "caf\u00e9"])
async def test_a_name_that_is_none_of_a_header_is_refused(name: str, client: AmazonPayClient, server: Loopback) -> None:
    with pytest.raises(ValueError, match=r"^headers: .* is not the name of a header"):
        await client.charges.get("S03-1", headers={name: "1"})

    assert server.received == []


@pytest.mark.parametrize(
    "value", ["", " ", " secret", "secret ", "secret\r\nx-b: 1", "secret\n", "s\u00e9cret", "secret\0"]
)
async def test_a_header_that_cannot_be_sent_is_refused_by_its_name_and_not_by_its_value(
    value: str, client: AmazonPayClient, server: Loopback
) -> None:
    with pytest.raises(ValueError, match=r"^headers: the value of x-amz-pay-authtoken cannot be sent") as caught:
        await client.charges.get("S03-1", headers={"x-amz-pay-authtoken": value})

    assert "secret" not in str(caught.value)
    assert server.received == []


@pytest.mark.parametrize("name", ["Authorization", "x-amz-pay-date", "X-Amz-Pay-Host", "x-amz-pay-region", "host"])
async def test_a_header_that_the_client_makes_cannot_be_given(
    name: str, client: AmazonPayClient, server: Loopback
) -> None:
    with pytest.raises(ValueError, match=f"^headers: {name} is made by the client"):
        await client.charges.get("S03-1", headers={name: "1"})

    assert server.received == []


@pytest.mark.parametrize("name", ["x-amz-pay-idempotency-key", "X-Amz-Pay-Idempotency-Key"])
async def test_an_idempotency_key_is_given_once(name: str, client: AmazonPayClient, server: Loopback) -> None:
    with pytest.raises(ValueError, match=r"^idempotency key: it is given twice"):
        await client.charges.create(CREATE, idempotency_key="p7-a1", headers={name: "another"})
    with pytest.raises(ValueError, match=r"^headers: a header is given twice"):
        await client.charges.get("S03-1", headers={name: "a", name.swapcase(): "b"})
    with pytest.raises(ValueError, match=r"^idempotency key: 'not one' is not one"):
        await client.charges.get("S03-1", headers={name: "not one"})

    assert server.received == []


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"page_size": 0}, "pageSize|page_size"),
        ({"page_size": 101}, "pageSize|page_size"),
        ({"next_token": ""}, "nextToken|next_token"),
        ({"next_token": "t", "page_size": 10}, "nextToken: .*give it alone"),
        ({"next_token": "t", "report_types": [ORDERS]}, "nextToken: .*give it alone"),
        ({"created_since": datetime(2026, 1, 1)}, "createdSince|created_since"),  # noqa: DTZ001 - that is the fault
    ],
)
async def test_filters_of_reports_are_refused_by_name(
    filters: dict[str, Any], reason: str, client: AmazonPayClient, server: Loopback
) -> None:
    server.answers(REPORTS)

    with pytest.raises(ValueError, match=reason):
        await client.reports.list(**filters)

    assert server.received == []


async def test_disbursements_end_after_they_start(client: AmazonPayClient, server: Loopback) -> None:
    with pytest.raises(ValueError, match=r"endTime: .* is before startTime"):
        await client.disbursements.list(start_time=NEXT_WEEK, end_time=NEW_YEAR)

    assert server.received == []


async def test_a_filter_that_is_too_long_for_an_address_is_refused(client: AmazonPayClient, server: Loopback) -> None:
    with pytest.raises(ValueError, match=r"^GET reports: the address cannot be sent"):
        await client.reports.list(next_token="t" * 70_000)

    assert server.received == []
