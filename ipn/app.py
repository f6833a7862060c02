"""The HTTP side of the IPN receiver.

Answers: 200 handed over or not ours, 400 and 403 never to be sent again, 413 too large, 503 send again later. Our own
trouble is never a 4xx, because SNS would not try again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from temporalio.client import Client
from temporalio.common import MetricMeter

from amazon_pay_client.ipn import Envelope
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from perennial_billing.ipn.certificates import (
    MOST_FETCHES,
    AmazonCertificates,
    CertificateRefusedError,
    CertificateSource,
    TrustedCertificate,
)
from perennial_billing.ipn.metrics import IpnMetrics
from perennial_billing.ipn.proof import Prover
from perennial_billing.ipn.receiver import CONFIRMING, LATER, Answer, Merchants, Noticed, Receiver
from perennial_billing.ipn.routing import Router
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Environment, Settings
from perennial_billing.runtime.tracing import span

PATH: Final = "/ipn"
LARGEST_BODY_BYTES: Final = 256 * 1024
"""The largest message that SNS delivers."""

BODY_SECONDS: Final = 3.0
"""How long a message may take to arrive. SNS gives a receiver 15 s for everything: the certificate may take 4 of them,
and the signal 8."""

MOST_CONFIRMATIONS: Final = 4
"""At a time, beside the fetches of certificates."""

_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}
_POSTED: Final[dict[str, Any]] = {  # Any: a part of an OpenAPI document
    "requestBody": {
        "required": True,
        "content": {
            # SNS says text/plain; what it posts is JSON.
            "text/plain": {"schema": {"type": "string", "maxLength": LARGEST_BODY_BYTES}},
            "application/json": {"schema": Envelope.model_json_schema()},
        },
    },
    "responses": {
        "200": {"description": "handed over, or nothing to do"},
        "400": {"description": "not an SNS message, or not a notification of Amazon Pay's", "content": _TEXT},
        "403": {"description": "not proven", "content": _TEXT},
        "413": {"description": "larger than SNS delivers", "content": _TEXT},
        "503": {"description": "cannot be taken now: send it again", "content": _TEXT},
    },
}

_log = structlog.get_logger("ipn")


def create_app(
    client: Client,
    settings: Settings,
    meter: MetricMeter = MetricMeter.noop,
    noticed: Noticed | None = None,
    merchants: Merchants | None = None,
) -> FastAPI:
    """Makes the receiver.

    Args:
        client: of the server whose workflows are told.
        settings: of this process.
        meter: of this process; counts nowhere when there is none.
        noticed: is told of each notification that is proven to be Amazon's.
        merchants: tells whose notifications are taken; those of the settings' merchant when it is not given.

    Raises:
        StartupError: the trusted certificate cannot be used; or it is not set in `live` whose messages are taken.
    """
    if settings.environment is Environment.LIVE:
        # Anybody can have a topic of their own, and SNS signs what they publish there.
        settings.required("ipn_topic_arns")
        if merchants is None:
            settings.required("merchant_id")
    http = bounded_client(at_once=MOST_FETCHES + MOST_CONFIRMATIONS, bounds=CONFIRMING)
    prover = Prover(
        _certificates(settings, http),
        settings.ipn_topic_arns,
        settings.merchant_id if merchants is None else None,
        longest_age=settings.ipn_longest_age,
    )
    metrics = IpnMetrics(meter)
    receiver = Receiver(prover, Router(client, settings.task_queue), http, metrics, noticed, merchants)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with http:
            yield

    # What the whole internet can reach describes itself to nobody.
    app = FastAPI(title="Perennial IPN receiver", lifespan=lifespan, openapi_url=None)

    @app.post(PATH, response_class=PlainTextResponse, openapi_extra=_POSTED)
    async def receive(request: Request) -> Response:
        """Takes one SNS message."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _limited_body(request)
        except ClientDisconnect:
            answer = Answer(400, "cut off")  # nobody is there any more to read it
        except TimeoutError:
            _log.warning("message cannot be taken now", cause="slow", why=f"no end within {BODY_SECONDS:g} s")
            metrics.deferred("slow")
            answer = LATER
        else:
            if body is None:
                _log.warning("message refused", cause="too_large", why=f"more than {LARGEST_BODY_BYTES} bytes")
                metrics.refused("too_large")
                answer = Answer(413, "too large")
            else:
                with span("IPN", headers=request.headers) as told:
                    answer = await receiver.take(body)
                    told.set_attribute("http.response.status_code", answer.status)
        return PlainTextResponse(answer.text, answer.status)

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
    """The body, or None where it is too large; what is announced as too large is not read at all."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > LARGEST_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            return None
    return bytes(body)
