"""Whether a certificate is one that Amazon issued for SNS: the chain from it up to one of Amazon's own roots.

The file that a message names holds the leaf alone. Its issuer is fetched from where Amazon Trust Services publishes it,
which the leaf names; that is plain http, and does not matter: an issuer counts by the signature of a root.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import certifi
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

ISSUER_URL: Final = re.compile(r"http://crt\.[a-z0-9]+\.amazontrust\.com/[a-z0-9]+\.cer")
"""Where Amazon Trust Services publishes the certificates of its issuers, in DER form."""

_AMAZON: Final = "Amazon"
_SNS_HOST: Final = re.compile(r"sns\.(?P<region>[a-z0-9-]+)\.(?P<domain>amazonaws\.com(\.cn)?)")


class UntrustedError(Exception):
    """The certificate does not lead to one of Amazon's roots under a name of SNS."""


@cache
def amazons_roots() -> tuple[x509.Certificate, ...]:
    """Amazon's own among the root certificates that browsers trust."""
    bundle = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bundle.load_verify_locations(certifi.where())
    described = zip(bundle.get_ca_certs(), bundle.get_ca_certs(binary_form=True), strict=True)
    return tuple(x509.load_der_x509_certificate(der) for root, der in described if _is_amazons(root))


def _is_amazons(root: Mapping[str, Any]) -> bool:  # Any: the ssl module says no more
    subject = {name: value for ((name, value),) in root["subject"]}
    return subject.get("organizationName") == _AMAZON


def names_of_sns(url: str) -> tuple[str, ...]:
    """The names that the certificate behind a SigningCertURL may be issued for.

    One for nearly all regions, one of their own for those that have to be opted into, and one for China (as in AWS's
    SDK for Java).
    """
    host = _SNS_HOST.fullmatch(urlsplit(url).netloc)
    if host is None:
        return ()
    region, domain = host["region"], host["domain"]
    return f"sns.{domain}", f"sns-signing.{region}.{domain}", f"sns-{region}.{domain}", f"sns.{region}.{domain}"


def verify(leaf: x509.Certificate, issuers: Sequence[x509.Certificate], names: Sequence[str]) -> None:
    """Checks signatures, dates, names and constraints from the leaf to a root, as for a TLS server (RFC 5280).

    Raises:
        UntrustedError: no such chain stands today.
    """
    policy = PolicyBuilder().store(Store(list(amazons_roots()))).time(datetime.now(UTC))
    for name in names:
        try:
            policy.build_server_verifier(x509.DNSName(name)).verify(leaf, list(issuers))
        except VerificationError:
            continue
        return
    raise UntrustedError


def issuer_url(certificate: x509.Certificate) -> str | None:
    """Where the certificate says that its issuer's is published; None where it does not, or not by Amazon."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    for description in access:
        location = description.access_location
        if (
            description.access_method == AuthorityInformationAccessOID.CA_ISSUERS
            and isinstance(location, x509.UniformResourceIdentifier)
            and ISSUER_URL.fullmatch(location.value)
        ):
            return location.value
    return None
