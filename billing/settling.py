"""How a period ends, and how a subscription does."""

from datetime import datetime
from typing import Final

from billing.account import SKIPPED_ON_REQUEST, Account, about_collection
from billing.answers import PermissionAnswer
from billing.authorizations import Authorization
from billing.collection import (
    LOOK_AGAIN_AFTER,
    Action,
    Collection,
    Step,
)
from billing.ledger import PeriodOutcome, PeriodRecord
from billing.notices import NoticeType
from billing.policy import NextDue
from billing.status import Ending, Status

_CHARGED: Final = frozenset({PeriodOutcome.PAID, PeriodOutcome.AUTHORIZED})


class Settling(Account):
    """Ends a period, and the subscription."""

    def permission_closed(self, answer: PermissionAnswer, now: datetime) -> None:
        """Takes the answer to closing the charge permission; where Amazon refused, it is tried again slowly."""
        if not answer.is_closed:
            self.next_step = Step(
                action=Action.CLOSE_PERMISSION,
                at=now + LOOK_AGAIN_AFTER,
                why=f"{answer.refused or answer.state.value}: closing the charge permission is tried again slowly",
            )
            self.permission = answer
            return
        self.permission = answer
        if self.cancels_pending_charges:
            why = "it was canceled with the charge permission, unless it had been captured"
            self.authorizations = [each.looked_at(now, why) for each in self.authorizations]
        self._conclude(now)

    def _settle(
        self,
        outcome: PeriodOutcome,
        now: datetime,
        *,
        charge_id: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Writes the open period's end into the ledger, waits for the next one, and tells both."""
        collection = self._open_collection()
        record = PeriodRecord(
            period=collection.period,
            due=collection.due,
            amount=collection.amount,
            outcome=outcome,
            attempts=collection.attempts,
            settled_at=now,
            charge_id=charge_id,
            reason=reason,
            credit=collection.credit,
            extras=collection.extras,
        )
        self._record(record)
        if outcome is PeriodOutcome.GIVEN_UP and collection.credit is not None:
            self.add_credit(collection.credit)
        authorization = None
        if outcome is PeriodOutcome.AUTHORIZED and charge_id is not None:
            authorization = Authorization.of(record, charge_id, self.open_attempt().idempotency_key)
            self.authorizations = [*self.authorizations, authorization]
        self.collection = None
        skipped = self._skip_after(collection, outcome, now)
        self.collects_until = self.schedule.periods_due(now)
        if self.ending is not None and self.ending.status is not Status.COMPLETED:
            self.next_step = None
        else:
            self._wait_for_next_period(charged_at=now if outcome in _CHARGED else None)
        about = about_collection(collection)
        match outcome:
            case PeriodOutcome.PAID:
                self._tell(NoticeType.PERIOD_PAID, now, **about, charge_id=charge_id)
            case PeriodOutcome.AUTHORIZED:
                deadline = authorization.expires_at if authorization else None
                self._tell(NoticeType.PERIOD_AUTHORIZED, now, **about, charge_id=charge_id, deadline=deadline)
            case PeriodOutcome.FREE:
                self._tell(NoticeType.PERIOD_FREE, now, **about)
            case _:
                self._tell(NoticeType.PERIOD_GIVEN_UP, now, **about, reason_code=collection.last_reason)
        self._tell_of_skipped(skipped, now)
        if self._only_waits_to_end:
            self._conclude(now)

    def _skip_after(self, collection: Collection, outcome: PeriodOutcome, now: datetime) -> list[PeriodRecord]:
        """What fell due while a period was owed, where the policy says that it is not owed."""
        if collection.was_paused and outcome in _CHARGED:
            return self._skip_periods(self.schedule.periods_due(now), "paused", now)
        fell_due_meanwhile = self._fell_due(self.next_period) > collection.begun_at
        if collection.policy and collection.policy.next_due is NextDue.SKIP and fell_due_meanwhile:
            return self._skip_periods(self.schedule.periods_due(now), "an older period was owed", now)
        return []

    def _give_up_the_rest(self, ending: Ending, now: datetime) -> None:
        """What had fallen due before the end and waited for its turn; the notice of the end tells enough of it."""
        if ending.status is Status.REPLACED:
            return
        why = ending.reason_code or ending.status.value
        while self.next_period < self.schedule.periods_due(ending.at):
            if self._is_not_owed(self.next_period):
                self._skip_periods(self.next_period + 1, SKIPPED_ON_REQUEST, now)
            else:
                self._pass_over(self.next_period + 1, PeriodOutcome.GIVEN_UP, why, now)

    def _end(
        self,
        status: Status,
        reason: str,
        now: datetime,
        reason_code: str | None = None,
        owed_until: datetime | None = None,
    ) -> None:
        self.ending = Ending(status=status, at=owed_until or now, reason=reason, reason_code=reason_code)
        self.cancellation = None
        self.lost_at = None
        if self.collection is None:
            self._give_up_the_rest(self.ending, now)
        if self.permission is not None and self.permission.is_closed:
            self._conclude(now)
        else:
            why = "a cancellation was asked for" if status is Status.CANCELED else reason
            self.next_step = Step(action=Action.CLOSE_PERMISSION, at=now, why=why, urgent=True)

    def _conclude(self, now: datetime) -> None:
        if self.ending is None:
            raise AssertionError("the charge permission was closed although no end was decided")
        ending = self.ending
        self.next_step = None
        if self.collection is not None:
            why = "the charge was pending when the subscription was canceled"
            self.next_step = Step(action=Action.READ_CHARGE, at=now, why=why)
            return
        if self.authorizations or any(refund.is_open for refund in self.refunds):
            return  # the merchant may still capture, and Amazon has to decide on what goes back; each ends by itself
        self._give_up_the_rest(ending, now)
        self.ended_at = now
        self.disputes = [each.model_copy(update={"step": None}) for each in self.disputes]
        if ending.status is not Status.REPLACED:
            self.successor = None  # whoever waits for it learns that it ended first
        self._tell(
            NoticeType.SUBSCRIPTION_ENDED,
            now,
            status=ending.status.value,
            reason=ending.reason,
            reason_code=ending.reason_code,
        )
