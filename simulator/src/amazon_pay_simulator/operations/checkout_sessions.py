"""Checkout sessions, from the merchant's first call to the charge permission. Source: Amazon Pay API v2, "checkout
session"."""

from datetime import datetime, timedelta
from typing import Final

from pydantic import HttpUrl, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from amazon_pay_client.models import (
    Charge,
    ChargePermissionType,
    CreateChargeRequest,
    Currency,
    Price,
)
from amazon_pay_client.models.charge_permissions import PaymentPreference
from amazon_pay_client.models.checkout_sessions import (
    AnsweredPaymentDetails,
    CheckoutSession,
    CheckoutSessionState,
    CheckoutSessionStatusDetails,
    CompleteCheckoutSessionRequest,
    Constraint,
    CreateCheckoutSessionRequest,
    FinalizeCheckoutSessionRequest,
    PaymentDetails,
    PaymentIntent,
    ProductType,
    SessionBuyer,
    UpdateCheckoutSessionRequest,
    WebCheckoutDetails,
)
from amazon_pay_simulator.books import Approval, ScriptedAnswer
from amazon_pay_simulator.cards import CARDS, DEFAULT_CARD, Card
from amazon_pay_simulator.context import RELEASE_ENVIRONMENT, Context, new_session_id
from amazon_pay_simulator.operations.charge_permissions import ChargePermissions
from amazon_pay_simulator.operations.charges import Charges
from amazon_pay_simulator.refusals import Refusal

SESSION_LIVES: Final = timedelta(hours=24)
SESSION_IS_KEPT: Final = timedelta(days=30)
"""From its creation; then it is deleted."""
PAGE: Final = "/checkout"
"""Where a person plays the buyer."""

BUYER: Final = SessionBuyer(buyer_id="amzn1.account.SIMULATEDBUYER", name="Sim Buyer", email="buyer@simulator.invalid")

_MERCHANTS_PAGE: Final = TypeAdapter[HttpUrl | None](HttpUrl | None)

_MERGED: Final = ("web_checkout_details", "payment_details", "merchant_metadata")
"""Objects of which an update changes only the fields that it names."""


class CheckoutSessions:
    """Creates, reads, updates, approves and completes sessions."""

    def __init__(self, context: Context, permissions: ChargePermissions, charges: Charges) -> None:
        self._context = context
        self._books = context.books
        self._permissions = permissions
        self._charges = charges

    # What the API offers

    def create(self, request: CreateCheckoutSessionRequest, now: datetime) -> CheckoutSession:
        """Opens a session."""
        given = request.model_dump(exclude_none=True, exclude={"scopes", "address_details", "cart_details"})
        session = CheckoutSession.model_validate(
            given
            | {
                "checkout_session_id": new_session_id(),
                "status_details": {"state": CheckoutSessionState.OPEN, "last_updated_timestamp": now},
                "charge_permission_type": request.charge_permission_type or ChargePermissionType.ONE_TIME,
                "charge_permission_id": None,
                "creation_timestamp": now,
                "expiration_timestamp": now + SESSION_LIVES,
                "release_environment": RELEASE_ENVIRONMENT,
            }
        )
        _check_values(session)
        return self._keep(session)

    def read(self, checkout_session_id: str, now: datetime) -> CheckoutSession:
        """A session as it stands at an instant: canceled where its time is over.

        Raises:
            Refusal: ResourceNotFound.
        """
        session = self._books.session(checkout_session_id)
        if session.creation_timestamp is not None and now >= session.creation_timestamp + SESSION_IS_KEPT:
            raise Refusal("ResourceNotFound", f"The checkout session {checkout_session_id} was deleted")
        expires = session.expiration_timestamp
        if session.status_details.state == CheckoutSessionState.OPEN and expires is not None and now >= expires:
            return self._cancel(session, "Expired", expires)
        return session

    def update(self, checkout_session_id: str, request: UpdateCheckoutSessionRequest, now: datetime) -> CheckoutSession:
        """Changes what is named; the session answers what it still lacks.

        Raises:
            Refusal: ResourceNotFound, InvalidCheckoutSessionStatus or InvalidParameterValue.
        """
        session = self._open_session(checkout_session_id, now)
        changes = request.model_dump(exclude_none=True)
        for name in _MERGED:
            before = getattr(session, name)
            if name in changes and before is not None:
                changes[name] = before.model_dump(exclude_none=True) | changes[name]
        changed = CheckoutSession.model_validate(session.model_dump() | changes)
        _check_values(changed)
        return self._keep(changed)

    def complete(
        self,
        checkout_session_id: str,
        request: CompleteCheckoutSessionRequest,
        now: datetime,
        simulate: str | None = None,
    ) -> CheckoutSession:
        """Makes the charge permission, and the charge that the payment intent asks for.

        Raises:
            Refusal: the session cannot be completed, or is canceled instead.
        """
        session = self._open_session(checkout_session_id, now)
        if checkout_session_id not in self._books.approvals:
            raise Refusal("InvalidCheckoutSessionStatus", "The buyer has not approved the checkout session")
        if session.constraints:
            lacking = ", ".join(constraint.constraint_id for constraint in session.constraints)
            raise Refusal("InvalidCheckoutSessionStatus", f"The checkout session lacks something: {lacking}")
        amount = session.payment_details.charge_amount if session.payment_details else None
        if amount is None or request.charge_amount != amount:
            raise Refusal("AmountMismatch", f"The checkout session's charge amount is {amount.amount if amount else 0}")
        card = CARDS[self._books.approvals[checkout_session_id].card]
        if simulate is not None:
            pends = simulate == "AuthorizationInitiated"
            card = Card("", "", "", cancels=None if pends else simulate, pends=pends)
        return self._complete(session, amount, card, now)

    def finalize(
        self, checkout_session_id: str, request: FinalizeCheckoutSessionRequest, now: datetime
    ) -> CheckoutSession:
        """Completes a session whose details the merchant's own page collected.

        Raises:
            Refusal: ResourceNotFound, InvalidCheckoutSessionStatus, InvalidParameterValue or MissingParameterValue.
        """
        session = self._open_session(checkout_session_id, now)
        if request.charge_amount is None:
            raise Refusal("MissingParameterValue", "chargeAmount is missing")
        details = PaymentDetails(
            payment_intent=request.payment_intent,
            charge_amount=request.charge_amount,
            total_order_amount=request.total_order_amount,
            can_handle_pending_authorization=request.can_handle_pending_authorization,
        )
        answered = AnsweredPaymentDetails.model_validate(details.model_dump())
        session = session.model_copy(update={"payment_details": answered})
        _check_values(session)
        return self._complete(session, request.charge_amount, CARDS[DEFAULT_CARD], now)

    # What the buyer does

    def approve(self, checkout_session_id: str, card: str, now: datetime) -> CheckoutSession:
        """The buyer approves, and pays with a test card.

        Raises:
            Refusal: ResourceNotFound, InvalidCheckoutSessionStatus or InvalidParameterValue.
        """
        session = self._open_session(checkout_session_id, now)
        if card not in CARDS:
            raise Refusal("InvalidParameterValue", f"There is no test card {card}; accepted are {', '.join(CARDS)}")
        self._books.approvals[checkout_session_id] = Approval(card=card)
        changes = {
            "buyer": BUYER,
            "payment_preferences": (PaymentPreference(payment_descriptor=CARDS[card].descriptor),),
        }
        return self._keep(session.model_copy(update=changes))

    def decline(self, checkout_session_id: str, reason: str, now: datetime) -> CheckoutSession:
        """The buyer walks away, or Amazon declines.

        Raises:
            Refusal: ResourceNotFound or InvalidCheckoutSessionStatus.
        """
        return self._cancel(self._open_session(checkout_session_id, now), reason, now)

    def _open_session(self, checkout_session_id: str, now: datetime) -> CheckoutSession:
        session = self.read(checkout_session_id, now)
        state = session.status_details.state
        if state == CheckoutSessionState.CANCELED:
            raise Refusal("CheckoutSessionCanceled", f"The session was canceled: {session.status_details.reason_code}")
        if state != CheckoutSessionState.OPEN:
            raise Refusal("InvalidCheckoutSessionStatus", f"The checkout session is {state}")
        return session

    def _complete(self, session: CheckoutSession, amount: Price, card: Card, now: datetime) -> CheckoutSession:
        details = session.payment_details or AnsweredPaymentDetails()
        if card.cancels is not None:
            self._cancel(session, card.cancels, now)
            raise Refusal("CheckoutSessionCanceled", f"The checkout session was canceled: {card.cancels}")
        if card.pends and not (
            details.payment_intent == PaymentIntent.AUTHORIZE and details.can_handle_pending_authorization
        ):
            raise Refusal(
                "InvalidSandboxSimulationSpecified",
                "A pending authorization needs paymentIntent=Authorize and canHandlePendingAuthorization=true",
            )
        permission = self._permissions.open(
            Currency(amount.currency_code),
            now,
            ChargePermissionType(session.charge_permission_type or ChargePermissionType.ONE_TIME),
            session.recurring_metadata,
            session.merchant_metadata,
            extended=bool(details.extend_expiration),
        )
        try:
            charge = self._first_charge(permission.charge_permission_id, details, amount, card, now)
        except Refusal:
            self._permissions.withdraw(permission.charge_permission_id)
            raise
        return self._keep(
            session.model_copy(
                update={
                    "charge_permission_id": permission.charge_permission_id,
                    "charge_id": charge.charge_id if charge else None,
                    "status_details": CheckoutSessionStatusDetails(
                        state=CheckoutSessionState.COMPLETED, last_updated_timestamp=now
                    ),
                }
            )
        )

    def _first_charge(
        self, charge_permission_id: str, details: AnsweredPaymentDetails, amount: Price, card: Card, now: datetime
    ) -> Charge | None:
        if details.payment_intent == PaymentIntent.CONFIRM:
            return None
        request = CreateChargeRequest(
            charge_permission_id=charge_permission_id,
            charge_amount=amount,
            capture_now=details.payment_intent == PaymentIntent.AUTHORIZE_WITH_CAPTURE,
            can_handle_pending_authorization=bool(details.can_handle_pending_authorization),
        )
        scripted = ScriptedAnswer(code="AuthorizationInitiated" if card.pends else None)
        charge = self._charges.create(request, scripted, now)
        if card.pends:
            at = now + self._context.assumptions.pending_takes
            self._charges.decide_later(charge.charge_id, card.declines, at)
        return charge

    def _cancel(self, session: CheckoutSession, reason: str, now: datetime) -> CheckoutSession:
        details = CheckoutSessionStatusDetails(
            state=CheckoutSessionState.CANCELED, reason_code=reason, last_updated_timestamp=now
        )
        return self._keep(session.model_copy(update={"status_details": details}))

    def _keep(self, session: CheckoutSession) -> CheckoutSession:
        """Books a session with what it lacks, and with the buyer's page once it lacks nothing of the merchant's."""
        lacking = _constraints(session)
        web = session.web_checkout_details or WebCheckoutDetails()
        page = None if lacking else f"{self._context.origin}{PAGE}/{session.checkout_session_id}"
        session = session.model_copy(
            update={
                "constraints": lacking,
                "web_checkout_details": web.model_copy(update={"amazon_pay_redirect_url": page}),
            }
        )
        self._books.sessions[session.checkout_session_id] = session
        return session


def _check_values(session: CheckoutSession) -> None:
    """Refuses what Amazon does not know: the models keep it, as answers may bring something new."""
    details = session.payment_details or AnsweredPaymentDetails()
    for name, value, kind in (
        ("chargePermissionType", session.charge_permission_type, ChargePermissionType),
        ("paymentDetails.paymentIntent", details.payment_intent, PaymentIntent),
        ("paymentDetails.chargeAmount", details.charge_amount and details.charge_amount.currency_code, Currency),
        ("productType", session.product_type, ProductType),
    ):
        if value is not None and not isinstance(value, kind):
            raise Refusal("InvalidParameterValue", f"Not accepted: {name}: {value}")
    web = session.web_checkout_details or WebCheckoutDetails()
    for name in ("checkout_review_return_url", "checkout_result_return_url", "checkout_cancel_url"):
        try:
            _MERCHANTS_PAGE.validate_python(getattr(web, name))
        except ValidationError:
            raise Refusal(
                "InvalidParameterValue", f"Not accepted: webCheckoutDetails.{to_camel(name)}: {getattr(web, name)}"
            ) from None


def _constraints(session: CheckoutSession) -> tuple[Constraint, ...]:
    """What a session still lacks. Ids: those seen in captured answers of the sandbox."""
    details = session.payment_details
    web = session.web_checkout_details
    lacking = {
        "ChargeAmountNotSet": not (details and details.charge_amount),
        "CheckoutResultReturnUrlNotSet": not (web and web.checkout_result_return_url),
        "PaymentIntentNotSet": not (details and details.payment_intent),
    }
    return tuple(
        Constraint(constraint_id=name, description=f"{name.removesuffix('NotSet')} is not set")
        for name, lacks in lacking.items()
        if lacks
    )
