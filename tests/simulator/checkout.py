"""A buyer's way through a checkout, in the steps that the tests of it share."""

from typing import Any

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import Answer, Merchant, new_key, price

RESULT_URL = "https://shop.example/result"
MONTHLY = {"frequency": {"unit": "Month", "value": "1"}, "amount": price("9.99")}


def session_of(intent: str = "AuthorizeWithCapture", amount: object = "9.99", **fields: Any) -> dict[str, Any]:
    """The body of a Create Checkout Session that lacks nothing; for one time unless fields say otherwise."""
    return {
        "webCheckoutDetails": {"checkoutResultReturnUrl": RESULT_URL},
        "storeId": "amzn1.application-oa2-client.000000",
        "paymentDetails": {"paymentIntent": intent, "chargeAmount": price(amount)},
    } | fields


def recurring_of(intent: str = "AuthorizeWithCapture", amount: object = "9.99", **fields: Any) -> dict[str, Any]:
    """The same for a subscription."""
    return session_of(intent, amount, chargePermissionType="Recurring", recurringMetadata=MONTHLY, **fields)


def pending_of(**fields: Any) -> dict[str, Any]:
    """One whose authorization may be pending."""
    details = {"paymentIntent": "Authorize", "canHandlePendingAuthorization": True, "chargeAmount": price("9.99")}
    return recurring_of(paymentDetails=details, **fields)


async def opened(merchant: Merchant, body: dict[str, Any] | None = None) -> str:
    """The id of a session that the merchant has just created."""
    status, session = await merchant.create_session(session_of() if body is None else body, new_key())
    assert status == 201, session
    session_id: str = session["checkoutSessionId"]
    return session_id


async def approved(
    merchant: Merchant, simulator: SimulatorHandle, body: dict[str, Any] | None = None, card: str = "1111"
) -> str:
    """The id of a session that the buyer has approved."""
    session_id = await opened(merchant, body)
    await simulator.approve_session(session_id, card)
    return session_id


async def completed(
    merchant: Merchant, simulator: SimulatorHandle, body: dict[str, Any] | None = None, card: str = "1111"
) -> Answer:
    """The answer to completing a session for 9.99 USD that the buyer has approved."""
    return await merchant.complete_session(await approved(merchant, simulator, body, card), price("9.99"))


def state_and_reason(answer: dict[str, Any]) -> tuple[str, str | None]:
    """The state of a session, charge or refund, and why."""
    return answer["statusDetails"]["state"], answer["statusDetails"]["reasonCode"]
