"""How values travel through Temporal: as JSON made by pydantic, without what is None.

Two releases work side by side while a new one is rolled out, or rolled back: fields that a newer release has added are
left aside by an older one, not refused. What people write (plan files, requests) is refused where it is read.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)


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
        """Reads a value of the hinted type."""
        return _adapter(Any if type_hint is None else type_hint).validate_json(payload.data, extra="ignore")


class Payloads(CompositePayloadConverter):
    """All forms, ours in place of the plain JSON."""

    def __init__(self) -> None:
        ours = JsonPayloads()
        converters = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(ours if isinstance(each, JSONPlainPayloadConverter) else each for each in converters))


DATA_CONVERTER: Final = replace(pydantic_data_converter, payload_converter_class=Payloads)
"""Of every client and worker of ours."""
