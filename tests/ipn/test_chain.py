"""A certificate counts when Amazon issued it for SNS, whoever can serve a file from an address that looks right."""

import asyncio
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.certificates import AmazonCertificates, CertificateRefusedError, CertificateUnavailableError
from perennial_billing.ipn.chain import amazons_roots, names_of_sns
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL, AmazonOnLoopback, answer
from tests.ipn.authority import DAY, ISSUER_URL, SNS, Authority, der, pem

GENUINE_ROOTS = amazons_roots()
"""Read before the tests' own root takes their place."""

NOT_AMAZONS = "not one that Amazon issued for SNS"


@pytest.fixture
def key(amazon: NotificationSigner) -> rsa.RSAPrivateKey:
    """What SNS signs with."""
    return amazon.private_key


async def test_the_issuer_is_fetched_from_where_the_certificate_says_amazon_publishes_it(
    hosts: AmazonOnLoopback, authority: Authority, key: rsa.RSAPrivateKey
) -> None:
    """SNS serves the leaf alone."""
    hosts.answer = answer(200, pem(authority.issue(key)))
    hosts.answers[ISSUER_URL] = answer(200, der(authority.issuer))

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        for _ in range(2):
            assert await certificates.public_key(CERTIFICATE_URL) == key.public_key()

    assert hosts.asked == ["CONNECT sns.us-east-1.amazonaws.com:443 HTTP/1.1", f"GET {ISSUER_URL} HTTP/1.1"]


async def test_many_messages_at_once_lead_to_one_fetch(hosts: AmazonOnLoopback, amazon: NotificationSigner) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        keys = await asyncio.gather(*(certificates.public_key(CERTIFICATE_URL) for _ in range(20)))

    assert keys == [amazon.private_key.public_key()] * 20
    assert len(hosts.asked) == 1


async def test_a_valid_certificate_of_another_issuer_is_refused(hosts: AmazonOnLoopback) -> None:
    hosts.answer = answer(200, Authority().signer().certificate_pem)

    await _is_refused(hosts)


async def test_a_certificate_that_names_amazons_issuer_but_is_another_ones_is_refused(
    hosts: AmazonOnLoopback, authority: Authority, key: rsa.RSAPrivateKey
) -> None:
    hosts.answer = answer(200, pem(Authority().issue(key)))
    hosts.answers[ISSUER_URL] = answer(200, der(authority.issuer))

    await _is_refused(hosts)


async def test_a_certificate_that_signed_itself_is_refused(hosts: AmazonOnLoopback, forger: NotificationSigner) -> None:
    hosts.answer = answer(200, forger.certificate_pem)

    await _is_refused(hosts)


@pytest.mark.parametrize(
    "name", ["shop.example", "s3.amazonaws.com", "amazonaws.com", "sns.amazonaws.com.evil.example"]
)
async def test_a_certificate_that_amazon_issued_for_somebody_else_is_refused(
    hosts: AmazonOnLoopback, authority: Authority, key: rsa.RSAPrivateKey, name: str
) -> None:
    """Anybody can be a customer of Amazon's authority."""
    hosts.answer = answer(200, pem(authority.issue(key, names=[name])) + pem(authority.issuer))

    await _is_refused(hosts)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "http://evil.example/issuer.cer",
        "http://crt.r2m01.amazontrust.com.evil.example/a.cer",
        "http://crt.r2m01.amazontrust.com:8080/a.cer",
        "http://user@crt.r2m01.amazontrust.com/a.cer",
        "http://169.254.169.254/a.cer",
        "ldap://crt.r2m01.amazontrust.com/a.cer",
    ],
)
async def test_no_issuer_is_fetched_from_anybody_but_amazon(
    hosts: AmazonOnLoopback, authority: Authority, key: rsa.RSAPrivateKey, url: str | None
) -> None:
    hosts.answer = answer(200, pem(authority.issue(key, issuer_url=url)))

    await _is_refused(hosts)
    assert len(hosts.asked) == 1


@pytest.mark.parametrize("trouble", [answer(503), b""])
async def test_while_the_issuer_cannot_be_had_the_message_is_for_later(
    hosts: AmazonOnLoopback, authority: Authority, key: rsa.RSAPrivateKey, trouble: bytes
) -> None:
    hosts.answer = answer(200, pem(authority.issue(key)))
    hosts.answers[ISSUER_URL] = trouble

    async with hosts.client() as http:
        with pytest.raises(CertificateUnavailableError):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)


async def test_an_issuer_that_is_no_certificate_is_refused(
    hosts: AmazonOnLoopback, authority: Authority, key: rsa.RSAPrivateKey
) -> None:
    hosts.answer = answer(200, pem(authority.issue(key)))
    hosts.answers[ISSUER_URL] = answer(200, b"<html>")

    async with hosts.client() as http:
        with pytest.raises(CertificateRefusedError, match="DER"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)


async def test_a_fetch_that_drips_is_given_up(hosts: AmazonOnLoopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each packet in time, and no end: the time counts as a whole."""
    monkeypatch.setattr("perennial_billing.ipn.certificates.CERTIFICATE_SECONDS", 0.3)
    monkeypatch.setattr("perennial_billing.ipn.certificates.LARGEST_CERTIFICATE_BYTES", 10**12)
    hosts.answer = b"HTTP/1.1 200 OK\r\n\r\n"
    hosts.endless = b"x"

    async with hosts.client() as http, asyncio.timeout(60):
        with pytest.raises(CertificateUnavailableError, match="ReadTimeout"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)


async def test_dates_are_said_before_the_chain(
    hosts: AmazonOnLoopback, authority: Authority, key: rsa.RSAPrivateKey
) -> None:
    expired = authority.issue(key, begins=-2 * DAY, ends=-timedelta(minutes=1))
    hosts.answer = answer(200, pem(expired) + pem(authority.issuer))

    async with hosts.client() as http:
        with pytest.raises(CertificateRefusedError, match="not today"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)


def test_only_amazons_own_roots_count() -> None:
    names = [root.subject.rfc4514_string() for root in GENUINE_ROOTS]

    assert names == [f"CN=Amazon Root CA {number},O=Amazon,C=US" for number in (1, 2, 3, 4)]


def test_the_names_of_sns_are_those_of_the_region() -> None:
    assert names_of_sns(CERTIFICATE_URL) == (
        SNS,
        "sns-signing.us-east-1.amazonaws.com",
        "sns-us-east-1.amazonaws.com",
        "sns.us-east-1.amazonaws.com",
    )
    assert names_of_sns("https://sns.cn-north-1.amazonaws.com.cn/a.pem")[2] == "sns-cn-north-1.amazonaws.com.cn"
    assert names_of_sns("https://evil.example/a.pem") == ()


async def _is_refused(hosts: AmazonOnLoopback) -> None:
    async with hosts.client() as http:
        with pytest.raises(CertificateRefusedError, match=NOT_AMAZONS):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)
