"""The button on the merchant's page: its signed payload opens a checkout session, as on Amazon's hosted page."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import RESULT_URL, recurring_of, session_of, state_and_reason
from tests.simulator.merchant import KEY_ID, V1, V2, Merchant, new_key, price
from tests.simulator.witness import permission_of

REVIEW_URL = "https://shop.example/review"
PAY_NOW = {"checkoutMode": "ProcessOrder", "checkoutReviewReturnUrl": REVIEW_URL, "checkoutResultReturnUrl": RESULT_URL}
SIGN_IN = {"signInReturnUrl": "https://shop.example/signed-in?from=button", "storeId": "amzn1.application-oa2-client.0"}


def written(payload: dict[str, Any]) -> str:
    """A payload's text; the slashes escaped as some languages do it."""
    return json.dumps(payload).replace("/", "\\/")


async def pressed(merchant: Merchant, payload: str, algorithm: str = V2, **more: str) -> httpx.Response:
    """The answer to a press of the button that shows this payload."""
    signature = merchant.sign_payload(payload, algorithm)
    button = {"payloadJSON": payload, "signature": signature, "algorithm": algorithm, "publicKeyId": KEY_ID}
    return await merchant.press(**button | more)


def session_in(answer: httpx.Response) -> str:
    """The id of the session on whose page the buyer is now."""
    assert answer.status_code == 303, answer.text
    return urlsplit(answer.headers["location"]).path.rpartition("/")[2]


async def decided(merchant: Merchant, simulator: SimulatorHandle, session_id: str, decision: str) -> str:
    """Where the buyer is sent to after a button of the page."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(f"{simulator.origin}/checkout/{session_id}", data={"decision": decision})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.mark.parametrize("algorithm", [V1, V2])
async def test_a_signed_payload_opens_a_session_that_holds_what_was_signed(merchant: Merchant, algorithm: str) -> None:
    answer = await pressed(merchant, written(recurring_of(amount="12.50")), algorithm, productType="PayOnly")

    status, session = await merchant.session(session_in(answer))
    assert (status, state_and_reason(session)) == (200, ("Open", None))
    assert session["paymentDetails"]["chargeAmount"] == price("12.50")
    assert (session["chargePermissionType"], session["productType"]) == ("Recurring", "PayOnly")
    assert [lacking["constraintId"] for lacking in session["constraints"]] == ["BuyerNotAssociated"]


async def test_a_button_that_pays_at_once_leads_to_the_result_page_and_the_merchant_completes(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    session_id = session_in(await pressed(merchant, written(recurring_of(webCheckoutDetails=PAY_NOW))))

    location = await decided(merchant, simulator, session_id, "approve")

    assert location == f"{RESULT_URL}?amazonCheckoutSessionId={session_id}"
    status, session = await merchant.complete_session(session_id, price("9.99"))
    assert (status, session["statusDetails"]["state"]) == (200, "Completed")
    assert (await permission_of(simulator, session["chargePermissionId"])).charge_permission_type == "Recurring"


async def test_an_ordinary_button_leads_to_the_review_page(merchant: Merchant, simulator: SimulatorHandle) -> None:
    payload = session_of(webCheckoutDetails={"checkoutReviewReturnUrl": REVIEW_URL})
    session_id = session_in(await pressed(merchant, written(payload), productType="PayAndShip"))

    location = await decided(merchant, simulator, session_id, "sign_in")

    assert location == f"{REVIEW_URL}?amazonCheckoutSessionId={session_id}"
    _, session = await merchant.session(session_id)
    assert (session["buyer"]["name"], session["shippingAddress"]["countryCode"]) == ("Sim Buyer", "US")


async def test_an_address_comes_with_the_button_only_where_something_is_shipped(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    payload = written(session_of(addressDetails={"city": "Springfield", "countryCode": "US"}))

    shipped = await pressed(merchant, payload, productType="PayAndShip")
    before = len((await simulator.books()).sessions)
    only_paid = await pressed(merchant, payload, productType="PayOnly")

    _, session = await merchant.session(session_in(shipped))
    assert session["shippingAddress"]["city"] == "Springfield"
    assert (only_paid.status_code, only_paid.text.partition(":")[0]) == (400, "InvalidParameterCombination")
    assert "addressDetails" in only_paid.text
    assert len((await simulator.books()).sessions) == before


async def test_a_session_of_the_api_is_given_to_the_button_by_its_id(merchant: Merchant) -> None:
    _, session = await merchant.create_session(session_of(), new_key())

    answer = await merchant.press(checkoutSessionId=session["checkoutSessionId"], productType="PayOnly")

    assert session_in(answer) == session["checkoutSessionId"]
    assert (await merchant.session(session_in(answer)))[1]["productType"] == "PayOnly"
    assert (await merchant.press(checkoutSessionId="none")).status_code == 404


async def test_a_sign_in_button_brings_the_buyer_back_with_a_token(merchant: Merchant) -> None:
    answer = await pressed(merchant, written(SIGN_IN))

    back = urlsplit(answer.headers["location"])
    assert (answer.status_code, back.netloc, back.path) == (303, "shop.example", "/signed-in")
    query = parse_qs(back.query)
    assert query["from"] == ["button"]
    status, buyer = await merchant.call("GET", f"/buyers/{query['buyerToken'][0].replace('|', '%7C')}")
    assert (status, buyer["email"]) == (200, "buyer@simulator.invalid")


async def test_a_button_without_a_key_id_is_checked_with_the_keys_of_the_merchant(merchant: Merchant) -> None:
    payload = written(session_of())
    signature = merchant.sign_payload(payload, V1)

    answer = await merchant.press(payloadJSON=payload, signature=signature)

    assert session_in(answer), "the first algorithm is the button's default"


async def test_a_payload_of_several_lines_holds_as_a_browser_posts_it(merchant: Merchant) -> None:
    payload = json.dumps(session_of(), indent=2)

    answer = await merchant.press(
        payloadJSON=payload.replace("\n", "\r\n"), signature=merchant.sign_payload(payload), algorithm=V2
    )

    assert (await merchant.session(session_in(answer)))[0] == 200


PAYLOAD = written(session_of())


@pytest.mark.parametrize(
    ("change", "status", "code", "named"),
    [
        ({"payloadJSON": PAYLOAD.replace("9.99", "0.99")}, 403, "InvalidRequestSignature", "exactly the text"),
        ({"payloadJSON": PAYLOAD.replace("\\/", "/")}, 403, "InvalidRequestSignature", "exactly the text"),
        ({"algorithm": V1}, 403, "InvalidRequestSignature", V1),
        ({"signature": "bm90IG9uZQ=="}, 403, "InvalidRequestSignature", V2),
        ({"algorithm": "ROT13"}, 400, "InvalidParameterValue", "ROT13"),
        ({"publicKeyId": "SANDBOX-SOMEBODY"}, 403, "InvalidAuthentication", "SANDBOX-SOMEBODY"),
        ({"productType": "PayAndPray"}, 400, "InvalidParameterValue", "PayAndPray"),
        ({"payloadJSON": ""}, 400, "MissingParameterValue", "payloadJSON"),
        ({"signature": ""}, 400, "MissingParameterValue", "signature"),
    ],
    ids=str,
)
async def test_a_button_that_was_tampered_with_opens_nothing(
    merchant: Merchant, simulator: SimulatorHandle, change: dict[str, str], status: int, code: str, named: str
) -> None:
    before = len((await simulator.books()).sessions)

    button = {"payloadJSON": PAYLOAD, "signature": merchant.sign_payload(PAYLOAD), "algorithm": V2}

    answer = await merchant.press(**button | {"publicKeyId": KEY_ID} | change)

    assert answer.status_code == status
    assert answer.text.startswith(f"{code}: ")
    assert named in answer.text
    assert len((await simulator.books()).sessions) == before


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        ("{}", "MissingParameterValue", "storeId"),
        ("[]", "InvalidRequestFormat", "JSON"),
        ("{", "InvalidRequestFormat", "JSON"),
        (written(session_of(colour="red")), "UnrecognizedField", "colour"),
        (written(session_of(chargePermissionType="Lifelong")), "InvalidParameterValue", "chargePermissionType"),
        (written(SIGN_IN | {"signInReturnUrl": "javascript:alert(1)"}), "InvalidParameterValue", "signInReturnUrl"),
        (written(SIGN_IN | {"signInScopes": ["shoeSize"]}), "InvalidParameterValue", "signInScopes.0"),
    ],
    ids=lambda value: value[:40],
)
async def test_a_signed_payload_is_read_as_strictly_as_a_request(
    merchant: Merchant, payload: str, code: str, field: str
) -> None:
    answer = await pressed(merchant, payload)

    assert (answer.status_code, answer.text.partition(":")[0]) == (400, code)
    assert field in answer.text
