"""The official Node SDK runs a recurring integration against the simulator, and the books say what it was told.

It is Amazon's own idea of how to sign a request and of what an answer looks like, and none of our code is in it. So
where our client and our simulator share a mistake, this SDK does not.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from amazon_pay_simulator.objects import Charge
from tests.interop.node_sdk import Driven, Merchant, drive, install
from tests.interop.simulation import Simulation, simulating

V2 = "AMZN-PAY-RSASSA-PSS-V2"
SALT_BYTES = {None: 20, V2: 32}
NAME_OF = {None: "AMZN-PAY-RSASSA-PSS", V2: V2}

WITH_ENVIRONMENT = "SANDBOX-MERCHANT"
WITHOUT_ENVIRONMENT = "AGMERCHANT"
MERCHANTS = (
    Merchant(WITH_ENVIRONMENT),
    Merchant(WITH_ENVIRONMENT, V2),
    Merchant(WITHOUT_ENVIRONMENT, sandbox=True),
    Merchant(WITHOUT_ENVIRONMENT, V2, sandbox=True),
)

PUBLIC_REGISTRY = "https://registry.npmjs.org/"


@pytest_asyncio.fixture(scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script and the SDK."""
    folder = tmp_path_factory.mktemp("node")
    await install(folder)
    return folder


@pytest_asyncio.fixture(scope="module")
async def simulation(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulation]:
    """A simulator with TLS, as the SDK speaks nothing else."""
    async with simulating(tmp_path_factory.mktemp("keys"), (WITH_ENVIRONMENT, WITHOUT_ENVIRONMENT)) as simulation:
        yield simulation


@pytest_asyncio.fixture(scope="module", params=MERCHANTS, ids=lambda merchant: merchant.name)
async def driven(request: pytest.FixtureRequest, installed: Path, simulation: Simulation) -> Driven:
    """One run of the whole integration."""
    return await drive(installed, request.param, simulation)


def test_the_locked_packages_come_from_whatever_registry_there_is() -> None:
    lock = json.loads((Path(__file__).parent / "package-lock.json").read_text())

    for name, package in lock["packages"].items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert package.get("resolved", PUBLIC_REGISTRY).startswith(PUBLIC_REGISTRY), name


def charges_of(driven: Driven, step: str) -> list[Charge]:
    """The booked charges of the permission that a completed session gave."""
    permission_id = driven[step].body["chargePermissionId"]
    return [charge for charge in driven.books.charges if charge.charge_permission_id == permission_id]


def test_the_path_names_the_environment_unless_the_key_id_does(driven: Driven) -> None:
    prefix = "/v2/" if driven.merchant.public_key_id == WITH_ENVIRONMENT else "/sandbox/v2/"

    assert {path.partition("v2/")[0] + "v2/" for path in driven.paths if "v2/" in path} == {prefix}


def test_the_signature_of_a_button_holds_by_the_merchants_public_key(driven: Driven) -> None:
    algorithm = driven.merchant.algorithm
    hashed = hashlib.sha256(driven.button["payload"].encode()).hexdigest()

    driven.public_key.verify(  # raises where it does not hold
        base64.b64decode(driven.button["signature"]),
        f"{NAME_OF[algorithm]}\n{hashed}".encode(),
        padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=SALT_BYTES[algorithm]),
        hashes.SHA256(),
    )
    assert json.loads(driven.button["payload"])["chargePermissionType"] == "Recurring"


def test_the_button_that_the_sdk_signed_opens_a_session_by_the_simulators_script(driven: Driven) -> None:
    pressed, session = driven["press button"], driven["get pressed session"]

    assert (pressed.status, pressed.body["text"]) == (303, "")
    assert pressed.body["location"] == f"/checkout/{session.body['checkoutSessionId']}"
    assert (session.status, session.state) == (200, "Open")
    assert (session.body["productType"], session.body["chargePermissionType"]) == ("PayOnly", "Recurring")
    assert session.body["recurringMetadata"]["amount"] == {"amount": "14.00", "currencyCode": "USD"}


def test_a_checkout_gives_a_recurring_permission_and_the_first_payment(driven: Driven) -> None:
    created, read, updated = driven["create session"], driven["get session"], driven["update session"]
    completed, permission = driven["complete session"], driven["get permission"]

    assert (created.status, created.state) == (201, "Open")
    assert (read.status, read.body) == (200, created.body)
    assert {constraint["constraintId"] for constraint in created.body["constraints"]} == {
        "BuyerNotAssociated",
        "ChargeAmountNotSet",
        "CheckoutResultReturnUrlNotSet",
        "PaymentIntentNotSet",
    }
    assert (updated.status, updated.state, updated.body["constraints"]) == (200, "Open", [])
    assert updated.body["webCheckoutDetails"]["amazonPayRedirectUrl"].startswith("https://")
    assert updated.body["merchantMetadata"]["noteToBuyer"] == "Grüße, 14 €"
    assert (completed.status, completed.state) == (200, "Completed")
    assert (permission.status, permission.state) == (200, "Chargeable")
    assert permission.body["chargePermissionType"] == "Recurring"
    assert permission.body["recurringMetadata"]["frequency"] == {"unit": "Month", "value": "1"}

    first = charges_of(driven, "complete session")[0]
    assert first.charge_id == completed.body["chargeId"]
    assert (first.status_details.state, first.charge_amount.amount) == ("Captured", Decimal("14.00"))


def test_a_permissions_metadata_is_what_it_was_changed_to(driven: Driven) -> None:
    updated = driven["update permission"]

    assert (updated.status, updated.body["merchantMetadata"]["merchantReferenceId"]) == (200, "subscription-1")
    (booked,) = (
        permission
        for permission in driven.books.permissions
        if permission.charge_permission_id == updated.body["chargePermissionId"]
    )
    assert booked.merchant_metadata is not None
    assert booked.merchant_metadata.merchant_reference_id == "subscription-1"


def test_a_charge_is_captured_at_once_or_later_or_canceled(driven: Driven) -> None:
    at_once, authorized, captured = driven["charge"], driven["authorize"], driven["capture"]
    unwanted, canceled = driven["authorize another"], driven["cancel"]

    assert (at_once.status, at_once.state) == (201, "Captured")
    assert at_once.body["captureAmount"] == {"amount": "9.99", "currencyCode": "USD"}
    assert driven["get charge"].body == at_once.body
    assert (authorized.status, authorized.state, authorized.body["captureAmount"]) == (201, "Authorized", None)
    assert (captured.status, captured.state) == (200, "Captured")
    assert (unwanted.status, unwanted.state) == (201, "Authorized")
    assert (canceled.status, canceled.state) == (200, "Canceled")
    assert canceled.body["statusDetails"]["reasonCode"] == "MerchantCanceled"


def test_the_books_hold_exactly_the_charges_that_were_answered(driven: Driven) -> None:
    booked = [
        (charge.charge_id, charge.charge_amount.amount, charge.status_details.state)
        for charge in charges_of(driven, "complete session")
    ]

    assert booked == [
        (driven["complete session"].body["chargeId"], Decimal("14.00"), "Captured"),
        (driven["charge"].body["chargeId"], Decimal("9.99"), "Captured"),
        (driven["authorize"].body["chargeId"], Decimal("20.00"), "Captured"),
        (driven["authorize another"].body["chargeId"], Decimal("30.00"), "Canceled"),
    ]
    limits = driven["get permission at the end"].body["limits"]
    assert limits["amountBalance"]["amount"] == str(Decimal(limits["amountLimit"]["amount"]) - Decimal("43.99"))


def test_a_repeated_create_charges_once(driven: Driven) -> None:
    first, again, changed = driven["charge"], driven["charge again"], driven["charge another amount again"]

    assert (again.status, again.body) == (first.status, first.body)
    assert (changed.status, changed.body["reasonCode"]) == (400, "DuplicateIdempotencyKey")
    calls = [
        (call.status, call.replayed)
        for call in driven.books.calls
        if call.charge_permission_id == first.body["chargePermissionId"]
    ]
    assert calls[:2] == [(201, False), (201, True)]


def test_a_simulated_decline_is_answered_with_its_reason_and_charges_nobody(driven: Driven) -> None:
    declined = driven["charge a weak card"]

    assert (declined.status, declined.body["reasonCode"]) == (422, "SoftDeclined")
    assert set(declined.body) == {"reasonCode", "message"}
    assert Decimal("5.00") not in {charge.charge_amount.amount for charge in charges_of(driven, "complete session")}


def test_a_refund_is_begun_and_can_be_read(driven: Driven) -> None:
    refund, read = driven["refund"], driven["get refund"]

    assert (refund.status, refund.state) == (201, "RefundInitiated")
    assert (read.status, read.body) == (200, refund.body)
    (booked,) = (booked for booked in driven.books.refunds if booked.charge_id == driven["charge"].body["chargeId"])
    assert (booked.refund_id, booked.refund_amount.amount) == (refund.body["refundId"], Decimal("4.99"))


def test_another_key_under_the_same_id_is_refused(driven: Driven) -> None:
    forged = driven["forge"]

    assert (forged.status, forged.body["reasonCode"]) == (403, "InvalidRequestSignature")


def test_a_closed_permission_cannot_be_charged(driven: Driven) -> None:
    closed, refused = driven["close permission"], driven["charge a closed permission"]

    assert (closed.status, closed.state) == (200, "Closed")
    assert [reason["reasonCode"] for reason in closed.body["statusDetails"]["reasons"]] == ["MerchantClosed"]
    assert (refused.status, refused.body["reasonCode"]) == (422, "InvalidChargePermissionStatus")
    (booked,) = (
        permission
        for permission in driven.books.permissions
        if permission.charge_permission_id == closed.body["chargePermissionId"]
    )
    assert booked.status_details.state == "Closed"


def test_a_free_trial_gives_a_permission_and_charges_nothing(driven: Driven) -> None:
    completed = driven["complete trial session"]

    assert (completed.status, completed.state, completed.body["chargeId"]) == (200, "Completed", None)
    assert completed.body["chargePermissionId"] in {
        permission.charge_permission_id for permission in driven.books.permissions
    }
    assert charges_of(driven, "complete trial session") == []
