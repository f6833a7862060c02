"""What was asked of the simulated Amazon Pay and what it sent, to look through and to assert on.

The books say what came of it all; the journal, how each request was written and answered. Whoever develops a client
in any language sees there what it really sends.

While requests are served an entry is a handful of references; it is read and put into words when somebody looks.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from amazon_pay_client.signing import IDEMPOTENCY_HEADER, SIMULATION_HEADER
from amazon_pay_simulator.clock import TIME_HEADER
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.routes import find_operation

_AUTHORIZATION: Final = "authorization"


class RecordedRequest(BaseModel):
    """A request to the Amazon Pay API, and its answer."""

    model_config: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)

    kind: Literal["request"] = "request"
    number: int
    """Its place in the journal, from 1 on; a notification takes one as well."""
    at: datetime
    """When it came (UTC), by the wall clock."""
    seconds: float
    """Until it was answered."""
    merchant_id: str
    """Whose key it was signed with; the first merchant where it is nobody's."""
    method: str
    path: str
    query: str
    operation: str | None
    """By Amazon's documentation, such as CreateCharge; null where there is no such operation."""
    charge_permission_id: str | None
    """Which it was about, as far as path, body or answer name one."""
    idempotency_key: str | None
    simulation_code: str | None
    simulator_time: str | None
    """The caller's own time, where it brought one along."""
    headers: dict[str, str]
    """By lower-case name; without the signature."""
    body: Any  # as it was sent
    """JSON, or text where it was none."""
    status: int | None
    """Of HTTP; null where a fault cut the connection without an answer."""
    reason_code: str | None
    """Of an error."""
    answer: Any  # as it was sent
    """JSON, or text where it was none."""


class RecordedNotification(BaseModel):
    """One try to deliver a notification to one receiver."""

    model_config: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)

    kind: Literal["notification"] = "notification"
    number: int
    """Its place in the journal, from 1 on; a request takes one as well."""
    at: datetime
    """When it was tried (UTC), by the wall clock."""
    merchant_id: str
    """Whom it is for."""
    url: str
    """The receiver's address."""
    message_id: str
    """Of SNS; the same in each try."""
    object_type: str | None
    """What changed, such as CHARGE; null in a message of SNS's own."""
    object_id: str | None
    charge_permission_id: str | None
    attempt: int
    """1 for the first try."""
    status: int | None
    """Of the receiver's answer; null without one."""
    failure: str | None
    """Why there was no answer."""


Entry = Annotated[RecordedRequest | RecordedNotification, Field(discriminator="kind")]


class Criteria(BaseModel):
    """Which entries are meant: those that are as every field that is given says."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["request", "notification"] | None = None
    merchant_id: str | None = None
    operation: str | None = None
    """By Amazon's documentation, such as CreateCharge."""
    method: str | None = None
    path: str | None = None
    """The whole path, without the query."""
    idempotency_key: str | None = None
    charge_permission_id: str | None = None
    status: int | None = None
    """Of HTTP."""
    reason_code: str | None = None
    object_type: str | None = None
    """Of a notification, such as CHARGE."""
    object_id: str | None = None
    url: str | None = None
    """Of a notification's receiver."""

    def differences(self, entry: RecordedRequest | RecordedNotification) -> dict[str, "Difference"]:
        """The fields in which an entry is another than these criteria say."""
        wanted = self.model_dump(exclude_none=True, include=set(Criteria.model_fields))
        found = {name: getattr(entry, name, None) for name in wanted}
        return {
            name: Difference(expected=wanted[name], found=found[name]) for name in wanted if wanted[name] != found[name]
        }


class Difference(BaseModel):
    """What was expected of a field, and what it was."""

    expected: Any  # JSON
    found: Any  # JSON


class Raw(Protocol):
    """An entry before anybody has looked at it."""

    def read(self, number: int) -> RecordedRequest | RecordedNotification:
        """Puts it into words."""
        ...


@dataclass(slots=True)
class RawRequest:
    """A request and its answer as they went over the wire.

    Attributes:
        at: when it came (UTC).
        seconds: until it was answered.
        merchant_id: whose it is.
        method: of HTTP.
        path: without the query.
        query: as it was sent.
        headers: as they were sent.
        body: as it was sent.
        status: of the answer; None where none was sent.
        answer: as it was sent.
    """

    at: datetime
    seconds: float
    merchant_id: str
    method: str
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    status: int | None
    answer: bytes

    def read(self, number: int) -> RecordedRequest:
        """Puts it into words."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        headers.pop(_AUTHORIZATION, None)
        operation, ids = _operation_of(self.method, self.path)
        body, answer = _read(self.body), _read(self.answer)
        named: Sequence[str | None] = [_field(document, "chargePermissionId") for document in (body, answer)]
        if (operation or "").endswith("ChargePermission"):
            named = ids
        return RecordedRequest(
            number=number,
            at=self.at,
            seconds=round(self.seconds, 6),
            merchant_id=self.merchant_id,
            method=self.method,
            path=self.path,
            query=unquote(self.query.decode("latin-1")),
            operation=operation,
            charge_permission_id=next(filter(None, named), None),
            idempotency_key=headers.get(IDEMPOTENCY_HEADER),
            simulation_code=headers.get(SIMULATION_HEADER),
            simulator_time=headers.get(TIME_HEADER),
            headers=headers,
            body=body,
            status=self.status,
            reason_code=_field(answer, "reasonCode"),
            answer=answer,
        )


@dataclass(slots=True)
class RawNotification:
    """One try to deliver a notification; its fields are those of what is read of it."""

    at: datetime
    merchant_id: str
    url: str
    message_id: str
    object_type: str | None
    object_id: str | None
    charge_permission_id: str | None
    attempt: int
    status: int | None
    failure: str | None

    def read(self, number: int) -> RecordedNotification:
        """Puts it into words."""
        return RecordedNotification(number=number, **{name: getattr(self, name) for name in self.__slots__})


class Journal:
    """The newest entries, in the order in which they were answered or tried.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._entries: deque[Raw] = deque(maxlen=size)
        self._written = 0

    def write(self, entry: Raw) -> None:
        """Adds an entry; the oldest is forgotten where there are too many."""
        self._entries.append(entry)
        self._written += 1

    @property
    def forgotten(self) -> int:
        """How many entries of the beginning are not kept any more."""
        return self._written - len(self._entries)

    @property
    def last(self) -> int:
        """The number of the newest entry; 0 where there is none yet."""
        return self._written

    def clear(self) -> None:
        """Forgets everything, and counts from 1 again."""
        self._entries.clear()
        self._written = 0

    def entries(self, after: int = 0) -> Iterator[RecordedRequest | RecordedNotification]:
        """All with a number above, oldest first."""
        first = self.forgotten + 1
        kept: Sequence[Raw] = list(self._entries)
        for number in range(max(first, after + 1), self._written + 1):
            yield kept[number - first].read(number)


def now() -> datetime:
    """The wall clock's instant, as entries have it."""
    return datetime.now(UTC)


def _operation_of(method: str, path: str) -> tuple[str | None, list[str]]:
    try:
        operation, ids = find_operation(method, path)
    except Refusal:
        return None, []
    return operation.name, ids


def _read(content: bytes) -> Any:  # Any: JSON
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def _field(document: Any, name: str) -> str | None:  # Any: JSON
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else None
