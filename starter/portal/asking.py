"""What a buyer wants, asked of the subscription: tried first, and then done once, in the buyer's name."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from temporalio.service import RPCError

from perennial_billing.billing.changes import (
    Cancel,
    Change,
    PauseSubscription,
    ResumeSubscription,
    SkipPeriod,
    UndoCancellation,
    When,
)
from perennial_billing.billing.forecast.preview import DryRun
from perennial_billing.billing.requests import Asker
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.portal_acts import begin, finish
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import (
    RequestRefusedError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.portal.purposes import SINGLE, Act
from perennial_billing.starter.portal.sealing import Consent

ACTOR: Final = "buyer"
"""Who asks, as the ledger keeps it; never which one."""

ON_THE_PAGE: Final = "on the buyer's page"
"""Why, where the buyer says nothing."""

CLOSURE_REASON: Final = "Canceled by the buyer"
"""What Amazon is told."""


class Became(StrEnum):
    """What became of it."""

    DONE = "done"
    USED = "used"
    """It was done before, or something else was by the same link."""
    REFUSED = "refused"
    """A rule said no; nothing was changed."""
    OPEN = "open"
    """It may have been done, and that is not known yet, or not kept: the same may be sent again."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a buyer is asked to confirm.

    Attributes:
        consent: what would be done.
        told: what that would come to.
    """

    consent: Consent
    told: DryRun


def request_of(consent: Consent, zone: str) -> Change:
    """What is asked of the subscription.

    Args:
        consent: what the buyer confirms.
        zone: the subscription's, in which a day begins.
    """
    match consent.act:
        case Act.CANCEL:
            return Cancel(when=When.NOW if consent.at_once else When.RENEWAL, reason=CLOSURE_REASON)
        case Act.UNDO_CANCEL:
            return UndoCancellation()
        case Act.PAUSE:
            until = datetime.combine(consent.until, time(), ZoneInfo(zone)).astimezone(UTC) if consent.until else None
            return PauseSubscription(when=When.RENEWAL, until=until)
        case Act.RESUME:
            return ResumeSubscription()
        case Act.SKIP | Act.UNDO_SKIP:
            return SkipPeriod(undo=consent.act is Act.UNDO_SKIP)


async def tried(subscriptions: Subscriptions, consent: Consent, zone: str) -> Tried:
    """What it would come to. A cancellation that cannot wait for the end of what is paid, as no such end is known, is
    tried at once: a buyer may leave at any time.

    Raises:
        RequestRefusedError: it would be refused.
        SubscriptionError: it cannot be asked now.
    """
    try:
        told = await subscriptions.dry_run(consent.charge_permission_id, request_of(consent, zone))
    except RequestRefusedError:
        if consent.act is not Act.CANCEL or consent.at_once:
            raise
        return await tried(subscriptions, consent.model_copy(update={"at_once": True}), zone)
    return Tried(consent, told)


async def done(
    subscriptions: Subscriptions, ledger: Ledger, consent: Consent, zone: str, because: str | None
) -> Became:
    """Does it, once: see `ledger.portal_acts`. The request's id is made of the nonce, so that where this process dies
    in between, the subscription recognises what it was asked before.

    Args:
        subscriptions: the merchant's way in.
        ledger: remembers what was done.
        consent: what the buyer has confirmed.
        zone: the subscription's.
        because: the id of a reason that the buyer chose.

    Raises:
        LedgerError: nothing was done.
        SubscriptionNotFoundError: there is none.
    """
    if not await begin(ledger, consent.nonce, consent.kept_until):
        return Became.USED
    asker = Asker(actor=ACTOR, because=because or ON_THE_PAGE)
    try:
        await subscriptions.on_behalf_of(asker).change(
            consent.charge_permission_id, request_of(consent, zone), request_id=f"buyer-{consent.nonce}"
        )
    except SubscriptionNotFoundError:
        raise
    except SubscriptionEndedError:
        became = Became.REFUSED
    except RequestRefusedError as error:
        became = Became.USED if error.refused.field == "request_id" else Became.REFUSED
    except (SubscriptionError, RPCError):
        return Became.OPEN
    else:
        became = Became.DONE
    if became is Became.REFUSED and consent.purpose in SINGLE:
        return became  # a link by which nothing was done stays good
    try:
        await finish(ledger, consent.nonce)
    except LedgerError:
        return Became.OPEN
    return became
