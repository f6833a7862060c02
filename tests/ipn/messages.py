"""SNS messages as Amazon would post them, and as a forger would."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from amazon_pay_client.ipn import Envelope, EnvelopeType
from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.certificates import TrustedCertificate
from perennial_billing.sandbox.stage import MERCHANT_ID, Stage
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL

TOPIC: Final = "arn:aws:sns:us-east-1:291180941288:A1SIMULATOR"


def message(charge_permission_id: str = "C01-0000000-0000000", object_type: str = "CHARGE", **fields: str) -> str:
    """One of Amazon's notifications about a charge permission; `fields` by their names on the wire."""
    return json.dumps(
        {
            "MerchantID": MERCHANT_ID,
            "ObjectType": object_type,
            "ObjectId": charge_permission_id,
            "ChargePermissionId": charge_permission_id,
            "NotificationType": "STATE_CHANGE",
            "NotificationId": uuid.uuid4().hex,
            "NotificationVersion": "V2",
        }
        | fields
    )


def envelope(text: str, **fields: str) -> dict[str, str]:
    """An SNS message without a true signature; `fields` by their names on the wire."""
    return {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": TOPIC,
        "Message": text,
        "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "2",
        "Signature": "",
        "SigningCertURL": CERTIFICATE_URL,
    } | fields


def confirmation(subscribe_url: str, **fields: str) -> dict[str, str]:
    """What SNS posts first to a new endpoint, without a true signature."""
    return envelope(
        "You have chosen to subscribe to the topic.",
        Type=EnvelopeType.SUBSCRIPTION_CONFIRMATION,
        SubscribeURL=subscribe_url,
        Token="2336412f37",
        **fields,
    )


def signed(signer: NotificationSigner, posted: dict[str, str]) -> dict[str, str]:
    """The message with the signature that its version asks for."""
    return posted | {"Signature": signer.sign(Envelope.model_validate(posted)).signature}


def body(posted: dict[str, str]) -> bytes:
    """The message as it is posted."""
    return json.dumps(posted).encode()


def notification(signer: NotificationSigner, charge_permission_id: str, object_type: str, **fields: str) -> bytes:
    """A genuine notification, ready to be posted."""
    return body(signed(signer, envelope(message(charge_permission_id, object_type, **fields))))


def signer_of(house: Stage) -> NotificationSigner:
    """Who signs the notifications on the stage: a test that has its key can post genuine ones of its own."""
    path = house.settings.ipn_trusted_certificate_path
    assert path is not None
    return NotificationSigner.load_or_create(path.parent)


def trusting(signer: NotificationSigner, folder: Path) -> TrustedCertificate:
    """A source of certificates that knows this signer's only."""
    return TrustedCertificate(signer.write_certificate(folder))
