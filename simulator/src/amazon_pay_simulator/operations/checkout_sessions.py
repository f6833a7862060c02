"""Checkout sessions, from the merchant's first call to the charge permission. Source: Amazon Pay API v2, "checkout
session"."""

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from amazon_pay_client.models import Charge, ChargePermissionType, CreateChargeRequest, Currency
from amazon_pay_client.models.charge_permissions import PaymentPreference
from amazon_pay_client.models.checkout_sessions import (
    AddressDetails,
    CheckoutSession,
    CheckoutSessionState,
    CheckoutSessionStatusDetails,
    CreateCheckoutSessionRequest,
    FinalizeCheckoutSessionRequest,
    PaymentIntent,
    ProductType,
    SessionBuyer,
    UpdateCheckoutSessionRequest,
    WebCheckoutDetails,
)
from amazon_pay_client.models.common import Address
from amazon_pay_simulator.agenda import Deadlines
from amazon_pay_simulator.books import Approval, ScriptedAnswer
from amazon_pay_simulator.cards import CARDS, card_of
from amazon_pay_simulator.context import Context, new_session_id
from amazon_pay_simulator.environments import ReleaseEnvironment
from amazon_pay_simulator.operations.charge_permissions import ChargePermissions
from amazon_pay_simulator.operations.charges import Charges
from amazon_pay_simulator.operations.consent import consent_of, details_of
from amazon_pay_simulator.operations.session_rules import (
    CompleteRequest,
    bare,
    check_amounts,
    check_critical_values,
    check_values,
    constraints,
)
from amazon_pay_simulator.refusals import Refusal

SESSION_LIVES: Final = timedelta(hours=24)
SESSION_IS_KEPT: Final = timedelta(days=30)
"""From its creation; then it is deleted."""
PAGE: Final = "/checkout"
"""Where a person plays the buyer."""

BUYER: Final = SessionBuyer(buyer_id="amzn1.account.SIMULATEDBUYER", name="Sim Buyer", email="buyer@simulator.invalid")
ADDRESS: Final = Address(
    name="Sim Buyer",
    address_line1="1 Simulated Street",
    city="Seattle",
    state_or_region="WA",
    postal_code="98109",
    country_code="US",
)
"""Where the buyer wants things shipped to, unless the merchant brought an address along."""

_NOT_SET: Final = MappingProxyType(
    {
        "payment_details": {"can_handle_pending_authorization": False},
        "merchant_metadata": {},
        "provider_metadata": {},
        "payment_preferences": (None,),
    }
)
"""What a new session answers where nothing was given: these are not null themselves, only what they hold.
Source: answers of the sandbox that merchants have published."""

_PENDING: Final = "AuthorizationInitiated"

_MERGED: Final = ("web_checkout_details", "payment_details", "merchant_metadata")
"""Objects of which an update changes only the fields that it names."""


class CheckoutSessions:
    """Creates, reads, updates, approves and completes sessions."""

    def __init__(self, context: Context, permissions: ChargePermissions, charges: Charges) -> None:
        self._context = context
        self._books = context.books
        self._permissions = permissions
        self._charges = charges
        self._expiries = Deadlines()
        for session in self._books.sessions.values():
            self._ends_by_itself(session)

    # What the API offers

    def create(
        self,
        request: CreateCheckoutSessionRequest,
        now: datetime,
        release_environment: str = ReleaseEnvironment.SANDBOX,
    ) -> CheckoutSession:
        """Opens a session.

        Raises:
            Refusal: InvalidParameterValue or InvalidParameterCombination.
        """
        given = request.model_dump(exclude_none=True, exclude={"scopes", "address_details", "cart_details"})
        session = CheckoutSession.model_validate(
            _NOT_SET
            | given
            | {
                "checkout_session_id": new_session_id(),
                "status_details": {"state": CheckoutSessionState.OPEN, "last_updated_timestamp": now},
                "charge_permission_type": request.charge_permission_type or ChargePermissionType.ONE_TIME,
                "charge_permission_id": None,
                "shipping_address": _address(request.address_details),
                "creation_timestamp": now,
                "expiration_timestamp": now + SESSION_LIVES,
                "release_environment": release_environment,
            }
        )
        check_values(session)
        self._ends_by_itself(session)
        return self._keep(session)

    def read(self, checkout_session_id: str, now: datetime) -> CheckoutSession:
        """A session as the merchant is told it.

        Raises:
            Refusal: ResourceNotFound.
        """
        session = self.current(checkout_session_id, now)
        is_completed = session.status_details.state == CheckoutSessionState.COMPLETED
        return bare(session) if is_completed and self._context.assumptions.completed_sessions_stay_bare else session

    def update(self, checkout_session_id: str, request: UpdateCheckoutSessionRequest, now: datetime) -> CheckoutSession:
        """Changes what is named; the session answers what it still lacks.

        Raises:
            Refusal: ResourceNotFound, InvalidCheckoutSessionStatus, InvalidParameterValue or
                InvalidParameterCombination.
        """
        session = self._open_session(checkout_session_id, now)
        changes = request.model_dump(exclude_none=True)
        for name in _MERGED:
            before = getattr(session, name)
            if name in changes and before is not None:
                changes[name] = before.model_dump(exclude_none=True) | changes[name]
        changed = CheckoutSession.model_validate(session.model_dump() | changes)
        check_values(changed)
        return self._keep(changed)

    def complete(
        self, checkout_session_id: str, request: CompleteRequest, now: datetime, simulate: str | None = None
    ) -> CheckoutSession:
        """Makes the charge permission, and the charge that the payment intent asks for.

        Raises:
            Refusal: the session cannot be completed, or is canceled instead.
        """
        session = self._approved_session(checkout_session_id, now)
        needs_total = self._context.assumptions.total_order_amount_always_required
        check_amounts(session, request.charge_amount, request.total_order_amount, needs_total=needs_total)
        if simulate is not None and simulate != _PENDING:
            self._cancel(session, simulate, now)
            raise Refusal("CheckoutSessionCanceled", f"The checkout session was canceled: {simulate}")
        card = CARDS[self._books.approvals[checkout_session_id].card]
        pends, declines = (True, None) if simulate else (card.pends, card.declines)
        return bare(self._complete(session, now, pends=pends, declines=declines))

    def finalize(
        self, checkout_session_id: str, request: FinalizeCheckoutSessionRequest, now: datetime
    ) -> CheckoutSession:
        """Completes a session whose payment was set with the button, once the request says the same as the session.

        Raises:
            Refusal: the session cannot be completed, or the request differs from it.
        """
        session = self._approved_session(checkout_session_id, now)
        check_critical_values(session, request)
        check_amounts(session, request.charge_amount, request.total_order_amount, needs_total=False)
        card = CARDS[self._books.approvals[checkout_session_id].card]
        completed = self._complete(session, now, pends=card.pends, declines=card.declines)
        return bare(completed, but=("payment_details", "billing_address", "buyer"))

    # What the buyer does

    def show_button(self, checkout_session_id: str, product_type: ProductType | None, now: datetime) -> CheckoutSession:
        """The buyer pressed the button of a session of the API: the product type is the button's, unless it has one.

        Raises:
            Refusal: ResourceNotFound, InvalidCheckoutSessionStatus or InvalidParameterCombination.
        """
        session = self._open_session(checkout_session_id, now)
        session = session.model_copy(update={"product_type": session.product_type or product_type})
        check_values(session)
        return self._keep(session)

    def sign_in(self, checkout_session_id: str, card: str, now: datetime) -> CheckoutSession:
        """The buyer signs in with Amazon and chooses a test card: from now on the session has a buyer.

        Raises:
            Refusal: ResourceNotFound, InvalidCheckoutSessionStatus or InvalidParameterValue.
        """
        session = self._open_session(checkout_session_id, now)
        ships = session.product_type == ProductType.PAY_AND_SHIP
        changes = {
            "buyer": BUYER,
            "shipping_address": session.shipping_address or (ADDRESS if ships else None),
            "payment_preferences": (PaymentPreference(payment_descriptor=card_of(card).descriptor),),
        }
        return self._keep(session.model_copy(update=changes))

    def approve(self, checkout_session_id: str, card: str, now: datetime) -> CheckoutSession:
        """The buyer, signed in by now at the latest, approves and pays with a test card. Some cards cancel the session:
        the merchant finds it canceled when the buyer comes back.

        Raises:
            Refusal: ResourceNotFound, InvalidCheckoutSessionStatus or InvalidParameterValue.
        """
        session = self.sign_in(checkout_session_id, card, now)
        cancels = CARDS[card].cancels
        if cancels is not None:
            return self._cancel(session, cancels, now)
        self._books.approvals[checkout_session_id] = Approval(card=card)
        return session

    def decline(self, checkout_session_id: str, reason: str, now: datetime) -> CheckoutSession:
        """The buyer walks away, or Amazon declines.

        Raises:
            Refusal: ResourceNotFound or InvalidCheckoutSessionStatus.
        """
        return self._cancel(self._open_session(checkout_session_id, now), reason, now)

    # What time does

    def current(self, checkout_session_id: str, now: datetime) -> CheckoutSession:
        """A session as it stands at an instant: canceled where its time is over.

        Raises:
            Refusal: ResourceNotFound.
        """
        session = self._books.session(checkout_session_id)
        if session.creation_timestamp is not None and now >= session.creation_timestamp + SESSION_IS_KEPT:
            raise Refusal("ResourceNotFound", f"The checkout session {checkout_session_id} was deleted")
        return self._expired(session, now)

    def expire_all(self, now: datetime) -> None:
        """Cancels every open session whose time is over. Amazon sends no notification of that."""
        for checkout_session_id in self._expiries.passed(now):
            self._expired(self._books.sessions[checkout_session_id], now)

    def _expired(self, session: CheckoutSession, now: datetime) -> CheckoutSession:
        expires = session.expiration_timestamp
        if session.status_details.state == CheckoutSessionState.OPEN and expires is not None and now >= expires:
            return self._cancel(session, "Expired", expires)
        return session

    def _ends_by_itself(self, session: CheckoutSession) -> None:
        """The clock finds the session when its time is over."""
        if session.status_details.state == CheckoutSessionState.OPEN and session.expiration_timestamp is not None:
            self._expiries.add(session.checkout_session_id, session.expiration_timestamp)

    # The state machine

    def _open_session(self, checkout_session_id: str, now: datetime) -> CheckoutSession:
        session = self.current(checkout_session_id, now)
        details = session.status_details
        if details.state != CheckoutSessionState.OPEN:
            reason = f": {details.reason_code}" if details.reason_code else ""
            raise Refusal("InvalidCheckoutSessionStatus", f"The checkout session is {details.state}{reason}")
        return session

    def _approved_session(self, checkout_session_id: str, now: datetime) -> CheckoutSession:
        session = self._open_session(checkout_session_id, now)
        if checkout_session_id not in self._books.approvals:
            raise Refusal("InvalidCheckoutSessionStatus", "The buyer has not approved the checkout session")
        if session.constraints:
            lacking = ", ".join(constraint.constraint_id for constraint in session.constraints)
            raise Refusal("InvalidCheckoutSessionStatus", f"The checkout session lacks something: {lacking}")
        return session

    def _complete(
        self, session: CheckoutSession, now: datetime, *, pends: bool, declines: str | None
    ) -> CheckoutSession:
        """Completes a session; where the authorization pends, it is declined later for a reason, or authorized."""
        details = session.payment_details
        if pends and not (
            details and details.payment_intent == PaymentIntent.AUTHORIZE and details.can_handle_pending_authorization
        ):
            raise Refusal(
                "InvalidSandboxSimulationSpecified",
                "A pending authorization needs paymentIntent=Authorize and canHandlePendingAuthorization=true",
            )
        permission = self._permissions.open(self._currency_of(session), now, consent_of(session))
        try:
            charge = self._first_charge(permission.charge_permission_id, session, now, pends=pends)
        except Refusal:
            self._permissions.withdraw(permission.charge_permission_id)
            raise
        if charge is not None and pends:
            self._charges.decide_later(charge.charge_id, declines, now + self._context.assumptions.pending_takes)
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
        self, charge_permission_id: str, session: CheckoutSession, now: datetime, *, pends: bool
    ) -> Charge | None:
        details = details_of(session)
        if details.payment_intent == PaymentIntent.CONFIRM or details.charge_amount is None:
            return None
        request = CreateChargeRequest(
            charge_permission_id=charge_permission_id,
            charge_amount=details.charge_amount,
            capture_now=details.payment_intent == PaymentIntent.AUTHORIZE_WITH_CAPTURE,
            can_handle_pending_authorization=bool(details.can_handle_pending_authorization),
        )
        return self._charges.create(request, ScriptedAnswer(code=_PENDING if pends else None), now)

    def _currency_of(self, session: CheckoutSession) -> Currency:
        details = details_of(session)
        if details.charge_amount is not None:
            return Currency(details.charge_amount.currency_code)
        return Currency(details.presentment_currency or self._context.assumptions.ledger_currency)

    def _cancel(self, session: CheckoutSession, reason: str, now: datetime) -> CheckoutSession:
        details = CheckoutSessionStatusDetails(
            state=CheckoutSessionState.CANCELED, reason_code=reason, last_updated_timestamp=now
        )
        return self._keep(session.model_copy(update={"status_details": details}))

    def _keep(self, session: CheckoutSession) -> CheckoutSession:
        """Books a session with what it lacks, and with the buyer's page to pay on once it lacks nothing."""
        lacking = constraints(session)
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


def _address(given: AddressDetails | None) -> Address | None:
    """The buyer's address as a session has it; a payload may name a district or county, which it has not."""
    return Address.model_validate(given.model_dump(exclude={"district_or_county"})) if given else None
