"""Where a subscription is in its life as a whole, and what is decided about its life beside its plan."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from perennial_billing.billing.contract.terms import ChargePermissionId
from perennial_billing.billing.parts.stages import LOOK_AGAIN_AFTER
from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.billing.protocol.commands import (
    ClosePermission,
    Command,
    ReadSuccessor,
    StartSuccessor,
    Timer,
    elapse,
)
from perennial_billing.billing.refusals import Kind
from perennial_billing.billing.status import Ending, Status
from perennial_billing.billing.values import Value


class Active(Value):
    """Periods fall due and are charged."""

    kind: Literal["active"] = "active"


class AwaitingCheckout(Value):
    """The charge permission is closed; the buyer may approve a new one.

    Attributes:
        until: how long that is waited for (UTC).
        reason_code: why it was closed.
        why: that in words.
    """

    kind: Literal["awaiting_checkout"] = "awaiting_checkout"
    until: AwareDatetime
    reason_code: str | None = None
    why: str


class Closing(Value):
    """The end is decided, and the charge permission is to be closed.

    Attributes:
        ending: how it ends.
        at: when closing is tried (UTC).
        at_once: whether that follows from what just happened.
        why: in words.
        refused: why Amazon has not closed it, where that was tried.
    """

    kind: Literal["closing"] = "closing"
    ending: Ending
    at: AwareDatetime
    at_once: bool
    why: str
    refused: str | None = None


class AwaitingOutcomes(Value):
    """The charge permission is closed for good; what was under way under it comes to its end."""

    kind: Literal["awaiting_outcomes"] = "awaiting_outcomes"
    ending: Ending


class Ended(Value):
    """Nothing is done any more; since when (UTC)."""

    kind: Literal["ended"] = "ended"
    ending: Ending
    at: AwareDatetime


AnyLife = Annotated[
    Active | AwaitingCheckout | Closing | AwaitingOutcomes | Ended,
    Field(discriminator="kind"),
]


class Pause(Value):
    """Nothing that falls due within it is owed.

    Attributes:
        since: when it begins (UTC).
        until: when it ends by itself (UTC); by a request only when not given.
        keeps_anchor: whether the due dates stay where they are; else they move by as long as it lasts.
        stops_collecting: whether what is owed already is not tried either, until it is over.
        has_begun: whether it has.
    """

    since: AwareDatetime
    until: AwareDatetime | None = None
    keeps_anchor: bool = True
    stops_collecting: bool = False
    has_begun: bool = False


class Cancellation(Value):
    """Somebody wants it to end: since when, or from when on (UTC), and why, as Amazon is told."""

    at: AwareDatetime
    reason: str


class Successor(Value):
    """Another charge permission under which it is to go on.

    Attributes:
        charge_permission_id: Amazon's id of it.
        at: since when that is wanted; where Amazon did not answer when it was to be read, when that is tried again
            (UTC).
        at_once: whether it is read at once.
        is_approved: whether Amazon has said that it can be charged as this subscription needs it.
    """

    charge_permission_id: ChargePermissionId
    at: AwareDatetime
    at_once: bool = True
    is_approved: bool = False

    @property
    def next_command(self) -> ReadSuccessor | StartSuccessor:
        """It is read before anything is closed: what Amazon does not know, or cannot charge, is no successor."""
        name = self.charge_permission_id
        if self.is_approved:
            return StartSuccessor(charge_permission_id=name, at=self.at, at_once=True, why=f"it goes on under {name}")
        why = f"can it go on under {name}?"
        return ReadSuccessor(charge_permission_id=name, at=self.at, at_once=self.at_once, urgent=True, why=why)


class RefusedSuccessor(Value):
    """The last charge permission that was named, and that it does not go on under.

    Attributes:
        charge_permission_id: as it was named.
        at: when that was found (UTC).
        why: in words.
        kind: whether it can never be, not as it stands now, or not beside another subscription.
    """

    charge_permission_id: ChargePermissionId
    at: AwareDatetime
    why: str
    kind: Kind


class Lifecycle(Value):
    """Where it stands, and what was decided about it.

    Attributes:
        stage: where it stands.
        pause: one by request, planned or begun.
        planned_end: a cancellation that takes effect later, and can be taken back before.
        cancellation: one that was asked for, until it begins.
        successor: what it is to go on under, or went on.
        refused_successor: what it was last asked to go on under, and does not.
    """

    stage: AnyLife = Active()
    pause: Pause | None = None
    planned_end: Cancellation | None = None
    cancellation: Cancellation | None = None
    successor: Successor | None = None
    refused_successor: RefusedSuccessor | None = None

    @property
    def ending(self) -> Ending | None:
        """How it ends, once that is decided."""
        return self.stage.ending if isinstance(self.stage, Closing | AwaitingOutcomes | Ended) else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing is done any more."""
        return isinstance(self.stage, Ended)

    @property
    def close_is_refused(self) -> bool:
        """Whether the charge permission is to be closed, and Amazon has not done so."""
        return self.close_refused_for is not None

    @property
    def close_refused_for(self) -> str | None:
        """Why Amazon has not closed the charge permission that is to be closed."""
        return self.stage.refused if isinstance(self.stage, Closing) else None

    @property
    def goes_on_under(self) -> str | None:
        """The charge permission under which it has been started, so that this one only comes to its end."""
        replaced = self.ending is not None and self.ending.status is Status.REPLACED
        return self.successor.charge_permission_id if replaced and self.successor else None

    @property
    def is_paused(self) -> bool:
        """Whether it is paused by request."""
        return self.pause is not None and self.pause.has_begun

    @property
    def moves_dates(self) -> bool:
        """Whether it is paused, or is to be, so that what falls due later is moved by as long as that lasts."""
        return self.pause is not None and not self.pause.keeps_anchor

    def goes_on_at(self, instant: datetime) -> bool:
        """Whether what falls due at an instant (UTC) lies before the planned end, if there is one."""
        return self.planned_end is None or instant < self.planned_end.at

    @property
    def status(self) -> Status | None:
        """The status, where it does not depend on what is being collected."""
        match self.stage:
            case Ended(ending=ending):
                return ending.status
            case Closing() | AwaitingOutcomes():
                return Status.ENDING
            case AwaitingCheckout():
                return Status.AWAITING_CHECKOUT
            case _:
                return None

    def next_command(self, charge_permission_id: str, *, cancels_pending: bool) -> Command | None:
        """What is done next of what the life as a whole wants; None where the periods go before.

        Args:
            charge_permission_id: of the subscription.
            cancels_pending: the policy wants a cancellation to cancel pending charges too.
        """
        match stage := self.stage:
            case AwaitingCheckout():
                why = f"{stage.why}: waiting for a new charge permission until {stage.until:%Y-%m-%d}"
                return elapse(Timer.CHECKOUT, stage.until, why)
            case Closing():
                return ClosePermission(
                    charge_permission_id=charge_permission_id,
                    reason=stage.ending.reason,
                    cancel_pending_charges=cancels_pending and stage.ending.status is Status.CANCELED,
                    at=stage.at,
                    at_once=stage.at_once,
                    why=stage.why,
                    urgent=True,
                )
            case _:
                return None

    def planned_commands(self, *, pauses: bool) -> Iterator[Command]:
        """What was planned: a pause, its end, the end of all.

        Args:
            pauses: whether a pause can begin, or end by itself, now.
        """
        if pauses and self.pause is not None and not self.pause.has_begun:
            yield elapse(Timer.PAUSE, self.pause.since, "a pause was asked for")
        elif pauses and self.pause is not None and self.pause.until is not None:
            yield elapse(Timer.RESUME, self.pause.until, "the pause ends")
        if self.planned_end is not None and self.cancellation is None and self.ending is None:
            yield elapse(Timer.PLANNED_END, self.planned_end.at, "the cancellation was planned")

    # What changes it

    def canceled(self, reason: str, now: datetime) -> "Lifecycle":
        """Somebody asked to cancel; the first reason stands, and asking again changes nothing."""
        if self.cancellation is not None or self.ending is not None:
            return self
        return self.but(cancellation=Cancellation(at=now, reason=reason))

    def lost(self, until: datetime, reason_code: str | None, why: str) -> "Lifecycle":
        """Nothing can be charged any more; a new checkout is awaited."""
        return self.but(stage=AwaitingCheckout(until=until, reason_code=reason_code, why=why))

    def closing(self, ending: Ending, now: datetime, why: str) -> "Lifecycle":
        """The end is decided."""
        return self.but(cancellation=None, stage=Closing(ending=ending, at=now, at_once=True, why=why))

    def close_refused(self, answer: PermissionAnswer, now: datetime) -> "Lifecycle":
        """Amazon did not close the charge permission: it is tried again slowly."""
        if not isinstance(self.stage, Closing):
            raise AssertionError("no end was decided")
        refused = answer.refused or answer.state.value
        why = f"{refused}: closing the charge permission is tried again slowly"
        return self.but(stage=self.stage.but(at=now + LOOK_AGAIN_AFTER, at_once=False, why=why, refused=refused))

    def closed(self) -> "Lifecycle":
        """The charge permission is closed for good."""
        if self.ending is None:
            raise AssertionError("the charge permission was closed although no end was decided")
        return self.but(stage=AwaitingOutcomes(ending=self.ending))

    def ended(self, now: datetime) -> "Lifecycle":
        """Nothing is left to do. Whoever waits for it to go on elsewhere learns that it ended first."""
        if self.ending is None:
            raise AssertionError("it ended although no end was decided")
        successor = self.successor if self.ending.status is Status.REPLACED else None
        return self.but(stage=Ended(ending=self.ending, at=now), successor=successor)

    def pausing(self, pause: Pause | None) -> "Lifecycle":
        """With a pause, or without."""
        return self.but(pause=pause)

    def with_planned_end(self, planned: Cancellation | None) -> "Lifecycle":
        """With a planned end, or without."""
        return self.but(planned_end=planned)

    def replaced_by(self, successor: Successor) -> "Lifecycle":
        """It is to go on under another charge permission, once Amazon has said that it can be charged."""
        return self.but(successor=successor, refused_successor=None)

    def successor_refused(self, why: str, kind: Kind, now: datetime) -> "Lifecycle":
        """It stays under the charge permission that it has."""
        if self.successor is None:
            raise AssertionError("no other charge permission was named")
        name = self.successor.charge_permission_id
        refused = RefusedSuccessor(charge_permission_id=name, at=now, why=why, kind=kind)
        return self.but(successor=None, refused_successor=refused)

    def successor_unread(self, now: datetime) -> "Lifecycle":
        """Amazon did not say whether the other charge permission can be charged: it is read later."""
        later = now + LOOK_AGAIN_AFTER
        return self.but(successor=self.successor and self.successor.but(at=later, at_once=False))
