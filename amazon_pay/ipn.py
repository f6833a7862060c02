"""Instant payment notifications: what Amazon says, and the SNS envelope that it comes in.

A notification holds no state and no time: it says which object to look at. Source: Amazon Pay, "set up instant
payment notifications"; Amazon SNS, "verifying the signatures of messages".
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal


class ObjectType(StrEnum):
    """What a notification is about."""

    CHARGE_PERMISSION = "CHARGE_PERMISSION"
    CHARGE = "CHARGE"
    REFUND = "REFUND"
    CHARGEBACK = "CHARGEBACK"


class _PascalModel(BaseModel):
    model_config = ConfigDict(
        alias_generator=AliasGenerator(alias=to_pascal), populate_by_name=True, extra="allow", frozen=True
    )


class Notification(_PascalModel):
    """The `Message` of an SNS notification. `notification_id` serves to recognise a repetition."""

    merchant_id: str = Field(alias="MerchantID")
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


class Envelope(_PascalModel):
    """One SNS message as it is posted."""

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
        names = _SIGNED_OF_NOTIFICATION if self.type is EnvelopeType.NOTIFICATION else _SIGNED_OF_CONFIRMATION
        fields = self.model_dump(mode="json", by_alias=True)
        return "".join(f"{name}\n{fields[name]}\n" for name in names if fields[name] is not None).encode()


_SIGNED_OF_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_OF_CONFIRMATION: Final = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
