"""Our client against our simulator: every operation that the simulator has, and every row of Amazon's error table.

Each operation runs over the wire as a merchant would call it; each error arrives as the exception that its row names.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Environment, errors
from amazon_pay_client.limits import RATES
from amazon_pay_client.models import (
    CancelChargeRequest,
    CaptureChargeRequest,
    ChargePermissionType,
    ChargeState,
    CloseChargePermissionRequest,
    CompleteCheckoutSessionRequest,
    ContestDisputeRequest,
    CreateDisputeRequest,
    CreateReportRequest,
    CreateReportScheduleRequest,
    Currency,
    DisputeFilingReason,
    DisputeProviderMetadata,
    DisputeState,
    DisputeStatusDetails,
    EvidenceFileType,
    EvidenceType,
    FinalizeCheckoutSessionRequest,
    MerchantEvidence,
    MerchantMetadata,
    PaymentIntent,
    Price,
    RefundState,
    ReportType,
    ScheduleFrequency,
    UpdateChargePermissionRequest,
    UpdateChargeRequest,
    UpdateCheckoutSessionRequest,
    UpdatedChargeStatus,
    UpdateDisputeRequest,
    UploadFileRequest,
)
from amazon_pay_client.signing import SIMULATION_HEADER
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault, FaultPlan
from amazon_pay_simulator.refusals import STATUS_OF
from amazon_pay_simulator.routes import OPERATIONS
from tests.interop.integration import PRICE, Integration, integration, key, usd

CLOSE: Final = CloseChargePermissionRequest(closure_reason="the buyer moved away")
COMPLETE: Final = CompleteCheckoutSessionRequest(charge_amount=PRICE)
NEW_YEAR: Final = datetime(2027, 1, 1, tzinfo=UTC)
EVIDENCE: Final = ContestDisputeRequest(
    merchant_evidences=(MerchantEvidence(evidence_type=EvidenceType.RECEIPT, evidence_text="Delivered on Monday"),)
)


@pytest.fixture(scope="module")
def private_key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest_asyncio.fixture(scope="module")
async def shop(private_key: RSAPrivateKey) -> AsyncIterator[Integration]:
    async with integration(private_key) as it:
        yield it


# Every operation: what is called, and what of the answer shows that it was done


async def _get_buyer(shop: Integration) -> object:
    return bool((await shop.client.buyers.get(await shop.amazon.sign_in())).buyer_id)


async def _create_session(shop: Integration) -> object:
    return (await shop.session(approved=False)).status_details.state


async def _get_session(shop: Integration) -> object:
    session = await shop.session(approved=False)
    return await shop.client.checkout_sessions.get(session.checkout_session_id) == session


async def _update_session(shop: Integration) -> object:
    session = await shop.session(approved=False)
    request = UpdateCheckoutSessionRequest(merchant_metadata=MerchantMetadata(merchant_reference_id="order-1"))
    updated = await shop.client.checkout_sessions.update(session.checkout_session_id, request)
    return updated.merchant_metadata and updated.merchant_metadata.merchant_reference_id


async def _complete_session(shop: Integration) -> object:
    session = await shop.session()
    done = await shop.client.checkout_sessions.complete(session.checkout_session_id, COMPLETE)
    assert done.session.charge_permission_id is not None
    return done.session.status_details.state, done.authorization_is_pending


async def _finalize_session(shop: Integration) -> object:
    session = await shop.session()
    request = FinalizeCheckoutSessionRequest(payment_intent=PaymentIntent.CONFIRM, charge_amount=PRICE)
    done = await shop.client.checkout_sessions.finalize(session.checkout_session_id, request, idempotency_key=key())
    return done.status_details.state


async def _get_permission(shop: Integration) -> object:
    return (await shop.client.charge_permissions.get(await shop.permission())).status_details.state


async def _update_permission(shop: Integration) -> object:
    request = UpdateChargePermissionRequest(merchant_metadata=MerchantMetadata(note_to_buyer="A new plan"))
    updated = await shop.client.charge_permissions.update(await shop.permission(), request)
    return updated.merchant_metadata and updated.merchant_metadata.note_to_buyer


async def _close_permission(shop: Integration) -> object:
    details = (await shop.client.charge_permissions.close(await shop.permission(), CLOSE)).status_details
    return details.state, [reason.reason_code for reason in details.reasons or ()]


async def _create_charge(shop: Integration) -> object:
    charge = await shop.charge()
    return charge.status_details.state, charge.capture_amount


async def _get_charge(shop: Integration) -> object:
    charge = await shop.charge(capture=False)
    return await shop.client.charges.get(charge.charge_id) == charge


async def _update_charge(shop: Integration) -> object:
    request = (await shop.request(capture=False)).model_copy(update={"can_handle_pending_authorization": True})
    charge = await shop.client.charges.create(
        request, idempotency_key=key(), headers={SIMULATION_HEADER: ChargeState.AUTHORIZATION_INITIATED}
    )
    state = UpdatedChargeStatus(state=ChargeState.DECLINED, reason_code="SoftDeclined")
    updated = await shop.client.charges.update(
        charge.charge_id, UpdateChargeRequest(status_details=state), idempotency_key=key()
    )
    return updated.status_details.state


async def _capture_charge(shop: Integration) -> object:
    charge = await shop.charge(capture=False)
    captured = await shop.client.charges.capture(
        charge.charge_id, CaptureChargeRequest(capture_amount=usd("5.00")), idempotency_key=key()
    )
    return captured.status_details.state, captured.capture_amount


async def _cancel_charge(shop: Integration) -> object:
    charge = await shop.charge(capture=False)
    canceled = await shop.client.charges.cancel(
        charge.charge_id, CancelChargeRequest(cancellation_reason="out of stock")
    )
    return canceled.status_details.state, canceled.status_details.reason_code


async def _create_refund(shop: Integration) -> object:
    return (await shop.refund()).status_details.state


async def _get_refund(shop: Integration) -> object:
    refund = await shop.refund()
    return await shop.client.refunds.get(refund.refund_id) == refund


async def _create_dispute(shop: Integration) -> object:
    request = CreateDisputeRequest(
        charge_id=(await shop.charge()).charge_id,
        provider_metadata=DisputeProviderMetadata(provider_dispute_id="psp-1"),
        dispute_amount=PRICE,
        filing_reason=DisputeFilingReason.UNRECOGNIZED,
        status_details=DisputeStatusDetails(state=DisputeState.ACTION_REQUIRED),
        filing_timestamp=NEW_YEAR,
        merchant_response_deadline=NEW_YEAR,
    )
    return (await shop.client.disputes.create(request, idempotency_key=key())).status_details.state


async def _get_dispute(shop: Integration) -> object:
    dispute = await shop.dispute()
    return await shop.client.disputes.get(dispute.dispute_id) == dispute


async def _update_dispute(shop: Integration) -> object:
    request = UpdateDisputeRequest(
        status_details=DisputeStatusDetails(state=DisputeState.RESOLVED), closure_timestamp=NEW_YEAR
    )
    return (await shop.client.disputes.update((await shop.dispute()).dispute_id, request)).status_details.state


async def _contest_dispute(shop: Integration) -> object:
    dispute = await shop.dispute()
    contested = await shop.client.disputes.contest(dispute.dispute_id, EVIDENCE, idempotency_key=key())
    return contested.status_details.state


async def _upload_file(shop: Integration) -> object:
    uploaded = await shop.client.files.upload(UploadFileRequest(type=EvidenceFileType.JPG), idempotency_key=key())
    return bool(uploaded.file_id and uploaded.url)


async def _ordered(shop: Integration) -> str:
    now = await shop.amazon.now()
    request = CreateReportRequest(
        report_type=ReportType.SANDBOX_SETTLEMENT, start_time=now - timedelta(days=1), end_time=now
    )
    return (await shop.client.reports.create(request, idempotency_key=key())).report_id


async def _create_report(shop: Integration) -> object:
    return bool(await _ordered(shop))


async def _get_report(shop: Integration) -> object:
    return (await shop.client.reports.get(await _ordered(shop))).report_type


async def _get_reports(shop: Integration) -> object:
    ordered = await _ordered(shop)
    return ordered in [report.report_id for report in (await shop.client.reports.list(page_size=100)).reports]


async def _get_document(shop: Integration) -> object:
    await shop.charge()
    ordered = await _ordered(shop)
    await shop.amazon.advance_clock(timedelta(minutes=1))
    document_id = (await shop.client.reports.get(ordered)).report_document_id
    assert document_id is not None
    return (await shop.client.report_documents.get(document_id)).compression_algorithm


async def _scheduled(shop: Integration) -> str:
    request = CreateReportScheduleRequest(
        report_type=ReportType.SANDBOX_SETTLEMENT,
        schedule_frequency=ScheduleFrequency.P1D,
        next_report_creation_time=NEW_YEAR + timedelta(days=3650),
        delete_existing_schedule=True,
    )
    return (await shop.client.report_schedules.create(request, idempotency_key=key())).report_schedule_id


async def _create_schedule(shop: Integration) -> object:
    return bool(await _scheduled(shop))


async def _get_schedule(shop: Integration) -> object:
    return (await shop.client.report_schedules.get(await _scheduled(shop))).schedule_frequency


async def _get_schedules(shop: Integration) -> object:
    await _scheduled(shop)
    return [schedule.report_type for schedule in (await shop.client.report_schedules.list()).report_schedules]


async def _cancel_schedule(shop: Integration) -> object:
    schedule_id = await _scheduled(shop)
    await shop.client.report_schedules.cancel(schedule_id)
    with pytest.raises(errors.NotFoundError):
        await shop.client.report_schedules.cancel(schedule_id)
    return True


EXERCISES: Final[dict[str, tuple[Callable[[Integration], Awaitable[object]], object]]] = {
    "GetBuyer": (_get_buyer, True),
    "CreateCheckoutSession": (_create_session, "Open"),
    "GetCheckoutSession": (_get_session, True),
    "UpdateCheckoutSession": (_update_session, "order-1"),
    "CompleteCheckoutSession": (_complete_session, ("Completed", False)),
    "FinalizeCheckoutSession": (_finalize_session, "Completed"),
    "GetChargePermission": (_get_permission, "Chargeable"),
    "UpdateChargePermission": (_update_permission, "A new plan"),
    "CloseChargePermission": (_close_permission, ("Closed", ["MerchantClosed"])),
    "CreateCharge": (_create_charge, (ChargeState.CAPTURED, PRICE)),
    "GetCharge": (_get_charge, True),
    "UpdateCharge": (_update_charge, ChargeState.DECLINED),
    "CaptureCharge": (_capture_charge, (ChargeState.CAPTURED, usd("5.00"))),
    "CancelCharge": (_cancel_charge, (ChargeState.CANCELED, "MerchantCanceled")),
    "CreateRefund": (_create_refund, RefundState.REFUND_INITIATED),
    "GetRefund": (_get_refund, True),
    "CreateDispute": (_create_dispute, DisputeState.ACTION_REQUIRED),
    "GetDispute": (_get_dispute, True),
    "UpdateDispute": (_update_dispute, DisputeState.RESOLVED),
    "ContestDispute": (_contest_dispute, DisputeState.UNDER_REVIEW),
    "UploadFile": (_upload_file, True),
    "CreateReport": (_create_report, True),
    "GetReportById": (_get_report, ReportType.SANDBOX_SETTLEMENT),
    "GetReports": (_get_reports, True),
    "GetReportDocument": (_get_document, "N/A"),
    "CreateReportSchedule": (_create_schedule, True),
    "GetReportScheduleById": (_get_schedule, ScheduleFrequency.P1D),
    "GetReportSchedules": (_get_schedules, [ReportType.SANDBOX_SETTLEMENT]),
    "CancelReportSchedule": (_cancel_schedule, True),
}


def test_no_operation_is_left_out() -> None:
    assert set(EXERCISES) == {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize("name", EXERCISES)
async def test_an_operation_does_what_its_name_says(name: str, shop: Integration) -> None:
    perform, expected = EXERCISES[name]

    assert await perform(shop) == expected
    assert shop.called[-1] == name


# Every row of the error table


class Row(NamedTuple):
    """What an error becomes: status, exception, and whether the same request may be sent again."""

    status: int
    kind: type[errors.ApiError]
    is_retryable: bool = False


ROWS: Final = {
    **dict.fromkeys(
        (
            "CurrencyMismatch", "InvalidHeaderValue", "InvalidParameterCombination", "InvalidParameterValue",
            "InvalidRequest", "InvalidRequestFormat", "InvalidSandboxSimulationSpecified", "MissingHeader",
            "MissingHeaderValue", "MissingParameterValue", "PeriodicAmountExceeded", "TransactionAmountExceeded",
            "UnrecognizedField",
        ),
        Row(400, errors.BadRequestError),
    ),
    "DuplicateIdempotencyKey": Row(400, errors.DuplicateIdempotencyKeyError),
    "UnauthorizedAccess": Row(401, errors.AccessError),
    **dict.fromkeys(
        ("InvalidAccountStatus", "InvalidAuthentication", "InvalidAuthorizationToken", "InvalidRequestSignature"),
        Row(403, errors.AccessError),
    ),
    "ResourceNotFound": Row(404, errors.NotFoundError),
    **dict.fromkeys(("RequestNotSupported", "UnsupportedOperation"), Row(405, errors.UnsupportedOperationError)),
    "RequestTimeout": Row(408, errors.UnavailableError, is_retryable=True),
    "AmountMismatch": Row(409, errors.AmountMismatchError),
    **dict.fromkeys(
        (
            "AmazonRejected", "HardDeclined", "MFANotCompleted", "PaymentMethodNotAllowed", "SoftDeclined",
            "TransactionCountExceeded", "TransactionTimedOut",
        ),
        Row(422, errors.DeclinedError),
    ),
    **dict.fromkeys(
        (
            "ChargePermissionNotModifiable", "CheckoutSessionCanceled", "InvalidChargePermissionStatus",
            "InvalidChargeStatus", "InvalidCheckoutSessionStatus",
        ),
        Row(422, errors.InvalidStateError),
    ),
    "TLSVersionNotSupported": Row(426, errors.UnavailableError),
    "TooManyRequests": Row(429, errors.ThrottledError, is_retryable=True),
    "InternalServerError": Row(500, errors.UnavailableError, is_retryable=True),
    "ProcessingFailure": Row(500, errors.DeclinedError),
    "ServiceUnavailable": Row(503, errors.UnavailableError, is_retryable=True),
}  # fmt: skip


async def refused(call: Awaitable[object]) -> errors.ApiError:
    """The error that a call ends in."""
    with pytest.raises(errors.ApiError) as caught:
        await call
    return caught.value


def assert_is(error: errors.ApiError, reason_code: str) -> None:
    row = ROWS[reason_code]
    assert error.reason_code == reason_code, error
    assert (type(error), error.status, error.is_retryable) == (row.kind, row.status, row.is_retryable)
    assert error.request_id
    assert error.message


def test_no_row_is_left_out() -> None:
    assert {code: row.status for code, row in ROWS.items()} == dict(STATUS_OF)


@pytest.mark.parametrize("reason_code", ROWS)
async def test_each_error_is_the_exception_of_its_row(reason_code: str, shop: Integration) -> None:
    permission = await shop.permission()
    await shop.amazon.script(permission, [ScriptedAnswer(code=reason_code, status=ROWS[reason_code].status)])

    assert_is(await refused(shop.charge(permission)), reason_code)


async def test_an_error_that_nobody_knows_still_says_what_it_is(shop: Integration) -> None:
    permission = await shop.permission()
    await shop.amazon.script(permission, [ScriptedAnswer(code="ANewCode", status=422)])

    error = await refused(shop.charge(permission))

    assert (type(error), error.reason_code, error.is_retryable) == (errors.InvalidStateError, "ANewCode", False)


# The same errors where they come from by themselves


async def _used_key(shop: Integration) -> object:
    permission, used = await shop.permission(), key()
    await shop.client.charges.create(await shop.request(permission), idempotency_key=used)
    return await shop.client.charges.create(await shop.request(permission, usd("1.00")), idempotency_key=used)


async def _above_the_month(shop: Integration) -> object:
    permission = await shop.permission()
    await shop.charge(permission, usd("600.00"))
    return await shop.charge(permission, usd("600.00"))


async def _above_a_saved_wallets_month(shop: Integration) -> object:
    permission = await shop.permission_of(ChargePermissionType.PAYMENT_METHOD_ON_FILE)
    await shop.charge(permission, usd("15000.00"))
    return await shop.charge(permission, usd("0.01"))


async def _above_any_charge(shop: Integration) -> object:
    return await shop.charge(await shop.permission_of(ChargePermissionType.ONE_TIME), usd("150000.01"))


async def _too_many_charges(shop: Integration) -> object:
    permission = await shop.permission_of(ChargePermissionType.ONE_TIME)
    for _ in range(25):
        await shop.charge(permission, usd("0.01"))
    return await shop.charge(permission, usd("0.01"))


async def _above_the_refundable(shop: Integration) -> object:
    return await shop.refund(amount=usd("20.00"))


async def _other_currency(shop: Integration) -> object:
    return await shop.charge(amount=Price(amount=Decimal(5), currency_code=Currency.EUR))


async def _unknown_charge(shop: Integration) -> object:
    return await shop.client.charges.get("S01-0000000-0000000-C000000")


async def _nothing_there(shop: Integration) -> object:
    return await shop.client.disbursements.list(start_time=NEW_YEAR, end_time=NEW_YEAR)


async def _other_amount(shop: Integration) -> object:
    session = await shop.session()
    request = CompleteCheckoutSessionRequest(charge_amount=usd("5.00"))
    return await shop.client.checkout_sessions.complete(session.checkout_session_id, request)


async def _not_approved(shop: Integration) -> object:
    session = await shop.session(approved=False)
    return await shop.client.checkout_sessions.complete(session.checkout_session_id, COMPLETE)


async def _canceled_by_the_buyer(shop: Integration) -> object:
    session = await shop.session()
    return await shop.client.checkout_sessions.complete(
        session.checkout_session_id, COMPLETE, headers={SIMULATION_HEADER: "BuyerCanceled"}
    )


async def _closed_permission(shop: Integration) -> str:
    permission = await shop.permission()
    await shop.client.charge_permissions.close(permission, CLOSE)
    return permission


async def _charged_when_closed(shop: Integration) -> object:
    return await shop.charge(await _closed_permission(shop))


async def _changed_when_closed(shop: Integration) -> object:
    request = UpdateChargePermissionRequest(merchant_metadata=MerchantMetadata(note_to_buyer="x"))
    return await shop.client.charge_permissions.update(await _closed_permission(shop), request)


async def _captured_twice(shop: Integration) -> object:
    charge = await shop.charge()
    request = CaptureChargeRequest(capture_amount=PRICE)
    return await shop.client.charges.capture(charge.charge_id, request, idempotency_key=key())


async def _refunded_before_captured(shop: Integration) -> object:
    charge = await shop.charge(capture=False)
    return await shop.refund(charge.charge_id)


async def _unknown_simulation(shop: Integration) -> object:
    return await shop.client.charges.create(
        await shop.request(), idempotency_key=key(), headers={SIMULATION_HEADER: "ACodeOfNobody"}
    )


async def _contested_twice(shop: Integration) -> object:
    dispute = await shop.dispute()
    await shop.client.disputes.contest(dispute.dispute_id, EVIDENCE, idempotency_key=key())
    return await shop.client.disputes.contest(dispute.dispute_id, EVIDENCE, idempotency_key=key())


@pytest.mark.parametrize(
    ("cause", "reason_code"),
    [
        (_used_key, "DuplicateIdempotencyKey"),
        (_above_the_month, "PeriodicAmountExceeded"),
        (_above_a_saved_wallets_month, "PeriodicAmountExceeded"),
        (_above_any_charge, "TransactionAmountExceeded"),
        (_too_many_charges, "TransactionCountExceeded"),
        (_above_the_refundable, "TransactionAmountExceeded"),
        (_other_currency, "CurrencyMismatch"),
        (_unknown_charge, "ResourceNotFound"),
        (_nothing_there, "ResourceNotFound"),
        (_other_amount, "AmountMismatch"),
        (_not_approved, "InvalidCheckoutSessionStatus"),
        (_canceled_by_the_buyer, "CheckoutSessionCanceled"),
        (_charged_when_closed, "InvalidChargePermissionStatus"),
        (_changed_when_closed, "ChargePermissionNotModifiable"),
        (_captured_twice, "InvalidChargeStatus"),
        (_refunded_before_captured, "InvalidChargeStatus"),
        (_unknown_simulation, "InvalidSandboxSimulationSpecified"),
        (_contested_twice, "InvalidRequest"),
    ],
)
async def test_what_amazon_refuses_is_refused_for_its_reason(
    cause: Callable[[Integration], Awaitable[object]], reason_code: str, shop: Integration
) -> None:
    assert_is(await refused(cause(shop)), reason_code)


@pytest.mark.parametrize("code", ["SoftDeclined", "HardDeclined", "AmazonRejected", "TransactionTimedOut"])
async def test_the_sandboxes_declines_are_declines(code: str, shop: Integration) -> None:
    request = await shop.request()

    assert_is(
        await refused(shop.client.charges.create(request, idempotency_key=key(), headers={SIMULATION_HEADER: code})),
        code,
    )


async def test_a_key_that_amazon_does_not_have_is_told_by_its_reason(private_key: RSAPrivateKey) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    async with integration(private_key, signs_with=stranger) as shop:
        error = await refused(shop.client.charges.get("S01-1"))

    assert_is(error, "InvalidRequestSignature")


async def test_more_than_amazons_rate_is_throttled(private_key: RSAPrivateKey) -> None:
    async with integration(private_key, throttled_as=Environment.SANDBOX) as shop:
        permission = await shop.permission()
        burst = RATES[Environment.SANDBOX]["CreateCharge"].burst
        for _ in range(burst):
            await shop.charge(permission, usd("0.01"))
        error = await refused(shop.charge(permission, usd("0.01")))

    assert_is(error, "TooManyRequests")


@pytest.mark.parametrize(
    ("fault", "reason_code"),
    [
        (Fault.INTERNAL_ERROR, "InternalServerError"),
        (Fault.UNAVAILABLE, "ServiceUnavailable"),
        (Fault.THROTTLED, "TooManyRequests"),
    ],
)
async def test_amazons_own_trouble_is_retryable(fault: Fault, reason_code: str, private_key: RSAPrivateKey) -> None:
    async with integration(private_key) as shop:
        permission = await shop.permission()
        await shop.amazon.set_faults(FaultPlan(requests={fault: 1.0}))
        error = await refused(shop.charge(permission))

    assert_is(error, reason_code)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.RESET])
async def test_a_lost_answer_is_learnt_by_the_same_key(fault: Fault, private_key: RSAPrivateKey) -> None:
    async with integration(private_key) as shop:
        permission, used = await shop.permission(), key()
        request = await shop.request(permission)
        await shop.amazon.script(permission, [ScriptedAnswer(fault=fault)])
        with pytest.raises(errors.TransportError) as caught:
            await shop.client.charges.create(request, idempotency_key=used)
        charge = await shop.client.charges.create(request, idempotency_key=used)
        books = await shop.amazon.books()

    assert caught.value.is_retryable
    assert [booked.charge_id for booked in books.charges] == [charge.charge_id]
    assert [call.replayed for call in books.calls if call.status == 201][-1] is (fault is Fault.LOST_ANSWER)


async def test_a_refund_is_asynchronous_and_reads_as_refunded_later(private_key: RSAPrivateKey) -> None:
    async with integration(private_key) as shop:
        refund = await shop.refund()
        await shop.amazon.set_clock(datetime(2099, 1, 1, tzinfo=UTC))
        later = await shop.client.refunds.get(refund.refund_id)
        assert refund.charge_id is not None
        charge = await shop.client.charges.get(refund.charge_id)

    assert (refund.status_details.state, later.status_details.state) == (
        RefundState.REFUND_INITIATED,
        RefundState.REFUNDED,
    )
    assert charge.refunded_amount == PRICE
