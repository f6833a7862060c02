"""In-store payments: `client.in_store`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import (
    InStoreCharge,
    InStoreChargeRequest,
    InStoreRefund,
    InStoreRefundRequest,
    MerchantScan,
    MerchantScanRequest,
)
from amazon_pay_client.paths import resource
from amazon_pay_client.time_limits import OperationKind

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class InStore:
    """Payments at the till. Source: the official SDKs' in-store clients.

    The reference id in each body tells requests apart. Amazon needs no idempotency key; with one, `Retry` repeats
    also after a lost answer.
    """

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def merchant_scan(
        self,
        request: MerchantScanRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> MerchantScan:
        """Turns the buyer's code into a charge permission (POST /in-store/merchantScan).

        Raises:
            ApiError: an error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("in-store/merchantScan"),
                read=model_of(MerchantScan),
                body=request_of(MerchantScanRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def charge(
        self,
        request: InStoreChargeRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> InStoreCharge:
        """Charges the buyer at the till (POST /in-store/charge).

        Raises:
            DeclinedError: the payment was declined.
            ApiError: any other error answer.
            TransportError: no answer; whether the buyer was charged is unknown.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("in-store/charge"),
                read=model_of(InStoreCharge),
                kind=OperationKind.PAYMENT,
                body=request_of(InStoreChargeRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def refund(
        self,
        request: InStoreRefundRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> InStoreRefund:
        """Gives money back at the till (POST /in-store/refund).

        Raises:
            DeclinedError: the refund was declined.
            ApiError: any other error answer.
            TransportError: no answer; whether money goes back is unknown.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("in-store/refund"),
                read=model_of(InStoreRefund),
                body=request_of(InStoreRefundRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )
