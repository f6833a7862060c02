"""Amazon's settlement reports, and its transaction reports, found and downloaded through its Reports API.

In Live Amazon makes one with each settlement by itself, and it cannot be ordered ("manually requesting reports"). In
the sandbox it is ordered ("requesting sandbox settlement reports"), and is no payout: here for the time that none was
taken of yet, so that nothing is settled twice. Amazon keeps reports for 90 days.

Transaction reports are ordered, in Live only. Whether Amazon makes those of captures for the API is in doubt: the
official .NET SDK notes that it does not. So what Amazon does not make is told, and the others are taken.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.errors import AmazonPayError, BadRequestError
from amazon_pay_client.models import CreateReportRequest, ProcessingStatus, Report, ReportType
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from perennial_billing.runtime.settings import Environment

KEPT_FOR: Final = timedelta(days=90)
"""How long Amazon keeps a report ("reports", Get Reports)."""

MOST_AT_ONCE: Final = timedelta(days=30)
"""The longest time that a settlement report is about ("settlement report details")."""

WAIT: Final = timedelta(minutes=15)
"""How long a report that was ordered is waited for, unless something else is asked for."""

_PAGE: Final = 100
_DOWNLOAD: Final = Bounds(seconds=600.0, answer_bytes=2 * 1024**3)
"""A million lines have about 250 megabytes."""

_FIRST_POLL, _LONGEST_POLL, _GROWS = 2.0, 30.0, 1.5
_SECOND: Final = timedelta(seconds=1)
_UNPACKED: Final = {None, "", "N/A"}
_OK: Final = 200

TRANSACTIONS: Final = (ReportType.CAPTURE, ReportType.REFUND)
"""The transaction reports that tell of money."""

Times = Sequence[tuple[datetime, datetime]]
"""Start and end of each settlement that was taken (UTC)."""


class ReportsError(Exception):
    """A report cannot be had. The message is one line for a person: what, and what to do."""


class ReportNotMadeError(ReportsError):
    """It was ordered, and Amazon has not made it yet."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A settlement report.

    Attributes:
        report_id: Amazon's.
        path: of its file.
    """

    report_id: str
    path: Path


class SettlementReports:
    """Finds and downloads them.

    Args:
        amazon_pay: whose.
        environment: Amazon Pay's.
        is_simulated: whether downloads may go over http, as a simulator's do.
        wait: how long a report that was ordered is waited for.
    """

    def __init__(
        self,
        amazon_pay: AmazonPayClient,
        environment: Environment,
        *,
        is_simulated: bool = False,
        wait: timedelta = WAIT,
    ) -> None:
        self._amazon_pay = amazon_pay
        self._is_live = environment is Environment.LIVE
        self._type = ReportType.SETTLEMENT if self._is_live else ReportType.SANDBOX_SETTLEMENT
        self._scheme = "http" if is_simulated else "https://"
        self._wait = wait

    async def download(
        self,
        folder: Path,
        *,
        known: frozenset[str],
        settled: Times,
        since: datetime,
        until: datetime | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator[Downloaded]:
        """Downloads those that are not known yet, the oldest first.

        Args:
            folder: where files are put.
            known: ids of reports that were taken before.
            settled: of what times settlements were taken before; in the sandbox no time is settled twice.
            since: reports made then or later (UTC); in the sandbox also the earliest time that is ordered.
            until: the end of the time that is ordered in the sandbox (UTC); now when not given.
            tell: is told in words what is done.

        Raises:
            ReportsError: a report cannot be had.
        """
        try:
            reports = [report async for report in self._listed(since) if report.report_id not in known]
            if not self._is_live:
                reports = await self._of_sandbox(reports, settled, since, until or datetime.now(UTC), tell)
            for report in reports:
                if report.report_document_id is not None:
                    tell(f"downloading report {report.report_id}")
                    yield await self._downloaded(report.report_id, report.report_document_id, folder)
        except AmazonPayError as error:
            raise ReportsError(f"Amazon Pay's reports cannot be had: {error}") from None

    async def transactions(
        self,
        folder: Path,
        *,
        since: datetime,
        until: datetime,
        tell: Callable[[str], None] = lambda _: None,
        mind: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator[Downloaded]:
        """Orders and downloads the reports of captures and of refunds of a time, as far as Amazon makes them.

        Args:
            folder: where files are put.
            since: from that instant (UTC).
            until: before that instant (UTC).
            tell: is told in words what is done.
            mind: is told which report Amazon does not make.

        Raises:
            ReportsError: a report cannot be had, or none can; in the sandbox there are none.
        """
        if not self._is_live:
            raise ReportsError("transaction reports are made in live only; the sandbox has settlements")
        begins, ends = since.replace(microsecond=0), until.replace(microsecond=0) - _SECOND
        refused: list[str] = []
        for kind in TRANSACTIONS:
            tell(f"ordering {kind}")
            try:
                report = await self._made(await self._ordered(kind, begins, ends), tell)
                if report.report_document_id is not None:
                    yield await self._downloaded(report.report_id, report.report_document_id, folder)
            except BadRequestError as error:
                refused.append(f"{kind}: {error}")
            except AmazonPayError as error:
                raise ReportsError(f"Amazon Pay's reports cannot be had: {error}") from None
        if len(refused) == len(TRANSACTIONS):
            raise ReportsError(f"Amazon makes no transaction reports: {'; '.join(refused)}")
        for why in refused:
            mind(f"Amazon does not make {why}")

    async def _ordered(self, kind: ReportType, begins: datetime, ends: datetime) -> Report:
        request = CreateReportRequest(report_type=kind, start_time=begins, end_time=ends)
        ordered = await self._amazon_pay.reports.create(request, idempotency_key=uuid.uuid4().hex)
        return await self._amazon_pay.reports.get(ordered.report_id)

    async def _listed(self, since: datetime) -> AsyncIterator[Report]:
        """All that were made, the oldest first."""
        found: list[Report] = []
        page = await self._amazon_pay.reports.list(
            report_types=[self._type], created_since=max(since, datetime.now(UTC) - KEPT_FOR), page_size=_PAGE
        )
        found += page.reports
        while page.next_token:
            page = await self._amazon_pay.reports.list(next_token=page.next_token)
            found += page.reports
        for report in sorted(found, key=lambda report: (report.start_time or since, report.report_id)):
            if report.processing_status in {ProcessingStatus.COMPLETED, ProcessingStatus.IN_PROGRESS}:
                yield report

    async def _of_sandbox(
        self,
        reports: list[Report],
        settled: Times,
        since: datetime,
        until: datetime,
        tell: Callable[[str], None],
    ) -> list[Report]:
        """Those of times that are not settled yet; the rest of the time is ordered."""
        times = list(settled)
        chosen: list[Report] = []
        for report in reports:
            start, end = report.start_time, report.end_time
            if start is None or end is None or any(start <= ends and begins <= end for begins, ends in times):
                continue
            times.append((start, end))
            chosen.append(report)
        begins = max([since.replace(microsecond=0), *(ends + _SECOND for _, ends in times)])
        whole = until.replace(microsecond=0)  # Amazon's instants have no fractions
        while begins < whole:
            ends = min(begins + MOST_AT_ONCE, whole)
            tell(f"ordering the settlement of {begins:%Y-%m-%d} to {ends:%Y-%m-%d}")
            chosen.append(await self._ordered(self._type, begins, ends - _SECOND))
            begins = ends
        return [await self._made(report, tell) for report in chosen]

    async def _made(self, report: Report, tell: Callable[[str], None]) -> Report:
        """The report once Amazon has made it; one of nothing has no document."""
        pause = _FIRST_POLL
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._wait.total_seconds()
        while report.processing_status == ProcessingStatus.IN_PROGRESS:
            tell(f"waiting for Amazon to make report {report.report_id}")
            if loop.time() >= ends:
                why = f"Amazon has not made it within {self._wait}; the same command goes on waiting for it"
                raise ReportNotMadeError(f"report {report.report_id}: {why}")
            await asyncio.sleep(min(pause, max(ends - loop.time(), 0)))
            pause = min(pause * _GROWS, _LONGEST_POLL)
            report = await self._amazon_pay.reports.get(report.report_id)
        if report.processing_status not in {ProcessingStatus.COMPLETED, ProcessingStatus.CANCELLED}:
            why = f"Amazon could not make it ({report.processing_status}); the same command orders it again"
            raise ReportsError(f"report {report.report_id}: {why}")
        return report

    async def _downloaded(self, report_id: str, document_id: str, folder: Path) -> Downloaded:
        document = await self._amazon_pay.report_documents.get(document_id)
        if document.compression_algorithm not in _UNPACKED:
            why = f"it is packed with {document.compression_algorithm}; unpack it yourself and give the file by hand"
            raise ReportsError(f"report {report_id}: {why}")
        if not document.url.startswith(self._scheme):
            raise ReportsError(f"report {report_id}: its address is none of https, and is not fetched")
        path = folder / f"report-{report_id}.txt"
        try:
            async with (
                bounded_client(at_once=1, bounds=_DOWNLOAD) as http,
                http.stream("GET", document.url) as answer,
            ):
                if answer.status_code != _OK:
                    why = f"its address answered {answer.status_code}; run the same command again for another address"
                    raise ReportsError(f"report {report_id}: {why}")
                with path.open("wb") as file:
                    async for part in answer.aiter_bytes():
                        file.write(part)
        except httpx.HTTPError as error:
            raise ReportsError(
                f"report {report_id}: the download broke off: {type(error).__name__}; run it again"
            ) from None
        except OSError as error:
            raise ReportsError(f"report {report_id}: {path}: {error.strerror or error}") from None
        return Downloaded(report_id, path)
