"""The text under an SNS signature: one field too many or too few, and every genuine message would be refused."""

import json
from typing import Any, Final

import pytest
from pydantic import ValidationError

from amazon_pay_client.ipn import Envelope, EnvelopeType, Notification, ObjectType

MESSAGE: Final = {
    "MerchantID": "A1MERCHANT",
    "ObjectType": "CHARGE",
    "ObjectId": "S03-5890444-1926095-C064126",
    "ChargePermissionId": "C03-1442027-5744374",
    "NotificationType": "STATE_CHANGE",
    "NotificationId": "5dabf7c1-0000",
    "NotificationVersion": "V2",
}
TOPIC: Final = "arn:aws:sns:eu-west-1:291180941288:A1MERCHANT"


def envelope(**fields: str) -> Envelope:
    posted = {
        "Type": "Notification",
        "MessageId": "id-1",
        "TopicArn": TOPIC,
        "Message": "the message",
        "Timestamp": "2026-11-23T22:43:43.123Z",
        "SignatureVersion": "1",
        "Signature": "c2lnbmF0dXJl",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/cert.pem",
    }
    return Envelope.model_validate_json(json.dumps(posted | fields))


def notification(**fields: Any) -> Notification:
    return Notification.model_validate_json(json.dumps(MESSAGE | fields))


def test_a_notification_says_which_object_to_look_at() -> None:
    read = notification()

    assert read.merchant_id == "A1MERCHANT"
    assert read.object_type is ObjectType.CHARGE
    assert read.object_id == "S03-5890444-1926095-C064126"
    assert read.charge_permission_id == "C03-1442027-5744374"
    assert read.notification_type == "STATE_CHANGE"
    assert read.notification_id == "5dabf7c1-0000"
    assert read.notification_version == "V2"


@pytest.mark.parametrize("merchant", ["merchantID", "merchantId"])
def test_a_notification_in_camel_case_is_read_the_same(merchant: str) -> None:
    """Amazon's own table of the fields is written so, with `merchantID`, and its examples are not."""
    in_camel_case = {name[0].lower() + name[1:]: value for name, value in MESSAGE.items()}
    in_camel_case[merchant] = in_camel_case.pop("merchantID")

    assert Notification.model_validate(in_camel_case) == notification()


def test_a_notification_as_it_was_captured_is_read_the_same() -> None:
    captured = {"MerchantId" if name == "MerchantID" else name: value for name, value in MESSAGE.items()}

    assert Notification.model_validate(captured) == notification()


def test_a_notification_without_a_version_is_read() -> None:
    without = {name: value for name, value in MESSAGE.items() if name != "NotificationVersion"}

    assert Notification.model_validate(without) == notification()


@pytest.mark.parametrize("object_type", ObjectType)
def test_each_documented_object_type_is_read_as_one(object_type: ObjectType) -> None:
    assert notification(ObjectType=object_type.value).object_type is object_type


def test_an_unknown_object_type_is_kept_as_a_plain_string() -> None:
    read = notification(ObjectType="LOYALTY_POINT")

    assert read.object_type == "LOYALTY_POINT"
    assert type(read.object_type) is str


def test_a_field_that_amazon_adds_later_is_kept() -> None:
    assert notification(NotificationTimestamp="20261123T224343Z").model_extra == {
        "NotificationTimestamp": "20261123T224343Z"
    }


@pytest.mark.parametrize("field", sorted(set(MESSAGE) - {"NotificationVersion"}))
def test_a_notification_without_a_needed_field_is_refused_with_its_name(field: str) -> None:
    shortened = {name: value for name, value in MESSAGE.items() if name != field}

    with pytest.raises(ValidationError, match=field):
        Notification.model_validate_json(json.dumps(shortened))


def test_a_notification_is_read_out_of_its_envelope() -> None:
    posted = envelope(Message=json.dumps(MESSAGE))

    assert posted.type is EnvelopeType.NOTIFICATION
    assert Notification.model_validate_json(posted.message) == notification()


def test_a_notification_with_a_subject_signs_the_subject() -> None:
    assert (
        envelope(Subject="hello").string_to_sign()
        == (
            f"Message\nthe message\nMessageId\nid-1\nSubject\nhello\nTimestamp\n2026-11-23T22:43:43.123Z\n"
            f"TopicArn\n{TOPIC}\nType\nNotification\n"
        ).encode()
    )


def test_a_notification_without_a_subject_does_not_mention_it() -> None:
    assert (
        envelope().string_to_sign()
        == (
            f"Message\nthe message\nMessageId\nid-1\nTimestamp\n2026-11-23T22:43:43.123Z\n"
            f"TopicArn\n{TOPIC}\nType\nNotification\n"
        ).encode()
    )


def test_a_notification_does_not_sign_what_only_confirmations_sign() -> None:
    extended = envelope(SubscribeURL="https://sns.example/s", Token="t", UnsubscribeURL="https://sns.example/u")

    assert extended.string_to_sign() == envelope().string_to_sign()


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_signs_its_address_and_token_and_no_subject(kind: str) -> None:
    posted = envelope(Type=kind, SubscribeURL="https://sns.example/?Action=Confirm", Token="token-1", Subject="hello")

    assert (
        posted.string_to_sign()
        == (
            "Message\nthe message\nMessageId\nid-1\nSubscribeURL\nhttps://sns.example/?Action=Confirm\n"
            f"Timestamp\n2026-11-23T22:43:43.123Z\nToken\ntoken-1\nTopicArn\n{TOPIC}\nType\n{kind}\n"
        ).encode()
    )


def test_the_text_is_signed_as_it_came_line_breaks_and_all_in_utf8() -> None:
    assert (
        envelope(Message='{\n "a": "\u00fc\U0001f600"}\n')
        .string_to_sign()
        .startswith(b'Message\n{\n "a": "\xc3\xbc\xf0\x9f\x98\x80"}\n\nMessageId\n')
    )


def test_a_message_of_a_type_that_sns_does_not_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="Type"):
        envelope(Type="Surprise")
