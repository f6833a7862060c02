"""How often Amazon lets each operation be called. Source: Amazon Pay API v2, "API throttling limits".

Counted per merchant account and operation; more is answered 429 TooManyRequests.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

from amazon_pay.regions import Environment


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
            }
        ),
    }
)
"""By environment and operation."""
