"""What a buyer agrees to in a checkout, before it is a charge permission.

Source: Amazon Pay API v2, "charge permission" and "checkout session".
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from amazon_pay_client.limits import MONTHLY_LIMITS
from amazon_pay_client.models import AnsweredMetadata, ChargePermissionType, Currency, Price, RecurringMetadata
from amazon_pay_client.models.charge_permissions import (
    PaymentMethodOnFileMetadata,
    PaymentPreference,
    PermissionBuyer,
)
from amazon_pay_client.models.checkout_sessions import AnsweredPaymentDetails, CheckoutSession
from amazon_pay_client.models.common import Address
from amazon_pay_simulator.refusals import Refusal

OVERCHARGE_TIMES: Final = 9
OVERCHARGE_AT_LEAST: Final = {Currency.JPY: Decimal(70_000)}
OVERCHARGE_AT_LEAST_OF_OTHERS: Final = Decimal(500)
"""With `allowOvercharge` the limit is so many times the order amount, or this if it is more. Source: Amazon Pay,
"advanced one-time payment options"; for other currencies than USD, GBP, EUR and JPY it is an assumption."""

FREQUENCY_UNITS: Final = ("Year", "Month", "Week", "Day", "Variable")


@dataclass(frozen=True, slots=True)
class Consent:
    """What a buyer agreed to, and what is known of the buyer.

    Attributes:
        kind: what the permission is for.
        order: all that a one-time permission may be charged; None for others, and where it is not known.
        allows_overcharge: a one-time permission may be charged more than the order.
        extends_expiration: a one-time permission lives longer.
        release_environment: where it is given; the context's when not given.
    """

    kind: ChargePermissionType = ChargePermissionType.RECURRING
    order: Price | None = None
    allows_overcharge: bool = False
    extends_expiration: bool = False
    release_environment: str | None = None
    recurring_metadata: RecurringMetadata | None = None
    payment_method_on_file_metadata: PaymentMethodOnFileMetadata | None = None
    merchant_metadata: AnsweredMetadata | None = None
    platform_id: str | None = None
    presentment_currency: str | None = None
    buyer: PermissionBuyer | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    payment_preferences: tuple[PaymentPreference, ...] | None = None

    def limit(self, currency: Currency) -> Price | None:
        """What the permission may be charged: in a calendar month, or in all where it is for one time."""
        monthly = MONTHLY_LIMITS.get(self.kind)
        if monthly is not None:
            return Price(amount=monthly[currency], currency_code=currency)
        if self.order is None or not self.allows_overcharge:
            return self.order
        at_least = OVERCHARGE_AT_LEAST.get(currency, OVERCHARGE_AT_LEAST_OF_OTHERS)
        return Price(amount=max(self.order.amount * OVERCHARGE_TIMES, at_least), currency_code=currency)


def details_of(session: CheckoutSession) -> AnsweredPaymentDetails:
    """What is to be paid, as far as it is set."""
    return session.payment_details or AnsweredPaymentDetails()


def consent_of(session: CheckoutSession) -> Consent:
    """What the buyer agreed to, for the charge permission."""
    details = details_of(session)
    kind = ChargePermissionType(session.charge_permission_type or ChargePermissionType.ONE_TIME)
    return Consent(
        kind=kind,
        order=_order_of(session) if kind is ChargePermissionType.ONE_TIME else None,
        allows_overcharge=bool(details.allow_overcharge),
        extends_expiration=bool(details.extend_expiration),
        release_environment=session.release_environment,
        recurring_metadata=session.recurring_metadata,
        payment_method_on_file_metadata=session.payment_method_on_file_metadata,
        merchant_metadata=session.merchant_metadata,
        platform_id=session.platform_id,
        presentment_currency=details.presentment_currency,
        buyer=PermissionBuyer.model_validate(session.buyer.model_dump()) if session.buyer else None,
        shipping_address=session.shipping_address,
        billing_address=session.billing_address,
        payment_preferences=tuple(filter(None, session.payment_preferences or ())),
    )


def _order_of(session: CheckoutSession) -> Price | None:
    """All that the buyer agreed to pay: the order amount, which is the charge's where nothing else was said."""
    details = details_of(session)
    return details.total_order_amount or details.charge_amount


def check_frequency(recurring: RecurringMetadata | None) -> None:
    """Whether a frequency is one that Amazon knows: a unit, and how many of it, which is 0 where it varies.

    Raises:
        Refusal: InvalidParameterValue.
    """
    if recurring is None:
        return
    unit, value = recurring.frequency.unit, recurring.frequency.value
    if unit not in FREQUENCY_UNITS:
        raise Refusal(
            "InvalidParameterValue",
            f"recurringMetadata.frequency.unit: {unit[:50]!r} is not accepted; accepted are "
            f"{', '.join(FREQUENCY_UNITS)}",
        )
    fits = value == "0" if unit == "Variable" else value.isdecimal() and value.isascii() and int(value[:9]) > 0
    if not fits:
        accepted = '"0"' if unit == "Variable" else 'a whole number from "1" on'
        raise Refusal(
            "InvalidParameterValue",
            f"recurringMetadata.frequency.value: {value[:50]!r} is not accepted with {unit}; accepted is {accepted}",
        )
