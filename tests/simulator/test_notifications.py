"""Notifications as SNS delivers them: proven by their signature, in order, again after a failure of the receiver."""

import asyncio
import base64

import httpx
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from amazon_pay_client.ipn import Envelope, Notification
from amazon_pay_simulator import SimulatorHandle, notifications
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.merchant import Merchant, charge_of, new_key
from tests.simulator.receiver import Receiver, receiving
from tests.simulator.running import MERCHANT_ID, running_simulator

HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "RETRY_DELAYS_SECONDS", (0.02, 0.05))


async def test_an_envelope_names_what_changed_and_says_nothing_of_how_it_stands(
    amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    await amazon.break_payment_method(permission)
    await amazon.deliver_notifications()

    (content_type, _), *more = receiver.posted
    assert (content_type, more) == ("text/plain; charset=UTF-8", [])
    message = Notification.model_validate_json(receiver.envelopes[0].message).model_dump(by_alias=True)
    assert message.pop("NotificationId")
    assert message == {
        "MerchantID": MERCHANT_ID,
        "ObjectType": "CHARGE_PERMISSION",
        "ObjectId": permission,
        "ChargePermissionId": permission,
        "NotificationType": "STATE_CHANGE",
        "NotificationVersion": "V2",
    }


@pytest.mark.parametrize("version", ["1", "2"])
async def test_an_envelope_is_proven_by_the_certificate_that_it_names(
    private_key: RSAPrivateKey, signer: NotificationSigner, receiver: Receiver, version: str
) -> None:
    async with running_simulator(private_key, signer, receiver_url=receiver.url, signature_version=version) as amazon:
        await amazon.close_by_buyer((await amazon.open_permission()).charge_permission_id)
        await amazon.deliver_notifications()
        envelope = receiver.envelopes[0]
        async with httpx.AsyncClient() as http:
            answer = await http.get(envelope.signing_cert_url)

    key = x509.load_pem_x509_certificate(answer.content).public_key()
    assert isinstance(key, RSAPublicKey)
    assert envelope.signature_version == version
    verify(key, envelope, as_sns_says(envelope))
    with pytest.raises(InvalidSignature):
        verify(key, envelope, as_sns_says(envelope).replace(b"CHARGE_PERMISSION", b"CHARGE_permission"))


def as_sns_says(envelope: Envelope) -> bytes:
    """The signed text by SNS's rule, written here anew: names in alphabetical order, each with its value."""
    values = {
        "Message": envelope.message,
        "MessageId": envelope.message_id,
        "Timestamp": envelope.timestamp,
        "TopicArn": envelope.topic_arn,
        "Type": "Notification",
    }
    return "".join(f"{name}\n{value}\n" for name, value in sorted(values.items())).encode()


def verify(key: RSAPublicKey, envelope: Envelope, signed: bytes) -> None:
    algorithm = HASHES[envelope.signature_version]
    key.verify(base64.b64decode(envelope.signature), signed, padding.PKCS1v15(), algorithm)


async def test_every_change_is_told_once_and_in_order(
    amazon: SimulatorHandle, receiver: Receiver, private_key: RSAPrivateKey
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    await amazon.script(permission, ["SoftDeclined", "CaptureInitiated", "HardDeclined"])
    async with httpx.AsyncClient(base_url=amazon.origin) as http:
        merchant = Merchant(http, private_key)
        await merchant.create_charge(charge_of(permission), new_key())
        key = new_key()
        _, charge = await merchant.create_charge(charge_of(permission), key)
        await merchant.create_charge(charge_of(permission), key)
        await amazon.decide_charge(charge["chargeId"])
        await merchant.create_charge(charge_of(permission), new_key())
        await amazon.mend_payment_method(permission)
        await merchant.close(permission, {"closureReason": "over"})
    await amazon.deliver_notifications()

    told = [(notification.object_type, notification.object_id) for notification in receiver.notifications]
    of_charge, of_permission = ("CHARGE", charge["chargeId"]), ("CHARGE_PERMISSION", permission)
    assert told == [of_charge, of_charge, of_permission, of_permission, of_permission]
    assert {notification.charge_permission_id for notification in receiver.notifications} == {permission}
    assert len({notification.notification_id for notification in receiver.notifications}) == 5


async def test_a_notification_is_delivered_again_after_a_server_error_and_the_next_one_waits_for_it(
    amazon: SimulatorHandle, receiver: Receiver
) -> None:
    receiver.statuses = [503, 500]
    first, second = [(await amazon.open_permission()).charge_permission_id for _ in range(2)]

    await amazon.close_by_buyer(first)
    await amazon.close_by_buyer(second)
    await amazon.deliver_notifications()

    assert [notification.object_id for notification in receiver.notifications] == [first, first, first, second]
    assert len({body for _, body in receiver.posted}) == 2, "a repetition is the same message"


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_refused_notification_is_never_delivered_again(
    amazon: SimulatorHandle, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    first, second = [(await amazon.open_permission()).charge_permission_id for _ in range(2)]

    await amazon.close_by_buyer(first)
    await amazon.close_by_buyer(second)
    await amazon.deliver_notifications()

    assert [notification.object_id for notification in receiver.notifications] == [first, second]


async def test_a_receiver_that_fails_for_ever_does_not_hold_up_the_others(
    amazon: SimulatorHandle, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = [500] * 3
    first, second = [(await amazon.open_permission()).charge_permission_id for _ in range(2)]

    await amazon.close_by_buyer(first)
    await amazon.close_by_buyer(second)
    await amazon.deliver_notifications()

    assert [notification.object_id for notification in receiver.notifications] == [first] * 3 + [second]
    assert "was not delivered: status 500" in caplog.text


async def test_notifications_can_be_sent_elsewhere_or_nowhere(amazon: SimulatorHandle, receiver: Receiver) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    await amazon.send_notifications_to(None)
    await amazon.break_payment_method(permission)
    async with receiving() as elsewhere:
        await amazon.send_notifications_to(elsewhere.url)
        await amazon.mend_payment_method(permission)
        await amazon.deliver_notifications()

        assert len(elsewhere.posted) == 1
    assert receiver.posted == []


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1/", "http://x:abc/", "http://127.0.0.1:99999/"])
async def test_what_is_no_address_is_refused_and_the_old_one_stays(
    amazon: SimulatorHandle, receiver: Receiver, address: str
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id

    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await amazon.send_notifications_to(address)

    await amazon.break_payment_method(permission)
    await amazon.deliver_notifications()
    assert len(receiver.posted) == 1


async def test_an_address_that_cannot_be_reached_does_not_end_the_delivery(
    amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    await amazon.send_notifications_to("http://127.0.0.1:1")
    await amazon.break_payment_method(permission)
    async with asyncio.timeout(60):
        await amazon.deliver_notifications()
        await amazon.send_notifications_to(receiver.url)
        await amazon.mend_payment_method(permission)
        await amazon.deliver_notifications()

    assert len(receiver.posted) == 1
