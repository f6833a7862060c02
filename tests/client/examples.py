"""One answer and one request of each kind, as they stand on the wire and in Python."""

from decimal import Decimal
from typing import Any, Final

from amazon_pay_client.models import CloseChargePermissionRequest, CreateChargeRequest, Currency, Price

CHARGE: Final[dict[str, Any]] = {
    "chargeId": "S03-5890444-1926095-C064126",
    "chargeAmount": {"amount": "14.00", "currencyCode": "USD"},
    "chargePermissionId": "C03-1442027-5744374",
    "captureAmount": None,
    "refundedAmount": {"amount": "0.00", "currencyCode": "USD"},
    "channel": "Web",
    "statusDetails": {"state": "Authorized", "reasonCode": None, "lastUpdatedTimestamp": "20231026T062827Z"},
    "creationTimestamp": "20231026T062827Z",
    "expirationTimestamp": "20231125T062827Z",
    "releaseEnvironment": "Sandbox",
    "merchantMetadata": None,
}
PERMISSION: Final[dict[str, Any]] = {
    "chargePermissionId": "C03-1442027-5744374",
    "chargePermissionType": "Recurring",
    "buyer": {"buyerId": "amzn1.account.X"},
    "statusDetails": {"state": "NonChargeable", "reasons": [{"reasonCode": "PaymentMethodExpired"}]},
    "recurringMetadata": {"frequency": {"unit": "Variable", "value": "0"}, "amount": None},
    "limits": {"amountLimit": {"amount": "100000", "currencyCode": "JPY"}, "amountBalance": None},
    "expirationTimestamp": None,
}
CREATE: Final = CreateChargeRequest(
    charge_permission_id="C01-1-2",
    charge_amount=Price(amount=Decimal("9.99"), currency_code=Currency.USD),
    capture_now=True,
    soft_descriptor="Perennial",
)
CREATE_BODY: Final = (
    b'{"chargePermissionId":"C01-1-2","chargeAmount":{"amount":"9.99","currencyCode":"USD"},"captureNow":true,'
    b'"softDescriptor":"Perennial","canHandlePendingAuthorization":false}'
)
CLOSE: Final = CloseChargePermissionRequest(closure_reason="subscription ended")
CLOSE_BODY: Final = b'{"closureReason":"subscription ended","cancelPendingCharges":false}'
