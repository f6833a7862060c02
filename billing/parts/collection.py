"""One period that is being collected: what was tried, and what is done next.

The rules of dunning decide (`billing.dunning.rules`); a collection carries their decisions out. Where it stands is one
of the stages in `billing.parts.stages`, each with what belongs to it and nothing else.
"""

from datetime import datetime
from typing import Final, assert_never

from pydantic import AwareDatetime

from perennial_billing.billing.dunning.decisions import (
    AfterCharge,
    AfterLimit,
    AfterPermission,
    AskLimit,
    AskPermission,
    AwaitBuyer,
    Capture,
    ChargeAtOnce,
    HoldPermission,
    Keep,
    LeaveToMerchant,
    LookAgain,
    LosePermission,
    NextMonth,
    Pending,
    PendingUnreadable,
    Repeat,
    Retry,
)
from perennial_billing.billing.dunning.months import limited_month
from perennial_billing.billing.dunning.reasons import TIMED_OUT, Meaning, meaning_of_charge, meaning_of_non_chargeable
from perennial_billing.billing.dunning.rules import (
    NO_REASON,
    Awaits,
    after_charge,
    after_permission,
    tells_nothing,
    unreadable_because,
)
from perennial_billing.billing.dunning.schedules import Dunning
from perennial_billing.billing.keys import MOST_CAPTURES, idempotency_key
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.balance import Bill
from perennial_billing.billing.parts.stages import (
    LOOK_AGAIN_AFTER,
    LOOK_WHILE_UNPAID,
    AskingLimit,
    AskingPermission,
    AwaitingBuyer,
    AwaitingDecision,
    Capturing,
    Charging,
    CheckingCharge,
    LeftToMerchant,
    Lost,
    OneStage,
    Repeating,
    Retrying,
    Stage,
    Starting,
    Unpaid,
    UsedUp,
)
from perennial_billing.billing.plan.plan import Capture as WhenCaptured
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.billing.protocol.answers import CLOCKS_MAY_DIFFER, ChargeAnswer, ChargeOutcome, PermissionAnswer
from perennial_billing.billing.protocol.commands import Attempt, Command, Timer, elapse
from perennial_billing.billing.values import Value
from perennial_billing.billing.zones import ZoneName

MISSED_PERIODS: Final = "MissedPeriods"
"""Our own reason beside Amazon's codes: several periods fell due while nothing could be charged."""


EARLIER_CHARGE: Final = "EarlierCharge"
"""Our own reason too: Amazon answers with a charge that it made before the period fell due."""


class Failure(Value):
    """The last failure.

    Attributes:
        meaning: what it meant.
        reason_code: Amazon's.
        charge_id: the charge that was declined, where there is one.
        message: Amazon's text, where somebody of the merchant's has to mend it.
    """

    meaning: Meaning | None = None
    reason_code: str
    charge_id: str | None = None
    message: str | None = None


class Collection(Value):
    """One period that is being collected.

    Attributes:
        charge_permission_id: what is charged.
        merchant_reference: sent with each attempt.
        period: counted from 0.
        due: when it fell due (UTC).
        begun_at: when its collection began (UTC): later than due after an outage.
        amount: what is owed.
        credit: how much of its price a credit has paid already; it is not in the amount.
        items: how much of the amount is for one-off items.
        zone: the subscription's zone, for calendar months and hours of the day.
        life: of the subscription, among those under this charge permission; see `billing.keys`.
        spread: which part of a jitter is the subscriber's, in thousandths.
        capture: when the money is taken.
        attempt: the last attempt that was begun.
        decided_at: when it was last decided what is done next (UTC).
        stage: where it stands.
        failure: the last one.
        dunning: how far the policy is used up; None before the first failure.
        permission: the charge permission as it was last seen since the last failure.
        prompted: a signal said that something changed, and no reading has told since.
        was_unpaid: it was not tried any more for a while; what fell due meanwhile is not owed.
        until: when the period would have ended (UTC), where a pause has moved that.
        cut_at: the end (UTC) that cuts the period short, so that only its days are charged.
        not_counted: why the charge that somebody named last has not paid the period.
        told_attempt: the last attempt whose failure the merchant was told.
        told_month: the end (UTC) of the last month of which the merchant was told that its limit is used up.
        texts: what the buyer reads of its charge: filled in once, so that each attempt, repetition and capture says
            the same.
    """

    charge_permission_id: str
    merchant_reference: str = ""
    period: int
    due: AwareDatetime
    begun_at: AwareDatetime
    amount: Money
    credit: Money | None = None
    items: Money | None = None
    zone: ZoneName = "UTC"
    life: int = 1
    spread: int = 0
    capture: WhenCaptured = WhenCaptured.NOW
    attempt: Attempt | None = None
    decided_at: AwareDatetime
    stage: OneStage
    failure: Failure | None = None
    dunning: Dunning | None = None
    permission: PermissionAnswer | None = None
    prompted: bool = False
    was_unpaid: bool = False
    until: AwareDatetime | None = None
    cut_at: AwareDatetime | None = None
    not_counted: str | None = None
    told_attempt: int = 0
    told_month: AwareDatetime | None = None
    texts: ChargeTexts | None = None

    # What can be told of it

    @property
    def attempts(self) -> int:
        """How many were begun."""
        return self.attempt.number if self.attempt else 0

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt whose outcome is not known for certain, so that no other may begin."""
        return self.attempt if self.stage.attempt_is_open else None

    @property
    def bill(self) -> Bill:
        """What the period came to when it was begun."""
        return Bill(self.amount, self.credit, self.items)

    @property
    def soft_descriptor(self) -> str | None:
        """What the buyer's statement shows of it."""
        return self.texts.soft_descriptor if self.texts else None

    @property
    def pending_charge_id(self) -> str | None:
        """A charge whose outcome Amazon has not decided yet."""
        return self.stage.pending_charge_id

    @property
    def last_reason(self) -> str | None:
        """The reasonCode of the trouble that stands."""
        return self.held_for or (self.failure.reason_code if self.failure else None)

    @property
    def held_for(self) -> str | None:
        """Why it is left to the merchant, or why a pending charge cannot be read."""
        return self.stage.held_for

    @property
    def is_being_checked(self) -> bool:
        """Whether a charge of which somebody says that it has paid the period is being read."""
        return isinstance(self.stage, CheckingCharge) and self.stage.pays

    @property
    def held_because(self) -> str | None:
        """The same in words, where that tells more."""
        said = self.failure.message if self.failure else None
        match self.stage:
            case LeftToMerchant(why=why):
                return why or said
            case Repeating():
                return said
            case _:
                return None

    @property
    def is_past_due(self) -> bool:
        """Whether it could not be collected at once: not where the first attempt is under way, or Amazon decides."""
        return self.failure is not None or isinstance(self.stage, LeftToMerchant)

    @property
    def word(self) -> Stage:
        """Where it stands, in a word."""
        return self.stage.word

    @property
    def awaits(self) -> Awaits:
        """What it waits for, as far as the charge permission matters."""
        return self.stage.awaits

    @property
    def deadline(self) -> datetime | None:
        """Until when the buyer may mend the payment method (UTC), where that is waited for."""
        return self.dunning.buyers_deadline if self.dunning and isinstance(self.stage, AwaitingBuyer) else None

    @property
    def next_command(self) -> Command | None:
        """What is done next; None where the buyer, the merchant or the subscription has to decide."""
        return self.stage.next_command(self)

    @property
    def grace_command(self) -> Command | None:
        """The end of the grace; None where it does not run, or is over."""
        ends = self.dunning.grace_ends_at if self.dunning else None
        return elapse(Timer.GRACE, ends, f"{self.last_reason}: the grace ends") if ends else None

    # What changes it

    def begin_attempt(self, now: datetime) -> "Collection":
        """Opens the next attempt, with a number and a key of its own. What was signalled before it is stale.

        Where a charge was declined before, that is read first: what Amazon has captured since is not charged again.
        """
        if self.failure is not None and self.failure.charge_id is not None:
            urgent = isinstance(self.stage, Starting | Retrying) and self.stage.urgent
            return self._at(CheckingCharge(charge_id=self.failure.charge_id, at=now, urgent=urgent), now)
        return self._begin_attempt(now)

    def _begin_attempt(self, now: datetime) -> "Collection":
        if self.open_attempt is not None and not isinstance(self.stage, CheckingCharge):
            raise AssertionError(f"period {self.period}: attempt {self.attempts} has no known outcome yet")
        number = self.attempts + 1
        timed_out = self.failure is not None and self.failure.reason_code == TIMED_OUT
        handles_pending = timed_out and self.dunning is not None and self.dunning.policy.pending_after_timeout
        attempt = Attempt(
            period=self.period,
            number=number,
            amount=self.amount,
            idempotency_key=idempotency_key(self.charge_permission_id, self.period, number, self.life),
            handles_pending=handles_pending,
            capture_now=self.capture is WhenCaptured.NOW and not handles_pending,
        )
        urgent = isinstance(self.stage, Starting | Retrying | CheckingCharge) and self.stage.urgent
        return self.but(attempt=attempt, prompted=False, stage=Charging(at=now, urgent=urgent), decided_at=now)

    def answered(self, answer: ChargeAnswer, policy: CollectionPolicy, now: datetime) -> "Collection":
        """What follows an answer other than a success to the attempt, to its capture, or to reading its charge.

        Args:
            answer: Amazon's.
            policy: the plan's; frozen at the first failure.
            now: the instant of the answer (UTC).
        """
        if self.attempt is None or self.open_attempt is None:
            raise AssertionError(f"period {self.period}: an answer came although no attempt is open")
        later_capture = self.attempt.handles_pending
        was_pending = self.pending_charge_id is not None
        decision = after_charge(answer, was_pending=was_pending, asked_for_later_capture=later_capture)
        if answer.outcome in {ChargeOutcome.DECLINED, ChargeOutcome.REFUSED} and not isinstance(
            decision, PendingUnreadable
        ):
            meaning = meaning_of_charge(answer.reason_code)
            known = answer.charge_id or self.pending_charge_id
            declined = known if answer.outcome is ChargeOutcome.DECLINED else None
            code = answer.reason_code or NO_REASON
            said = (answer.message or None) if meaning is Meaning.OPERATOR else None
            failure = Failure(meaning=meaning, reason_code=code, charge_id=declined, message=said)
            failed = self.but(failure=failure)
            return failed._after_failure(decision, policy, now)
        return self._while_open(decision, now)

    def is_of_before(self, answer: ChargeAnswer) -> bool:
        """Whether Amazon made the charge before the period fell due, so that it cannot be what pays it.

        Amazon answers a key that it knows with what it answered then, for ever. So where a charge permission was billed
        before, by a subscription that is forgotten, its old charges come back as answers. (It is the due date that
        tells, not the attempt's beginning: after a restore an attempt is begun again whose charge is there already.
        Where the zone's rules have changed since, so that the date is reckoned later, it fell due when it was begun.)
        """
        fell_due = min(self.due, self.begun_at)
        return answer.created_at is not None and answer.created_at < fell_due - CLOCKS_MAY_DIFFER

    def checked(self, answer: ChargeAnswer, now: datetime) -> "Collection":
        """What follows a reading of the declined charge that was no success: another attempt, where it is declined."""
        stage = self.stage
        if not isinstance(stage, CheckingCharge):
            raise AssertionError(f"period {self.period}: no charge is being checked")
        match answer.outcome:
            case ChargeOutcome.DECLINED | ChargeOutcome.REFUSED if stage.back is not None:
                return self._at(stage.back, now)
            case ChargeOutcome.DECLINED:
                return self._begin_attempt(now)
            case ChargeOutcome.REFUSED:
                code = answer.reason_code or NO_REASON
                return self._at(stage.but(at=now + LOOK_AGAIN_AFTER, at_once=False, unreadable=code), now)
            case _:
                return self._awaiting(stage.charge_id, 0, "Amazon is deciding on the declined charge again", now)

    def naming(self, charge_id: str, now: datetime) -> "Collection":
        """Somebody says that this charge has paid the period: it is read."""
        stage = self.stage
        back = stage.back if isinstance(stage, CheckingCharge) and stage.back else stage
        checking = CheckingCharge(charge_id=charge_id, at=now, pays=True, back=back, urgent=True)
        return self.but(not_counted=None)._at(checking, now)

    def not_paid_by_named(self, why: str, now: datetime) -> "Collection":
        """The charge that somebody named has not paid the period: it stands where it stood."""
        if not isinstance(self.stage, CheckingCharge) or self.stage.back is None:
            raise AssertionError(f"period {self.period}: nobody has named a charge")
        return self.but(not_counted=why)._at(self.stage.back, now)

    def why_not_paid_by(self, answer: ChargeAnswer) -> str | None:
        """Why a charge that was read cannot have paid the period; None where it can."""
        if answer.outcome is ChargeOutcome.REFUSED:
            return f"Amazon does not show it: {answer.reason_code or NO_REASON}"
        if answer.charge_permission_id not in {None, self.charge_permission_id}:
            return f"it was made under another charge permission, {answer.charge_permission_id}"
        wanted = {ChargeOutcome.CAPTURED, ChargeOutcome.AUTHORIZED if self.capture is WhenCaptured.LATER else None}
        if answer.outcome not in wanted:
            return f"it is not captured, it is {answer.outcome.value}"
        if answer.amount is not None and answer.amount != self.amount:
            return f"it is of {answer.amount}, and {self.amount} is owed"
        return None

    def capture_declined(self, answer: ChargeAnswer, now: datetime) -> "Collection":
        """Says nothing of the charge: while it still stands, another attempt would be one too many, so it is read."""
        if not isinstance(self.stage, Capturing):
            raise AssertionError(f"period {self.period}: no capture is under way")
        code = answer.reason_code or NO_REASON
        return self._at(
            AwaitingDecision(
                charge_id=self.stage.charge_id,
                at=now,
                at_once=True,
                captures_failed=self.stage.captures_failed + 1,
                unreadable=code,
                why=f"{code}: the capture failed; does the charge still stand?",
            ),
            now,
        )

    def permission_read(
        self, answer: PermissionAnswer, *, planned: bool, prompted: bool, now: datetime
    ) -> "Collection":
        """What follows a reading of the charge permission.

        Args:
            answer: as it stands.
            planned: the collection waited for it; else a signal alone asked for it.
            prompted: a signal since the last look said that something changed.
            now: the instant of the answer (UTC).
        """
        heard = self.but(prompted=self.prompted or prompted)  # kept until a reading tells something
        if self.open_attempt is not None:
            return heard  # its outcome comes first, also where the permission is closed: it may have captured
        meaning = self.failure.meaning if self.failure else None
        decision = after_permission(
            answer, self.permission, self.awaits, meaning, self.amount, planned=planned, prompted=heard.prompted
        )
        if not answer.is_closed and self.awaits is not Awaits.NOTHING and meaning is not Meaning.MONTHLY_LIMIT:
            heard = heard._seen(answer)
        if isinstance(decision, NextMonth | LeaveToMerchant):
            return heard._after_limit(decision, now)
        return heard._after_permission(answer, decision, planned=planned, now=now)

    def permission_unread(self, now: datetime) -> "Collection":
        """Amazon did not say how the charge permission stands, which was waited for: it is read again in a while."""
        at = now + LOOK_AGAIN_AFTER
        match self.stage:
            case AskingPermission():
                return self._at(self.stage.but(at=at, at_once=False), now)
            case AwaitingBuyer():
                return self._at(self.stage.but(at=at), now)
            case Unpaid():
                return self._at(self.stage.but(look_at=at), now)
            case _:
                return self

    def read_now(self, charge_id: str, now: datetime) -> "Collection":
        """Somebody says that a charge has changed: if it is the pending one, or the declined one, it is read now."""
        declined = self.failure is not None and self.failure.charge_id == charge_id
        if declined and not self.stage.attempt_is_open and not isinstance(self.stage, Starting | UsedUp | Lost):
            return self._at(CheckingCharge(charge_id=charge_id, at=now, back=self.stage), now)
        if not isinstance(self.stage, AwaitingDecision) or self.stage.charge_id != charge_id:
            return self
        why = "a notification about the pending charge"
        return self._at(self.stage.but(at=now, at_once=True, why=why), now)

    def awaited_to_the_end(self, now: datetime) -> "Collection":
        """The charge permission is closed for good: what became of the charge that was pending is read."""
        failed = self.stage.captures_failed if isinstance(self.stage, AwaitingDecision | Capturing) else 0
        why = "the charge was pending when the subscription was canceled"
        charge_id = self.pending_charge_id
        return self._at(
            AwaitingDecision(charge_id=charge_id, at=now, at_once=True, captures_failed=failed, why=why), now
        )

    def left_to_merchant(self, code: str, now: datetime, charge_id: str | None = None, why: str = "") -> "Collection":
        """Nothing is done any more before the merchant says so; a charge may be in question."""
        return self._at(LeftToMerchant(code=code, charge_id=charge_id, why=why), now)

    def unpaid(self, now: datetime) -> "Collection":
        """It is not tried any more until the buyer mends the payment method."""
        return self._anew()._still_unpaid(now).but(was_unpaid=True)

    def released(self, now: datetime, why: str) -> "Collection":
        """The merchant wants tried what was left to them: with all the time and all the attempts of the policy."""
        return self._anew()._at(Starting(at=now, why=why, urgent=True), now)

    def tried_anew(self, now: datetime, why: str) -> "Collection":
        """Somebody knows that the attempt under way, or a charge that is not understood, has taken nothing."""
        failure = self.failure and self.failure.but(charge_id=None)
        return self.but(failure=failure).released(now, why)

    def asked_now(self, now: datetime, why: str) -> "Collection":
        """The merchant wants what stands next done now; what it is stays as it is."""
        match self.stage:
            case Retrying(at=planned, limited_until=month):
                earlier = self.but(dunning=self.dunning and self.dunning.delayed(planned, now)) if month else self
                return earlier._at(Retrying(at=now, why=why, at_once=True, urgent=True), now)
            case Repeating() | AskingPermission() | CheckingCharge():
                return self._at(self.stage.but(at=now, at_once=True), now)
            case _:
                return self

    def told(self, *, of_month: datetime | None) -> "Collection":
        """The merchant was told what was decided, and of which month's limit, where it is that."""
        return self.but(told_attempt=self.attempts, told_month=of_month or self.told_month)

    @property
    def limited_until(self) -> datetime | None:
        """The end (UTC) of the month whose limit is used up, where that is waited for."""
        return self.stage.limited_until if isinstance(self.stage, Retrying) else None

    def grace_over(self) -> "Collection":
        """The subscriber is not to have what was bought any longer."""
        return self.but(dunning=self.dunning and self.dunning.but(grace_is_over=True))

    def reminded(self, now: datetime) -> "Collection":
        """Reminders that are due are noted as sent."""
        awaits_buyer = self.word is Stage.AWAITING_PAYMENT_METHOD
        return self.but(dunning=self.dunning.reminded(now)) if self.dunning and awaits_buyer else self

    # Carrying out decisions

    def _while_open(self, decision: AfterCharge, now: datetime) -> "Collection":
        failed = self.stage.captures_failed if isinstance(self.stage, AwaitingDecision | Capturing) else 0
        match decision:
            case Capture(charge_id) if failed < MOST_CAPTURES:
                why = "Amazon has authorized the charge"
                if failed:
                    why += ", and its capture failed: tried again"
                at = now + LOOK_AGAIN_AFTER if failed else now
                return self._at(
                    Capturing(charge_id=charge_id, at=at, at_once=not failed, captures_failed=failed, why=why), now
                )
            case Capture(charge_id):
                why = f"{MOST_CAPTURES} captures of the authorized charge failed"
                return self._awaiting(charge_id, failed, why, now)
            case Pending(charge_id):
                return self._awaiting(charge_id, failed, "Amazon has not decided on the charge yet", now)
            case PendingUnreadable(code):
                why = f"{code}: the pending charge could not be read"
                return self._awaiting(self.pending_charge_id, failed, why, now, unreadable=code)
            case _:
                raise AssertionError(f"{decision} does not follow an open outcome")

    def _awaiting(
        self, charge_id: str | None, failed: int, why: str, now: datetime, unreadable: str | None = None
    ) -> "Collection":
        at = now + LOOK_AGAIN_AFTER
        stage = AwaitingDecision(charge_id=charge_id, at=at, captures_failed=failed, unreadable=unreadable, why=why)
        return self._at(stage, now)

    def _after_failure(self, decision: AfterCharge, policy: CollectionPolicy, now: datetime) -> "Collection":
        match decision:
            case Repeat(code):
                return self._at(Repeating(at=now + LOOK_AGAIN_AFTER, code=code), now)
            case LeaveToMerchant(code):
                return self.left_to_merchant(code, now)
            case AskLimit():
                return self._at(AskingLimit(at=now), now)
            case LosePermission(why, _):
                return self._spent(policy, now)._at(Lost(why=why), now)
            case AskPermission():
                asking = self._spent(policy, now).but(permission=None)
                return asking._at(AskingPermission(at=now, at_once=True), now)
            case _:
                raise AssertionError(f"{decision} does not follow a failure")

    def _after_permission(
        self, answer: PermissionAnswer, decision: AfterPermission, *, planned: bool, now: datetime
    ) -> "Collection":
        match decision:
            case Keep() if planned and isinstance(self.stage, Unpaid):
                return self._still_unpaid(now)
            case Keep():
                return self
            case LosePermission(why, code):
                return self._explained(code)._at(Lost(why=why), now)
            case Retry():
                return self._retry(now)
            case ChargeAtOnce():
                return self._charge_at_once(now)
            case AwaitBuyer(code):
                return self._explained(code)._await_buyer(now)
            case LookAgain():
                return self._look_again(answer, now)
            case HoldPermission(code):
                held = self._explained(code)
                at = now + LOOK_AGAIN_AFTER
                if self.awaits is Awaits.BUYER:
                    return held._at(AwaitingBuyer(at=at, held=True), now)
                return held._at(AskingPermission(at=at, held=True), now)
        assert_never(decision)

    def _after_limit(self, decision: AfterLimit, now: datetime) -> "Collection":
        if isinstance(decision, LeaveToMerchant):
            return self._at(LeftToMerchant(code=decision.code, why=decision.why), now)
        return self._await_month(decision.left, now)

    def _await_month(self, left: Money | None, now: datetime) -> "Collection":
        """Until the calendar month has turned, wherever Amazon counts it; deadlines and grace stand still meanwhile."""
        month = limited_month(now, self.zone)
        why = "the charge permission's monthly limit is used up"
        if left is not None:
            why = f"the charge permission's monthly limit leaves {left}"
        then = "so the next calendar month"
        if month.look_at != month.ends_at:
            then = "and the month may not have turned where Amazon counts it, so it is tried again soon"
        waits = self.but(dunning=self.dunning and self.dunning.delayed(now, month.look_at))
        why = f"{self.last_reason}: {why}, {then}"
        return waits._at(Retrying(at=month.look_at, why=why, limited_until=month.ends_at), now)

    def _retry(self, now: datetime) -> "Collection":
        dunning, meaning = self._dunning, self.failure.meaning if self.failure else None
        next_one = dunning.retry(now, meaning, self.zone, self.spread)
        if isinstance(next_one, str):
            return self._used_up(next_one, now)
        used, at = next_one
        why = f"{self.last_reason}: retry, attempt {self.attempts + 1}"
        return self.but(dunning=used)._at(Retrying(at=at, why=why), now)

    def _charge_at_once(self, now: datetime) -> "Collection":
        if self._dunning.is_capped:
            return self._used_up(self._dunning.why_capped, now)
        return self._at(Retrying(at=now, why="the payment method was mended", at_once=True, urgent=True), now)

    def _await_buyer(self, now: datetime) -> "Collection":
        dunning = self._dunning
        deadline, policy = dunning.buyers_deadline, dunning.policy
        if now >= deadline:
            days = policy.payment_method_deadline.days
            return self._used_up(f"the buyer has not mended the payment method within {days} days", now)
        at = min(now + policy.payment_method_poll, deadline, *(at for at in dunning.reminders if at > now))
        return self._at(AwaitingBuyer(at=at), now)

    def _look_again(self, answer: PermissionAnswer, now: datetime) -> "Collection":
        at = now + LOOK_AGAIN_AFTER
        if isinstance(self.stage, Unpaid):
            why = f"{unreadable_because(answer)}: whether the payment method was mended is looked at again"
            return self._at(Unpaid(look_at=at, why=why), now)
        if at > self._dunning.last_instant:
            return self._used_up("the time to collect is over", now)
        return self._at(AskingPermission(at=at, busy=True), now)

    def _still_unpaid(self, now: datetime) -> "Collection":
        """The permission is read as seldom as may be; only where it has changed is it charged."""
        at = now + max(self._dunning.policy.payment_method_poll, LOOK_WHILE_UNPAID)
        why = f"{self.last_reason}: unpaid; has the buyer mended the payment method?"
        return self._at(Unpaid(look_at=at, why=why), now)

    def _used_up(self, why: str, now: datetime) -> "Collection":
        return self._at(UsedUp(at=now, why=f"{self.last_reason}: {why}"), now)

    def _seen(self, answer: PermissionAnswer) -> "Collection":
        """Keeps what a reading told, to notice what changes."""
        if tells_nothing(answer, self.permission):
            return self
        of_the_buyer = meaning_of_non_chargeable(answer.reason_codes) is Meaning.PAYMENT_METHOD
        kept = answer if answer.is_chargeable or of_the_buyer else self.permission
        return self.but(prompted=False, permission=kept)

    def _explained(self, code: str | None) -> "Collection":
        """With a reason that tells more than the charge's own."""
        if code is None:
            return self
        explained = self.failure or Failure(reason_code=code)
        return self.but(failure=explained.but(reason_code=code))

    def _spent(self, policy: CollectionPolicy, now: datetime) -> "Collection":
        return self.but(dunning=(self.dunning or Dunning(policy=policy)).failed(now))

    def _anew(self) -> "Collection":
        return self.but(dunning=self.dunning and self.dunning.anew())

    def _at(self, stage: OneStage, now: datetime) -> "Collection":
        return self.but(stage=stage, decided_at=now)

    @property
    def _dunning(self) -> Dunning:
        if self.dunning is None:
            raise AssertionError(f"period {self.period} is dunned before its first failure was noted")
        return self.dunning
