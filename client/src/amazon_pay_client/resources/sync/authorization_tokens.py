# Made of `resources/authorization_tokens.py` by `python -m tests.client.sync_resources`: change that, and run this.

"""Authorization tokens: `client.authorization_tokens`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call
from amazon_pay_client.models import AuthorizationToken
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import SyncTransport


class SyncAuthorizationTokens:
    """Tokens with which a solution provider acts for a merchant. Source: Amazon Pay, "delegated authorization"."""

    def __init__(self, transport: "SyncTransport") -> None:
        self._transport = transport

    def get(
        self, mws_auth_token: str, *, merchant_id: str, headers: Mapping[str, str] | None = None
    ) -> AuthorizationToken:
        """Exchanges the older token of Amazon MWS (GET /authorizationTokens/{mwsAuthToken}?merchantId=...).

        Args:
            mws_auth_token: the merchant's, active; a secret.
            merchant_id: the merchant's account.
            headers: extra headers; they are signed.

        Raises:
            ValueError: the token cannot be part of an address, or `merchant_id` is empty.
            AccessError: the merchant has not authorised this provider.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        if not merchant_id:
            raise ValueError("merchant_id: it is empty; the id of the merchant's account is needed")
        return self._transport.send(
            Call(
                method="GET",
                to=resource("authorizationTokens/{mws_auth_token}", mws_auth_token=mws_auth_token),
                read=model_of(AuthorizationToken),
                query=[("merchantId", merchant_id)],
                headers=headers,
            )
        )
