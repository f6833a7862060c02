"""What a checkout session needs, and what has to agree. Source: Amazon Pay API v2, "checkout session"; the guides
"verify and complete checkout" and "setup intent"; answers of the sandbox that merchants have published.
"""

from collections.abc import Iterable
from typing import Final

from pydantic import HttpUrl, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from amazon_pay_client.models import ChargePermissionType, Currency, Price
from amazon_pay_client.models.checkout_sessions import (
    AnsweredPaymentDetails,
    CheckoutSession,
    Constraint,
    FinalizeCheckoutSessionRequest,
    PaymentIntent,
    ProductType,
    WebCheckoutDetails,
)
from amazon_pay_client.models.wire import PositivePrice, RequestModel
from amazon_pay_simulator.operations.consent import check_frequency, details_of
from amazon_pay_simulator.refusals import Refusal

_MERCHANTS_PAGE: Final = TypeAdapter[HttpUrl | None](HttpUrl | None)

_NULL_ONCE_COMPLETED: Final = (
    "web_checkout_details",
    "product_type",
    "payment_details",
    "cart_details",
    "charge_permission_type",
    "recurring_metadata",
    "payment_method_on_file_metadata",
    "merchant_metadata",
    "supplementary_data",
    "buyer",
    "billing_address",
    "payment_preferences",
    "shipping_address",
    "platform_id",
)


class CompleteRequest(RequestModel):
    """The body of Complete Checkout Session. Which amounts it needs depends on the session: a Saved Wallet that is
    only set up has none.
    """

    charge_amount: PositivePrice | None = None
    total_order_amount: PositivePrice | None = None


def only_sets_up(session: CheckoutSession) -> bool:
    """Whether a Saved Wallet is set up without a purchase: then there is no amount."""
    metadata = session.payment_method_on_file_metadata
    of_wallet = session.charge_permission_type == ChargePermissionType.PAYMENT_METHOD_ON_FILE
    return of_wallet and metadata is not None and bool(metadata.setup_only)


def constraints(session: CheckoutSession) -> tuple[Constraint, ...]:
    """What a session still lacks. Ids and order: those of published answers of the sandbox."""
    details = details_of(session)
    web = session.web_checkout_details or WebCheckoutDetails()
    is_recurring = session.charge_permission_type == ChargePermissionType.RECURRING
    lacking = {
        "BuyerNotAssociated": session.buyer is None,
        "ChargeAmountNotSet": details.charge_amount is None and not only_sets_up(session),
        "CheckoutResultReturnUrlNotSet": not web.checkout_result_return_url,
        "PaymentIntentNotSet": details.payment_intent is None,
        "RecurringFrequencyNotSet": is_recurring and session.recurring_metadata is None,
    }
    return tuple(
        Constraint(constraint_id=name, description=_DESCRIPTIONS[name]) for name, lacks in lacking.items() if lacks
    )


_DESCRIPTIONS: Final = {
    "BuyerNotAssociated": "No buyer has signed in to the checkout session yet; the button leads there.",
    "ChargeAmountNotSet": "chargeAmount is not set.",
    "CheckoutResultReturnUrlNotSet": "checkoutResultReturnUrl is not set.",
    "PaymentIntentNotSet": "paymentIntent is not set.",
    "RecurringFrequencyNotSet": "recurringMetadata.frequency is not set.",
}


def check_values(session: CheckoutSession) -> None:
    """Whether the values that were given can stand together in a session.

    Raises:
        Refusal: InvalidParameterValue or InvalidParameterCombination.
    """
    check_frequency(session.recurring_metadata)
    if only_sets_up(session) and details_of(session).payment_intent not in {None, PaymentIntent.CONFIRM}:
        raise Refusal(
            "InvalidParameterCombination",
            "paymentDetails.paymentIntent: with paymentMethodOnFileMetadata.setupOnly=true only Confirm is accepted",
        )
    if session.product_type == ProductType.PAY_ONLY and session.shipping_address is not None:
        raise Refusal(
            "InvalidParameterCombination", "addressDetails: with productType=PayOnly nothing is shipped; leave it out"
        )
    _check_currencies(details_of(session))
    web = session.web_checkout_details or WebCheckoutDetails()
    for name in ("checkout_review_return_url", "checkout_result_return_url", "checkout_cancel_url"):
        check_address(f"webCheckoutDetails.{to_camel(name)}", getattr(web, name))


def check_address(field: str, url: str | None) -> None:
    """Whether a buyer can be sent there.

    Raises:
        Refusal: InvalidParameterValue.
    """
    try:
        _MERCHANTS_PAGE.validate_python(url)
    except ValidationError:
        raise Refusal(
            "InvalidParameterValue", f"{field}: {str(url)[:100]!r} is not an address of http or https"
        ) from None


def _check_currencies(details: AnsweredPaymentDetails) -> None:
    presentment = details.presentment_currency
    if presentment is not None and presentment not in set(Currency):
        raise Refusal(
            "InvalidParameterValue",
            f"paymentDetails.presentmentCurrency: {presentment[:50]!r} is not accepted; accepted are "
            f"{', '.join(Currency)}",
        )
    charge, total = details.charge_amount, details.total_order_amount
    if charge is not None and total is not None and charge.currency_code != total.currency_code:
        raise Refusal(
            "CurrencyMismatch",
            f"paymentDetails.totalOrderAmount: it is in {total.currency_code}, the chargeAmount in "
            f"{charge.currency_code}",
        )


def check_amounts(session: CheckoutSession, charge: Price | None, total: Price | None, *, needs_total: bool) -> None:
    """Whether the merchant confirms the amounts that the buyer has seen.

    Args:
        session: holds what the buyer has seen.
        charge: the request's `chargeAmount`.
        total: the request's `totalOrderAmount`.
        needs_total: whether it may not be left out even where the session has none.

    Raises:
        Refusal: MissingParameterValue or AmountMismatch.
    """
    details = details_of(session)
    if charge is None and details.charge_amount is not None:
        raise Refusal("MissingParameterValue", "chargeAmount: is missing")
    if total is None and (needs_total or details.total_order_amount is not None):
        raise Refusal("MissingParameterValue", "totalOrderAmount: is missing")
    agreed_total = details.total_order_amount or details.charge_amount
    for name, given, agreed in (
        ("chargeAmount", charge, details.charge_amount),
        ("totalOrderAmount", total, agreed_total),
    ):
        if given is not None and given != agreed:
            expected = f"{agreed.amount} {agreed.currency_code}" if agreed else "none"
            raise Refusal(
                "AmountMismatch",
                f"{name}: {given.amount} {given.currency_code} is not the session's, which is {expected}",
            )


def check_critical_values(session: CheckoutSession, request: FinalizeCheckoutSessionRequest) -> None:
    """Whether Finalize Checkout Session repeats what the session holds: it is how Amazon checks a button's payload.

    Raises:
        Refusal: MissingParameterValue or InvalidParameterValue.
    """
    for name, given, held in (
        ("paymentIntent", request.payment_intent, details_of(session).payment_intent),
        ("supplementaryData", request.supplementary_data, session.supplementary_data),
        ("shippingAddress", request.shipping_address, session.shipping_address),
        ("billingAddress", request.billing_address, session.billing_address),
    ):
        if held is not None and given is None:
            raise Refusal("MissingParameterValue", f"{name}: is missing, and the checkout session has one")
        if held is not None and given != held:
            raise Refusal("InvalidParameterValue", f"{name}: it is not that of the checkout session")


def bare(session: CheckoutSession, but: Iterable[str] = ()) -> CheckoutSession:
    """A completed session as it is answered: what it led to, without what buyer and merchant gave.

    Args:
        session: completed.
        but: names of fields that are answered nevertheless.
    """
    nulls: dict[str, object] = dict.fromkeys(set(_NULL_ONCE_COMPLETED).difference(but))
    return session.model_copy(update=nulls | {"constraints": ()})
