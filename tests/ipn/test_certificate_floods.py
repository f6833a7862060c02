"""Anybody can name addresses on Amazon's hosts. However many they name, genuine messages find their certificate."""

import asyncio
import gzip
from collections import Counter
from typing import Final
from urllib.parse import urlsplit

import pytest

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.certificates import (
    CACHE_SECONDS,
    LONGEST_ADDRESS,
    MOST_FAILURES,
    MOST_UNKNOWN,
    AmazonCertificates,
    CertificateRefusedError,
    CertificateUnavailableError,
    normal_address,
)
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL, HOST, AmazonOnLoopback, answer
from tests.ipn.test_certificate_contents import Clock, clock

__all__ = ["clock"]

PATH: Final = urlsplit(CERTIFICATE_URL).path
SEVERAL_SPELLINGS: Final = {
    "a dot segment": f"https://{HOST}/./a.pem",
    "a dot segment that leads up": f"https://{HOST}/x/../a.pem",
    "an encoded dot segment": f"https://{HOST}/%2e/a.pem",
    "an encoded letter": f"https://{HOST}/%61.pem",
    "an encoded slash": f"https://{HOST}/x%2fa.pem",
    "two slashes": f"https://{HOST}//a.pem",
    "a parameter": f"https://{HOST}/a;b=c.pem",
    "a backslash": f"https://{HOST}/x\\a.pem",
    "a hidden name": f"https://{HOST}/.pem",
    "a long way": f"https://{HOST}/{'a' * LONGEST_ADDRESS}.pem",
}


def unknown(number: int) -> str:
    """An address as Amazon's are, which is none."""
    return f"https://{HOST}/SimpleNotificationService-{number:032x}.pem"


async def come_to(certificates: AmazonCertificates, *urls: str) -> Counter[str]:
    """What asking for each comes to, all at once."""

    async def ask(url: str) -> str:
        try:
            await certificates.public_key(url)
        except (CertificateUnavailableError, CertificateRefusedError) as error:
            return type(error).__name__
        return "key"

    return Counter(await asyncio.gather(*(ask(url) for url in urls)))


@pytest.mark.parametrize("url", SEVERAL_SPELLINGS.values(), ids=SEVERAL_SPELLINGS)
async def test_an_address_that_could_be_spelled_otherwise_is_refused_and_never_asked(
    hosts: AmazonOnLoopback, url: str
) -> None:
    async with hosts.client() as http:
        with pytest.raises(CertificateRefusedError, match="SigningCertURL is not a certificate on an SNS host"):
            await AmazonCertificates(http).public_key(url)

    assert hosts.asked == []


def test_what_does_not_count_in_an_address_makes_no_second_one() -> None:
    assert {normal_address(CERTIFICATE_URL + end) for end in ("", "?", "#", "?#")} == {CERTIFICATE_URL}
    assert normal_address(CERTIFICATE_URL.replace("https", "HTTPS")) == CERTIFICATE_URL


@pytest.mark.parametrize("trouble", [answer(404), None], ids=["not found", "silence"])
async def test_after_a_flood_of_unknown_addresses_the_genuine_one_is_fetched(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, monkeypatch: pytest.MonkeyPatch, trouble: bytes | None
) -> None:
    hosts.answer = trouble
    hosts.answers[PATH] = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        with monkeypatch.context() as patched:
            patched.setattr("perennial_billing.ipn.certificates.CERTIFICATE_SECONDS", 0.5)
            flood = await come_to(certificates, *map(unknown, range(400)))

        assert await certificates.public_key(CERTIFICATE_URL) == amazon.private_key.public_key()
    assert flood == {"CertificateUnavailableError": 400}
    assert len(hosts.asked) <= MOST_UNKNOWN + 1
    assert len(certificates._failed) <= MOST_FAILURES


async def test_during_a_flood_an_address_that_is_known_is_fetched_anew_in_a_share_of_its_own(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, clock: Clock
) -> None:
    hosts.answer = None
    hosts.answers[PATH] = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        await certificates.public_key(CERTIFICATE_URL)
        clock.passed += CACHE_SECONDS
        flood = asyncio.create_task(come_to(certificates, *map(unknown, range(400))))
        while len(hosts.paths) < 3:
            await asyncio.sleep(0.01)

        assert await certificates.public_key(CERTIFICATE_URL) == amazon.private_key.public_key()
        assert not flood.done()
        assert hosts.paths.count(PATH) == 2
        flood.cancel()


async def test_those_who_ask_for_one_address_share_its_failure(hosts: AmazonOnLoopback) -> None:
    hosts.answer = answer(404)

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        for _ in range(3):
            assert await come_to(certificates, *[CERTIFICATE_URL] * 50) == {"CertificateUnavailableError": 50}

    assert len(hosts.asked) == 1


async def test_whoever_hangs_up_takes_the_certificate_from_nobody(
    hosts: AmazonOnLoopback, amazon: NotificationSigner
) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        hangs_up, waits = (asyncio.create_task(certificates.public_key(CERTIFICATE_URL)) for _ in range(2))
        await asyncio.sleep(0)
        hangs_up.cancel()

        assert await waits == amazon.private_key.public_key()
    assert len(hosts.asked) == 1


async def test_certificates_are_kept_up_to_a_number(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perennial_billing.ipn.certificates.MOST_KEPT", 3)
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        for number in range(8):
            await certificates.public_key(CERTIFICATE_URL)  # used again and again, so it stays
            await certificates.public_key(unknown(number))

        assert len(certificates._kept) == 3
    assert hosts.paths.count(PATH) == 1


async def test_a_packed_certificate_is_not_unpacked(hosts: AmazonOnLoopback, amazon: NotificationSigner) -> None:
    packed = gzip.compress(amazon.certificate_pem)
    hosts.answer = answer(200, packed, "content-encoding: gzip")

    async with hosts.client() as http:
        with pytest.raises(CertificateUnavailableError, match="AnswerEncodedError"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)
