"""What is known of the charge permission, what is to be asked of it, and what Amazon is to be told."""

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.calendar import permission_expiry
from perennial_billing.billing.parts.stages import LOOK_AGAIN_AFTER
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.billing.protocol.commands import Command, ReadPermission, UpdatePermission
from perennial_billing.billing.values import Value

REMEMBERED_NOTIFICATIONS: Final = 20
"""Notification ids kept to recognise a repetition; one period causes two or three."""


class Telling(Value):
    """Another plan was agreed on, and Amazon does not know yet: when it is told (UTC)."""

    at: AwareDatetime
    at_once: bool = True


class Permission(Value):
    """The charge permission, as far as nothing that is owed depends on it.

    Attributes:
        seen: as it was last read while nothing was owed; None where that is no news any more.
        look_at: a signal said then (UTC) that it may have changed, and it was not read since; or when that is tried
            again.
        look_is_late: Amazon did not answer when it was to be read, so that is tried again later.
        notification_ids: of the latest notifications, to recognise repetitions.
        telling: Amazon is to be told how often how much is charged.
        expires_at: when it closes by itself unless it is charged before (UTC): as Amazon says, or reckoned from the
            last charge, or from the approval.
        expiry_is_read: Amazon has said so since the last charge, or was asked and did not.
        told_of_expiry: the merchant was told of that instant.
    """

    seen: PermissionAnswer | None = None
    look_at: AwareDatetime | None = None
    look_is_late: bool = False
    notification_ids: tuple[str, ...] = ()
    telling: Telling | None = None
    expires_at: AwareDatetime | None = None
    expiry_is_read: bool = False
    told_of_expiry: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether it is known to be closed, which is for good."""
        return self.seen is not None and self.seen.is_closed

    @property
    def is_broken(self) -> bool:
        """Whether it could not be charged when it was last read."""
        return self.seen is not None and not self.seen.is_chargeable

    @property
    def last_reason(self) -> str | None:
        """Why it could not be charged."""
        if self.seen is None or self.seen.is_chargeable:
            return None
        return self.seen.refused or next(iter(self.seen.reason_codes), self.seen.state.value)

    def look(self, charge_permission_id: str) -> Command | None:
        """It is read, where somebody said that it may have changed."""
        if self.look_at is None:
            return None
        why = "somebody says that the charge permission may have changed"
        at, at_once = self.look_at, not self.look_is_late
        return ReadPermission(charge_permission_id=charge_permission_id, at=at, at_once=at_once, why=why)

    def tell(self, charge_permission_id: str, recurrence: Recurrence) -> Command | None:
        """Amazon is told, where it does not know."""
        if self.telling is None:
            return None
        return UpdatePermission(
            charge_permission_id=charge_permission_id,
            recurrence=recurrence,
            at=self.telling.at,
            at_once=self.telling.at_once,
            why=f"Amazon is told of the plan: {recurrence}",
        )

    # What changes it

    def may_have_changed(self, now: datetime, notification_id: str | None) -> "Permission":
        """Somebody says so; a repeated notification is ignored."""
        if notification_id is None:
            return self.but(look_at=now, look_is_late=False)
        if notification_id in self.notification_ids:
            return self
        known = (*self.notification_ids, notification_id)[-REMEMBERED_NOTIFICATIONS:]
        return self.but(look_at=now, look_is_late=False, notification_ids=known)

    def still_to_be_read(self, now: datetime) -> "Permission":
        """Somebody said so while a charge went before, and nothing that was read since has told what changed."""
        return self if self.look_at else self.but(look_at=now)

    def looked(self) -> "Permission":
        """It was read; or it is about to be charged, which makes what was signalled before stale."""
        return self.but(look_at=None, look_is_late=False) if self.look_at else self

    def not_read(self, now: datetime) -> "Permission":
        """Amazon did not answer: where somebody said that it may have changed, it is read later."""
        return self.but(look_at=now + LOOK_AGAIN_AFTER, look_is_late=True) if self.look_at else self

    def approved(self, now: datetime) -> "Permission":
        """The buyer has approved it, at the latest now, and nothing was charged yet."""
        return self.but(expires_at=permission_expiry(now))

    def with_some_expiry(self, now: datetime) -> "Permission":
        """Where nothing is known of its age, that counts from now on."""
        return self if self.expires_at else self.approved(now)

    def charged(self, now: datetime) -> "Permission":
        """It was charged, which renews it, so what was read of it before is no news any more; a closed one stays so."""
        seen = self.seen if self.seen is not None and self.seen.is_closed else None
        return self.but(seen=seen, expires_at=permission_expiry(now), expiry_is_read=False, told_of_expiry=False)

    def expiring(self, answer: PermissionAnswer) -> "Permission":
        """Amazon says when it expires, where it says so; another instant is to be told anew."""
        if answer.is_closed or answer.expires_at is None:
            return self
        told = self.told_of_expiry and answer.expires_at == self.expires_at
        return self.but(expires_at=answer.expires_at, expiry_is_read=True, told_of_expiry=told)

    def asked_for_expiry(self, now: datetime) -> "Permission":
        """It is read, as the instant was only reckoned; where Amazon says none, that one counts."""
        return self.but(look_at=now, expiry_is_read=True)

    def read(self, answer: PermissionAnswer) -> "Permission":
        """As it was read."""
        return self.but(seen=answer)

    def plan_changed(self, now: datetime) -> "Permission":
        """Amazon is to be told."""
        return self.but(telling=Telling(at=now))

    def told(self, *, knows: bool, now: datetime) -> "Permission":
        """Amazon was told; `knows` where nothing else was agreed on meanwhile."""
        return self.but(telling=None if knows else Telling(at=now))

    def not_told(self, now: datetime) -> "Permission":
        """Amazon did not answer: it is told later."""
        return self.but(telling=Telling(at=now + LOOK_AGAIN_AFTER, at_once=False))
