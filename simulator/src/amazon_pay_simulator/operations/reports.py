"""Reports, their documents and schedules. Source: Amazon Pay API v2, "reports"; "manually requesting reports";
"managing report schedules".

In the sandbox there is the sandbox settlement, which is ordered or scheduled. In Live settlements are made by
themselves and cannot be ordered; of the transaction reports those of captures and of refunds are ordered or scheduled.
"""

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from pydantic import TypeAdapter, ValidationError

from amazon_pay_client.models import (
    CreatedReport,
    CreatedReportSchedule,
    CreateReportRequest,
    CreateReportScheduleRequest,
    ProcessingStatus,
    Report,
    ReportDocument,
    ReportSchedule,
    ReportScheduleList,
    ReportsPage,
    ReportType,
)
from amazon_pay_client.models.reports import ReportSchedulesQuery, ReportsQuery
from amazon_pay_client.models.wire import WireModel
from amazon_pay_simulator.context import Context
from amazon_pay_simulator.environments import ReleaseEnvironment
from amazon_pay_simulator.operations.settlement import (
    Heading,
    Transaction,
    flat_file,
    transactions_in,
    with_mistakes,
    with_payout,
)
from amazon_pay_simulator.operations.transaction_reports import COLUMNS as TRANSACTION_COLUMNS
from amazon_pay_simulator.operations.transaction_reports import transaction_report
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.report_objects import BookedDocument, BookedReport, BookedSchedule, SettlementMistake

DOWNLOADS: Final = "/report-documents"
DOWNLOAD_LIVES: Final = timedelta(seconds=30)
KEPT_FOR: Final = timedelta(days=90)
PAGE_SIZE: Final = 10
"""Where none is asked for."""

_IN_SANDBOX: Final = ReportType.SANDBOX_SETTLEMENT
_BY_ITSELF: Final = ReportType.SETTLEMENT
_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION: Final = TypeAdapter(timedelta)


class _Place(WireModel):
    """Where a list goes on: what was asked for, and the last report that was shown."""

    query: ReportsQuery
    after: str


class Reports:
    """Makes, lists and schedules reports. Whatever was due by the time of a call has happened before it is answered."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._books = context.books
        self._downloads: dict[str, tuple[str, datetime]] = {}

    # What the API offers

    def create(self, request: CreateReportRequest, now: datetime, release_environment: str) -> CreatedReport:
        """Orders a report, which is made later.

        Raises:
            Refusal: InvalidParameterValue for a type that cannot be ordered here.
        """
        _check_type(request.report_type, release_environment)
        report = self._book(
            ReportType(request.report_type), request.start_time, request.end_time, now, release_environment
        )
        return CreatedReport(report_id=report.report_id)

    def read(self, report_id: str, now: datetime) -> Report:
        """Reads a report.

        Raises:
            Refusal: ResourceNotFound.
        """
        booked = self._books.report(report_id)
        self._pass_time(now, booked.release_environment)
        return self._books.report(report_id).report

    def page(self, query: ReportsQuery, now: datetime, release_environment: str) -> ReportsPage:
        """A page of the reports, newest first.

        Raises:
            Refusal: InvalidParameterValue for a nextToken that is not the simulator's.
        """
        self._pass_time(now, release_environment)
        place = _place_of(query.next_token) if query.next_token is not None else None
        wanted = place.query if place is not None else _completed(query, now)
        found = [
            booked.report
            for booked in reversed(list(self._books.reports.values()))
            if booked.release_environment == release_environment and _is_wanted(booked.report, wanted)
        ]
        found.sort(key=lambda report: report.created_time or _EPOCH, reverse=True)
        if place is not None:
            shown = next((at for at, report in enumerate(found, 1) if report.report_id == place.after), len(found))
            found = found[shown:]
        page = found[: wanted.page_size]
        more = len(found) > len(page)
        return ReportsPage(
            reports=tuple(page), next_token=_token_of(_Place(query=wanted, after=page[-1].report_id)) if more else None
        )

    def read_document(self, report_document_id: str, now: datetime) -> ReportDocument:
        """Tells where a report's content can be fetched for half a minute.

        Raises:
            Refusal: ResourceNotFound.
        """
        self._books.report_document(report_document_id)
        self._downloads = {token: kept for token, kept in self._downloads.items() if kept[1] >= now}
        token = uuid.uuid4().hex
        self._downloads[token] = (report_document_id, now + DOWNLOAD_LIVES)
        return ReportDocument(
            report_document_id=report_document_id,
            url=f"{self._context.origin}{DOWNLOADS}/{token}",
            compression_algorithm="N/A",
        )

    def create_schedule(
        self, request: CreateReportScheduleRequest, now: datetime, release_environment: str
    ) -> CreatedReportSchedule:
        """Has a report made regularly; there is one schedule for each type.

        Raises:
            Refusal: InvalidParameterValue for a type that cannot be scheduled here, InvalidRequest where there is a
                schedule already that is not to be deleted.
        """
        _check_type(request.report_type, release_environment)
        self._pass_time(now, release_environment)
        for schedule in self._schedules(release_environment):
            if schedule.report_type == request.report_type:
                if not request.delete_existing_schedule:
                    raise Refusal(
                        "InvalidRequest",
                        f"reportType: it has the schedule {schedule.report_schedule_id}; set deleteExistingSchedule",
                    )
                del self._books.report_schedules[schedule.report_schedule_id]
        schedule_id = str(uuid.uuid4().int)[:11]
        self._books.report_schedules[schedule_id] = BookedSchedule(
            schedule=ReportSchedule(
                report_schedule_id=schedule_id,
                report_type=request.report_type,
                schedule_frequency=request.schedule_frequency,
                next_report_creation_time=request.next_report_creation_time,
            ),
            release_environment=release_environment,
        )
        return CreatedReportSchedule(report_schedule_id=schedule_id)

    def read_schedule(self, report_schedule_id: str, now: datetime) -> ReportSchedule:
        """Reads a schedule.

        Raises:
            Refusal: ResourceNotFound.
        """
        self._pass_time(now, self._books.report_schedule(report_schedule_id).release_environment)
        return self._books.report_schedule(report_schedule_id).schedule

    def list_schedules(
        self, query: ReportSchedulesQuery, now: datetime, release_environment: str
    ) -> ReportScheduleList:
        """The schedules of these types, or of all."""
        self._pass_time(now, release_environment)
        return ReportScheduleList(
            report_schedules=tuple(
                schedule
                for schedule in self._schedules(release_environment)
                if not query.report_types or schedule.report_type in query.report_types
            )
        )

    def cancel_schedule(self, report_schedule_id: str, now: datetime) -> WireModel:
        """Ends a schedule; what was due until then is made.

        Raises:
            Refusal: ResourceNotFound.
        """
        self._pass_time(now, self._books.report_schedule(report_schedule_id).release_environment)
        del self._books.report_schedules[report_schedule_id]
        return WireModel()

    # What is fetched without a signature

    def download(self, token: str, now: datetime) -> str:
        """A report's content.

        Raises:
            Refusal: ResourceNotFound, or InvalidAuthentication once the address is no longer valid.
        """
        if token not in self._downloads:
            raise Refusal("ResourceNotFound", "There is no such address; Get Report Document tells one")
        document_id, until = self._downloads[token]
        if now > until:
            raise Refusal("InvalidAuthentication", f"The address was valid until {until:%Y-%m-%d %H:%M:%S} UTC")
        return self._books.report_document(document_id).content

    # What is asked for by a test

    def set_mistakes(self, mistakes: tuple[SettlementMistake, ...]) -> None:
        """Settlements that are made from now on have these mistakes, and no others.

        Raises:
            Refusal: ResourceNotFound, or InvalidParameterValue for a transaction that is named twice.
        """
        books = self._books
        by_id = {mistake.transaction_id: mistake for mistake in mistakes}
        if len(by_id) < len(mistakes):
            raise Refusal("InvalidParameterValue", "transaction_id: each transaction has one mistake at the most")
        for transaction_id in by_id:
            if not any(transaction_id in shelf for shelf in (books.charges, books.refunds, books.disputes)):
                raise Refusal("ResourceNotFound", f"transaction_id: no charge, refund or dispute {transaction_id}")
        books.settlement_mistakes.clear()
        books.settlement_mistakes.update(by_id)

    # What Amazon does by itself

    def _pass_time(self, now: datetime, release_environment: str) -> None:
        for schedule in self._schedules(release_environment):
            self._follow(schedule, now, release_environment)
        if release_environment == ReleaseEnvironment.LIVE:
            self._settle(now)
        for booked in list(self._books.reports.values()):
            due = booked.report.processing_end_time
            if booked.report.processing_status == ProcessingStatus.IN_PROGRESS and due is not None and due <= now:
                self._complete(booked)

    def _follow(self, schedule: ReportSchedule, now: datetime, release_environment: str) -> None:
        """Orders the reports of a schedule that are due, each of the time since the one before."""
        at, every = schedule.next_report_creation_time, _DURATION.validate_python(schedule.schedule_frequency)
        if at is None or at > now:
            return
        at += max(0, (now - KEPT_FOR - at) // every) * every  # of what is not kept any more, nobody learns
        while at <= now:
            self._book(ReportType(str(schedule.report_type)), at - every, at - _SECOND, at, release_environment)
            at += every
        following = schedule.model_copy(update={"next_report_creation_time": at})
        self._books.report_schedules[schedule.report_schedule_id] = BookedSchedule(
            schedule=following, release_environment=release_environment
        )

    def _settle(self, now: datetime) -> None:
        """Pays out in Live what was posted in the periods that are over, and reports it. Each transaction once."""
        live = ReleaseEnvironment.LIVE.value
        settled = [document for document in self._books.report_documents.values() if document.transaction_ids]
        paid = {transaction_id for document in settled for transaction_id in document.transaction_ids}
        every = self._context.assumptions.settlement_period
        posted = transactions_in(self._books, live, self._context.assumptions)
        since = max(
            (
                booked.report.end_time + _SECOND
                for booked in self._books.reports.values()
                if booked.report.report_type == _BY_ITSELF and booked.report.end_time is not None
            ),
            default=_EPOCH,
        )

        def end_of(transaction: Transaction) -> datetime:
            """The end of its period; what is booked with a date before the last payout is in the next one."""
            counted = max(transaction.posted, since)
            return counted + every - (counted - _EPOCH) % every

        open_ = sorted((item for item in posted if item.transaction_id not in paid), key=end_of)
        for end, group in groupby(open_, key=end_of):
            if end > now:
                return
            report = self._book(_BY_ITSELF, end - every, end - _SECOND, end, live, takes=timedelta(0))
            self._write(report, list(group), live, paid_out=True)

    def _complete(self, booked: BookedReport) -> None:
        """Writes a report that was ordered; one of nothing is cancelled."""
        report = booked.report
        if report.report_type in TRANSACTION_COLUMNS:
            self._write_transactions(report, booked.release_environment)
            return
        found = [
            transaction
            for transaction in transactions_in(self._books, booked.release_environment, self._context.assumptions)
            if report.start_time is not None
            and report.end_time is not None
            and report.start_time <= transaction.posted <= report.end_time
        ]
        if found:
            self._write(report, found, booked.release_environment)
        else:
            self._cancel(report, booked.release_environment)

    def _cancel(self, report: Report, release_environment: str) -> None:
        cancelled = report.model_copy(update={"processing_status": ProcessingStatus.CANCELLED})
        self._books.reports[report.report_id] = BookedReport(report=cancelled, release_environment=release_environment)

    def _write_transactions(self, report: Report, release_environment: str) -> None:
        content = transaction_report(
            self._books,
            str(report.report_type),
            report.start_time or _EPOCH,
            report.end_time or _EPOCH,
            self._context.assumptions.settlement_separator,
        )
        if content is None:
            self._cancel(report, release_environment)
        else:
            self._keep(report, content, (), release_environment)

    def _book(
        self,
        report_type: ReportType,
        start: datetime,
        end: datetime,
        at: datetime,
        release_environment: str,
        *,
        takes: timedelta | None = None,
    ) -> Report:
        takes = self._context.assumptions.report_takes if takes is None else takes
        report = Report(
            report_id=f"A{len(self._books.reports) + 1:020}",
            report_type=report_type,
            start_time=start,
            end_time=end,
            created_time=at,
            processing_status=ProcessingStatus.IN_PROGRESS,
            processing_start_time=at,
            processing_end_time=at + takes,
        )
        self._books.reports[report.report_id] = BookedReport(report=report, release_environment=release_environment)
        return report

    def _write(
        self, report: Report, found: list[Transaction], release_environment: str, *, paid_out: bool = False
    ) -> None:
        number = len(self._books.report_documents) + 1
        start, end = report.start_time or _EPOCH, report.end_time or _EPOCH
        heading = Heading(self._context.merchant_id, f"{5_000_000_000 + number}", start, end)
        told = list(with_mistakes(found, self._books.settlement_mistakes))
        content = flat_file(
            heading, with_payout(told, end), self._books, self._context.assumptions.settlement_separator
        )
        paid = tuple(transaction.transaction_id for transaction in found) if paid_out else ()
        self._keep(report, content, paid, release_environment)

    def _keep(self, report: Report, content: str, transaction_ids: tuple[str, ...], release_environment: str) -> None:
        document_id = f"amzn1.tortuga.simulated.{len(self._books.report_documents) + 1}"
        self._books.report_documents[document_id] = BookedDocument(
            content=content, transaction_ids=transaction_ids, release_environment=release_environment
        )
        completed = report.model_copy(
            update={"processing_status": ProcessingStatus.COMPLETED, "report_document_id": document_id}
        )
        self._books.reports[report.report_id] = BookedReport(report=completed, release_environment=release_environment)

    def _schedules(self, release_environment: str) -> Iterator[ReportSchedule]:
        for booked in list(self._books.report_schedules.values()):
            if booked.release_environment == release_environment:
                yield booked.schedule


def _check_type(report_type: str, release_environment: str) -> None:
    if release_environment == ReleaseEnvironment.SANDBOX and report_type != _IN_SANDBOX:
        raise Refusal("InvalidParameterValue", f"reportType: {report_type}; the sandbox has {_IN_SANDBOX} only")
    if report_type == _BY_ITSELF:
        raise Refusal("InvalidParameterValue", f"reportType: {report_type} is made with each settlement by itself")
    if release_environment != ReleaseEnvironment.SANDBOX and report_type not in TRANSACTION_COLUMNS:
        raise Refusal("InvalidParameterValue", f"reportType: {report_type} is not simulated in {release_environment}")


def _completed(query: ReportsQuery, now: datetime) -> ReportsQuery:
    """The filters with Amazon's defaults for those that are not set."""
    return query.model_copy(
        update={
            "created_since": query.created_since or now - KEPT_FOR,
            "created_until": query.created_until or now,
            "page_size": query.page_size or PAGE_SIZE,
        }
    )


def _is_wanted(report: Report, query: ReportsQuery) -> bool:
    created, since, until = report.created_time, query.created_since, query.created_until
    return (
        (not query.report_types or report.report_type in query.report_types)
        and (not query.processing_statuses or report.processing_status in query.processing_statuses)
        and created is not None
        and (since is None or since <= created)
        and (until is None or created <= until)
    )


def _token_of(place: _Place) -> str:
    return urlsafe_b64encode(place.model_dump_json(by_alias=True).encode()).decode()


def _place_of(token: str) -> _Place:
    try:
        return _Place.model_validate_json(urlsafe_b64decode(token.encode()))
    except (ValueError, ValidationError):
        raise Refusal("InvalidParameterValue", "nextToken: it is not one that Get Reports has answered") from None
