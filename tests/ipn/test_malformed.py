"""Anybody can post anything to the receiver: it is refused by name, and never leads to an error of another kind."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.certificates import AmazonCertificates, CertificateUnavailableError
from perennial_billing.ipn.proof import Prover, UnprovenError
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL, HOST
from tests.ipn.messages import body, envelope, message, signed, trusting

WHOLE = envelope(message())
NEEDED = ["Type", "MessageId", "TopicArn", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL"]
NEEDED_INSIDE = ["MerchantID", "ObjectType", "ObjectId", "ChargePermissionId", "NotificationType", "NotificationId"]

NO_MESSAGE = {
    "nothing": b"",
    "not JSON": b"nonsense",
    "half of one": body(WHOLE)[:-1],
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "nothing in it": b"{}",
    "not UTF-8": body(WHOLE).replace(b"Notification", b"Notif\xe9cation"),
    "UTF-16": body(WHOLE).decode().encode("utf-16"),
    "half a character": body(WHOLE).replace(b"arn:aws", b"\\ud83d"),
    "deeper than anybody reads": b"[" * 100_000,
    "a deep field": b'{"Type":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a number of many digits": b'{"Type":' + b"9" * 10_000 + b"}",
    "a type that SNS does not have": body(WHOLE | {"Type": "Surprise"}),
}

# Fields by their own names, so that the search gets past "malformed", and any JSON beside them.
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
urls = st.text(max_size=20).map(lambda text: f"https://{HOST}/{text}.pem")
plausible = st.fixed_dictionaries(
    {name: st.text(max_size=20) | st.just(WHOLE[name]) for name in NEEDED} | {"SigningCertURL": urls | st.text()},
    optional={"Subject": any_json, "SubscribeURL": any_json, "Token": any_json, "message_id": any_json, "": any_json},
)

ONE_CLIENT_FOR_ALL_EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def refusal(prover: Prover, posted: bytes) -> UnprovenError:
    with pytest.raises(UnprovenError) as refused:
        await prover.envelope(posted)
    return refused.value


@pytest.mark.parametrize("posted", NO_MESSAGE.values(), ids=NO_MESSAGE)
async def test_what_is_no_sns_message_is_refused_as_malformed(
    amazon: NotificationSigner, tmp_path: Path, posted: bytes
) -> None:
    refused = await refusal(Prover(trusting(amazon, tmp_path)), posted)

    assert refused.cause == "malformed"
    assert str(refused).startswith("not an SNS message (wrong: ")


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("wrong", [None, 1, [], {}], ids=["null", "number", "list", "object"])
async def test_a_wrong_or_missing_field_is_named(
    amazon: NotificationSigner, tmp_path: Path, name: str, wrong: object
) -> None:
    prover = Prover(trusting(amazon, tmp_path))
    without = {field: value for field, value in WHOLE.items() if field != name}

    for posted in (without, WHOLE | {name: wrong}):
        refused = await refusal(prover, json.dumps(posted).encode())
        assert (refused.cause, str(refused)) == ("malformed", f"not an SNS message (wrong: {name})")


@pytest.mark.parametrize("text", ["", "hello", "[]", "{}", "null", '"{}"'])
async def test_a_message_that_is_no_notification_is_refused_as_malformed(
    amazon: NotificationSigner, tmp_path: Path, text: str
) -> None:
    prover = Prover(trusting(amazon, tmp_path))
    proven = await prover.envelope(body(signed(amazon, envelope(text))))

    with pytest.raises(UnprovenError, match=r"not a notification of Amazon Pay \(wrong: ") as refused:
        prover.notification(proven)
    assert refused.value.cause == "malformed"


@pytest.mark.parametrize("name", NEEDED_INSIDE)
async def test_a_notification_without_a_needed_field_is_refused_with_its_name(
    amazon: NotificationSigner, tmp_path: Path, name: str
) -> None:
    prover = Prover(trusting(amazon, tmp_path))
    fields: dict[str, Any] = json.loads(message())
    del fields[name]
    proven = await prover.envelope(body(signed(amazon, envelope(json.dumps(fields)))))

    with pytest.raises(UnprovenError) as refused:
        prover.notification(proven)

    assert (refused.value.cause, str(refused.value)) == (
        "malformed",
        f"not a notification of Amazon Pay (wrong: {name})",
    )


async def test_a_refusal_does_not_repeat_what_was_posted(amazon: NotificationSigner, tmp_path: Path) -> None:
    posted = json.dumps(WHOLE | {"Type": "<script>", "Token": ["<script>"], "Subject": {"<script>": 1}}).encode()

    assert "script" not in str(await refusal(Prover(trusting(amazon, tmp_path)), posted))


@ONE_CLIENT_FOR_ALL_EXAMPLES
@given(posted=st.binary(max_size=300))
async def test_no_bytes_lead_to_anything_but_a_refusal(
    amazon: NotificationSigner, tmp_path: Path, posted: bytes
) -> None:
    await refusal(Prover(trusting(amazon, tmp_path)), posted)


@ONE_CLIENT_FOR_ALL_EXAMPLES
@given(posted=any_json)
async def test_no_json_leads_to_anything_but_a_refusal(
    amazon: NotificationSigner, tmp_path: Path, posted: object
) -> None:
    await refusal(Prover(trusting(amazon, tmp_path)), json.dumps(posted).encode())


@ONE_CLIENT_FOR_ALL_EXAMPLES
@given(posted=plausible)
@example(posted=WHOLE | {"SigningCertURL": CERTIFICATE_URL})
@example(posted=WHOLE | {"SigningCertURL": f"https://{HOST}/\n.pem"})
async def test_no_plausible_message_leads_to_anything_but_a_refusal_or_later(
    unreachable: httpx.AsyncClient, posted: dict[str, object]
) -> None:
    with pytest.raises((UnprovenError, CertificateUnavailableError)):
        await Prover(AmazonCertificates(unreachable)).envelope(json.dumps(posted).encode())


@ONE_CLIENT_FOR_ALL_EXAMPLES
@given(text=st.text(max_size=100) | any_json.map(json.dumps))
async def test_no_signed_text_leads_to_anything_but_a_refusal(
    amazon: NotificationSigner, tmp_path: Path, text: str
) -> None:
    prover = Prover(trusting(amazon, tmp_path))
    proven = await prover.envelope(body(signed(amazon, envelope(text))))

    with pytest.raises(UnprovenError):
        prover.notification(proven)
