"""Charge permissions. Source: Amazon Pay API v2, "charge permission" and "monthly recurring charge limits"."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from amazon_pay_client.ipn import ObjectType
from amazon_pay_client.models import (
    AnsweredMetadata,
    ChargePermission,
    ChargePermissionState,
    ChargePermissionStatusDetails,
    ChargePermissionType,
    ChargeState,
    Currency,
    Limits,
    Price,
    Reason,
)
from amazon_pay_client.models.charge_permissions import PaymentPreference, UpdateChargePermissionRequest
from amazon_pay_simulator.agenda import Deadlines
from amazon_pay_simulator.cards import card_of
from amazon_pay_simulator.context import Context
from amazon_pay_simulator.durations import months_later
from amazon_pay_simulator.environments import permission_id
from amazon_pay_simulator.objects import Charge
from amazon_pay_simulator.operations.consent import Consent, check_frequency
from amazon_pay_simulator.refusals import Refusal

ONE_TIME_LIVES: Final = timedelta(days=180)
ONE_TIME_LIVES_MONTHS_EXTENDED: Final = 13
"""With `extendExpiration`."""

BUYER_IS_KNOWN: Final = timedelta(days=30)
"""For so long the buyer's details can be read: after a one-time permission was given, after another was closed."""

_TAKES_NOTHING: Final = frozenset({ChargeState.DECLINED, ChargeState.CANCELED})
"""Charges in these states take nothing from the monthly limit."""


class ChargePermissions:
    """Opens, reads, changes and closes charge permissions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._books = context.books
        self._month_zone = ZoneInfo(context.assumptions.month_zone)
        self._expiries = Deadlines()
        for permission in self._books.permissions.values():
            self._ends_by_itself(permission)

    # What the API offers

    def read(self, charge_permission_id: str, now: datetime) -> ChargePermission:
        """A permission with what is left of its limit, that of a month in the calendar month of `now`.

        Raises:
            Refusal: ResourceNotFound.
        """
        permission = self.current(charge_permission_id, now)
        if _forgets_the_buyer(permission, now):
            nobody: dict[str, None] = {"buyer": None, "shipping_address": None, "billing_address": None}
            permission = permission.model_copy(update=nobody)
        limit = permission.limits.amount_limit if permission.limits else None
        if limit is None:
            return permission
        left = limit.model_copy(update={"amount": limit.amount - self._used(permission, now)})
        return permission.model_copy(update={"limits": Limits(amount_limit=limit, amount_balance=left)})

    def update(
        self, charge_permission_id: str, request: UpdateChargePermissionRequest, now: datetime
    ) -> ChargePermission:
        """Changes what is named of the metadata, and leaves the rest of it.

        Raises:
            Refusal: ResourceNotFound, ChargePermissionNotModifiable when it is closed, or InvalidParameterValue.
        """
        permission = self.current(charge_permission_id, now)
        check_frequency(request.recurring_metadata)
        if permission.status_details.state == ChargePermissionState.CLOSED:
            raise Refusal("ChargePermissionNotModifiable", "The charge permission is closed")
        changes: dict[str, object] = {}
        if request.merchant_metadata is not None:
            named = request.merchant_metadata.model_dump(exclude_none=True)
            changes["merchant_metadata"] = (permission.merchant_metadata or AnsweredMetadata()).model_copy(update=named)
        if request.recurring_metadata is not None:
            changes["recurring_metadata"] = request.recurring_metadata
        self._books.permissions[charge_permission_id] = permission.model_copy(update=changes)
        return self.read(charge_permission_id, now)

    # What buyers and Amazon do

    def open(self, currency: Currency, now: datetime, consent: Consent | None = None) -> ChargePermission:
        """A buyer gave a charge permission in the checkout; for recurring charges where no consent says otherwise."""
        consent = consent or Consent()
        release_environment = consent.release_environment or self._context.release_environment
        limit, number = consent.limit(currency), len(self._books.permissions) + 1
        permission = ChargePermission(
            charge_permission_id=permission_id(consent.kind, release_environment, number, self._context.owner),
            charge_permission_type=consent.kind,
            platform_id=consent.platform_id,
            buyer=consent.buyer,
            shipping_address=consent.shipping_address,
            billing_address=consent.billing_address,
            payment_preferences=consent.payment_preferences,
            status_details=ChargePermissionStatusDetails(
                state=ChargePermissionState.CHARGEABLE, last_updated_timestamp=now
            ),
            limits=Limits(amount_limit=limit, amount_balance=limit) if limit else None,
            recurring_metadata=consent.recurring_metadata,
            payment_method_on_file_metadata=consent.payment_method_on_file_metadata,
            merchant_metadata=consent.merchant_metadata,
            presentment_currency=consent.presentment_currency,
            creation_timestamp=now,
            expiration_timestamp=self._expiry(consent.kind, now, extended=consent.extends_expiration),
            release_environment=release_environment,
        )
        self._books.permissions[permission.charge_permission_id] = permission
        self._ends_by_itself(permission)
        return permission

    def withdraw(self, charge_permission_id: str) -> None:
        """A permission that was just opened was never given, as its first charge was refused."""
        del self._books.permissions[charge_permission_id]

    def mend_payment_method(
        self, charge_permission_id: str, now: datetime, card: str | None = None
    ) -> ChargePermission:
        """The buyer updated the payment method, to a test card where one is named by its last digits.

        Raises:
            Refusal: the permission is unknown or closed, or there is no such card.
        """
        self.check_not_closed(charge_permission_id, now)
        if card is not None:
            preference = PaymentPreference(payment_descriptor=card_of(card).descriptor)
            changed = self._books.permission(charge_permission_id).model_copy(
                update={"payment_preferences": (preference,)}
            )
            self._books.permissions[charge_permission_id] = changed
        return self.set_state(charge_permission_id, ChargePermissionState.CHARGEABLE, (), now)

    def break_payment_method(self, charge_permission_id: str, reason: str, now: datetime) -> ChargePermission:
        """The payment method became unusable, for instance `PaymentMethodExpired`.

        Raises:
            Refusal: the permission is unknown or closed.
        """
        self.check_not_closed(charge_permission_id, now)
        return self.set_state(charge_permission_id, ChargePermissionState.NON_CHARGEABLE, (reason,), now)

    def close(
        self, charge_permission_id: str, reason: str, now: datetime, description: str | None = None
    ) -> ChargePermission:
        """Somebody ended the agreement: `MerchantClosed`, `BuyerClosed`, `AmazonClosed`, ...

        Raises:
            Refusal: the permission is unknown or closed.
        """
        self.check_not_closed(charge_permission_id, now)
        return self.set_state(charge_permission_id, ChargePermissionState.CLOSED, (reason,), now, description)

    def after_all_else(self, charge_permission_id: str, now: datetime) -> datetime:
        """When a buyer acts now: after what happened last, also where the permission's own time is ahead of the clock.

        Raises:
            Refusal: ResourceNotFound.
        """
        last = self.current(charge_permission_id, now).status_details.last_updated_timestamp
        return now if last is None else max(now, last + timedelta(seconds=1))

    # What charges need of it

    def current(self, charge_permission_id: str, now: datetime) -> ChargePermission:
        """A permission as it stands at an instant: closed where its time is over.

        Raises:
            Refusal: ResourceNotFound.
        """
        permission = self._books.permission(charge_permission_id)
        expires = permission.expiration_timestamp
        if expires is None or now < expires or permission.status_details.state == ChargePermissionState.CLOSED:
            return permission
        return self.set_state(charge_permission_id, ChargePermissionState.CLOSED, ("Expired",), expires)

    def expire_all(self, now: datetime) -> None:
        """Closes every permission whose time is over."""
        for charge_permission_id in self._expiries.passed(now):
            if charge_permission_id in self._books.permissions:  # it was not withdrawn
                self._ends_by_itself(self.current(charge_permission_id, now))

    def set_state(
        self,
        charge_permission_id: str,
        state: ChargePermissionState,
        reasons: tuple[str, ...],
        now: datetime,
        description: str | None = None,
    ) -> ChargePermission:
        """Changes the state and tells the merchant."""
        permission = self._books.permission(charge_permission_id)
        details = ChargePermissionStatusDetails(
            state=state,
            reasons=tuple(Reason(reason_code=code, reason_description=description) for code in reasons) or None,
            last_updated_timestamp=now,
        )
        changed = permission.model_copy(update={"status_details": details})
        self._books.permissions[charge_permission_id] = changed
        self._context.notify(ObjectType.CHARGE_PERMISSION, charge_permission_id, charge_permission_id)
        return changed

    def was_charged(self, permission: ChargePermission, now: datetime) -> None:
        """A recurring permission lives on from its last charge."""
        if permission.charge_permission_type == ChargePermissionType.RECURRING:
            expires = self._expiry(ChargePermissionType.RECURRING, now)
            changed = permission.model_copy(update={"expiration_timestamp": expires})
            self._books.permissions[permission.charge_permission_id] = changed

    def was_captured(self, charge_permission_id: str, now: datetime) -> None:
        """A one-time permission is closed once all that the buyer agreed to was captured."""
        permission = self._books.permission(charge_permission_id)
        if not _is_one_time(permission) or permission.status_details.state == ChargePermissionState.CLOSED:
            return
        limit = permission.limits.amount_limit if permission.limits else None
        captured = sum(
            (
                charge.capture_amount.amount
                for charge in self._books.charges_of(charge_permission_id)
                if charge.capture_amount is not None
            ),
            Decimal(0),
        )
        if limit is not None and captured >= limit.amount:
            reason = self._context.assumptions.used_up_reason
            self.set_state(charge_permission_id, ChargePermissionState.CLOSED, (reason,), now)

    def check_limit(self, permission: ChargePermission, amount: Price, now: datetime) -> None:
        """Whether the limit allows one more charge.

        Raises:
            Refusal: CurrencyMismatch; PeriodicAmountExceeded where it is a month's, else TransactionAmountExceeded.
        """
        limit = permission.limits.amount_limit if permission.limits else None
        if limit is None:
            return
        if amount.currency_code != limit.currency_code:
            raise Refusal(
                "CurrencyMismatch", f"The charge permission is in {limit.currency_code}, not {amount.currency_code}"
            )
        left = limit.amount - self._used(permission, now)
        if amount.amount <= left:
            return
        if _is_one_time(permission):
            raise Refusal(
                "TransactionAmountExceeded",
                f"Of {limit.amount} {limit.currency_code} that the buyer agreed to, {left} may still be charged",
            )
        raise Refusal(
            "PeriodicAmountExceeded",
            "You've exceeded the monthly limit for the Charge Permission and must wait until the next month "
            "to charge this buyer.",
        )

    def _used(self, permission: ChargePermission, now: datetime) -> Decimal:
        """What charges have taken of the limit: all of them, or those in the calendar month of `now`."""
        month = None if _is_one_time(permission) else self._month(now)
        return sum(
            (
                _taken_by(charge)
                for charge in self._books.charges_of(permission.charge_permission_id)
                if charge.status_details.state not in _TAKES_NOTHING
                and charge.creation_timestamp is not None
                and (month is None or month == self._month(charge.creation_timestamp))
            ),
            Decimal(0),
        )

    def _month(self, instant: datetime) -> tuple[int, int]:
        local = instant.astimezone(self._month_zone)
        return local.year, local.month

    def _expiry(self, kind: ChargePermissionType, now: datetime, *, extended: bool = False) -> datetime | None:
        """When a permission closes by itself; one of a Saved Wallet never does."""
        if kind is ChargePermissionType.RECURRING:
            return months_later(now, self._context.assumptions.permission_lives_months)
        if kind is ChargePermissionType.ONE_TIME:
            return months_later(now, ONE_TIME_LIVES_MONTHS_EXTENDED) if extended else now + ONE_TIME_LIVES
        return None

    def _ends_by_itself(self, permission: ChargePermission) -> None:
        """The clock finds the permission when its time is over."""
        expires = permission.expiration_timestamp
        if expires is not None and permission.status_details.state != ChargePermissionState.CLOSED:
            self._expiries.add(permission.charge_permission_id, expires)

    def check_not_closed(self, charge_permission_id: str, now: datetime) -> None:
        """Whether anything can still be done with a permission.

        Raises:
            Refusal: ResourceNotFound or InvalidChargePermissionStatus.
        """
        if self.current(charge_permission_id, now).status_details.state == ChargePermissionState.CLOSED:
            raise Refusal("InvalidChargePermissionStatus", "The charge permission is closed")


def _is_one_time(permission: ChargePermission) -> bool:
    return permission.charge_permission_type == ChargePermissionType.ONE_TIME


def _taken_by(charge: Charge) -> Decimal:
    """What a charge takes of the limit: what was captured, or else all of it, as that may still be captured."""
    return (charge.capture_amount or charge.charge_amount).amount


def _forgets_the_buyer(permission: ChargePermission, now: datetime) -> bool:
    """Whether the time is over in which the buyer's details can be read."""
    details = permission.status_details
    since = permission.creation_timestamp if _is_one_time(permission) else None
    if since is None and details.state == ChargePermissionState.CLOSED:
        since = details.last_updated_timestamp
    return since is not None and now > since + BUYER_IS_KNOWN
