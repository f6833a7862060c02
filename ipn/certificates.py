"""Where the certificates come from that SNS messages are checked with: Amazon's own hosts, and nowhere else."""

import asyncio
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay_client.files import read_small_file, shown
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.errors import AnswerTooLargeError
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.outbound.turns import Turns
from perennial_billing.ipn.chain import UntrustedError, issuer_url, names_of_sns, verify

Found = TypeVar("Found")

ALLOWED_HOST: Final = re.compile(r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?")
"""The rule of Amazon's own validators for the host of SigningCertURL and SubscribeURL."""

LONGEST_URL: Final = 2048
"""Characters; those of Amazon have fewer than 150."""

LONGEST_ADDRESS: Final = 256
"""Characters of a certificate's."""

NORMAL_PATH: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+\.pem")
"""The path of a certificate as it is written in one way only: no dot segment, no empty one, nothing encoded. Amazon's
are `/SimpleNotificationService-` and 32 hexadecimal digits."""

LARGEST_CERTIFICATE_BYTES: Final = 64 * 1024
CERTIFICATE_SECONDS: Final = 4.0
"""For everything about one: the wait for a place, the certificate, and its issuer's."""

SHORTEST_SECONDS: Final = 0.001
"""What a fetch gets that begins when its time is up: it then ends as any other that takes too long."""

CACHE_SECONDS: Final = 24 * 3600.0
MOST_KEPT: Final = 64
"""Certificates that Amazon issued. A merchant's topics are in three regions at most; SNS is in about 40."""

FAILURE_SECONDS: Final = 2.0
"""How long a failure stands for whoever asks next. SNS sends a message again at once, three times, then after a second
twice, and then ever more slowly for hours: short enough that only the first of these find a failure that is over."""

MOST_FAILURES: Final = 256
FETCHES_OF_KNOWN: Final = 4
FETCHES_OF_UNKNOWN: Final = 8
"""At a time: addresses that had a certificate of Amazon's before, and all others."""

MOST_UNKNOWN: Final = 64
"""Unknown addresses that are fetched or wait for it. Further ones are told at once to come later."""

MOST_FETCHES: Final = FETCHES_OF_KNOWN + FETCHES_OF_UNKNOWN


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


def normal_address(url: str) -> str | None:
    """The address of a certificate on an SNS host of Amazon's, in the one form of it; None for any other."""
    if len(url) > LONGEST_ADDRESS or not is_amazon_sns_url(url):
        return None
    parts = urlsplit(url)
    if parts.query or NORMAL_PATH.fullmatch(parts.path) is None:
        return None
    return f"https://{parts.netloc}{parts.path}"


class AmazonCertificates:
    """Fetches certificates from Amazon's SNS hosts, and keeps those that Amazon issued for a day.

    Anybody can name addresses on Amazon's hosts, as many as they like, before anything is proven. So those that had a
    certificate of Amazon's before are fetched in a share of their own, which no flood of others can fill; and whoever
    asks for one address while it is fetched, or within seconds after that failed, shares what came of it.

    Args:
        http: lets at least `MOST_FETCHES` requests out at a time.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._failed: OrderedDict[str, _Failed] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[_Kept | _Failed]] = {}
        self._share_of_known = Turns(FETCHES_OF_KNOWN)
        self._share_of_unknown = Turns(FETCHES_OF_UNKNOWN)
        self._unknown: set[str] = set()

    async def public_key(self, url: str) -> RSAPublicKey:
        """See `CertificateSource.public_key`. It ends within `CERTIFICATE_SECONDS`."""
        address = normal_address(url)
        if address is None:
            raise CertificateRefusedError("SigningCertURL is not a certificate on an SNS host of Amazon's")
        kept = self._kept.get(address)
        if kept is not None and kept.until > time.monotonic():
            self._kept.move_to_end(address)
            return _usable_key(kept.certificate)
        found = self._failure_of(address) or await self._shared(address)
        if isinstance(found, _Failed):
            raise found.kind(found.why)
        return _usable_key(found.certificate)

    def _failure_of(self, address: str) -> "_Failed | None":
        failed = self._failed.get(address)
        return failed if failed is not None and failed.until > time.monotonic() else None

    async def _shared(self, address: str) -> "_Kept | _Failed":
        """What comes of the one fetch of an address, which goes on when one who waits for it hangs up.

        Raises:
            CertificateUnavailableError: too many unknown addresses are being fetched.
        """
        fetching = self._fetching.get(address)
        if fetching is None:
            is_known = address in self._kept
            if not is_known and len(self._unknown) >= MOST_UNKNOWN:
                raise CertificateUnavailableError(f"{MOST_UNKNOWN} certificates of unknown addresses are being fetched")
            fetching = asyncio.create_task(self._fetch_in_its_share(address, is_known=is_known))
            self._fetching[address] = fetching
            if not is_known:
                self._unknown.add(address)
            fetching.add_done_callback(lambda _: self._no_longer_fetching(address))
        await asyncio.wait({fetching})
        return fetching.result()

    def _no_longer_fetching(self, address: str) -> None:
        del self._fetching[address]
        self._unknown.discard(address)

    async def _fetch_in_its_share(self, address: str, *, is_known: bool) -> "_Kept | _Failed":
        """Fetches, and remembers what came of it."""
        ends = time.monotonic() + CERTIFICATE_SECONDS
        share = self._share_of_known if is_known else self._share_of_unknown
        found: _Kept | _Failed
        try:
            turn = await share.take(ends)
            try:
                found = _Kept(await self._fetch_trusted(address, ends), time.monotonic() + CACHE_SECONDS)
            finally:
                share.give_back(turn)
        except httpx.PoolTimeout:
            found = _Failed.of(CertificateUnavailableError("too many other certificates are being fetched"))
        except (CertificateRefusedError, CertificateUnavailableError) as error:
            found = _Failed.of(error)
        if isinstance(found, _Kept):
            self._failed.pop(address, None)
            _remember(self._kept, address, found, MOST_KEPT)
        else:
            _remember(self._failed, address, found, MOST_FAILURES)
        return found

    async def _fetch_trusted(self, url: str, ends: float) -> x509.Certificate:
        leaf, *issuers = _certificates(await self._fetch(url, ends))
        _usable_key(leaf)  # for the clearer refusal
        names = names_of_sns(url)
        try:
            try:
                verify(leaf, issuers, names)
            except UntrustedError:
                published = issuer_url((issuers or [leaf])[-1])
                if published is None:
                    raise
                verify(leaf, [*issuers, _der_certificate(await self._fetch(published, ends))], names)
        except UntrustedError:
            raise CertificateRefusedError("the certificate is not one that Amazon issued for SNS") from None
        return leaf

    async def _fetch(self, url: str, ends: float) -> bytes:
        bounds = Bounds(seconds=max(ends - time.monotonic(), SHORTEST_SECONDS), answer_bytes=LARGEST_CERTIFICATE_BYTES)
        try:
            answer = await self._http.get(url, extensions=bounds.extensions)
        except AnswerTooLargeError:
            raise CertificateRefusedError(f"the certificate is larger than {LARGEST_CERTIFICATE_BYTES} bytes") from None
        except httpx.HTTPError as error:
            raise CertificateUnavailableError(
                f"the certificate could not be fetched from {urlsplit(url).netloc}: {type(error).__name__}"
            ) from error
        if not answer.is_success:
            raise CertificateUnavailableError(f"the certificate's host answered {answer.status_code}")
        return answer.content


@dataclass(frozen=True, slots=True)
class _Kept:
    """A certificate that Amazon issued, and until when it is taken without asking (on `time.monotonic`).

    It stays after that, unused, as the sign of an address that is known.
    """

    certificate: x509.Certificate
    until: float


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why an address gave no certificate, and until when nobody asks again (on `time.monotonic`)."""

    kind: type[CertificateRefusedError | CertificateUnavailableError]
    why: str
    until: float

    @classmethod
    def of(cls, error: CertificateRefusedError | CertificateUnavailableError) -> "_Failed":
        """Of what was raised just now."""
        return cls(type(error), str(error), time.monotonic() + FAILURE_SECONDS)


def _remember(memory: OrderedDict[str, Found], address: str, found: Found, most: int) -> None:
    """Remembers one more; the one that was used the longest ago is forgotten for it."""
    memory[address] = found
    memory.move_to_end(address)
    while len(memory) > most:
        memory.popitem(last=False)


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
