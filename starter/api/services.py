"""What the routes work with."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.forecast import Quota
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.client import Subscriptions


@dataclass(frozen=True, slots=True)
class Services:
    """Of one application.

    Attributes:
        subscriptions: the merchant's way in.
        ledger: where keys, answers and all that was told are kept.
        settings: of the process.
        quota: of Create Charge, for each merchant account.
        amazon_pay: a client of Amazon Pay; None where no keys are set, and nothing can be asked there.
    """

    subscriptions: Subscriptions
    ledger: Ledger
    settings: Settings
    quota: Quota
    amazon_pay: Any = None  # Any: the client is known to the routes that need it


async def services_of(request: Request) -> Services:
    """Those of the application that takes a request. A coroutine: of a plain function FastAPI makes a thread's work."""
    services = request.app.state.services
    if not isinstance(services, Services):
        raise AssertionError("the application was made without its services")
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
