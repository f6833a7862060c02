"""The simulator's clock: for requests that bring no time along, and for what happens by itself."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import state_and_reason
from tests.simulator.merchant import Merchant, charge_of, new_key
from tests.simulator.receiver import Receiver

JANUARY = datetime(datetime.now(UTC).year + 1, 1, 15, 9, 30, tzinfo=UTC)
A_WHILE = timedelta(minutes=5)
"""More than any test takes."""


def instant_of(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


async def test_it_runs_as_the_wall_clock_does_until_it_is_set(amazon: SimulatorHandle) -> None:
    shown = await amazon.now()
    assert timedelta(0) <= datetime.now(UTC) - shown < A_WHILE

    await amazon.set_clock(JANUARY)

    assert timedelta(0) <= await amazon.now() - JANUARY < A_WHILE


async def test_what_is_asked_for_without_a_time_is_dated_by_it(shop: Merchant, amazon: SimulatorHandle) -> None:
    await amazon.set_clock(JANUARY)
    opened = await amazon.open_permission()

    _, charge = await shop.create_charge(charge_of(opened.charge_permission_id), new_key())

    assert opened.creation_timestamp is not None
    assert timedelta(0) <= opened.creation_timestamp - JANUARY < A_WHILE
    assert timedelta(0) <= instant_of(charge["creationTimestamp"]) - JANUARY < A_WHILE
    (call,) = (await amazon.books()).calls
    assert call.at == charge["creationTimestamp"]


async def test_a_request_that_brings_its_time_is_dated_by_that(shop: Merchant, amazon: SimulatorHandle) -> None:
    await amazon.set_clock(JANUARY)
    own = JANUARY + timedelta(days=70)
    permission = (await amazon.open_permission(at=own)).charge_permission_id

    _, charge = await shop.create_charge(charge_of(permission), new_key(), own)

    assert instant_of(charge["creationTimestamp"]) == own


async def test_moving_it_on_lets_happen_what_was_to_happen_until_then_and_no_more(
    shop: Merchant, amazon: SimulatorHandle
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    _, charge = await shop.create_charge(charge_of(permission, captureNow=False), new_key())

    await amazon.advance_clock(timedelta(days=30) - A_WHILE)
    _, before = await shop.charge(charge["chargeId"])
    await amazon.advance_clock(A_WHILE)
    _, after = await shop.charge(charge["chargeId"])

    assert [state_and_reason(charge) for charge in (before, after)] == [
        ("Authorized", None),
        ("Canceled", "ExpiredUnused"),
    ]


async def test_it_lets_things_happen_while_nobody_asks(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    _, charge = await shop.create_charge(charge_of(permission, captureNow=False), new_key())
    until = instant_of(charge["expirationTimestamp"]) - await amazon.now()

    await amazon.advance_clock(until - timedelta(seconds=1))

    told = await receiver.received(2)
    assert [notification.object_id for notification in told] == [charge["chargeId"]] * 2


async def test_the_date_of_a_signature_is_checked_by_the_wall_clock_whatever_this_one_says(
    shop: Merchant, amazon: SimulatorHandle
) -> None:
    await amazon.set_clock(JANUARY)

    status, _ = await shop.charge("none")

    assert status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/clock", {"now": f"{JANUARY:%Y-%m-%dT%H:%M:%S}"}, 422),
        ("PUT", "/clock", {"now": "soon"}, 422),
        ("PUT", "/clock", {"now": "9999-12-31T23:59:59Z"}, 400),
        ("PUT", "/clock", {"now": "0001-01-01T00:00:00Z"}, 400),
        ("POST", "/clock/advance", {"by": "P9999Y"}, 400),
        ("POST", "/clock/advance", {"by": -1e11}, 400),
        ("POST", "/clock/advance", {"by": 1e30}, 422),
        ("POST", "/clock/advance", {}, 422),
    ],
)
async def test_a_time_that_cannot_be_is_refused_and_the_clock_runs_on(
    simulator: SimulatorHandle, method: str, path: str, body: dict[str, object], status: int
) -> None:
    async with httpx.AsyncClient(base_url=f"{simulator.origin}/simulator") as http:
        answer = await http.request(method, path, json=body)

    assert answer.status_code == status, answer.text
    shown = await simulator.now()
    assert timedelta(0) <= datetime.now(UTC) - shown < A_WHILE


@pytest.mark.parametrize("text", ["99991231T235959Z", "00010101T000000Z"])
async def test_a_callers_time_beyond_the_calendar_is_refused(merchant: Merchant, permission: str, text: str) -> None:
    status, answer = await merchant.create_charge(charge_of(permission), new_key(), headers={"x-simulator-time": text})

    assert (status, answer["reasonCode"]) == (400, "InvalidHeaderValue")
    assert text in answer["message"]
