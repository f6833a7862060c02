"""Where the certificates come from that SNS messages are checked with: Amazon's own hosts, and nowhere else."""

import asyncio
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import httpx
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay.files import read_small_file, shown
from ipn.chain import UntrustedError, issuer_url, names_of_sns, verify

ALLOWED_HOST: Final = re.compile(r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?")
"""The rule of Amazon's own validators for the host of SigningCertURL and SubscribeURL."""

LONGEST_URL: Final = 2048
"""Characters; those of Amazon have fewer than 150."""

LARGEST_CERTIFICATE_BYTES: Final = 64 * 1024
FETCH_TIMEOUT_SECONDS: Final = 5.0
CACHE_SECONDS: Final = 24 * 3600.0


class CertificateRefusedError(Exception):
    """The certificate may not be used. The message says why."""


class CertificateUnavailableError(Exception):
    """The certificate could not be fetched now; trying later may succeed."""


class CertificateSource(Protocol):
    """Gives the public key behind a SigningCertURL."""

    async def public_key(self, url: str) -> RSAPublicKey:
        """The key.

        Raises:
            CertificateRefusedError: the address or the certificate is not acceptable.
            CertificateUnavailableError: it could not be fetched.
        """
        ...


def is_amazon_sns_url(url: str) -> bool:
    """Whether an address is https on an SNS host of Amazon's, without port, user info, query or fragment."""
    if not (url.isascii() and url.isprintable()) or len(url) > LONGEST_URL:
        return False  # the parser would drop some of these characters, and what is asked would be another address
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and not has_port
        and parts.username is None
        and parts.password is None
        and not parts.fragment
        and ALLOWED_HOST.fullmatch(parts.netloc) is not None
    )


class AmazonCertificates:
    """Fetches certificates from Amazon's SNS hosts, and keeps those that Amazon issued for a day."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._cache: dict[str, tuple[float, x509.Certificate]] = {}
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def public_key(self, url: str) -> RSAPublicKey:
        """See `CertificateSource.public_key`."""
        if not is_amazon_sns_url(url) or not urlsplit(url).path.endswith(".pem") or urlsplit(url).query:
            raise CertificateRefusedError("SigningCertURL is not a certificate on an SNS host of Amazon's")
        certificate = self._kept(url)
        if certificate is None:
            lock = self._fetching.get(url) or asyncio.Lock()
            self._fetching[url] = lock
            async with lock:  # many messages, one fetch
                certificate = self._kept(url) or await self._fetch_trusted(url)
                self._cache[url] = (time.monotonic() + CACHE_SECONDS, certificate)
        return _usable_key(certificate)

    def _kept(self, url: str) -> x509.Certificate | None:
        kept_until, certificate = self._cache.get(url, (0.0, None))
        return certificate if kept_until > time.monotonic() else None

    async def _fetch_trusted(self, url: str) -> x509.Certificate:
        leaf, *issuers = _certificates(await self._fetch(url))
        _usable_key(leaf)  # for the clearer refusal
        names = names_of_sns(url)
        try:
            try:
                verify(leaf, issuers, names)
            except UntrustedError:
                published = issuer_url((issuers or [leaf])[-1])
                if published is None:
                    raise
                verify(leaf, [*issuers, _der_certificate(await self._fetch(published))], names)
        except UntrustedError:
            raise CertificateRefusedError("the certificate is not one that Amazon issued for SNS") from None
        return leaf

    async def _fetch(self, url: str) -> bytes:
        content = b""
        try:
            async with (
                asyncio.timeout(FETCH_TIMEOUT_SECONDS),  # as a whole; the client's own limits count each packet
                self._http.stream("GET", url, follow_redirects=False, timeout=FETCH_TIMEOUT_SECONDS) as answer,
            ):
                if not answer.is_success:
                    raise CertificateUnavailableError(f"the certificate's host answered {answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > LARGEST_CERTIFICATE_BYTES:
                        raise CertificateRefusedError(
                            f"the certificate is larger than {LARGEST_CERTIFICATE_BYTES} bytes"
                        )
        except (httpx.HTTPError, TimeoutError) as error:
            raise CertificateUnavailableError(
                f"the certificate could not be fetched from {urlsplit(url).netloc}: {type(error).__name__}"
            ) from error
        return content


class TrustedCertificate:
    """One certificate from a file, used for every message whatever it names: a simulator's. Never in live.

    Raises:
        CertificateRefusedError: the file cannot be read or holds no usable certificate.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._key = read_public_key(read_small_file(path, LARGEST_CERTIFICATE_BYTES).content)
        except OSError as error:
            raise CertificateRefusedError(f"{shown(path)}: {error.strerror or type(error).__name__}") from None

    async def public_key(self, url: str) -> RSAPublicKey:  # noqa: ARG002 - the file counts, not the address
        """See `CertificateSource.public_key`."""
        return self._key


def read_public_key(pem: bytes) -> RSAPublicKey:
    """The RSA key of a certificate that is valid today.

    Raises:
        CertificateRefusedError: not a certificate, not RSA, or not valid now.
    """
    return _usable_key(_certificates(pem)[0])


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        raise CertificateRefusedError("not an X.509 certificate in PEM form") from None


def _der_certificate(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise CertificateRefusedError("the issuer's is not an X.509 certificate in DER form") from None


def _usable_key(certificate: x509.Certificate) -> RSAPublicKey:
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise CertificateRefusedError(
            f"the certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d} "
            f"to {certificate.not_valid_after_utc:%Y-%m-%d}, not today"
        )
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateRefusedError("the certificate's key cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise CertificateRefusedError("the certificate's key is not RSA")
    return key
