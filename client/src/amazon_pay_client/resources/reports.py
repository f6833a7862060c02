"""Reports: `client.reports`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import (
    CreatedReport,
    CreateReportRequest,
    ProcessingStatus,
    Report,
    ReportsPage,
    ReportType,
)
from amazon_pay_client.models.reports import ReportsQuery
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class Reports:
    """Operations on reports. Source: Amazon Pay API v2, "reports"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def list(
        self,
        *,
        report_types: Sequence[ReportType | str] = (),
        processing_statuses: Sequence[ProcessingStatus | str] = (),
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        page_size: int | None = None,
        next_token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ReportsPage:
        """Reads one page of the reports that pass all filters (GET /reports).

        Args:
            report_types: these only; empty for all.
            processing_statuses: these only; empty for all.
            created_since: with a time zone; Amazon keeps reports for 90 days, which is its default.
            created_until: with a time zone; Amazon's default is now.
            page_size: 1 to 100; Amazon's default is 10.
            next_token: of the page before, and then nothing else.
            headers: extra headers; they are signed.

        Raises:
            ValueError: a filter is not one.
            ApiError: an error answer.
            TransportError: no answer.
        """
        query = ReportsQuery(
            report_types=tuple(report_types),
            processing_statuses=tuple(processing_statuses),
            created_since=created_since,
            created_until=created_until,
            page_size=page_size,
            next_token=next_token,
        )
        return await self._transport.send(
            Call(
                method="GET",
                to=resource("reports"),
                read=model_of(ReportsPage),
                query=query.to_query(),
                headers=headers,
            )
        )

    async def get(self, report_id: str, *, headers: Mapping[str, str] | None = None) -> Report:
        """Reads one report's state (GET /reports/{reportId}); its content is a report document.

        Raises:
            NotFoundError: no such report in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="GET",
                to=resource("reports/{report_id}", report_id=report_id),
                read=model_of(Report),
                headers=headers,
            )
        )

    async def create(
        self,
        request: CreateReportRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CreatedReport:
        """Orders a report (POST /reports). It is made later: read it until it is completed.

        Args:
            request: what it is about, and the period.
            idempotency_key: as for a charge. Without one, a lost answer may leave a report that nobody reads.
            headers: extra headers; they are signed.

        Raises:
            ApiError: an error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("reports"),
                read=model_of(CreatedReport),
                body=request_of(CreateReportRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )
