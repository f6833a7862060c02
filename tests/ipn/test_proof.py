"""A message is believed only as Amazon signed it, from the topic and for the merchant that were set.

A refusal carries one word by which refusals are counted: what counts is that it is the right one, and that no body,
however odd, leads to anything but a refusal.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.certificates import AmazonCertificates, CertificateUnavailableError
from perennial_billing.ipn.proof import Prover, UnprovenError
from perennial_billing.sandbox.stage import MERCHANT_ID
from tests.ipn.amazon_on_loopback import AmazonOnLoopback, answer
from tests.ipn.messages import TOPIC, body, confirmation, envelope, message, signed, trusting

OTHER_TOPIC = "arn:aws:sns:us-east-1:111111111111:another"
SUBSCRIBE_URL = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37"
EVIL_URL = "https://evil.example/a.pem"


@pytest.fixture
def prover(amazon: NotificationSigner, tmp_path: Path) -> Prover:
    """Takes one topic, one merchant and one signer."""
    return Prover(trusting(amazon, tmp_path), [TOPIC], MERCHANT_ID)


async def cause_of_refusal(prover: Prover, posted: bytes) -> str:
    """The word under which the refusal of this body is counted."""
    with pytest.raises(UnprovenError) as refusal:
        prover.notification(await prover.envelope(posted))
    assert len(str(refusal.value)) < 200
    assert "\n" not in str(refusal.value)
    return refusal.value.cause


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_message_that_amazon_signed_is_believed(
    prover: Prover, amazon: NotificationSigner, version: str
) -> None:
    posted = signed(amazon, envelope(message("C01-1"), SignatureVersion=version, Subject="hello"))

    notification = prover.notification(await prover.envelope(body(posted)))

    assert notification.charge_permission_id == "C01-1"


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_confirmation_that_amazon_signed_is_believed(
    prover: Prover, amazon: NotificationSigner, version: str, kind: str
) -> None:
    posted = signed(amazon, confirmation(SUBSCRIBE_URL, SignatureVersion=version) | {"Type": kind})

    assert (await prover.envelope(body(posted))).subscribe_url == SUBSCRIBE_URL


@pytest.mark.parametrize(
    ("changed", "to"),
    [
        ("Message", message("C01-another")),
        ("MessageId", "another"),
        ("Subject", "added"),
        pytest.param("Timestamp", datetime.now(UTC).isoformat(), id="Timestamp-now"),
        ("Type", "UnsubscribeConfirmation"),
        ("SignatureVersion", "1"),
    ],
)
async def test_a_changed_message_under_the_old_signature_is_refused(
    prover: Prover, amazon: NotificationSigner, changed: str, to: str
) -> None:
    genuine = signed(amazon, envelope(message()))

    assert await cause_of_refusal(prover, body(genuine | {changed: to})) == "signature"


@pytest.mark.parametrize(("changed", "to"), [("SubscribeURL", EVIL_URL), ("Token", "another")])
async def test_a_changed_confirmation_under_the_old_signature_is_refused(
    prover: Prover, amazon: NotificationSigner, changed: str, to: str
) -> None:
    genuine = signed(amazon, confirmation(SUBSCRIBE_URL))

    assert await cause_of_refusal(prover, body(genuine | {changed: to})) == "signature"


async def test_the_topic_cannot_be_swapped_for_the_expected_one(prover: Prover, amazon: NotificationSigner) -> None:
    genuine = signed(amazon, envelope(message(), TopicArn=OTHER_TOPIC))

    with pytest.raises(UnprovenError) as refused:
        await prover.envelope(body(genuine))
    assert (refused.value.cause, refused.value.claimed) == ("topic", OTHER_TOPIC)
    assert OTHER_TOPIC not in str(refused.value), "the sender is told nothing that it might not know"
    assert await cause_of_refusal(prover, body(genuine | {"TopicArn": TOPIC})) == "signature"


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_message_signed_with_another_key_is_refused(
    prover: Prover, forger: NotificationSigner, version: str
) -> None:
    forged = signed(forger, envelope(message(), SignatureVersion=version))

    assert await cause_of_refusal(prover, body(forged)) == "signature"


@pytest.mark.parametrize(
    "signature", ["", "AAAA", "A", "no base64!", "\u00fc", "A" * 344, " ", "=", "A" * 100_000], ids=range(9)
)
async def test_what_is_no_signature_is_refused(prover: Prover, signature: str) -> None:
    assert await cause_of_refusal(prover, body(envelope(message(), Signature=signature))) == "signature"


@pytest.mark.parametrize("version", ["", "0", "3", "01", "1 ", "\uff12", "SHA256", "\x1b[2J" + "9" * 100_000, "1\n2"])
async def test_a_signature_version_that_nobody_knows_is_refused(
    prover: Prover, amazon: NotificationSigner, version: str
) -> None:
    genuine = signed(amazon, envelope(message()))

    assert await cause_of_refusal(prover, body(genuine | {"SignatureVersion": version})) == "signature"


async def test_a_notification_for_another_merchant_is_refused(prover: Prover, amazon: NotificationSigner) -> None:
    posted = signed(amazon, envelope(message(MerchantID="A2SOMEONE")))

    assert await cause_of_refusal(prover, body(posted)) == "merchant"


async def test_without_a_topic_and_a_merchant_every_one_is_taken(amazon: NotificationSigner, tmp_path: Path) -> None:
    prover = Prover(trusting(amazon, tmp_path))
    posted = signed(amazon, envelope(message(MerchantID="A2SOMEONE"), TopicArn=OTHER_TOPIC))

    assert prover.notification(await prover.envelope(body(posted))).merchant_id == "A2SOMEONE"


async def test_a_message_that_names_a_certificate_elsewhere_is_refused(
    hosts: AmazonOnLoopback, forger: NotificationSigner
) -> None:
    hosts.answer = answer(200, forger.certificate_pem)
    posted = signed(forger, envelope(message(), SigningCertURL=EVIL_URL))

    async with hosts.client() as http:
        assert await cause_of_refusal(Prover(AmazonCertificates(http)), body(posted)) == "certificate"
    assert hosts.asked == []


async def test_a_message_is_proven_with_the_certificate_that_its_host_serves(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, forger: NotificationSigner
) -> None:
    hosts.answer = answer(200, amazon.certificate_pem)

    async with hosts.client() as http:
        prover = Prover(AmazonCertificates(http))
        await prover.envelope(body(signed(amazon, envelope(message()))))
        assert await cause_of_refusal(prover, body(signed(forger, envelope(message())))) == "signature"


async def test_a_certificate_that_cannot_be_had_now_is_no_refusal(
    hosts: AmazonOnLoopback, amazon: NotificationSigner
) -> None:
    hosts.answer = answer(503)

    async with hosts.client() as http:
        with pytest.raises(CertificateUnavailableError):
            await Prover(AmazonCertificates(http)).envelope(body(signed(amazon, envelope(message()))))


@pytest.mark.parametrize(
    "posted",
    [b"nonsense", body(envelope("")), body(envelope("") | {"TopicArn": OTHER_TOPIC, "SignatureVersion": "2"})],
)
async def test_nothing_is_fetched_for_a_message_that_is_refused_anyway(hosts: AmazonOnLoopback, posted: bytes) -> None:
    async with hosts.client() as http:
        prover = Prover(AmazonCertificates(http), [OTHER_TOPIC + "-not"])
        await cause_of_refusal(prover, posted)
    assert hosts.asked == []


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=14), timedelta(minutes=-4)])
async def test_a_message_may_be_as_old_as_amazons_last_try_and_a_little_ahead(
    prover: Prover, amazon: NotificationSigner, age: timedelta
) -> None:
    published = (datetime.now(UTC) - age).isoformat()

    await prover.envelope(body(signed(amazon, envelope(message(), Timestamp=published))))


@pytest.mark.parametrize("age", [timedelta(days=14, hours=2), timedelta(days=10_000), timedelta(minutes=-6)])
async def test_a_message_of_another_time_is_refused_before_anything_is_fetched(
    hosts: AmazonOnLoopback, amazon: NotificationSigner, age: timedelta
) -> None:
    published = (datetime.now(UTC) - age).isoformat()

    async with hosts.client() as http:
        prover = Prover(AmazonCertificates(http))
        stale = body(signed(amazon, envelope(message(), Timestamp=published)))
        assert await cause_of_refusal(prover, stale) == "stale"
    assert hosts.asked == []


async def test_how_old_a_message_may_be_is_set(amazon: NotificationSigner, tmp_path: Path) -> None:
    prover = Prover(trusting(amazon, tmp_path), longest_age=timedelta(minutes=10))
    published = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()

    assert await cause_of_refusal(prover, body(signed(amazon, envelope(message(), Timestamp=published)))) == "stale"


@pytest.mark.parametrize("when", ["", "yesterday", "2026-11-23", "2026-11-23T22:43:43", "1764110623", "9" * 5000])
async def test_what_is_no_instant_is_malformed(prover: Prover, amazon: NotificationSigner, when: str) -> None:
    posted = signed(amazon, envelope(message(), Timestamp=when))

    assert await cause_of_refusal(prover, body(posted)) == "malformed"
