"""Whether a subscription can go on under another charge permission; nothing is closed before that is known.

A closed charge permission can never be opened again, so an id with a typing error in it must not cost the one that
works.
"""

from datetime import datetime

from perennial_billing.billing.chargeable import check_chargeable
from perennial_billing.billing.couplings.ending import continued, handed_over
from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.protocol.answers import PermissionAnswer, SuccessorAnswer
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription


def successor_read(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> Subscription:
    """The other charge permission was read: the subscription goes on under it, or stays as it is and says why."""
    successor = subscription.lifecycle.successor
    if successor is None:
        raise AssertionError("no other charge permission was named")
    try:
        check_chargeable(continued(subscription), answer, now)
    except Refused as refused:
        reason_code = answer.refused or next(iter(answer.reason_codes), None)
        return _stays(subscription, refused.accepted, refused.kind, now, reason_code)
    approved = successor.but(at=now, at_once=True, is_approved=True)
    return subscription.but(lifecycle=subscription.lifecycle.replaced_by(approved))


def successor_answered(subscription: Subscription, answer: SuccessorAnswer, now: datetime) -> Subscription:
    """The subscription was started under the other charge permission, or that has one already."""
    if answer.started:
        return handed_over(subscription, now)
    return _stays(subscription, "it has a subscription of its own already", Kind.CONFLICT, now)


def _stays(
    subscription: Subscription, why: str, kind: Kind, now: datetime, reason_code: str | None = None
) -> Subscription:
    """It does not go on there: whoever asked may be gone by now, so the merchant is told as well."""
    named = subscription.lifecycle.successor
    stays = subscription.but(lifecycle=subscription.lifecycle.successor_refused(why, kind, now))
    name = named.charge_permission_id if named else None
    return telling(stays, NoticeType.REPLACEMENT_REFUSED, now, successor=name, reason_code=reason_code, reason=why)
