"""What holds between the merchant and one buyer: the terms, what was changed since, and the periods that follow."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Final

from billing.contract.agreement import Agreement
from billing.contract.schedule import Schedule, WrittenDates, first_billing_day
from billing.contract.terms import Terms
from billing.money import Money
from billing.plan.plan import Plan
from billing.plan.recurrence import Recurrence
from billing.values import Value
from billing.zones import RULES
from billing.zones import zone as rules_of

DATES_AHEAD: Final = 15
"""Due dates written down: of a year of months, and some; a run of the workflow seldom meets more."""


class Contract(Value):
    """The terms, and what was agreed since.

    Attributes:
        terms: what was agreed when the subscription began.
        agreements: what was changed since, by the period that each begins with.
        skips: periods to come that are not owed.
        written: the due dates that stand; see `WrittenDates`.
        revision: how often it was changed so that dates were reckoned anew.
    """

    terms: Terms
    agreements: tuple[Agreement, ...] = ()
    skips: tuple[int, ...] = ()
    written: WrittenDates = WrittenDates()
    revision: int = 0

    @cached_property
    def schedule(self) -> Schedule:
        """The periods, as they are agreed on now."""
        return Schedule(self._in_all, self.terms.zone, self.terms.ends_at, self.written)

    @cached_property
    def _in_all(self) -> tuple[Agreement, ...]:
        """What was agreed first, and what was changed since."""
        return (self.terms.agreement, *self.agreements)

    @property
    def recurrence(self) -> Recurrence:
        """How often how much is charged in the long run, by what was agreed last."""
        last = self._in_all[-1]
        return Recurrence.of(last.plan, last.quantity)

    def agreement(self, period: int) -> Agreement:
        """What holds for a period."""
        return [each for each in self._in_all if each.first <= period][-1]

    def plan(self, period: int) -> Plan:
        """What is charged for a period."""
        return self.agreement(period).plan

    def day(self, period: int) -> date:
        """The day on which a period falls due, in the subscription's zone."""
        return self.written.day(period) or self._day_of(self._without_end().due(period))

    def following(self, first: int) -> Agreement:
        """What holds for a period, as an agreement that begins with it: what is over is over, and the dates are the
        same, but that whatever was written down of them is reckoned anew."""
        current, schedule = self.agreement(first), self._without_end()
        grid, due, day = schedule.grid(first), schedule.due(first), current.billing_day
        on_its_day = day is None or first_billing_day(day, due, self.terms.zone).instant(self.terms.zone) == due
        return current.but(
            first=first,
            starts_at=due,
            aligned=on_its_day and not schedule.stretch(first).is_short,
            consumed=current.consumed + schedule.counted(first, since=current.first),
            anchor=None if current.billing_day else grid.anchor,
            months=0 if current.billing_day else grid.months,
        )

    def most_to_come(self, first: int, items: Money) -> Money:
        """What the dearest charge to come may cost, credits aside.

        Args:
            first: the first period that is not being collected.
            items: what is charged once with it.
        """
        nearest = self.schedule.amount(first).plus(items) if self.schedule.has_period(first) else items
        return Money.rounded(max(self.schedule.most(first), nearest.amount), items.currency)

    # What changes it

    def written_down(self, first: int) -> "Contract":
        """With the due dates of a period and of those after it written down, by the calendar as it is now."""
        reckoned = self._without_end()
        dates = tuple(reckoned.due(number) for number in range(first, first + DATES_AHEAD))
        return self.but(written=WrittenDates(first=first, dates=dates, rules=RULES, days=self._days(dates, {})))

    def agreed(self, agreement: Agreement) -> "Contract":
        """Something else holds from a period on."""
        kept = [each for each in self.agreements if each.first < agreement.first]
        return self._with([*kept, agreement], agreement.first)

    def undone(self, first: int) -> "Contract":
        """Without the changes that begin with a period or with a later one."""
        return self._with(self.agreed_before(first), first)

    def agreed_before(self, first: int) -> Sequence[Agreement]:
        """What was agreed, without the changes that begin with a period or with a later one."""
        kept = tuple(each for each in self.agreements if each.first < first)
        if not kept or kept[-1].once is None:
            return kept
        item = kept[-1]
        held = self.agreed_before(item.first)
        following = self.but(agreements=tuple(held)).following(item.first)
        return (*(each for each in held if each.first < item.first), item, _after(item, following))

    def with_period_of_its_own(self, item: Agreement) -> "Contract":
        """Something is charged by itself before the next period; what was agreed goes on after it."""
        before = [each for each in self.agreements if each.first < item.first]
        later = [each.but(first=each.first + 1) for each in self.agreements if each.first > item.first]
        agreements = [*before, item, _after(item, self.following(item.first)), *later]
        skips = tuple(number + (number >= item.first) for number in self.skips)
        return self.but(skips=skips)._with(agreements, item.first)

    def counted_anew(self, first: int, now: datetime) -> "Contract":
        """The due dates are counted from this moment, beginning with the plan's next period."""
        while self.agreement(first).once is not None:
            first += 1
        start = {
            "starts_at": now.replace(microsecond=0),
            "anchor": None,
            "months": 0,
            "billing_day": None,
            "aligned": False,
        }
        before = [each for each in self.agreements if each.first < first]
        return self._with([*before, self.following(first).but(**start)], first)

    def skipping(self, periods: Sequence[int]) -> "Contract":
        """These periods are not owed either."""
        return self.but(skips=tuple(sorted({*self.skips, *periods})))

    def owing(self, period: int) -> "Contract":
        """A period is owed after all."""
        return self.but(skips=tuple(number for number in self.skips if number != period))

    def settled(self, next_period: int) -> "Contract":
        """What was skipped before the next period lies behind."""
        return self.but(skips=tuple(number for number in self.skips if number >= next_period)) if self.skips else self

    def _with(self, agreements: Sequence[Agreement], first: int) -> "Contract":
        """With other agreements from a period on. Dates that this does not change stand as they were written down."""
        changed = self.but(agreements=tuple(agreements))
        before, after, written = self._without_end(), changed._without_end(), self.written
        stand = {before.due(number): date for number, date in enumerate(written.dates, start=written.first)}
        kept = written.dates[: max(0, first - written.first)]
        reckoned = (after.due(number) for number in range(written.first + len(kept), written.end))
        dates = (*kept, *(stand.get(date, date) for date in reckoned))
        known = dict(zip(written.dates, written.days or (), strict=False))
        return changed.but(
            written=written.but(dates=dates, days=changed._days(dates, known)), revision=self.revision + 1
        )

    def _days(self, dates: Sequence[datetime], known: Mapping[datetime, date]) -> tuple[date, ...] | None:
        """The days of due dates, where a plan's texts may name them; those that were known before stand."""
        if all(each.plan.texts is None for each in self._in_all):
            return None
        return tuple(known.get(each) or self._day_of(each) for each in dates)

    def _day_of(self, instant: datetime) -> date:
        return instant.astimezone(rules_of(self.terms.zone)).date()

    def _without_end(self) -> Schedule:
        """The periods by the calendar as it is now, as they would be if nothing ended them."""
        return Schedule(self._in_all, self.terms.zone)


def _after(item: Agreement, following: Agreement) -> Agreement:
    """What goes on after something was charged by itself: one period later, on the same dates."""
    return following.but(first=item.first + 1)
