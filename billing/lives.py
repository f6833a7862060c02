"""A subscription that goes on after its workflow was ended from outside, and one that begins anew.

Neither ever uses an idempotency key again for something else: what goes on keeps its keys, and sends what was open with
the same amount; what begins anew has keys of its own, as Amazon would answer the old ones with the old charges.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.machine import apply, tell_of_start
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.protocol.events import CancelAsked, Event, Refresh, Started, Thing
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


def brought_together(
    forgetful: Subscription,
    known: Subscription,
    told: int,
    now: datetime,
    asker: Asker,
    canceled: CancelAsked | None = None,
) -> Subscription:
    """A subscription as it goes on with what the ledger has kept, where that is more than its workflow knows.

    What was said to the workflow meanwhile is taken, and the charge permission is read anew: what was said of it in the
    time that is forgotten may be lost.

    Args:
        forgetful: as its workflow stands.
        known: as it stood when it told something last.
        told: the number of the last notice that the ledger knows.
        now: when it goes on (UTC).
        asker: who brings both together, and why; told with it.
        canceled: that somebody has canceled it, as its workflow heard; an end that was planned is none, as it may have
            been taken back in the time that is forgotten.
    """
    if told > known.outbox.told:
        known = known.but(outbox=Outbox(told=told))  # the rest was told of what went on after its end
    known = known.but(divergence=None)
    if known.has_ended:
        return known
    said = [*([canceled] if canceled else ()), *_said_to(forgetful, known), Refresh(Thing.PERMISSION)]
    return brought_back(known, said, now, asker)


def _said_to(forgetful: Subscription, known: Subscription) -> Iterator[Event]:
    """What was said to a workflow that stood at an earlier moment, and may be news."""
    settled = {*known.refunds.settled_ids, *(each.refund_id for each in known.refunds.latest)}
    for refund in forgetful.refunds.reported:
        if refund.refund_id not in settled:
            yield Refresh(Thing.REFUND, refund.refund_id)
    for refund_id in forgetful.refunds.settled_ids:
        if refund_id not in settled:
            yield Refresh(Thing.REFUND, refund_id)
    disputed = {each.dispute_id for each in known.disputes.latest}
    for dispute in forgetful.disputes.latest:
        if dispute.dispute_id not in disputed:
            yield Refresh(Thing.DISPUTE, dispute.dispute_id)
    if forgetful.divergence is not None:
        yield from forgetful.divergence.heard


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
