"""Payloads are encrypted under the first key and opened by each; what cannot be opened says which key it needs."""

import base64
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError, FailureError

from perennial_billing.billing.money import Money
from perennial_billing.runtime.codec import (
    KEY_ID,
    Codec,
    CodecError,
    EncryptedFailures,
    MissingKeyError,
    UnopenedError,
    is_encrypted,
)
from perennial_billing.runtime.codec_keys import CodecKey, codec_keys_in
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.failures import message_of
from perennial_billing.runtime.payloads import DATA_CONVERTER, converter_of
from perennial_billing.runtime.settings import Environment, Settings, load_settings
from perennial_billing.runtime.temporal import connect

OLD = CodecKey("2026", bytes(range(32)))
NEW = CodecKey("2027-06", bytes(range(32, 64)))
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"amount":"431.57 USD"}')


def written(*keys: CodecKey) -> str:
    return ",".join(f"{key.id}:{base64.b64encode(key.secret).decode()}" for key in keys)


async def test_what_is_encrypted_shows_nothing_but_the_id_of_its_key() -> None:
    [sealed] = await Codec([NEW, OLD]).encode([PLAIN])

    assert is_encrypted(sealed)
    assert sealed.metadata[KEY_ID] == b"2027-06"
    assert b"431.57" not in sealed.SerializeToString()
    assert b"json" not in sealed.SerializeToString()


async def test_the_same_payload_is_never_encrypted_alike() -> None:
    first, second = await Codec([OLD]).encode([PLAIN, PLAIN])

    assert first.data != second.data


@given(data=st.binary(max_size=4000), metadata=st.dictionaries(st.text(max_size=20), st.binary(max_size=40)))
async def test_whatever_is_encrypted_comes_back_as_it_was(data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(metadata=metadata, data=data)
    codec = Codec([OLD])

    [sealed] = await codec.encode([payload])

    assert [sealed] != [payload]
    assert await codec.decode([sealed]) == [payload]


async def test_a_key_that_was_replaced_still_opens_what_it_has_encrypted() -> None:
    [before] = await Codec([OLD]).encode([PLAIN])
    [since] = await Codec([NEW, OLD]).encode([PLAIN])

    assert await Codec([NEW, OLD]).decode([before, since]) == [PLAIN, PLAIN]


async def test_what_was_never_encrypted_is_read_as_it_is() -> None:
    assert await Codec([OLD]).decode([PLAIN]) == [PLAIN]
    assert await Codec().encode([PLAIN]) == [PLAIN]


@pytest.mark.parametrize(
    ("keys", "there"), [((NEW,), r"\(it has 2027-06\)"), ((), r"\(none is set\)")], ids=["another", "none"]
)
async def test_a_key_that_is_missing_is_named_with_the_setting_and_what_to_do(
    keys: tuple[CodecKey, ...], there: str
) -> None:
    [sealed] = await Codec([OLD]).encode([PLAIN])

    said = rf"^PERENNIAL_CODEC_KEYS: lacks the key 2026, under which a history is encrypted {there}; put it back"
    with pytest.raises(MissingKeyError, match=said) as missing:
        await Codec(keys).decode([PLAIN, sealed])
    assert missing.value.key_id == "2026"


async def test_without_any_key_nothing_that_is_encrypted_is_taken_for_nothing() -> None:
    """A signal whose payload nobody can read would be done as if it said nothing."""
    [sealed] = await Codec([OLD]).encode([PLAIN])

    with pytest.raises(MissingKeyError):
        await DATA_CONVERTER.decode([sealed])


async def test_another_key_under_the_same_id_and_a_changed_payload_are_said() -> None:
    codec = Codec([OLD])
    [sealed] = await codec.encode([PLAIN])
    flipped = Payload(metadata=sealed.metadata, data=sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]))
    cut = Payload(metadata=sealed.metadata, data=sealed.data[:9])

    for who, what in ((Codec([CodecKey("2026", NEW.secret)]), sealed), (codec, flipped), (codec, cut)):
        with pytest.raises(UnopenedError, match="the key 2026 does not open what was encrypted under that id"):
            await who.decode([what])


async def test_an_id_cannot_be_exchanged_for_that_of_a_key_that_is_the_same() -> None:
    """The metadata stands in the open, and is authenticated with what it is about."""
    alias = CodecKey("alias", OLD.secret)
    [sealed] = await Codec([OLD]).encode([PLAIN])
    renamed = Payload(metadata={**sealed.metadata, KEY_ID: b"alias"}, data=sealed.data)

    with pytest.raises(UnopenedError):
        await Codec([alias]).decode([renamed])


async def test_whoever_writes_an_odd_id_breaks_no_line() -> None:
    odd = Payload(metadata={"encoding": b"binary/encrypted", KEY_ID: b"a\n\x1b\xff" + b"b" * 1000}, data=b"x" * 40)

    with pytest.raises(MissingKeyError) as missing:
        await Codec([OLD]).decode([odd])
    assert str(missing.value).isprintable()
    assert len(str(missing.value)) < 400


# The setting


@pytest.mark.parametrize("between", [",", "\n", " ,\r\n", "\n\n"])
def test_keys_are_separated_by_commas_or_line_ends(between: str) -> None:
    assert codec_keys_in(written(OLD) + between + written(NEW) + "\n") == (OLD, NEW)


def test_a_key_may_be_in_url_safe_base64() -> None:
    secret = b"\xfb\xff" * 16
    assert codec_keys_in("a:" + base64.urlsafe_b64encode(secret).decode()) == (CodecKey("a", secret),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("S3CRET", "the first is no key: ID:KEY is accepted"),
        ("2026:S3CRET", "the first is no key"),
        (f"{written(OLD)},a:" + "A" * 60, "the second is no key"),
        ("a b:" + "A" * 43 + "=", "the first is no key"),
        (f"{written(OLD)},{written(OLD)}", "the id 2026 is given twice"),
    ],
)
def test_what_is_no_key_is_refused_by_its_place_and_not_shown(
    environment: pytest.MonkeyPatch, text: str, said: str
) -> None:
    environment.setenv("PERENNIAL_CODEC_KEYS", text)

    with pytest.raises(StartupError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"PERENNIAL_CODEC_KEYS: {said}")
    shown = "".join(traceback.format_exception(refused.value))
    assert "S3CRET" not in shown
    assert base64.b64encode(OLD.secret).decode() not in shown


def test_a_key_shows_no_secret() -> None:
    assert repr(OLD) == "CodecKey(id='2026')"


# Who encrypts


def test_in_live_nothing_connects_without_a_key_unless_somebody_says_so(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_ENVIRONMENT", "live")
    with pytest.raises(StartupError, match=r"^PERENNIAL_CODEC_KEYS: is not set, and in live histories are encrypted"):
        converter_of(load_settings())

    environment.setenv("PERENNIAL_PLAIN_HISTORIES", "true")
    assert converter_of(load_settings()) is DATA_CONVERTER

    environment.delenv("PERENNIAL_PLAIN_HISTORIES")
    environment.setenv("PERENNIAL_CODEC_KEYS", written(OLD))
    assert converter_of(load_settings()).payload_codec is not DATA_CONVERTER.payload_codec


async def test_a_process_in_live_without_a_key_ends_at_once_and_waits_for_no_server() -> None:
    with pytest.raises(StartupError, match=r"^PERENNIAL_CODEC_KEYS: is not set"):
        await connect(Settings(environment=Environment.LIVE), patient=True)


def test_in_the_sandbox_a_key_is_used_where_there_is_one() -> None:
    assert Settings().environment is Environment.SANDBOX
    assert converter_of(Settings()) is DATA_CONVERTER


def test_plain_histories_and_a_key_contradict_each_other(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_PLAIN_HISTORIES", "true")
    environment.setenv("PERENNIAL_CODEC_KEYS", written(OLD))

    with pytest.raises(StartupError, match=r"^PERENNIAL_PLAIN_HISTORIES: true is accepted without"):
        load_settings()


async def test_values_are_those_of_our_own_forms(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_CODEC_KEYS", written(NEW, OLD))
    converter, price = converter_of(load_settings()), Money.parse("431.57 USD")

    payloads = await converter.encode([price])

    assert all(map(is_encrypted, payloads))
    assert await converter.decode(payloads, [Money]) == [price]


# Failures


def failed(error: Exception) -> Failure:
    failure = Failure()
    EncryptedFailures().to_failure(error, DATA_CONVERTER.payload_converter, failure)
    return failure


async def test_what_a_failure_says_is_encrypted_and_can_be_read_by_whoever_has_the_key(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PERENNIAL_CODEC_KEYS", written(OLD))
    converter, failure = converter_of(load_settings()), Failure()
    error = ApplicationError("431.57 USD were refused", {"reference": "walnut"}, type="Refused")
    error.__cause__ = ValueError("for walnut")

    await converter.encode_failure(error, failure)

    for plain in (b"431.57", b"walnut"):
        assert plain not in failure.SerializeToString()
    assert failure.application_failure_info.type == "Refused"
    assert await message_of(failure, converter.payload_codec) == "431.57 USD were refused"
    lacking = await message_of(failure, Codec([NEW]))
    assert lacking.startswith("its message cannot be read here: PERENNIAL_CODEC_KEYS: lacks the key 2026")
    assert str((await converter.decode_failure(failure)).__cause__).endswith("for walnut")


@pytest.mark.parametrize("error", [MissingKeyError("2026", ["2027"]), UnopenedError("2026")])
async def test_that_a_key_is_missing_stays_in_the_open(error: CodecError) -> None:
    failure = failed(error)

    assert failure.message == str(error)
    assert not failure.stack_trace
    assert not failure.HasField("encoded_attributes")


def test_no_error_of_the_codec_ends_a_workflow() -> None:
    """Temporal's own errors would: what is not one fails a task, which is given out again."""
    for error in (CodecError("x"), MissingKeyError("2026", []), UnopenedError("2026")):
        assert not isinstance(error, FailureError)
    assert not failed(MissingKeyError("2026", [])).application_failure_info.non_retryable
