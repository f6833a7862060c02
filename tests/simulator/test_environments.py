"""A key for Live meets Live: ids, environment and objects of its own, and no simulations."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.checkout import approved, recurring_of, session_of
from tests.simulator.merchant import Merchant, Wanted, charge_of, merchant_of, new_key, price
from tests.simulator.running import running_simulator

LIVE_KEY = "LIVE-MERCHANT"


@pytest.fixture
async def live(private_key: RSAPrivateKey, signer: NotificationSigner) -> AsyncIterator[SimulatorHandle]:
    async with running_simulator(private_key, signer, key_id=LIVE_KEY) as handle:
        yield handle


@pytest.fixture
async def seller(live: SimulatorHandle, private_key: RSAPrivateKey) -> AsyncIterator[Merchant]:
    async with merchant_of(live, private_key, LIVE_KEY) as merchant:
        yield merchant


@pytest.mark.parametrize(
    ("kind", "prefix"), [("Recurring", "B01-"), ("OneTime", "P01-"), ("PaymentMethodOnFile", "B01-")]
)
async def test_objects_of_live_say_so_and_so_do_their_ids(
    live: SimulatorHandle, seller: Merchant, kind: str, prefix: str
) -> None:
    body = recurring_of("Confirm") if kind == "Recurring" else session_of("Confirm", chargePermissionType=kind)
    session_id = await approved(seller, live, body)
    _, session = await seller.complete_session(session_id, price("9.99"))
    permission = session["chargePermissionId"]

    _, charge = await seller.create_charge(charge_of(permission), new_key())
    _, refund = await seller.refund(charge["chargeId"], price("5.00"), new_key())
    dispute = await live.dispute_charge(charge["chargeId"])
    _, read = await seller.permission(permission)

    assert {answer["releaseEnvironment"] for answer in (session, read, charge, refund)} == {"Live"}
    assert dispute.release_environment == "Live"
    assert permission.startswith(prefix)
    for identifier in (charge["chargeId"], refund["refundId"], dispute.dispute_id):
        assert identifier.startswith("P01-")


async def test_a_buyer_gives_consent_in_live_where_the_merchant_has_only_keys_for_it(
    live: SimulatorHandle, seller: Merchant
) -> None:
    permission = await live.open_permission()

    assert permission.charge_permission_id.startswith("B01-")
    assert (await seller.create_charge(charge_of(permission.charge_permission_id), new_key()))[0] == 201


async def test_nothing_is_simulated_in_live(live: SimulatorHandle, seller: Merchant) -> None:
    permission = (await live.open_permission()).charge_permission_id

    status, charge = await seller.create_charge(charge_of(permission), new_key(), simulate="HardDeclined")

    assert (status, charge["statusDetails"]["state"]) == (201, "Captured")


@pytest.fixture
async def both(private_key: RSAPrivateKey, signer: NotificationSigner) -> AsyncIterator[Merchant]:
    """A merchant whose key says no environment: the path does."""
    async with (
        running_simulator(private_key, signer, key_id="AGMERCHANT") as handle,
        merchant_of(handle, private_key) as merchant,
    ):
        yield merchant


async def test_what_is_of_one_world_does_not_exist_in_the_other(both: Merchant) -> None:
    async def call(world: str, method: str, path: str, body: bytes = b"", key: str | None = None) -> tuple[int, Any]:
        headers = {"x-amz-pay-idempotency-key": key} if key else {}
        answer = await both.send(Wanted(method, f"/{world}/v2{path}", body, headers, key_id="AGMERCHANT"))
        return answer.status_code, answer.json()

    body = b'{"webCheckoutDetails": {}, "storeId": "amzn1.application-oa2-client.0"}'
    key = new_key()
    _, in_live = await call("live", "POST", "/checkoutSessions", body, key)
    _, in_sandbox = await call("sandbox", "POST", "/checkoutSessions", body, key)

    assert (in_live["releaseEnvironment"], in_sandbox["releaseEnvironment"]) == ("Live", "Sandbox")
    assert in_live["checkoutSessionId"] != in_sandbox["checkoutSessionId"], "a key of one world is free in the other"
    path = f"/checkoutSessions/{in_live['checkoutSessionId']}"
    assert (await call("live", "GET", path))[0] == 200
    status, answer = await call("sandbox", "GET", path)
    assert (status, answer["reasonCode"]) == (404, "ResourceNotFound")
    assert "Sandbox" in answer["message"]
