"""A year of very many subscribers at Amazon's limits: how late charges are, how long the queue is, when a day is done.

    uv run python -m benchmarks.year_of_many                             # 1,000,000 in ten accounts, a year: minutes
    uv run python -m benchmarks.year_of_many --subscribers 10000 --accounts 1

No Temporal and no network: events follow each other on a clock of their own. What is called when comes from the rules:
each way that a period can go (paid at once, declined twice and then paid, ...) is led through them once, and what they
do stands for everybody to whom that happens. A call waits for the limit of its operation in live, which each account
has for itself, in the order that the calls' precedence gives; a retry counts from the answer, however late that was.

Three ways to have subscribers are compared: all due on the 1st at midnight; all due then, spread over a window of 12
hours; and anchors spread over the month. One in ten has a yearly plan. What share of charges goes which way is assumed,
and printed: nobody publishes it.
"""

import argparse
import heapq
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Final, NamedTuple

from rich.console import Console
from rich.progress import track

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES, Rate
from benchmarks.report import Report
from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.drive import CHARGEABLE, failing, perform
from perennial_billing.billing.machine import apply
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from perennial_billing.billing.protocol.commands import CreateCharge, Elapse, Precedence
from perennial_billing.billing.protocol.events import Started
from perennial_billing.billing.subscription import Subscription
from perennial_billing.workflows.names import Call
from perennial_billing.workflows.performing import PERFORMANCES

BEGINS: Final = datetime(2027, 1, 1, tzinfo=UTC)
DAY: Final = 86_400.0
"""Seconds."""

DAYS: Final = 365
WINDOW: Final = timedelta(hours=12)
ANSWER_SECONDS: Final = 0.5
YEARLY_SHARE: Final = 0.1
MENDED_AFTER: Final = timedelta(days=3)
_MOST_STEPS: Final = 500
_HISTOGRAM_SECONDS: Final = 5.0

WAYS: Final[Mapping[str, float]] = {
    "paid": 0.930,
    "SoftDeclined, paid": 0.035,
    "SoftDeclined, SoftDeclined, paid": 0.012,
    "ProcessingFailure, paid": 0.006,
    "HardDeclined, mended": 0.012,
    "SoftDeclined for ever": 0.005,
}
"""How periods go, and the share of each: assumed."""

NEVER: Final = "SoftDeclined for ever"


class Anchors(StrEnum):
    """When subscribers fall due."""

    FIRST = "on the 1st at midnight"
    WINDOW = "the same, within 12 hours"
    UNIFORM = "spread over the month"


class Step(NamedTuple):
    """One call to Amazon of a period's way.

    Attributes:
        wait: seconds since the answer before it, or since the period's turn.
        call: the operation.
        precedence: before what it is made.
        attempt: which attempt a charge is; 0 for what only reads.
    """

    wait: float
    call: Call
    precedence: Precedence
    attempt: int


def way_of(name: str, interval: Interval) -> list[Step]:
    """What the rules do with a period that goes this way."""
    refusals = [code for code in name.replace(" for ever", "").split(", ") if code not in {"paid", "mended"}]

    def charge(command: CreateCharge) -> ChargeAnswer:
        if name == NEVER:
            return ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code=refusals[0])
        if command.attempt.number <= len(refusals):
            code = refusals[command.attempt.number - 1]
            return ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code=code)
        return ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id="S01-0000000-0000000-C000000")

    plan = Plan.of("many", Money.parse("9.99 EUR"), interval)
    subscription = apply(
        Subscription.begin(Terms(charge_permission_id="C01-0000000-0000000", plan=plan, anchor=BEGINS)),
        Started(),
        BEGINS,
    )
    answered, broken = (
        BEGINS,
        PermissionAnswer(state=PermissionState.NON_CHARGEABLE, reason_codes=("PaymentMethodInvalid",)),
    )
    now = BEGINS
    steps: list[Step] = []
    for _ in range(_MOST_STEPS):
        command = next_command(subscription)
        if command is None or subscription.next_period > 0 or subscription.status.has_ended:
            return steps
        if name == NEVER and subscription.status.value == "unpaid":
            return steps
        now = max(now, command.at)
        permission = broken if "mended" in name and now < BEGINS + MENDED_AFTER else CHARGEABLE
        how = None if isinstance(command, Elapse) else PERFORMANCES[type(command)].call
        if how is not None:
            attempt = command.attempt.number if isinstance(command, CreateCharge) else 0
            steps.append(Step((now - answered).total_seconds(), how, command.precedence, attempt))
            answered = now
        subscription = perform(subscription, command, now, failing(charge, permission))
        subscription = subscription.but(outbox=Outbox(told=subscription.outbox.told))
    raise AssertionError(f"{name}: it has no end")


@dataclass
class Bucket:
    """An operation's limit: so many calls at once, and then so many a second."""

    rate: Rate
    left: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.left = float(self.rate.burst)

    def next_at(self, now: float) -> float:
        """When a call may be made."""
        left = min(self.rate.burst, self.left + (now - self.at) * self.rate.per_second)
        return now if left >= 1 else now + (1 - left) / self.rate.per_second

    def take(self, now: float) -> None:
        """One is made."""
        self.left = min(self.rate.burst, self.left + (now - self.at) * self.rate.per_second) - 1
        self.at = now


@dataclass
class Day:
    """What fell due within a day, and when it was first sent.

    Attributes:
        due: how many.
        done_at: when the last of it was sent, in seconds since the year began.
        latest: how long one of it waited at the most, in seconds.
        backlog: how many charges waited at a time during the day, at the most.
    """

    due: int = 0
    done_at: float = 0.0
    latest: float = 0.0
    backlog: int = 0


@dataclass
class Outcome:
    """A year of one account, or of several.

    Attributes:
        days: by day of the year.
        waits: how many first attempts waited so long, in steps of five seconds.
        calls: made, by operation.
        waits_by_precedence: the longest of each, and how many, in seconds.
        paid: periods.
        unsent: charges that wait when the year is over.
    """

    days: dict[int, Day] = field(default_factory=dict)
    waits: dict[int, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    waits_by_precedence: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    paid: int = 0
    unsent: int = 0

    def add(self, other: "Outcome") -> None:
        """Another account's year beside it."""
        for number, day in other.days.items():
            mine = self.days.setdefault(number, Day())
            mine.due, mine.backlog = mine.due + day.due, mine.backlog + day.backlog
            mine.done_at, mine.latest = max(mine.done_at, day.done_at), max(mine.latest, day.latest)
        for wait, times in other.waits.items():
            self.waits[wait] = self.waits.get(wait, 0) + times
        for call, times in other.calls.items():
            self.calls[call] = self.calls.get(call, 0) + times
        for name, (times, total, longest) in other.waits_by_precedence.items():
            before = self.waits_by_precedence.get(name, (0, 0.0, 0.0))
            self.waits_by_precedence[name] = (before[0] + times, before[1] + total, max(before[2], longest))
        self.paid, self.unsent = self.paid + other.paid, self.unsent + other.unsent

    def waited(self, share: float) -> float:
        """How long that share of first attempts waited at the most, in seconds."""
        wanted, seen = share * sum(self.waits.values()), 0
        for wait in sorted(self.waits):
            seen += self.waits[wait]
            if seen >= wanted:
                return wait * _HISTOGRAM_SECONDS
        return 0.0


class _Queue:
    """The calls of one operation that wait for their turn."""

    def __init__(self, rate: Rate) -> None:
        self.bucket = Bucket(rate)
        self.waiting: list[tuple[int, float, int, int]] = []
        self.wakes = False


class Account:
    """A year of one merchant account.

    Args:
        subscribers: how many.
        anchors: when they fall due.
        seed: of what happens to whom.
    """

    def __init__(self, subscribers: int, anchors: Anchors, seed: int) -> None:
        self._random, self._anchors = random.Random(seed), anchors  # noqa: S311 - no secret
        self._monthly = [way_of(name, Interval(unit=Unit.MONTH)) for name in WAYS]
        self._yearly = [way_of(name, Interval(unit=Unit.YEAR)) for name in WAYS]
        self._shares, self._never = list(WAYS.values()), list(WAYS).index(NEVER)
        self._queues = {
            call: _Queue(RATES[Environment.LIVE].get(call, Rate(1, 1)))
            for call in {step.call for way in (*self._monthly, *self._yearly) for step in way}
        }
        self._order = count()
        self._events: list[tuple[float, int, int, int]] = []
        self._turns: list[tuple[bool, float]] = []
        self._way: list[int] = []
        self._step: list[int] = []
        self.outcome = Outcome()
        for number in range(subscribers):
            self._join(number)

    def _join(self, number: int) -> None:
        is_yearly = self._random.random() < YEARLY_SHARE
        offset = 0.0
        if self._anchors is Anchors.UNIFORM:
            offset = self._random.random() * 28 * DAY
        elif self._anchors is Anchors.WINDOW:
            offset = WINDOW.total_seconds() * self._random.randrange(1000) / 1000
        self._turns.append((is_yearly, offset))
        self._way.append(0)
        self._step.append(0)
        self._begin(number, self._random.randrange(12) if is_yearly else 0)

    def _begin(self, number: int, month: int) -> None:
        """A period falls due."""
        at = _month_begins(month) + self._turns[number][1]
        if month >= len(_MONTHS) or at >= DAYS * DAY:
            return
        self._way[number] = self._random.choices(range(len(WAYS)), self._shares)[0]
        self._step[number] = 0
        day = self.outcome.days.setdefault(int(at // DAY), Day())
        day.due += 1
        self._at(at + self._steps_of(number)[0].wait, number, month)

    def _steps_of(self, number: int) -> Sequence[Step]:
        return (self._yearly if self._turns[number][0] else self._monthly)[self._way[number]]

    def _at(self, when: float, number: int, month: int) -> None:
        heapq.heappush(self._events, (when, next(self._order), number, month))

    def live(self) -> Outcome:
        """Goes through the year."""
        wakes: dict[int, Call] = {}
        while self._events:
            now, order, number, month = heapq.heappop(self._events)
            if now >= DAYS * DAY:
                break
            if number >= 0:
                step = self._steps_of(number)[self._step[number]]
                queue, call = self._queues[step.call], step.call
                heapq.heappush(queue.waiting, (step.precedence.value, now, number, month))
                if step.call is Call.CREATE_CHARGE:
                    day = self.outcome.days.setdefault(int(now // DAY), Day())
                    day.backlog = max(day.backlog, len(queue.waiting))
            else:
                call = wakes.pop(order)
                queue = self._queues[call]
                queue.wakes = False
            self._send(queue, call, now)
            if queue.waiting and not queue.wakes:
                order = next(self._order)
                wakes[order] = call
                queue.wakes = True
                heapq.heappush(self._events, (queue.bucket.next_at(now), order, -1, 0))
        self.outcome.unsent = len(self._queues[Call.CREATE_CHARGE].waiting)
        return self.outcome

    def _send(self, queue: _Queue, call: Call, now: float) -> None:
        while queue.waiting and queue.bucket.next_at(now) <= now + 1e-9:
            precedence, since, number, month = heapq.heappop(queue.waiting)
            queue.bucket.take(now)
            self._sent(number, month, call, Precedence(precedence), since, now)

    def _sent(self, number: int, month: int, call: Call, precedence: Precedence, since: float, now: float) -> None:
        steps, index, outcome, wait = self._steps_of(number), self._step[number], self.outcome, now - since
        outcome.calls[call.value] = outcome.calls.get(call.value, 0) + 1
        if steps[index].attempt:
            name = precedence.name.lower()
            times, total, longest = outcome.waits_by_precedence.get(name, (0, 0.0, 0.0))
            outcome.waits_by_precedence[name] = (times + 1, total + wait, max(longest, wait))
        if steps[index].attempt == 1:
            slot = int(wait // _HISTOGRAM_SECONDS) + (wait > 0)
            outcome.waits[slot] = outcome.waits.get(slot, 0) + 1
            day = outcome.days[int(since // DAY)]
            day.done_at, day.latest = max(day.done_at, now), max(day.latest, wait)
        self._step[number] = index + 1
        if index + 1 < len(steps):
            self._at(now + ANSWER_SECONDS + steps[index + 1].wait, number, month)
        elif self._way[number] != self._never:
            outcome.paid += 1
            self._begin(number, month + (12 if self._turns[number][0] else 1))


_MONTHS: Final = [(datetime(2027, month, 1, tzinfo=UTC) - BEGINS).total_seconds() for month in range(1, 13)]


def _month_begins(month: int) -> float:
    return _MONTHS[month] if month < len(_MONTHS) else DAYS * DAY


def _year_of(asked: tuple[int, Anchors, int]) -> tuple[Anchors, Outcome]:
    subscribers, anchors, seed = asked
    return anchors, Account(subscribers, anchors, seed).live()


def _outcomes(subscribers: int, accounts: int) -> Iterator[tuple[Anchors, Outcome]]:
    asked = [(subscribers // accounts, anchors, seed) for anchors in Anchors for seed in range(accounts)]
    with ProcessPoolExecutor() as processes:
        progress = track(
            processes.map(_year_of, asked),
            description="accounts",
            total=len(asked),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        yield from progress


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{seconds:.0f} s"


def _figures(outcome: Outcome) -> dict[str, object]:
    worst = max(outcome.days, key=lambda number: outcome.days[number].latest)
    day = outcome.days[worst]
    return {
        "first_attempts": sum(outcome.waits.values()),
        "periods_paid": outcome.paid,
        "unsent": outcome.unsent,
        "calls": dict(sorted(outcome.calls.items())),
        "waited_seconds": {str(share): outcome.waited(share) for share in (0.5, 0.95, 0.99, 1.0)},
        "worst_day": {
            "date": f"{BEGINS + timedelta(days=worst):%Y-%m-%d}",
            "due": day.due,
            "done_seconds_after_midnight": day.done_at - worst * DAY,
            "largest_backlog": day.backlog,
        },
        "waits_by_precedence": {
            name: {"charges": times, "mean_seconds": total / times, "longest_seconds": longest}
            for name, (times, total, longest) in sorted(outcome.waits_by_precedence.items())
        },
        "days": [
            {"day": number, "due": each.due, "latest_seconds": each.latest, "backlog": each.backlog}
            for number, each in sorted(outcome.days.items())
        ],
    }


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[Anchors, Outcome] = {anchors: Outcome() for anchors in Anchors}
    for anchors, outcome in _outcomes(options.subscribers, options.accounts):
        found[anchors].add(outcome)
    rows = []
    for anchors, outcome in found.items():
        worst = max(outcome.days.values(), key=lambda day: day.latest)
        by = outcome.waits_by_precedence
        rows.append(
            [
                anchors.value,
                f"{sum(outcome.waits.values()):,}",
                *(_hours(outcome.waited(share)) for share in (0.5, 0.99, 1.0)),
                f"{worst.backlog:,}",
                *(_hours(by[name][1] / by[name][0]) if name in by else "-" for name in ("year", "regular", "retry")),
                f"{outcome.unsent:,}",
            ]
        )
    shares = ", ".join(f"{name} {share:.1%}" for name, share in WAYS.items())
    Report(
        title=f"A year of {options.subscribers:,} subscribers in {options.accounts} accounts at the limits of live",
        columns=(
            "due",
            "first attempts",
            "half waited",
            "99 % waited",
            "all waited",
            "largest queue",
            "a year waits",
            "a month",
            "a retry",
            "unsent",
        ),
        rows=rows,
        figures={"ways": dict(WAYS)} | {anchors.name.lower(): _figures(outcome) for anchors, outcome in found.items()},
        note=f"waits are from the turn to the call; means by precedence; assumed: {shares}",
    ).print(as_json=options.json)


if __name__ == "__main__":
    main()
