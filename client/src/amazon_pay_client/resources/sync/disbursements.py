# Made of `resources/disbursements.py` by `python -m tests.client.sync_resources`: change that, and run this.

"""Disbursements: `client.disbursements`."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call
from amazon_pay_client.models import DisbursementsPage
from amazon_pay_client.models.disbursements import DisbursementsQuery
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import SyncTransport


class SyncDisbursements:
    """What was paid out. Source: Amazon Pay, "requesting disbursement details"."""

    def __init__(self, transport: "SyncTransport") -> None:
        self._transport = transport

    def list(
        self,
        *,
        start_time: datetime,
        end_time: datetime,
        page_size: int | None = None,
        next_token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DisbursementsPage:
        """Reads one page of what was settled in a period (GET /disbursements).

        Args:
            start_time: with a time zone.
            end_time: with a time zone.
            page_size: at least 1.
            next_token: of the page before, with the same dates.
            headers: extra headers; they are signed.

        Raises:
            ValueError: a filter is not one.
            ApiError: an error answer.
            TransportError: no answer.
        """
        query = DisbursementsQuery(start_time=start_time, end_time=end_time, page_size=page_size, next_token=next_token)
        return self._transport.send(
            Call(
                method="GET",
                to=resource("disbursements"),
                read=model_of(DisbursementsPage),
                query=query.to_query(),
                headers=headers,
            )
        )
