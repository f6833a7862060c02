"""What those can do whom we ask: Amazon's hosts and a merchant's endpoint, silent, slow, endless, packed or gone."""

import asyncio
import random
import ssl
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from unittest import mock
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_client import AmazonPayClient, Region, TimeLimits
from amazon_pay_client.errors import AmazonPayError
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from perennial_billing.ipn.certificates import AmazonCertificates, CertificateRefusedError, CertificateUnavailableError
from tests.attack.kind import Kind, Outcome
from tests.client.examples import CHARGE, CREATE
from tests.client.loopback import KEY_ID
from tests.client.tls_loopback import server_context
from tests.hostile import ENDS_BY_TIME, Hostile, Manner
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL, HOST, AmazonOnLoopback, answer
from tests.ipn.authority import Authority

AT_ONCE: Final = 50
"""Of the attack's requests."""

SECONDS: Final = 2.0
"""What a request gets that would never end by itself: enough to connect on a busy machine."""

PATIENT: Final = Bounds(seconds=60.0, answer_bytes=256 * 1024)
SECONDS_OF_SNS: Final = 15.0
"""What SNS gives a receiver for one message."""


async def _all(request: Callable[[int], Awaitable[str]], number: int) -> Counter[str]:
    """How each of so many requests ended, `AT_ONCE` at a time."""
    numbers, ends = iter(range(number)), Counter[str]()

    async def ask() -> None:
        for each in numbers:
            ends[await request(each)] += 1

    await asyncio.gather(*(ask() for _ in range(min(AT_ONCE, number))))
    return ends


async def _endpoint(number: int, *, manner: Manner) -> Outcome:
    """A merchant's endpoint, or any host, that is asked by one client; then it answers."""
    bounds = replace(PATIENT, seconds=SECONDS) if manner in ENDS_BY_TIME else PATIENT
    async with Hostile(manner).serving() as server, bounded_client(at_once=AT_ONCE, bounds=bounds) as http:

        async def ask(_: int) -> str:
            try:
                answered = await http.post(server.origin, content=b"{}")
            except httpx.HTTPError as error:
                return type(error).__name__
            return str(answered.status_code)

        ends = await _all(ask, number)
        server.manner = Manner.ANSWERS
        failed = [f"answered with 200 though it {manner.name.lower()}"] if "200" in ends else []
        try:
            await http.get(server.origin, extensions=PATIENT.extensions)
        except httpx.HTTPError as error:
            failed.append(f"not served afterwards: {error!r}")
    return Outcome(ends, failed)


@asynccontextmanager
async def _amazon(manner: Manner, limits: TimeLimits) -> AsyncIterator[tuple[Hostile, AmazonPayClient]]:
    """Amazon Pay over TLS, which offers HTTP/2 as well, and one client."""
    key = rsa.generate_private_key(65537, 2048)
    with tempfile.TemporaryDirectory() as folder:
        context = server_context(Path(folder), key, ["h2", "http/1.1"])
        trust = ssl.create_default_context(cafile=Path(folder) / "ca.pem")
        async with (
            Hostile(manner, CHARGE).serving(context) as server,
            AmazonPayClient(
                public_key_id=KEY_ID,
                private_key=key,
                region=Region.NA,
                origin=server.origin,
                verify=trust,
                time_limits=limits,
            ) as client,
        ):
            yield server, client


async def _silence(number: int) -> Outcome:
    """Amazon keeps silent for so many calls, then answers."""
    async with _amazon(Manner.SILENT, TimeLimits(read_seconds=SECONDS)) as (server, client):

        async def ask(_: int) -> str:
            try:
                await client.charges.get("S03-1")
            except AmazonPayError as error:
                return type(error).__name__
            return "charge"

        ends = await _all(ask, number)
        server.manner = Manner.ANSWERS
        failed = []
        try:
            await client.charges.create(CREATE, idempotency_key="a")
        except AmazonPayError as error:
            failed.append(f"not served afterwards: {error}")
    return Outcome(ends, failed)


async def _cancelled(number: int) -> Outcome:
    """Callers give up at any moment, as an activity that is cancelled does."""
    dice = random.Random(number)
    async with _amazon(Manner.ANSWERS, TimeLimits()) as (_, client):

        async def ask(_: int) -> str:
            asking = asyncio.create_task(client.charges.get("S03-1"))
            await asyncio.wait({asking}, timeout=dice.expovariate(5.0))
            asking.cancel()
            (end,) = await asyncio.gather(asking, return_exceptions=True)
            return type(end).__name__

        ends = await _all(ask, number)
        failed = []
        try:
            await asyncio.gather(*(client.charges.get("S03-1") for _ in range(AT_ONCE)))
        except AmazonPayError as error:
            failed.append(f"not served afterwards: {error}")
    return Outcome(ends, failed)


async def _certificates(number: int, *, said: bytes | None) -> Outcome:
    """Forged messages name so many certificates on Amazon's hosts; genuine ones come meanwhile and afterwards."""
    authority = Authority()
    signer = authority.signer()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("perennial_billing.ipn.chain.amazons_roots", return_value=(authority.root,)),
    ):
        async with AmazonOnLoopback(Path(folder)).serving() as hosts, hosts.client() as http:
            hosts.answer = said
            hosts.answers[urlsplit(CERTIFICATE_URL).path] = answer(200, signer.certificate_pem)
            certificates = AmazonCertificates(http)

            async def ask(each: int) -> str:
                return await _key(certificates, f"https://{HOST}/SimpleNotificationService-{each:032x}.pem")

            failed = []
            genuine = [await _key(certificates, CERTIFICATE_URL)]
            flood = asyncio.create_task(_all(ask, number))
            while not flood.done():
                async with asyncio.timeout(SECONDS_OF_SNS):
                    genuine.append(await _key(certificates, CERTIFICATE_URL))
                await asyncio.sleep(0.05)
            genuine.append(await _key(AmazonCertificates(http), CERTIFICATE_URL))
            if set(genuine) != {"key"}:
                failed.append(f"genuine messages found no certificate: {Counter(genuine)}")
            ends = await flood
            if "key" in ends:
                failed.append("an unknown address gave a key")
    return Outcome(ends, failed)


async def _key(certificates: AmazonCertificates, url: str) -> str:
    try:
        await certificates.public_key(url)
    except (CertificateUnavailableError, CertificateRefusedError) as error:
        return type(error).__name__
    return "key"


OUTBOUND: Final = (
    Kind("amazon-silence", "Amazon answers nothing, then again", 150, 3_000, _silence, 200),
    Kind("callers-give-up", "calls are cancelled at any moment", 100, 3_000, _cancelled, 200),
    Kind(
        "certificates-404",
        "unknown certificates; genuine ones are served",
        100,
        20_000,
        partial(_certificates, said=answer(404)),
    ),
    Kind(
        "certificates-silence",
        "unknown certificates that never come; genuine ones are served",
        60,
        2_000,
        partial(_certificates, said=None),
    ),
    Kind(
        "certificates-bomb",
        "certificates packed in packed",
        20,
        1_000,
        partial(_certificates, said=answer(200, Hostile().bomb, "content-encoding: gzip, gzip, gzip")),
    ),
    *(
        Kind(
            f"endpoint-{manner.name.lower().replace('_', '-')}",
            "the endpoint of a merchant does so, and comes back",
            10,
            100 if manner in {Manner.ENDLESS_INTERIM, Manner.TINY_CHUNKS} else 1_000,  # these cost the most time
            partial(_endpoint, manner=manner),
            200,
        )
        for manner in Manner
        if manner is not Manner.ANSWERS
    ),
)
