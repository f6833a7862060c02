"""The merchant account of the simulated Amazon: its operations and the state machines behind them.

Source of states, reasonCodes and what leads to what: Amazon Pay API v2, "charge" and "charge permission"; where a
page is silent, the assumption is said at the place.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from amazon_pay.ipn import ObjectType
from amazon_pay.models import (
    AnsweredMetadata,
    Charge,
    ChargePermission,
    ChargePermissionState,
    ChargePermissionStatusDetails,
    ChargePermissionType,
    ChargeState,
    ChargeStatusDetails,
    CloseChargePermissionRequest,
    CreateChargeRequest,
    Currency,
    Limits,
    Price,
    Reason,
)
from simulator.books import Books, ScriptedAnswer
from simulator.refusals import Refusal

Notify = Callable[[ObjectType, str, str], None]
"""Takes a notification's object type, object id and charge permission id."""

AUTHORIZATION_LIVES: Final = timedelta(days=30)
MONTHLY_LIMITS: Final = {Currency.JPY: Decimal(100_000)}
MONTHLY_LIMIT: Final = Decimal(1_000)
"""Per recurring permission and calendar month (Amazon Pay, "monthly recurring charge limits")."""

_DECLINES: Final = {
    "HardDeclined": "The payment was declined; the buyer has to update the payment method",
    "AmazonRejected": "The payment was rejected; the charge permission is closed",
    "SoftDeclined": "The payment was declined; a retry may succeed",
    "TransactionTimedOut": "There was not enough time to process the payment",
    "ProcessingFailure": "Amazon could not process the payment because of an internal error",
    "PaymentMethodNotAllowed": "The payment method is not allowed",
    "MFANotCompleted": "The buyer did not complete the authentication",
    "PeriodicAmountExceeded": "The monthly limit of the charge permission is exceeded",
}
_STATE_AFTER: Final = {
    "HardDeclined": (ChargePermissionState.NON_CHARGEABLE, "PaymentMethodInvalid"),
    "AmazonRejected": (ChargePermissionState.CLOSED, "AmazonClosed"),
}
"""What a decline does to the charge permission, and with which reason; others do nothing."""
_PENDING: Final = {
    "AuthorizationInitiated": ChargeState.AUTHORIZATION_INITIATED,
    "CaptureInitiated": ChargeState.CAPTURE_INITIATED,
}


class Account:
    """Operations on the books. Each either changes them and returns, or refuses and changes nothing else.

    Args:
        books: what it works on.
        notify: told of each change of state, as Amazon's notifications are.
    """

    def __init__(self, books: Books, notify: Notify) -> None:
        self.books = books
        self._notify = notify

    # What the API offers

    def create_charge(self, request: CreateChargeRequest, scripted: ScriptedAnswer, now: datetime) -> Charge:
        """Charges the buyer as the script says.

        Raises:
            Refusal: a decline, a state or limit that forbids it, or an unknown simulation code.
        """
        permission = self.books.permission(request.charge_permission_id)
        state = permission.status_details.state
        if state != ChargePermissionState.CHARGEABLE:
            raise Refusal("InvalidChargePermissionStatus", f"The charge permission is {state}")
        self._check_limit(permission, request.charge_amount, now)
        code = scripted.code
        if code in _DECLINES:
            self._bear_decline(permission, code, now)
            raise Refusal(code, _DECLINES[code])
        if code is not None and code not in _PENDING:
            raise Refusal("InvalidSandboxSimulationSpecified", f"{code} cannot be simulated on Create Charge")
        return self._book_charge(request, _PENDING[code] if code else _done(request), now)

    def read_permission(self, charge_permission_id: str, now: datetime) -> ChargePermission:
        """A permission with what is left of the limit in the calendar month of `now`.

        Raises:
            Refusal: ResourceNotFound.
        """
        permission = self.books.permission(charge_permission_id)
        limit = permission.limits.amount_limit if permission.limits else None
        if limit is None:
            return permission
        left = limit.model_copy(update={"amount": limit.amount - self._used(charge_permission_id, now)})
        return permission.model_copy(update={"limits": Limits(amount_limit=limit, amount_balance=left)})

    def close_permission(
        self, charge_permission_id: str, request: CloseChargePermissionRequest, now: datetime
    ) -> ChargePermission:
        """Closes a permission for the merchant.

        Raises:
            Refusal: ResourceNotFound, or InvalidChargePermissionStatus when it is closed already.
        """
        permission = self.books.permission(charge_permission_id)
        if permission.status_details.state == ChargePermissionState.CLOSED:
            raise Refusal("InvalidChargePermissionStatus", "The charge permission is closed already")
        if request.cancel_pending_charges:
            for charge in self.books.charges_of(charge_permission_id):
                if charge.status_details.state in {ChargeState.AUTHORIZATION_INITIATED, ChargeState.AUTHORIZED}:
                    self._set_charge(charge, ChargeState.CANCELED, "ChargePermissionCanceled", now)
        return self._set_permission(permission, ChargePermissionState.CLOSED, ("MerchantClosed",), now)

    # What buyers and Amazon do

    def open_permission(self, currency: Currency, now: datetime) -> ChargePermission:
        """A buyer approved a recurring charge permission in the checkout."""
        number = len(self.books.permissions) + 1
        limit = Price(amount=MONTHLY_LIMITS.get(currency, MONTHLY_LIMIT), currency_code=currency)
        permission = ChargePermission(
            charge_permission_id=f"C01-{number:07}-{number * 7919 % 10_000_000:07}",
            charge_permission_type=ChargePermissionType.RECURRING,
            status_details=ChargePermissionStatusDetails(
                state=ChargePermissionState.CHARGEABLE, last_updated_timestamp=now
            ),
            limits=Limits(amount_limit=limit, amount_balance=limit),
            creation_timestamp=now,
            release_environment="Sandbox",
        )
        self.books.permissions[permission.charge_permission_id] = permission
        return permission

    def mend_payment_method(self, charge_permission_id: str, now: datetime) -> ChargePermission:
        """The buyer updated the payment method.

        Raises:
            Refusal: the permission is unknown or closed.
        """
        permission = self._not_closed(charge_permission_id)
        return self._set_permission(permission, ChargePermissionState.CHARGEABLE, (), now)

    def break_payment_method(self, charge_permission_id: str, reason: str, now: datetime) -> ChargePermission:
        """The payment method became unusable, for instance `PaymentMethodExpired`.

        Raises:
            Refusal: the permission is unknown or closed.
        """
        permission = self._not_closed(charge_permission_id)
        return self._set_permission(permission, ChargePermissionState.NON_CHARGEABLE, (reason,), now)

    def close_by_buyer(self, charge_permission_id: str, now: datetime) -> ChargePermission:
        """The buyer canceled the agreement at Amazon.

        Raises:
            Refusal: the permission is unknown or closed.
        """
        permission = self._not_closed(charge_permission_id)
        return self._set_permission(permission, ChargePermissionState.CLOSED, ("BuyerClosed",), now)

    def decide_charge(self, charge_id: str, reason_code: str | None, now: datetime) -> Charge:
        """Amazon decides on a pending charge: captured or authorized as asked for, or declined with a reasonCode.

        Raises:
            Refusal: the charge is unknown or not pending.
        """
        charge = self.books.charge(charge_id)
        if charge.status_details.state not in _PENDING.values():
            raise Refusal("InvalidChargeStatus", f"The charge is {charge.status_details.state}, not pending")
        if reason_code is None:
            state = _done(self.books.requests[charge_id])
            return self._set_charge(charge.model_copy(update=_captured(charge.charge_amount, state)), state, None, now)
        self._bear_decline(self.books.permission(charge.charge_permission_id), reason_code, now)
        return self._set_charge(charge, ChargeState.DECLINED, reason_code, now)

    # The state machines

    def _not_closed(self, charge_permission_id: str) -> ChargePermission:
        permission = self.books.permission(charge_permission_id)
        if permission.status_details.state == ChargePermissionState.CLOSED:
            raise Refusal("InvalidChargePermissionStatus", "The charge permission is closed")
        return permission

    def _book_charge(self, request: CreateChargeRequest, state: ChargeState, now: datetime) -> Charge:
        number = len(self.books.charges) + 1
        metadata = request.merchant_metadata
        charge = Charge(
            charge_id=f"S01-{number:07}-{number * 104_729 % 10_000_000:07}-C{number:06}",
            charge_permission_id=request.charge_permission_id,
            charge_amount=request.charge_amount,
            soft_descriptor=request.soft_descriptor,
            provider_metadata=request.provider_metadata,
            platform_id=request.platform_id,
            charge_initiator=request.charge_initiator,
            channel=request.channel,
            web_checkout_details=request.web_checkout_details,
            status_details=ChargeStatusDetails(state=state, last_updated_timestamp=now),
            creation_timestamp=now,
            expiration_timestamp=now + AUTHORIZATION_LIVES,
            merchant_metadata=AnsweredMetadata.model_validate(metadata.model_dump()) if metadata else None,
            release_environment="Sandbox",
        )
        charge = charge.model_copy(update=_captured(charge.charge_amount, state))
        self.books.charges[charge.charge_id] = charge
        self.books.requests[charge.charge_id] = request
        self._notify(ObjectType.CHARGE, charge.charge_id, charge.charge_permission_id)
        return charge

    def _bear_decline(self, permission: ChargePermission, code: str, now: datetime) -> None:
        """What a decline does to the charge permission."""
        if code in _STATE_AFTER:
            state, reason = _STATE_AFTER[code]
            self._set_permission(permission, state, (reason,), now)

    def _set_charge(self, charge: Charge, state: ChargeState, reason: str | None, now: datetime) -> Charge:
        details = ChargeStatusDetails(state=state, reason_code=reason, last_updated_timestamp=now)
        changed = charge.model_copy(update={"status_details": details})
        self.books.charges[charge.charge_id] = changed
        self._notify(ObjectType.CHARGE, charge.charge_id, charge.charge_permission_id)
        return changed

    def _set_permission(
        self, permission: ChargePermission, state: ChargePermissionState, reasons: tuple[str, ...], now: datetime
    ) -> ChargePermission:
        details = ChargePermissionStatusDetails(
            state=state,
            reasons=tuple(Reason(reason_code=code) for code in reasons) or None,
            last_updated_timestamp=now,
        )
        changed = permission.model_copy(update={"status_details": details})
        identifier = permission.charge_permission_id
        self.books.permissions[identifier] = changed
        self._notify(ObjectType.CHARGE_PERMISSION, identifier, identifier)
        return changed

    def _check_limit(self, permission: ChargePermission, amount: Price, now: datetime) -> None:
        """The limit of the calendar month; its zone is not documented, UTC is an assumption."""
        limit = permission.limits.amount_limit if permission.limits else None
        if limit is None:
            return
        if amount.currency_code != limit.currency_code:
            raise Refusal(
                "CurrencyMismatch", f"The charge permission is in {limit.currency_code}, not {amount.currency_code}"
            )
        if self._used(permission.charge_permission_id, now) + amount.amount > limit.amount:
            raise Refusal(
                "PeriodicAmountExceeded",
                "You've exceeded the monthly limit for the Charge Permission and must wait until the next month "
                "to charge this buyer.",
            )

    def _used(self, charge_permission_id: str, now: datetime) -> Decimal:
        """What was charged in the calendar month; a charge that was declined or canceled takes nothing."""
        return sum(
            (
                charge.charge_amount.amount
                for charge in self.books.charges_of(charge_permission_id)
                if charge.status_details.state not in {ChargeState.DECLINED, ChargeState.CANCELED}
                and charge.creation_timestamp is not None
                and (charge.creation_timestamp.year, charge.creation_timestamp.month) == (now.year, now.month)
            ),
            Decimal(0),
        )


def _done(request: CreateChargeRequest) -> ChargeState:
    """The state that a charge has in the end when all goes well."""
    return ChargeState.CAPTURED if request.capture_now else ChargeState.AUTHORIZED


def _captured(amount: Price, state: ChargeState) -> dict[str, Price]:
    """The amounts that a charge has once it is captured; before that Amazon answers null for both."""
    if state is not ChargeState.CAPTURED:
        return {}
    return {"capture_amount": amount, "refunded_amount": Price(amount=Decimal(0), currency_code=amount.currency_code)}
