"""What a merchant may ask of a running subscription: one request a class, each with its rule, by kind.

A request is applied to a value and gives another, so what is refused has changed nothing, and trying one is applying it
and throwing the result away. `billing.machine.ask` applies them all, and recognises what was asked for before.

Owns: when something may be asked, and what it changes. Does not decide: what follows; that is the subscription's.
"""

from typing import Annotated

from pydantic import Field

from perennial_billing.billing.changes.charges import Capture, RefundPeriod, RetryNow
from perennial_billing.billing.changes.ending import Cancel, UndoCancellation
from perennial_billing.billing.changes.items import AddItem
from perennial_billing.billing.changes.pausing import PauseSubscription, ResumeSubscription, SkipPeriod
from perennial_billing.billing.changes.permission import ReplacePermission
from perennial_billing.billing.changes.plans import ChangeBillingDay, ChangePlan, Settle, UndoChanges
from perennial_billing.billing.changes.refunding import Share
from perennial_billing.billing.changes.rules import When, gets_dearer
from perennial_billing.billing.changes.settling import Resolve, WriteOff

Change = Annotated[
    ChangePlan
    | ChangeBillingDay
    | UndoChanges
    | PauseSubscription
    | ResumeSubscription
    | SkipPeriod
    | Cancel
    | UndoCancellation
    | AddItem,
    Field(discriminator="kind"),
]
"""What changes a subscription; it answers when it takes effect."""

AnyRequest = Annotated[
    Change | Capture | RefundPeriod | RetryNow | Resolve | WriteOff | ReplacePermission, Field(discriminator="kind")
]
"""Everything that can be asked."""

__all__ = [
    "AddItem",
    "AnyRequest",
    "Cancel",
    "Capture",
    "Change",
    "ChangeBillingDay",
    "ChangePlan",
    "PauseSubscription",
    "RefundPeriod",
    "ReplacePermission",
    "Resolve",
    "ResumeSubscription",
    "RetryNow",
    "Settle",
    "Share",
    "SkipPeriod",
    "UndoCancellation",
    "UndoChanges",
    "When",
    "WriteOff",
    "gets_dearer",
]
