"""What Temporal keeps of a subscription, encrypted: AES-256-GCM over each payload, with keys that can be replaced.

A payload bears the id of its key in the open, as metadata; encoding and id are authenticated with it, so that neither
can be changed. It is not bound to the workflow in whose history it stands: the Web UI's codec server is not told which
that is, and a history that is moved to another namespace is to be read there. What is repeated in JSON is compressed
before, which makes up for what encryption adds.

What is not encrypted is read as it is: histories from before there was a key, and a signal typed into the Web UI.
"""

import os
import zlib
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadCodec, PayloadConverter

from perennial_billing.runtime.codec_keys import CodecKey
from perennial_billing.runtime.errors import StartupError

ENCRYPTED: Final = b"binary/encrypted"
"""The encoding of an encrypted payload; Temporal's samples call it so."""

KEY_ID: Final = "encryption-key-id"
"""The metadata that names a payload's key."""

SETTING: Final = "PERENNIAL_CODEC_KEYS"

_NONCE_BYTES: Final = 12
"""By chance: safe for 2^32 payloads of a key (NIST SP 800-38D, section 8.3); see docs/operations/secrets.md."""

_AS_IT_IS: Final = b"\x00"
_COMPRESSED: Final = b"\x01"
_COMPRESSION_LEVEL: Final = 6


class CodecError(StartupError):
    """A payload cannot be read here. The message is one line: which key, and what to do. Nothing secret is in it.

    In a worker it fails the workflow's task, which Temporal gives out again until a worker can read it: nothing of a
    history is lost, and no signal is passed over. It must never be one of Temporal's own errors that end a workflow.
    """


class MissingKeyError(CodecError):
    """It is encrypted under a key that is not among those that are set.

    Args:
        key_id: of the key.
        known: ids of those that are set.
    """

    def __init__(self, key_id: str, known: Sequence[str]) -> None:
        there = f"it has {', '.join(known)}" if known else "none is set"
        super().__init__(
            f"{SETTING}: lacks the key {key_id}, under which a history is encrypted ({there}); put it back behind the "
            "others, for this process as well: nothing is lost meanwhile"
        )
        self.key_id = key_id


class UnopenedError(CodecError):
    """The key of that id does not open it."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"{SETTING}: the key {key_id} does not open what was encrypted under that id: it is another key than it "
            "was, or what Temporal keeps was changed; set the key that it was"
        )
        self.key_id = key_id


class Codec(PayloadCodec):
    """Encrypts what is written, and opens what is read.

    Args:
        keys: the first encrypts, each opens; without any, nothing is encrypted, and what is encrypted is refused.
    """

    def __init__(self, keys: Sequence[CodecKey] = ()) -> None:
        self._ids = tuple(key.id for key in keys)
        self._ciphers = {key.id: AESGCM(key.secret) for key in keys}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypts, under the first key."""
        return [self._sealed(payload) for payload in payloads] if self._ids else list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Opens what is encrypted, and leaves all else as it is.

        Raises:
            CodecError: its key is not there, or does not open it.
        """
        return [self._opened(each) if is_encrypted(each) else each for each in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        identifier = self._ids[0]
        plain = payload.SerializeToString()
        smaller = zlib.compress(plain, _COMPRESSION_LEVEL)
        content = _COMPRESSED + smaller if len(smaller) < len(plain) else _AS_IT_IS + plain
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[identifier].encrypt(nonce, content, _authenticated(identifier))
        return Payload(metadata={"encoding": ENCRYPTED, KEY_ID: identifier.encode()}, data=nonce + sealed)

    def _opened(self, payload: Payload) -> Payload:
        identifier = key_id_of(payload)
        cipher = self._ciphers.get(identifier)
        if cipher is None:
            raise MissingKeyError(identifier, self._ids)
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            content = cipher.decrypt(nonce, sealed, _authenticated(identifier))
        except (InvalidTag, ValueError):  # the latter of a nonce that is cut off
            raise UnopenedError(identifier) from None
        plain = zlib.decompress(content[1:]) if content[:1] == _COMPRESSED else content[1:]
        return Payload.FromString(plain)


def is_encrypted(payload: Payload) -> bool:
    """Whether a key is needed to read it."""
    return payload.metadata.get("encoding") == ENCRYPTED


def key_id_of(payload: Payload) -> str:
    """The id of an encrypted payload's key, as it names it."""
    return ascii(payload.metadata.get(KEY_ID, b"").decode(errors="replace"))[1:-1][:_LONGEST_ID] or "(unnamed)"


_LONGEST_ID: Final = 64
"""Characters: whoever can write to Temporal can write any."""


def _authenticated(identifier: str) -> bytes:
    return b"perennial\x00" + ENCRYPTED + b"\x00" + identifier.encode()


class EncryptedFailures(DefaultFailureConverter):
    """Messages and tracebacks of failures as payloads, which are encrypted; they may tell of amounts and references.

    That a key is missing stays in the open: whoever has to put it back reads it in the Web UI, or by `perennial check`.
    """

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """As in the base."""
        if not isinstance(exception, CodecError):
            super().to_failure(exception, payload_converter, failure)
            return
        failure.message = str(exception)
        failure.application_failure_info.type = type(exception).__name__
