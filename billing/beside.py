"""What runs beside collecting the next period: charges that wait to be captured, refunds, disputes."""

from datetime import datetime

from billing.account import about_record
from billing.answers import ChargeAnswer
from billing.authorizations import Authorization
from billing.changing import Changing
from billing.collection import (
    Action,
    Step,
)
from billing.disputes import KEPT as DISPUTES_KEPT
from billing.disputes import Dispute, DisputeAnswer
from billing.ledger import PeriodOutcome, PeriodRecord
from billing.money import Money
from billing.notices import NoticeType
from billing.policy import OnDispute
from billing.refunds import KEPT, Refund, RefundAnswer, RefundState, Wanted, asked_before, check_refund, refunded


class Beside(Changing):
    """Takes answers about what runs beside."""

    def authorization_answered(self, asked: Step, answer: ChargeAnswer, now: datetime) -> PeriodRecord | None:
        """Takes the answer to a step about an authorized charge; gives the record of a period settled by it."""
        authorization = self.authorization(asked.charge_id)
        after = authorization.answered(asked.action, answer, now)
        if isinstance(after, Authorization):
            self.authorizations = [after if each is authorization else each for each in self.authorizations]
            if authorization.capture is not None and after.capture is None:
                about = about_record(after.record)
                self._tell(
                    NoticeType.CAPTURE_FAILED, now, **about, reason_code=after.failed_for, deadline=after.expires_at
                )
            return None
        self.authorizations = [each for each in self.authorizations if each is not authorization]
        self.ledger = [after if record.period == after.period else record for record in self.ledger]
        if after.outcome is PeriodOutcome.PAID:
            self.periods_paid += 1
            self._tell(NoticeType.PERIOD_PAID, now, **about_record(after))
        else:
            self._tell(NoticeType.PERIOD_GIVEN_UP, now, **about_record(after), reason_code=after.reason)
        if self._only_waits_to_end:
            self._conclude(now)
        return after

    def check_capture(self, period: int, amount: Money | None) -> Authorization:
        """Whether a period's authorized charge may be captured, all of it where no amount is given.

        Raises:
            ValueError: there is none, or it may not.
        """
        for authorization in self.authorizations:
            if authorization.record.period == period:
                authorization.check_capture(amount or authorization.record.amount)
                return authorization
        waiting = ", ".join(str(each.record.period) for each in self.authorizations) or "none"
        raise ValueError(f"period: {period} has no authorized charge; those that wait to be captured: {waiting}")

    def capture_requested(self, period: int, amount: Money | None, now: datetime) -> str:
        """The merchant wants a period's authorized charge captured; answers the charge's id.

        Raises:
            ValueError: as `check_capture`.
        """
        wanted = self.check_capture(period, amount)
        capturing = wanted.capturing(amount or wanted.record.amount, now)
        self.authorizations = [capturing if each is wanted else each for each in self.authorizations]
        return wanted.charge_id

    def charge_may_have_changed(self, charge_id: str, now: datetime) -> None:
        """Somebody says so: if it is the pending one it is read now, instead of at the next hourly look."""
        if self.next_step_is(Action.READ_CHARGE) and charge_id == self.pending_charge_id:
            self.next_step = Step(action=Action.READ_CHARGE, at=now, why="a notification about the pending charge")
        self.authorizations = [
            each.looked_at(now, "a notification about the authorized charge") if each.charge_id == charge_id else each
            for each in self.authorizations
        ]

    def check_refund(self, wanted: Wanted) -> None:
        """Whether money may go back so.

        Raises:
            ValueError: the period was not paid, or it is too much, or the reference is another refund's.
        """
        if asked_before(self.refunds, wanted) is None:
            check_refund(self.ledger, self.refunds, wanted)

    def refund_requested(self, wanted: Wanted, now: datetime) -> int:
        """The merchant wants money to go back; answers the refund's number.

        Raises:
            ValueError: as `check_refund`.
        """
        before = asked_before(self.refunds, wanted)
        if before is not None:
            return before.number
        record, amount = check_refund(self.ledger, self.refunds, wanted)
        self.refunds_asked += 1
        permission = self.terms.charge_permission_id
        refund = Refund.of(record, amount, self.refunds_asked, permission, now, wanted.reference)
        under_way = [each for each in self.refunds if each.is_open]
        settled = [each for each in self.refunds if not each.is_open][-KEPT:]
        self.refunds = sorted([*settled, *under_way, refund], key=lambda each: each.number)
        return refund.number

    def refund_answered(self, number: int | None, answer: RefundAnswer, now: datetime) -> None:
        """Takes what Amazon said of a refund."""
        refund = self.refund(number).answered(answer, now)
        self.refunds = [refund if each.number == number else each for each in self.refunds]
        if refund.is_open:
            return
        about = {"period": refund.period, "amount": refund.amount, "charge_id": refund.charge_id}
        if refund.state is RefundState.REFUNDED:
            self.ledger = [
                refunded(record, refund) if record.period == refund.period else record for record in self.ledger
            ]
            self._tell(NoticeType.REFUND_COMPLETED, now, **about, refund_id=refund.refund_id)
        else:
            self._tell(
                NoticeType.REFUND_FAILED, now, **about, refund_id=refund.refund_id, reason_code=refund.reason_code
            )
        if self._only_waits_to_end:
            self._conclude(now)

    def refund_may_have_changed(self, refund_id: str, now: datetime) -> None:
        """Somebody says so: it is read now, instead of at the next hourly look."""
        self.refunds = [each.looked_at(now) if each.refund_id == refund_id else each for each in self.refunds]

    def dispute_reported(self, dispute_id: str, now: datetime) -> None:
        """Amazon says that a charge is disputed, or that something about it has changed: it is read."""
        if any(each.dispute_id == dispute_id for each in self.disputes):
            looked = [each.looked_at(now) if each.dispute_id == dispute_id else each for each in self.disputes]
        else:
            looked = [*self.disputes, Dispute.reported(dispute_id, now)]
        self.disputes = looked[-DISPUTES_KEPT:]

    def dispute_answered(self, dispute_id: str | None, answer: DisputeAnswer, now: datetime) -> None:
        """Takes a dispute as it was read; what is news is told."""
        before = next((each for each in self.disputes if each.dispute_id == dispute_id), None)
        if before is None:
            return  # forgotten for newer ones
        charge = [record.period for record in self.ledger if record.charge_id == answer.charge_id is not None]
        after = before.read(answer, next(iter(charge), before.period), now)
        self.disputes = [after if each.dispute_id == dispute_id else each for each in self.disputes]
        if after.seen is None or after.seen == before.seen:
            return
        opened = before.seen is None
        self._tell(
            NoticeType.DISPUTE_OPENED if opened else NoticeType.DISPUTE_CHANGED,
            now,
            period=after.period,
            amount=answer.amount,
            charge_id=answer.charge_id,
            dispute_id=dispute_id,
            reason_code=answer.reason_code,
            status=answer.resolution or answer.state,
            deadline=answer.deadline,
        )
        if opened and self._policy.on_dispute is OnDispute.PAUSE and self.ending is None:
            self.pause_until_resumed(now, why=f"dispute {dispute_id}")
