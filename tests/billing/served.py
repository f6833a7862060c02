"""A second account of a subscription, kept by days, that knows nothing of how the first one is reckoned.

It hears what was asked for and accepted, and which periods were settled; it says when each may begin and end, what it
may cost, and what all of it comes to. Between the two: what was paid (charges, less what went back, less the credit
that is still open) is what is served, to a cent for each time that something was rounded.
"""

from calendar import monthrange
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from perennial_billing.billing.calendar import Interval, Unit, add_months
from perennial_billing.billing.changes import AddItem, Cancel, ChangeBillingDay, ChangePlan, SkipPeriod, When
from perennial_billing.billing.contract.agreement import FirstPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome, PeriodRecord
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.requests import Request
from tests.billing.support import pinned_zone

CENT: Final = Fraction(1, 100)
MONTH: Final = Interval(unit=Unit.MONTH)
UNEVEN: Final = timedelta(days=3)
"""By so much two months differ, so that what follows a renewal is not moved by the very days of a pause."""
SERVED: Final = frozenset({PeriodOutcome.PAID, PeriodOutcome.FREE})


@dataclass(frozen=True)
class Wish:
    """Something that holds from an instant on.

    Attributes:
        since: from the first period that falls due then or later.
        plan: another plan.
        quantity: another number of units.
        billing_day: another day of the month.
        follows_renewal: it is meant for a period, wherever that is moved to.
        moved_by: how much that was.
    """

    since: datetime
    plan: Plan | None = None
    quantity: int | None = None
    billing_day: ChangeBillingDay | None = None
    follows_renewal: bool = False
    moved_by: timedelta = timedelta(0)

    @property
    def begins(self) -> datetime:
        """When that is, moves and all."""
        return self.since + self.moved_by

    @property
    def may_begin(self) -> datetime:
        """When a period falls due with which it may begin; two months differ by some days."""
        return self.begins - (UNEVEN if self.moved_by else timedelta(0))

    def moved(self, by: timedelta, stays_from: datetime | None) -> "Wish":
        """After a pause that moves dates. A billing day stays on its day: where one is to hold before, only the period
        that lies before that day grows, and this begins with the first month after it.

        Args:
            by: how much the dates move.
            stays_from: when a billing day is to hold, before the pause.
        """
        if stays_from is None or self.begins <= stays_from:
            return replace(self, moved_by=self.moved_by + by)
        begins = self.begins
        while begins <= stays_from + by:
            begins = datetime.combine(add_months(begins.date(), 1), begins.timetz())
        return replace(self, moved_by=begins - self.since)


@dataclass
class Span:
    """The days of one period.

    Attributes:
        number: the period's.
        begins: the first day.
        ends: the day after the last one.
        paid: what was paid for it.
        sold: how many days it had when it was sold.
        whole: how many days a whole period has, where this is only a part of one.
        interval: how long a whole one is.
        items: what was paid with it for one-off items.
        is_bridge: it is what was left of another period, after a change that held at once.
        cut: what the days are worth that a change has cut off; None where none did.
        back: what of it went back, or is going.
        back_for_days: what of that before it was cut, so that it is taken for those days.
    """

    number: int
    begins: date
    ends: date
    paid: Fraction
    sold: int
    whole: int
    interval: Interval
    is_bridge: bool
    items: Fraction = Fraction(0)
    cut: Fraction | None = None
    back: Fraction = Fraction(0)
    back_for_days: Fraction = Fraction(0)

    @property
    def kept(self) -> Fraction:
        """What the merchant keeps of it."""
        return self.paid - max(self.cut or Fraction(0), self.back_for_days) - (self.back - self.back_for_days)


@dataclass(frozen=True)
class Rest:
    """The days of a period after a planned end, which was taken back.

    Attributes:
        ends: the day after the last one.
        whole: how many days a whole period has.
        interval: how long a whole one is.
    """

    ends: date
    whole: int
    interval: Interval


@dataclass(frozen=True)
class CutShort:
    """A planned end within a period, known when it was begun, where the plan wants only its days charged.

    Attributes:
        at: the planned end.
        whole_end: when the period would end without it.
    """

    at: datetime
    whole_end: datetime


@dataclass
class DayBook:
    """The account by days.

    Attributes:
        zone: in which days are counted.
        held: what was asked for and holds; the first one is what was agreed at the beginning.
        planned: what was asked for and does not hold yet.
        spans: the periods of the plan that were settled, in their order.
        running: the plan and the units of the last one, or of the one that a change now begins.
        would_end: when the last one would have ended, had it not been cut short.
        free: days on which nothing may be charged, as a period was skipped that began then.
        ends_at: when it is to end, as somebody planned.
        goodwill: what was given as a credit.
        items: what was charged for one-off items.
        cash: what was charged, less what went back.
        later: what days cost that are charged with the next charge.
        added: what was to be charged with the next charge, those days too.
        met: what of that was charged, or given up with the period that it was charged with.
        rests: the days after a planned end that cut a period short and was taken back, by the first of them.
        roundings: how often something was rounded.
    """

    zone: str
    held: list[Wish]
    planned: list[Wish] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    running: tuple[Plan, int] | None = None
    would_end: date | None = None
    free: list[date] = field(default_factory=list)
    ends_at: datetime | None = None
    goodwill: Fraction = Fraction(0)
    items: Fraction = Fraction(0)
    cash: Fraction = Fraction(0)
    later: Fraction = Fraction(0)
    added: Fraction = Fraction(0)
    met: Fraction = Fraction(0)
    rests: dict[date, Rest] = field(default_factory=dict)
    roundings: int = 1
    longer: timedelta = timedelta(0)
    interval: Interval = MONTH

    def day(self, instant: datetime) -> date:
        """The day on a calendar of the zone."""
        return instant.astimezone(pinned_zone(self.zone)).date()

    @property
    def served(self) -> Fraction:
        """What all the days come to that were served."""
        return sum((span.kept for span in self.spans), Fraction(0))

    def paid(self, credit: Money | None) -> Fraction:
        """What was paid for them: charges less what went back, less the credit that is still open."""
        open_ = Fraction(credit.amount) if credit else Fraction(0)
        return self.cash + self.goodwill + self.later - self.items - open_

    def agreed_on(self, due: datetime) -> tuple[Plan, int]:
        """What is charged on a date: what holds, and what is to hold by then."""
        plan, quantity = self.held[0].plan, 1
        for wish in (*self.held, *self._begins(due)):
            plan, quantity = wish.plan or plan, wish.quantity or quantity
        assert plan is not None
        return plan, quantity

    def _begins(self, due: datetime) -> list[Wish]:
        return sorted(
            (wish for wish in self.planned if wish.may_begin <= due), key=lambda wish: wish.since + wish.moved_by
        )

    def _begun(self, due: datetime) -> None:
        """A period of the plan fell due, and what was planned for then holds."""
        self.held += [replace(wish, since=due, moved_by=timedelta(0)) for wish in self._begins(due)]
        self.planned = [wish for wish in self.planned if wish.may_begin > due]

    # What was asked for

    def accepted(self, request: Request, now: datetime, effective_at: datetime, renewal: datetime) -> None:
        """Something was asked for, and will be so from an instant on.

        Args:
            request: what.
            now: when it is asked for (UTC).
            effective_at: from when on it is so, as it was answered (UTC).
            renewal: when the next period falls due that is charged (UTC).
        """
        match request:
            case ChangePlan(when=When.NOW):
                self._cut(now)
                plan, quantity = self.running or self.agreed_on(now)
                self.running = (request.plan or plan, request.quantity or quantity)
                self.held.append(Wish(effective_at, request.plan, request.quantity))
            case ChangePlan():
                later = request.when if isinstance(request.when, datetime) and request.when > renewal else None
                wish = Wish(later or effective_at, request.plan, request.quantity)
                self.planned.append(replace(wish, follows_renewal=later is None))
            case ChangeBillingDay():
                self.planned.append(Wish(effective_at, billing_day=request, follows_renewal=True))
            case AddItem(credit=True):
                self.goodwill += Fraction(request.amount.amount)
            case AddItem(when=When.RENEWAL):
                self.added += Fraction(request.amount.amount)
            case Cancel():
                self.ends_at = effective_at
            case SkipPeriod(undo=True):
                self.free.remove(self.day(effective_at))
            case SkipPeriod():
                self.free.append(self.day(effective_at))
            case _:
                pass

    def is_bridge(self, number: int) -> bool:
        """Whether a period is what is left of another, after a change that held at once."""
        return any(span.number == number and span.is_bridge for span in self.spans)

    def is_followed(self, number: int) -> bool:
        """Whether a period was replaced by a change since, or another one of the plan has begun."""
        return any(span.number > number or (span.number == number and span.cut is not None) for span in self.spans)

    def undone(self, begun_until: datetime) -> None:
        """What was planned for after the period that began at an instant is not any more."""
        has_begun = self.would_end is None
        self.planned = [wish for wish in self.planned if has_begun and wish.may_begin <= begun_until]

    def paused(self, since: datetime, until: datetime, due_before: datetime, due_after: datetime) -> None:
        """A pause is over that has moved everything by as long as it lasted."""
        days = timedelta((self.day(until) - self.day(since)).days)
        assert abs((due_after - due_before) - (until - since)) <= timedelta(hours=2), "by as long as it lasted"
        longer = timedelta((self.day(due_after) - self.day(due_before)).days)
        if self.spans and self.spans[-1].ends == self.day(due_before):
            self.spans[-1].ends += longer
        else:
            self.longer = longer  # the period is still being collected
        first, moved_to = self.day(due_before), self.day(due_after)  # an hour may lead over midnight
        self.free = [moved_to if each == first else each + days if each > first else each for each in self.free]
        # What would have ended in the midst of a period is a period of its own now, unless it is collected already.
        self.rests = {begins: rest for begins, rest in self.rests.items() if begins < first}
        moving = [each for each in self.planned if each.follows_renewal and each.begins >= due_before - UNEVEN]
        stays_from = min((each.begins for each in moving if each.billing_day), default=None)
        self.planned = [
            each.moved(due_after - due_before, stays_from) if each in moving else each for each in self.planned
        ]

    def _cut(self, now: datetime) -> None:
        span, today = self.spans[-1], self.day(now)
        left = max((span.ends - today).days, 0)
        self.would_end, span.cut = span.ends, span.paid * left / span.sold
        span.ends = today
        self.roundings += 1

    # What was settled

    def settled(
        self,
        record: PeriodRecord,
        ends: datetime,
        once: str | None,
        *,
        later: Money | None = None,
        cut: CutShort | None = None,
        goes_on: bool = False,
    ) -> None:
        """A period has ended so; the next one falls due at `ends`.

        Args:
            record: how it ended, by the first account.
            ends: when the next one falls due (UTC).
            once: what was charged by itself; None for a period of the plan.
            later: what is charged for it with the next charge.
            cut: the end that cuts it short.
            goes_on: that end was taken back meanwhile.

        Raises:
            AssertionError: it may not have cost that, or not then.
        """
        taken = Fraction(record.amount.amount) if record.outcome is PeriodOutcome.PAID else Fraction(0)
        items = Fraction(record.items.amount) if record.items and record.outcome in SERVED else Fraction(0)
        self.cash, self.items = self.cash + taken, self.items + items
        self.met += Fraction(record.items.amount) if record.items and record.outcome is not PeriodOutcome.SKIPPED else 0
        price = Fraction(record.paid.amount) if record.outcome in SERVED else Fraction(0)
        if once is not None:
            self.items += price
            return
        if later is not None:
            assert record.outcome is not PeriodOutcome.PAID, "it is charged with the next charge"
            self.later, self.added = self.later + Fraction(later.amount), self.added + Fraction(later.amount)
        begins, end = self.day(record.due), self.day(cut.whole_end if cut else ends) - self.longer
        self._check_when(record, begins)
        rest = self.rests.pop(begins, None)
        if rest is not None and self.would_end is None:
            self.would_end = rest.ends
        whole, expected = self._whole(record, begins, end, rest)
        if cut is not None:
            assert not self.longer, "what ends is not moved"
            expected = expected * (self.day(cut.at) - begins).days / max((end - begins).days, 1)
            if goes_on:
                self.rests[self.day(cut.at)] = Rest(end, whole, self.interval)
            end = self.day(cut.at)
        if record.outcome in SERVED:
            assert abs(expected - price) <= CENT, f"period {record.period} cost {float(price)}, not {float(expected)}"
            assert begins not in self.free or not price, f"{begins} is free, as was promised"
        self.spans.append(
            Span(
                record.period,
                begins,
                end + self.longer,
                price,
                max((end - begins).days, 1),
                whole,
                self.interval,
                self.would_end is not None,
                items,
            )
        )
        self.roundings += 2
        self.would_end, self.longer = None, timedelta(0)

    def goes_on(self, cut: CutShort) -> None:
        """The planned end that cut the last period short is taken back: the days after it are a period of their own."""
        span = self.spans[-1]
        self.rests[span.ends] = Rest(self.day(cut.whole_end), span.whole, span.interval)

    def _check_when(self, record: PeriodRecord, begins: date) -> None:
        if self.spans:
            last = self.spans[-1].ends
            assert begins == last, f"period {record.period} begins on {begins}, the one before it ended on {last}"
        if self.ends_at is not None and record.outcome is PeriodOutcome.PAID:
            assert record.due < self.ends_at, "nothing falls due after the planned end"

    def _whole(self, record: PeriodRecord, begins: date, end: date, rest: Rest | None) -> tuple[int, Fraction]:
        """How many days a whole period has, and what this one may cost."""
        if self.would_end is None:
            self.running = self.agreed_on(record.due)
            self._begun(record.due)
        plan, quantity = self.running or self.agreed_on(record.due)
        price, interval = Fraction(plan.regular.amount.amount) * quantity, plan.regular.interval
        self.interval = interval
        days, of = (end - begins).days, rest or (self.spans[-1] if self.spans else None)
        if self.would_end is not None and of is not None and interval == of.interval:
            assert end == self.would_end, "a bridge ends when what it takes the place of would have"
            return of.whole, price * days / of.whole
        if is_one(interval, begins, end) and not (interval.months and self._meets_billing_day(record.due, end)):
            return days, price
        day = [each for each in self.held if each.billing_day][-1]
        change = day.billing_day
        assert change is not None
        assert is_day(change.billing_day.day, end)
        before = add_months(end, -interval.months) if interval.months else end - timedelta(interval.days)
        whole = (end - before).days
        shares = {
            FirstPeriod.SHORT: Fraction(days, whole),
            FirstPeriod.WHOLE: Fraction(1),
            FirstPeriod.FREE: Fraction(0),
        }
        is_moved = day.since == record.due and self.would_end is None
        kind = change.billing_day.first_period if is_moved else FirstPeriod.SHORT
        return whole, price * shares[kind]

    def _meets_billing_day(self, due: datetime, end: date) -> bool:
        days = [each.billing_day.billing_day.day for each in self.held if each.billing_day and each.since == due]
        return any(is_day(day, end) and not is_day(day, self.day(due)) for day in days)

    def refunded(self, number: int, amount: Money) -> None:
        """Money goes back for a period, or is going."""
        value = Fraction(amount.amount)
        spans = [span for span in self.spans if span.number == number]
        for span in spans:
            span.back += value
            span.back_for_days += value if span.cut is None else 0
        self.cash, self.items = self.cash - value, self.items - (0 if spans else value)

    def not_refunded(self, number: int, amount: Money, *, before_cut: bool) -> None:
        """It does not go back after all."""
        value = Fraction(amount.amount)
        spans = [span for span in self.spans if span.number == number]
        for span in spans:
            span.back -= value
            span.back_for_days -= value if before_cut else 0
        self.cash, self.items = self.cash + value, self.items + (0 if spans else value)


def is_day(day: int, of: date) -> bool:
    """Whether a date is that day of its month, or the last one where the month is too short for it."""
    return of.day == min(day, monthrange(of.year, of.month)[1])


def is_one(interval: Interval, begins: date, end: date) -> bool:
    """Whether an interval lies between two days, where a day of the month may be meant that a month does not have."""
    if interval.days:
        return (end - begins).days == interval.days
    months = (end.year - begins.year) * 12 + end.month - begins.month
    last = end.day == monthrange(end.year, end.month)[1] or begins.day == monthrange(begins.year, begins.month)[1]
    return months == interval.months and (end.day == begins.day or (last and abs(end.day - begins.day) <= 3))
