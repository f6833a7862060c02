"""Evidence files: `client.files`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import UploadedFile, UploadFileRequest
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class Files:
    """Files that are evidence in a dispute. Source: the official Java SDK."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def upload(
        self,
        request: UploadFileRequest | Mapping[str, Any],
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
            Call(
                method="POST",
                to=resource("files"),
                read=model_of(UploadedFile),
                body=request_of(UploadFileRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )
