"""Report documents: `client.report_documents`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call
from amazon_pay_client.models import ReportDocument
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class ReportDocuments:
    """Where the contents of reports are. Source: Amazon Pay API v2, "reports"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def get(self, report_document_id: str, *, headers: Mapping[str, str] | None = None) -> ReportDocument:
        """Reads where a completed report's content is (GET /report-documents/{reportDocumentId}).

        The address in the answer is valid for 30 seconds and is fetched without a signature of ours.

        Raises:
            NotFoundError: no such document in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="GET",
                to=resource("report-documents/{report_document_id}", report_document_id=report_document_id),
                read=model_of(ReportDocument),
                headers=headers,
            )
        )
