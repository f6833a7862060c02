"""No secret and nothing of a buyer gets into a log, whatever form it has, wherever it stands and whoever writes it."""

import base64
import io
import json
import logging
import string
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from amazon_pay_client.models import Buyer
from amazon_pay_client.models.common import Address
from perennial_billing.runtime.codec import MissingKeyError
from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.redaction import HIDDEN, Redaction
from perennial_billing.runtime.settings import LogFormat, Settings
from tests.runtime.test_logs import Configure, configure, lines
from tests.starter.key_material import RSA_PEM, leaked

__all__ = ["configure"]

WORD = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40)
ENCODED = st.binary(min_size=24, max_size=48).map(lambda each: base64.b64encode(each).decode())
PHRASE = st.text(string.ascii_letters + string.digits + " !#$%&*+-./:;=?@^_{}~\"'\\", min_size=8, max_size=40).filter(
    lambda each: each.strip() == each
)

STRANGERS: dict[str, tuple[st.SearchStrategy[str], tuple[str, ...]]] = {
    "a header": (
        WORD,
        (
            "Authorization: Bearer {}",
            "authorization: {}",
            "{{'Authorization': 'Bearer {}'}}",
            '{{"authorization":"Basic {}"}}',
            "[(b'authorization', b'AMZN-PAY-RSASSA-PSS-V2 Signature={}')]",
            "Headers({{'authorization': '{}'}})",
            "sent with Bearer {}padded-to-a-token",
            "Cookie: perennial_codec={}",
        ),
    ),
    "a webhook secret": (ENCODED, ("signed with whsec_{}", "['whsec_{}']", '{{"a": "whsec_{}"}}')),
    "a key of the API": (WORD, ("perennial_0011223344556677_{}", "key=perennial_0011223344556677_{}, and on")),
    "a password in an address": (
        WORD,
        (
            "postgresql://shop:{}@db:5432/books cannot be reached",
            "(psycopg) postgresql+psycopg://shop:{}@db/books",
            "https://:{}@proxy/",
        ),
    ),
    "by its name": (
        WORD,
        (
            '{{"client_secret": "{}"}}',
            "{{'private_key_passphrase': '{}'}}",
            "password={} host=db",
            "Settings(webhook_secret='{}')",
            '{{"api_key":"{}","x":1}}',
            "access_token = {}",
            '"{{\\"password\\": \\"{}\\"}}"',
        ),
    ),
    "a token": (WORD, ("eyJhbGciOi.eyJzdWIi{}.c2ln",)),
    "an e-mail address": (WORD, ("{}@shop.example has written", "<{}@mail.shop.example>", "mailto:{}@a.bc")),
}

FIELDS = (
    f"it was {Buyer(shipping_address=Address())!r}, and chargePermissionState invalid: "
    f"buyer shippingAddress event read answer {HIDDEN} {repr(Address()).title()}"
)
"""What stands around: a name that is a piece of it would be found there."""

NAMES = st.text(
    st.characters(categories=["Lu", "Ll", "Lo"], include_characters=" -'\"}),(\\"), min_size=5, max_size=30
).filter(lambda each: sum(letter.isalpha() for letter in each) > 4 and each.lower() not in FIELDS.lower())


@pytest.mark.parametrize("what", STRANGERS)
@given(data=st.data())
def test_what_nobody_knows_beforehand_is_hidden_by_its_look_or_its_name(what: str, data: st.DataObject) -> None:
    strategy, forms = STRANGERS[what]
    secret = data.draw(strategy)

    for form in forms:
        text = form.format(secret)
        assert secret not in Redaction().text(text), form
        around = f"before {text}\nand after"
        hidden = Redaction().text(around)
        assert secret not in hidden, form
        assert hidden.startswith("before ")
        assert hidden.endswith("and after")


@given(secret=PHRASE)
def test_a_secret_of_this_process_is_hidden_however_it_is_written(secret: str) -> None:
    redaction = Redaction([secret])

    for written in (secret, f"x{secret}y", repr(secret), json.dumps({"a": secret}), repr({secret: [secret]})):
        assert secret not in redaction.text(written)
        assert repr(secret)[1:-1] not in redaction.text(written)
        assert json.dumps(secret)[1:-1] not in redaction.text(written)


def test_a_private_key_is_hidden_whole_cut_or_in_one_line() -> None:
    cut_at = len(RSA_PEM) // 2
    for text in (RSA_PEM, repr(RSA_PEM), json.dumps(RSA_PEM), RSA_PEM[:cut_at], RSA_PEM[cut_at:], RSA_PEM * 2):
        hidden = Redaction().text(f"read {text}")
        assert leaked(RSA_PEM, hidden) == set()


@given(name=NAMES, line=NAMES, city=NAMES)
def test_a_buyer_is_hidden_in_every_form_that_amazons_answers_take(name: str, line: str, city: str) -> None:
    wire = {
        "chargePermissionState": "Open",
        "buyer": {"buyerId": "B-1", "name": name, "email": "zoe@shop.example"},
        "shippingAddress": {"name": name, "addressLine1": line, "city": city, "postalCode": "69001"},
    }
    address = Address(name=name, address_line1=line, city=city)
    model = Buyer(name=name, email="zoe@shop.example", shipping_address=address)
    written = json.dumps(wire, ensure_ascii=False)
    for text in (
        written,
        json.dumps(written, ensure_ascii=False),
        repr(wire),
        f"it was {model!r}, and {address!r}",
        f"invalid: {wire['shippingAddress']}",
    ):
        hidden = Redaction().text(text)
        for private in (name, line, city):
            assert all(form not in hidden for form in forms(private)), text
    values: list[Any] = [wire, model, [wire], {"a": (wire,)}, wire["shippingAddress"], {"answer": written}]
    for value in values:
        hidden = json.dumps(Redaction()(None, "", {"event": "read", "answer": value}), ensure_ascii=False, default=repr)
        for private in (name, line, city):
            assert all(form not in hidden for form in forms(private)), value


def forms(private: str) -> Iterator[str]:
    """How a text may be written; short ones are met by chance."""
    yield from {form for form in (private, repr(private)[1:-1], json.dumps(private)[1:-1]) if len(form) > 4}


def test_an_answer_that_was_cut_shows_no_name_either() -> None:
    hidden = Redaction().text('...,"addressLine1":"1 rue de la Paix","name":"Zoe Quill","countryCode":"FR"')

    assert hidden == f'...,"addressLine1":{HIDDEN},"name":{HIDDEN},"countryCode":"FR"'


@pytest.mark.parametrize(
    "text",
    [
        "charge S01-1234567-1234567-C000001 of 9.99 USD is Captured, as amount=9.99 says",
        "PERENNIAL_CODEC_KEYS: lacks the key 2026-06, under which a history is encrypted",
        "PERENNIAL_WEBHOOK_SECRET: is not a secret of the Standard Webhooks specification",
        "TEMPORAL_ADDRESS: no Temporal server answers at localhost:7233; start one or set the address",
        "http://127.0.0.1:8600/v2/charges answers 404",
        "IPv4Address('127.0.0.1') is in a network of one's own; the region is eu",
        "subscription-C01-1 goes on under plan gold (name='monthly')",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert Redaction(["another-secret"]).text(text) == text


def test_fields_are_hidden_by_their_names_and_others_stay() -> None:
    event = {
        "event": "said",
        "password": "hunter2",
        "X-Api-Key": "k",
        "headers": [("authorization", "Bearer x"), ("accept", "json")],
        "nested": {"webhookSecret": b"w", "name": "worker", "amount": 9.99, "is_secret": None},
        "raw": b"password=hunter2",
        "address": "localhost:7233",
    }

    assert Redaction()(None, "", event) == {
        "event": "said",
        "password": HIDDEN,
        "X-Api-Key": HIDDEN,
        "headers": [["authorization", HIDDEN], ["accept", "json"]],
        "nested": {"webhookSecret": HIDDEN, "name": "worker", "amount": 9.99, "is_secret": None},
        "raw": f"b'password={HIDDEN}'",
        "address": "localhost:7233",
    }


HOSTILE = [
    "\\" * 200_000 + '"token":',
    'secret="' * 20_000,
    "://a:" * 60_000,
    "buyer={" * 20_000,
    "a@" * 100_000,
    "eyJ" * 70_000,
    "-----BEGIN PRIVATE KEY-----" * 5_000,
    "authorization: " * 20_000,
    "'" * 200_000 + "city=",
    "token=" + "\\" * 200_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_others_holds_a_process_up(text: str) -> None:
    """Each is done in a moment; what looks from every place to the end of the text would be ended by the time limit."""
    assert len(Redaction().text(text)) < 2 * len(text)


# In the log


KNOWN = Settings(
    private_key=SecretStr(RSA_PEM),
    private_key_passphrase=SecretStr("correct horse battery"),
    codec_keys=SecretStr("2026-06:" + base64.b64encode(b"k" * 32).decode()),
    accounts_secret=SecretStr(base64.urlsafe_b64encode(b"f" * 32).decode()),
    ledger_url=SecretStr("postgresql://shop:p%40ss-w0rd@db/books"),
    webhook_url="https://shop.example/notices",
    webhook_secret=SecretStr("whsec_" + base64.b64encode(b"w" * 24).decode()),
)
SECRETS = [
    "correct horse battery",
    base64.b64encode(b"k" * 32).decode(),
    base64.urlsafe_b64encode(b"f" * 32).decode(),
    "p%40ss-w0rd",
    "p@ss-w0rd",
    base64.b64encode(b"w" * 24).decode(),
    RSA_PEM.splitlines()[3],
    "tmprl-api-key-of-the-cloud",
]

Saying = Callable[[str], None]


class Odd:
    """Something with a text of its own."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return f"Odd({self._secret!r})"


def fails(secret: str, log: Any) -> None:  # Any: a logger of either library
    try:
        try:
            raise ValueError(f"not {secret}")  # noqa: TRY301 - as code raises it
        except ValueError as cause:
            raise RuntimeError({"a": [secret]}) from cause
    except RuntimeError:
        log.exception("failed")


WAYS: list[Saying] = [
    lambda secret: structlog.get_logger("ours").info(f"with {secret} in it"),
    lambda secret: structlog.get_logger("ours").info("said", field=secret, nested={"a": [{secret: (secret,)}]}),
    lambda secret: structlog.get_logger("ours").info("said", odd=Odd(secret), raw=secret.encode(), all={secret}),
    lambda secret: structlog.get_logger("ours").warning("said", error=ValueError(secret)),
    lambda secret: fails(secret, structlog.get_logger("ours")),
    lambda secret: logging.getLogger("theirs").warning("with %s in it", secret),
    lambda secret: logging.getLogger("theirs").warning("said %r", {"a": secret}, extra={"field": [secret]}),
    lambda secret: fails(secret, logging.getLogger("theirs")),
    lambda secret: logging.getLogger("theirs").error("said", exc_info=httpx.ConnectError(secret)),
]


@pytest.mark.parametrize("log_format", LogFormat)
@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))  # a key is made anew by each process
def test_no_secret_of_the_process_is_logged_in_any_way(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, log_format: LogFormat, secret: str
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", SECRETS[-1])
    written = configure(KNOWN.model_copy(update={"log_format": log_format}))

    for say in WAYS:
        say(secret)

    text = written.getvalue()
    assert text.count(HIDDEN) >= len(WAYS)
    assert secret not in text
    assert text.count("Traceback") >= 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_whatever_looks_like_a_secret_is_logged_in_no_way(configure: Configure, data: st.DataObject) -> None:
    what = data.draw(st.sampled_from(sorted(STRANGERS)))
    strategy, shapes = STRANGERS[what]
    secret, shape = data.draw(strategy), data.draw(st.sampled_from(shapes))
    written = configure(Settings(log_format=data.draw(st.sampled_from(LogFormat))))
    since = written.tell()

    data.draw(st.sampled_from(WAYS))(shape.format(secret))

    said = written.getvalue()[since:]
    assert said
    assert secret not in said


def test_what_a_person_has_to_mend_is_one_line_without_a_traceback(configure: Configure) -> None:
    written = configure(Settings())

    for error in (MissingKeyError("2026", ["2027"]), RuntimeError("Failed decoding arguments")):
        try:
            raise error from (None if isinstance(error, MissingKeyError) else MissingKeyError("2026", []))
        except (MissingKeyError, RuntimeError):
            logging.getLogger("temporalio").exception("Failed handling activation")

    for line in lines(written):
        assert line["event"] == "Failed handling activation"
        assert line["why"].startswith("PERENNIAL_CODEC_KEYS: lacks the key 2026")
        assert "exception" not in line
    assert len(lines(written)) == 2


def test_a_file_with_secrets_that_others_may_read_is_said_when_a_process_starts(
    environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, configure: Configure
) -> None:
    path = tmp_path_factory.mktemp("secrets") / "passphrase"
    path.write_text("S3CRET phrase")
    path.chmod(0o644)
    environment.setenv("PERENNIAL_PRIVATE_KEY_PASSPHRASE_FILE", str(path))

    [line] = lines(configure(Settings()))

    assert (line["level"], line["event"]) == (
        "warning",
        f"others may read a file with secrets: chmod 600 it (PERENNIAL_PRIVATE_KEY_PASSPHRASE_FILE: {path})",
    )


def cost(configured: Settings) -> None:
    """`python -m tests.runtime.test_redaction`: what a line costs, in microseconds."""
    sys.stderr = io.StringIO()
    configure_logging(configured)
    log, rounds = structlog.get_logger("ours"), []
    for _ in range(20):
        since = time.perf_counter()
        for number in range(1_000):
            log.info("request", method="GET", path="/v1/subscriptions/{id}", status=200, actor="shop", number=number)
        rounds.append(time.perf_counter() - since)
    sys.stdout.write(f"{min(rounds) * 1e3:.1f} us a line\n")


if __name__ == "__main__":
    cost(KNOWN)
