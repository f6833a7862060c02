"""Where an answer leads: links by OpenAPI, which say what may follow it, and which of its values that takes.

Whoever makes a client reads from them how operations go together; a test walks along them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

AS_STARTED: Final = "$response.body#/charge_permission_id"
AS_ASKED: Final = "$request.path.charge_permission_id"
"""Where a charge permission's id comes from, as a runtime expression of OpenAPI."""


@dataclass(frozen=True, slots=True)
class Link:
    """An operation that may follow.

    Attributes:
        to: its id.
        takes: its parameters, each as a runtime expression over what was asked and answered.
        body: what is sent, likewise; where it is None, the caller says that alone.
        name: of the link; the operation's id where it is not given.
    """

    to: str
    takes: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    name: str = ""

    @property
    def described(self) -> dict[str, Any]:  # Any: a part of an OpenAPI document
        """As the description has it."""
        body = {} if self.body is None else {"requestBody": self.body}
        takes = {"parameters": dict(self.takes)} if self.takes else {}
        return {"operationId": self.to} | takes | body


def leading(*links: Link, status: int = 200) -> dict[int | str, dict[str, Any]]:  # Any: as above
    """A part of an operation's responses: that its answer leads there.

    Args:
        links: each has a name of its own.
        status: of the answer.
    """
    named = {link.name or link.to: link.described for link in links}
    if len(named) < len(links):
        raise AssertionError("two links have one name")
    return {status: {"links": named}}


def to_subscription(*operations: str, by: str = AS_ASKED) -> tuple[Link, ...]:
    """Links to operations on one subscription.

    Args:
        operations: their ids.
        by: where the charge permission's id comes from.
    """
    return tuple(Link(each, {"charge_permission_id": by}) for each in operations)


def to_endpoint(*operations: str, by: str = "$request.path.endpoint_id") -> tuple[Link, ...]:
    """Links to operations on one endpoint.

    Args:
        operations: their ids.
        by: where its id comes from.
    """
    return tuple(Link(each, {"endpoint_id": by}) for each in operations)


def to_next_page(operation: str) -> Link:
    """From one page of a list to the next."""
    return Link(operation, {"cursor": "$response.body#/next_cursor"}, name="nextPage")


LOOKING: Final = ("getSubscription", "listUpcoming", "listTimeline")
"""What shows what became of a request."""
