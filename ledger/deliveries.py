"""What becomes of a notice on its way to the merchant."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

OVER_AFTER: Final = timedelta(days=4)
"""All attempts together take 76 hours: what is said to be tried for longer ended without anybody's hearing of it."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    """It is being tried; how often it failed is told beside it."""
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    """The endpoint is gone, or did not take it within the schedule of attempts."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way.

    Attributes:
        id: of the activity that delivers it.
        charge_permission_id: whose it is.
        number: of the notice.
    """

    id: str
    charge_permission_id: str
    number: int
