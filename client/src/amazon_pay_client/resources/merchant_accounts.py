"""Merchant accounts: `client.merchant_accounts`."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from amazon_pay_client.errors import InvalidAnswerError
from amazon_pay_client.models import (
    ClaimMerchantAccountRequest,
    CreateMerchantAccountRequest,
    MerchantAccount,
    UpdateMerchantAccountRequest,
)
from amazon_pay_client.transport import model_of, nothing, resource

if TYPE_CHECKING:
    from amazon_pay_client.outbound.library import httpx
    from amazon_pay_client.transport import Transport


@dataclass(frozen=True, slots=True)
class ClaimedAccount:
    """What claiming an account came to. It stands in the HTTP head alone, so it is not a model of the wire.

    Attributes:
        location: the page on which the merchant takes over the account, as Amazon sent it; None where Amazon
            answered 200 and there is nothing left to do there.
    """

    location: str | None


def _read_claimed(answer: "httpx.Response") -> ClaimedAccount:
    location = answer.headers.get("location")
    if answer.status_code != HTTPStatus.SEE_OTHER:
        nothing(answer)
    elif not location:
        raise InvalidAnswerError("status 303: the answer does not say where to go", answer.status_code)
    return ClaimedAccount(location)


def _read_updated(answer: "httpx.Response") -> MerchantAccount | None:
    return None if answer.status_code == HTTPStatus.NO_CONTENT else model_of(MerchantAccount)(answer)


class MerchantAccounts:
    """Operations on merchant accounts, for solution providers whom Amazon has admitted.

    Source: Amazon Pay, "merchant onboarding and account management APIs".
    """

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        request: CreateMerchantAccountRequest,
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
            "POST",
            resource("merchantAccounts"),
            model_of(MerchantAccount),
            body=request,
            idempotency_key=idempotency_key,
            headers=headers,
        )

    async def update(
        self,
        merchant_account_id: str,
        request: UpdateMerchantAccountRequest,
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
            "PATCH",
            resource("merchantAccounts/{merchant_account_id}", merchant_account_id=merchant_account_id),
            _read_updated,
            body=request,
            headers=headers,
        )

    async def delete(self, merchant_account_id: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Closes an account that the provider opened (DELETE /merchantAccounts/{merchantAccountId}).

        Raises:
            NotFoundError: no such account.
            ApiError: any other error answer.
            TransportError: no answer; deleting again is safe.
        """
        await self._transport.send(
            "DELETE",
            resource("merchantAccounts/{merchant_account_id}", merchant_account_id=merchant_account_id),
            nothing,
            headers=headers,
        )

    async def claim(
        self,
        merchant_account_id: str,
        request: ClaimMerchantAccountRequest,
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
            "POST",
            resource("merchantAccounts/{merchant_account_id}/claim", merchant_account_id=merchant_account_id),
            _read_claimed,
            body=request,
            idempotency_key=idempotency_key,
            headers=headers,
            also_success=(HTTPStatus.SEE_OTHER,),
        )
