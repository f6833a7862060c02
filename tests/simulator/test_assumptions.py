"""What Amazon's documentation leaves open, turned each way: a biller must survive both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from pydantic import ValidationError

from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.checkout import approved, completed, pending_of, session_of, state_and_reason
from tests.simulator.merchant import COMPACT_DATE, Merchant, Wanted, charge_of, merchant_of, new_key, price
from tests.simulator.running import running_simulator
from tests.simulator.witness import state_of

YEAR = datetime.now(UTC).year + 1
JANUARY = datetime(YEAR, 1, 15, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class Assuming:
    """Starts simulators that assume something."""

    def __init__(self, private_key: RSAPrivateKey, signer: NotificationSigner) -> None:
        self._private_key, self._signer = private_key, signer

    @asynccontextmanager
    async def __call__(self, **changes: Any) -> AsyncIterator[tuple[Merchant, SimulatorHandle, str]]:
        """A merchant, the simulator and a permission; fields of Assumptions."""
        assumptions = Assumptions.model_validate(changes)
        async with (
            running_simulator(self._private_key, self._signer, assumptions=assumptions) as amazon,
            merchant_of(amazon, self._private_key) as shop,
        ):
            yield shop, amazon, (await amazon.open_permission(at=JANUARY)).charge_permission_id


@pytest.fixture
def assuming(private_key: RSAPrivateKey, signer: NotificationSigner) -> Assuming:
    return Assuming(private_key, signer)


@pytest.mark.parametrize("saves", [True, False])
async def test_a_decline_is_saved_under_its_key_or_not(assuming: Assuming, *, saves: bool) -> None:
    async with assuming(saves_declines=saves) as (shop, amazon, permission):
        await amazon.script(permission, ["SoftDeclined"])
        key = new_key()

        first, _ = await shop.create_charge(charge_of(permission), key, JANUARY)
        again, _ = await shop.create_charge(charge_of(permission), key, JANUARY)

    assert (first, again) == (422, 422 if saves else 201)


@pytest.mark.parametrize("saves", [True, False])
async def test_a_server_error_is_saved_under_its_key_or_not(assuming: Assuming, *, saves: bool) -> None:
    async with assuming(saves_server_errors=saves) as (shop, amazon, permission):
        await amazon.script(permission, ["InternalServerError", "ServiceUnavailable"])
        key = new_key()

        statuses = [(await shop.create_charge(charge_of(permission), key, JANUARY))[0] for _ in range(3)]

    assert statuses == ([500, 500, 500] if saves else [500, 503, 201])


async def test_a_processing_failure_is_a_decline_although_its_status_is_that_of_a_server_error(
    assuming: Assuming,
) -> None:
    async with assuming(saves_server_errors=False) as (shop, amazon, permission):
        await amazon.script(permission, ["ProcessingFailure"])
        key = new_key()

        first = await shop.create_charge(charge_of(permission), key, JANUARY)
        again = await shop.create_charge(charge_of(permission), key, JANUARY)

    assert first[0] == 500
    assert again == first


@pytest.mark.parametrize(("minutes", "statuses"), [(15, (404, 403)), (120, (404, 404))])
async def test_a_requests_date_may_be_so_far_from_the_present(
    assuming: Assuming, minutes: int, statuses: tuple[int, int]
) -> None:
    async with assuming(clock_skew=timedelta(minutes=minutes)) as (shop, _, _):
        answered = []
        for off in (timedelta(minutes=10), timedelta(minutes=60)):
            for date in (datetime.now(UTC) - off, datetime.now(UTC) + off):
                wanted = Wanted("GET", "/v2/charges/none", date=date.strftime(COMPACT_DATE))
                answered.append((await shop.send(wanted)).status_code)

    assert answered == [statuses[0], statuses[0], statuses[1], statuses[1]]


@pytest.mark.parametrize(("zone", "resets_at"), [("UTC", 24), ("Asia/Tokyo", 15), ("America/Los_Angeles", 24 + 8)])
async def test_the_monthly_limit_counts_calendar_months_of_a_time_zone(
    assuming: Assuming, zone: str, resets_at: int
) -> None:
    reset = datetime(YEAR, 1, 31, tzinfo=UTC) + timedelta(hours=resets_at)
    async with assuming(month_zone=zone) as (shop, _, permission):
        whole = charge_of(permission, "1000")
        first, _ = await shop.create_charge(whole, new_key(), JANUARY)
        before, _ = await shop.create_charge(whole, new_key(), reset - SECOND)
        _, balance = await shop.permission(permission, reset)
        after, _ = await shop.create_charge(whole, new_key(), reset)

    assert (first, before, after) == (201, 400, 201)
    assert balance["limits"]["amountBalance"] == price("1000.00")


async def test_a_permission_lives_for_as_many_months_as_are_assumed(assuming: Assuming) -> None:
    async with assuming(permission_lives_months=1) as (shop, _, permission):
        _, answer = await shop.permission(permission, JANUARY)

    assert answer["expirationTimestamp"] == f"{JANUARY.replace(month=2):%Y%m%dT%H%M%SZ}"


async def test_a_refund_takes_as_long_as_is_assumed(assuming: Assuming) -> None:
    async with assuming(refund_takes=HOUR) as (shop, _, permission):
        _, charge = await shop.create_charge(charge_of(permission), new_key(), JANUARY)
        _, refund = await shop.refund(charge["chargeId"], price("1"), new_key(), JANUARY)
        _, before = await shop.read_refund(refund["refundId"], JANUARY + HOUR - SECOND)
        _, after = await shop.read_refund(refund["refundId"], JANUARY + HOUR)

    assert [state_and_reason(answer)[0] for answer in (before, after)] == ["RefundInitiated", "Refunded"]


async def test_a_late_capture_takes_as_long_as_is_assumed(assuming: Assuming) -> None:
    late = JANUARY + timedelta(days=8)
    async with assuming(late_capture_takes=HOUR) as (shop, _, permission):
        _, charge = await shop.create_charge(charge_of(permission, captureNow=False), new_key(), JANUARY)
        await shop.capture(charge["chargeId"], price("1"), new_key(), late)
        _, before = await shop.charge(charge["chargeId"], late + HOUR - SECOND)
        _, after = await shop.charge(charge["chargeId"], late + HOUR)

    assert [state_and_reason(answer)[0] for answer in (before, after)] == ["CaptureInitiated", "Captured"]


async def test_a_pending_authorization_takes_as_long_as_is_assumed(assuming: Assuming) -> None:
    async with assuming(pending_takes=HOUR) as (shop, amazon, _):
        _, session = await completed(shop, amazon, pending_of(), card="0701")
        await amazon.advance_clock(HOUR / 2)
        _, before = await shop.charge(session["chargeId"])
        await amazon.advance_clock(HOUR / 2)
        _, after = await shop.charge(session["chargeId"])

    assert [state_and_reason(answer)[0] for answer in (before, after)] == ["AuthorizationInitiated", "Authorized"]


async def test_what_takes_no_time_is_done_when_it_is_looked_at_next(assuming: Assuming) -> None:
    async with assuming(refund_takes=timedelta(0)) as (shop, _, permission):
        _, charge = await shop.create_charge(charge_of(permission), new_key(), JANUARY)
        _, refund = await shop.refund(charge["chargeId"], price("1"), new_key(), JANUARY)
        _, read = await shop.read_refund(refund["refundId"], JANUARY)

    assert (state_and_reason(refund)[0], state_and_reason(read)[0]) == ("RefundInitiated", "Refunded")


@pytest.mark.parametrize(
    "change",
    [
        {"clock_skew": timedelta(seconds=-1)},
        {"refund_takes": -1},
        {"permission_lives_months": 0},
        {"saves_everything": True},
        {"month_zone": "Mars/Olympus"},
        {"ledger_currency": "XXX"},
    ],
    ids=str,
)
def test_an_assumption_that_cannot_be_is_refused_by_name(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        Assumptions.model_validate(change)


@pytest.mark.parametrize("always", [True, False])
async def test_an_order_amount_may_be_needed_though_the_session_has_none(assuming: Assuming, *, always: bool) -> None:
    async with assuming(total_order_amount_always_required=always) as (shop, amazon, _):
        session_id = await approved(shop, amazon)
        status, answer = await shop.complete_session(session_id, price("9.99"))
        body = {"chargeAmount": price("9.99"), "totalOrderAmount": price("9.99")}
        again, _ = await shop.call("POST", f"/checkoutSessions/{session_id}/complete", body)

    assert (status, again) == ((400, 200) if always else (200, 422))
    assert answer.get("reasonCode") == ("MissingParameterValue" if always else None)


@pytest.mark.parametrize("bare", [True, False])
async def test_a_completed_session_is_read_with_or_without_what_was_given(assuming: Assuming, *, bare: bool) -> None:
    async with assuming(completed_sessions_stay_bare=bare) as (shop, amazon, _):
        _, session = await completed(shop, amazon)
        _, read = await shop.session(session["checkoutSessionId"])

    assert (session["buyer"], session["paymentDetails"]) == (None, None), "Complete itself never tells"
    given = (read["buyer"] is None, read["paymentDetails"] is None)
    assert given == (bare, bare)
    assert read["chargePermissionId"] == session["chargePermissionId"]


async def test_a_used_up_permission_is_closed_for_the_reason_that_is_assumed(assuming: Assuming) -> None:
    async with assuming(used_up_reason="AmazonCanceled") as (shop, amazon, _):
        _, session = await completed(shop, amazon)
        state = await state_of(amazon, session["chargePermissionId"])

    assert state == ("Closed", ["AmazonCanceled"])


async def test_a_wallet_without_an_amount_is_limited_in_the_ledgers_currency(assuming: Assuming) -> None:
    body = session_of(
        chargePermissionType="PaymentMethodOnFile",
        paymentMethodOnFileMetadata={"setupOnly": True},
        paymentDetails={"paymentIntent": "Confirm"},
    )
    async with assuming(ledger_currency="EUR") as (shop, amazon, _):
        session_id = await approved(shop, amazon, body)
        _, session = await shop.call("POST", f"/checkoutSessions/{session_id}/complete", {})
        _, permission = await shop.permission(session["chargePermissionId"])

    assert permission["limits"]["amountLimit"] == price("15000.00", "EUR")


async def test_a_scripted_answer_outlives_nothing_that_was_not_processed(assuming: Assuming) -> None:
    async with assuming(saves_declines=True, saves_server_errors=True) as (shop, amazon, permission):
        await amazon.script(permission, [ScriptedAnswer(code="TooManyRequests"), ScriptedAnswer(code="RequestTimeout")])
        key = new_key()

        statuses = [(await shop.create_charge(charge_of(permission), key, JANUARY))[0] for _ in range(3)]

    assert statuses == [429, 408, 201]
