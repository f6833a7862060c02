"""An authorized charge of an earlier period is captured, or lost."""

from datetime import datetime

from perennial_billing.billing.couplings.telling import OF_OUTCOME, about_record, telling
from perennial_billing.billing.parts.authorizations import Authorization
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.protocol.answers import ChargeAnswer
from perennial_billing.billing.protocol.commands import CaptureAuthorized, ReadAuthorized
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription


def authorization_answered(
    subscription: Subscription, command: CaptureAuthorized | ReadAuthorized, answer: ChargeAnswer, now: datetime
) -> Subscription:
    """Takes the answer to capturing or reading an authorized charge."""
    before = next((each for each in subscription.authorizations if each.charge_id == command.charge_id), None)
    if before is None:
        return subscription
    after = before.answered(was_capture=isinstance(command, CaptureAuthorized), answer=answer, now=now)
    if isinstance(after, Authorization):
        changed = subscription.but(
            authorizations=tuple(after if each is before else each for each in subscription.authorizations)
        )
        if before.is_capturing and not after.is_capturing:
            about = about_record(after.record)
            return telling(
                changed,
                NoticeType.CAPTURE_FAILED,
                now,
                **about,
                reason_code=after.failed_for,
                deadline=after.expires_at,
            )
        return changed
    rest = tuple(each for each in subscription.authorizations if each is not before)
    settled = subscription.but(authorizations=rest, ledger=subscription.ledger.amended(after))
    about = about_record(after)
    if after.outcome is PeriodOutcome.WRITTEN_OFF:
        about["reason_code"] = after.reason
        if after.credit is not None:  # it has paid for nothing
            settled = settled.but(balance=settled.balance.with_credit(after.credit))
    return telling(settled, OF_OUTCOME[after.outcome], now, **about)
