"""Checkout sessions: what they lack, what the buyer approves, and which permission and charge completing them makes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import MONTHLY, RESULT_URL, approved, completed, opened, recurring_of, session_of
from tests.simulator.merchant import Merchant, new_key, price
from tests.simulator.witness import charges_of, permission_of, state_of


async def test_a_new_session_says_what_it_lacks_and_gives_its_page_once_it_lacks_nothing(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    bare = {"webCheckoutDetails": {}, "storeId": "amzn1.application-oa2-client.000000"}
    _, session = await merchant.create_session(bare | {"chargePermissionType": "Recurring"}, new_key())
    session_id = session["checkoutSessionId"]
    lacking = [constraint["constraintId"] for constraint in session["constraints"]]
    assert lacking == [
        "BuyerNotAssociated",
        "ChargeAmountNotSet",
        "CheckoutResultReturnUrlNotSet",
        "PaymentIntentNotSet",
        "RecurringFrequencyNotSet",
    ]

    for met, change in (
        ("ChargeAmountNotSet", {"paymentDetails": {"chargeAmount": price("5")}}),
        ("CheckoutResultReturnUrlNotSet", {"webCheckoutDetails": {"checkoutResultReturnUrl": RESULT_URL}}),
        ("PaymentIntentNotSet", {"paymentDetails": {"paymentIntent": "Confirm"}}),
        ("RecurringFrequencyNotSet", {"recurringMetadata": MONTHLY}),
    ):
        _, session = await merchant.update_session(session_id, change)
        lacking.remove(met)
        assert [constraint["constraintId"] for constraint in session["constraints"]] == lacking
        assert session["webCheckoutDetails"]["amazonPayRedirectUrl"] is None
    await simulator.sign_in_to_session(session_id)
    _, session = await merchant.session(session_id)

    assert session["constraints"] == []
    assert session["paymentDetails"]["paymentIntent"] == "Confirm", "what is not named stays as it is"
    assert session["webCheckoutDetails"]["amazonPayRedirectUrl"].endswith(f"/checkout/{session_id}")
    assert await merchant.session(session_id) == (200, session)


async def test_a_session_is_answered_with_amazons_names_and_lives_for_a_day(merchant: Merchant) -> None:
    at = datetime.now(UTC).replace(microsecond=0)

    status, session = await merchant.create_session(recurring_of(merchantMetadata={"noteToBuyer": "Hi"}), new_key(), at)

    assert status == 201
    assert session["statusDetails"]["state"] == "Open"
    assert session["chargePermissionType"] == "Recurring"
    assert session["recurringMetadata"] == MONTHLY
    assert session["merchantMetadata"]["noteToBuyer"] == "Hi"
    assert (session["chargePermissionId"], session["chargeId"], session["buyer"]) == (None, None, None)
    assert session["paymentPreferences"] == [None], "as Amazon writes what is not chosen yet"
    assert session["releaseEnvironment"] == "Sandbox"
    assert session["creationTimestamp"] == f"{at:%Y%m%dT%H%M%SZ}"
    assert session["expirationTimestamp"] == f"{at + timedelta(hours=24):%Y%m%dT%H%M%SZ}"


@pytest.mark.parametrize(
    ("intent", "state"), [("Confirm", None), ("Authorize", "Authorized"), ("AuthorizeWithCapture", "Captured")]
)
@pytest.mark.parametrize("kind", ["Recurring", "OneTime"])
async def test_completing_makes_the_permission_and_the_charge_that_the_intent_asks_for(
    merchant: Merchant, simulator: SimulatorHandle, kind: str, intent: str, state: str | None
) -> None:
    body = recurring_of(intent) if kind == "Recurring" else session_of(intent)

    status, session = await completed(merchant, simulator, body)

    assert (status, session["statusDetails"]["state"]) == (200, "Completed")
    identifier = session["chargePermissionId"]
    permission = await permission_of(simulator, identifier)
    assert permission.charge_permission_type == kind
    is_used_up = (kind, intent) == ("OneTime", "AuthorizeWithCapture")
    expected = ("Closed", ["AmazonClosed"]) if is_used_up else ("Chargeable", [])
    assert await state_of(simulator, identifier) == expected
    charges = [
        (charge.charge_id, str(charge.status_details.state)) for charge in await charges_of(simulator, identifier)
    ]
    assert charges == ([(session["chargeId"], state)] if state else [])
    if state:
        assert session["chargeId"].startswith(identifier) == (kind == "OneTime"), "a one-time permission is the order"


async def test_a_permission_knows_what_the_session_was_for(merchant: Merchant, simulator: SimulatorHandle) -> None:
    reference = {"merchantReferenceId": "order-1"}

    _, session = await completed(merchant, simulator, recurring_of("Confirm", merchantMetadata=reference))

    _, permission = await merchant.permission(session["chargePermissionId"])
    assert permission["recurringMetadata"] == MONTHLY
    assert permission["merchantMetadata"]["merchantReferenceId"] == "order-1"
    assert permission["buyer"] == {
        "buyerId": "amzn1.account.SIMULATEDBUYER",
        "name": "Sim Buyer",
        "email": "buyer@simulator.invalid",
        "phoneNumber": None,
        "primeMembershipTypes": None,
    }
    assert permission["paymentPreferences"] == [{"paymentDescriptor": "Visa ****1111 (Amazon Pay)"}]


async def test_an_approved_session_names_the_buyer_and_the_card(merchant: Merchant, simulator: SimulatorHandle) -> None:
    _, session = await merchant.session(await approved(merchant, simulator, card="4444"))

    assert session["buyer"]["email"] == "buyer@simulator.invalid"
    assert session["paymentPreferences"] == [{"paymentDescriptor": "MasterCard ****4444 (Amazon Pay)"}]
    assert session["statusDetails"]["state"] == "Open", "the merchant has not completed it"


async def test_a_session_that_the_buyer_has_not_approved_is_not_completed(merchant: Merchant) -> None:
    session_id = await opened(merchant)

    status, answer = await merchant.complete_session(session_id, price("9.99"))

    assert (status, answer["reasonCode"]) == (422, "InvalidCheckoutSessionStatus")
    assert (await merchant.session(session_id))[1]["statusDetails"]["state"] == "Open"


async def test_a_session_that_lacks_something_is_not_completed(merchant: Merchant, simulator: SimulatorHandle) -> None:
    body = session_of(paymentDetails={"chargeAmount": price("9.99")})

    status, answer = await completed(merchant, simulator, body)

    assert (status, answer["reasonCode"]) == (422, "InvalidCheckoutSessionStatus")
    assert "PaymentIntentNotSet" in answer["message"]


async def test_a_completed_session_is_answered_without_what_buyer_and_merchant_gave(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    _, session = await completed(merchant, simulator, recurring_of(merchantMetadata={"noteToBuyer": "Hi"}))

    given = ["webCheckoutDetails", "paymentDetails", "buyer", "merchantMetadata", "recurringMetadata"]
    given += ["productType", "chargePermissionType", "paymentPreferences", "shippingAddress", "billingAddress"]
    assert {name: session[name] for name in given} == dict.fromkeys(given)
    assert session["chargePermissionId"].startswith("C01-")
    assert session["chargeId"].startswith("S01-")
    assert (session["statusDetails"]["state"], session["constraints"]) == ("Completed", [])
    assert await merchant.session(session["checkoutSessionId"]) == (200, session)


async def test_the_order_amount_is_confirmed_where_the_session_has_one(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    body = session_of()
    body["paymentDetails"] |= {"totalOrderAmount": price("25.00")}
    session_id = await approved(merchant, simulator, body)
    path = f"/checkoutSessions/{session_id}/complete"

    without = await merchant.complete_session(session_id, price("9.99"))
    other = await merchant.call("POST", path, {"chargeAmount": price("9.99"), "totalOrderAmount": price("24.99")})
    right = await merchant.call("POST", path, {"chargeAmount": price("9.99"), "totalOrderAmount": price("25")})

    assert (without[0], without[1]["reasonCode"]) == (400, "MissingParameterValue")
    assert "totalOrderAmount" in without[1]["message"]
    assert (other[0], other[1]["reasonCode"]) == (409, "AmountMismatch")
    assert "25.00 USD" in other[1]["message"]
    assert right[0] == 200


@pytest.mark.parametrize(("total", "status"), [("9.99", 200), ("10.00", 409)])
async def test_without_an_order_amount_the_charge_is_the_order(
    merchant: Merchant, simulator: SimulatorHandle, total: str, status: int
) -> None:
    session_id = await approved(merchant, simulator)
    body = {"chargeAmount": price("9.99"), "totalOrderAmount": price(total)}

    answer = await merchant.call("POST", f"/checkoutSessions/{session_id}/complete", body)

    assert answer[0] == status, answer


async def test_complete_without_an_amount_says_which_is_missing(merchant: Merchant, simulator: SimulatorHandle) -> None:
    session_id = await approved(merchant, simulator)

    status, answer = await merchant.call("POST", f"/checkoutSessions/{session_id}/complete", {})

    assert (status, answer["reasonCode"]) == (400, "MissingParameterValue")
    assert "chargeAmount" in answer["message"]


@pytest.mark.parametrize("other", [price("9.98"), price("9.99", "EUR"), price(10)])
async def test_another_amount_than_the_sessions_does_not_complete_it_and_the_right_one_still_does(
    merchant: Merchant, simulator: SimulatorHandle, other: dict[str, Any]
) -> None:
    session_id = await approved(merchant, simulator)

    status, answer = await merchant.complete_session(session_id, other)

    assert (status, answer["reasonCode"]) == (409, "AmountMismatch")
    assert (await merchant.complete_session(session_id, price(9.99)))[0] == 200


async def test_a_first_charge_above_the_months_limit_is_refused_and_leaves_no_permission_behind(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    session_id = await approved(merchant, simulator, recurring_of(amount="1000.01"))
    before = await simulator.books()

    status, answer = await merchant.complete_session(session_id, price("1000.01"))

    after = await simulator.books()
    assert (status, answer["reasonCode"]) == (400, "PeriodicAmountExceeded")
    assert (len(after.permissions), len(after.charges)) == (len(before.permissions), len(before.charges))
    assert (await merchant.session(session_id))[1]["statusDetails"]["state"] == "Open"


async def test_the_same_request_to_create_again_gives_the_same_session(merchant: Merchant) -> None:
    key = new_key()
    first = await merchant.create_session(session_of(), key)

    again = await merchant.create_session(session_of(), key)
    status, answer = await merchant.create_session(session_of("Confirm"), key)

    assert again == first
    assert (status, answer["reasonCode"]) == (400, "DuplicateIdempotencyKey")
    assert (await merchant.create_session(session_of(), None))[1]["reasonCode"] == "MissingHeader"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"webCheckoutDetails": {"checkoutMode": "Later"}}, "webCheckoutDetails.checkoutMode"),
        ({"webCheckoutDetails": {"checkoutResultReturnUrl": "http://["}}, "checkoutResultReturnUrl"),
        ({"webCheckoutDetails": {"checkoutCancelUrl": "javascript:alert(1)"}}, "checkoutCancelUrl"),
        ({"paymentDetails": {"chargeAmount": price("0")}}, "chargeAmount"),
        ({"paymentDetails": {"chargeAmount": price("9.999")}}, "chargeAmount"),
        ({"paymentDetails": {"chargeAmount": price("9.99", "XXX")}}, "chargeAmount"),
        ({"paymentDetails": {"paymentIntent": "Borrow"}}, "paymentIntent"),
        ({"paymentDetails": {"softDescriptor": "seventeen letters"}}, "softDescriptor"),
        ({"chargePermissionType": "Lifelong"}, "chargePermissionType"),
        ({"recurringMetadata": {"frequency": {"unit": "Month", "value": 1.5}}}, "value"),
        ({"recurringMetadata": {"frequency": {"unit": "Variable", "value": "1"}}}, "recurringMetadata.frequency.value"),
        ({"productType": "PayAndPray"}, "productType"),
        ({"paymentDetails": {"presentmentCurrency": "XXX"}}, "paymentDetails.presentmentCurrency"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_wrong_field_is_refused_by_name(merchant: Merchant, change: dict[str, Any], field: str) -> None:
    status, answer = await merchant.create_session(session_of() | change, new_key())

    assert (status, answer["reasonCode"]) == (400, "InvalidParameterValue")
    assert field in answer["message"]


async def test_a_wrong_field_of_an_update_is_refused_and_changes_nothing(merchant: Merchant) -> None:
    session_id = await opened(merchant)
    before = await merchant.session(session_id)

    status, answer = await merchant.update_session(session_id, {"paymentDetails": {"paymentIntent": "Borrow"}})

    assert (status, answer["reasonCode"]) == (400, "InvalidParameterValue")
    assert await merchant.session(session_id) == before


CONFIRMED: dict[str, Any] = {"paymentIntent": "AuthorizeWithCapture", "chargeAmount": price("9.99")}
"""The body of a Finalize Checkout Session that says what the session says."""


async def test_a_session_is_finalized_by_what_it_holds(merchant: Merchant, simulator: SimulatorHandle) -> None:
    session_id = await approved(merchant, simulator)

    status, session = await merchant.finalize_session(session_id, CONFIRMED)

    assert (status, session["statusDetails"]["state"]) == (200, "Completed")
    assert session["paymentDetails"]["chargeAmount"] == price("9.99"), "unlike Complete it repeats what was paid"
    (charge,) = await charges_of(simulator, session["chargePermissionId"])
    assert str(charge.charge_amount.amount) == "9.99"


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"chargeAmount": None}, 400, "MissingParameterValue", "chargeAmount"),
        ({"chargeAmount": price("9.98")}, 409, "AmountMismatch", "chargeAmount"),
        ({"chargeAmount": price("9.99", "GBP")}, 409, "AmountMismatch", "chargeAmount"),
        ({"totalOrderAmount": None}, 400, "MissingParameterValue", "totalOrderAmount"),
        ({"totalOrderAmount": price("26")}, 409, "AmountMismatch", "totalOrderAmount"),
        ({"paymentIntent": None}, 400, "MissingParameterValue", "paymentIntent"),
        ({"paymentIntent": "Confirm"}, 400, "InvalidParameterValue", "paymentIntent"),
        ({"paymentIntent": "Borrow"}, 400, "InvalidParameterValue", "paymentIntent"),
        ({"supplementaryData": None}, 400, "MissingParameterValue", "supplementaryData"),
        ({"supplementaryData": "{}"}, 400, "InvalidParameterValue", "supplementaryData"),
        ({"shippingAddress": {"city": "Elsewhere"}}, 400, "InvalidParameterValue", "shippingAddress"),
    ],
    ids=str,
)
async def test_finalizing_by_other_values_than_the_sessions_is_refused_and_changes_nothing(
    merchant: Merchant, simulator: SimulatorHandle, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    address = {"city": "Springfield", "countryCode": "US"}
    body = session_of(supplementaryData='{"a": 1}', productType="PayAndShip", addressDetails=address)
    body["paymentDetails"] |= {"totalOrderAmount": price("25.00")}
    session_id = await approved(merchant, simulator, body)
    right = CONFIRMED | {"totalOrderAmount": price("25"), "supplementaryData": '{"a": 1}', "shippingAddress": address}

    refused, answer = await merchant.finalize_session(session_id, right | change)

    assert (refused, answer["reasonCode"]) == (status, code)
    assert field in answer["message"]
    assert (await merchant.finalize_session(session_id, right))[0] == 200


async def test_a_session_is_not_finalized_before_the_buyer_has_paid(merchant: Merchant) -> None:
    status, answer = await merchant.finalize_session(await opened(merchant), CONFIRMED)

    assert (status, answer["reasonCode"]) == (422, "InvalidCheckoutSessionStatus")


async def test_what_is_shipped_goes_to_an_address_of_the_buyers(merchant: Merchant, simulator: SimulatorHandle) -> None:
    session_id = await approved(merchant, simulator, session_of("Confirm", productType="PayAndShip"))

    _, session = await merchant.session(session_id)
    _, done = await merchant.complete_session(session_id, price("9.99"))

    _, permission = await merchant.permission(done["chargePermissionId"])
    assert permission["shippingAddress"] == session["shippingAddress"]
    assert permission["shippingAddress"]["countryCode"] == "US"


async def test_a_frequency_may_be_a_number_and_no_null_stands_where_amazons_dotnet_sdk_wants_a_list(
    merchant: Merchant,
) -> None:
    weekly = {"frequency": {"unit": "Week", "value": 2}, "amount": price("9.99")}

    status, session = await merchant.create_session(recurring_of() | {"recurringMetadata": weekly}, new_key())

    assert (status, session["recurringMetadata"]["frequency"]["value"]) == (201, "2")
    assert "shippingAddressList" not in session
