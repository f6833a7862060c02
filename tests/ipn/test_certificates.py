"""Whoever can name the certificate can sign the message: so which addresses are asked, and what is taken from them.

Real sockets and real TLS, on loopback, behind a proxy that answers for Amazon's hosts (`amazon_on_loopback`): the
client is the receiver's own kind, and a connection to a host that may not be asked would be seen there.
"""

import asyncio

import httpx
import pytest

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.certificates import (
    LARGEST_CERTIFICATE_BYTES,
    AmazonCertificates,
    CertificateRefusedError,
    CertificateUnavailableError,
    is_amazon_sns_url,
)
from tests.ipn.amazon_on_loopback import (
    CERTIFICATE_URL,
    CHINESE_HOST,
    HOST,
    AmazonOnLoopback,
    answer,
)

ALLOWED = [
    CERTIFICATE_URL,
    f"https://{CHINESE_HOST}/SimpleNotificationService-1.pem",
    f"https://{HOST}/a/longer/path/name.pem",
    f"HTTPS://{HOST}/scheme-in-capitals.pem",
]

NOT_AMAZONS = {
    "empty": "",
    "no address": "certificate.pem",
    "another host": "https://evil.example/a.pem",
    "host as a prefix": f"https://{HOST}.evil.example/a.pem",
    "host as a suffix": f"https://evil-{HOST}/a.pem",
    "host under another": f"https://evil.example.{HOST}/a.pem",
    "host in the path": f"https://evil.example/{HOST}/a.pem",
    "another service of Amazon's": "https://s3.us-east-1.amazonaws.com/a.pem",
    "a bucket named sns": "https://sns.s3.amazonaws.com/a.pem",
    "no region": "https://sns.amazonaws.com/a.pem",
    "a region in two parts": "https://sns.us.east.amazonaws.com/a.pem",
    "look-alike domain": "https://sns.us-east-1.amazonaws.com.co/a.pem",
    "look-alike dots": "https://sns-us-east-1.amazonaws.com/a.pem",
    "any character for a dot": "https://snsxus-east-1xamazonawsxcom/a.pem",
    "trailing dot": f"https://{HOST}./a.pem",
    "upper case": f"https://{HOST.upper()}/a.pem",
    "full-width dots": "https://sns\uff0eus-east-1\uff0eamazonaws\uff0ecom/a.pem",
    "ideographic full stop": "https://sns.us-east-1.amazonaws\u3002com/a.pem",
    "Cyrillic letter": "https://sns.us-east-1.\u0430mazonaws.com/a.pem",
    "zero-width space": "https://sns.us-east-1.amazonaws.com\u200b/a.pem",
    "percent-encoded dot": "https://sns.us-east-1%2eamazonaws.com/a.pem",
    "user name": f"https://user@{HOST}/a.pem",
    "user and password": f"https://user:password@{HOST}/a.pem",
    "empty user": f"https://@{HOST}/a.pem",
    "Amazon as the user": f"https://{HOST}@evil.example/a.pem",
    "Amazon as the user, with a backslash": f"https://evil.example\\@{HOST}/a.pem",
    "backslash for a slash": f"https://{HOST}\\.evil.example/a.pem",
    "the usual port": f"https://{HOST}:443/a.pem",
    "another port": f"https://{HOST}:8443/a.pem",
    "empty port": f"https://{HOST}:/a.pem",
    "port out of range": f"https://{HOST}:99999/a.pem",
    "http": f"http://{HOST}/a.pem",
    "ftp": f"ftp://{HOST}/a.pem",
    "file": "file:///etc/ssl/a.pem",
    "no scheme": f"//{HOST}/a.pem",
    "three slashes": f"https:///{HOST}/a.pem",
    "IPv4": "https://127.0.0.1/a.pem",
    "IPv6": "https://[::1]/a.pem",
    "unclosed IPv6": "https://[::1/a.pem",
    "cloud metadata": "http://169.254.169.254/latest/a.pem",
    "fragment": f"https://{HOST}/a.pem#b.pem",
}

NO_CERTIFICATE = {
    "query": f"https://{HOST}/a.pem?b=c.pem",
    "only the query is a certificate": f"https://{HOST}/?a.pem",
    "not .pem": f"https://{HOST}/a.crt",
    ".PEM": f"https://{HOST}/a.PEM",
    ".pem in the middle": f"https://{HOST}/a.pem/b",
    "no path": f"https://{HOST}",
    "the host ends in .pem": "https://sns.us-east-1.amazonaws.com.pem",
}

NO_ADDRESS_AT_ALL = {
    "line break": f"https://{HOST}/a\n.pem",
    "tab": f"https://{HOST}\t/a.pem",
    "delete": f"https://{HOST}/\x7f.pem",
    "longer than any address": f"https://{HOST}/{'a' * 70_000}.pem",
}
"""Python's parser drops or takes these characters; the HTTP client refuses them."""


@pytest.mark.parametrize("url", ALLOWED)
async def test_a_certificate_is_fetched_from_amazons_hosts(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, url: str
) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        key = await AmazonCertificates(http).public_key(url)

    assert key == amazon.private_key.public_key()
    assert hosts.asked == [f"CONNECT {httpx.URL(url).host}:443 HTTP/1.1"]
    assert hosts.paths == [httpx.URL(url).path]


@pytest.mark.parametrize("url", NOT_AMAZONS.values(), ids=NOT_AMAZONS)
async def test_an_address_that_is_not_amazons_is_refused_and_never_asked(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, url: str
) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)
    async with hosts.client() as http:
        with pytest.raises(CertificateRefusedError, match="SigningCertURL is not a certificate on an SNS host"):
            await AmazonCertificates(http).public_key(url)

    assert hosts.asked == []
    assert not is_amazon_sns_url(url)


@pytest.mark.parametrize("url", (NO_CERTIFICATE | NO_ADDRESS_AT_ALL).values(), ids=NO_CERTIFICATE | NO_ADDRESS_AT_ALL)
async def test_an_address_on_amazons_hosts_that_names_no_certificate_is_refused_and_never_asked(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, url: str
) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        with pytest.raises(CertificateRefusedError, match="SigningCertURL is not a certificate on an SNS host"):
            await AmazonCertificates(http).public_key(url)

    assert hosts.asked == []


async def test_a_redirect_is_not_followed_even_to_amazons_own_hosts(hosts: AmazonOnLoopback) -> None:
    hosts.answer = answer(302, b"", f"location: https://{CHINESE_HOST}/a.pem")

    async with hosts.client() as http:
        with pytest.raises(CertificateUnavailableError, match="302"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)

    assert hosts.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]


@pytest.mark.parametrize(
    "trouble",
    [answer(404), answer(403), answer(500), answer(503), b"", b"gibberish\r\n\r\n", answer(200, b"-" * 9)[:-5]],
    ids=["404", "403", "500", "503", "cut off", "gibberish", "half a body"],
)
async def test_trouble_with_fetching_means_later_and_not_never(hosts: AmazonOnLoopback, trouble: bytes) -> None:
    hosts.answer = trouble

    async with hosts.client() as http:
        with pytest.raises(CertificateUnavailableError):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)


async def test_a_silent_host_means_later(hosts: AmazonOnLoopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perennial_billing.ipn.certificates.CERTIFICATE_SECONDS", 0.2)
    hosts.answer = None

    async with hosts.client() as http, asyncio.timeout(60):
        with pytest.raises(CertificateUnavailableError, match="ReadTimeout"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)


async def test_a_host_that_cannot_show_amazons_tls_certificate_is_not_believed(
    hosts: AmazonOnLoopback, amazon: NotificationSigner
) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client(trusting=False) as http:
        with pytest.raises(CertificateUnavailableError, match="ConnectError"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)

    assert hosts.paths == []


async def test_nobody_listening_means_later(unreachable: httpx.AsyncClient) -> None:
    with pytest.raises(CertificateUnavailableError, match="ConnectError"):
        await AmazonCertificates(unreachable).public_key(CERTIFICATE_URL)


async def test_a_certificate_without_end_is_refused_instead_of_kept_in_memory(hosts: AmazonOnLoopback) -> None:
    hosts.answer = b"HTTP/1.1 200 OK\r\n\r\n"
    hosts.endless = b"x" * 8192

    async with hosts.client() as http, asyncio.timeout(60):
        with pytest.raises(CertificateRefusedError, match=f"larger than {LARGEST_CERTIFICATE_BYTES} bytes"):
            await AmazonCertificates(http).public_key(CERTIFICATE_URL)
