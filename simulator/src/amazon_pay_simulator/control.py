"""The control API: what a test or a person does to the simulated Amazon from outside the Amazon Pay API.

Whatever a call does not know is refused by its name: a misspelt field that is ignored makes a test that shows nothing.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, TypeVar

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import HTMLResponse, JSONResponse, Response

from amazon_pay_client.models import Charge, ChargePermission, ChargeState, Currency, Price
from amazon_pay_client.models.checkout_sessions import CheckoutSession
from amazon_pay_client.models.disputes import Dispute, DisputeFilingReason
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import ExportedBooks, Script, ScriptedAnswer
from amazon_pay_simulator.cards import DEFAULT_CARD
from amazon_pay_simulator.clock import TIME_HEADER
from amazon_pay_simulator.context import new_session_id
from amazon_pay_simulator.durations import ReadDuration
from amazon_pay_simulator.faults import FaultPlan
from amazon_pay_simulator.journal import Criteria, Entry
from amazon_pay_simulator.merchants import Merchant, MerchantAccount
from amazon_pay_simulator.notifications import CERTIFICATE_FILE, ReceiverUrl
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.report_objects import SettlementMistake
from amazon_pay_simulator.simulation import Simulation
from amazon_pay_simulator.verification import Expectation, Verification, verify
from amazon_pay_simulator.watch import WATCH_PAGE

Model = TypeVar("Model", bound=BaseModel)

PREFIX: Final = "/simulator"
NOT_AS_EXPECTED: Final = 406
MOST_ENTRIES: Final = 1_000
"""Of the journal, in one answer."""


class _Wish(BaseModel):
    """What a call asks for; nothing beside it is accepted."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ClockSetting(_Wish):
    """An instant."""

    now: AwareDatetime


class ClockStep(_Wish):
    """How far the clock is moved."""

    by: ReadDuration
    """Seconds, or an ISO 8601 duration: PT90S, P3D; P1M is a month of the calendar."""


class HappenedFaults(BaseModel):
    """What goes wrong, and how often it has."""

    plan: FaultPlan
    happened: dict[str, int]


class Receivers(_Wish):
    """Where notifications are posted to."""

    urls: tuple[ReceiverUrl, ...]


class MerchantDetails(_Wish):
    """What can be changed of a merchant: a merchant without its id."""

    public_keys: dict[str, str]
    """RSA public keys in PEM form, by public key id."""
    receivers: tuple[ReceiverUrl, ...] = ()


class NewPermission(_Wish):
    """A charge permission to open."""

    currency: Currency = Currency.USD


class Reason(_Wish):
    """Why a payment method becomes unusable."""

    reason: str = "PaymentMethodExpired"


class ClosureReason(_Wish):
    """Why a charge permission is closed."""

    reason: str = "BuyerClosed"


class CancellationReason(_Wish):
    """Why a checkout session ends."""

    reason: str = "BuyerCanceled"


class Decision(_Wish):
    """How a charge, or a call, ends."""

    reason_code: str | None = None


class Falsification(_Wish):
    """What the books are to say of a charge, whatever happened; what is not given stays."""

    state: ChargeState | None = None
    captured: Decimal | None = None
    refunded: Decimal | None = None
    created: AwareDatetime | None = None


class Chargeback(_Wish):
    """What the buyer's bank takes back; all that is left where no amount is given."""

    reason: DisputeFilingReason = DisputeFilingReason.UNRECOGNIZED
    amount: Price | None = None


class ChosenCard(_Wish):
    """A test card, known by its last digits."""

    card: str = DEFAULT_CARD


class JournalQuery(Criteria):
    """Which entries are shown."""

    after: Annotated[int, Field(ge=0)] = 0
    """Only entries with a number above."""
    limit: Annotated[int, Field(ge=1, le=MOST_ENTRIES)] = 100
    """The newest so many of them; with `after`, the first so many."""


class JournalPage(BaseModel):
    """Entries of the journal, oldest first."""

    last: int
    """The number of the newest entry that there is."""
    forgotten: int
    """How many entries of the beginning are not kept any more."""
    entries: list[Entry]


def control_router(simulation: Simulation) -> APIRouter:
    """The routes; their documentation is the OpenAPI page of the server."""

    def account_of(
        merchant: Annotated[
            str | None, Query(description="Whose: a merchant's id; the first merchant's without")
        ] = None,
    ) -> MerchantAccount:
        return simulation.account_of(merchant)

    async def watch() -> Response:
        return HTMLResponse(WATCH_PAGE)

    router = APIRouter(prefix=PREFIX)
    router.add_api_route("", watch, include_in_schema=False)
    router.include_router(_whole(simulation))
    router.include_router(_journal(simulation))
    router.include_router(_time_and_faults(simulation))
    router.include_router(_merchants(simulation))
    router.include_router(_notifications(simulation, Depends(account_of)))
    router.include_router(_deliveries(simulation, Depends(account_of)))
    router.include_router(_books(Depends(account_of)))
    router.include_router(_settlements(Depends(account_of)))
    router.include_router(_permissions(simulation, Depends(account_of)))
    router.include_router(_charges_and_sessions(simulation, Depends(account_of)))
    return router


def _read(kind: type[Model], values: dict[str, Any]) -> Model:  # Any: JSON
    """A model of a body that was put together.

    Raises:
        RequestValidationError: as for a body that came whole.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _whole(simulation: Simulation) -> APIRouter:
    router = APIRouter(tags=["the simulator"])

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Answers as soon as the simulator serves."""
        return {"status": "ok"}

    @router.post("/reset")
    async def reset() -> dict[str, str]:
        """Is as at its start: books, scripts and journal empty; clock, faults, receivers as they were configured."""
        await simulation.reset()
        return {"status": "reset"}

    return router


def _journal(simulation: Simulation) -> APIRouter:
    router = APIRouter(tags=["journal"])
    journal = simulation.journal

    @router.get("/journal")
    async def read_journal(wanted: Annotated[JournalQuery, Query()]) -> JournalPage:
        """Requests to the Amazon Pay API and notifications, as they went over the wire."""
        found = [entry for entry in journal.entries(wanted.after) if not wanted.differences(entry)]
        shown = found[: wanted.limit] if wanted.after else found[-wanted.limit :]
        return JournalPage(last=journal.last, forgotten=journal.forgotten, entries=shown)

    @router.delete("/journal", status_code=204)
    async def clear_journal() -> None:
        """Forgets all entries, and counts from 1 again."""
        journal.clear()

    @router.post("/verify", responses={NOT_AS_EXPECTED: {"model": Verification}}, response_model=Verification)
    async def verify_journal(expected: Expectation) -> Response:
        """Whether the journal has what is expected, as often as expected: 200, or 406 with what came nearest."""
        found = verify(expected, journal.entries(expected.after), journal.forgotten)
        return JSONResponse(found.model_dump(mode="json"), 200 if found.verified else NOT_AS_EXPECTED)

    return router


def _time_and_faults(simulation: Simulation) -> APIRouter:
    router = APIRouter(tags=["time, faults and assumptions"])

    @router.get("/clock")
    async def read_clock() -> dict[str, datetime]:
        """The simulator's time (UTC), for requests that bring none along."""
        return {"now": simulation.clock.now()}

    @router.put("/clock")
    async def set_clock(wish: ClockSetting) -> dict[str, datetime]:
        """Sets the clock; what was to happen until then happens."""
        simulation.set_clock(wish.now)
        return {"now": simulation.clock.now()}

    @router.post("/clock/advance")
    async def advance_clock(wish: ClockStep) -> dict[str, datetime]:
        """Moves the clock on; what was to happen until then happens."""
        simulation.advance_clock(wish.by)
        return {"now": simulation.clock.now()}

    @router.get("/faults")
    async def read_faults() -> HappenedFaults:
        """What goes wrong, and how often each fault has happened."""
        return HappenedFaults(plan=simulation.faults.plan, happened=dict(simulation.faults.done))

    @router.put("/faults")
    async def set_faults(plan: FaultPlan) -> FaultPlan:
        """What goes wrong from now on."""
        simulation.follow_faults(plan)
        return plan

    @router.patch("/faults")
    async def change_faults(changes: dict[str, Any]) -> FaultPlan:  # Any: JSON
        """The plan with other values for the fields that are named."""
        plan = _read(FaultPlan, simulation.faults.plan.model_dump() | changes)
        simulation.follow_faults(plan)
        return plan

    @router.get("/assumptions")
    async def read_assumptions() -> Assumptions:
        """What holds where Amazon's documentation is silent."""
        return simulation.assumptions

    @router.put("/assumptions")
    async def set_assumptions(assumptions: Assumptions) -> Assumptions:
        """What holds from now on; what is not named is as by default."""
        simulation.assume(assumptions)
        return simulation.assumptions

    @router.patch("/assumptions")
    async def change_assumptions(changes: dict[str, Any]) -> Assumptions:  # Any: JSON
        """What holds from now on; what is not named stays."""
        simulation.assume(_read(Assumptions, simulation.assumptions.model_dump() | changes))
        return simulation.assumptions

    return router


def _merchants(simulation: Simulation) -> APIRouter:
    router = APIRouter(tags=["merchants"])

    @router.get("/merchants")
    async def read_merchants() -> list[Merchant]:
        """All merchants; the first is meant where nobody is named."""
        return [account.merchant for account in simulation.accounts]

    @router.put("/merchants/{merchant_id}")
    async def put_merchant(merchant_id: str, details: MerchantDetails) -> Merchant:
        """Adds a merchant, or gives one other keys and receivers."""
        merchant = _read(Merchant, {"merchant_id": merchant_id, **details.model_dump()})
        await simulation.put_merchant(merchant)
        return merchant

    @router.delete("/merchants/{merchant_id}", status_code=204)
    async def remove_merchant(merchant_id: str) -> None:
        """Knows a merchant no more, which is not the first."""
        await simulation.remove_merchant(merchant_id)

    return router


def _notifications(simulation: Simulation, account_of: Any) -> APIRouter:  # Any: a dependency of FastAPI's
    router = APIRouter(tags=["notifications"])

    @router.get(f"/{CERTIFICATE_FILE}")
    async def certificate() -> Response:
        """The certificate that the notifications are signed with."""
        return Response(simulation.config.signer.certificate_pem, media_type="application/x-pem-file")

    @router.get("/receivers")
    async def read_receivers(of: Annotated[MerchantAccount, account_of]) -> Receivers:
        """Where a merchant's notifications are posted to."""
        return Receivers(urls=of.sender.receivers)

    @router.put("/receivers")
    async def set_receivers(receivers: Receivers, of: Annotated[MerchantAccount, account_of]) -> Receivers:
        """Where a merchant's notifications are posted to from now on; an empty list for nowhere."""
        await simulation.put_merchant(of.merchant.model_copy(update={"receivers": receivers.urls}))
        return receivers

    return router


def _deliveries(simulation: Simulation, account_of: Any) -> APIRouter:  # Any: a dependency of FastAPI's
    router = APIRouter(tags=["notifications"])

    @router.post("/notifications/flush")
    async def flush() -> dict[str, int]:
        """Waits until every notification of every merchant was delivered or given up."""
        for account in simulation.accounts:
            await account.sender.delivered_all()
        return {"delivered": sum(account.sender.delivered for account in simulation.accounts)}

    @router.post("/notifications/subscribe")
    async def subscribe(of: Annotated[MerchantAccount, account_of]) -> dict[str, str]:
        """Asks the receivers to confirm the topic's subscription, as SNS does for a new one."""
        if not of.sender.receivers:
            raise Refusal("InvalidRequest", "There is no receiver to ask")
        token = new_session_id()
        simulation.asked_to_confirm.add(token)
        confirm_at = f"{simulation.config.origin}{PREFIX}/notifications/confirm?Token={token}"
        of.sender.ask_for_confirmation(confirm_at, token)
        return {"token": token}

    @router.get("/notifications/confirm")
    async def confirm(token: Annotated[str, Query(alias="Token")]) -> dict[str, str]:
        """What the receiver visits to confirm."""
        if token not in simulation.asked_to_confirm:
            raise Refusal("ResourceNotFound", "Nobody was asked to confirm with that token")
        simulation.confirmed.add(token)
        return {"confirmed": token}

    @router.get("/notifications/confirmed")
    async def read_confirmed() -> list[str]:
        """The tokens of the subscriptions that were confirmed."""
        return sorted(simulation.confirmed)

    return router


def _books(account_of: Any) -> APIRouter:  # Any: a dependency of FastAPI's
    router = APIRouter(tags=["books"])

    @router.get("/books")
    async def books(of: Annotated[MerchantAccount, account_of]) -> ExportedBooks:
        """Everything of a merchant that was permitted, called, charged, refunded and disputed."""
        return of.account.books.export()

    return router


def _settlements(account_of: Any) -> APIRouter:  # Any: a dependency of FastAPI's
    router = APIRouter(tags=["settlements"])

    @router.get("/settlements/mistakes")
    async def read_mistakes(of: Annotated[MerchantAccount, account_of]) -> list[SettlementMistake]:
        """What is wrong in the settlements that are made from now on."""
        return list(of.account.books.settlement_mistakes.values())

    @router.put("/settlements/mistakes")
    async def set_mistakes(
        mistakes: list[SettlementMistake], of: Annotated[MerchantAccount, account_of]
    ) -> list[SettlementMistake]:
        """Settlements that are made from now on lack these transactions, double them, or tell another amount of them;
        an empty list for none.
        """
        of.account.reports.set_mistakes(tuple(mistakes))
        return mistakes

    return router


def _permissions(simulation: Simulation, account_of: Any) -> APIRouter:  # Any: a dependency of FastAPI's
    """What buyers do at Amazon with charge permissions."""
    router = APIRouter(tags=["buyers"])
    clock = simulation.clock

    def acts_at(request: Request, of: MerchantAccount, charge_permission_id: str) -> datetime:
        """When what is asked for happens: at the time that the request brings along, else after all else."""
        now = clock.time_of(request.headers)
        if TIME_HEADER in request.headers:
            return now
        return of.account.permissions.after_all_else(charge_permission_id, now)

    @router.post("/buyers", status_code=201)
    async def sign_in(of: Annotated[MerchantAccount, account_of]) -> dict[str, str]:
        """A buyer signs in with Amazon; the token serves for Get Buyer."""
        return {"buyer_token": of.account.sign_in()}

    @router.post("/charge-permissions", status_code=201)
    async def open_permission(
        request: Request,
        of: Annotated[MerchantAccount, account_of],
        wish: Annotated[NewPermission, Body(default_factory=NewPermission)],
    ) -> ChargePermission:
        """A buyer approves a recurring charge permission, without a checkout session."""
        return of.account.permissions.open(wish.currency, clock.time_of(request.headers))

    @router.put("/charge-permissions/{charge_permission_id}/script")
    async def script(
        charge_permission_id: str, answers: list[ScriptedAnswer], of: Annotated[MerchantAccount, account_of]
    ) -> list[ScriptedAnswer]:
        """Scripts the answers to the next Create Charge calls; after the last, charges succeed."""
        of.account.books.permission(charge_permission_id)
        of.account.books.scripts[charge_permission_id] = Script(answers=tuple(answers))
        return answers

    @router.post("/charge-permissions/{charge_permission_id}/mend-payment-method")
    async def mend(
        request: Request, charge_permission_id: str, of: Annotated[MerchantAccount, account_of]
    ) -> ChargePermission:
        """The buyer updates the payment method."""
        return of.account.permissions.mend_payment_method(
            charge_permission_id, acts_at(request, of, charge_permission_id)
        )

    @router.post("/charge-permissions/{charge_permission_id}/break-payment-method")
    async def break_(
        request: Request,
        charge_permission_id: str,
        of: Annotated[MerchantAccount, account_of],
        why: Annotated[Reason, Body(default_factory=Reason)],
    ) -> ChargePermission:
        """The payment method becomes unusable."""
        now = acts_at(request, of, charge_permission_id)
        return of.account.permissions.break_payment_method(charge_permission_id, why.reason, now)

    @router.post("/charge-permissions/{charge_permission_id}/close-by-buyer")
    async def close(
        request: Request,
        charge_permission_id: str,
        of: Annotated[MerchantAccount, account_of],
        why: Annotated[ClosureReason, Body(default_factory=ClosureReason)],
    ) -> ChargePermission:
        """The buyer ends the agreement at Amazon; or Amazon does, with another reason."""
        return of.account.permissions.close(
            charge_permission_id, why.reason, acts_at(request, of, charge_permission_id)
        )

    return router


def _charges_and_sessions(simulation: Simulation, account_of: Any) -> APIRouter:  # Any: a dependency of FastAPI's
    """What Amazon decides about charges, and what buyers do in a checkout."""
    router = APIRouter(tags=["charges and checkouts"])
    clock = simulation.clock

    @router.post("/charges/{charge_id}/decide")
    async def decide(
        request: Request,
        charge_id: str,
        of: Annotated[MerchantAccount, account_of],
        decision: Annotated[Decision, Body(default_factory=Decision)],
    ) -> Charge:
        """Amazon decides on a pending charge: captured without a reasonCode, else declined; or takes a decline back."""
        return of.account.charges.decide(charge_id, decision.reason_code, clock.time_of(request.headers))

    @router.post("/charges/{charge_id}/falsify")
    async def falsify(charge_id: str, wish: Falsification, of: Annotated[MerchantAccount, account_of]) -> Charge:
        """The books say something else of a charge from now on, to try whether that is found; nobody is notified."""
        return of.account.charges.falsify(
            charge_id, state=wish.state, captured=wish.captured, refunded=wish.refunded, created=wish.created
        )

    @router.post("/charges/{charge_id}/dispute", status_code=201)
    async def dispute(
        request: Request,
        charge_id: str,
        of: Annotated[MerchantAccount, account_of],
        chargeback: Annotated[Chargeback, Body(default_factory=Chargeback)],
    ) -> Dispute:
        """The buyer's bank takes a charge back."""
        now = clock.time_of(request.headers)
        return of.account.disputes.raise_chargeback(charge_id, chargeback.amount, chargeback.reason, now)

    @router.put("/disputes/refusal")
    async def refuse_disputes(
        of: Annotated[MerchantAccount, account_of], decision: Annotated[Decision, Body(default_factory=Decision)]
    ) -> Decision:
        """Get Dispute is refused from now on, as where a key may not read disputes; no more without a reasonCode."""
        of.account.disputes.refuse_to_show(decision.reason_code)
        return decision

    @router.post("/checkout-sessions/{checkout_session_id}/sign-in")
    async def sign_in(
        request: Request,
        checkout_session_id: str,
        of: Annotated[MerchantAccount, account_of],
        chosen: Annotated[ChosenCard, Body(default_factory=ChosenCard)],
    ) -> CheckoutSession:
        """The buyer signs in to a checkout session and chooses a test card, and comes back to the merchant's review."""
        return of.account.sessions.sign_in(checkout_session_id, chosen.card, clock.time_of(request.headers))

    @router.post("/checkout-sessions/{checkout_session_id}/approve")
    async def approve(
        request: Request,
        checkout_session_id: str,
        of: Annotated[MerchantAccount, account_of],
        chosen: Annotated[ChosenCard, Body(default_factory=ChosenCard)],
    ) -> CheckoutSession:
        """The buyer approves a checkout session with a test card, known by its last digits."""
        return of.account.sessions.approve(checkout_session_id, chosen.card, clock.time_of(request.headers))

    @router.post("/checkout-sessions/{checkout_session_id}/decline")
    async def decline(
        request: Request,
        checkout_session_id: str,
        of: Annotated[MerchantAccount, account_of],
        why: Annotated[CancellationReason, Body(default_factory=CancellationReason)],
    ) -> CheckoutSession:
        """The buyer walks away from a checkout session."""
        return of.account.sessions.decline(checkout_session_id, why.reason, clock.time_of(request.headers))

    return router
