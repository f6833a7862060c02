"""What a subscriber costs who is changed ten times a day for years: the bytes of the state, and the time of a wake.

The floor is the same subscription that nobody changes, at the same instants. Both are led by the rules alone: no
server, no network; every charge succeeds, and every notice is handed on. A wake is what a worker does with the state
that it is given as JSON: read it, let the next period fall due, be charged and be paid, and write it again. What is
kept of the past is a window, so neither figure may depend on the years. Aim: after ten years at most 1.1 times what one
year makes.

Run: `python -m benchmarks.many_changes [--days N ...] [--changes-a-day N] [--wakes N] [--json]`
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Final

from benchmarks.report import Report
from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    ChangePlan,
    PauseSubscription,
    ResumeSubscription,
    Settle,
    SkipPeriod,
    UndoChanges,
    When,
)
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.drive import perform, success
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan, Texts
from perennial_billing.billing.protocol.events import HandedOn, Started
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription

AIM: Final = 1.1
"""Times the first figure."""

DAY: Final = timedelta(days=1)
BEGINS: Final = datetime(2027, 1, 31, 9, tzinfo=UTC)
MOST_AT_ONCE: Final = 200
"""Commands that follow from one change; more would be no end."""


def plan(name: str, amount: str) -> Plan:
    """A plan with texts, as one that a merchant writes has them."""
    texts = Texts(soft_descriptor="COFFEE {nth}", note_to_buyer="Coffee from {start} to {last_day}")
    return Plan.of(name, Money.parse(f"{amount} USD"), Interval(unit=Unit.MONTH), texts=texts)


def wishes() -> Iterator[Request]:
    """Ten kinds of changes, over and over; each plan is another one, as its name tells."""
    cup = Money.parse("0.30 USD")
    for number in cycle(range(1000)):
        yield ChangePlan(quantity=2, when=When.NOW, settle=Settle.RENEWAL)
        yield AddItem(amount=cup, what="a cup", reference=f"cup-{number}")
        yield ChangePlan(quantity=1, when=When.NOW, settle=Settle.RENEWAL)
        yield AddItem(amount=cup, what="sorry", credit=True)
        yield ChangePlan(plan=plan(f"coffee-{number}", "12.00"))
        yield SkipPeriod()
        yield SkipPeriod(undo=True)
        yield UndoChanges()
        yield PauseSubscription()
        yield ResumeSubscription()


@dataclass
class Life:
    """One subscription, led by its rules through time."""

    subscription: Subscription
    asked: int = 0
    largest: int = 0

    @classmethod
    def begin(cls) -> "Life":
        """12.00 a month from 31 January on."""
        terms = Terms(charge_permission_id="C01-1234567-1234567", plan=plan("coffee", "12.00"), anchor=BEGINS)
        return cls(apply(Subscription.begin(terms), Started(), BEGINS))

    def until(self, now: datetime) -> None:
        """All that stands until an instant is done, and told."""
        for _ in range(MOST_AT_ONCE):
            numbers = [notice.number for notice in self.subscription.outbox.notices]
            if numbers:
                self.subscription = apply(self.subscription, HandedOn(numbers), now)
            command = next_command(self.subscription)
            if command is None or command.at > now:
                return
            self.subscription = perform(self.subscription, command, max(now, command.at), success)
        raise AssertionError("what follows at once comes to no end")

    def asks(self, wish: Request, now: datetime) -> None:
        """The merchant changes something; a run of the workflow ends with each change, and its state is written."""
        self.asked += 1
        self.subscription = ask(self.subscription, wish, now, (f"request-{self.asked}",))
        self.until(now)
        self.subscription = self.subscription.carried_on()


def size(subscription: Subscription) -> int:
    """Bytes of the state, as the next run is given it."""
    return len(subscription.model_dump_json(exclude_none=True).encode())


def wake(state: bytes) -> float:
    """Milliseconds of one wake: from the state as bytes to the state as bytes, with a period charged between."""
    begun = time.perf_counter()
    life = Life(Subscription.model_validate_json(state))
    command = next_command(life.subscription)
    if command is None:
        raise AssertionError("a period follows")
    life.until(command.at)
    life.subscription.model_dump_json(exclude_none=True)
    return 1000 * (time.perf_counter() - begun)


def measure(life: Life, floor: Life, wakes: int) -> dict[str, float]:
    """Both as they stand, wakes of the two by turns."""
    states = [each.subscription.model_dump_json(exclude_none=True).encode() for each in (life, floor)]
    times: list[list[float]] = [[], []]
    for _ in range(wakes):
        for of, state in zip(times, states, strict=True):
            of.append(wake(state))
    return {
        "changes": life.asked,
        "periods": life.subscription.next_period,
        "bytes": len(states[0]),
        "largest_bytes": life.largest,
        "floor_bytes": len(states[1]),
        "wake_milliseconds": statistics.median(times[0]),
        "floor_wake_milliseconds": statistics.median(times[1]),
    }


def lived(days: Sequence[int], changes_a_day: int, wakes: int) -> dict[str, dict[str, float]]:
    """Leads both through the days, and measures after as many as are named."""
    life, floor, wanted = Life.begin(), Life.begin(), wishes()
    found = {}
    for day in range(1, max(days) + 1):
        for number in range(changes_a_day):
            now = BEGINS + day * DAY + (number + 1) * timedelta(hours=1)
            life.until(now)
            life.asks(next(wanted), now)
        life.largest = max(life.largest, size(life.subscription))
        floor.until(BEGINS + day * DAY + DAY / 2)
        if day in days:
            found[str(day)] = measure(life, floor, wakes)
    return found


def report(found: dict[str, dict[str, float]], changes_a_day: int, wakes: int) -> Report:
    """One row for each time it was measured."""
    first, last = (found[day] for day in (min(found, key=int), max(found, key=int)))
    ratios = {name: last[name] / first[name] for name in ("bytes", "largest_bytes", "wake_milliseconds")}
    return Report(
        f"A subscriber who is changed {changes_a_day} times a day",
        ("after", "changes", "periods", "state, bytes", "largest", "unchanged", "wake, ms", "unchanged"),
        [
            (
                f"{int(day):,} days",
                *(f"{of[name]:,.0f}" for name in ("changes", "periods", "bytes", "largest_bytes", "floor_bytes")),
                *(f"{of[name]:.2f}" for name in ("wake_milliseconds", "floor_wake_milliseconds")),
            )
            for day, of in found.items()
        ],
        {"changes_a_day": changes_a_day, "wakes": wakes, "aim": AIM, "days": found, "ratios": ratios},
        f"medians of {wakes} wakes, by turns; the aim is at most {AIM} times the first row; bytes "
        f"{ratios['bytes']:.2f}, wake {ratios['wake_milliseconds']:.2f}",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.many_changes", description="What very many changes cost.")
    parser.add_argument("--days", type=int, nargs="+", default=[365, 3650], help="after how many days it is measured")
    parser.add_argument("--changes-a-day", type=int, default=10, help="how many")
    parser.add_argument("--wakes", type=int, default=200, help="how many are timed each time")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    figures = lived(options.days, options.changes_a_day, options.wakes)
    report(figures, options.changes_a_day, options.wakes).print(as_json=options.json)
