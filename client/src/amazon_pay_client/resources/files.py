"""Evidence files: `client.files`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amazon_pay_client.models import UploadedFile, UploadFileRequest
from amazon_pay_client.transport import model_of, resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class Files:
    """Files that are evidence in a dispute. Source: the official Java SDK."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def upload(
        self,
        request: UploadFileRequest,
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> UploadedFile:
        """Announces a file (POST /files). The content goes to the address in the answer, without a signature of ours.

        Args:
            request: the file's format.
            idempotency_key: as for a charge. Without one, a lost answer may leave a file that nobody uses.
            headers: extra headers; they are signed.

        Raises:
            DuplicateIdempotencyKeyError: the key was used before with another body.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            "POST",
            resource("files"),
            model_of(UploadedFile),
            body=request,
            idempotency_key=idempotency_key,
            headers=headers,
        )
