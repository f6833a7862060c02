"""Instant payment notifications: what Amazon says, and the SNS envelope that it comes in.

A notification holds no state and no time: it says which object to look at. Source: Amazon Pay, "set up instant
payment notifications"; Amazon SNS, "verifying the signatures of messages".
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel, to_pascal


class ObjectType(StrEnum):
    """What a notification is about."""

    CHARGE_PERMISSION = "CHARGE_PERMISSION"
    CHARGE = "CHARGE"
    REFUND = "REFUND"
    CHARGEBACK = "CHARGEBACK"


class Notification(BaseModel):
    """The `Message` of an SNS notification. `notification_id` serves to recognise a repetition.

    Written in PascalCase, as Amazon sends it; read in camelCase too, as Amazon's own table of its fields has it.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=AliasGenerator(
            validation_alias=lambda name: AliasChoices(to_pascal(name), to_camel(name)), serialization_alias=to_pascal
        ),
        populate_by_name=True,
        extra="allow",
        frozen=True,
    )

    merchant_id: str = Field(
        validation_alias=AliasChoices("MerchantID", "MerchantId", "merchantId"), serialization_alias="MerchantID"
    )
    object_type: Annotated[ObjectType | str, Field(union_mode="left_to_right")]
    object_id: str
    charge_permission_id: str
    notification_type: str
    notification_id: str
    notification_version: str = "V2"


class EnvelopeType(StrEnum):
    """The kinds of message that SNS posts."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION_CONFIRMATION = "SubscriptionConfirmation"
    UNSUBSCRIBE_CONFIRMATION = "UnsubscribeConfirmation"


class Envelope(BaseModel):
    """One SNS message as it is posted."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=AliasGenerator(alias=to_pascal), populate_by_name=True, extra="allow", frozen=True
    )

    type: EnvelopeType
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature_version: str
    signature: str
    signing_cert_url: str = Field(alias="SigningCertURL")
    subject: str | None = None
    subscribe_url: str | None = Field(default=None, alias="SubscribeURL")
    token: str | None = None
    unsubscribe_url: str | None = Field(default=None, alias="UnsubscribeURL")

    def string_to_sign(self) -> bytes:
        """The text under the signature: each present field as name and value, in SNS's order.

        Which fields count depends on the type: only confirmations sign SubscribeURL and Token.
        """
        signed = _SIGNED_OF_NOTIFICATION if self.type is EnvelopeType.NOTIFICATION else _SIGNED_OF_CONFIRMATION
        named = ((name, getattr(self, field)) for name, field in signed.items())
        return "".join(f"{name}\n{value}\n" for name, value in named if value is not None).encode()


_SIGNED_OF_NOTIFICATION: Final = {
    "Message": "message",
    "MessageId": "message_id",
    "Subject": "subject",
    "Timestamp": "timestamp",
    "TopicArn": "topic_arn",
    "Type": "type",
}
_SIGNED_OF_CONFIRMATION: Final = {
    "Message": "message",
    "MessageId": "message_id",
    "SubscribeURL": "subscribe_url",
    "Timestamp": "timestamp",
    "Token": "token",
    "TopicArn": "topic_arn",
    "Type": "type",
}
