"""Another charge permission, that the buyer has approved since."""

from datetime import datetime
from typing import Literal

from perennial_billing.billing.contract.terms import ChargePermissionId
from perennial_billing.billing.parts.lifecycle import Successor
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription


class ReplacePermission(Request):
    """The subscription goes on under another charge permission as soon as no attempt's outcome is awaited."""

    kind: Literal["replace"] = "replace"
    charge_permission_id: ChargePermissionId

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, str]:
        """See the module; answers the new charge permission's id."""
        wanted, known = self.charge_permission_id, subscription.lifecycle.successor
        if not subscription.can_be_ended or subscription.lifecycle.cancellation is not None:
            raise Refused(
                "subscription",
                subscription.status.value,
                "it cannot go on under another charge permission any more",
                Kind.NOT_NOW,
            )
        if wanted == subscription.terms.charge_permission_id:
            raise Refused(
                "charge_permission_id", wanted, "it is the charge permission that it has already", Kind.CONFLICT
            )
        if known is not None and known.charge_permission_id != wanted:
            why = f"it is to go on under {known.charge_permission_id} already"
            raise Refused("charge_permission_id", wanted, why, Kind.CONFLICT)
        successor = known or Successor(charge_permission_id=wanted, at=now)
        return subscription.but(lifecycle=subscription.lifecycle.replaced_by(successor)), wanted
