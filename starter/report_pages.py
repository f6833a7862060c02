"""What is in the reports: tables, bars where one would rather look, and the same as data."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from perennial_billing.billing.money import Money
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.ledger.reports.aging import AGES, Aging, PastDue
from perennial_billing.ledger.reports.forecast import ALL_ACCOUNTS, Done, Due, Forecast
from perennial_billing.ledger.reports.recovery import CurrencyRecovery, Durations, Outcome, Recovery, RecoveryReport
from perennial_billing.ledger.reports.revenue import Recurring, Revenue, Taken
from perennial_billing.starter.tabular import Bars, Column, Measured, Part, Strong, Table

Data = dict[str, Any]  # Any: as JSON has it

BUSIEST: Final = 5
"""Hours that are shown where not all are asked for."""

_NOT_TOLD: Final = "(not told)"

_OUTCOMES: Final = (
    Column("What became of them"),
    Column("Periods", justify="right"),
    Column("Share", justify="right"),
    Column("Amount", justify="right"),
    Column("Half within", rank=1, justify="right"),
    Column("9 of 10 within", rank=2, justify="right"),
)
_REASONS: Final = (
    Column("First refusal"),
    Column("Periods", justify="right"),
    Column("Amount", rank=2, justify="right"),
    Column("Recovered", justify="right"),
    Column("Share", justify="right"),
    Column("Retry", rank=5, justify="right"),
    Column("Mended", rank=4, justify="right"),
    Column("New checkout", rank=3, justify="right"),
    Column("Open", rank=1, justify="right"),
    Column("Written off", rank=1, justify="right"),
)
_TAKEN: Final = (
    Column("Charges", justify="right"),
    Column("Charged", justify="right"),
    Column("Refunded", justify="right"),
    Column("Disputes", rank=4, justify="right"),
    Column("Disputed", rank=2, justify="right"),
    Column("Lost", rank=3, justify="right"),
    Column("Written off", rank=1, justify="right"),
)
_MOVED: Final = (
    Column("Month"),
    Column("At start", justify="right"),
    Column("Begun", justify="right"),
    Column("Completed", justify="right"),
    Column("Churned", justify="right"),
    Column("Churn", justify="right"),
)
_RECURRING: Final = (
    Column("Plan"),
    Column("Subscriptions", justify="right"),
    Column("A month (MRR)", justify="right"),
)
_AGED: Final = (
    Column("Days past due"),
    Column("Subscriptions", justify="right"),
    Column("Amount", justify="right"),
    Column("Reasons", is_prose=True),
)
_DUE: Final = (
    Column("Charges", justify="right"),
    Column("Amount", justify="right"),
    Column("Retries", rank=2, justify="right"),
    Column("Longest wait", rank=1, justify="right"),
    Column("Queue until"),
    Column("Charged by", rank=3),
)


# Recovery


def recovery_page(report: RecoveryReport) -> Iterator[Part]:
    """A table of outcomes, of reasons and of attempts for each currency."""
    for of in report.currencies:
        yield Table(_OUTCOMES, list(_outcome_rows(of, report)), title=f"Not collected at once, in {of.currency}")
        yield Table(_REASONS, [_reason_row(reason or _NOT_TOLD, each) for reason, each in of.by_reason.items()])
        yield Bars(
            f"Recovered with which attempt, in {of.currency}",
            [
                Measured(f"attempt {attempt}", periods.count, f"{periods.count} {_plain(periods.amount)}")
                for attempt, periods in of.by_attempt.items()
            ],
        )
    if not report.currencies:
        yield "every period that fell due then was collected at once, or nothing did"


def _outcome_rows(of: CurrencyRecovery, report: RecoveryReport) -> Iterator[Sequence[str]]:
    every = of.all.refused.count
    for outcome, periods in of.all.outcomes.items():
        took = report.durations.get(outcome)
        yield (
            outcome.value,
            str(periods.count),
            _percent(periods.count / every),
            _plain(periods.amount),
            _took(took.median if took else None),
            _took(took.ninety if took else None),
        )
    yield (
        Strong("recovered in all"),
        str(of.all.recovered.count),
        _percent(of.all.rate),
        _plain(of.all.recovered.amount),
        _took(report.duration.median if report.duration else None),
        _took(report.duration.ninety if report.duration else None),
    )


def _reason_row(reason: str, of: Recovery) -> Sequence[str]:
    return (
        reason,
        str(of.refused.count),
        _plain(of.refused.amount),
        str(of.recovered.count),
        _percent(of.rate),
        *(str(of.outcomes[outcome].count) for outcome in Outcome),
    )


def recovery_data(report: RecoveryReport) -> Data:
    """The whole report."""
    return {
        "since": _instant(report.since),
        "until": _instant(report.until),
        "currencies": [
            {
                "currency": of.currency,
                **_recovery_data(of.all),
                "by_reason": [
                    {"reason": reason or None} | _recovery_data(each) for reason, each in of.by_reason.items()
                ],
                "by_attempt": [
                    {"attempt": attempt, "periods": each.count, "amount": str(each.amount)}
                    for attempt, each in of.by_attempt.items()
                ],
            }
            for of in report.currencies
        ],
        "hours_to_recover": {
            "all": _hours(report.duration),
            **{outcome.value: _hours(each) for outcome, each in report.durations.items()},
        },
    }


def _recovery_data(of: Recovery) -> Data:
    return {
        "refused": {"periods": of.refused.count, "amount": str(of.refused.amount)},
        "recovered": {"periods": of.recovered.count, "amount": str(of.recovered.amount)},
        "rate": _rounded(of.rate),
        "amount_rate": _rounded(of.amount_rate),
        "outcomes": {
            outcome.value: {"periods": each.count, "amount": str(each.amount)} for outcome, each in of.outcomes.items()
        },
    }


def _hours(durations: Durations | None) -> Data | None:
    if durations is None:
        return None
    hour = timedelta(hours=1)
    return {"periods": durations.count, "median": durations.median // hour, "ninety": durations.ninety // hour}


# Revenue


def revenue_page(report: Revenue) -> Iterator[Part]:
    """What came in by month and by plan for each currency, who came and left, and what recurs."""
    for currency in sorted({line.charged.currency for line in report.taken}):
        lines = [line for line in report.taken if line.charged.currency == currency]
        months: dict[str, list[Taken]] = {_month(month): [] for month in report.months}
        plans = defaultdict(list)
        for line in lines:
            months[_month(line.month)].append(line)
            plans[line.plan_id].append(line)
        yield Table(
            (Column("Month"), *_TAKEN),
            [*(_taken_row(month, of) for month, of in months.items()), _taken_row(Strong("all"), lines)],
            title=f"By month, in {currency} ({report.zone})",
        )
        charged = {month: _sum(line.charged for line in of) for month, of in months.items()}
        yield Bars(
            f"Charged a month, in {currency}",
            [Measured(month, float(amount), str(amount)) for month, amount in charged.items()],
        )
        yield Table(
            (Column("Plan"), *_TAKEN),
            [_taken_row(plan or _NOT_TOLD, plans[plan]) for plan in sorted(plans)],
            title=f"By plan, in {currency}",
        )
    yield Table(
        _MOVED,
        [
            (
                _month(each.month),
                str(each.at_start),
                str(each.begun),
                str(each.completed),
                str(each.churned),
                "-" if each.churn_rate is None else _percent(each.churn_rate),
            )
            for each in report.movements
        ],
        title="Subscriptions",
    )
    yield Table(
        _RECURRING,
        list(_recurring_rows(report.recurring)),
        title="Recurring now, at regular prices",
    )
    if report.unseen_disputes:
        yield f"{report.unseen_disputes} disputes are in no sum, as Amazon has not shown what they are about"


def _recurring_rows(recurring: Sequence[Recurring]) -> Iterator[Sequence[str]]:
    """A line for each plan, and one for all of a currency."""
    for currency in sorted({each.monthly.currency for each in recurring}):
        of = [each for each in recurring if each.monthly.currency == currency]
        yield from ((each.plan_id, str(each.subscriptions), str(each.monthly)) for each in of)
        every = sum(each.subscriptions for each in of)
        yield Strong("all"), str(every), f"{_sum(each.monthly for each in of)} {currency}"


def _taken_row(label: str, lines: Sequence[Taken]) -> Sequence[str]:
    def amount(name: str) -> str:
        return str(_sum(getattr(line, name) for line in lines) if lines else "-")

    return (
        label,
        str(sum(line.charges for line in lines)),
        amount("charged"),
        amount("refunded"),
        str(sum(line.disputes for line in lines)),
        amount("disputed"),
        amount("lost"),
        amount("written_off"),
    )


def revenue_data(report: Revenue) -> Data:
    """The whole report: a line for each month, plan and currency in which anything happened."""
    return {
        "zone": report.zone,
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "taken": [_as_data(asdict(each) | _amounts(each)) for each in report.taken],
        "subscriptions": [
            _as_data(asdict(each)) | {"churn_rate": _rounded(each.churn_rate)} for each in report.movements
        ],
        "recurring": [
            {"plan_id": each.plan_id, "subscriptions": each.subscriptions, "monthly": str(each.monthly)}
            for each in report.recurring
        ],
        "unseen_disputes": report.unseen_disputes,
    }


def _amounts(line: Taken) -> Data:
    return {name: str(getattr(line, name)) for name in ("charged", "refunded", "disputed", "lost", "written_off")}


# Aging


def aging_page(report: Aging) -> Iterator[Part]:
    """A table and a picture for each currency."""
    for currency in sorted({each.amount.currency for each in report.past_due}):
        of = [each for each in report.past_due if each.amount.currency == currency]
        ages = {str(age): [each for each in of if each.age is age] for age in AGES}
        yield Table(
            _AGED,
            [*(_aged_row(age, each) for age, each in ages.items()), _aged_row(Strong("all"), of)],
            title=f"Past due, in {currency}",
        )
        amounts = {age: _sum(one.amount for one in each) if each else Decimal(0) for age, each in ages.items()}
        yield Bars(
            f"Past due by days, in {currency}",
            [Measured(age, float(amount), str(amount)) for age, amount in amounts.items()],
        )
    if not report.past_due:
        yield "nobody owes a period"


def _aged_row(label: str, of: Sequence[PastDue]) -> Sequence[str]:
    reasons: dict[str, int] = defaultdict(int)
    for each in of:
        reasons[each.reason or _NOT_TOLD] += each.subscriptions
    most = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    return (
        label,
        str(sum(each.subscriptions for each in of)),
        str(_sum(each.amount for each in of)) if of else "-",
        ", ".join(f"{reason} {count}" for reason, count in most) or "-",
    )


def aging_data(report: Aging) -> Data:
    """The whole report."""
    return {
        "at": report.at.isoformat(),
        "past_due": [
            {
                "days": str(each.age),
                "least_days": each.age.least,
                "most_days": each.age.most,
                "reason": each.reason or None,
                "subscriptions": each.subscriptions,
                "amount": str(each.amount),
            }
            for each in report.past_due
        ],
    }


# Forecast


def forecast_page(report: Forecast, *, every_hour: bool) -> Iterator[Part]:
    """What falls due by day, a picture of it, and the busiest hours, or all."""
    zone = rules_of(report.zone)
    calls: Counter[datetime] = Counter()
    for day in report.days_done:
        calls[day.begins] += day.calls if day.account != ALL_ACCOUNTS else 0
    yield _due_sheet(report.days, report.days_done, zone, _DAY, f"Falls due by day ({report.zone}), at regular prices")
    yield Bars(
        "Charges and retries a day",
        [Measured(f"{at.astimezone(zone):{_DAY}}", count, str(count)) for at, count in sorted(calls.items())],
    )
    by_hour: Counter[datetime] = Counter()
    for hour in report.hours_done:
        by_hour[hour.begins] += hour.calls
    shown = set(by_hour) if every_hour else {hour for hour, _ in by_hour.most_common(BUSIEST)}
    hours = [each for each in report.hours if each.begins in shown]
    yield _due_sheet(hours, report.hours_done, zone, _HOUR, "By hour" if every_hour else "The busiest hours")
    rate, burst = report.quota.per_second, report.quota.burst
    yield f"queue until, charged by: at {rate:g} a second for each account, after {burst} at once"


_DAY: Final = "%a %Y-%m-%d"
_HOUR: Final = "%a %Y-%m-%d %H:%M"


def _due_sheet(due: Sequence[Due], done: Sequence[Done], zone: ZoneInfo, form: str, title: str) -> Table:
    """A line for each day or hour, account and currency; and one for all accounts where there are several."""
    by_key = {(each.begins, each.account): each for each in done}
    lines: dict[datetime, list[Due]] = defaultdict(list)
    for each in due:
        lines[each.begins].append(each)
    are_many = any(account == ALL_ACCOUNTS for _, account in by_key)
    rows: list[Sequence[str]] = []
    for begins, of in lines.items():
        when = f"{begins.astimezone(zone):{form}}"
        for each in of:
            account = [each.account] if are_many else []
            figures = (str(each.charges), str(each.amount), str(each.retries))
            rows.append((when, *account, *figures, *_done_cells(by_key[begins, each.account], zone)))
        if are_many:
            figures = (str(sum(each.charges for each in of)), "-", str(sum(each.retries for each in of)))
            every = _done_cells(by_key[begins, ALL_ACCOUNTS], zone)
            rows.append((when, Strong("all"), *figures, *every))
    accounts = (Column("Account"),) if are_many else ()
    return Table((Column("Hour" if form == _HOUR else "Day"), *accounts, *_DUE), rows, title=title)


def _done_cells(done: Done, zone: ZoneInfo) -> tuple[str, str, str]:
    queued, last = (f"{at.astimezone(zone):%a %H:%M:%S}" if at else "-" for at in (done.queued_until, done.done_at))
    return waited(done.longest_wait), queued, last


def forecast_data(report: Forecast) -> Data:
    """The whole report."""
    return {
        "zone": report.zone,
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "quota": {"burst": report.quota.burst, "per_second": report.quota.per_second},
        "days": [_due_data(each) for each in report.days],
        "hours": [_due_data(each) for each in report.hours],
        "days_done": [_done_data(each) for each in report.days_done],
        "hours_done": [_done_data(each) for each in report.hours_done],
    }


def _due_data(each: Due) -> Data:
    return _as_data(asdict(each) | {"amount": str(each.amount)})


def _done_data(each: Done) -> Data:
    return _as_data(asdict(each) | {"longest_wait": each.longest_wait.total_seconds()})


# Words


def _as_data(found: Mapping[str, object]) -> Data:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in found.items()}


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _month(first: date) -> str:
    return f"{first:%Y-%m}"


def _plain(amount: Money) -> str:
    return str(amount.amount)


def _sum(amounts: Iterable[Money]) -> Decimal:
    """Of amounts in one currency."""
    return sum((each.amount for each in amounts), Decimal(0))


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _took(time: timedelta | None) -> str:
    if time is None:
        return "-"
    return f"{time.days} d {time.seconds // 3600} h" if time.days else f"{time.seconds // 3600} h"


def waited(time: timedelta) -> str:
    """How long somebody waits, for people."""
    minutes, seconds = divmod(int(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
