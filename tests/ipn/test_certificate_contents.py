"""What is read out of a certificate, how long it is kept, and the file that a simulator's receiver trusts instead."""

import base64
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.certificates import (
    CACHE_SECONDS,
    FAILURE_SECONDS,
    AmazonCertificates,
    CertificateRefusedError,
    CertificateUnavailableError,
    TrustedCertificate,
    read_public_key,
)
from tests.ipn.amazon_on_loopback import (
    CERTIFICATE_URL,
    HOST,
    AmazonOnLoopback,
    CertificateKey,
    answer,
    certificate,
    pem,
)
from tests.ipn.authority import Authority

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass
class Clock:
    """Stands in for the modules that tell the time: what is kept for a day cannot be tested by waiting."""

    passed: float = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.passed  # others look at the real one, which may be days ahead of any number

    def now(self, zone: tzinfo) -> datetime:
        return datetime.now(zone) + timedelta(seconds=self.passed)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The certificates' clock."""
    told = Clock()
    monkeypatch.setattr("perennial_billing.ipn.certificates.time", told)
    monkeypatch.setattr("perennial_billing.ipn.certificates.datetime", told)
    return told


@pytest.mark.parametrize(("begins", "ends"), [(-DAY, DAY), (-MINUTE, DAY), (-DAY, MINUTE)])
def test_a_certificate_between_its_dates_gives_its_key(
    amazon: NotificationSigner, begins: timedelta, ends: timedelta
) -> None:
    key = amazon.private_key

    assert read_public_key(pem(certificate(key, begins, ends))) == key.public_key()


@pytest.mark.parametrize(("begins", "ends"), [(-2 * DAY, -DAY), (-DAY, -MINUTE), (MINUTE, DAY), (DAY, 2 * DAY)])
def test_a_certificate_outside_its_dates_is_refused_with_them(
    amazon: NotificationSigner, begins: timedelta, ends: timedelta
) -> None:
    expired = certificate(amazon.private_key, begins, ends)

    with pytest.raises(CertificateRefusedError) as refusal:
        read_public_key(pem(expired))

    assert str(refusal.value) == (
        f"the certificate is valid from {expired.not_valid_before_utc:%Y-%m-%d} "
        f"to {expired.not_valid_after_utc:%Y-%m-%d}, not today"
    )


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_that_sns_does_not_sign_with_is_refused(key: CertificateKey) -> None:
    with pytest.raises(CertificateRefusedError, match="key is not RSA"):
        read_public_key(pem(certificate(key)))


def test_what_is_not_a_certificate_in_pem_form_is_refused(amazon: NotificationSigner) -> None:
    whole = pem(certificate(amazon.private_key))
    key = amazon.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    der = certificate(amazon.private_key).public_bytes(serialization.Encoding.DER)

    for content in (b"", b"\x00\xff", b"<html>not found</html>", whole[:-200], whole[100:], key, der):
        with pytest.raises(CertificateRefusedError, match=r"not an X\.509 certificate in PEM form"):
            read_public_key(content)


@pytest.mark.parametrize(
    ("genuine", "damaged"),
    [
        ("a003020102", "a003020105"),  # the version of the certificate
        ("2a864886f70d010101", "2b864886f70d010101"),  # the kind of key
        ("0382010f003082010a", "0382010f003182010a"),  # the key itself
    ],
)
def test_a_damaged_certificate_is_refused(amazon: NotificationSigner, genuine: str, damaged: str) -> None:
    der = certificate(amazon.private_key).public_bytes(serialization.Encoding.DER)
    assert der.count(bytes.fromhex(genuine)) == 1
    broken = der.replace(bytes.fromhex(genuine), bytes.fromhex(damaged))
    text = base64.encodebytes(broken).decode()

    with pytest.raises(CertificateRefusedError):
        read_public_key(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n".encode())


async def test_a_certificate_is_fetched_once_a_day(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, clock: Clock
) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        first = await certificates.public_key(CERTIFICATE_URL)
        clock.passed += CACHE_SECONDS - 1
        assert await certificates.public_key(CERTIFICATE_URL) == first
        assert len(hosts.asked) == 1
        clock.passed += 2
        assert await certificates.public_key(CERTIFICATE_URL) == first
        assert len(hosts.asked) == 2


async def test_each_address_has_a_certificate_of_its_own(hosts: AmazonOnLoopback, authority: Authority) -> None:
    signers = [authority.signer(), authority.signer()]
    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        keys = []
        for number, signer in enumerate(signers):
            hosts.answer = answer(200, signer.certificate_pem)
            keys.append(await certificates.public_key(f"https://{HOST}/{number}.pem"))

    assert keys == [signer.private_key.public_key() for signer in signers]


async def test_trouble_is_kept_for_seconds_only(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, clock: Clock
) -> None:
    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        hosts.answer = answer(503)
        with pytest.raises(CertificateUnavailableError):
            await certificates.public_key(CERTIFICATE_URL)
        hosts.answer = answer(200, b"not a certificate")
        clock.passed += FAILURE_SECONDS
        with pytest.raises(CertificateRefusedError):
            await certificates.public_key(CERTIFICATE_URL)
        hosts.answer = answer(200, amazon.certificate_pem)
        clock.passed += FAILURE_SECONDS
        assert await certificates.public_key(CERTIFICATE_URL) == amazon.private_key.public_key()


async def test_a_kept_certificate_does_not_outlive_its_own_dates(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, authority: Authority, clock: Clock
) -> None:
    ends_soon = authority.issue(amazon.private_key, ends=MINUTE)
    hosts.answer = answer(200, pem(ends_soon) + pem(authority.issuer))

    async with hosts.client() as http:
        certificates = AmazonCertificates(http)
        await certificates.public_key(CERTIFICATE_URL)
        clock.passed += 3600
        with pytest.raises(CertificateRefusedError, match="not today"):
            await certificates.public_key(CERTIFICATE_URL)


async def test_a_trusted_file_counts_whatever_the_message_names(amazon: NotificationSigner, tmp_path: Path) -> None:
    trusted = TrustedCertificate(amazon.write_certificate(tmp_path))

    assert await trusted.public_key("https://evil.example/a.pem") == amazon.private_key.public_key()


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_trusted_file_that_holds_no_certificate_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CertificateRefusedError) as refusal:
        TrustedCertificate(path)

    assert "\n" not in str(refusal.value)
    assert content is not None or str(refusal.value) == f"{path}: No such file or directory"
