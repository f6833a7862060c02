"""The root: one subscription's life as a value, composed of parts that know nothing of each other.

What can be told of it as a whole stands here. What it does next stands in `billing.agenda`, what an event makes of it
in `billing.machine`; each part changes itself, and what couples them stands in `billing.couplings`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from perennial_billing.billing.calendar import days_between
from perennial_billing.billing.contract.contract import Contract
from perennial_billing.billing.contract.proration import prorate
from perennial_billing.billing.contract.schedule import Schedule
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.keys import THOUSANDTHS, spread_of
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.authorizations import Authorization
from perennial_billing.billing.parts.balance import Balance, Bill, Item
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.disputes import Disputes
from perennial_billing.billing.parts.divergence import LEDGER_AHEAD, Divergence
from perennial_billing.billing.parts.ledger import Ledger
from perennial_billing.billing.parts.lifecycle import AwaitingCheckout, Lifecycle, Pause
from perennial_billing.billing.parts.outbox import NOTICES_WAITING, Outbox
from perennial_billing.billing.parts.permission import Permission
from perennial_billing.billing.parts.refunds import Refunds
from perennial_billing.billing.parts.renewal import Renewal
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN, Unanswered
from perennial_billing.billing.plan.plan import LastPeriod, Plan
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.register import Register
from perennial_billing.billing.status import NEEDS_ATTENTION, Status
from perennial_billing.billing.values import Value

_YEAR: Final = timedelta(days=365)

STATE_VERSION: Final = 1
"""Of the state's form. A newer release that changes it adds a step to `_UPGRADES`, so that older states are read."""

State = dict[str, Any]  # Any: a state as it was written down, in any version
_UPGRADES: Final[dict[int, Callable[[State], State]]] = {}
"""By the version that each begins from: what makes the next one of it."""

AMOUNT_UNKNOWN: Final = "AmountUnknown"
"""Our own reason beside Amazon's codes: the merchant's endpoint has not said what a period costs."""

_STATUS_OF_STAGE: Final = {
    Stage.CHARGING: Status.ACTIVE,
    Stage.PENDING: Status.PENDING,
    Stage.RETRYING: Status.RETRYING,
    Stage.AWAITING_PAYMENT_METHOD: Status.AWAITING_PAYMENT_METHOD,
    Stage.ON_HOLD: Status.ON_HOLD,
    Stage.UNPAID: Status.UNPAID,
}


class Subscription(Value):
    """The state of a subscription: what continue-as-new carries.

    Attributes:
        version: of the state's form.
        contract: what was agreed, and the periods that follow.
        lifecycle: where it is in its life as a whole.
        ledger: how each period ended.
        balance: one-off items and credit.
        renewal: what is waited for before the next period is charged.
        collection: the period being collected, if one is open.
        authorizations: charges that wait for the merchant to capture them, oldest first.
        refunds: money that goes back, or went.
        disputes: of its charges.
        permission: the charge permission, as far as nothing that is owed depends on it.
        unanswered: calls to Amazon whose outcome is not known although it was waited for.
        references: what was asked for under a name.
        outbox: what the merchant is to be told.
        divergence: what is known of it where the ledger knows more; then nothing is done before both agree.
    """

    version: Annotated[int, Field(ge=1)] = STATE_VERSION
    contract: Contract
    lifecycle: Lifecycle = Lifecycle()
    ledger: Ledger = Ledger()
    balance: Balance = Balance()
    renewal: Renewal = Renewal()
    collection: Collection | None = None
    authorizations: tuple[Authorization, ...] = ()
    refunds: Refunds = Refunds()
    disputes: Disputes = Disputes()
    permission: Permission = Permission()
    unanswered: Unanswered = Unanswered()
    references: Register = Register()
    outbox: Outbox = Outbox()
    divergence: Divergence | None = None

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, given: object) -> object:
        """An older state is brought to today's form; one of a newer release keeps its version, and is read as far as
        it is known. What is no version of ours is left to be refused."""
        if not isinstance(given, dict):
            return given
        state: State = given
        while isinstance(version := state.get("version"), int) and version in _UPGRADES:
            state = {**_UPGRADES[version](state), "version": version + 1}
        return state

    # How one begins

    @classmethod
    def begin(cls, terms: Terms) -> "Subscription":
        """A new subscription, waiting for its first due date."""
        return cls(contract=Contract(terms=terms).written_down(0))

    @classmethod
    def joining(cls, terms: Terms, *, next_period: int | None, debt: Money | None, now: datetime) -> "Subscription":
        """A subscription that was billed elsewhere until now; it is paused until somebody resumes it.

        Args:
            terms: what was agreed, the anchor being that of the first period ever.
            next_period: the first to be charged here; the next that falls due when not given.
            debt: what is owed from before, to be added to the first charge.
            now: when it joins (UTC).

        Raises:
            Refused: the period or the debt cannot be meant.
        """
        contract = Contract(terms=terms)
        schedule = contract.schedule
        first = schedule.periods_due(now) if next_period is None else next_period
        if not schedule.has_period(first):
            raise Refused("next_period", first, "the plan has no such period from this anchor on")
        if debt is not None and debt.currency != terms.plan.currency:
            raise Refused("debt", debt, f"it is in another currency than the plan, {terms.plan.currency}")
        items = () if debt is None or debt.is_zero else (Item(amount=debt, what="owed from before"),)
        balance = Balance(items=items)
        try:
            balance.bill(Money.rounded(schedule.most(first), terms.plan.currency))  # whichever it comes to
        except Refused as refusal:
            raise refusal.under("debt") from None
        return cls(
            contract=contract.written_down(first),
            ledger=Ledger(next_period=first, joined_with=first),
            lifecycle=Lifecycle(pause=Pause(since=min(now, schedule.due(first)), has_begun=True)),
            balance=balance,
            permission=Permission().approved(min(now, schedule.due(first - 1)) if first else now),
        )

    def carried_on(self) -> "Subscription":
        """The same for a new run of the workflow: the due dates to come are those of the calendar as it is now."""
        if self.collection is not None:
            return self
        return self.but(contract=self.contract.written_down(self.next_period))

    # How it stands

    @property
    def terms(self) -> Terms:
        """What was agreed when it began."""
        return self.contract.terms

    @property
    def schedule(self) -> Schedule:
        """The periods, as they are agreed on now."""
        return self.contract.schedule

    @property
    def next_period(self) -> int:
        """The first period that has no record yet."""
        return self.ledger.next_period

    @property
    def plan(self) -> Plan:
        """What is being charged, or will be next."""
        return self.contract.plan(self.next_period)

    @property
    def policy(self) -> CollectionPolicy:
        """The policy of the period that is owed, as it was when that was first declined; else the plan's."""
        dunning = self.collection.dunning if self.collection else None
        return dunning.policy if dunning else self.plan.collection

    @property
    def status(self) -> Status:
        """The status, derived from what is open."""
        if self.divergence is not None and not self.has_ended:
            return Status.ON_HOLD
        if self.lifecycle.status is not None:
            return self.lifecycle.status
        if self.collection is not None:
            status = _STATUS_OF_STAGE[self.collection.word]
            return Status.ON_HOLD if status is Status.ACTIVE and self.unanswered.seen else status
        return Status.PAUSED if self.lifecycle.is_paused else Status.ACTIVE

    @property
    def has_ended(self) -> bool:
        """Whether nothing is done any more."""
        return self.lifecycle.has_ended

    @property
    def is_past_due(self) -> bool:
        """Whether a period is owed that could not be collected at once."""
        return self.collection is not None and (self.collection.is_past_due or self.awaits_checkout)

    @property
    def last_reason(self) -> str | None:
        """The reasonCode of the trouble that still stands or that ended it; never text that a person wrote."""
        if self.divergence is not None:
            return LEDGER_AHEAD
        if self.unanswered.seen:
            return OUTCOME_UNKNOWN
        if self.lifecycle.ending is not None:
            return self.lifecycle.close_refused_for or self.lifecycle.ending.reason_code
        if isinstance(self.lifecycle.stage, AwaitingCheckout):
            return self.lifecycle.stage.reason_code
        if self.collection is not None:
            return self.collection.last_reason
        if self.renewal.undecided_since:
            return AMOUNT_UNKNOWN
        waiting = NOTICES_WAITING if self.outbox.held_since else None
        return self.permission.last_reason or self.disputes.last_reason or waiting

    @property
    def needs_attention(self) -> bool:
        """Whether the merchant has to look: held, unpaid, a payment method that only the buyer can mend, no answer of
        Amazon's, or notices that cannot be handed on."""
        if self.outbox.held_since is not None or self.divergence is not None:
            return True
        held = self.collection is not None and self.collection.held_for is not None
        undecided = self.renewal.undecided_since is not None
        in_need = self.status in NEEDS_ATTENTION
        stuck = bool(self.unanswered.seen) or self.lifecycle.close_is_refused or self.disputes.are_unreadable
        return not self.has_ended and (self.permission.is_broken or held or in_need or undecided or stuck)

    def collected_at(self, period: int) -> datetime:
        """When the first attempt for a period is made (UTC): when it falls due, or later within the plan's window.

        For period 0 the buyer waits, and something charged by itself is not spread: that follows from a request.
        """
        due, agreement = self.schedule.due(period), self.contract.agreement(period)
        window = agreement.plan.collection.collection_window
        if period == 0 or agreement.once is not None or not window:
            return due
        return due + window * spread_of(self.terms.charge_permission_id) / THOUSANDTHS

    def lasts_a_year(self, period: int) -> bool:
        """Whether a period is a year or longer."""
        return self.schedule.due(period + 1) - self.schedule.due(period) >= _YEAR

    def is_paused_over(self, period: int) -> bool:
        """Whether a period falls due within the pause; something charged by itself is not paused with the plan."""
        pause = self.lifecycle.pause
        if pause is None or not pause.has_begun or self.contract.agreement(period).once is not None:
            return False
        return self.schedule.due(period) >= pause.since

    def is_not_owed(self, period: int) -> bool:
        """Whether a period to come is skipped, or falls due within the pause."""
        return period in self.contract.skips or self.is_paused_over(period)

    def first_not_begun(self, now: datetime) -> int:
        """The first period that has neither fallen due nor been begun; none falls due in a pause that moves them."""
        if self.lifecycle.is_paused and self.lifecycle.moves_dates:
            return self.first_to_come
        return max(self.first_to_come, self.schedule.periods_due(now))

    def first_to_renew(self, now: datetime) -> int:
        """The period that a change at the renewal begins with: the next one that is charged.

        A skipped period stays the one that it was, and a trial is not cut short: both were promised. What is left of a
        period, after an end that was taken back, is no renewal.
        """
        schedule, number = self.schedule, self.first_not_begun(now)
        found = number
        while schedule.has_period(found):
            stretch = schedule.stretch(found)
            if stretch.amount.is_zero and not stretch.is_short:
                if stretch.end is None:
                    return number  # all that follows is free
                found = stretch.end
            elif found in self.contract.skips or self.is_rest(found):
                found += 1
            else:
                return found
        return found

    def is_rest(self, period: int) -> bool:
        """Whether a period is what is left of the one before it: of those to come only where an end was taken back."""
        agreement = self.contract.agreement(period)
        return agreement.first == period and agreement.whole_days is not None

    def first_to_bill(self, now: datetime) -> int | None:
        """The period with which an item is charged that is added now; None where no charge follows.

        Of a pause that nobody has said the end of, the first one within it, as if that were over by then.
        """
        number, schedule, pause = self.first_not_begun(now), self.schedule, self.lifecycle.pause
        while schedule.has_period(number) and self.lifecycle.goes_on_at(schedule.due(number)):
            due = schedule.due(number)
            within = pause is not None and pause.keeps_anchor and pause.since <= due < (pause.until or due)
            if number not in self.contract.skips and not within:
                return number
            number += 1
        return None

    def is_behind(self, now: datetime) -> bool:
        """Whether a period is owed, or the next one is due already."""
        return self.collection is not None or self.schedule.periods_due(now) != self.next_period

    @property
    def first_to_come(self) -> int:
        """The first period that is not being collected."""
        return self.next_period + (self.collection is not None)

    @property
    def most_to_come(self) -> Money:
        """What the dearest charge to come may cost, credits aside; a period that is being collected is none of them."""
        items = self.balance.items_in_all(self.terms.plan.currency)
        return self.contract.most_to_come(self.first_to_come, items)

    @property
    def can_be_ended(self) -> bool:
        """Whether no end is decided yet."""
        return self.lifecycle.ending is None

    @property
    def awaits_checkout(self) -> bool:
        """Whether its charge permission is closed, and a new one may still be approved."""
        return isinstance(self.lifecycle.stage, AwaitingCheckout)

    @property
    def awaits_checkout_until(self) -> datetime | None:
        """How long a new charge permission is waited for (UTC), where that is so."""
        return self.lifecycle.stage.until if isinstance(self.lifecycle.stage, AwaitingCheckout) else None

    @property
    def is_over(self) -> bool:
        """Whether no period is left, and only the end of the last one is waited for."""
        return self.collection is None and not self.schedule.has_period(self.next_period)

    def cut_at(self, period: int) -> datetime | None:
        """The end (UTC) that is known to cut a period short, where the plan wants only its days charged then."""
        if (
            self.contract.plan(period).last_period is LastPeriod.WHOLE
            or self.contract.agreement(period).once is not None
        ):
            return None
        planned = self.lifecycle.planned_end
        ends = [each for each in (planned.at if planned else None, self.terms.ends_at) if each is not None]
        at = min(ends, default=None)
        within = at is not None and self.schedule.due(period) < at < self.contract.whole_end(period)
        return at if within else None

    def price(self, period: int) -> Money:
        """What a period costs, or may cost at most where the merchant says so; its days' share where an end cuts it."""
        amount, cut_at = self.schedule.amount(period), self.cut_at(period)
        if cut_at is None:
            return amount
        due, zone = self.schedule.due(period), self.terms.zone
        whole = days_between(due, self.contract.whole_end(period), zone)
        return prorate(amount, days_between(due, cut_at, zone), max(whole, 1))

    def bill(self) -> Bill:
        """What the next period comes to, with one-off items, and less what is credited."""
        number = self.next_period
        return self.balance.bill(self.renewal.decided(number) or self.price(number))

    @property
    def owed(self) -> Collection:
        """The period that is being collected; a driver that says anything of it where there is none is stopped."""
        if self.collection is None:
            raise AssertionError(f"no period is being collected; period {self.next_period} is next")
        return self.collection
