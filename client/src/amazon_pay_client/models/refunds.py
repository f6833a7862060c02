"""A refund of a captured charge. Refunds are always asynchronous. Source: Amazon Pay API v2, "refund"."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from amazon_pay_client.models.common import StatusDetails
from amazon_pay_client.models.wire import Decided, PositivePrice, Price, RequestModel, Timestamp, WireModel


class RefundState(StrEnum):
    """States of a refund."""

    REFUND_INITIATED = "RefundInitiated"
    REFUNDED = "Refunded"
    DECLINED = "Declined"


class RefundStatusDetails(StatusDetails):
    """A refund's state and why. A state that is not listed stays a plain string."""

    state: Annotated[RefundState | Decided, Field(union_mode="left_to_right")]


class CreateRefundRequest(RequestModel):
    """The body of Create Refund.

    Attributes:
        refund_amount: up to what was captured, and 15 % or 75 USD, GBP or EUR or 8,400 JPY above it, whichever is
            less.
        soft_descriptor: at most 16 characters on the buyer's statement.
    """

    charge_id: str
    refund_amount: PositivePrice
    soft_descriptor: Annotated[str, StringConstraints(max_length=16)] | None = None


class Refund(WireModel):
    """A refund as Amazon Pay answers it. Id and state are always there; for the rest see `Charge`."""

    refund_id: Decided
    charge_id: str | None = None
    creation_timestamp: Timestamp | None = None
    refund_amount: Price | None = None
    status_details: RefundStatusDetails
    soft_descriptor: str | None = None
    release_environment: str | None = None
