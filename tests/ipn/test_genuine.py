"""What SNS itself signed is believed: the rule of the string to sign, against signatures that are not our own."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay_client.ipn import EnvelopeType
from perennial_billing.ipn.certificates import CertificateRefusedError, is_amazon_sns_url, read_public_key
from perennial_billing.ipn.chain import issuer_url, names_of_sns
from perennial_billing.ipn.proof import Prover, UnprovenError
from tests.ipn.authority import ISSUER_URL
from tests.ipn.genuine import CERTIFICATE_PEM, CERTIFICATE_URL, CONFIRMATION, VERSION_2, WITH_SUBJECT, body

CERTIFICATE = x509.load_pem_x509_certificate(CERTIFICATE_PEM)
AGES = timedelta(days=365_000)


class OfItsTime:
    """Gives the certificate's key as if its time were not over."""

    async def public_key(self, url: str) -> RSAPublicKey:
        """The key, for the address that the messages name."""
        assert url == CERTIFICATE_URL
        key = CERTIFICATE.public_key()
        assert isinstance(key, RSAPublicKey)
        return key


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (VERSION_2, EnvelopeType.NOTIFICATION),
        (WITH_SUBJECT, EnvelopeType.NOTIFICATION),
        (CONFIRMATION, EnvelopeType.SUBSCRIPTION_CONFIRMATION),
    ],
    ids=["version 2", "version 1 with a subject", "confirmation"],
)
async def test_what_sns_signed_is_proven(message: dict[str, str], kind: EnvelopeType) -> None:
    prover = Prover(OfItsTime(), longest_age=AGES)

    assert (await prover.envelope(body(message))).type is kind
    with pytest.raises(UnprovenError, match="signature does not hold"):
        await prover.envelope(body(message | {"Message": message["Message"] + " "}))


async def test_what_sns_signed_months_ago_is_stale() -> None:
    with pytest.raises(UnprovenError) as refused:
        await Prover(OfItsTime()).envelope(body(VERSION_2))

    assert refused.value.cause == "stale"


def test_the_certificate_of_sns_is_as_we_expect_it() -> None:
    names = CERTIFICATE.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert is_amazon_sns_url(CERTIFICATE_URL)
    assert set(names.get_values_for_type(x509.DNSName)) <= set(names_of_sns(CERTIFICATE_URL))
    assert issuer_url(CERTIFICATE) == ISSUER_URL


def test_a_certificate_of_sns_whose_time_is_over_is_refused() -> None:
    with pytest.raises(CertificateRefusedError, match="valid from 2025-11-10 to 2026-10-14, not today"):
        read_public_key(CERTIFICATE_PEM)
