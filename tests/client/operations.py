"""Every operation of the client: what a caller writes, and what must then stand on the wire.

The bodies are written out byte for byte, because the bytes are what is signed and what a key is compared by.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.models import (
    BusinessInfo,
    BusinessType,
    CancelChargeRequest,
    CaptureChargeRequest,
    ChargePermissionType,
    ChargeState,
    ClaimMerchantAccountRequest,
    CommunicationContext,
    CompleteCheckoutSessionRequest,
    ContestDisputeRequest,
    CreateCheckoutSessionRequest,
    CreateDeliveryTrackerRequest,
    CreateDisputeRequest,
    CreateMerchantAccountRequest,
    CreateRefundRequest,
    CreateReportRequest,
    CreateReportScheduleRequest,
    CreateStoreRequest,
    Currency,
    DeliveryDetail,
    DisputeFilingReason,
    DisputeProviderMetadata,
    DisputeResolution,
    DisputeState,
    DisputeStatusDetails,
    EvidenceFileType,
    EvidenceType,
    FinalizeCheckoutSessionRequest,
    Frequency,
    InStoreChargeRequest,
    InStoreMetadata,
    InStoreRefundRequest,
    LedgerCurrency,
    MerchantEvidence,
    MerchantMetadata,
    MerchantScanRequest,
    PaymentDetails,
    PaymentIntent,
    Price,
    ProcessingStatus,
    RecurringMetadata,
    ReportType,
    ScheduleFrequency,
    UpdateChargePermissionRequest,
    UpdateChargeRequest,
    UpdateCheckoutSessionRequest,
    UpdatedChargeStatus,
    UpdateDisputeRequest,
    UpdateMerchantAccountRequest,
    UpdateStoreRequest,
    UploadFileRequest,
    WebCheckoutDetails,
)
from amazon_pay_client.time_limits import OperationKind
from tests.client import answers
from tests.client.examples import CHARGE, CLOSE, CLOSE_BODY, CREATE, CREATE_BODY, PERMISSION

READ, WRITE, PAYMENT = OperationKind.READ, OperationKind.WRITE, OperationKind.PAYMENT
KEY: Final = "p7-a1"


@dataclass(frozen=True)
class Operation:
    """One call and its request. `target` stands below the prefix of the environment, with the query.

    Attributes:
        takes_key: how the call treats an idempotency key; `call` gives it `KEY` unless it takes none.
        answer: what Amazon answers; None for an empty body.
    """

    name: str
    call: Callable[[AmazonPayClient], Awaitable[Any]]
    method: str
    target: str
    body: bytes = b""
    status: int = 200
    answer: dict[str, Any] | None = None
    takes_key: bool = False
    kind: OperationKind = WRITE
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name


TEN: Final = Price(amount=Decimal("9.99"), currency_code=Currency.USD)
TEN_JSON: Final = b'{"amount":"9.99","currencyCode":"USD"}'
NEW_YEAR: Final = datetime(2026, 1, 1, tzinfo=UTC)
NEXT_WEEK: Final = datetime(2026, 1, 8, tzinfo=UTC)
SESSION_ID: Final = "bd504926-f659-4ad7-a1a9-9a747aaf5275"
ORDERS: Final = ReportType.ORDER_REFERENCE
AGREEMENTS: Final = ReportType.BILLING_AGREEMENT

CREATE_SESSION: Final = CreateCheckoutSessionRequest(
    web_checkout_details=WebCheckoutDetails(checkout_review_return_url="https://example.com/review"),
    store_id="amzn1.application-oa2-client.1",
    scopes=("name", "email"),
    charge_permission_type=ChargePermissionType.RECURRING,
    recurring_metadata=RecurringMetadata(frequency=Frequency(unit="Month", value="1"), amount=TEN),
)
CREATE_SESSION_BODY: Final = (
    b'{"webCheckoutDetails":{"checkoutReviewReturnUrl":"https://example.com/review"},'
    b'"storeId":"amzn1.application-oa2-client.1","scopes":["name","email"],"chargePermissionType":"Recurring",'
    b'"recurringMetadata":{"frequency":{"unit":"Month","value":"1"},"amount":' + TEN_JSON + b"}}"
)

OPERATIONS: Final = (
    Operation(
        "get buyer",
        lambda client: client.buyers.get("Atza|token"),
        "GET",
        "/buyers/Atza%7Ctoken",
        answer=answers.BUYER,
        kind=READ,
    ),
    Operation(
        "create checkout session",
        lambda client: client.checkout_sessions.create(CREATE_SESSION, idempotency_key=KEY),
        "POST",
        "/checkoutSessions",
        CREATE_SESSION_BODY,
        status=201,
        answer=answers.SESSION,
        takes_key=True,
    ),
    Operation(
        "get checkout session",
        lambda client: client.checkout_sessions.get(SESSION_ID),
        "GET",
        f"/checkoutSessions/{SESSION_ID}",
        answer=answers.SESSION,
        kind=READ,
    ),
    Operation(
        "update checkout session",
        lambda client: client.checkout_sessions.update(
            SESSION_ID,
            UpdateCheckoutSessionRequest(
                payment_details=PaymentDetails(payment_intent=PaymentIntent.AUTHORIZE, charge_amount=TEN)
            ),
        ),
        "PATCH",
        f"/checkoutSessions/{SESSION_ID}",
        b'{"paymentDetails":{"paymentIntent":"Authorize","chargeAmount":' + TEN_JSON + b"}}",
        answer=answers.SESSION,
    ),
    Operation(
        "complete checkout session",
        lambda client: client.checkout_sessions.complete(
            SESSION_ID, CompleteCheckoutSessionRequest(charge_amount=TEN), idempotency_key=KEY
        ),
        "POST",
        f"/checkoutSessions/{SESSION_ID}/complete",
        b'{"chargeAmount":' + TEN_JSON + b"}",
        answer=answers.SESSION,
        takes_key=True,
        kind=PAYMENT,
    ),
    Operation(
        "finalize checkout session",
        lambda client: client.checkout_sessions.finalize(
            SESSION_ID,
            FinalizeCheckoutSessionRequest(payment_intent=PaymentIntent.CONFIRM, charge_amount=TEN),
            idempotency_key=KEY,
        ),
        "POST",
        f"/checkoutSessions/{SESSION_ID}/finalize",
        b'{"paymentIntent":"Confirm","chargeAmount":' + TEN_JSON + b"}",
        answer=answers.SESSION,
        takes_key=True,
        kind=PAYMENT,
    ),
    Operation(
        "get charge permission",
        lambda client: client.charge_permissions.get("C01-1-2"),
        "GET",
        "/chargePermissions/C01-1-2",
        answer=PERMISSION,
        kind=READ,
    ),
    Operation(
        "update charge permission",
        lambda client: client.charge_permissions.update(
            "C01-1-2", UpdateChargePermissionRequest(merchant_metadata=MerchantMetadata(note_to_buyer="New plan"))
        ),
        "PATCH",
        "/chargePermissions/C01-1-2",
        b'{"merchantMetadata":{"noteToBuyer":"New plan"}}',
        answer=PERMISSION,
    ),
    Operation(
        "close charge permission",
        lambda client: client.charge_permissions.close("C01-1-2", CLOSE),
        "DELETE",
        "/chargePermissions/C01-1-2/close",
        CLOSE_BODY,
        answer=PERMISSION,
    ),
    Operation(
        "create charge",
        lambda client: client.charges.create(CREATE, idempotency_key=KEY),
        "POST",
        "/charges",
        CREATE_BODY,
        status=201,
        answer=CHARGE,
        takes_key=True,
        kind=PAYMENT,
    ),
    Operation(
        "get charge",
        lambda client: client.charges.get("S03-1"),
        "GET",
        "/charges/S03-1",
        answer=CHARGE,
        kind=READ,
    ),
    Operation(
        "update charge",
        lambda client: client.charges.update(
            "S03-1",
            UpdateChargeRequest(
                status_details=UpdatedChargeStatus(state=ChargeState.DECLINED, reason_code="SoftDeclined")
            ),
            idempotency_key=KEY,
        ),
        "PATCH",
        "/charges/S03-1",
        b'{"statusDetails":{"state":"Declined","reasonCode":"SoftDeclined"}}',
        answer=CHARGE,
        takes_key=True,
    ),
    Operation(
        "capture charge",
        lambda client: client.charges.capture(
            "S03-1", CaptureChargeRequest(capture_amount=TEN, soft_descriptor="Perennial"), idempotency_key=KEY
        ),
        "POST",
        "/charges/S03-1/capture",
        b'{"captureAmount":' + TEN_JSON + b',"softDescriptor":"Perennial"}',
        answer=CHARGE,
        takes_key=True,
        kind=PAYMENT,
    ),
    Operation(
        "cancel charge",
        lambda client: client.charges.cancel("S03-1", CancelChargeRequest(cancellation_reason="out of stock")),
        "DELETE",
        "/charges/S03-1/cancel",
        b'{"cancellationReason":"out of stock"}',
        answer=CHARGE,
    ),
    Operation(
        "create refund",
        lambda client: client.refunds.create(
            CreateRefundRequest(charge_id="S03-1", refund_amount=TEN), idempotency_key=KEY
        ),
        "POST",
        "/refunds",
        b'{"chargeId":"S03-1","refundAmount":' + TEN_JSON + b"}",
        status=201,
        answer=answers.REFUND,
        takes_key=True,
    ),
    Operation(
        "get refund",
        lambda client: client.refunds.get("S03-R1"),
        "GET",
        "/refunds/S03-R1",
        answer=answers.REFUND,
        kind=READ,
    ),
    Operation(
        "create dispute",
        lambda client: client.disputes.create(
            CreateDisputeRequest(
                charge_id="P03-1",
                provider_metadata=DisputeProviderMetadata(provider_dispute_id="psp-1"),
                dispute_amount=Price(amount=Decimal(1), currency_code=Currency.JPY),
                filing_reason=DisputeFilingReason.PRODUCT_NOT_RECEIVED,
                status_details=DisputeStatusDetails(state=DisputeState.ACTION_REQUIRED),
                filing_timestamp=NEW_YEAR,
                merchant_response_deadline=NEXT_WEEK,
            ),
            idempotency_key=KEY,
        ),
        "POST",
        "/disputes",
        b'{"chargeId":"P03-1","providerMetadata":{"providerDisputeId":"psp-1"},'
        b'"disputeAmount":{"amount":"1","currencyCode":"JPY"},"filingReason":"ProductNotReceived",'
        b'"statusDetails":{"state":"ActionRequired"},"filingTimestamp":1767225600,'
        b'"merchantResponseDeadline":1767830400}',
        answer=answers.DISPUTE,
        takes_key=True,
    ),
    Operation(
        "get dispute",
        lambda client: client.disputes.get("P03-B1"),
        "GET",
        "/disputes/P03-B1",
        answer=answers.DISPUTE,
        kind=READ,
    ),
    Operation(
        "update dispute",
        lambda client: client.disputes.update(
            "P03-B1",
            UpdateDisputeRequest(
                status_details=DisputeStatusDetails(
                    state=DisputeState.RESOLVED, resolution=DisputeResolution.MERCHANT_WON
                ),
                closure_timestamp=NEXT_WEEK,
            ),
        ),
        "PATCH",
        "/disputes/P03-B1",
        b'{"statusDetails":{"state":"Resolved","resolution":"MerchantWon"},"closureTimestamp":1767830400}',
        answer=answers.DISPUTE,
    ),
    Operation(
        "contest dispute",
        lambda client: client.disputes.contest(
            "P03-B1",
            ContestDisputeRequest(
                merchant_evidences=(
                    MerchantEvidence(evidence_type=EvidenceType.TRACKING_NUMBER, evidence_text="1Z999"),
                    MerchantEvidence(evidence_type=EvidenceType.RECEIPT, file_id="file-1"),
                )
            ),
            idempotency_key=KEY,
        ),
        "POST",
        "/disputes/P03-B1/contest",
        b'{"merchantEvidences":[{"evidenceType":"TrackingNumber","evidenceText":"1Z999"},'
        b'{"evidenceType":"Receipt","fileId":"file-1"}]}',
        answer=answers.DISPUTE,
        takes_key=True,
    ),
    Operation(
        "upload file",
        lambda client: client.files.upload(UploadFileRequest(type=EvidenceFileType.JPG), idempotency_key=KEY),
        "POST",
        "/files",
        b'{"type":"jpg","purpose":"disputeEvidence"}',
        answer=answers.UPLOADED_FILE,
        takes_key=True,
    ),
    Operation(
        "list reports",
        lambda client: client.reports.list(
            report_types=[ORDERS, AGREEMENTS],
            processing_statuses=[ProcessingStatus.COMPLETED],
            created_since=NEW_YEAR,
            created_until=NEXT_WEEK,
            page_size=20,
        ),
        "GET",
        "/reports?createdSince=20260101T000000Z&createdUntil=20260108T000000Z&pageSize=20"
        f"&processingStatuses=COMPLETED&reportTypes={ORDERS}%2C{AGREEMENTS}",
        answer=answers.REPORTS,
        kind=READ,
    ),
    Operation(
        "list reports from the next page on",
        lambda client: client.reports.list(next_token="token 2/+="),
        "GET",
        "/reports?nextToken=token%202%2F%2B%3D",
        answer=answers.REPORTS,
        kind=READ,
    ),
    Operation(
        "list all reports",
        lambda client: client.reports.list(),
        "GET",
        "/reports",
        answer=answers.REPORTS,
        kind=READ,
    ),
    Operation(
        "get report",
        lambda client: client.reports.get("1234567890"),
        "GET",
        "/reports/1234567890",
        answer=answers.REPORT,
        kind=READ,
    ),
    Operation(
        "create report",
        lambda client: client.reports.create(
            CreateReportRequest(report_type=ORDERS, start_time=NEW_YEAR, end_time=NEXT_WEEK), idempotency_key=KEY
        ),
        "POST",
        "/reports",
        f'{{"reportType":"{ORDERS}","startTime":"20260101T000000Z","endTime":"20260108T000000Z"}}'.encode(),
        answer=answers.CREATED_REPORT,
        takes_key=True,
    ),
    Operation(
        "get report document",
        lambda client: client.report_documents.get("amzn1.tortuga.0.1"),
        "GET",
        "/report-documents/amzn1.tortuga.0.1",
        answer=answers.REPORT_DOCUMENT,
        kind=READ,
    ),
    Operation(
        "list report schedules",
        lambda client: client.report_schedules.list(report_types=[ORDERS, "_NEW_"]),
        "GET",
        f"/report-schedules?reportTypes={ORDERS}%2C_NEW_",
        answer=answers.SCHEDULES,
        kind=READ,
    ),
    Operation(
        "get report schedule",
        lambda client: client.report_schedules.get("50016018721"),
        "GET",
        "/report-schedules/50016018721",
        answer=answers.SCHEDULE,
        kind=READ,
    ),
    Operation(
        "create report schedule",
        lambda client: client.report_schedules.create(
            CreateReportScheduleRequest(
                report_type=ORDERS, schedule_frequency=ScheduleFrequency.P1D, next_report_creation_time=NEW_YEAR
            ),
            idempotency_key=KEY,
        ),
        "POST",
        "/report-schedules",
        f'{{"reportType":"{ORDERS}","scheduleFrequency":"P1D","nextReportCreationTime":"20260101T000000Z",'
        '"deleteExistingSchedule":false}'.encode(),
        answer=answers.CREATED_SCHEDULE,
        takes_key=True,
    ),
    Operation(
        "cancel report schedule",
        lambda client: client.report_schedules.cancel("50016018721"),
        "DELETE",
        "/report-schedules/50016018721",
    ),
    Operation(
        "list disbursements",
        lambda client: client.disbursements.list(
            start_time=NEW_YEAR, end_time=NEXT_WEEK, page_size=5, next_token="token 2"
        ),
        "GET",
        "/disbursements?endTime=20260108T000000Z&nextToken=token%202&pageSize=5&startTime=20260101T000000Z",
        answer=answers.DISBURSEMENTS,
        kind=READ,
    ),
    Operation(
        "create delivery tracker",
        lambda client: client.delivery_trackers.create(
            CreateDeliveryTrackerRequest(
                charge_permission_id="S01-1-2",
                delivery_details=(DeliveryDetail(tracking_number="1Z999", carrier_code="UPS"),),
            ),
            idempotency_key=KEY,
        ),
        "POST",
        "/deliveryTrackers",
        b'{"chargePermissionId":"S01-1-2","deliveryDetails":[{"trackingNumber":"1Z999","carrierCode":"UPS"}]}',
        answer=answers.TRACKER,
        takes_key=True,
    ),
    Operation(
        "create merchant account",
        lambda client: client.merchant_accounts.create(
            CreateMerchantAccountRequest(
                unique_reference_id="shop-7",
                ledger_currency=LedgerCurrency.JPY,
                business_info=BusinessInfo(business_type=BusinessType.CORPORATE, business_legal_name="\u5bc6\u6797"),
            ),
            idempotency_key=KEY,
        ),
        "POST",
        "/merchantAccounts",
        '{"uniqueReferenceId":"shop-7","ledgerCurrency":"JPY",'
        '"businessInfo":{"businessType":"CORPORATE","businessLegalName":"\u5bc6\u6797"}}'.encode(),
        status=201,
        answer=answers.ACCOUNT,
        takes_key=True,
    ),
    Operation(
        "update merchant account",
        lambda client: client.merchant_accounts.update(
            "A1MERCHANT", UpdateMerchantAccountRequest(business_info=BusinessInfo(email="new@example.com"))
        ),
        "PATCH",
        "/merchantAccounts/A1MERCHANT",
        b'{"businessInfo":{"email":"new@example.com"}}',
        answer=answers.ACCOUNT,
    ),
    Operation(
        "delete merchant account",
        lambda client: client.merchant_accounts.delete("A1MERCHANT"),
        "DELETE",
        "/merchantAccounts/A1MERCHANT",
        status=202,
    ),
    Operation(
        "claim merchant account",
        lambda client: client.merchant_accounts.claim(
            "A1MERCHANT", ClaimMerchantAccountRequest(unique_reference_id="shop-7"), idempotency_key=KEY
        ),
        "POST",
        "/merchantAccounts/A1MERCHANT/claim",
        b'{"uniqueReferenceId":"shop-7"}',
        status=303,
        answer=answers.ACCOUNT,
        takes_key=True,
        headers=(("location", "https://sellercentral.example.com/claim?id=1"),),
    ),
    Operation(
        "create store",
        lambda client: client.stores.create(
            "A1MERCHANT",
            CreateStoreRequest(store_name="Cafe", allowed_redirect_urls=("https://example.com/return",)),
            idempotency_key=KEY,
        ),
        "POST",
        "/merchantAccounts/A1MERCHANT/stores",
        b'{"storeName":"Cafe","allowedRedirectURLs":["https://example.com/return"]}',
        status=201,
        answer=answers.STORE,
        takes_key=True,
    ),
    Operation(
        "update store",
        lambda client: client.stores.update("A1MERCHANT", "store/1", UpdateStoreRequest(store_name="Cafe 2")),
        "PATCH",
        "/merchantAccounts/A1MERCHANT/stores/store%2F1",
        b'{"storeName":"Cafe 2"}',
        answer=answers.STORE,
    ),
    Operation(
        "scan a buyer's code in a store",
        lambda client: client.in_store.merchant_scan(
            MerchantScanRequest(
                scan_data="UKhrmatMeKdlfY6b",
                scan_reference_id="scan-1",
                merchant_coe="US",
                ledger_currency=Currency.USD,
                metadata=InStoreMetadata(
                    merchant_note="Ice cream", communication_context=CommunicationContext(merchant_order_id="789123")
                ),
            ),
            idempotency_key=KEY,
        ),
        "POST",
        "/in-store/merchantScan",
        b'{"scanData":"UKhrmatMeKdlfY6b","scanReferenceId":"scan-1","merchantCOE":"US","ledgerCurrency":"USD",'
        b'"metadata":{"merchantNote":"Ice cream","communicationContext":{"merchantOrderId":"789123"}}}',
        answer=answers.SCAN,
        takes_key=True,
    ),
    Operation(
        "charge in a store",
        lambda client: client.in_store.charge(
            InStoreChargeRequest(charge_permission_id="S02-1-2", charge_reference_id="charge-1", charge_total=TEN),
            idempotency_key=KEY,
        ),
        "POST",
        "/in-store/charge",
        b'{"chargePermissionId":"S02-1-2","chargeReferenceId":"charge-1","chargeTotal":' + TEN_JSON + b"}",
        answer=answers.IN_STORE_CHARGE,
        takes_key=True,
        kind=PAYMENT,
    ),
    Operation(
        "refund in a store",
        lambda client: client.in_store.refund(
            InStoreRefundRequest(charge_id="S02-1-2-C1", refund_reference_id="refund-1", refund_total=TEN),
            idempotency_key=KEY,
        ),
        "POST",
        "/in-store/refund",
        b'{"chargeId":"S02-1-2-C1","refundReferenceId":"refund-1","refundTotal":' + TEN_JSON + b"}",
        answer=answers.IN_STORE_REFUND,
        takes_key=True,
    ),
    Operation(
        "get authorization token",
        lambda client: client.authorization_tokens.get("amzn.mws.1", merchant_id="A1 MERCHANT"),
        "GET",
        "/authorizationTokens/amzn.mws.1?merchantId=A1%20MERCHANT",
        answer=answers.TOKEN,
        kind=READ,
    ),
)
