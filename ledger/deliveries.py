"""What becomes of a notice on its way to an endpoint."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, or_

from perennial_billing.ledger.tables import OF_THE_ENVIRONMENT, deliveries

OVERDUE: Final = timedelta(hours=80)
"""A delivery that was begun longer ago, and has not ended, is not tried any more: its schedule of 76 hours is over. So
Temporal forgot it, or what became of it could not be recorded."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    """It is being tried; how often it failed is told beside it."""
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    """The endpoint is gone or was disabled, or did not take it within the schedule of attempts."""
    NOT_SENT = "not_sent"
    """The endpoint was disabled when the notice came."""


def is_undelivered(now: datetime) -> ColumnElement[bool]:
    """As SQL has it: a delivery that will not be made unless somebody has it sent again."""
    column = deliveries.c
    ended = column.state.in_([DeliveryState.GIVEN_UP.value, DeliveryState.NOT_SENT.value])
    return or_(ended, and_(column.state == DeliveryState.QUEUED.value, column.since < now - OVERDUE))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way to one endpoint.

    Attributes:
        id: of the delivery; its first sending bears it at Temporal as well.
        charge_permission_id: whose it is.
        number: of the notice.
        endpoint: to which.
        state: how it begins.
    """

    id: str
    charge_permission_id: str
    number: int
    endpoint: str = OF_THE_ENVIRONMENT
    state: DeliveryState = DeliveryState.QUEUED
