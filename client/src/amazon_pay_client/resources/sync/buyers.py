# Made of `resources/buyers.py` by `python -m tests.client.sync_resources`: change that, and run this.

"""Buyers who signed in: `client.buyers`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call
from amazon_pay_client.models import Buyer
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import SyncTransport


class SyncBuyers:
    """Operations on buyers. Source: Amazon Pay API v2, "buyer"."""

    def __init__(self, transport: "SyncTransport") -> None:
        self._transport = transport

    def get(self, buyer_token: str, *, headers: Mapping[str, str] | None = None) -> Buyer:
        """Reads who signed in (GET /buyers/{buyerToken}).

        Args:
            buyer_token: from the address that the buyer came back to; at most 1000 characters, a secret.
            headers: extra headers; they are signed.

        Raises:
            ValueError: the token cannot be part of an address.
            NotFoundError: no such token in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return self._transport.send(
            Call(
                method="GET",
                to=resource("buyers/{buyer_token}", buyer_token=buyer_token),
                read=model_of(Buyer),
                headers=headers,
            )
        )
