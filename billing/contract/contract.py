"""What holds between the merchant and one buyer: the terms, what was changed since, and the periods that follow.

What holds already is a row of agreements, each from a period on. What is planned follows its date: whatever changes the
periods before it finds it a new place among them.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from perennial_billing.billing.calendar import shifted
from perennial_billing.billing.contract.agreement import Agreement, FirstPeriod
from perennial_billing.billing.contract.planned import PlannedChange, with_wish
from perennial_billing.billing.contract.schedule import Schedule, WrittenDates, first_billing_day
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.plan import Plan
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.values import Value
from perennial_billing.billing.zones import RULES
from perennial_billing.billing.zones import zone as rules_of

DATES_AHEAD: Final = 15
"""Due dates written down: of a year of months, and some; a run of the workflow seldom meets more."""


class Contract(Value):
    """The terms, and what was agreed since.

    Attributes:
        terms: what was agreed when the subscription began.
        base: what held before the agreements that are kept; None while that is the terms.
        agreements: what was changed since and holds, by the period that each begins with.
        planned: what is to be changed, by its date.
        skips: periods to come that are not owed.
        written: the due dates that stand; see `WrittenDates`.
        revision: how often it was changed so that dates were reckoned anew.
    """

    terms: Terms
    base: Agreement | None = None
    agreements: tuple[Agreement, ...] = ()
    planned: tuple[PlannedChange, ...] = ()
    skips: tuple[int, ...] = ()
    written: WrittenDates = WrittenDates()
    revision: int = 0

    @model_serializer(mode="wrap")
    def _with_plans_once(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:  # Any: as it is written
        """However often something is changed, a plan is written down once; agreements name its place."""
        state: dict[str, Any] = written(self)
        plans = [self.terms.plan]
        for of, form in self._those_with_plans(state):
            if of.plan is None:
                continue
            if of.plan not in plans:
                plans.append(of.plan)
                state.setdefault("plans", []).append(form["plan"])
            form["plan"] = plans.index(of.plan)
        return state

    def _those_with_plans(self, state: dict[str, Any]) -> Iterator[tuple[Agreement | PlannedChange, dict[str, Any]]]:
        if self.base is not None:
            yield self.base, state["base"]
        yield from zip(self.agreements, state["agreements"], strict=True)
        yield from zip(self.planned, state["planned"], strict=True)

    @model_validator(mode="before")
    @classmethod
    def _with_plans_again(cls, given: object) -> object:
        """Each agreement has its plan again."""
        if not isinstance(given, dict) or not isinstance(given.get("terms"), dict):
            return given
        rest = {name: value for name, value in given.items() if name != "plans"}
        plans = [given["terms"].get("plan"), *given.get("plans", ())]

        def whole(form: object) -> object:
            if not isinstance(form, dict) or not isinstance(form.get("plan"), int):
                return form
            return form | {"plan": plans[form["plan"]]}

        for name in ("agreements", "planned"):
            if name in rest:
                rest[name] = [whole(each) for each in rest[name]]
        return rest | ({"base": whole(rest["base"])} if "base" in rest else {})

    @cached_property
    def schedule(self) -> Schedule:
        """The periods, as they are agreed on now."""
        return Schedule(self._in_all, self.terms.zone, self.terms.ends_at, self.written)

    @cached_property
    def _held(self) -> tuple[Agreement, ...]:
        """What holds without what is planned."""
        return (self.base or self.terms.agreement, *self.agreements)

    @cached_property
    def _in_all(self) -> tuple[Agreement, ...]:
        """What holds, and what is planned."""
        row = self._held
        for change in self.planned:
            row = _joined(row, change, self.terms.zone)
        return row

    @property
    def recurrence(self) -> Recurrence:
        """How often how much is charged in the long run, by what was agreed last."""
        last = self._in_all[-1]
        return Recurrence.of(last.plan, last.quantity)

    def agreement(self, period: int) -> Agreement:
        """What holds for a period."""
        return _holding(self._in_all, period)

    def agreement_at(self, instant: datetime) -> Agreement:
        """What holds for the latest period that has fallen due by an instant (UTC)."""
        return self.agreement(max(self._held[0].first, self.schedule.periods_due(instant) - 1))

    def plan(self, period: int) -> Plan:
        """What is charged for a period."""
        return self.agreement(period).plan

    def day(self, period: int) -> date:
        """The day on which a period falls due, in the subscription's zone."""
        return self.written.day(period) or self._day_of(self._without_end().due(period))

    def to_come(self, period: int) -> tuple[Agreement, ...]:
        """What holds from later periods on."""
        return tuple(each for each in self._in_all if each.first > period)

    def whole_end(self, period: int) -> datetime:
        """When the period after one falls due (UTC), as if nothing ended the subscription."""
        return Schedule(self._in_all, self.terms.zone, written=self.written).due(period + 1)

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

    def planning(self, change: PlannedChange) -> "Contract":
        """Something is to be different from a period on; what is planned for other dates stays planned."""
        same = [each for each in self.planned if each.starts_at == change.starts_at]
        rest = [each for each in self.planned if each not in same]
        for earlier in same:
            change = earlier.with_(change)
        return self._with(change.first, planned=_in_order([*rest, change]))

    def undone(self, first: int) -> "Contract":
        """Without the changes that begin with a period or with a later one."""
        return self._with(first, planned=[each for each in self.planned if each.first < first])

    def changed_now(
        self,
        first: int,
        now: datetime,
        plan: Plan | None,
        quantity: int | None,
        *,
        keeps_dates: bool,
        whole_days: int,
        settles_later: bool = False,
        rest_of: int | None = None,
    ) -> "Contract":
        """Another plan, another quantity, at once.

        Args:
            first: the next period.
            now: when (UTC).
            plan: the new plan; the same where none is given.
            quantity: how many units; as many as before where none is given.
            keeps_dates: a short period, of the price that the running one would have, lasts until the next due date;
                else the new plan begins with a whole period, or with the days until the billing day, and all dates are
                counted from now on.
            whole_days: how many days the running period was sold for.
            settles_later: the short period is charged with the next one.
            rest_of: the running period; the one before the next where it is not given.
        """
        settled = self.fixed(first)
        starts_at, current = now.replace(microsecond=0), first - 1 if rest_of is None else rest_of
        before = [each for each in settled.agreements if each.first < first]
        following = with_wish(settled._following(first), plan, quantity)
        if not keeps_dates:
            day = following.billing_day and following.billing_day.but(first_period=FirstPeriod.SHORT)
            anew = following.but(starts_at=starts_at, billing_day=day, anchor=None, months=0, aligned=False)
            return settled._with(first, agreements=[*before, anew])
        schedule = Schedule(settled._held, self.terms.zone)
        grid = schedule.grid(first)
        bridge = settled.running(current + 1, plan, quantity).but(
            first=first,
            starts_at=starts_at,
            billing_day=None,
            anchor=grid.anchor,
            months=grid.months,
            whole_days=schedule.stretch(current).whole_days or whole_days,
            aligned=False,
            settles_later=settles_later,
        )
        return settled._making_room(first)._with(first, agreements=[*before, bridge, _later_by_one(following)])

    def running(self, first: int, plan: Plan | None = None, quantity: int | None = None) -> Agreement:
        """What holds for the period before the next one, in the phase that this is in; and with a wish, if any."""
        current = _holding(self._held, first - 1)
        over = Schedule(self._held, self.terms.zone).counted(first - 1, since=current.first)
        return with_wish(current.but(consumed=current.consumed + over), plan, quantity)

    def with_period_of_its_own(self, item: Agreement) -> "Contract":
        """Something is charged by itself before the next period; what was agreed goes on after it."""
        settled = self.fixed(item.first)
        before = [each for each in settled.agreements if each.first < item.first]
        following = settled._following(item.first)
        agreements = [*before, item, _later_by_one(following)]
        return settled._making_room(item.first)._with(item.first, agreements=agreements)

    def moved(self, first: int, since: datetime, until: datetime) -> "Contract":
        """The plan's next period and all after it fall due later, by as long as a pause lasted.

        Args:
            first: the first period that is not being collected.
            since: when the pause began (UTC).
            until: when it ended (UTC).
        """
        settled = self.fixed(first)
        while _holding(settled._held, first).once is not None:
            first += 1
        endless = Schedule(settled._in_all, self.terms.zone, written=self.written)
        due = shifted(endless.due(first), since, until, self.terms.zone).replace(microsecond=0)
        start = {"starts_at": due, "anchor": None, "months": 0, "billing_day": None, "aligned": False}
        before = [each for each in settled.agreements if each.first < first]
        planned = [
            each.but(starts_at=shifted(each.starts_at, since, until, self.terms.zone)) if each.at_renewal else each
            for each in settled.planned
        ]
        moved = [*before, settled._following(first).but(**start)]
        return settled._with(first, agreements=moved, planned=_in_order(planned))

    def skipping(self, periods: Sequence[int]) -> "Contract":
        """These periods are not owed either."""
        return self.but(skips=tuple(sorted({*self.skips, *periods})))

    def owing(self, period: int) -> "Contract":
        """A period is owed after all."""
        return self.but(skips=tuple(number for number in self.skips if number != period))

    def settled(self, next_period: int, oldest: int) -> "Contract":
        """What lies behind is forgotten.

        Args:
            next_period: what was skipped before it lies behind; what was planned for before it holds.
            oldest: the oldest period that is still spoken of; what held only before it is folded away.
        """
        settled = self.fixed(next_period)
        if settled.skips and settled.skips[0] < next_period:
            settled = settled.but(skips=settled.skips[bisect_left(settled.skips, next_period) :])
        over = sum(each.first <= oldest for each in settled.agreements)
        if not over:
            return settled
        return settled.but(base=settled.agreements[over - 1], agreements=settled.agreements[over:])

    # How that is done

    def fixed(self, first: int) -> "Contract":
        """What was planned for periods before this one holds, and is not taken back any more; no date changes."""
        over = [each for each in self.planned if each.first < first]
        if not over:
            return self
        row = self._held
        for change in over:
            row = _joined(row, change, self.terms.zone)
        left = self.planned[len(over) :]
        if self.base is None and row[0] == self.terms.agreement:
            return self.but(agreements=row[1:], planned=left)
        return self.but(base=row[0], agreements=row[1:], planned=left)

    def _making_room(self, first: int) -> "Contract":
        """One more period is about to come before what is skipped."""
        return self.but(skips=tuple(number + (number >= first) for number in self.skips)) if self.skips else self

    def _following(self, first: int) -> Agreement:
        """What holds for a period without what is planned, as an agreement that begins with it."""
        return _following(self._held, first, self.terms.zone)

    def _with(self, first: int, **changes: Sequence[Any]) -> "Contract":  # Any: agreements, or planned changes
        """With other agreements, or other plans, from a period on. What is planned as before finds its place; what is
        changed of it has one already. Dates that this does not change stand as they were written down."""
        before, written = self._without_end(), self.written
        changed = self.but(**{name: tuple(each) for name, each in changes.items()})
        changed = changed.but(planned=changed._placed(self.planned, before))
        after = changed._without_end()
        kept = written.dates[: max(0, first - written.first)]
        rest = enumerate(written.dates[len(kept) :], start=written.first + len(kept))
        stand = {before.due(number): date for number, date in rest}
        reckoned = (after.due(number) for number in range(written.first + len(kept), written.end))
        dates = (*kept, *(stand.get(date, date) for date in reckoned))
        days = dict(zip(written.dates, written.days or (), strict=False))
        return changed.but(
            written=written.but(dates=dates, days=changed._days(dates, days)), revision=self.revision + 1
        )

    def _days(self, dates: Sequence[datetime], known: Mapping[datetime, date]) -> tuple[date, ...] | None:
        """The days of due dates, where a plan's texts may name them; those that were known before stand."""
        if all(each.plan.texts is None for each in self._in_all):
            return None
        return tuple(known.get(each) or self._day_of(each) for each in dates)

    def _day_of(self, instant: datetime) -> date:
        return instant.astimezone(rules_of(self.terms.zone)).date()

    def _placed(self, known: Sequence[PlannedChange], before: Schedule) -> tuple[PlannedChange, ...]:
        """What is planned begins with the first period that falls due on its date, or later.

        Args:
            known: those that have a place already, among the periods as they were.
            before: those periods.
        """
        row, placed = self._held, []
        for change in self.planned:
            first = change.first
            if change in known:
                wanted = before.due(first) if change.at_renewal else change.starts_at
                due_before = Schedule(row, self.terms.zone).periods_due(wanted - datetime.resolution)
                first = max(row[-1].first, due_before)
            placed.append(change.but(first=first))
            row = _joined(row, placed[-1], self.terms.zone)
        return tuple(placed)

    def _without_end(self) -> Schedule:
        """The periods by the calendar as it is now, as they would be if nothing ended them."""
        return Schedule(self._in_all, self.terms.zone)


def _holding(row: Sequence[Agreement], period: int) -> Agreement:
    return [each for each in row if each.first <= period][-1]


def _following(row: Sequence[Agreement], first: int, zone: str) -> Agreement:
    """What holds for a period, as an agreement that begins with it: what is over is over, and the dates are the same,
    but that whatever was written down of them is reckoned anew."""
    current, schedule = _holding(row, first), Schedule(row, zone)
    grid, due, day = schedule.grid(first), schedule.due(first), current.billing_day
    on_its_day = day is None or first_billing_day(day, due, zone).instant(zone) == due
    if day is not None and schedule.costs_before(first, since=current.first):
        day = day.but(first_period=FirstPeriod.SHORT)  # whole or free was agreed for the first one, and for no other
    return current.but(
        first=first,
        starts_at=due,
        billing_day=day,
        settles_later=False,
        aligned=on_its_day and not schedule.stretch(first).is_short,
        whole_days=None,
        consumed=current.consumed + schedule.counted(first, since=current.first),
        anchor=None if current.billing_day else grid.anchor,
        months=0 if current.billing_day else grid.months,
    )


def _joined(row: Sequence[Agreement], change: PlannedChange, zone: str) -> tuple[Agreement, ...]:
    """What holds with a planned change, from its period on."""
    before = tuple(each for each in row if each.first < change.first)
    return (*before, change.applied_to(_following(row, change.first, zone)))


def _in_order(planned: Sequence[PlannedChange]) -> list[PlannedChange]:
    """By their dates; of two with one date the one that was asked for first."""
    return sorted(planned, key=lambda each: each.starts_at)


def _later_by_one(following: Agreement) -> Agreement:
    """What goes on after one more period was charged in between, on the same dates."""
    return following.but(first=following.first + 1)
