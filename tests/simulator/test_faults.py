"""What goes wrong on the wire, as a client over real HTTP sees it; and that the seed alone decides."""

import asyncio
import itertools
from collections import Counter
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import ValidationError

from amazon_pay_simulator import SimulatorHandle, wire
from amazon_pay_simulator.faults import Fault, FaultPlan, Faults
from tests.simulator.merchant import Answer, Merchant, Wanted, charge_of, new_key
from tests.simulator.witness import calls_of, charges_of

REFUSALS = {
    Fault.INTERNAL_ERROR: (500, "InternalServerError"),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable"),
    Fault.THROTTLED: (429, "TooManyRequests"),
}
NOTHING = FaultPlan()


@pytest.fixture
async def agreed(amazon: SimulatorHandle) -> str:
    """A permission at the test's own simulator."""
    return (await amazon.open_permission()).charge_permission_id


async def test_a_lost_answer_is_of_a_charge_that_was_made_and_the_same_key_finds_it(
    shop: Merchant, amazon: SimulatorHandle, agreed: str
) -> None:
    await amazon.set_faults(FaultPlan(requests={Fault.LOST_ANSWER: 1}))
    key = new_key()

    with pytest.raises(httpx.RemoteProtocolError):
        await shop.create_charge(charge_of(agreed), key)
    (made,) = await charges_of(amazon, agreed)
    await amazon.set_faults(NOTHING)
    status, charge = await shop.create_charge(charge_of(agreed), key)

    assert (status, charge["chargeId"]) == (201, made.charge_id)
    assert await charges_of(amazon, agreed) == [made]
    assert [call.replayed for call in await calls_of(amazon, agreed)] == [False, True]


async def test_a_reset_comes_before_amazon_has_seen_the_request(
    shop: Merchant, amazon: SimulatorHandle, agreed: str
) -> None:
    await amazon.set_faults(FaultPlan(requests={Fault.RESET: 1}))

    with pytest.raises(httpx.ReadError):  # an orderly close would be a RemoteProtocolError
        await shop.create_charge(charge_of(agreed), new_key())

    assert await calls_of(amazon, agreed) == []
    assert await amazon.faults() == {"reset": 1}


@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_server_error_comes_before_anything_was_done_and_leaves_the_key_free(
    shop: Merchant, amazon: SimulatorHandle, agreed: str, fault: Fault
) -> None:
    await amazon.set_faults(FaultPlan(requests={fault: 1}))
    key = new_key()

    status, answer = await shop.create_charge(charge_of(agreed), key)
    assert (status, answer["reasonCode"]) == REFUSALS[fault]
    assert list(answer) == ["reasonCode", "message"]
    assert await calls_of(amazon, agreed) == []
    await amazon.set_faults(NOTHING)

    assert (await shop.create_charge(charge_of(agreed), key))[0] == 201


async def test_a_request_that_is_not_the_merchants_is_refused_for_that_whatever_goes_wrong(
    shop: Merchant, amazon: SimulatorHandle
) -> None:
    await amazon.set_faults(FaultPlan(requests={Fault.INTERNAL_ERROR: 1}))

    answer = await shop.send(Wanted("GET", "/v2/charges/none", authorization=""))

    assert answer.status_code == 403


async def test_a_slow_body_comes_in_pieces_and_is_the_same_in_the_end(
    shop: Merchant, amazon: SimulatorHandle, agreed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SLOW_BODY_SECONDS", 0.0005)
    whole = await shop.send(Wanted("GET", f"/v2/chargePermissions/{agreed}"))
    await amazon.set_faults(FaultPlan(requests={Fault.SLOW_BODY: 1}))

    slow = await shop.send(Wanted("GET", f"/v2/chargePermissions/{agreed}"))

    assert slow.json() == whole.json()
    assert "content-length" not in slow.headers
    assert slow.headers["transfer-encoding"] == "chunked"
    assert slow.headers["x-amz-pay-request-id"]
    assert slow.headers["content-type"] == whole.headers["content-type"]


async def test_whatever_goes_wrong_a_client_that_repeats_with_the_same_key_charges_once(
    shop: Merchant, amazon: SimulatorHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SLOW_BODY_SECONDS", 0.0)
    await amazon.set_faults(FaultPlan(seed=11, requests=dict.fromkeys(Fault, 0.1), longest_latency_seconds=0.005))

    async def charged(permission: str, key: str) -> Answer:
        for _ in range(50):
            try:
                answer = await shop.create_charge(charge_of(permission), key)
            except httpx.TransportError:
                continue
            if answer[0] == 201:
                return answer
        raise AssertionError("fifty times in a row")

    permissions = [(await amazon.open_permission()).charge_permission_id for _ in range(30)]
    told = [await charged(permission, f"charge-{number}") for number, permission in enumerate(permissions)]

    charges = (await amazon.books()).charges
    assert [charge.charge_id for charge in charges] == [answer["chargeId"] for _, answer in told]
    assert [charge.charge_permission_id for charge in charges] == permissions
    assert set(await amazon.faults()) == set(Fault), "each of them happened"


def test_the_seed_decides_and_not_the_order_in_which_requests_arrive() -> None:
    plan = FaultPlan(seed=3, requests=dict.fromkeys(Fault, 0.15), longest_latency_seconds=5)
    requests = [f"POST /v2/charges {key}" for key in range(50)] * 3

    def decided(plan: FaultPlan, order: list[str]) -> dict[str, list[tuple[Fault | None, float]]]:
        faults, decisions = Faults(plan), dict[str, list[tuple[Fault | None, float]]]()
        for request in order:
            decisions.setdefault(request, []).append(faults.of_request(request))
        return decisions

    first = decided(plan, requests)
    assert decided(plan, sorted(requests)) == first
    assert decided(plan, requests[::-1]) == first
    assert decided(plan.model_copy(update={"seed": 4}), requests) != first
    assert any(len(set(times)) > 1 for times in first.values()), "a repetition has luck of its own"


def test_a_plan_that_is_followed_again_decides_again_as_before() -> None:
    plan = FaultPlan(requests={Fault.RESET: 0.5})
    faults = Faults(plan)
    first = [faults.of_request("x") for _ in range(20)]

    faults.follow(plan)

    assert [faults.of_request("x") for _ in range(20)] == first


def test_each_fault_has_its_share_and_a_latency_stays_within_its_bound() -> None:
    shares = {Fault.LOST_ANSWER: 0.2, Fault.RESET: 0.3, Fault.THROTTLED: 0.05}
    faults = Faults(FaultPlan(requests=shares, longest_latency_seconds=2))

    decisions = [faults.of_request(str(number)) for number in range(20_000)]

    counted = Counter(fault for fault, _ in decisions)
    assert {fault: round(counted[fault] / 20_000, 2) for fault in shares} == shares
    latencies = [latency for _, latency in decisions]
    assert 0 <= min(latencies) < 0.01
    assert 1.99 < max(latencies) <= 2


@pytest.mark.parametrize("shares", [{Fault.RESET: 1}, {Fault.RESET: 0.5, Fault.UNAVAILABLE: 0.5}])
def test_shares_that_are_one_together_leave_no_request_alone(shares: dict[Fault, float]) -> None:
    faults = Faults(FaultPlan(requests=shares))

    assert all(faults.of_request(str(number))[0] for number in range(1_000))


@pytest.mark.parametrize(
    ("shares", "named"),
    [({"reset": 1.1}, "requests.reset"), ({"reset": -0.1}, "requests.reset"), ({"fire": 0.1}, "requests.fire")]
    + [({a: 0.6, b: 0.6}, "1.2 together") for a, b in itertools.islice(itertools.combinations(Fault, 2), 2)],
)
def test_shares_that_cannot_be_are_refused_by_name(shares: dict[str, float], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FaultPlan.model_validate({"requests": shares})

    text = f"{'.'.join(map(str, caught.value.errors()[0]['loc']))} {caught.value}"
    assert named in text


async def test_a_plan_that_cannot_be_is_refused_and_the_old_one_stays(shop: Merchant, amazon: SimulatorHandle) -> None:
    await amazon.set_faults(FaultPlan(requests={Fault.UNAVAILABLE: 1}))
    async with httpx.AsyncClient(base_url=amazon.origin) as http:
        refused = await http.put("/simulator/faults", json={"requests": {"unavailable": 2}})

    assert refused.status_code == 422
    assert (await shop.charge("none"))[0] == 503


async def test_a_client_that_dies_in_the_middle_of_a_request_troubles_nobody(
    amazon: SimulatorHandle, caplog: pytest.LogCaptureFixture
) -> None:
    """As a worker that is killed does: what never came whole is not in the books, and is no error of ours."""
    address = urlsplit(amazon.origin)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b'POST /v2/charges HTTP/1.1\r\nhost: amazon\r\ncontent-length: 100\r\n\r\n{"chargePermissionId":')
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)

    assert (await amazon.books()).calls == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
