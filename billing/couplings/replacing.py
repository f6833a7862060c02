"""Whether a subscription can go on under another charge permission; nothing is closed before that is known.

A closed charge permission can never be opened again, so an id with a typing error in it must not cost the one that
works.
"""

from datetime import datetime

from perennial_billing.billing.couplings.ending import continued, handed_over
from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.plan.monthly_limit import is_above
from perennial_billing.billing.protocol.answers import PermissionAnswer, SuccessorAnswer
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Kind
from perennial_billing.billing.subscription import Subscription

RECURRING = "Recurring"
"""The chargePermissionType under which a merchant may charge again and again (Amazon Pay API v2)."""


def successor_read(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> Subscription:
    """The other charge permission was read: the subscription goes on under it, or stays as it is and says why."""
    successor = subscription.lifecycle.successor
    if successor is None:
        raise AssertionError("no other charge permission was named")
    trouble = _trouble(subscription, answer, now)
    if trouble is not None:
        return _stays(subscription, *trouble, now, answer.refused or next(iter(answer.reason_codes), None))
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


def _trouble(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> tuple[str, Kind] | None:
    """Why a charge permission cannot be charged as the subscription needs it; None where nothing is known against it.

    What Amazon does not say (a limit, a type) is not held against it. That is said before what is, as `refused`: an
    answer that shows nothing.
    """
    dearest = continued(subscription).most_to_come
    if answer.refused is not None:
        return f"Amazon does not show it ({answer.refused}): is its id right, and is it of this merchant?", Kind.INVALID
    if answer.is_closed:
        return f"it is closed{_because(answer)}, for good", Kind.INVALID
    if answer.given_for not in {None, RECURRING}:
        return f"it is {answer.given_for}, not {RECURRING}", Kind.INVALID
    if not answer.is_chargeable:
        return f"it cannot be charged now: {answer.state.value}{_because(answer)}", Kind.NOT_NOW
    if answer.expires_at is not None and answer.expires_at <= now:
        return f"it expired on {answer.expires_at:%Y-%m-%d}", Kind.INVALID
    if answer.currency not in {None, dearest.currency}:
        return f"it is in {answer.currency}, and the plan in {dearest.currency}", Kind.INVALID
    if answer.monthly_limit is not None and is_above(dearest, answer.monthly_limit):
        return (
            f"it allows {answer.monthly_limit} in a calendar month, and a charge to come may cost {dearest}",
            Kind.INVALID,
        )
    return None


def _because(answer: PermissionAnswer) -> str:
    return f" ({', '.join(answer.reason_codes)})" if answer.reason_codes else ""
