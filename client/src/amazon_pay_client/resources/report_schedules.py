"""Report schedules: `client.report_schedules`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of, nothing
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import (
    CreatedReportSchedule,
    CreateReportScheduleRequest,
    ReportSchedule,
    ReportScheduleList,
    ReportType,
)
from amazon_pay_client.models.reports import ReportSchedulesQuery
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class ReportSchedules:
    """Operations on report schedules. Source: Amazon Pay API v2, "reports"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def list(
        self, *, report_types: Sequence[ReportType | str] = (), headers: Mapping[str, str] | None = None
    ) -> ReportScheduleList:
        """Reads the schedules of these types of reports, or of all (GET /report-schedules).

        Raises:
            ValueError: a filter is not one.
            ApiError: an error answer.
            TransportError: no answer.
        """
        query = ReportSchedulesQuery(report_types=tuple(report_types))
        return await self._transport.send(
            Call(
                method="GET",
                to=resource("report-schedules"),
                read=model_of(ReportScheduleList),
                query=query.to_query(),
                headers=headers,
            )
        )

    async def get(self, report_schedule_id: str, *, headers: Mapping[str, str] | None = None) -> ReportSchedule:
        """Reads one schedule (GET /report-schedules/{reportScheduleId}).

        Raises:
            NotFoundError: no such schedule in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="GET",
                to=resource("report-schedules/{report_schedule_id}", report_schedule_id=report_schedule_id),
                read=model_of(ReportSchedule),
                headers=headers,
            )
        )

    async def create(
        self,
        request: CreateReportScheduleRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CreatedReportSchedule:
        """Has a report made regularly (POST /report-schedules). There is one schedule for each type of report.

        Args:
            request: what it is about, how often, and when first.
            idempotency_key: as for a charge; Amazon takes none as well.
            headers: extra headers; they are signed.

        Raises:
            ApiError: an error answer, also where there is a schedule of that type already.
            TransportError: no answer; list the schedules to learn the outcome.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("report-schedules"),
                read=model_of(CreatedReportSchedule),
                body=request_of(CreateReportScheduleRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def cancel(self, report_schedule_id: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Ends a schedule (DELETE /report-schedules/{reportScheduleId}).

        Raises:
            NotFoundError: no such schedule in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; canceling again is safe.
        """
        await self._transport.send(
            Call(
                method="DELETE",
                to=resource("report-schedules/{report_schedule_id}", report_schedule_id=report_schedule_id),
                read=nothing,
                headers=headers,
            )
        )
