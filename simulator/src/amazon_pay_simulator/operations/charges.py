"""Charges. Source: Amazon Pay API v2, "charge" and "asynchronous processing"."""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from amazon_pay_client.ipn import ObjectType
from amazon_pay_client.models import (
    AnsweredMetadata,
    AnsweredProviderMetadata,
    ChargePermission,
    ChargePermissionState,
    ChargePermissionType,
    ChargeState,
    ChargeStatusDetails,
    CreateChargeRequest,
    Currency,
    Price,
    WebCheckoutDetails,
)
from amazon_pay_client.models.charges import CancelChargeRequest, CaptureChargeRequest, UpdateChargeRequest
from amazon_pay_simulator.agenda import Appointment
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.context import Context
from amazon_pay_simulator.environments import order_id
from amazon_pay_simulator.objects import Charge
from amazon_pay_simulator.operations.charge_permissions import ChargePermissions
from amazon_pay_simulator.refusals import STATUS_OF, Refusal
from amazon_pay_simulator.simulations import DECLINES

AUTHORIZATION_LIVES: Final = timedelta(days=30)
CAPTURED_AT_ONCE: Final = timedelta(days=7)
"""A capture that comes later than this after the authorization is CaptureInitiated first."""

LARGEST_CHARGE: Final = {Currency.JPY: Decimal(10_000_000)}
LARGEST_CHARGE_OF_OTHERS: Final = Decimal(150_000)
MOST_CHARGES: Final = 25
"""Of a one-time permission."""

_STATE_AFTER: Final = {
    "HardDeclined": (ChargePermissionState.NON_CHARGEABLE, "PaymentMethodInvalid"),
    "AmazonRejected": (ChargePermissionState.CLOSED, "AmazonClosed"),
}
"""What a decline does to the charge permission, and with which reason; others do nothing."""

_CANCELABLE: Final = frozenset({ChargeState.AUTHORIZATION_INITIATED, ChargeState.AUTHORIZED})
_PENDING: Final = frozenset({ChargeState.AUTHORIZATION_INITIATED, ChargeState.CAPTURE_INITIATED})


class Charges:
    """Creates, reads, captures and cancels charges."""

    def __init__(self, context: Context, permissions: ChargePermissions) -> None:
        self._context = context
        self._books = context.books
        self._permissions = permissions

    # What the API offers

    def create(self, request: CreateChargeRequest, scripted: ScriptedAnswer, now: datetime) -> Charge:
        """Charges the buyer as the script says.

        Raises:
            Refusal: a decline, a state or limit that forbids it, whatever error is scripted, or an unknown code.
        """
        code = scripted.code
        if code is not None and scripted.status is not None:
            raise Refusal(code, "Scripted", scripted.status)
        if code is not None and code in STATUS_OF and code not in DECLINES:
            raise Refusal(code, "Scripted")
        permission = self._permissions.current(request.charge_permission_id, now)
        self._check(permission, request, now)
        if code is None:
            return self._book(request, permission, _done(request), now)
        if code in DECLINES:
            self._bear_decline(permission.charge_permission_id, code, now)
            raise Refusal(code, DECLINES[code])
        try:
            state = ChargeState(code)
        except ValueError:
            state = ChargeState.DECLINED
        if state not in _PENDING:
            raise Refusal("InvalidSandboxSimulationSpecified", f"{code} cannot be simulated on CreateCharge")
        return self._book(request, permission, state, now)

    def read(self, charge_id: str) -> Charge:
        """Reads a charge.

        Raises:
            Refusal: ResourceNotFound.
        """
        return self._books.charge(charge_id)

    def capture(
        self, charge_id: str, request: CaptureChargeRequest, now: datetime, simulate: str | None = None
    ) -> Charge:
        """Captures all or a part of an authorized charge; what is not captured is released.

        Raises:
            Refusal: ResourceNotFound, InvalidChargeStatus, an amount that does not fit, or what is simulated.
        """
        charge = self._books.charge(charge_id)
        _check_state(charge, {ChargeState.AUTHORIZED})
        _check_amount(request.capture_amount, charge.charge_amount)
        if simulate is not None and simulate in DECLINES:
            self.set_state(charge_id, ChargeState.DECLINED, simulate, now)
            self._bear_decline(charge.charge_permission_id, simulate, now)
            raise Refusal(simulate, DECLINES[simulate])
        charge = charge.model_copy(update={"soft_descriptor": request.soft_descriptor or charge.soft_descriptor})
        self._books.charges[charge_id] = charge
        # Of a part, the charge's request remembers how much: the amount is answered once it is captured.
        self._books.requests[charge_id] = self._books.requests[charge_id].model_copy(
            update={"capture_now": True, "charge_amount": request.capture_amount}
        )
        authorized_at = charge.status_details.last_updated_timestamp
        late = authorized_at is not None and now - authorized_at > CAPTURED_AT_ONCE
        if not late and simulate is None:
            return self.set_state(charge_id, ChargeState.CAPTURED, None, now)
        charge = self.set_state(charge_id, ChargeState.CAPTURE_INITIATED, None, now)
        if simulate is None:
            self._books.agenda.make(
                charge_id,
                Appointment(
                    at=now + self._context.assumptions.late_capture_takes,
                    object_type=ObjectType.CHARGE,
                    charge_permission_id=charge.charge_permission_id,
                    state=ChargeState.CAPTURED,
                ),
            )
        return charge

    def cancel(
        self, charge_id: str, _request: CancelChargeRequest, now: datetime, simulate: str | None = None
    ) -> Charge:
        """Cancels a charge that is pending or authorized; with `simulate`, for another reason.

        Raises:
            Refusal: ResourceNotFound or InvalidChargeStatus.
        """
        charge = self._books.charge(charge_id)
        _check_state(charge, _CANCELABLE)
        return self.set_state(charge_id, ChargeState.CANCELED, simulate or "MerchantCanceled", now)

    def cancel_with_permission(self, charge_permission_id: str, now: datetime) -> None:
        """Cancels what is pending or authorized, as the merchant asked for when closing the permission."""
        for charge in self._books.charges_of(charge_permission_id):
            if charge.status_details.state in _CANCELABLE:
                self.set_state(charge.charge_id, ChargeState.CANCELED, "ChargePermissionCanceled", now)

    def update(self, charge_id: str, request: UpdateChargeRequest, now: datetime) -> Charge:
        """A payment service provider tells how a charge went.

        Raises:
            Refusal: ResourceNotFound, or InvalidChargeStatus when it is not pending.
        """
        charge = self._books.charge(charge_id)
        _check_state(charge, _PENDING)
        details = request.status_details
        return self.set_state(charge_id, ChargeState(details.state), details.reason_code, now)

    # What Amazon does

    def decide(self, charge_id: str, reason_code: str | None, now: datetime) -> Charge:
        """Amazon decides on a pending charge: captured or authorized as asked for, or declined with a reasonCode.

        It may also take a decline back, without a reasonCode: what was told as declined has taken money after all.

        Raises:
            Refusal: the charge is unknown or not pending.
        """
        charge = self._books.charge(charge_id)
        taken_back = charge.status_details.state is ChargeState.DECLINED and reason_code is None
        if charge.status_details.state not in _PENDING and not taken_back:
            raise Refusal("InvalidChargeStatus", f"The charge is {charge.status_details.state}, not pending")
        if reason_code is None:
            return self.set_state(charge_id, _done(self._books.requests[charge_id]), None, now)
        self._bear_decline(charge.charge_permission_id, reason_code, now)
        return self.set_state(charge_id, ChargeState.DECLINED, reason_code, now)

    def falsify(
        self,
        charge_id: str,
        *,
        state: ChargeState | None = None,
        captured: Decimal | None = None,
        refunded: Decimal | None = None,
        created: datetime | None = None,
    ) -> Charge:
        """Writes something else into the books than happened, in the charge's currency; nobody is notified.

        Raises:
            Refusal: ResourceNotFound.
        """
        charge = self._books.charge(charge_id)

        def price(amount: Decimal) -> Price:
            return Price(amount=amount, currency_code=charge.charge_amount.currency_code)

        changes: dict[str, object] = {}
        if state is not None:
            changes["status_details"] = charge.status_details.model_copy(update={"state": state})
        if captured is not None:
            changes["capture_amount"] = price(captured)
        if refunded is not None:
            changes["refunded_amount"] = price(refunded)
        if created is not None:
            changes["creation_timestamp"] = created
        self._books.charges[charge_id] = charge.model_copy(update=changes)
        return self._books.charge(charge_id)

    def decide_later(self, charge_id: str, reason_code: str | None, at: datetime) -> None:
        """Amazon decides on a pending charge by itself at an instant."""
        charge = self._books.charge(charge_id)
        state = ChargeState.DECLINED if reason_code else _done(self._books.requests[charge_id])
        self._books.agenda.make(
            charge_id,
            Appointment(
                at=at,
                object_type=ObjectType.CHARGE,
                charge_permission_id=charge.charge_permission_id,
                state=state,
                reason_code=reason_code,
            ),
        )

    def keep(self, charge_id: str, appointment: Appointment) -> None:
        """What was to happen to a charge by itself happens."""
        if self._books.charge(charge_id).status_details.state in _PENDING:
            self.decide(charge_id, appointment.reason_code, appointment.at)
        else:
            self.set_state(charge_id, ChargeState(appointment.state), appointment.reason_code, appointment.at)

    # The state machine

    def set_state(self, charge_id: str, state: ChargeState, reason: str | None, now: datetime) -> Charge:
        """Changes the state and tells the merchant."""
        charge = self._books.charge(charge_id)
        self._books.agenda.drop(charge_id)
        if state is ChargeState.CAPTURED and charge.capture_amount is None:
            amount = self._books.requests[charge_id].charge_amount
            charge = charge.model_copy(update={"capture_amount": amount, "refunded_amount": _zero(amount)})
        details = ChargeStatusDetails(state=state, reason_code=reason, last_updated_timestamp=now)
        changed = charge.model_copy(update={"status_details": details})
        self._books.charges[charge_id] = changed
        if state is ChargeState.AUTHORIZED:
            self._expires_unused(changed)
        self._context.notify(ObjectType.CHARGE, charge_id, charge.charge_permission_id)
        if state is ChargeState.CAPTURED:
            self._permissions.was_captured(charge.charge_permission_id, now)
        return changed

    def _check(self, permission: ChargePermission, request: CreateChargeRequest, now: datetime) -> None:
        state = permission.status_details.state
        if state != ChargePermissionState.CHARGEABLE:
            raise Refusal("InvalidChargePermissionStatus", f"The charge permission is {state}")
        amount = request.charge_amount
        largest = LARGEST_CHARGE.get(Currency(amount.currency_code), LARGEST_CHARGE_OF_OTHERS)
        self._permissions.check_limit(permission, amount, now)
        if amount.amount > largest:
            raise Refusal("TransactionAmountExceeded", f"A charge may be {largest} {amount.currency_code} at the most")
        one_time = permission.charge_permission_type == ChargePermissionType.ONE_TIME
        if one_time and len(self._books.charges_of(permission.charge_permission_id)) >= MOST_CHARGES:
            raise Refusal("TransactionCountExceeded", f"A one-time permission allows {MOST_CHARGES} charges")

    def _book(
        self, request: CreateChargeRequest, permission: ChargePermission, state: ChargeState, now: datetime
    ) -> Charge:
        number = len(self._books.charges) + 1
        # A recurring permission's charges have an order number of their own; a one-time permission is the order.
        order = order_id(permission.release_environment, number, self._context.owner)
        if permission.charge_permission_type == ChargePermissionType.ONE_TIME:
            order = permission.charge_permission_id
        metadata, provider, web = request.merchant_metadata, request.provider_metadata, request.web_checkout_details
        charge = Charge(
            charge_id=f"{order}-C{number:06}",
            charge_permission_id=request.charge_permission_id,
            charge_amount=request.charge_amount,
            soft_descriptor=request.soft_descriptor,
            provider_metadata=AnsweredProviderMetadata.model_validate(provider.model_dump()) if provider else None,
            platform_id=request.platform_id,
            charge_initiator=request.charge_initiator,
            channel=request.channel,
            web_checkout_details=WebCheckoutDetails.model_validate(web.model_dump()) if web else None,
            status_details=ChargeStatusDetails(state=state, last_updated_timestamp=now),
            creation_timestamp=now,
            expiration_timestamp=now + AUTHORIZATION_LIVES,
            merchant_metadata=AnsweredMetadata.model_validate(metadata.model_dump()) if metadata else None,
            release_environment=permission.release_environment,
        )
        self._books.add_charge(charge, request)
        self._permissions.was_charged(permission, now)
        return self.set_state(charge.charge_id, state, None, now)

    def _bear_decline(self, charge_permission_id: str, code: str, now: datetime) -> None:
        """What a decline does to the charge permission. One that is closed by now stays as it is."""
        state_now = self._books.permission(charge_permission_id).status_details.state
        if code in _STATE_AFTER and state_now != ChargePermissionState.CLOSED:
            state, reason = _STATE_AFTER[code]
            self._permissions.set_state(charge_permission_id, state, (reason,), now)

    def _expires_unused(self, charge: Charge) -> None:
        if charge.expiration_timestamp is None:
            return
        self._books.agenda.make(
            charge.charge_id,
            Appointment(
                at=charge.expiration_timestamp,
                object_type=ObjectType.CHARGE,
                charge_permission_id=charge.charge_permission_id,
                state=ChargeState.CANCELED,
                reason_code="ExpiredUnused",
            ),
        )


def _done(request: CreateChargeRequest) -> ChargeState:
    """The state that a charge has in the end when all goes well."""
    return ChargeState.CAPTURED if request.capture_now else ChargeState.AUTHORIZED


def _zero(amount: Price) -> Price:
    return Price(amount=Decimal(0), currency_code=amount.currency_code)


def _check_state(charge: Charge, allowed: Collection[ChargeState]) -> None:
    state = charge.status_details.state
    if state not in allowed:
        raise Refusal("InvalidChargeStatus", f"The charge is {state}; {' or '.join(sorted(allowed))} was expected")


def _check_amount(amount: Price, authorized: Price) -> None:
    if amount.currency_code != authorized.currency_code:
        raise Refusal("CurrencyMismatch", f"The charge is in {authorized.currency_code}, not {amount.currency_code}")
    if amount.amount > authorized.amount:
        raise Refusal("TransactionAmountExceeded", f"Only {authorized.amount} was authorized")
