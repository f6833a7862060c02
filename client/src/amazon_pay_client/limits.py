"""How often Amazon lets each operation be called, and how much it lets a charge permission be charged in a month."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from amazon_pay_client.models.charge_permissions import ChargePermissionType
from amazon_pay_client.models.wire import Currency
from amazon_pay_client.regions import Environment


class Rate(NamedTuple):
    """How many calls at once, and how many a second after that."""

    burst: int
    per_second: float


RATES: Final = MappingProxyType(
    {
        Environment.LIVE: MappingProxyType(
            {
                "CreateCharge": Rate(10, 4),
                "GetCharge": Rate(20, 4),
                "CaptureCharge": Rate(20, 4),
                "CancelCharge": Rate(10, 2),
                "GetChargePermission": Rate(20, 4),
                "UpdateChargePermission": Rate(10, 2),
                "CloseChargePermission": Rate(10, 2),
                "CreateRefund": Rate(10, 4),
                "GetRefund": Rate(20, 4),
                "CreateCheckoutSession": Rate(40, 16),
                "GetCheckoutSession": Rate(40, 8),
                "UpdateCheckoutSession": Rate(20, 8),
                "CompleteCheckoutSession": Rate(20, 4),
                "CreateDeliveryTracker": Rate(10, 1),
                "CreateMerchantAccount": Rate(10, 1),
                "GetAuthorizationToken": Rate(5, 1),
                "GetMerchantStatus": Rate(10, 1),
            }
        ),
        Environment.SANDBOX: MappingProxyType(
            {
                "CreateCharge": Rate(2, 1),
                "GetCharge": Rate(5, 1),
                "CaptureCharge": Rate(2, 1),
                "CancelCharge": Rate(2, 1),
                "GetChargePermission": Rate(10, 1),
                "UpdateChargePermission": Rate(5, 1),
                "CloseChargePermission": Rate(2, 1),
                "CreateRefund": Rate(2, 1),
                "GetRefund": Rate(5, 1),
                "CreateCheckoutSession": Rate(5, 1),
                "GetCheckoutSession": Rate(10, 1),
                "UpdateCheckoutSession": Rate(5, 1),
                "CompleteCheckoutSession": Rate(2, 1),
                "CreateDeliveryTracker": Rate(1, 1),
                "CreateMerchantAccount": Rate(1, 1),
                "GetMerchantStatus": Rate(1, 1),
            }
        ),
    }
)
"""By environment and operation. Counted per pair of merchant and developer account; more is answered 429
TooManyRequests. Get Authorization Token has no rate in sandbox, as it is not there.

Source: Amazon Pay API v2, "API throttling limits".
"""


def _by_currency(yen: int, crowns: int, others: int) -> Mapping[Currency, Decimal]:
    """Crowns stand for all currencies of which a unit is worth about a tenth of a dollar."""
    small = (Currency.DKK, Currency.HKD, Currency.NOK, Currency.SEK, Currency.ZAR)
    limits = dict.fromkeys(Currency, Decimal(others)) | dict.fromkeys(small, Decimal(crowns))
    return MappingProxyType(limits | {Currency.JPY: Decimal(yen)})


MONTHLY_LIMITS: Final = MappingProxyType(
    {
        ChargePermissionType.RECURRING: _by_currency(yen=100_000, crowns=10_000, others=1_000),
        ChargePermissionType.PAYMENT_METHOD_ON_FILE: _by_currency(yen=2_000_000, crowns=150_000, others=15_000),
    }
)
"""What one charge permission may be charged in a calendar month, by its type and currency, unless Amazon has agreed on
more: the permission says its own limit. One for a single payment has none.

Source: Amazon Pay, "monthly recurring charge limits". The recurring limits of the European currencies are those of the
page of the first version of the API; that of the second was not read whole.
"""
