"""The charge permission is about to expire, and nothing is charged before: the merchant is told."""

from datetime import datetime

from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription


def about_to_expire(subscription: Subscription, now: datetime) -> Subscription:
    """Weeks are left. Where Amazon has not said since the last charge when it expires, it is asked first.

    Not while a period is owed: a reading would be taken for somebody's word that the payment method was mended.
    """
    permission = subscription.permission
    if not permission.expiry_is_read and subscription.collection is None:
        return subscription.but(permission=permission.asked_for_expiry(now))
    told = subscription.but(permission=permission.but(told_of_expiry=True))
    return telling(
        told,
        NoticeType.CHARGE_PERMISSION_EXPIRING,
        now,
        deadline=permission.expires_at,
        reason="nothing is charged before the charge permission expires, 13 months after its last charge",
    )
