"""Whether the certificate by which this deployment shows the Temporal server who it is holds for a while yet."""

from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from temporalio.envconfig import ClientConfig
from temporalio.service import TLSConfig

from perennial_billing.starter.checks.addresses import EXPIRES_SOON
from perennial_billing.starter.checks.check import Check, State

OF_TEMPORAL: Final = "Temporal's client certificate"


def of_temporal() -> Check:
    """That of `TEMPORAL_TLS_CLIENT_CERT_PATH` and its siblings, where one is set."""
    try:
        tls = ClientConfig.load_client_connect_config().get("tls")
    except (OSError, RuntimeError, ValueError):
        return Check(
            name=OF_TEMPORAL, state=State.NOT_TRIED, found="the configuration of Temporal's client comes first"
        )
    shown = tls.client_cert if isinstance(tls, TLSConfig) else None
    if shown is None:
        how = "without TLS" if not tls else "by TLS, and who asks is shown by a key or not at all"
        return Check(name=OF_TEMPORAL, state=State.DONE, found=f"none is set ({how})")
    return client_certificate(shown)


def client_certificate(pem: bytes) -> Check:
    """Whether it can be read, and when it expires."""
    try:
        expires = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        return Check(
            name=OF_TEMPORAL,
            state=State.WRONG,
            found="TEMPORAL_TLS_CLIENT_CERT_PATH: what it names is no certificate (PEM)",
            to_do="name the certificate there, and its private key in TEMPORAL_TLS_CLIENT_KEY_PATH",
        )
    left = expires - datetime.now(UTC)
    if left < EXPIRES_SOON:
        return Check(
            name=OF_TEMPORAL,
            state=State.WRONG,
            found=f"it {'expires' if left.total_seconds() > 0 else 'expired'} on {expires:%Y-%m-%d}",
            to_do="renew it, and start workers, receiver and API anew with it: without, nobody is billed",
        )
    return Check(name=OF_TEMPORAL, state=State.DONE, found=f"it holds until {expires:%Y-%m-%d}")
