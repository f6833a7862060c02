"""Reads at Amazon Pay what is to be known before a subscription begins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.errors import AmazonPayError, ApiError
from perennial_billing.activities.accounts import AccountClients, AccountUnusableError
from perennial_billing.activities.answers import charge_as_read, charge_error, permission_answer, permission_error
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer
from perennial_billing.starter.errors import NotReadError
from perennial_billing.starter.reading import ReadsAmazon


class AmazonPayReader(ReadsAmazon):
    """Reads with a client.

    Args:
        client: asked once for each, and again as often as the client does that by itself.
    """

    def __init__(self, client: AmazonPayClient) -> None:
        self._client = client

    async def charge_permission(self, charge_permission_id: str) -> PermissionAnswer:
        """See `ReadsAmazon.charge_permission`."""
        try:
            return permission_answer(await self._client.charge_permissions.get(charge_permission_id))
        except AmazonPayError as error:
            return permission_error(_shown(f"charge permission {charge_permission_id}", error))

    async def charge(self, charge_id: str) -> ChargeAnswer:
        """See `ReadsAmazon.charge`."""
        try:
            return charge_as_read(await self._client.charges.get(charge_id))
        except AmazonPayError as error:
            return charge_error(ChargeOutcome.REFUSED, _shown(f"charge {charge_id}", error))


@asynccontextmanager
async def reader_of(accounts: AccountClients, account: str) -> AsyncIterator[ReadsAmazon]:
    """Reads with the client of an account, which stays open.

    Raises:
        NotReadError: the account cannot be used here now.
    """
    try:
        found = await accounts.of(account)
    except AccountUnusableError as error:
        raise NotReadError(f"nothing was started: {error}") from None
    yield AmazonPayReader(found.client)


def _shown(subject: str, error: AmazonPayError) -> ApiError:
    """The error as an answer of Amazon's.

    Raises:
        NotReadError: it is none, and another try may get one.
    """
    if isinstance(error, ApiError) and not error.is_retryable:
        return error
    raise NotReadError(f"{subject}: Amazon has not shown it, and nothing was started: {error}; try again") from None
