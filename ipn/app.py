"""The HTTP side of the IPN receiver.

Answers: 200 handed over or not ours, 400 and 403 never to be sent again, 413 too large, 503 send again later. Our own
trouble is never a 4xx, because SNS would not try again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import structlog
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from temporalio.client import Client

from amazon_pay.ipn import Envelope, EnvelopeType
from ipn.certificates import (
    AmazonCertificates,
    CertificateRefusedError,
    CertificateSource,
    CertificateUnavailableError,
    TrustedCertificate,
    is_amazon_sns_url,
)
from ipn.proof import Prover, UnprovenError
from ipn.routing import Router, TemporalUnavailableError
from runtime.errors import StartupError
from runtime.settings import PREFIX, Settings

PATH: Final = "/ipn"
LARGEST_BODY_BYTES: Final = 256 * 1024
"""The largest message that SNS delivers."""

_log = structlog.get_logger("ipn")


def create_app(client: Client, settings: Settings) -> FastAPI:
    """Makes the receiver.

    Raises:
        StartupError: the trusted certificate cannot be used.
    """
    http = httpx.AsyncClient()
    prover = Prover(_certificates(settings, http), settings.ipn_topic_arns, settings.merchant_id)
    receiver = _Receiver(prover, Router(client), http)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with http:
            yield

    app = FastAPI(title="Perennial IPN receiver", lifespan=lifespan)

    @app.post(PATH)
    async def receive(request: Request) -> Response:
        """Takes one SNS message."""
        try:
            body = await _limited_body(request)
        except ClientDisconnect:
            return PlainTextResponse("cut off", 400)  # nobody is there any more to read it
        return await receiver.take(body) if body is not None else PlainTextResponse("too large", 413)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the process serves."""
        return {"status": "ok"}

    return app


def _certificates(settings: Settings, http: httpx.AsyncClient) -> CertificateSource:
    path = settings.ipn_trusted_certificate_path
    if path is None:
        return AmazonCertificates(http)
    try:
        return TrustedCertificate(path)
    except CertificateRefusedError as error:
        raise StartupError(f"{PREFIX}IPN_TRUSTED_CERTIFICATE_PATH: {error}") from None


async def _limited_body(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            return None
    return body


class _Receiver:
    """Proves a message, then does what its type asks for."""

    def __init__(self, prover: Prover, router: Router, http: httpx.AsyncClient) -> None:
        self._prover = prover
        self._router = router
        self._http = http

    async def take(self, body: bytes) -> Response:
        """The answer to one posted body."""
        try:
            envelope = await self._prover.envelope(body)
            match envelope.type:
                case EnvelopeType.NOTIFICATION:
                    return await self._notification(envelope)
                case EnvelopeType.SUBSCRIPTION_CONFIRMATION:
                    return await self._confirm(envelope)
                case EnvelopeType.UNSUBSCRIBE_CONFIRMATION:
                    _log.warning("the topic was unsubscribed: no notifications will come", topic=envelope.topic_arn)
                    return PlainTextResponse("noted")
        except UnprovenError as error:
            _log.warning("message refused", cause=error.cause, why=str(error))
            return PlainTextResponse(str(error), 400 if error.cause == "malformed" else 403)
        except (CertificateUnavailableError, TemporalUnavailableError) as error:
            _log.warning("message cannot be taken now", why=str(error))
            return PlainTextResponse("try again later", 503)

    async def _notification(self, envelope: Envelope) -> Response:
        notification = self._prover.notification(envelope)
        routed = await self._router.route(notification)
        _log.info(
            "notification",
            routed=routed.value,
            object_type=str(notification.object_type),
            notification_id=notification.notification_id,
        )
        return PlainTextResponse(routed.value)

    async def _confirm(self, envelope: Envelope) -> Response:
        """Visits the address that confirms the topic's subscription, on Amazon's hosts only."""
        url = envelope.subscribe_url or ""
        if not is_amazon_sns_url(url):
            raise UnprovenError("certificate", "SubscribeURL is not on an SNS host of Amazon's")
        try:
            answer = await self._http.get(url, follow_redirects=False, timeout=5.0)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            _log.warning("the topic's subscription was not confirmed", why=type(error).__name__)
            return PlainTextResponse("try again later", 503)
        _log.info("the topic's subscription is confirmed", topic=envelope.topic_arn)
        return PlainTextResponse("confirmed")
