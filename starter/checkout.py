"""The checkout of a subscription: what Amazon's button of a shop's page is given for a plan.

The button carries a payload that says all that the buyer agrees to, and the merchant's signature over it; Amazon makes
a checkout session of it. Pure but for the signature, which the client makes: nothing is sent.

Source: Amazon Pay, "add the Amazon Pay button" of the guides to recurring payments and to recurring payments without a
review page (`checkoutMode` `ProcessOrder`), "render the button", and "checkout session" of the API.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from amazon_pay_client import Region, SignedPayload
from amazon_pay_client.models import (
    ChargePermissionType,
    CreateCheckoutSessionRequest,
    MerchantMetadata,
    PaymentDetails,
    PaymentIntent,
    Price,
    ProductType,
    WebCheckoutDetails,
)
from amazon_pay_client.models.checkout_sessions import CheckoutMode, CheckoutScope
from perennial_billing.activities.recurring import recurring_metadata
from perennial_billing.billing.contract.contract import Contract
from perennial_billing.billing.contract.schedule import first_that_costs
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.contract.texts import texts_of
from perennial_billing.billing.forecast.preview import upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.plan import Amounts, Capture
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.subscription import Subscription

LEDGER_CURRENCIES: Final = {Region.NA: ("USD",), Region.EU: ("EUR", "GBP"), Region.JP: ("JPY",)}
"""In which accounts of a region are kept. Others are presented to buyers in Europe alone (Amazon Pay, "multi-currency
integration")."""

LONGEST_ADDRESS: Final = 512
"""Characters (Amazon Pay API v2, "checkout session")."""


class FirstCharge(StrEnum):
    """Who makes the first charge."""

    SUBSCRIPTION = "subscription"
    """The checkout only makes the charge permission, and the subscription charges the first period as it begins."""
    CHECKOUT = "checkout"
    """The checkout charges the first period, and the subscription is started with that charge."""


def _is_an_address(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme not in {"https", "http"} or not rest.partition("/")[0] or not url.isprintable() or " " in url:
        raise Refused("", repr(url[:100]), "an address of your shop is, such as https://shop.example/thanks")
    return url


PageAddress = Annotated[str, StringConstraints(max_length=LONGEST_ADDRESS), AfterValidator(_is_an_address)]


class Checkout(BaseModel):
    """What a shop says of its checkout, beside what was agreed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")] = Field(
        description="The store's client id, as Seller Central shows it: `amzn1.application-oa2-client...`.",
        examples=["amzn1.application-oa2-client.0123456789abcdef"],
    )
    result_return_url: PageAddress = Field(
        description="Your page to which the buyer comes back from paying; `amazonCheckoutSessionId` is added to it.",
        examples=["https://shop.example/thanks"],
    )
    review_return_url: PageAddress | None = Field(
        default=None,
        description="Your page on which the buyer looks through the order before paying; without one the buyer pays at "
        "once. `amazonCheckoutSessionId` is added to it.",
    )
    cancel_return_url: PageAddress | None = Field(
        default=None, description="Your page for a buyer who gives up; where paying leads to when not given."
    )
    first_charge: FirstCharge = Field(
        default=FirstCharge.SUBSCRIPTION,
        description="Who makes the first charge: the subscription as it begins, or the checkout itself.",
    )
    product_type: ProductType = Field(
        default=ProductType.PAY_ONLY, description="PayAndShip where you need the buyer's address to ship to."
    )
    scopes: tuple[CheckoutScope, ...] | None = Field(
        default=None, description="What you want to know of the buyer; Amazon's own choice when not given."
    )
    ledger_currency: str | None = Field(
        default=None, description="Of your account at Amazon; the plan's, or your region's only one, when not given."
    )


class Offer(NamedTuple):
    """What is put before the buyer.

    Attributes:
        payload: what is signed.
        amount: what the checkout is for: it must be told again to complete the session.
        ledger_currency: of the account.
        product_type: beside the payload, as the button wants it.
    """

    payload: CreateCheckoutSessionRequest
    amount: Money
    ledger_currency: str
    product_type: ProductType


def offer_of(terms: Terms, checkout: Checkout, region: Region, now: datetime, *, is_live: bool = False) -> Offer:
    """The payload of a plan's button.

    Args:
        terms: what the buyer is about to agree to; the charge permission in them is not looked at.
        checkout: what the shop says of it.
        region: of the account.
        now: from when on charges are looked for (UTC).
        is_live: with real money, buyers are led to pages over https alone.

    Raises:
        Refused: a field does not go with another; named as `Checkout` names it.
    """
    _check_pages(checkout, is_live=is_live)
    ledger_currency = _ledger_currency(terms.plan.currency, checkout.ledger_currency, region)
    period, amount = _charged(terms, checkout.first_charge, now)
    texts = texts_of(Contract(terms=terms), period) or ChargeTexts()
    intent = _intent(terms, checkout.first_charge)
    takes_money = intent is PaymentIntent.AUTHORIZE_WITH_CAPTURE
    payload = CreateCheckoutSessionRequest(
        web_checkout_details=WebCheckoutDetails(
            checkout_review_return_url=checkout.review_return_url,
            checkout_result_return_url=checkout.result_return_url,
            checkout_cancel_url=checkout.cancel_return_url,
            checkout_mode=None if checkout.review_return_url else CheckoutMode.PROCESS_ORDER,
        ),
        store_id=checkout.store_id,
        scopes=checkout.scopes,
        charge_permission_type=ChargePermissionType.RECURRING,
        recurring_metadata=recurring_metadata(Recurrence.of(terms.plan, terms.quantity)),
        payment_details=PaymentDetails(
            payment_intent=intent,
            charge_amount=Price(amount=amount.amount, currency_code=amount.currency),
            soft_descriptor=texts.soft_descriptor if takes_money else None,
            presentment_currency=amount.currency if amount.currency != ledger_currency else None,
        ),
        merchant_metadata=MerchantMetadata(
            merchant_reference_id=terms.merchant_reference or None,
            merchant_store_name=texts.merchant_store_name,
            note_to_buyer=texts.note_to_buyer,
            custom_information=texts.custom_information,
        ),
    )
    return Offer(payload, amount, ledger_currency, checkout.product_type)


def _check_pages(checkout: Checkout, *, is_live: bool) -> None:
    if checkout.product_type is not ProductType.PAY_ONLY and checkout.review_return_url is None:
        raise Refused(
            "review_return_url",
            "",
            f"it must be given with product_type {checkout.product_type.value}, as the buyer chooses an address",
        )
    for field in ("result_return_url", "review_return_url", "cancel_return_url"):
        url: str | None = getattr(checkout, field)
        if is_live and url is not None and not url.startswith("https:"):
            raise Refused(field, repr(url[:100]), "with real money, an address over https is")


def _ledger_currency(currency: str, given: str | None, region: Region) -> str:
    """The account's currency.

    Raises:
        Refused: the region has no such account, or it cannot charge what the plan says.
    """
    known = LEDGER_CURRENCIES[region]
    ledger = given or (known[0] if len(known) == 1 else currency)
    if ledger not in known:
        raise Refused("ledger_currency", repr(ledger), f"in the region {region.value} it is {' or '.join(known)}")
    if currency != ledger and region is not Region.EU:
        raise Refused(
            "plan", currency, f"an account in {ledger} charges {ledger}; other currencies are for the region eu"
        )
    return ledger


def _charged(terms: Terms, by: FirstCharge, now: datetime) -> tuple[int, Money]:
    """The period that the checkout speaks of, and its amount.

    Where the subscription charges by itself that is the first one that costs something, which the buyer agrees to.

    Raises:
        Refused: the checkout is to charge what nobody knows or what is free, or all is free.
    """
    if by is FirstCharge.SUBSCRIPTION:
        period = first_that_costs(terms.schedule)
        amount = terms.schedule.amount(period)
        if amount.is_zero:
            raise Refused("plan", "", "a plan that costs something is; this one needs no charge permission")
        return period, amount
    if terms.plan.amounts is Amounts.ASKED:
        raise Refused(
            "first_charge", by.value, "the plan asks your endpoint what a period costs, so it is subscription"
        )
    first = next(iter(upcoming(Subscription.begin(terms), 1, now)), None)
    if first is None or first.period != 0 or first.amount.is_zero:
        raise Refused("first_charge", by.value, "the first period costs nothing, so it is subscription")
    return first.period, first.amount


def _intent(terms: Terms, by: FirstCharge) -> PaymentIntent:
    if by is FirstCharge.SUBSCRIPTION:
        return PaymentIntent.CONFIRM
    return PaymentIntent.AUTHORIZE if terms.plan.capture is Capture.LATER else PaymentIntent.AUTHORIZE_WITH_CAPTURE


class _ForPages(BaseModel):
    """As Amazon's script names things."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


class SessionConfig(_ForPages):
    """`createCheckoutSessionConfig`: the payload, and what proves that it is yours. Nothing in it is secret."""

    payload_json: str = Field(alias="payloadJSON", description="Exactly what was signed; change no byte of it.")
    signature: str
    algorithm: str
    public_key_id: str


class ButtonSettings(_ForPages):
    """What `amazon.Pay.renderButton` takes; you may add `placement`, `buttonColor` and `checkoutLanguage`."""

    merchant_id: str
    public_key_id: str
    ledger_currency: str
    sandbox: bool
    product_type: ProductType
    create_checkout_session_config: SessionConfig


class SignedButton(BaseModel):
    """A button, ready for a page."""

    model_config = ConfigDict(frozen=True)

    script: str = Field(description="The address of Amazon's script, or of the simulator's.")
    button: ButtonSettings
    checkout_amount: Money = Field(
        description="What the checkout is for. Keep it until the buyer comes back: starting the subscription takes it."
    )


def button_of(offer: Offer, signed: SignedPayload, merchant_id: str, script: str, *, is_live: bool) -> SignedButton:
    """The button of a signed offer.

    Args:
        offer: what was signed.
        signed: its payload with the signature.
        merchant_id: the seller id.
        script: the address of the script that draws it.
        is_live: with real money.
    """
    return SignedButton(
        script=script,
        button=ButtonSettings(
            merchant_id=merchant_id,
            public_key_id=signed.public_key_id,
            ledger_currency=offer.ledger_currency,
            sandbox=not is_live,
            product_type=offer.product_type,
            create_checkout_session_config=SessionConfig(
                payload_json=signed.payload_json,
                signature=signed.signature,
                algorithm=signed.algorithm,
                public_key_id=signed.public_key_id,
            ),
        ),
        checkout_amount=offer.amount,
    )
