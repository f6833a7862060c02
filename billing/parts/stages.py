"""The stages of a collection: where an owed period stands, and what is done next there.

Each is a value with what belongs to it and nothing else. `at` is when something is done next (UTC); `at_once` where
that follows from what just happened.
"""

from abc import ABC
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import AwareDatetime, Field

from perennial_billing.billing.dunning.rules import Awaits
from perennial_billing.billing.keys import capture_key
from perennial_billing.billing.protocol.commands import (
    Attempt,
    CaptureCharge,
    Command,
    CreateCharge,
    ReadCharge,
    ReadPermission,
    Timer,
    elapse,
)
from perennial_billing.billing.values import Value

if TYPE_CHECKING:
    from perennial_billing.billing.parts.collection import Collection

LOOK_AGAIN_AFTER: Final = timedelta(hours=1)
"""How often a pending charge or a held subscription is looked at; Amazon advises polling once an hour."""


LOOK_WHILE_UNPAID: Final = timedelta(days=7)
"""How often the permission of an unpaid subscription is read at the most, in case every notification was lost: that may
go on for years."""


class Stage(StrEnum):
    """Where an open collection stands, in a word for people."""

    CHARGING = "charging"
    PENDING = "pending"
    RETRYING = "retrying"
    AWAITING_PAYMENT_METHOD = "awaiting_payment_method"
    ON_HOLD = "on_hold"
    UNPAID = "unpaid"
    """Not paid, and not tried any more."""


class AnyStage(Value, ABC):
    """What all stages can be asked.

    Attributes:
        stands: in a word for people, unless something is in the way.
        awaits: what is waited for, as far as the charge permission matters.
        attempt_is_open: the last attempt's outcome is not known for certain, so that no other may begin.
    """

    stands: ClassVar[Stage] = Stage.CHARGING
    awaits: ClassVar[Awaits] = Awaits.NOTHING
    attempt_is_open: ClassVar[bool] = False

    @property
    def word(self) -> Stage:
        """In a word for people."""
        return self.stands

    @property
    def pending_charge_id(self) -> str | None:
        """A charge whose outcome Amazon has not decided yet."""
        return None

    @property
    def held_for(self) -> str | None:
        """Why it is left to the merchant, or why a charge cannot be read."""
        return None

    @property
    def charge_in_question(self) -> str | None:
        """A charge that somebody has to look at."""
        return None

    def next_command(self, owed: "Collection") -> Command | None:  # noqa: ARG002 - most stages need it
        """What is done next; None where the buyer, the merchant or the subscription has to decide."""
        return None


class Starting(AnyStage):
    """An attempt is begun at once, whatever the charge permission is like: the period fell due, or the merchant wants
    tried again what was left to them."""

    kind: Literal["starting"] = "starting"
    at: AwareDatetime
    why: str = ""
    urgent: bool = False

    def next_command(self, owed: "Collection") -> Command:  # noqa: ARG002 - as in `AnyStage`
        """The attempt is begun."""
        return elapse(Timer.RETRY, self.at, self.why, at_once=True, urgent=self.urgent)


class Charging(AnyStage):
    """An attempt is to be sent, or was, and its outcome is awaited."""

    attempt_is_open: ClassVar = True
    kind: Literal["charging"] = "charging"
    at: AwareDatetime
    urgent: bool = False

    def next_command(self, owed: "Collection") -> Command:
        """The attempt is sent."""
        why = f"period {owed.period}, attempt {owed.attempts}: {owed.amount}"
        return _create_charge(owed, self.at, why, at_once=True, urgent=self.urgent)


class Repeating(AnyStage):
    """The attempt was refused for what only an operator can mend: it is sent again slowly, with the same key."""

    stands: ClassVar = Stage.ON_HOLD
    attempt_is_open: ClassVar = True
    kind: Literal["repeating"] = "repeating"
    at: AwareDatetime
    at_once: bool = False
    code: str

    def next_command(self, owed: "Collection") -> Command:
        """The attempt is sent again."""
        return _create_charge(owed, self.at, _held(self.code), at_once=self.at_once, repeats=True)


class AwaitingDecision(AnyStage):
    """Amazon is deciding on the charge, or does not show it; it is read.

    Attributes:
        captures_failed: how many captures of it were declined.
        unreadable: why it could not be read, or captured.
        why: what is waited for.
    """

    stands: ClassVar = Stage.PENDING
    attempt_is_open: ClassVar = True
    kind: Literal["awaiting_decision"] = "awaiting_decision"
    charge_id: str | None = None
    at: AwareDatetime
    at_once: bool = False
    captures_failed: int = 0
    unreadable: str | None = None
    why: str

    @property
    def pending_charge_id(self) -> str | None:
        """See `AnyStage`."""
        return self.charge_id

    @property
    def held_for(self) -> str | None:
        """See `AnyStage`."""
        return self.unreadable

    def next_command(self, owed: "Collection") -> Command:  # noqa: ARG002 - as in `AnyStage`
        """The charge is read."""
        return ReadCharge(charge_id=self.charge_id or "", at=self.at, at_once=self.at_once, why=self.why)


class Capturing(AnyStage):
    """Amazon has authorized the charge that was pending; its money is taken."""

    stands: ClassVar = Stage.PENDING
    attempt_is_open: ClassVar = True
    kind: Literal["capturing"] = "capturing"
    charge_id: str | None = None
    at: AwareDatetime
    at_once: bool
    captures_failed: int
    why: str

    @property
    def pending_charge_id(self) -> str | None:
        """See `AnyStage`."""
        return self.charge_id

    def next_command(self, owed: "Collection") -> Command:
        """It is captured."""
        return CaptureCharge(
            period=owed.period,
            charge_id=self.charge_id or "",
            amount=owed.amount,
            idempotency_key=capture_key(_attempt_of(owed).idempotency_key, self.captures_failed + 1),
            soft_descriptor=owed.soft_descriptor,
            at=self.at,
            at_once=self.at_once,
            why=self.why,
        )


class AskingPermission(AnyStage):
    """The attempt failed; the charge permission says whether another may follow.

    Attributes:
        busy: Amazon's own trouble, or an older state than was seen; it is read again in a while.
        held: it says what only an operator can mend, or nothing.
    """

    awaits: ClassVar = Awaits.FIRST_WORD
    kind: Literal["asking_permission"] = "asking_permission"
    at: AwareDatetime
    at_once: bool = False
    busy: bool = False
    held: bool = False

    @property
    def word(self) -> Stage:
        """See `AnyStage`."""
        if self.held:
            return Stage.ON_HOLD
        return Stage.RETRYING if self.busy else Stage.CHARGING

    def next_command(self, owed: "Collection") -> Command:
        """It is read."""
        why = f"{owed.last_reason}: the charge permission says whether to retry"
        if self.busy:
            why = f"{owed.last_reason}: the charge permission is not chargeable for now"
        return _read_permission(owed, self.at, _held(owed.last_reason) if self.held else why, at_once=self.at_once)


class AskingLimit(AnyStage):
    """The monthly limit refused the attempt; the charge permission says whether any month bears the amount."""

    awaits: ClassVar = Awaits.LIMIT
    kind: Literal["asking_limit"] = "asking_limit"
    at: AwareDatetime

    def next_command(self, owed: "Collection") -> Command:
        """The permission is read."""
        why = f"{owed.last_reason}: the charge permission says how much it allows in a calendar month"
        return _read_permission(owed, self.at, why, at_once=True)


class Retrying(AnyStage):
    """Another attempt is made at an instant.

    Attributes:
        limited_until: the end (UTC) of the month whose limit is used up, where that is why.
    """

    stands: ClassVar = Stage.RETRYING
    awaits: ClassVar = Awaits.RETRY
    kind: Literal["retrying"] = "retrying"
    at: AwareDatetime
    why: str
    at_once: bool = False
    urgent: bool = False
    limited_until: AwareDatetime | None = None

    def next_command(self, owed: "Collection") -> Command:  # noqa: ARG002 - as in `AnyStage`
        """The instant is waited for."""
        return elapse(Timer.RETRY, self.at, self.why, at_once=self.at_once, urgent=self.urgent)


class AwaitingBuyer(AnyStage):
    """Only the buyer can mend it; the charge permission is read now and then, in case every notification is lost.

    Attributes:
        held: the permission could not be read at the last look.
    """

    stands: ClassVar = Stage.AWAITING_PAYMENT_METHOD
    awaits: ClassVar = Awaits.BUYER
    kind: Literal["awaiting_buyer"] = "awaiting_buyer"
    at: AwareDatetime
    held: bool = False

    @property
    def word(self) -> Stage:
        """See `AnyStage`."""
        return Stage.ON_HOLD if self.held else self.stands

    def next_command(self, owed: "Collection") -> Command:
        """The permission is read."""
        why = f"{owed.last_reason}: waiting for the buyer to mend the payment method until {owed.deadline:%Y-%m-%d}"
        return _read_permission(owed, self.at, _held(owed.last_reason) if self.held else why)


class UsedUp(AnyStage):
    """The policy's time or attempts are used up: its final action follows at once."""

    stands: ClassVar = Stage.RETRYING
    kind: Literal["used_up"] = "used_up"
    at: AwareDatetime
    why: str

    def next_command(self, owed: "Collection") -> Command:  # noqa: ARG002 - as in `AnyStage`
        """The final action."""
        return elapse(Timer.FINAL_ACTION, self.at, self.why, at_once=True)


class LeftToMerchant(AnyStage):
    """Nothing is done before the merchant says so.

    Attributes:
        code: why, in a word.
        charge_id: the charge that is not understood, where there is one.
        why: in words, where that tells more.
    """

    stands: ClassVar = Stage.ON_HOLD
    kind: Literal["left_to_merchant"] = "left_to_merchant"
    code: str
    charge_id: str | None = None
    why: str = ""

    @property
    def charge_in_question(self) -> str | None:
        """See `AnyStage`."""
        return self.charge_id

    @property
    def held_for(self) -> str | None:
        """See `AnyStage`."""
        return self.code


class Unpaid(AnyStage):
    """Nothing is tried before the buyer has mended the payment method.

    Attributes:
        look_at: when the permission is read (UTC): now and then, in case every notification is lost, and soon where a
            reading told nothing. None in states of before there were such looks.
        why: which of the two.
    """

    stands: ClassVar = Stage.UNPAID
    awaits: ClassVar = Awaits.UNPAID
    kind: Literal["unpaid"] = "unpaid"
    look_at: AwareDatetime | None = None
    why: str = ""

    def next_command(self, owed: "Collection") -> Command | None:
        """The permission is read."""
        return _read_permission(owed, self.look_at, self.why) if self.look_at else None


class CheckingCharge(AnyStage):
    """A charge is read before anything else is done: one that was declined, as Amazon may have captured it since, or
    one of which somebody says that it has paid the period.

    Attributes:
        charge_id: Amazon's.
        pays: somebody says so.
        back: where it stood; None where another attempt is to follow.
        unreadable: why it could not be read.
    """

    attempt_is_open: ClassVar = True
    kind: Literal["checking_charge"] = "checking_charge"
    charge_id: str
    at: AwareDatetime
    at_once: bool = True
    urgent: bool = False
    pays: bool = False
    back: "OneStage | None" = None
    unreadable: str | None = None

    @property
    def word(self) -> Stage:
        """See `AnyStage`."""
        if self.unreadable:
            return Stage.ON_HOLD
        return self.back.word if self.back else self.stands

    @property
    def held_for(self) -> str | None:
        """See `AnyStage`."""
        return self.unreadable or (self.back.held_for if self.back else None)

    @property
    def charge_in_question(self) -> str | None:
        """See `AnyStage`."""
        return self.charge_id

    def next_command(self, owed: "Collection") -> Command:  # noqa: ARG002 - as in `AnyStage`
        """It is read."""
        why = f"Has charge {self.charge_id} paid the period?" if self.pays else "Is the declined charge declined still?"
        if self.unreadable:
            why = f"{self.unreadable}: the declined charge could not be read, and no other is made before"
        return ReadCharge(charge_id=self.charge_id, at=self.at, at_once=self.at_once, urgent=self.urgent, why=why)


class Lost(AnyStage):
    """The charge permission cannot be charged any more; what follows is the subscription's to decide."""

    kind: Literal["lost"] = "lost"
    why: str


OneStage = Annotated[
    Starting
    | Charging
    | Repeating
    | AwaitingDecision
    | Capturing
    | AskingPermission
    | AskingLimit
    | Retrying
    | AwaitingBuyer
    | UsedUp
    | LeftToMerchant
    | Unpaid
    | CheckingCharge
    | Lost,
    Field(discriminator="kind"),
]
"""One of them, as it is written down."""

CheckingCharge.model_rebuild()


def _held(code: str | None) -> str:
    return f"{code}: yours to mend; tried again each hour"


def _attempt_of(owed: "Collection") -> Attempt:
    if owed.attempt is None:
        raise AssertionError(f"period {owed.period}: no attempt was begun")
    return owed.attempt


def _create_charge(
    owed: "Collection",
    at: AwareDatetime,
    why: str,
    *,
    at_once: bool = False,
    urgent: bool = False,
    repeats: bool = False,
) -> Command:
    attempt, texts = _attempt_of(owed), owed.texts
    return CreateCharge(
        charge_permission_id=owed.charge_permission_id,
        merchant_reference=owed.merchant_reference,
        attempt=attempt,
        texts=texts if texts is None or attempt.capture_now else texts.until_captured,
        at=at,
        why=why,
        at_once=at_once,
        urgent=urgent,
        repeats=repeats,
    )


def _read_permission(owed: "Collection", at: AwareDatetime, why: str, *, at_once: bool = False) -> Command:
    return ReadPermission(charge_permission_id=owed.charge_permission_id, planned=True, at=at, at_once=at_once, why=why)
