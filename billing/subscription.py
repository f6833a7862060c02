"""One subscription's life as a value: what was agreed, what happened, what happens next.

The whole state of a subscription is one model. The workflow performs the step that stands and reports what came of
it by one of the methods here; each decides the next step. Nothing here acts, sleeps or reads a clock.
"""

from datetime import datetime
from typing import Final

from billing.account import about_collection
from billing.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer
from billing.beside import Beside
from billing.collection import (
    LOOK_AGAIN_AFTER,
    MISSED_PERIODS,
    Action,
    Attempt,
    Collection,
    Stage,
    Step,
    after_capture,
    after_charge,
    after_permission,
    begin_attempt,
    hold_for_merchant,
    pause,
    payment_method_deadline,
    release,
    take_reminder,
    waits_for_merchant,
    why_closed,
)
from billing.declines import Meaning, meaning_of_non_chargeable
from billing.identity import spread_of
from billing.ledger import PeriodOutcome
from billing.life import Decided, Extra, Pause
from billing.money import Money
from billing.notices import NoticeType, notice_after
from billing.plan import Capture
from billing.policy import CatchUp, FinalAction, NextDue
from billing.state import AMOUNT_UNKNOWN
from billing.status import Status
from billing.terms import Terms

REMEMBERED_NOTIFICATIONS: Final = 20
"""Notification ids kept to recognise a repetition; one period causes two or three."""


class Subscription(Beside):
    """Collects one period after the other, until it ends; everything about it is in its fields (see `State`)."""

    @classmethod
    def begin(cls, terms: Terms) -> "Subscription":
        """A new subscription, waiting for its first due date."""
        subscription = cls(terms=terms, next_step=None)
        subscription._wait_for_next_period()
        return subscription

    @classmethod
    def joining(cls, terms: Terms, *, next_period: int | None, debt: Money | None, now: datetime) -> "Subscription":
        """A subscription that was billed elsewhere until now; it is paused until somebody resumes it.

        Args:
            terms: what was agreed, the anchor being that of the first period ever.
            next_period: the first to be charged here; the next that falls due when not given.
            debt: what is owed from before, to be added to the first charge.
            now: when it joins (UTC).

        Raises:
            ValueError: the period or the debt cannot be meant.
        """
        subscription = cls(terms=terms, next_step=None)
        schedule = subscription.schedule
        first = schedule.periods_due(now) if next_period is None else next_period
        if not schedule.has_period(first):
            raise ValueError(f"next_period: the plan has no period {first} from this anchor on")
        if debt is not None and debt.currency != terms.plan.currency:
            raise ValueError(f"debt: {debt} is in another currency than the plan, {terms.plan.currency}")
        subscription.next_period = subscription.joined_with = first
        subscription.pause = Pause(since=min(now, schedule.due(first)), has_begun=True)
        if debt is not None and not debt.is_zero:
            subscription.extras = [Extra(amount=debt, what="owed from before")]
        return subscription

    def begin_attempt(self, now: datetime) -> Attempt | None:
        """Opens the next attempt to charge; None when the period is free and therefore settled without a call."""
        if self.collection is None:
            if self.next_period in self.skips:
                self._skip_as_asked(now)
                return None
            missed = self._take_missed_periods(now)
            self.collection = self._new_collection(now)
            if missed is not None:
                self._hold_missed(self.collection, missed, now)
                return None
        if self.collection.amount.is_zero:
            self._settle(PeriodOutcome.FREE, now)
            return None
        begin_attempt(self.collection)
        self.look_requested = False
        return self.open_attempt()

    def _new_collection(self, now: datetime) -> Collection:
        """Begins to collect the next period: its price and what is charged once, less what is credited."""
        number, bill = self.next_period, self._bill()
        if bill.credit is not None and self.credit is not None:
            left = self.credit.amount - bill.credit.amount
            self.credit = self._money(left) if left else None
        self.extras = []
        return Collection(
            period=number,
            due=self.schedule.due(number),
            begun_at=now,
            amount=bill.amount,
            credit=bill.credit,
            extras=bill.extras,
            zone=self.terms.zone,
            spread=spread_of(self.terms.charge_permission_id),
        )

    def amount_decided(self, period: int, amount: Money) -> None:
        """The merchant has said what a period costs; that stands, however often it is tried."""
        self.decided, self.undecided_since = Decided(period=period, amount=amount), None

    def amount_unknown(self, now: datetime) -> None:
        """The merchant's endpoint did not say what the period costs: it is asked again slowly, in plain sight."""
        if not self.next_step_is(Action.CHARGE):
            return  # it was paused meanwhile
        number, again = self.next_period, now + LOOK_AGAIN_AFTER
        why = f"period {number} fell due, and your endpoint has not said what it costs; it is asked again"
        self.next_step = Step(action=Action.CHARGE, at=again, why=why)
        if self.undecided_since is None:
            self.undecided_since = now
            about = {"period": number, "due": self.schedule.due(number)}
            self._tell(NoticeType.SUBSCRIPTION_HELD, now, **about, reason_code=AMOUNT_UNKNOWN, reason=why)

    def charge_answered(self, answer: ChargeAnswer, now: datetime) -> None:
        """Takes the outcome of the attempt under way."""
        collection = self._open_collection()
        if answer.outcome is ChargeOutcome.CAPTURED:
            self.periods_paid += 1
            self._forget_permission()
            self.look_requested = self.look_requested or collection.prompted
            self._settle(PeriodOutcome.PAID, now, charge_id=answer.charge_id)
            return
        if answer.outcome is ChargeOutcome.AUTHORIZED and self.plan.capture is Capture.LATER:
            self._forget_permission()
            self._settle(PeriodOutcome.AUTHORIZED, now, charge_id=answer.charge_id)
            return
        if self.ending is not None and answer.outcome is ChargeOutcome.DECLINED:
            self._settle(PeriodOutcome.GIVEN_UP, now, reason="canceled while owed, not paid")
            return
        before = collection.stage
        self._take(after_charge(collection, answer, self.plan.collection, now), before, now)

    def capture_answered(self, answer: ChargeAnswer, now: datetime) -> None:
        """Takes the outcome of capturing the charge that was pending, and is authorized."""
        collection = self._open_collection()
        if answer.outcome is ChargeOutcome.DECLINED:
            step = after_capture(collection, answer, now)
            self._take(step, collection.stage, now)
        else:
            self.charge_answered(answer, now)

    def permission_answered(self, answer: PermissionAnswer, now: datetime) -> None:
        """Takes the charge permission as it was read, as the step that stood or because of a signal."""
        planned = self.next_step_is(Action.READ_PERMISSION) and self._step_is_due(now)
        prompted, self.look_requested = self.look_requested, False
        if self.lost_at is not None or self._only_waits_to_end:
            return  # closed for good, whatever an older reading says
        if self.collection is not None:
            before = self.collection.stage
            step = after_permission(self.collection, answer, planned=planned, prompted=prompted, now=now)
            if step is not None:
                if step.action is Action.END:
                    self.permission = answer
                    self.collection.last_reason = next(iter(answer.reason_codes), self.collection.last_reason)
                self._take(step, before, now)
            elif planned and self.collection.stage is Stage.PAUSED:
                self.next_step = None
            elif planned:
                raise AssertionError(f"no step follows reading the permission in stage {self.collection.stage}")
        elif answer.is_closed and self.ending is not None:
            self.permission_closed(answer, now)
        elif answer.is_closed:
            self.permission = answer
            self._lose_permission(why_closed(answer), next(iter(answer.reason_codes), None), now)
        elif answer.refused is None:
            self._seen_between_dates(answer, now)

    def _forget_permission(self) -> None:
        """It was charged, so what was read of it before is no news any more; but a closed one stays closed."""
        if self.permission is not None and not self.permission.is_closed:
            self.permission = None

    def time_is_up(self, now: datetime) -> None:
        """The policy's time or attempts are used up: its final action follows."""
        collection = self._open_collection()
        reason = collection.last_reason or "not collected"
        match self._policy.final_action:
            case FinalAction.PAUSE:
                pause(collection)
                self.next_step = None
                self._tell(NoticeType.SUBSCRIPTION_PAUSED, now, **about_collection(collection), reason_code=reason)
            case FinalAction.CANCEL:
                self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason)
                self._end(Status.UNPAID, f"{reason}: not collected in time", now, reason_code=reason)
            case FinalAction.MARK_UNPAID:
                self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason)

    def next_one_is_due(self, now: datetime) -> None:
        """The policy gives up the owed period for the next one, which has fallen due."""
        collection = self._open_collection()
        self._settle(PeriodOutcome.GIVEN_UP, now, reason=collection.last_reason)

    def grace_is_over(self, now: datetime) -> None:
        """The subscriber is not to have what was bought any longer: the merchant is told."""
        collection = self._open_collection()
        collection.grace_is_over = True
        self._tell(NoticeType.GRACE_ENDED, now, **about_collection(collection), reason_code=collection.last_reason)

    def permission_may_have_changed(self, notification_id: str | None = None) -> None:
        """Somebody says so: it is read before acting. A repeated notification is ignored."""
        if notification_id is not None:
            if notification_id in self.notification_ids:
                return
            self.notification_ids = [*self.notification_ids, notification_id][-REMEMBERED_NOTIFICATIONS:]
        self.look_requested = True

    def check_retry(self) -> None:
        """Whether what is owed can be tried again at once.

        Raises:
            ValueError: nothing is owed, or it is not the merchant's turn.
        """
        if self.ending is not None and self.status is not Status.ACTIVE:
            raise ValueError(f"the subscription is {self.status.value}: nothing is charged any more")
        if self.lost_at is not None:
            raise ValueError("the charge permission is closed: only a new one can be charged")
        if self.collection is None:
            raise ValueError("nothing is owed" + (f"; next: {self.next_step.why}" if self.next_step else ""))
        if self.collection.stage in {Stage.CHARGING, Stage.PENDING}:
            raise ValueError("a charge is under way; its outcome is awaited")

    def retry_requested(self, now: datetime) -> None:
        """The merchant wants what is owed tried again now, instead of when the schedule says.

        Where only the buyer can mend it, the charge permission is read, and charged if it can be.

        Raises:
            ValueError: as `check_retry`.
        """
        self.check_retry()
        collection, why = self._open_collection(), "the merchant asked to try again"
        if waits_for_merchant(collection):
            release(collection)
            self.collects_until = self.schedule.periods_due(now)
            self.next_step = Step(action=Action.CHARGE, at=now, why=why, urgent=True)
        elif collection.needs_buyer:
            self.permission_may_have_changed()
        elif self.next_step is not None:
            self.next_step = self.next_step.model_copy(update={"at": now, "why": why, "urgent": True})

    def check_replacement(self, charge_permission_id: str) -> None:
        """Whether the subscription can go on under another charge permission.

        Raises:
            ValueError: it has ended, is ending, or goes on under another one already.
        """
        if not self._may_be_canceled or self.cancellation is not None:
            raise ValueError(
                f"the subscription is {self.status.value}: it cannot go on under another charge permission"
            )
        if charge_permission_id == self.terms.charge_permission_id:
            raise ValueError(f"{charge_permission_id} is the charge permission that it has already")
        if self.successor not in {None, charge_permission_id}:
            raise ValueError(f"it is to go on under {self.successor} already")

    def replacement_requested(self, charge_permission_id: str) -> None:
        """The buyer approved a new charge permission: the subscription goes on under it as soon as it may.

        Raises:
            ValueError: as `check_replacement`.
        """
        self.check_replacement(charge_permission_id)
        self.successor = charge_permission_id

    def replacement_refused(self) -> None:
        """The new charge permission has a subscription of its own already."""
        self.successor = None

    def continued(self) -> "Subscription":
        """The same subscription under its new charge permission: anchor, period number, account and debt are kept.

        What is owed is owed: the oldest period that was not settled is charged at once.
        """
        if self.successor is None:
            raise AssertionError("no other charge permission was named")
        terms = self.terms.model_copy(update={"charge_permission_id": self.successor})
        successor = Subscription(
            terms=terms,
            next_step=None,
            next_period=self.next_period,
            joined_with=self.joined_with,
            ledger=list(self.ledger),
            periods_paid=self.periods_paid,
            authorizations=list(self.authorizations),
            agreements=list(self.agreements),
            skips=list(self.skips),
            pause=self.pause,
            planned_end=self.planned_end,
            extras=list(self.extras),
            taken=list(self.taken),
            credit=self.credit,
            refunds=list(self.refunds),
            refunds_asked=self.refunds_asked,
            disputes=list(self.disputes),
            collects_until=max(self.collects_until, self.next_period + 1),
            notices=self.notices + 2,  # the predecessor tells of the replacement and of its own end
        )
        successor._wait_for_next_period()
        return successor

    def was_handed_over(self, now: datetime) -> None:
        """The subscription lives on under its new charge permission; here it ends, and the old one is closed."""
        self.collection = None
        self.authorizations = []
        self.refunds = [refund for refund in self.refunds if not refund.is_open]
        self.disputes = []
        self.lost_at = None
        self._tell(NoticeType.CHARGE_PERMISSION_REPLACED, now, successor=self.successor)
        self._end(Status.REPLACED, f"continued under {self.successor}", now)

    def waited_long_enough(self, now: datetime) -> None:
        """Nobody approved a new charge permission in time."""
        reason = self.lost_because
        if self.collection is not None:
            self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason)
        self._end(Status.CLOSED, f"{reason or 'closed'}: no new charge permission in time", now, reason_code=reason)

    def begin_cancellation(self, now: datetime) -> None:
        """Stops collecting and goes on to close the charge permission."""
        reason = self.cancellation or "canceled"
        if self.collection is not None and self.collection.stage is not Stage.PENDING:
            known = "outcome unknown" if self.collection.attempt_is_open else "not paid"
            self._settle(PeriodOutcome.GIVEN_UP, now, reason=f"canceled while owed, {known}")
        planned, self.planned_end = self.planned_end, None
        # What falls due at the very instant of a planned end is not owed.
        owed_until = planned.at - datetime.resolution if planned is not None and planned.at <= now else now
        self._end(Status.CANCELED, reason, now, owed_until=owed_until)

    def _take(self, step: Step | None, before: Stage, now: datetime) -> None:
        collection = self._open_collection()
        if step is None:
            self.next_step = None
            self._tell_of_step(collection, before, step, now)
        elif step.action is not Action.END:
            step = self._bounded_by_next_due(collection, step, now)
            self.next_step = step
            self._tell_of_step(collection, before, step, now)
        else:
            self._lose_permission(step.why, collection.last_reason, now)

    def _lose_permission(self, why: str, reason_code: str | None, now: datetime) -> None:
        """Nothing can be charged any more: the merchant is told at once, and a new checkout is awaited."""
        collection = self.collection
        policy = self._policy
        self.lost_at, self.lost_because = now, reason_code
        until = now + policy.new_checkout_deadline
        if until > now:
            waiting = f"{why}: waiting for a new charge permission until {until:%Y-%m-%d}"
            self.next_step = Step(action=Action.STOP_WAITING, at=until, why=waiting)
        about = about_collection(collection) if collection else {}
        self._tell(NoticeType.CHARGE_PERMISSION_CLOSED, now, **about, reason_code=reason_code, deadline=until)
        if until == now:
            if collection is not None:
                self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason_code)
            self._end(Status.CLOSED, why, now, reason_code=reason_code)

    def _take_missed_periods(self, now: datetime) -> int | None:
        """Goes by the policy where several periods fell due unseen; how many, where the merchant has to decide."""
        number, fallen_due = self.next_period, self.schedule.periods_due(now)
        if number < self.collects_until or fallen_due <= number + 1 or self.schedule.amount(number).is_zero:
            return None
        match self.plan.collection.catch_up:
            case CatchUp.EACH:
                return None
            case CatchUp.LATEST:
                self._tell_of_skipped(self._skip_periods(fallen_due - 1, MISSED_PERIODS, now), now)
                return None
            case CatchUp.HOLD:
                return fallen_due - number

    def _hold_missed(self, collection: Collection, missed: int, now: datetime) -> None:
        """Several periods were missed: nothing is charged until the merchant says so."""
        hold_for_merchant(collection, MISSED_PERIODS)
        self.next_step = None
        why = f"{missed} periods fell due and were not charged in time"
        self._tell(
            NoticeType.SUBSCRIPTION_HELD, now, **about_collection(collection), reason_code=MISSED_PERIODS, reason=why
        )

    def _bounded_by_next_due(self, collection: Collection, step: Step, now: datetime) -> Step:
        """The step, or giving the period up for the next one, where the policy says so and that falls due first."""
        following = collection.period + 1
        if (
            self._policy.next_due is not NextDue.REPLACE
            or collection.policy is None
            or collection.attempt_is_open
            or collection.stage is Stage.PAUSED
            or not self.schedule.has_period(following)
            or step.at < self._fell_due(following)
        ):
            return step
        why = f"period {following} falls due, and period {collection.period} is given up for it"
        return Step(action=Action.GIVE_UP_FOR_NEXT, at=max(now, self._fell_due(following)), why=why)

    def _seen_between_dates(self, answer: PermissionAnswer, now: datetime) -> None:
        """A permission that cannot be charged is told at once, days before a charge would fail."""
        was_broken = self.permission is not None and not self.permission.is_chargeable
        self.permission = None if answer.is_chargeable else answer
        if answer.is_chargeable and was_broken:
            self._tell(NoticeType.PAYMENT_METHOD_MENDED, now)
            return
        for_the_buyer = meaning_of_non_chargeable(answer.reason_codes) is Meaning.PAYMENT_METHOD
        if not answer.is_chargeable and not was_broken and for_the_buyer:
            self._tell(NoticeType.PAYMENT_METHOD_NEEDED, now, reason_code=next(iter(answer.reason_codes), None))

    def _tell_of_step(self, collection: Collection, before: Stage, step: Step | None, now: datetime) -> None:
        kind = notice_after(collection, before, step)
        if kind is None and take_reminder(collection, now):
            kind = NoticeType.PAYMENT_METHOD_REMINDER
        if kind is None:
            return
        if kind is not NoticeType.CHARGE_PENDING:
            collection.told_attempt = collection.attempts
        awaits_buyer = collection.stage is Stage.AWAITING_PAYMENT_METHOD
        self._tell(
            kind,
            now,
            **about_collection(collection),
            charge_id=collection.pending_charge_id,
            reason_code=collection.held_for or collection.last_reason,
            deadline=payment_method_deadline(collection) if awaits_buyer else None,
        )
