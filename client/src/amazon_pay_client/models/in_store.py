"""In-store payments: the buyer's code is scanned at the till. Source: the official .NET SDK's in-store types.

The API is only for merchants to whom Amazon has handed its in-store guide. A reference id that the merchant makes
stands in each body; it must be new for each request.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from amazon_pay_client.models.wire import Currency, Decided, PositivePrice, RequestModel, WireModel

ReferenceId = Annotated[str, StringConstraints(min_length=1)]
"""The merchant's own id of a request."""


class CommunicationContext(RequestModel):
    """What the buyer is told about the store and the order."""

    merchant_store_name: str | None = None
    merchant_order_id: str | None = None


class InStoreMetadata(RequestModel):
    """What the merchant attaches to a payment at the till."""

    merchant_note: str | None = None
    custom_information: str | None = None
    communication_context: CommunicationContext | None = None


class StoreLocation(RequestModel):
    """Where the till stands: the country's two letters."""

    country_code: str


class MerchantScanRequest(RequestModel):
    """The body of Merchant Scan.

    Attributes:
        scan_data: what the scanner read from the buyer's screen.
        merchant_coe: the merchant's country of establishment, two letters.
        charge_total: what is to be paid, where it is known already.
    """

    scan_data: Annotated[str, StringConstraints(min_length=1)]
    scan_reference_id: ReferenceId
    merchant_coe: str = Field(alias="merchantCOE")
    ledger_currency: Annotated[Currency | str, Field(union_mode="left_to_right")]
    charge_total: PositivePrice | None = None
    store_location: StoreLocation | None = None
    metadata: InStoreMetadata | None = None


class MerchantScan(WireModel):
    """The answer of Merchant Scan: what can be charged now."""

    charge_permission_id: Decided


class InStoreChargeRequest(RequestModel):
    """The body of an in-store charge.

    Attributes:
        soft_descriptor: at most 16 characters on the buyer's statement.
    """

    charge_permission_id: str
    charge_reference_id: ReferenceId
    charge_total: PositivePrice
    soft_descriptor: Annotated[str, StringConstraints(max_length=16)] | None = None
    metadata: InStoreMetadata | None = None


class InStoreRefundRequest(RequestModel):
    """The body of an in-store refund.

    Attributes:
        refund_total: up to what was captured, and 15 % or 75 USD, GBP or EUR above it, whichever is less.
        soft_descriptor: at most 16 characters on the buyer's statement.
    """

    charge_id: str
    refund_reference_id: ReferenceId
    refund_total: PositivePrice
    soft_descriptor: Annotated[str, StringConstraints(max_length=16)] | None = None
    metadata: InStoreMetadata | None = None


class TransactionStatus(WireModel):
    """The state of an in-store charge or refund; an open set."""

    state: Decided


class InStoreCharge(WireModel):
    """An in-store charge as Amazon Pay answers it."""

    charge_id: Decided
    charge_status: TransactionStatus | None = None


class InStoreRefund(WireModel):
    """An in-store refund as Amazon Pay answers it."""

    refund_id: Decided
    refund_status: TransactionStatus | None = None
