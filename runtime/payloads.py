"""How values travel through Temporal: as JSON made by pydantic, without what is None.

Two releases work side by side while a new one is rolled out, or rolled back: fields that a newer release has added are
left aside by an older one, not refused. What people write (plan files, requests) is refused where it is read.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)

from perennial_billing.runtime.codec import SETTING, Codec, EncryptedFailures
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Environment, Settings


@lru_cache(maxsize=256)
def _adapter(hint: Any) -> TypeAdapter[Any]:  # Any: whatever a signature says
    return TypeAdapter(hint)


class JsonPayloads(EncodingPayloadConverter):
    """JSON by pydantic, tolerant of a newer release's fields."""

    @property
    def encoding(self) -> str:
        """The name of the form."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload:  # Any: as in the base
        """Writes a value."""
        return Payload(metadata={"encoding": b"json/plain"}, data=to_json(value, exclude_none=True))

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:  # Any: as in the base
        """Reads a value of the hinted type.

        Where no type is asked for, anybody may have written it, such as a signal typed into the Web UI: what is no
        JSON is read as the text that it is, as a signal that cannot be read would be dropped.
        """
        if type_hint is not None:
            return _adapter(type_hint).validate_json(payload.data, extra="ignore")
        try:
            return _adapter(Any).validate_json(payload.data)
        except ValidationError:
            return payload.data.decode(errors="replace")


class Payloads(CompositePayloadConverter):
    """All forms, ours in place of the plain JSON; without a type, a form that nobody knows is read as nothing."""

    def __init__(self) -> None:
        ours = JsonPayloads()
        converters = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(ours if isinstance(each, JSONPlainPayloadConverter) else each for each in converters))

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:  # Any: as in the base
        """Reads values of the hinted types."""
        if type_hints:
            return super().from_payloads(payloads, type_hints)
        return [self._read(payload) for payload in payloads]

    def _read(self, payload: Payload) -> Any:  # Any: whatever was written
        try:
            return super().from_payloads([payload])[0]
        except (KeyError, RuntimeError, ValueError):
            return None


DATA_CONVERTER: Final = replace(pydantic_data_converter, payload_converter_class=Payloads, payload_codec=Codec())
"""Of clients and workers of ours where histories stay plain. What is encrypted is refused, and not read as nothing."""


def converter_of(settings: Settings) -> DataConverter:
    """Of every client and worker of a process; encrypts where there are keys.

    Raises:
        StartupError: there is none, in live, and nobody has said that histories stay plain.
    """
    keys = settings.codec_key_ring
    if keys:
        return replace(DATA_CONVERTER, payload_codec=Codec(keys), failure_converter_class=EncryptedFailures)
    if settings.environment is Environment.LIVE and not settings.plain_histories:
        raise StartupError(
            f"{SETTING}: is not set, and in live histories are encrypted; set a key, or {PREFIX}PLAIN_HISTORIES=true "
            "where Temporal may keep amounts and references as plain text"
        )
    return DATA_CONVERTER
