"""What a workflow hears of every known outcome, from a real simulator.

A decline that is raised would be repeated for ever; a success that is misread would be charged again.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, clock
from amazon_pay_client.models import ChargePermission, Currency, Frequency, Price, RecurringMetadata
from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.clock import TIME_HEADER
from perennial_billing.activities.accounts import OneAccount
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.activities.answers import permission_answer
from perennial_billing.activities.signatures import (
    ClosePermission,
    ReadCharge,
    ReadPermission,
    ReadRefund,
    UpdatePermission,
)
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    PermissionState,
    RefundAnswer,
    RefundState,
)
from tests.activities.requests import AGREEING, NOWHERE, capture, create, refund, run
from tests.simulator.merchant import KEY_ID
from tests.simulator.witness import calls_of, charges_of, permission_of, state_of


async def test_a_captured_charge_is_captured_for_exactly_what_was_asked(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    request = create(permission, amount="19.90 USD", merchant_reference="order-7")

    answer = await run(calls.create_charge, request)

    (charge,) = await charges_of(simulator, permission)
    created_at = charge.creation_timestamp
    assert answer == ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id=charge.charge_id, created_at=created_at)
    assert (str(charge.charge_amount.amount), charge.charge_amount.currency_code) == ("19.90", "USD")
    assert charge.merchant_metadata is not None
    assert charge.merchant_metadata.merchant_reference_id == "order-7"
    (call,) = await calls_of(simulator, permission)
    assert call.idempotency_key == request.idempotency_key


async def test_a_charge_without_a_merchant_reference_is_captured_too(calls: AmazonPayCalls, permission: str) -> None:
    answer = await run(calls.create_charge, create(permission, merchant_reference=""))

    assert answer.outcome is ChargeOutcome.CAPTURED


async def test_the_same_attempt_again_has_the_same_outcome_and_charges_nobody_twice(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [None, "SoftDeclined"])
    paid, declined = create(permission), create(permission)

    answers = [await run(calls.create_charge, request) for request in (paid, paid, declined, declined)]

    assert [answer.outcome for answer in answers] == [ChargeOutcome.CAPTURED] * 2 + [ChargeOutcome.DECLINED] * 2
    assert answers[0] == answers[1]
    assert len(await charges_of(simulator, permission)) == 1


@pytest.mark.parametrize("code", ["AuthorizationInitiated", "CaptureInitiated"])
async def test_a_pending_charge_is_pending_until_amazon_captures_it(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str, code: str
) -> None:
    await simulator.script(permission, [code])

    created = await run(calls.create_charge, create(permission))
    assert created.charge_id is not None
    read = ReadCharge(charge_id=created.charge_id)
    meanwhile = await run(calls.read_charge, read)
    await simulator.decide_charge(created.charge_id)
    afterwards = await run(calls.read_charge, read)

    outcomes = [answer.outcome for answer in (created, meanwhile, afterwards)]
    assert outcomes == [ChargeOutcome.PENDING, ChargeOutcome.PENDING, ChargeOutcome.CAPTURED]
    assert {meanwhile.charge_id, afterwards.charge_id} == {created.charge_id}


async def test_a_pending_charge_that_is_declined_later_is_declined_with_its_reason(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, ["CaptureInitiated"])
    created = await run(calls.create_charge, create(permission))
    assert created.charge_id is not None
    await simulator.decide_charge(created.charge_id, "HardDeclined")

    answer = await run(calls.read_charge, ReadCharge(charge_id=created.charge_id))

    assert (answer.outcome, answer.reason_code) == (ChargeOutcome.DECLINED, "HardDeclined")


async def test_an_authorization_that_was_to_be_captured_is_not_paid_yet(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    answer = await run(calls.create_charge, create(permission, capture_now=False))

    assert answer.outcome is ChargeOutcome.AUTHORIZED
    assert [str(charge.status_details.state) for charge in await charges_of(simulator, permission)] == ["Authorized"]


@pytest.mark.parametrize(
    "code",
    [
        "SoftDeclined",
        "HardDeclined",
        "AmazonRejected",
        "ProcessingFailure",
        "TransactionTimedOut",
        "PaymentMethodNotAllowed",
        "MFANotCompleted",
    ],
)
async def test_each_decline_is_an_answer_with_amazons_reason_and_request_id(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str, code: str
) -> None:
    await simulator.script(permission, [code])

    answer = await run(calls.create_charge, create(permission))

    assert (answer.outcome, answer.reason_code, answer.charge_id) == (ChargeOutcome.DECLINED, code, None)
    assert answer.message
    assert answer.request_id


@pytest.mark.parametrize(
    ("reason_code", "permission_state", "amount", "used_key"),
    [
        ("PeriodicAmountExceeded", "Chargeable", "1000.01 USD", False),
        ("CurrencyMismatch", "Chargeable", "5 EUR", False),
        ("DuplicateIdempotencyKey", "Chargeable", "5 USD", True),
        ("InvalidChargePermissionStatus", "NonChargeable", "5 USD", False),
        ("InvalidChargePermissionStatus", "Closed", "5 USD", False),
        ("ResourceNotFound", "unknown", "5 USD", False),
    ],
)
async def test_a_request_that_amazon_does_not_take_is_refused_with_its_reason(
    calls: AmazonPayCalls,
    simulator: SimulatorHandle,
    permission: str,
    reason_code: str,
    permission_state: str,
    amount: str,
    *,
    used_key: bool,
) -> None:
    first = create(permission, amount="1 USD")
    if used_key:
        await run(calls.create_charge, first)
    if permission_state == "NonChargeable":
        await simulator.break_payment_method(permission)
    if permission_state == "Closed":
        await simulator.close_by_buyer(permission)
    target = NOWHERE if permission_state == "unknown" else permission

    answer = await run(calls.create_charge, create(target, first.idempotency_key if used_key else None, amount=amount))

    assert (answer.outcome, answer.reason_code) == (ChargeOutcome.REFUSED, reason_code)
    assert answer.message
    assert answer.request_id
    assert len(await charges_of(simulator, permission)) == int(used_key)


async def test_a_key_that_amazon_does_not_know_is_refused_everywhere(
    simulator: SimulatorHandle, private_key: RSAPrivateKey, permission: str
) -> None:
    async with AmazonPayClient(
        public_key_id="SANDBOX-STRANGER", private_key=private_key, region=Region.NA, origin=simulator.origin
    ) as client:
        stranger = AmazonPayCalls(OneAccount(client), AGREEING)
        charge = await run(stranger.create_charge, create(permission))
        read = await run(stranger.read_charge, ReadCharge(charge_id="S01-1-1-C000001"))
        state = await run(stranger.read_permission, ReadPermission(charge_permission_id=permission))
        closed = await run(stranger.close_permission, ClosePermission(charge_permission_id=permission, reason="over"))

    for answer in (charge, read):
        assert (answer.outcome, answer.reason_code) == (ChargeOutcome.REFUSED, "InvalidAuthentication")
    for answered in (state, closed):
        assert answered.state is PermissionState.UNKNOWN
        assert answered.refused == "InvalidAuthentication"
    assert await state_of(simulator, permission) == ("Chargeable", [])


async def test_a_permission_is_read_with_its_state_reasons_and_last_change(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    read = ReadPermission(charge_permission_id=permission)
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    assert (await run(calls.read_permission, read)).is_chargeable
    await simulator.break_payment_method(permission, "PaymentMethodDeleted", at)
    broken = await run(calls.read_permission, read)
    await simulator.close_by_buyer(permission)
    closed = await run(calls.read_permission, read)

    assert (broken.state, broken.reason_codes) == (PermissionState.NON_CHARGEABLE, ("PaymentMethodDeleted",))
    assert (broken.last_updated, broken.refused) == (at, None)
    assert (closed.state, closed.reason_codes) == (PermissionState.CLOSED, ("BuyerClosed",))


async def test_a_permission_tells_its_limit_what_is_left_of_it_and_when_it_expires(
    calls: AmazonPayCalls, simulator: SimulatorHandle
) -> None:
    opened = await simulator.open_permission(at=datetime(2026, 1, 31, 12, tzinfo=UTC))
    read = ReadPermission(charge_permission_id=opened.charge_permission_id)

    before = await run(calls.read_permission, read)
    await run(calls.create_charge, create(opened.charge_permission_id))
    after = await run(calls.read_permission, read)

    assert before.expires_at == datetime(2027, 2, 28, 12, tzinfo=UTC)
    assert after.expires_at is not None
    assert after.expires_at > before.expires_at, "it lives on from its last charge"
    assert (before.monthly_limit, before.monthly_balance) == (Money.parse("1000.00 USD"), Money.parse("1000.00 USD"))
    assert after.monthly_balance == Money.parse("990.01 USD")
    assert (before.given_for, before.currency) == ("Recurring", "USD")


def test_what_a_permission_was_given_for_and_a_currency_that_nobody_here_knows_are_told_as_amazon_says_them() -> None:
    told = {
        "chargePermissionId": "S01-1234567-7654321",
        "chargePermissionType": "OneTime",
        "statusDetails": {"state": "Chargeable"},
        "limits": {"amountLimit": {"amount": "1000.00", "currencyCode": "XAU"}},
    }

    answer = permission_answer(ChargePermission.model_validate(told))

    assert (answer.given_for, answer.currency, answer.monthly_limit) == ("OneTime", "XAU", None)


async def test_a_permission_that_does_not_exist_is_in_no_known_state(calls: AmazonPayCalls) -> None:
    read = await run(calls.read_permission, ReadPermission(charge_permission_id=NOWHERE))
    updated = await run(calls.update_permission, plan_of(NOWHERE))
    closed = await run(calls.close_permission, ClosePermission(charge_permission_id=NOWHERE, reason="over"))

    for answer in (read, updated, closed):
        assert (answer.state, answer.refused) == (PermissionState.UNKNOWN, "ResourceNotFound")


def plan_of(permission: str) -> UpdatePermission:
    recurrence = Recurrence(interval=Interval(unit=Unit.WEEK, count=2), amount=Money.parse("9.99 USD"))
    return UpdatePermission(charge_permission_id=permission, recurrence=recurrence)


async def test_amazon_is_told_how_often_how_much_is_charged(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    for _ in range(2):
        assert (await run(calls.update_permission, plan_of(permission))).is_chargeable

    told = await permission_of(simulator, permission)
    assert told.recurring_metadata == RecurringMetadata(
        frequency=Frequency(unit="Week", value="2"),
        amount=Price(amount=Decimal("9.99"), currency_code=Currency.USD),
    )


async def test_a_closed_permission_takes_no_plan(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.close_by_buyer(permission)

    answer = await run(calls.update_permission, plan_of(permission))

    assert (answer.state, answer.refused) == (PermissionState.UNKNOWN, "ChargePermissionNotModifiable")


async def test_a_permission_is_closed_and_closing_it_again_is_a_success(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    request = ClosePermission(charge_permission_id=permission, reason="the customer asked")

    first = await run(calls.close_permission, request)
    second = await run(calls.close_permission, request)

    assert first.is_closed
    assert second == first
    assert await state_of(simulator, permission) == ("Closed", ["MerchantClosed"])


async def test_closing_what_the_buyer_has_closed_tells_who_closed_it(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.close_by_buyer(permission)

    answer = await run(calls.close_permission, ClosePermission(charge_permission_id=permission, reason="over"))

    assert (answer.state, answer.reason_codes) == (PermissionState.CLOSED, ("BuyerClosed",))


async def test_every_call_carries_the_extra_headers_made_for_it(
    simulator: SimulatorHandle, private_key: RSAPrivateKey, permission: str
) -> None:
    times = (f"2026010{day}T000000Z" for day in range(1, 9))
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=simulator.origin
    ) as client:
        dated = AmazonPayCalls(OneAccount(client), AGREEING, lambda: {TIME_HEADER: next(times)})
        await run(dated.create_charge, create(permission))
        await run(dated.close_permission, ClosePermission(charge_permission_id=permission, reason="over"))

    (charge,) = await charges_of(simulator, permission)
    closed = (await permission_of(simulator, permission)).status_details
    assert charge.creation_timestamp == datetime(2026, 1, 1, tzinfo=UTC)
    assert closed.last_updated_timestamp == datetime(2026, 1, 2, tzinfo=UTC)


async def test_an_authorized_charge_is_captured_once_however_often_it_is_asked(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    created = await run(calls.create_charge, create(permission, capture_now=False))
    assert created.charge_id is not None
    request = capture(created.charge_id)

    answers = [await run(calls.capture_charge, request) for _ in range(2)]

    assert [answer.outcome for answer in answers] == [ChargeOutcome.CAPTURED] * 2
    assert [str(charge.status_details.state) for charge in await charges_of(simulator, permission)] == ["Captured"]


async def test_a_capture_of_a_charge_that_is_not_authorized_is_refused(calls: AmazonPayCalls, permission: str) -> None:
    created = await run(calls.create_charge, create(permission))
    assert created.charge_id is not None

    answer = await run(calls.capture_charge, capture(created.charge_id))

    assert (answer.outcome, answer.reason_code) == (ChargeOutcome.REFUSED, "InvalidChargeStatus")


async def test_the_same_refund_again_gives_back_nothing_more(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    charge = await run(calls.create_charge, create(permission))
    assert charge.charge_id is not None
    asked = refund(charge.charge_id, "5.00 USD")

    first, again = await run(calls.create_refund, asked), await run(calls.create_refund, asked)

    assert first == again
    assert first.state is RefundState.PENDING
    books = await simulator.books()
    (booked,) = [each for each in books.refunds if each.charge_id == charge.charge_id]
    assert (booked.refund_id, str(booked.refund_amount.amount)) == (first.refund_id, "5.00")


@pytest.mark.parametrize(("code", "ends"), [(None, RefundState.REFUNDED), ("AmazonRejected", RefundState.FAILED)])
async def test_a_refund_is_read_until_amazon_has_decided(
    simulator: SimulatorHandle, private_key: RSAPrivateKey, permission: str, code: str | None, ends: RefundState
) -> None:
    headers = {"x-amz-pay-simulation-code": code} if code else {}
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=simulator.origin
    ) as client:
        charge = await run(AmazonPayCalls(OneAccount(client), AGREEING).create_charge, create(permission))
        assert charge.charge_id is not None
        taken = await run(
            AmazonPayCalls(OneAccount(client), AGREEING, lambda: headers).create_refund, refund(charge.charge_id)
        )
        assert taken.refund_id is not None
        later = (datetime.now(UTC) + timedelta(hours=1)).strftime(TIMESTAMP_FORMAT)
        read = await run(
            AmazonPayCalls(OneAccount(client), AGREEING, lambda: {TIME_HEADER: later}).read_refund,
            ReadRefund(refund_id=taken.refund_id),
        )

    assert taken.state is RefundState.PENDING
    assert (read.state, read.refund_id, read.reason_code) == (ends, taken.refund_id, code)


async def test_a_refund_that_amazon_does_not_take_has_failed_with_its_reason(
    calls: AmazonPayCalls, permission: str
) -> None:
    charge = await run(calls.create_charge, create(permission))
    assert charge.charge_id is not None

    too_much = await run(calls.create_refund, refund(charge.charge_id, "900.00 USD"))
    of_nothing = await run(calls.create_refund, refund("S01-0000000-0000000-C000000"))

    assert too_much == RefundAnswer(state=RefundState.FAILED, reason_code="TransactionAmountExceeded")
    assert of_nothing == RefundAnswer(state=RefundState.FAILED, reason_code="ResourceNotFound")


async def test_a_refund_that_amazon_does_not_show_is_still_pending(calls: AmazonPayCalls) -> None:
    """It was taken: that it cannot be read now says nothing of how it ends."""
    read = await run(calls.read_refund, ReadRefund(refund_id="S01-0-0-R000000"))

    assert (read.state, read.refund_id) == (RefundState.PENDING, "S01-0-0-R000000")


@pytest.mark.parametrize(
    ("off", "why"),
    [
        (timedelta(hours=-26), "this machine's clock is 26 h behind Amazon's"),
        (timedelta(hours=26), "this machine's clock is 26 h ahead of Amazon's"),
    ],
)
async def test_a_worker_whose_clock_is_wrong_by_a_day_hears_and_logs_that_and_not_only_that_it_is_not_believed(
    calls: AmazonPayCalls,
    permission: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    off: timedelta,
    why: str,
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + off)

    charged = await run(calls.create_charge, create(permission))
    read = await run(calls.read_permission, ReadPermission(charge_permission_id=permission))

    assert (charged.outcome, charged.reason_code) == (ChargeOutcome.REFUSED, "InvalidRequestSignature")
    assert charged.message is not None
    assert charged.message.endswith(f"; {why}")
    assert read.refused == "InvalidRequestSignature"
    assert [why in record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [True, True]
