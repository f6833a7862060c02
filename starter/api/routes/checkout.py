"""The checkout: the button that a shop's page shows, the session that comes of it, and where a card is changed."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from amazon_pay_client.errors import AmazonPayError, NotFoundError
from amazon_pay_client.models.checkout_sessions import WebCheckoutDetails
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.billing.status import Status
from perennial_billing.runtime.settings import Environment
from perennial_billing.starter.api.access import Actor, Reader, check_account
from perennial_billing.starter.api.forms import NOBODY, Agreed
from perennial_billing.starter.api.links import Link, leading
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.routes.common import AccountQuery, PermissionPath, problems
from perennial_billing.starter.api.services import ServicesDep, account_of, no_amazon_pay
from perennial_billing.starter.checkout import Checkout, SignedButton, button_of, offer_of

router = APIRouter(prefix="/v1", tags=["Checkout"])

SessionPath = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Amazon's id, as the buyer brings it back to your page."),
]


class ButtonForm(Agreed, Checkout):
    """A plan that is offered to a buyer, and the shop's checkout."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "plan": {
                        "plan_id": "coffee-monthly",
                        "amount": {"amount": "9.99", "currency": "USD"},
                        "interval": {"unit": "month", "count": 1},
                        "texts": {"merchant_store_name": "The Coffee Club"},
                    },
                    "merchant_reference": "order-4711",
                    "store_id": "amzn1.application-oa2-client.0123456789abcdef",
                    "result_return_url": "https://shop.example/thanks",
                }
            ]
        },
    )


class SessionState(BaseModel):
    """A checkout session, without who the buyer is."""

    checkout_session_id: str
    state: str = Field(description="Open, Completed or Canceled.")
    reason_code: str | None = Field(default=None, description="Why it was canceled, in Amazon's word.")
    lacks: tuple[str, ...] = Field(default=(), description="What it needs before the buyer can pay, in Amazon's words.")
    pay_url: str | None = Field(
        default=None, description="Where the buyer is to be sent from your review page, to pay; once nothing lacks."
    )
    charge_permission_id: str | None = None


class PaymentMethod(BaseModel):
    """Where the buyer changes the card."""

    charge_permission_id: str
    update_url: str = Field(description="Amazon's page; the buyer signs in there.")
    is_needed: bool = Field(description="Whether nothing can be charged before the buyer has done so.")


@router.post("/checkout/button", operation_id="makeCheckoutButton", responses=problems())
async def make_checkout_button(key: Actor, services: ServicesDep, wanted: ButtonForm) -> SignedButton:
    """Make the button of a plan: the signed payload, and all that Amazon's script wants to know.

    Give `button` to `amazon.Pay.renderButton` as it is. Nothing is sent to Amazon, and nothing is kept.
    """
    check_account(key, wanted.merchant_account)
    settings, account = services.settings, await account_of(services, wanted.merchant_account, "sign or ask")
    is_live = settings.environment is Environment.LIVE
    if account.merchant_id is None:
        raise no_amazon_pay("the API does not know your merchant id (PERENNIAL_MERCHANT_ID), which the button needs")
    offer = offer_of(wanted.terms(NOBODY), wanted, account.region, datetime.now(UTC), is_live=is_live)
    signed = account.client.button_signature(offer.payload)
    script = account.region.checkout_script(settings.amazon_pay_origin)
    return button_of(offer, signed, account.merchant_id, script, is_live=is_live)


@router.get(
    "/checkout/sessions/{checkout_session_id}",
    operation_id="getCheckoutSession",
    responses=problems(404, 502)
    | leading(Link("startSubscription", body={"checkout_session_id": "$response.body#/checkout_session_id"})),
)
async def get_checkout_session(
    key: Reader,
    services: ServicesDep,
    checkout_session_id: SessionPath,
    merchant_account: AccountQuery = DEFAULT_ACCOUNT,
) -> SessionState:
    """How a checkout session stands at Amazon: for the page on which the buyer reviews the order."""
    check_account(key, merchant_account)
    account = await account_of(services, merchant_account, "sign or ask")
    try:
        session = await account.client.checkout_sessions.get(checkout_session_id)
    except NotFoundError:
        detail = f"checkout session {checkout_session_id}: Amazon does not know it"
        raise ProblemError(404, "not-found", "There is no such checkout session", detail) from None
    except AmazonPayError as error:
        detail = f"checkout session {checkout_session_id}: {error}; the same may be sent again"
        raise ProblemError(502, "amazon-refused", "Amazon did not tell the checkout session", detail) from None
    web = session.web_checkout_details or WebCheckoutDetails()
    return SessionState(
        checkout_session_id=session.checkout_session_id,
        state=session.status_details.state,
        reason_code=session.status_details.reason_code,
        lacks=tuple(each.constraint_id for each in session.constraints or ()),
        pay_url=web.amazon_pay_redirect_url,
        charge_permission_id=session.charge_permission_id,
    )


@router.get(
    "/subscriptions/{charge_permission_id}/payment-method", operation_id="getPaymentMethod", responses=problems(404)
)
async def get_payment_method(
    _key: Reader, services: ServicesDep, charge_permission_id: PermissionPath
) -> PaymentMethod:
    """Where the buyer changes the card, and whether that is needed; for a link on your page, at any time."""
    view = await services.subscriptions.status(charge_permission_id)
    region = await services.region_of(view.terms.merchant_account)
    return PaymentMethod(
        charge_permission_id=charge_permission_id,
        update_url=region.payment_method_update_url(charge_permission_id, services.settings.amazon_pay_origin),
        is_needed=view.status in {Status.AWAITING_PAYMENT_METHOD, Status.UNPAID},
    )
