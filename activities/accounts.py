"""Which client makes a call: that of the merchant account that the call is made for.

A call names its account as its fairness key, by which the server shares out a queue and limits its rate: so the account
stands in no history a second time. Where clients come from is the worker's matter.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from amazon_pay_client import AmazonPayClient, Region
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT

ACCOUNT_UNUSABLE: Final = "AccountUnusable"
"""The type of the error when no call can be made for an account here now. Nothing was sent."""

LOOKED_UP_AGAIN_AFTER: Final = timedelta(seconds=30)
"""A call for such an account is made again: it may have been added, or its key be there, by then."""


class AccountUnusableError(Exception):
    """No call can be made for an account here now. The message says which, why, and what to do, in one line."""


async def _at_once(_activity_type: str) -> None:
    """Nobody has to wait."""


@dataclass(frozen=True, slots=True)
class AccountClient:
    """What calls for one account are made with.

    Attributes:
        client: signs with the account's key.
        region: of the seller account.
        merchant_id: Amazon's id of it, where that is known.
        soft_descriptor: what buyers read on their statements, where the plan says nothing.
        turn: waits until an activity, by its type, may call Amazon.
    """

    client: AmazonPayClient
    region: Region = Region.NA
    merchant_id: str | None = None
    soft_descriptor: str | None = None
    turn: Callable[[str], Awaitable[None]] = _at_once


class AccountClients(Protocol):
    """Knows the client of each account."""

    async def of(self, account: str) -> AccountClient:
        """What calls for an account are made with.

        Raises:
            AccountUnusableError: none can be made here now.
        """
        ...


class OneAccount(AccountClients):
    """One client for whatever account is named.

    Args:
        client: of the only account that there is.
        region: of it.
        merchant_id: Amazon's id of it.
    """

    def __init__(self, client: AmazonPayClient, region: Region = Region.NA, merchant_id: str | None = None) -> None:
        self._only = AccountClient(client, region, merchant_id)

    async def of(self, account: str) -> AccountClient:  # noqa: ARG002 - there is no other
        """See `AccountClients.of`."""
        return self._only


async def account_of_this_call(accounts: AccountClients) -> AccountClient:
    """The account that the running activity is for: the one that its fairness key names, or else the only one.

    Raises:
        ApplicationError: of type `AccountUnusable`; retryable.
    """
    info = activity.info()
    try:
        found = await accounts.of(info.priority.fairness_key or DEFAULT_ACCOUNT)
    except AccountUnusableError as error:
        raise ApplicationError(str(error), type=ACCOUNT_UNUSABLE, next_retry_delay=LOOKED_UP_AGAIN_AFTER) from None
    await found.turn(info.activity_type)
    return found
