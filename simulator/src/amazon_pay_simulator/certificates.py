"""Certificates that the simulator makes itself: for its notifications, and for TLS."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from amazon_pay_client.files import read_small_file

LIVES: Final = timedelta(days=3650)
TLS_CERTIFICATE_FILE: Final = "tls-certificate.pem"
TLS_KEY_FILE: Final = "tls-key.pem"
AMAZONS_HOSTS: Final = ("pay-api.amazon.com", "pay-api.amazon.eu", "pay-api.amazon.jp")
"""Of the API, for North America, Europe and Japan, sandbox and live alike: an SDK that cannot be told another host is
sent to the simulator by the name's resolution, and finds its own host's name in the certificate."""


def new_key() -> rsa.RSAPrivateKey:
    """An RSA key of 2048 bits, as Amazon Pay and SNS use them."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def self_signed(key: rsa.RSAPrivateKey, name: str, hosts: tuple[str, ...] = ()) -> bytes:
    """A certificate in PEM form, valid from yesterday on."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIVES)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def write_private_key(path: Path, key: rsa.RSAPrivateKey) -> None:
    """Writes a private key in PEM form (PKCS#8), readable by its owner only."""
    path.touch(mode=0o600)
    path.chmod(0o600)  # also where the file was there before
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def tls_files(folder: Path, host: str) -> tuple[Path, Path]:
    """Certificate and private key for TLS; those of an earlier run in this folder, or new ones written there.

    A certificate that lacks a name that is needed, as this one is asked for by another host, is replaced.
    """
    certificate, key_file = folder / TLS_CERTIFICATE_FILE, folder / TLS_KEY_FILE
    hosts = tuple(dict.fromkeys(("localhost", "127.0.0.1", host, *AMAZONS_HOSTS)))
    if not (certificate.exists() and key_file.exists() and set(hosts) <= _hosts_of(certificate)):
        key = new_key()
        write_private_key(key_file, key)
        certificate.write_bytes(self_signed(key, "Amazon Pay simulator", hosts))
    return certificate, key_file


def _hosts_of(certificate: Path) -> set[str]:
    """The names that a certificate is for; none where it is none."""
    try:
        read = x509.load_pem_x509_certificate(read_small_file(certificate).content)
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return set()
    return {str(name.value) for name in names}


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
