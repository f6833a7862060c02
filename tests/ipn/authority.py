"""Stands in for Amazon Trust Services: a root, an issuer under it, and the certificates that the issuer signs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from amazon_pay_simulator.notifications import NotificationSigner

ISSUER_URL: Final = "http://crt.r2m01.amazontrust.com/r2m01.cer"
SNS: Final = "sns.amazonaws.com"
SNS_IN_CHINA: Final = "sns.amazonaws.com.cn"
DAY: Final = timedelta(days=1)


def _named(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        key_encipherment=not authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class Authority:
    """One hierarchy.

    Attributes:
        root: the certificate that is to be trusted.
        issuer: the one that signs those of SNS.
    """

    def __init__(self) -> None:
        self._root_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._issuer_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.root = self._authority("Loopback Root CA 1", self._root_key, None)
        self.issuer = self._authority("Loopback RSA 2048 M01", self._issuer_key, self.root)

    def signer(self) -> NotificationSigner:
        """Somebody with a new key and a certificate for it, in one file with the issuer's."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return NotificationSigner(key, pem(self.issue(key, ends=30 * DAY)) + pem(self.issuer))

    def issue(
        self,
        key: rsa.RSAPrivateKey,
        names: Sequence[str] = (SNS, SNS_IN_CHINA),
        begins: timedelta = -DAY,
        ends: timedelta = DAY,
        issuer_url: str | None = ISSUER_URL,
    ) -> x509.Certificate:
        """A certificate like that of SNS; its dates are relative to now."""
        now = datetime.now(UTC)
        builder = (
            self._builder(_named(names[0]), key, self.issuer.subject, now + begins, now + ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._issuer_key.public_key()), critical=False
            )
        )
        if issuer_url is not None:
            published = x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_url)
            )
            builder = builder.add_extension(x509.AuthorityInformationAccess([published]), critical=False)
        return builder.sign(self._issuer_key, hashes.SHA256())

    def _authority(self, name: str, key: rsa.RSAPrivateKey, above: x509.Certificate | None) -> x509.Certificate:
        now = datetime.now(UTC)
        subject = _named(name)
        return (
            self._builder(subject, key, above.subject if above else subject, now - DAY, now + 365 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None if above is None else 0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._root_key.public_key()), critical=False
            )
            .sign(self._root_key, hashes.SHA256())
        )

    @staticmethod
    def _builder(
        subject: x509.Name, key: rsa.RSAPrivateKey, issuer: x509.Name, begins: datetime, ends: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )


def pem(certificate: x509.Certificate) -> bytes:
    """As SNS serves a certificate."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def der(certificate: x509.Certificate) -> bytes:
    """As Amazon Trust Services publishes an issuer's."""
    return certificate.public_bytes(serialization.Encoding.DER)
