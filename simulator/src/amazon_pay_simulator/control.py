"""The control API: what a test or a person does to the simulated Amazon from outside the Amazon Pay API."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Body, Query, Request
from pydantic import AwareDatetime, HttpUrl
from starlette.responses import Response

from amazon_pay_client.models import Charge, ChargePermission, Currency, Price
from amazon_pay_client.models.checkout_sessions import CheckoutSession
from amazon_pay_client.models.disputes import Dispute, DisputeFilingReason
from amazon_pay_simulator.account import Account
from amazon_pay_simulator.books import ExportedBooks, Script, ScriptedAnswer
from amazon_pay_simulator.cards import DEFAULT_CARD
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.context import new_session_id
from amazon_pay_simulator.faults import FaultPlan, Faults
from amazon_pay_simulator.notifications import CERTIFICATE_FILE, NotificationSender, NotificationSigner
from amazon_pay_simulator.refusals import Refusal

PREFIX: Final = "/simulator"


def control_router(
    account: Account, clock: Clock, faults: Faults, sender: NotificationSender, signer: NotificationSigner, origin: str
) -> APIRouter:
    """The routes; their documentation is the OpenAPI page of the server."""
    router = APIRouter(prefix=PREFIX)
    router.include_router(_books(account))
    router.include_router(_time_and_faults(account, clock, faults))
    router.include_router(_notifications(sender, signer, origin))
    router.include_router(_permissions(account, clock))
    router.include_router(_charges_and_sessions(account, clock))
    return router


def _books(account: Account) -> APIRouter:
    router = APIRouter(tags=["books"])

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Answers as soon as the simulator serves."""
        return {"status": "ok"}

    @router.get("/books")
    async def books() -> ExportedBooks:
        """Everything that was permitted, called, charged, refunded and disputed."""
        return account.books.export()

    return router


def _time_and_faults(account: Account, clock: Clock, faults: Faults) -> APIRouter:
    router = APIRouter(tags=["time and faults"])

    @router.get("/clock")
    async def read_clock() -> dict[str, datetime]:
        """The simulator's time (UTC), for requests that bring none along."""
        return {"now": clock.now()}

    @router.put("/clock")
    async def set_clock(now: Annotated[AwareDatetime, Body(embed=True)]) -> dict[str, datetime]:
        """Sets the clock; what was to happen until then happens."""
        clock.set(now)
        account.pass_time(clock.now())
        return {"now": clock.now()}

    @router.post("/clock/advance")
    async def advance_clock(by: Annotated[timedelta, Body(embed=True)]) -> dict[str, datetime]:
        """Moves the clock on, by seconds or an ISO 8601 duration; what was to happen until then happens."""
        clock.advance(by)
        account.pass_time(clock.now())
        return {"now": clock.now()}

    @router.put("/faults")
    async def set_faults(plan: FaultPlan) -> FaultPlan:
        """What goes wrong from now on."""
        faults.follow(plan)
        return plan

    @router.get("/faults")
    async def read_faults() -> dict[str, int]:
        """How often each fault has happened."""
        return dict(faults.done)

    return router


def _notifications(sender: NotificationSender, signer: NotificationSigner, origin: str) -> APIRouter:
    router = APIRouter(tags=["notifications"])
    asked: set[str] = set()
    confirmed: set[str] = set()

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

    @router.post("/notifications/subscribe")
    async def subscribe() -> dict[str, str]:
        """Asks the receiver to confirm the topic's subscription, as SNS does for a new one."""
        if sender.receiver_url is None:
            raise Refusal("InvalidRequest", "There is no receiver to ask")
        token = new_session_id()
        asked.add(token)
        sender.ask_for_confirmation(f"{origin}{PREFIX}/notifications/confirm?Token={token}", token)
        return {"token": token}

    @router.get("/notifications/confirm")
    async def confirm(token: Annotated[str, Query(alias="Token")]) -> dict[str, str]:
        """What the receiver visits to confirm."""
        if token not in asked:
            raise Refusal("ResourceNotFound", "Nobody was asked to confirm with that token")
        confirmed.add(token)
        return {"confirmed": token}

    @router.get("/notifications/confirmed")
    async def read_confirmed() -> list[str]:
        """The tokens of the subscriptions that were confirmed."""
        return sorted(confirmed)

    return router


def _permissions(account: Account, clock: Clock) -> APIRouter:
    """What buyers do at Amazon with charge permissions."""
    router = APIRouter(tags=["buyers"])
    permissions = account.permissions

    @router.post("/buyers", status_code=201)
    async def sign_in() -> dict[str, str]:
        """A buyer signs in with Amazon; the token serves for Get Buyer."""
        return {"buyer_token": account.sign_in()}

    @router.post("/charge-permissions", status_code=201)
    async def open_permission(
        request: Request, currency: Annotated[Currency, Body(embed=True)] = Currency.USD
    ) -> ChargePermission:
        """A buyer approves a recurring charge permission, without a checkout session."""
        return permissions.open(currency, clock.time_of(request.headers))

    @router.put("/charge-permissions/{charge_permission_id}/script")
    async def script(charge_permission_id: str, answers: list[ScriptedAnswer]) -> list[ScriptedAnswer]:
        """Scripts the answers to the next Create Charge calls; after the last, charges succeed."""
        account.books.permission(charge_permission_id)
        account.books.scripts[charge_permission_id] = Script(answers=tuple(answers))
        return answers

    @router.post("/charge-permissions/{charge_permission_id}/mend-payment-method")
    async def mend(request: Request, charge_permission_id: str) -> ChargePermission:
        """The buyer updates the payment method."""
        return permissions.mend_payment_method(charge_permission_id, clock.time_of(request.headers))

    @router.post("/charge-permissions/{charge_permission_id}/break-payment-method")
    async def break_(
        request: Request,
        charge_permission_id: str,
        reason: Annotated[str, Body(embed=True)] = "PaymentMethodExpired",
    ) -> ChargePermission:
        """The payment method becomes unusable."""
        return permissions.break_payment_method(charge_permission_id, reason, clock.time_of(request.headers))

    @router.post("/charge-permissions/{charge_permission_id}/close-by-buyer")
    async def close(
        request: Request,
        charge_permission_id: str,
        reason: Annotated[str, Body(embed=True)] = "BuyerClosed",
    ) -> ChargePermission:
        """The buyer ends the agreement at Amazon; or Amazon does, with another reason."""
        return permissions.close(charge_permission_id, reason, clock.time_of(request.headers))

    return router


def _charges_and_sessions(account: Account, clock: Clock) -> APIRouter:
    """What Amazon decides about charges, and what buyers do in a checkout."""
    router = APIRouter(tags=["charges and checkouts"])

    @router.post("/charges/{charge_id}/decide")
    async def decide(
        request: Request, charge_id: str, reason_code: Annotated[str | None, Body(embed=True)] = None
    ) -> Charge:
        """Amazon decides on a pending charge: captured without a reasonCode, else declined; or takes a decline back."""
        return account.charges.decide(charge_id, reason_code, clock.time_of(request.headers))

    @router.post("/charges/{charge_id}/dispute", status_code=201)
    async def dispute(
        request: Request,
        charge_id: str,
        reason: Annotated[DisputeFilingReason, Body()] = DisputeFilingReason.UNRECOGNIZED,
        amount: Annotated[Price | None, Body()] = None,
    ) -> Dispute:
        """The buyer's bank takes a charge back."""
        return account.disputes.raise_chargeback(charge_id, amount, reason, clock.time_of(request.headers))

    @router.put("/disputes/refusal")
    async def refuse_disputes(reason_code: Annotated[str | None, Body(embed=True)] = None) -> dict[str, str | None]:
        """Get Dispute is refused from now on, as where a key may not read disputes; no more without a reasonCode."""
        account.disputes.refuse_to_show(reason_code)
        return {"reason_code": reason_code}

    @router.post("/checkout-sessions/{checkout_session_id}/sign-in")
    async def sign_in(
        request: Request, checkout_session_id: str, card: Annotated[str, Body(embed=True)] = DEFAULT_CARD
    ) -> CheckoutSession:
        """The buyer signs in to a checkout session and chooses a test card, and comes back to the merchant's review."""
        return account.sessions.sign_in(checkout_session_id, card, clock.time_of(request.headers))

    @router.post("/checkout-sessions/{checkout_session_id}/approve")
    async def approve(
        request: Request, checkout_session_id: str, card: Annotated[str, Body(embed=True)] = DEFAULT_CARD
    ) -> CheckoutSession:
        """The buyer approves a checkout session with a test card, known by its last digits."""
        return account.sessions.approve(checkout_session_id, card, clock.time_of(request.headers))

    @router.post("/checkout-sessions/{checkout_session_id}/decline")
    async def decline(
        request: Request, checkout_session_id: str, reason: Annotated[str, Body(embed=True)] = "BuyerCanceled"
    ) -> CheckoutSession:
        """The buyer walks away from a checkout session."""
        return account.sessions.decline(checkout_session_id, reason, clock.time_of(request.headers))

    return router


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """A control call that the account refuses is answered as Amazon would."""
    if not isinstance(error, Refusal):
        raise error
    return Response(str(error), error.status, media_type="text/plain")
