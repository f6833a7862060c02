"""What the routes work with."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from temporalio.client import Client

from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.endpoints import Endpoints
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.forecast import Quota
from perennial_billing.runtime.settings import Settings
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
        amazon_pay: a client of Amazon Pay; None where no keys are set, and nothing can be asked there.
    """

    subscriptions: Subscriptions
    ledger: Ledger
    settings: Settings
    quota: Quota
    reach: Reach
    amazon_pay: Any = None  # Any: the client is known to the routes that need it


async def services_of(request: Request) -> Services:
    """Those of the application that takes a request. A coroutine: of a plain function FastAPI makes a thread's work."""
    services = request.app.state.services
    if not isinstance(services, Services):
        raise AssertionError("the application was made without its services")
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
