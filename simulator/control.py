"""The control API: what a test or a person does to the simulated Amazon from outside the Amazon Pay API."""

from collections import deque
from typing import Annotated, Final

from fastapi import APIRouter, Body, Request
from pydantic import HttpUrl
from starlette.responses import Response

from amazon_pay.models import Charge, ChargePermission, Currency
from simulator.account import Account
from simulator.books import ExportedBooks, ScriptedAnswer
from simulator.clock import time_of
from simulator.notifications import CERTIFICATE_FILE, NotificationSender, NotificationSigner
from simulator.refusals import Refusal

PREFIX: Final = "/simulator"


def control_router(account: Account, sender: NotificationSender, signer: NotificationSigner) -> APIRouter:
    """The routes; their documentation is the OpenAPI page of the server."""
    router = APIRouter(prefix=PREFIX)
    router.include_router(_buyers_and_amazon(account))

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Answers as soon as the simulator serves."""
        return {"status": "ok"}

    @router.get("/books")
    async def books() -> ExportedBooks:
        """Everything that was permitted, called and charged."""
        return account.books.export()

    @router.get(f"/{CERTIFICATE_FILE}")
    async def certificate() -> Response:
        """The certificate that the notifications are signed with."""
        return Response(signer.certificate_pem, media_type="application/x-pem-file")

    @router.put("/receiver")
    async def receiver(url: Annotated[HttpUrl | None, Body(embed=True)] = None) -> dict[str, str | None]:
        """Where notifications are posted to from now on; null for nowhere."""
        sender.receiver_url = str(url) if url else None
        return {"url": sender.receiver_url}

    @router.post("/notifications/flush")
    async def flush() -> dict[str, int]:
        """Waits until every notification was delivered or given up."""
        await sender.delivered_all()
        return {"delivered": sender.delivered}

    return router


def _buyers_and_amazon(account: Account) -> APIRouter:
    """What buyers do at Amazon, and what Amazon decides."""
    router = APIRouter()

    @router.post("/charge-permissions", status_code=201)
    async def open_permission(
        request: Request, currency: Annotated[Currency, Body(embed=True)] = Currency.USD
    ) -> ChargePermission:
        """A buyer approves a recurring charge permission."""
        return account.open_permission(currency, time_of(request.headers))

    @router.put("/charge-permissions/{charge_permission_id}/script")
    async def script(charge_permission_id: str, answers: list[ScriptedAnswer]) -> list[ScriptedAnswer]:
        """Scripts the answers to the next Create Charge calls; after the last, charges succeed."""
        account.books.permission(charge_permission_id)
        account.books.scripts[charge_permission_id] = deque(answers)
        return answers

    @router.post("/charge-permissions/{charge_permission_id}/mend-payment-method")
    async def mend(request: Request, charge_permission_id: str) -> ChargePermission:
        """The buyer updates the payment method."""
        return account.mend_payment_method(charge_permission_id, time_of(request.headers))

    @router.post("/charge-permissions/{charge_permission_id}/break-payment-method")
    async def break_(
        request: Request,
        charge_permission_id: str,
        reason: Annotated[str, Body(embed=True)] = "PaymentMethodExpired",
    ) -> ChargePermission:
        """The payment method becomes unusable."""
        return account.break_payment_method(charge_permission_id, reason, time_of(request.headers))

    @router.post("/charge-permissions/{charge_permission_id}/close-by-buyer")
    async def close(request: Request, charge_permission_id: str) -> ChargePermission:
        """The buyer ends the agreement at Amazon."""
        return account.close_by_buyer(charge_permission_id, time_of(request.headers))

    @router.post("/charges/{charge_id}/decide")
    async def decide(
        request: Request, charge_id: str, reason_code: Annotated[str | None, Body(embed=True)] = None
    ) -> Charge:
        """Amazon decides on a pending charge: captured without a reasonCode, else declined."""
        return account.decide_charge(charge_id, reason_code, time_of(request.headers))

    return router


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """A control call that the account refuses is answered as Amazon would."""
    if not isinstance(error, Refusal):
        raise error
    return Response(str(error), error.status, media_type="text/plain")
