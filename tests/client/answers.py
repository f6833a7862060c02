"""One answer of each kind besides charge and permission, as the official SDKs' examples and tests show them."""

from typing import Any, Final

BUYER: Final[dict[str, Any]] = {
    "buyerId": "amzn1.account.X",
    "name": "Susie Smith",
    "email": "susie@example.com",
    "postalCode": "60602",
    "countryCode": "US",
    "phoneNumber": None,
    "shippingAddress": {"name": "Susie Smith", "addressLine1": "10 Ditka Ave", "city": "Chicago"},
    "primeMembershipTypes": ["NONE"],
}
SESSION: Final[dict[str, Any]] = {
    "checkoutSessionId": "bd504926-f659-4ad7-a1a9-9a747aaf5275",
    "webCheckoutDetails": {
        "checkoutReviewReturnUrl": "https://example.com/review",
        "checkoutResultReturnUrl": "https://example.com/result",
        "amazonPayRedirectUrl": "https://pay.amazon.com/checkout/processing?amazonCheckoutSessionId=bd504926",
    },
    "productType": "PayOnly",
    "paymentDetails": {
        "paymentIntent": "AuthorizeWithCapture",
        "canHandlePendingAuthorization": False,
        "chargeAmount": {"amount": "9.99", "currencyCode": "USD"},
        "totalOrderAmount": None,
    },
    "chargePermissionType": "Recurring",
    "recurringMetadata": {
        "frequency": {"unit": "Month", "value": "1"},
        "amount": {"amount": "9.99", "currencyCode": "USD"},
    },
    "merchantMetadata": {"merchantReferenceId": "2026-1"},
    "buyer": {"buyerId": "amzn1.account.X"},
    "paymentPreferences": [{"paymentDescriptor": "Visa ****1111 (Amazon Pay)"}],
    "statusDetails": {"state": "Open", "reasonCode": None, "lastUpdatedTimestamp": "20231026T062827Z"},
    "chargePermissionId": None,
    "chargeId": None,
    "constraints": [{"constraintId": "ChargeAmountNotSet", "description": "chargeAmount is not set."}],
    "creationTimestamp": "20231026T062827Z",
    "expirationTimestamp": "20231027T062827Z",
    "storeId": "amzn1.application-oa2-client.1",
    "releaseEnvironment": "Sandbox",
}
REFUND: Final[dict[str, Any]] = {
    "refundId": "S03-5890444-1926095-R064126",
    "chargeId": "S03-5890444-1926095-C064126",
    "creationTimestamp": "20231026T062827Z",
    "refundAmount": {"amount": "14.00", "currencyCode": "USD"},
    "statusDetails": {"state": "RefundInitiated", "reasonCode": None, "lastUpdatedTimestamp": "20231026T062827Z"},
    "softDescriptor": None,
    "releaseEnvironment": "Sandbox",
}
DISPUTE: Final[dict[str, Any]] = {
    "disputeId": "P03-0000000-0000000-B000000",
    "chargeId": "P03-0000000-0000000-C000000",
    "providerMetadata": {"providerDisputeId": "psp_dispute_1234"},
    "disputeAmount": {"amount": "1", "currencyCode": "JPY"},
    "filingReason": "ProductNotReceived",
    "statusDetails": {"state": "ActionRequired", "reasonCode": "MerchantResponseRequired"},
    "filingTimestamp": 1767225600,
    "merchantResponseDeadline": 1767830400,
    "closureTimestamp": None,
}
UPLOADED_FILE: Final[dict[str, Any]] = {"fileId": "file-1", "type": "jpg", "url": "https://files.example.com/file-1"}
REPORT: Final[dict[str, Any]] = {
    "reportId": "1234567890",
    "reportType": "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_ORDER_REFERENCE_DATA_",
    "startTime": "20221114T074550Z",
    "endTime": "20221115T074550Z",
    "createdTime": "20221115T080000Z",
    "processingStatus": "COMPLETED",
    "processingStartTime": "20221115T080001Z",
    "processingEndTime": "20221115T080002Z",
    "reportDocumentId": "amzn1.tortuga.0.1",
}
REPORTS: Final[dict[str, Any]] = {"reports": [REPORT], "nextToken": "token 2"}
CREATED_REPORT: Final[dict[str, Any]] = {"reportId": "1234567890"}
REPORT_DOCUMENT: Final[dict[str, Any]] = {
    "reportDocumentId": "amzn1.tortuga.0.1",
    "url": "https://reports.example.com/1?signature=x",
    "compressionAlgorithm": "N/A",
}
SCHEDULE: Final[dict[str, Any]] = {
    "reportScheduleId": "50016018721",
    "reportType": "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_BILLING_AGREEMENT_DATA_",
    "scheduleFrequency": "P1D",
    "nextReportCreationTime": "20221116T074550Z",
}
SCHEDULES: Final[dict[str, Any]] = {"reportSchedules": [SCHEDULE]}
CREATED_SCHEDULE: Final[dict[str, Any]] = {"reportScheduleId": "50016018721"}
DISBURSEMENTS: Final[dict[str, Any]] = {
    "disbursements": [
        {
            "sellerId": "A084390EXAMPLE",
            "settlementId": "68973459224",
            "amazonDisbursementReferenceId": "on the bank statement",
            "amount": "1000.50",
            "currencyCode": "USD",
            "transactionTime": "20221207T170826Z",
        }
    ],
    "nextToken": None,
}
TRACKER: Final[dict[str, Any]] = {
    "amazonOrderReferenceId": None,
    "chargePermissionId": "S01-1-2",
    "deliveryDetails": [{"trackingNumber": "1Z999AA10123456784", "carrierCode": "UPS"}],
}
ACCOUNT: Final[dict[str, Any]] = {"uniqueReferenceId": "shop-7", "merchantAccountId": "A1MERCHANT"}
STORE: Final[dict[str, Any]] = {"storeId": "amzn1.application-oa2-client.1", "storeName": "Rufus's Cafe"}
SCAN: Final[dict[str, Any]] = {"chargePermissionId": "S02-1-2"}
IN_STORE_CHARGE: Final[dict[str, Any]] = {"chargeId": "S02-1-2-C000001", "chargeStatus": {"state": "Completed"}}
IN_STORE_REFUND: Final[dict[str, Any]] = {"refundId": "S02-1-2-R000001", "refundStatus": {"state": "Pending"}}
TOKEN: Final[dict[str, Any]] = {"authorizationToken": "eyJhbGciOiJIUzI1NiJ9.e30.x"}
