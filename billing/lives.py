"""A subscription that goes on after its workflow was ended from outside, and one that begins anew.

Neither ever uses an idempotency key again for something else: what goes on keeps its keys, and sends what was open with
the same amount; what begins anew has keys of its own, as Amazon would answer the old ones with the old charges.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.machine import apply, tell_of_start
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.protocol.events import Event, Started
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.subscription import Subscription

RECOVER: Final = "recover"
"""What is told as the kind of request where somebody has brought a subscription back."""


def brought_back(subscription: Subscription, unheard: Sequence[Event], now: datetime, asker: Asker) -> Subscription:
    """A subscription as it goes on in a new run: it knows what it knew, and takes what it was told and never heard.

    Args:
        subscription: as it stood when its workflow did something last.
        unheard: what was said to it since, in that order.
        now: when it goes on (UTC).
        asker: who brings it back, and why; told with it.
    """
    after = apply(subscription, Started(), now)
    told = after.outbox.told
    after = telling(after, NoticeType.SUBSCRIPTION_CHANGED, now, request=RECOVER)
    after = after.but(outbox=after.outbox.asked_for_by(asker.actor, asker.because, after=told))
    for event in unheard:
        after = apply(after, event, now)
    return after.carried_on()


def begun_again(subscription: Subscription, life: int, told: int, now: datetime) -> Subscription:
    """A new subscription under a charge permission that one has lived under before.

    Args:
        subscription: as it begins.
        life: which one it is, counted from 1; it makes other keys of the same periods.
        told: how many notices were told before; its own are numbered on from there.
        now: when it begins (UTC).
    """
    terms = subscription.terms.but(life=life)
    again = subscription.but(contract=subscription.contract.but(terms=terms), outbox=Outbox(told=told))
    return tell_of_start(again, now)
