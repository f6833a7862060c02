"""Charge permissions. Source: Amazon Pay API v2, "charge permission" and "monthly recurring charge limits"."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from amazon_pay_client.ipn import ObjectType
from amazon_pay_client.limits import MONTHLY_LIMITS
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
    RecurringMetadata,
)
from amazon_pay_client.models.charge_permissions import UpdateChargePermissionRequest
from amazon_pay_simulator.context import RELEASE_ENVIRONMENT, Context
from amazon_pay_simulator.durations import months_later
from amazon_pay_simulator.refusals import Refusal

ONE_TIME_LIVES: Final = timedelta(days=180)
ONE_TIME_LIVES_MONTHS_EXTENDED: Final = 13
"""With `extendExpiration`."""

_TAKES_NOTHING: Final = frozenset({ChargeState.DECLINED, ChargeState.CANCELED})
"""Charges in these states take nothing from the monthly limit."""


class ChargePermissions:
    """Opens, reads, changes and closes charge permissions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._books = context.books
        self._month_zone = ZoneInfo(context.assumptions.month_zone)

    # What the API offers

    def read(self, charge_permission_id: str, now: datetime) -> ChargePermission:
        """A permission with what is left of the limit in the calendar month of `now`.

        Raises:
            Refusal: ResourceNotFound.
        """
        permission = self.current(charge_permission_id, now)
        limit = permission.limits.amount_limit if permission.limits else None
        if limit is None:
            return permission
        left = limit.model_copy(update={"amount": limit.amount - self._used(charge_permission_id, now)})
        return permission.model_copy(update={"limits": Limits(amount_limit=limit, amount_balance=left)})

    def update(
        self, charge_permission_id: str, request: UpdateChargePermissionRequest, now: datetime
    ) -> ChargePermission:
        """Changes the metadata.

        Raises:
            Refusal: ResourceNotFound, or ChargePermissionNotModifiable when it is closed.
        """
        permission = self.current(charge_permission_id, now)
        if permission.status_details.state == ChargePermissionState.CLOSED:
            raise Refusal("ChargePermissionNotModifiable", "The charge permission is closed")
        changes: dict[str, object] = {}
        if request.merchant_metadata is not None:
            changes["merchant_metadata"] = AnsweredMetadata.model_validate(request.merchant_metadata.model_dump())
        if request.recurring_metadata is not None:
            changes["recurring_metadata"] = request.recurring_metadata
        self._books.permissions[charge_permission_id] = permission.model_copy(update=changes)
        return self.read(charge_permission_id, now)

    # What buyers and Amazon do

    def open(
        self,
        currency: Currency,
        now: datetime,
        kind: ChargePermissionType = ChargePermissionType.RECURRING,
        recurring: RecurringMetadata | None = None,
        merchant_metadata: AnsweredMetadata | None = None,
        *,
        extended: bool = False,
    ) -> ChargePermission:
        """A buyer approved a charge permission in the checkout; `extended` lets one for one time live longer."""
        number = len(self._books.permissions) + 1
        monthly = MONTHLY_LIMITS.get(kind)
        limit = Price(amount=monthly[currency], currency_code=currency) if monthly else None
        permission = ChargePermission(
            charge_permission_id=f"{'S' if kind is ChargePermissionType.ONE_TIME else 'C'}01"
            f"-{number:07}-{number * 7919 % 10_000_000:07}",
            charge_permission_type=kind,
            status_details=ChargePermissionStatusDetails(
                state=ChargePermissionState.CHARGEABLE, last_updated_timestamp=now
            ),
            limits=Limits(amount_limit=limit, amount_balance=limit) if limit else None,
            recurring_metadata=recurring,
            merchant_metadata=merchant_metadata,
            creation_timestamp=now,
            expiration_timestamp=self._expiry(kind, now, extended=extended),
            release_environment=RELEASE_ENVIRONMENT,
        )
        self._books.permissions[permission.charge_permission_id] = permission
        return permission

    def withdraw(self, charge_permission_id: str) -> None:
        """A permission that was just opened was never given, as its first charge was refused."""
        del self._books.permissions[charge_permission_id]

    def mend_payment_method(self, charge_permission_id: str, now: datetime) -> ChargePermission:
        """The buyer updated the payment method.

        Raises:
            Refusal: the permission is unknown or closed.
        """
        self.check_not_closed(charge_permission_id, now)
        return self.set_state(charge_permission_id, ChargePermissionState.CHARGEABLE, (), now)

    def break_payment_method(self, charge_permission_id: str, reason: str, now: datetime) -> ChargePermission:
        """The payment method became unusable, for instance `PaymentMethodExpired`.

        Raises:
            Refusal: the permission is unknown or closed.
        """
        self.check_not_closed(charge_permission_id, now)
        return self.set_state(charge_permission_id, ChargePermissionState.NON_CHARGEABLE, (reason,), now)

    def close(self, charge_permission_id: str, reason: str, now: datetime) -> ChargePermission:
        """Somebody ended the agreement: `MerchantClosed`, `BuyerClosed`, `AmazonClosed`, ...

        Raises:
            Refusal: the permission is unknown or closed.
        """
        self.check_not_closed(charge_permission_id, now)
        return self.set_state(charge_permission_id, ChargePermissionState.CLOSED, (reason,), now)

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
        for charge_permission_id in list(self._books.permissions):
            self.current(charge_permission_id, now)

    def set_state(
        self, charge_permission_id: str, state: ChargePermissionState, reasons: tuple[str, ...], now: datetime
    ) -> ChargePermission:
        """Changes the state and tells the merchant."""
        permission = self._books.permission(charge_permission_id)
        details = ChargePermissionStatusDetails(
            state=state,
            reasons=tuple(Reason(reason_code=code) for code in reasons) or None,
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

    def check_limit(self, permission: ChargePermission, amount: Price, now: datetime) -> None:
        """Whether the month's limit allows one more charge.

        Raises:
            Refusal: CurrencyMismatch or PeriodicAmountExceeded.
        """
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
        """What was charged in the calendar month of `now`."""
        month = self._month(now)
        return sum(
            (
                charge.charge_amount.amount
                for charge in self._books.charges_of(charge_permission_id)
                if charge.status_details.state not in _TAKES_NOTHING
                and charge.creation_timestamp is not None
                and self._month(charge.creation_timestamp) == month
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

    def check_not_closed(self, charge_permission_id: str, now: datetime) -> None:
        """Whether anything can still be done with a permission.

        Raises:
            Refusal: ResourceNotFound or InvalidChargePermissionStatus.
        """
        if self.current(charge_permission_id, now).status_details.state == ChargePermissionState.CLOSED:
            raise Refusal("InvalidChargePermissionStatus", "The charge permission is closed")
