"""Posts to an endpoint of the merchant's, signed by the Standard Webhooks specification."""

from datetime import UTC, datetime
from typing import Final

import httpx
from standardwebhooks import Webhook

CONNECT_SECONDS: Final = 5.0


class SignedPosts:
    """Signs and posts.

    Args:
        url: the endpoint.
        secret: the signing secret, `whsec_` and base64.
        http: the connection pool.
        timeout_seconds: how long an answer is waited for.
    """

    def __init__(self, url: str, secret: str, http: httpx.AsyncClient, timeout_seconds: float) -> None:
        self._url = url
        self._webhook = Webhook(secret)
        self._http = http
        self._timeout = httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS)

    async def post(self, identifier: str, body: str) -> httpx.Response:
        """Posts one message; the id is the same at each repetition, the signature is not.

        Raises:
            httpx.HTTPError: no answer.
        """
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(identifier, now, body),
        }
        return await self._http.post(
            self._url, content=body.encode(), headers=headers, timeout=self._timeout, follow_redirects=False
        )
