"""Merchant accounts' stores: `client.stores`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import CreateStoreRequest, Store, UpdateStoreRequest
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class Stores:
    """Operations on stores, for solution providers whom Amazon has admitted. Source: the official PHP SDK."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        merchant_account_id: str,
        request: CreateStoreRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Store:
        """Adds a store to an account (POST /merchantAccounts/{merchantAccountId}/stores).

        Args:
            merchant_account_id: the account's.
            request: the store's name and addresses.
            idempotency_key: Amazon needs none here.
            headers: extra headers; they are signed.

        Raises:
            NotFoundError: no such account.
            ApiError: any other error answer.
            TransportError: no answer; whether the store is there is unknown.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("merchantAccounts/{merchant_account_id}/stores", merchant_account_id=merchant_account_id),
                read=model_of(Store),
                body=request_of(CreateStoreRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def update(
        self,
        merchant_account_id: str,
        store_id: str,
        request: UpdateStoreRequest | Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Store:
        """Changes a store (PATCH /merchantAccounts/{merchantAccountId}/stores/{storeId}).

        Raises:
            NotFoundError: no such account or store.
            ApiError: any other error answer.
            TransportError: no answer; sending the same again is safe.
        """
        return await self._transport.send(
            Call(
                method="PATCH",
                to=resource(
                    "merchantAccounts/{merchant_account_id}/stores/{store_id}",
                    merchant_account_id=merchant_account_id,
                    store_id=store_id,
                ),
                read=model_of(Store),
                body=request_of(UpdateStoreRequest, request),
                headers=headers,
            )
        )
