"""What the routes work with."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client

from amazon_pay_client import Region
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.accounts import AccountClient, AccountClients, AccountUnusableError
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.endpoints import Endpoints
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.forecast import Quota
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.client import Subscriptions


@dataclass(frozen=True, slots=True)
class Reach:
    """What the API reaches as a worker does; whoever starts the process wires it.

    Attributes:
        client: of the Temporal server, for the test clock.
        deliveries: what starts deliveries of notices, in the way that the server has.
        endpoints: the merchant's, with the one of the environment variables.
        posts: opens what posts to them.
    """

    client: Client
    deliveries: Callable[[], Awaitable[Deliveries]]
    endpoints: Endpoints
    posts: Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]


@dataclass(frozen=True, slots=True)
class Services:
    """Of one application.

    Attributes:
        subscriptions: the merchant's way in.
        ledger: where keys, answers and all that was told are kept.
        settings: of the process.
        quota: of Create Charge, for each merchant account.
        reach: Temporal and the merchant's endpoints.
        own_quotas: of accounts that have one of their own, by short name.
        accounts: know the client of Amazon Pay of each merchant account; None where no keys are set, and nothing can be
            asked there.
    """

    subscriptions: Subscriptions
    ledger: Ledger
    settings: Settings
    quota: Quota
    reach: Reach
    accounts: AccountClients | None = None
    own_quotas: Callable[[], Awaitable[Mapping[str, Quota]]] | None = None

    async def region_of(self, account: str) -> Region:
        """An account's region; the deployment's where the account cannot be used here now."""
        deployments = Region.parse(self.settings.region)
        if self.accounts is None:
            return deployments
        try:
            return (await self.accounts.of(account)).region
        except AccountUnusableError:
            return deployments


async def account_of(services: Services, account: str, what: str) -> AccountClient:
    """What Amazon is asked with for a merchant account.

    Args:
        services: of the application.
        account: its short name.
        what: what else cannot be done, for whoever reads why.

    Raises:
        ProblemError: it cannot be used here.
    """
    if services.accounts is None:
        why = f"the API has no Amazon Pay keys (PERENNIAL_PUBLIC_KEY_ID, ...), and cannot {what}"
        raise no_amazon_pay(why)
    try:
        return await services.accounts.of(account)
    except AccountUnusableError as error:
        raise no_amazon_pay(str(error)) from None


def no_amazon_pay(detail: str) -> ProblemError:
    """Amazon cannot be asked from here."""
    return ProblemError(503, "no-amazon-pay", "Amazon Pay cannot be asked", detail)


async def services_of(request: Request) -> Services:
    """Those of the application that takes a request. A coroutine: of a plain function FastAPI makes a thread's work."""
    services = request.app.state.services
    if not isinstance(services, Services):
        raise AssertionError("the application was made without its services")
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
