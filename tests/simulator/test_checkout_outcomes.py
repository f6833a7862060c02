"""How a checkout can end otherwise: by the test card, by a simulation code, by the buyer, by time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import approved, completed, opened, pending_of, recurring_of, session_of, state_and_reason
from tests.simulator.merchant import Merchant, price
from tests.simulator.receiver import Receiver
from tests.simulator.witness import charges_of, state_of

NOW = datetime.now(UTC).replace(microsecond=0)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize("card", ["1111", "0005", "4444", "9424", "0000"])
async def test_the_cards_that_succeed_succeed(merchant: Merchant, simulator: SimulatorHandle, card: str) -> None:
    status, session = await completed(merchant, simulator, card=card)

    assert (status, state_and_reason(session)) == (200, ("Completed", None))


@pytest.mark.parametrize(("card", "reason"), [("3064", "BuyerCanceled"), ("3434", "Declined")])
async def test_the_cards_that_cancel_cancel_the_session_and_make_no_permission(
    merchant: Merchant, simulator: SimulatorHandle, card: str, reason: str
) -> None:
    session_id = await approved(merchant, simulator, card=card)

    _, session = await merchant.session(session_id)
    assert state_and_reason(session) == ("Canceled", reason), "as the buyer comes back"
    for status, answer in (
        await merchant.complete_session(session_id, price("9.99")),
        await merchant.update_session(session_id, {"platformId": "A1PLATFORM"}),
        await merchant.finalize_session(session_id, {"paymentIntent": "Confirm", "chargeAmount": price("9.99")}),
    ):
        assert (status, answer["reasonCode"]) == (422, "InvalidCheckoutSessionStatus")
        assert reason in answer["message"]
    assert await merchant.session(session_id) == (200, session)
    assert session["chargePermissionId"] is None


@pytest.mark.parametrize("code", ["BuyerCanceled", "AmazonCanceled", "Declined"])
async def test_a_simulation_code_cancels_the_session_whatever_the_card(
    merchant: Merchant, simulator: SimulatorHandle, code: str
) -> None:
    session_id = await approved(merchant, simulator, pending_of(), card="0701")

    status, answer = await merchant.complete_session(session_id, price("9.99"), simulate=code)

    assert (status, answer["reasonCode"]) == (422, "CheckoutSessionCanceled")
    assert state_and_reason((await merchant.session(session_id))[1]) == ("Canceled", code)


async def test_a_code_that_cannot_be_simulated_is_refused_and_the_session_stays_open(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    session_id = await approved(merchant, simulator)

    status, answer = await merchant.complete_session(session_id, price("9.99"), simulate="SoftDeclined")

    assert (status, answer["reasonCode"]) == (400, "InvalidSandboxSimulationSpecified")
    assert state_and_reason((await merchant.session(session_id))[1]) == ("Open", None)


DECIDED: list[tuple[str, str | None, tuple[str, str | None]]] = [
    ("0701", None, ("Authorized", None)),
    ("4354", None, ("Declined", "HardDeclined")),
    ("1111", "AuthorizationInitiated", ("Authorized", None)),
]


@pytest.mark.parametrize(("card", "code", "decided"), DECIDED, ids=["0701", "4354", "by code"])
async def test_a_pending_authorization_is_answered_202_and_decided_after_thirty_seconds(
    merchant: Merchant, simulator: SimulatorHandle, card: str, code: str | None, decided: tuple[str, str | None]
) -> None:
    session_id = await approved(merchant, simulator, pending_of(), card)

    status, session = await merchant.complete_session(session_id, price("9.99"), NOW + DAY / 2, simulate=code)

    assert (status, state_and_reason(session)) == (202, ("Completed", None))
    charge_id = session["chargeId"]
    for after, expected in (
        (timedelta(0), ("AuthorizationInitiated", None)),
        (29 * SECOND, None),
        (30 * SECOND, decided),
    ):
        _, charge = await merchant.charge(charge_id, NOW + DAY / 2 + after)
        assert state_and_reason(charge) == (expected or ("AuthorizationInitiated", None)), after
    expected_state = ("NonChargeable", ["PaymentMethodInvalid"]) if decided[1] else ("Chargeable", [])
    assert await state_of(simulator, session["chargePermissionId"]) == expected_state


async def test_a_pending_authorization_is_decided_when_the_simulators_clock_moves_on(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    _, session = await completed(shop, amazon, pending_of(), card="4354")

    await amazon.advance_clock(31 * SECOND)

    (charge,) = await charges_of(amazon, session["chargePermissionId"])
    assert (charge.status_details.state, charge.status_details.reason_code) == ("Declined", "HardDeclined")
    await amazon.deliver_notifications()
    told = [(notification.object_type, notification.object_id) for notification in receiver.notifications]
    of_charge, of_permission = ("CHARGE", charge.charge_id), ("CHARGE_PERMISSION", charge.charge_permission_id)
    assert told == [of_charge, of_permission, of_charge]


@pytest.mark.parametrize("card", ["0701", "4354"])
@pytest.mark.parametrize("body", [session_of("Authorize"), session_of(), recurring_of("Confirm")])
async def test_a_card_that_pends_needs_a_merchant_who_can_handle_it(
    merchant: Merchant, simulator: SimulatorHandle, card: str, body: dict[str, Any]
) -> None:
    status, answer = await completed(merchant, simulator, body, card)

    assert (status, answer["reasonCode"]) == (400, "InvalidSandboxSimulationSpecified")


async def test_a_completed_session_is_not_used_again(merchant: Merchant, simulator: SimulatorHandle) -> None:
    _, session = await completed(merchant, simulator)
    session_id = session["checkoutSessionId"]

    for status, answer in (
        await merchant.complete_session(session_id, price("9.99")),
        await merchant.update_session(session_id, {"platformId": "A1PLATFORM"}),
        await merchant.finalize_session(session_id, {"paymentIntent": "Confirm", "chargeAmount": price("9.99")}),
    ):
        assert (status, answer["reasonCode"]) == (422, "InvalidCheckoutSessionStatus")
    assert len(await charges_of(simulator, session["chargePermissionId"])) == 1


@pytest.mark.parametrize("reason", ["BuyerCanceled", "Declined"])
async def test_a_session_that_the_buyer_walked_away_from_stays_canceled(
    merchant: Merchant, simulator: SimulatorHandle, reason: str
) -> None:
    session_id = await approved(merchant, simulator)

    await simulator.decline_session(session_id, reason)

    assert state_and_reason((await merchant.session(session_id))[1]) == ("Canceled", reason)
    for attempt in (simulator.approve_session, simulator.decline_session):
        with pytest.raises(httpx.HTTPStatusError, match="422"):
            await attempt(session_id)


async def test_a_session_expires_after_a_day(merchant: Merchant, simulator: SimulatorHandle) -> None:
    session_id = await approved(merchant, simulator)
    _, session = await merchant.session(session_id)
    end = datetime.strptime(session["expirationTimestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    in_time = await merchant.session(session_id, end - SECOND)
    too_late, answer = await merchant.complete_session(session_id, price("9.99"), end)

    assert state_and_reason(in_time[1]) == ("Open", None)
    assert (too_late, answer["reasonCode"]) == (422, "InvalidCheckoutSessionStatus")
    _, expired = await merchant.session(session_id, end + 9 * DAY)
    assert state_and_reason(expired) == ("Canceled", "Expired")
    assert expired["statusDetails"]["lastUpdatedTimestamp"] == session["expirationTimestamp"]


async def test_a_session_is_deleted_after_thirty_days(merchant: Merchant, simulator: SimulatorHandle) -> None:
    _, session = await completed(merchant, simulator)
    created = datetime.strptime(session["creationTimestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    kept, _ = await merchant.session(session["checkoutSessionId"], created + 30 * DAY - SECOND)
    deleted, answer = await merchant.session(session["checkoutSessionId"], created + 30 * DAY)

    assert (kept, deleted, answer["reasonCode"]) == (200, 404, "ResourceNotFound")


async def test_what_is_unknown_is_not_found(merchant: Merchant, simulator: SimulatorHandle) -> None:
    for status, answer in (
        await merchant.session("none"),
        await merchant.update_session("none", {}),
        await merchant.complete_session("none", price(1)),
        await merchant.finalize_session("none", {"paymentIntent": "Confirm"}),
        await merchant.call("GET", "/buyers/none"),
    ):
        assert (status, answer["reasonCode"]) == (404, "ResourceNotFound")
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await simulator.approve_session("none")


async def test_a_card_that_is_none_is_refused(merchant: Merchant, simulator: SimulatorHandle) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        await simulator.approve_session(await opened(merchant), "1234")


async def test_a_buyer_who_signed_in_is_found_by_the_token(merchant: Merchant, simulator: SimulatorHandle) -> None:
    token = await simulator.sign_in()

    status, buyer = await merchant.call("GET", f"/buyers/{token.replace('|', '%7C')}")

    assert (status, buyer["email"], buyer["postalCode"]) == (200, "buyer@simulator.invalid", "98109")
