"""Whether a charge permission, as Amazon shows it, can be charged as a subscription needs it.

Asked before anything depends on it: before a subscription is started, before one goes on under another charge
permission, and of each row of an import. What Amazon does not say (a limit, a type, an end) is not held against it.

Source: Amazon Pay API v2, "charge permission".
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from perennial_billing.billing.calendar import permission_expiry
from perennial_billing.billing.expiry import charges_to_come
from perennial_billing.billing.plan.monthly_limit import is_above
from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription

RECURRING = "Recurring"
"""The chargePermissionType under which a merchant may charge again and again (Amazon Pay API v2)."""

FIELD = "charge_permission_id"
"""What every refusal is about: the charge permission that was named."""


def check_chargeable(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> None:
    """Whether a subscription can be charged under its charge permission.

    Args:
        subscription: as it begins, or goes on, under it.
        answer: the charge permission as it was read.
        now: when (UTC).

    Raises:
        Refused: all that is known against it; later it may be possible where each of that may change.
    """
    troubles = list(_troubles(subscription, answer, now))
    if troubles:
        why = "; ".join(why for why, _ in troubles)
        kind = Kind.INVALID if any(kind is Kind.INVALID for _, kind in troubles) else Kind.NOT_NOW
        raise Refused(FIELD, subscription.terms.charge_permission_id, why, kind)


def _troubles(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> Iterator[tuple[str, Kind]]:
    if answer.refused is not None:
        yield f"Amazon does not show it ({answer.refused}): is its id right, and is it of this merchant?", Kind.INVALID
        return
    if answer.given_for not in {None, RECURRING}:
        yield f"it is {answer.given_for}, not {RECURRING}", Kind.INVALID
    if answer.is_closed:
        yield f"it is closed{_because(answer)}, for good", Kind.INVALID
    elif not answer.is_chargeable:
        yield f"it cannot be charged now: {answer.state.value}{_because(answer)}", Kind.NOT_NOW
    dearest = subscription.most_to_come
    if answer.currency not in {None, dearest.currency}:
        yield f"it is in {answer.currency}, and the plan in {dearest.currency}", Kind.INVALID
    elif answer.monthly_limit is not None and is_above(dearest, answer.monthly_limit):
        yield (
            f"it allows {answer.monthly_limit} in a calendar month, and a charge to come may cost {dearest}",
            Kind.INVALID,
        )
    if answer.expires_at is not None and not answer.is_closed:
        yield from _expires(subscription, answer.expires_at, now)


def _expires(subscription: Subscription, expires_at: datetime, now: datetime) -> Iterator[tuple[str, Kind]]:
    """It closes before one of the next two charges; the first of them renews it."""
    if expires_at <= now:
        yield f"it expired on {expires_at:%Y-%m-%d}", Kind.INVALID
        return
    for due in islice(charges_to_come(subscription), 2):
        charged_at = max(due, now)
        if charged_at >= expires_at:
            why = f"it expires on {expires_at:%Y-%m-%d}, 13 months after its last charge, and the next charge would"
            yield f"{why} fall due on {charged_at:%Y-%m-%d}", Kind.INVALID
            return
        expires_at = permission_expiry(charged_at)


def _because(answer: PermissionAnswer) -> str:
    return f" ({', '.join(answer.reason_codes)})" if answer.reason_codes else ""
