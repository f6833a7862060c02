"""What happened, as it is reported to a subscription."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    DisputeAnswer,
    PermissionAnswer,
    RefundAnswer,
    SuccessorAnswer,
)
from perennial_billing.billing.protocol.commands import Command, Timer

Answer = ChargeAnswer | PermissionAnswer | RefundAnswer | DisputeAnswer | SuccessorAnswer | Money


@dataclass(frozen=True, slots=True)
class Started:
    """The workflow runs."""


@dataclass(frozen=True, slots=True)
class Elapsed:
    """An instant has come that was waited for. That it has come is what counts, not what a clock says."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Answered:
    """A command was performed, and this is the answer."""

    command: Command
    answer: Answer


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A command was performed, and no answer came in good time; doing it again does no harm.

    Attributes:
        command: what was done.
        why: what came instead, in words, where that is known.
    """

    command: Command
    why: str | None = None


class Thing(StrEnum):
    """What may have changed at Amazon's."""

    PERMISSION = "permission"
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True)
class Refresh:
    """Somebody says that something may have changed: it is read before anything is made of it.

    Attributes:
        thing: what kind of thing.
        id: Amazon's id of it; None for the charge permission.
        notification_id: of Amazon's notification, by which a repeated one is recognised.
    """

    thing: Thing
    id: str | None = None
    notification_id: str | None = None


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody wants it to end; the reason is told to Amazon, and never shown."""

    reason: str


@dataclass(frozen=True, slots=True)
class HandedOn:
    """These notices, by their numbers, are on their way to the merchant."""

    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class NotHandedOn:
    """The notices that wait could not be handed on."""


@dataclass(frozen=True, slots=True)
class LedgerIsAhead:
    """The ledger knows more of the subscription than it knows itself, so what was to be done was not.

    Attributes:
        told: the number of the last notice that the ledger knows.
    """

    told: int


Event = Started | Elapsed | Answered | Unanswered | Refresh | CancelAsked | HandedOn | NotHandedOn | LedgerIsAhead
