"""Merchant accounts: `client.merchant_accounts`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of, nothing
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import (
    ClaimMerchantAccountRequest,
    CreateMerchantAccountRequest,
    MerchantAccount,
    UpdateMerchantAccountRequest,
)
from amazon_pay_client.paths import resource
from amazon_pay_client.resources.outcomes import ClaimedAccount, read_claimed, read_updated

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class MerchantAccounts:
    """Operations on merchant accounts, for solution providers whom Amazon has admitted.

    Source: Amazon Pay, "merchant onboarding and account management APIs".
    """

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        request: CreateMerchantAccountRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> MerchantAccount:
        """Opens an account for a merchant (POST /merchantAccounts).

        Args:
            request: who the merchant is.
            idempotency_key: Amazon needs none here; the body's `unique_reference_id` tells accounts apart.
            headers: extra headers; they are signed.

        Raises:
            ApiError: an error answer.
            TransportError: no answer; whether the account is there is unknown.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("merchantAccounts"),
                read=model_of(MerchantAccount),
                body=request_of(CreateMerchantAccountRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def update(
        self,
        merchant_account_id: str,
        request: UpdateMerchantAccountRequest | Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> MerchantAccount | None:
        """Changes an account until the merchant has claimed it (PATCH /merchantAccounts/{merchantAccountId}).

        Returns:
            The account, or None where Amazon answered 204, which says only that it is done.

        Raises:
            NotFoundError: no such account.
            ApiError: any other error answer.
            TransportError: no answer; sending the same again is safe.
        """
        return await self._transport.send(
            Call(
                method="PATCH",
                to=resource("merchantAccounts/{merchant_account_id}", merchant_account_id=merchant_account_id),
                read=read_updated,
                body=request_of(UpdateMerchantAccountRequest, request),
                headers=headers,
            )
        )

    async def delete(self, merchant_account_id: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Closes an account that the provider opened (DELETE /merchantAccounts/{merchantAccountId}).

        Raises:
            NotFoundError: no such account.
            ApiError: any other error answer.
            TransportError: no answer; deleting again is safe.
        """
        await self._transport.send(
            Call(
                method="DELETE",
                to=resource("merchantAccounts/{merchant_account_id}", merchant_account_id=merchant_account_id),
                read=nothing,
                headers=headers,
            )
        )

    async def claim(
        self,
        merchant_account_id: str,
        request: ClaimMerchantAccountRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClaimedAccount:
        """Asks where the merchant takes over the account (POST /merchantAccounts/{merchantAccountId}/claim).

        Amazon answers with a redirection. It is for the merchant's browser, so it is returned and not followed.

        Args:
            merchant_account_id: the account's.
            request: the provider's own id of the merchant.
            idempotency_key: Amazon needs none here.
            headers: extra headers; they are signed.

        Raises:
            NotFoundError: no such account.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("merchantAccounts/{merchant_account_id}/claim", merchant_account_id=merchant_account_id),
                read=read_claimed,
                body=request_of(ClaimMerchantAccountRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
                also_success=(HTTPStatus.SEE_OTHER,),
            )
        )
