"""What the merchant is told: which notice, with which fields."""

from datetime import datetime
from typing import Any, Final

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.ledger import PeriodOutcome, PeriodRecord
from perennial_billing.billing.parts.stages import Retrying, Stage
from perennial_billing.billing.protocol.commands import Action, Command
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription

_WAITS_FOR_THE_BUYER: Final = frozenset({Stage.AWAITING_PAYMENT_METHOD, Stage.UNPAID})
_ENTERING: Final = {
    Stage.PENDING: NoticeType.CHARGE_PENDING,
    Stage.ON_HOLD: NoticeType.SUBSCRIPTION_HELD,
    Stage.AWAITING_PAYMENT_METHOD: NoticeType.PAYMENT_METHOD_NEEDED,
}
OF_OUTCOME: Final = {
    PeriodOutcome.PAID: NoticeType.PERIOD_PAID,
    PeriodOutcome.AUTHORIZED: NoticeType.PERIOD_AUTHORIZED,
    PeriodOutcome.FREE: NoticeType.PERIOD_FREE,
    PeriodOutcome.WRITTEN_OFF: NoticeType.PERIOD_WRITTEN_OFF,
    PeriodOutcome.SKIPPED: NoticeType.PERIOD_SKIPPED,
}


def telling(
    subscription: Subscription,
    kind: NoticeType,
    now: datetime,
    **fields: Any,  # Any: the fields of a notice
) -> Subscription:
    """Puts a notice into the outbox, with what happens next."""
    command = main_command(subscription)
    next_action_at = command.at if command else None
    return subscription.but(outbox=subscription.outbox.telling(kind, now, next_action_at=next_action_at, **fields))


def notice_after(before: Collection, after: Collection, command: Command | None) -> NoticeType | None:
    """What the merchant is told when something was decided for an open collection; None where it is no news.

    Args:
        before: as it stood.
        after: as it stands now.
        command: what is done next.
    """
    retries = command is not None and command.action is Action.CHARGE and isinstance(after.stage, Retrying)
    if retries and after.limited_until is not None:
        return NoticeType.MONTHLY_LIMIT_REACHED if after.told_month != after.limited_until else None
    if retries and after.told_attempt != after.attempts:
        return NoticeType.CHARGE_DECLINED
    if retries:
        return NoticeType.PAYMENT_METHOD_MENDED if before.word in _WAITS_FOR_THE_BUYER else None
    if after.word is before.word:
        is_newly_held = after.held_for is not None and before.held_for is None
        return NoticeType.SUBSCRIPTION_HELD if is_newly_held else None
    return _ENTERING.get(after.word)


def about_collection(collection: Collection) -> dict[str, Any]:  # Any: fields of a notice
    """What a notice about a collection names."""
    return {
        "period": collection.period,
        "due": collection.due,
        "amount": collection.amount,
        "attempt": collection.attempts or None,
    }


def about_record(record: PeriodRecord) -> dict[str, Any]:  # Any: as above
    """What a notice about a settled period names."""
    return {
        "period": record.period,
        "due": record.due,
        "amount": record.amount,
        "attempt": record.attempts or None,
        "charge_id": record.charge_id,
        "credit": record.credit,
    }
