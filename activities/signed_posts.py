"""Posts to an endpoint of the merchant's, signed by the Standard Webhooks specification."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.library import httpx

LARGEST_ANSWER_BYTES: Final = 256 * 1024
"""Of an endpoint's answer: a few hundred bytes would do, and an error page of a framework is larger."""


class SignedPosts:
    """Signs and posts.

    Args:
        url: the endpoint.
        secrets: the signing secrets, `whsec_` and base64, the newest first. Each signs, so that an endpoint that knows
            one of them takes the post (Standard Webhooks, "Multiple signatures").
        http: the connection pool.
        timeout_seconds: how long one post may take, its answer to the last byte included.
    """

    def __init__(self, url: str, secrets: Sequence[str], http: httpx.AsyncClient, timeout_seconds: float) -> None:
        self._url = url
        self._secrets = secrets
        self._http = http
        self._bounds = Bounds(seconds=timeout_seconds, answer_bytes=LARGEST_ANSWER_BYTES)

    async def post(self, identifier: str, body: str) -> httpx.Response:
        """Posts one message; the id is the same at each repetition, the signature is not.

        Raises:
            httpx.HTTPError: no answer, or one out of bounds.
        """
        headers = self.headers(identifier, body, self._secrets)
        return await self._http.post(
            self._url, content=body.encode(), headers=headers, extensions=self._bounds.extensions
        )

    @staticmethod
    def headers(identifier: str, body: str, secrets: Sequence[str]) -> dict[str, str]:
        """What a message is sent with now."""
        now = datetime.now(UTC)
        return {
            "content-type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(identifier, now, body) for secret in secrets),
        }
