"""Notifications that are lost, doubled or late; and the message by which SNS asks to confirm a subscription."""

import base64

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay_client.ipn import Envelope, EnvelopeType
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.faults import FaultPlan, Faults
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.receiver import Receiver


async def closed(amazon: SimulatorHandle) -> str:
    """The id of a permission that was just closed, which is worth one notification."""
    permission = (await amazon.open_permission()).charge_permission_id
    await amazon.close_by_buyer(permission)
    return permission


async def test_a_lost_notification_never_arrives(amazon: SimulatorHandle, receiver: Receiver) -> None:
    await amazon.set_faults(FaultPlan(lost_notifications=1))
    await closed(amazon)
    await amazon.deliver_notifications()
    counted = await amazon.faults()
    await amazon.set_faults(FaultPlan())
    permission = await closed(amazon)
    await amazon.deliver_notifications()

    assert [told.object_id for told in receiver.notifications] == [permission]
    assert counted == {"lost_notification": 1}


async def test_a_doubled_notification_is_the_same_message_twice(amazon: SimulatorHandle, receiver: Receiver) -> None:
    await amazon.set_faults(FaultPlan(doubled_notifications=1))
    await closed(amazon)
    await amazon.deliver_notifications()

    first, second = receiver.posted
    assert first == second
    assert await amazon.faults() == {"doubled_notification": 1, "late_notification": 0}


async def test_a_late_notification_is_overtaken_by_a_later_one(amazon: SimulatorHandle, receiver: Receiver) -> None:
    await amazon.set_faults(FaultPlan(late_notifications=1, lateness_seconds=0.5))
    late = await closed(amazon)
    await amazon.set_faults(FaultPlan())
    later = await closed(amazon)

    await amazon.deliver_notifications()

    assert [told.object_id for told in receiver.notifications] == [later, late]


def test_each_has_its_share_and_the_seed_decides() -> None:
    plan = FaultPlan(
        seed=5, lost_notifications=0.1, doubled_notifications=0.2, late_notifications=0.3, lateness_seconds=4
    )
    told = [f"CHARGE {number}" for number in range(10_000)]

    def decided(plan: FaultPlan, order: list[str]) -> dict[str, list[float]]:
        faults = Faults(plan)
        return {identity: faults.of_notification(identity) for identity in order}

    first = decided(plan, told)
    deliveries = [delay for delays in first.values() for delay in delays]
    assert round(sum(not delays for delays in first.values()) / 10_000, 1) == 0.1
    assert round(sum(len(delays) == 2 for delays in first.values()) / 9_000, 1) == 0.2
    assert round(sum(delay == 4 for delay in deliveries) / len(deliveries), 1) == 0.3
    assert set(deliveries) == {0.0, 4.0}
    assert decided(plan, told[::-1]) == first
    assert decided(plan.model_copy(update={"seed": 6}), told) != first


async def test_a_receiver_is_asked_to_confirm_by_a_signed_message_and_confirms_by_visiting_its_address(
    amazon: SimulatorHandle, receiver: Receiver, signer: NotificationSigner
) -> None:
    token = await amazon.ask_for_confirmation()
    await amazon.deliver_notifications()

    (envelope,) = receiver.envelopes
    assert (envelope.type, envelope.token) == (EnvelopeType.SUBSCRIPTION_CONFIRMATION, token)
    key = x509.load_pem_x509_certificate(signer.certificate_pem).public_key()
    assert isinstance(key, RSAPublicKey)
    signed = as_sns_says(envelope)
    key.verify(base64.b64decode(envelope.signature), signed, padding.PKCS1v15(), hashes.SHA256())
    assert envelope.subscribe_url
    async with httpx.AsyncClient() as http:
        before = (await http.get(f"{amazon.origin}/simulator/notifications/confirmed")).json()
        visited = await http.get(envelope.subscribe_url)
        after = (await http.get(f"{amazon.origin}/simulator/notifications/confirmed")).json()
    assert (before, visited.status_code, after) == ([], 200, [token])


def as_sns_says(envelope: Envelope) -> bytes:
    """The signed text of a confirmation by SNS's rule: more fields than a notification's, in alphabetical order."""
    values = {
        "Message": envelope.message,
        "MessageId": envelope.message_id,
        "SubscribeURL": envelope.subscribe_url,
        "Timestamp": envelope.timestamp,
        "Token": envelope.token,
        "TopicArn": envelope.topic_arn,
        "Type": "SubscriptionConfirmation",
    }
    return "".join(f"{name}\n{value}\n" for name, value in sorted(values.items())).encode()


async def test_after_a_reset_nobody_was_asked_to_confirm_and_nobody_did(
    amazon: SimulatorHandle, receiver: Receiver
) -> None:
    token = await amazon.ask_for_confirmation()
    async with httpx.AsyncClient(base_url=f"{amazon.origin}/simulator/notifications") as http:
        assert (await http.get("/confirm", params={"Token": token})).status_code == 200

        await amazon.reset()

        confirmed = (await http.get("/confirmed")).json()
        visited = await http.get("/confirm", params={"Token": token})
    assert (confirmed, visited.status_code) == ([], 404)


async def test_a_token_that_nobody_was_given_confirms_nothing(amazon: SimulatorHandle) -> None:
    async with httpx.AsyncClient(base_url=f"{amazon.origin}/simulator/notifications") as http:
        visited = await http.get("/confirm", params={"Token": "guessed"})
        confirmed = (await http.get("/confirmed")).json()

    assert (visited.status_code, confirmed) == (404, [])


async def test_nobody_can_be_asked_to_confirm_where_there_is_no_receiver(amazon: SimulatorHandle) -> None:
    await amazon.send_notifications_to(None)

    with pytest.raises(httpx.HTTPStatusError, match="400"):
        await amazon.ask_for_confirmation()

    await amazon.deliver_notifications()


async def test_what_waits_for_a_receiver_that_was_taken_away_is_dropped(
    amazon: SimulatorHandle, receiver: Receiver
) -> None:
    await amazon.set_faults(FaultPlan(late_notifications=1, lateness_seconds=0.2))
    await closed(amazon)
    await amazon.send_notifications_to(None)

    await amazon.deliver_notifications()

    assert receiver.posted == []
