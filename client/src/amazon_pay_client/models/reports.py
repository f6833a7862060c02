"""Reports about transactions and settlements. Source: Amazon Pay API v2, "reports"; the values of the enumerations
are those of the official .NET SDK and of "manually requesting reports".

In sandbox there is only the sandbox settlement report.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from amazon_pay_client.models.leniency import DECISIVE
from amazon_pay_client.models.query import QueryModel
from amazon_pay_client.models.wire import Decided, RequestModel, Timestamp, WireModel


class ReportType(StrEnum):
    """What a report is about. The names are older than Amazon Pay API v2."""

    SETTLEMENT = "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_SETTLEMENT_DATA_"
    """Made with each settlement by itself."""
    SANDBOX_SETTLEMENT = "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_SANDBOX_SETTLEMENT_DATA_"
    ORDER_REFERENCE = "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_ORDER_REFERENCE_DATA_"
    """One-time charge permissions."""
    BILLING_AGREEMENT = "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_BILLING_AGREEMENT_DATA_"
    """Recurring charge permissions."""
    AUTHORIZATION = "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_AUTHORIZATION_DATA_"
    CAPTURE = "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_CAPTURE_DATA_"
    REFUND = "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_REFUND_DATA_"
    MULTI_CURRENCY = "_GET_CSV_CUSTOM_OFFAMAZONPAYMENTS_MULTI_CURRENCY_PAYMENTS_DATA_"
    """Cannot be scheduled."""


class ProcessingStatus(StrEnum):
    """How far a report is."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    """On request, or because there is nothing to report."""


class ScheduleFrequency(StrEnum):
    """How often a scheduled report is made: an ISO 8601 duration."""

    PT5M = "PT5M"
    PT15M = "PT15M"
    PT30M = "PT30M"
    PT1H = "PT1H"
    PT2H = "PT2H"
    PT4H = "PT4H"
    PT8H = "PT8H"
    PT12H = "PT12H"
    PT24H = "PT24H"
    PT84H = "PT84H"
    P1D = "P1D"
    P2D = "P2D"
    P3D = "P3D"
    P7D = "P7D"
    P14D = "P14D"
    P15D = "P15D"
    P18D = "P18D"
    P30D = "P30D"


class ReportsQuery(QueryModel):
    """The filters of Get Reports.

    Attributes:
        created_since: reports are kept for 90 days, which is also the default.
        page_size: 1 to 100; Amazon's default is 10.
        next_token: from the page before; no other filter may stand beside it.
    """

    report_types: tuple[Annotated[ReportType | str, Field(union_mode="left_to_right")], ...] = ()
    processing_statuses: tuple[Annotated[ProcessingStatus | str, Field(union_mode="left_to_right")], ...] = ()
    created_since: Timestamp | None = None
    created_until: Timestamp | None = None
    page_size: Annotated[int, Field(ge=1, le=100)] | None = None
    next_token: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _token_stands_alone(self) -> Self:
        if self.next_token is not None and len(self.to_query()) > 1:
            raise ValueError("nextToken: it already holds the filters; give it alone")
        return self


class ReportSchedulesQuery(QueryModel):
    """The filter of Get Report Schedules."""

    report_types: tuple[Annotated[ReportType | str, Field(union_mode="left_to_right")], ...] = ()


class CreateReportRequest(RequestModel):
    """The body of Create Report: what is reported, and the period, both ends in it."""

    report_type: Annotated[ReportType | str, Field(union_mode="left_to_right")]
    start_time: Timestamp
    end_time: Timestamp

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_time < self.start_time:
            raise ValueError(f"endTime: {self.end_time} is before startTime, {self.start_time}")
        return self


class CreatedReport(WireModel):
    """The answer of Create Report. Poll the report until it is completed."""

    report_id: Decided


class Report(WireModel):
    """A report as Amazon Pay answers it. Once it is completed, `report_document_id` leads to its content."""

    report_id: Decided
    report_type: Annotated[ReportType | str, Field(union_mode="left_to_right")] | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    created_time: Timestamp | None = None
    processing_status: Annotated[ProcessingStatus | Decided, Field(union_mode="left_to_right")]
    processing_start_time: Timestamp | None = None
    processing_end_time: Timestamp | None = None
    report_document_id: str | None = None


class ReportsPage(WireModel):
    """One page of reports; `next_token` asks for the next one. A report without id or state stands in `unread`."""

    reports: tuple[Report, ...]
    next_token: Annotated[str | None, DECISIVE] = None


class ReportDocument(WireModel):
    """Where a report's content is.

    Attributes:
        url: signed for this one download and valid for 30 seconds. Send no signature of your own with it.
        compression_algorithm: always "N/A" so far.
    """

    report_document_id: str | None = None
    url: Decided
    compression_algorithm: str | None = None


class CreateReportScheduleRequest(RequestModel):
    """The body of Create Report Schedule. There is one schedule for each type of report.

    Attributes:
        delete_existing_schedule: take the place of a schedule that is there; otherwise Amazon refuses.
    """

    report_type: Annotated[ReportType | str, Field(union_mode="left_to_right")]
    schedule_frequency: Annotated[ScheduleFrequency | str, Field(union_mode="left_to_right")]
    next_report_creation_time: Timestamp
    delete_existing_schedule: bool = False


class CreatedReportSchedule(WireModel):
    """The answer of Create Report Schedule."""

    report_schedule_id: Decided


class ReportSchedule(WireModel):
    """A schedule as Amazon Pay answers it."""

    report_schedule_id: Decided
    report_type: Annotated[ReportType | str, Field(union_mode="left_to_right")] | None = None
    schedule_frequency: Annotated[ScheduleFrequency | str, Field(union_mode="left_to_right")] | None = None
    next_report_creation_time: Timestamp | None = None


class ReportScheduleList(WireModel):
    """The schedules that were asked for; there are no pages."""

    report_schedules: tuple[ReportSchedule, ...]
