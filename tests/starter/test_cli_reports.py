"""`perennial report`: figures as a merchant reads them, and the same as data."""

import io
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.cli.charts import Chart
from perennial_billing.starter.tabular import Measured
from tests.ledger.told import notice, summary, told
from tests.starter.command_line import typed

TEA, MILK, RICE = "C01-2702031-0000001", "C01-2702031-0000002", "C03-2702031-0000003"
PAYDAY = datetime(2028, 2, 1, tzinfo=UTC)
DUE = PAYDAY - timedelta(days=31)
REPORTS = ["recovery", "revenue", "aging", "forecast"]


@pytest.fixture
async def there(empty_ledger: Path, tmp_path: Path) -> dict[str, str]:
    """Settings with a ledger: one who pays euros after a retry, one who owes them, and one who pays yen each day."""
    about: dict[str, Any] = {"period": 0, "due": DUE, "charge_id": "S01-C1"}
    async with Ledger.open(file_url(Path(shutil.copy(empty_ledger, tmp_path / "ledger.db")))) as ledger:
        await ledger.record(
            told(
                notice(1, NoticeType.SUBSCRIPTION_STARTED, at=DUE),
                notice(2, NoticeType.CHARGE_DECLINED, at=DUE, **about, attempt=1, reason_code="SoftDeclined"),
                notice(3, at=DUE + timedelta(hours=30), attempt=2, **about),
                summary=summary(next_charge_at=PAYDAY, began_at=DUE),
            )
        )
        owes: dict[str, Any] = {
            "status": Status.RETRYING,
            "past_due_since": DUE,
            "next_charge_at": None,
            "last_reason": "HardDeclined",
        }
        needed = notice(1, NoticeType.PAYMENT_METHOD_NEEDED, at=DUE, period=0, due=DUE, reason_code="HardDeclined")
        await ledger.record(told(needed, permission=MILK, summary=summary(**owes, next_action_at=PAYDAY)))
        daily = summary(
            price=Money.parse("700 JPY"), next_charge_at=PAYDAY, began_at=DUE, interval=Interval(unit=Unit.DAY)
        )
        yen = notice(1, at=DUE, amount=Money.parse("1400 JPY"), charge_id="S03-C1")
        await ledger.record(told(yen, permission=RICE, summary=daily, plan_id="rice-daily"))
    return {"PERENNIAL_DATA_FOLDER": str(tmp_path)}


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["page", "json"])
async def test_an_empty_ledger_has_every_report(tmp_path: Path, report: str, options: list[str]) -> None:
    said = await typed("report", report, *options, PERENNIAL_DATA_FOLDER=str(tmp_path))

    assert (said.code, said.err) == (0, "")
    assert isinstance(said.data, dict) if options else said.out


async def test_recovery_tells_outcomes_reasons_and_attempts(there: dict[str, str]) -> None:
    data = (await typed("report", "recovery", "--json", **there)).data
    page = (await typed("report", "recovery", **there)).out

    [euro] = data["currencies"]
    assert euro["refused"] == {"periods": 2, "amount": "29.80 EUR"}
    assert euro["recovered"] == {"periods": 1, "amount": "14.90 EUR"}
    assert (euro["rate"], euro["outcomes"]["open"]["periods"]) == (0.5, 1)
    assert [(each["reason"], each["rate"]) for each in euro["by_reason"]] == [("HardDeclined", 0), ("SoftDeclined", 1)]
    assert euro["by_attempt"] == [{"attempt": 2, "periods": 1, "amount": "14.90 EUR"}]
    assert data["hours_to_recover"]["all"] == {"periods": 1, "median": 30, "ninety": 30}
    for words in ("SoftDeclined", "50.0%", "1 d 6 h", "attempt 2", "14.90"):
        assert words in page
    nothing = await typed("report", "recovery", "--since", "2028-01-02", "--json", **there)
    assert nothing.data["currencies"] == []


async def test_revenue_tells_each_currency_by_month_and_what_recurs(there: dict[str, str]) -> None:
    when = ["--since", "2028-01-01", "--until", "2028-02-01"]
    data = (await typed("report", "revenue", *when, "--json", **there)).data
    page = (await typed("report", "revenue", *when, **there)).out
    west = (await typed("report", "revenue", *when, "--zone", "America/New_York", "--json", **there)).data

    assert [(each["month"], each["plan_id"], each["charged"]) for each in data["taken"]] == [
        ("2028-01-01", "rice-daily", "1400 JPY"),
        ("2028-01-01", "tea-monthly", "14.90 EUR"),
    ]
    assert data["subscriptions"] == [
        {"month": "2028-01-01", "at_start": 0, "begun": 1, "completed": 0, "churned": 0, "churn_rate": None}
    ]
    assert [each["monthly"] for each in data["recurring"]] == ["29.80 EUR", "42583 JPY"]
    for words in ("By month, in EUR (UTC)", "By month, in JPY", "rice-daily", "42583 JPY", "Charged a month"):
        assert words in page
    assert west["since"] == "2028-01-01T00:00:00-05:00"
    assert [each["charged"] for each in west["taken"]] == ["14.90 EUR"], "the yen came at seven in the evening before"


async def test_revenue_without_dates_goes_as_far_as_time_was_skipped(tmp_path: Path) -> None:
    skipped_to = datetime.now(UTC) + timedelta(days=400)
    async with Ledger.open(file_url(tmp_path / "ledger.db"), set_up=True) as ledger:
        await ledger.record(told(notice(1, at=skipped_to, amount=Money.parse("6.20 EUR"), charge_id="S04-C1")))

    data = (await typed("report", "revenue", "--json", PERENNIAL_DATA_FOLDER=str(tmp_path))).data

    assert [(each["month"], each["charged"]) for each in data["taken"]] == [(f"{skipped_to:%Y-%m}-01", "6.20 EUR")]
    assert len(data["subscriptions"]) == 12


async def test_aging_tells_how_long_what_has_been_owed(there: dict[str, str]) -> None:
    data = (await typed("report", "aging", "--at", "2028-02-01", "--json", **there)).data
    page = (await typed("report", "aging", "--at", "2028-02-01", **there)).out

    assert data["past_due"] == [
        {
            "days": "31-60",
            "least_days": 31,
            "most_days": 60,
            "reason": "HardDeclined",
            "subscriptions": 1,
            "amount": "14.90 EUR",
        }
    ]
    for words in ("31-60", "14.90", "HardDeclined 1", "61+"):
        assert words in page
    assert "nobody owes a period" in (await typed("report", "aging", "--account", "other", **there)).out


async def test_a_forecast_tells_when_each_day_is_done_at_amazons_rate_or_a_lower_one(there: dict[str, str]) -> None:
    when = ["--since", "2028-02-01", "--days", "3"]
    data = (await typed("report", "forecast", *when, "--json", **there)).data
    slowly = (await typed("report", "forecast", *when, "--json", PERENNIAL_CALLS_PER_SECOND="0.1", **there)).data
    page = (await typed("report", "forecast", *when, "--hours", **there)).out

    assert [(each["begins"], each["charges"], each["amount"], each["retries"]) for each in data["days"]] == [
        ("2028-02-01T00:00:00+00:00", 1, "14.90 EUR", 1),
        ("2028-02-01T00:00:00+00:00", 1, "1400 JPY", 0),
        ("2028-02-02T00:00:00+00:00", 1, "1400 JPY", 0),
        ("2028-02-03T00:00:00+00:00", 1, "1400 JPY", 0),
    ]
    assert data["quota"] == {"burst": 2, "per_second": 1.0}
    assert data["days_done"][0]["done_at"] == "2028-02-01T00:00:01+00:00"
    assert slowly["quota"] == {"burst": 1, "per_second": 0.1}
    assert (slowly["days_done"][0]["calls"], slowly["days_done"][0]["longest_wait"]) == (3, 20.0)
    for words in (
        "Tue 2028-02-01",
        "By hour",
        "Tue 00:00:01",
        "1400 JPY",
        "at 1 a second for each account, after 2 at once",
    ):
        assert words in page


@pytest.mark.parametrize("report", ["revenue", "forecast"])
async def test_a_zone_that_is_none_is_named(there: dict[str, str], report: str) -> None:
    said = await typed("report", report, "--zone", "Mars/Olympus", **there)

    assert said.code == 2
    assert said.trouble.startswith("error: --zone: 'Mars/Olympus' is not accepted")


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "█"), ("ascii", "#")])
def test_bars_are_as_long_as_what_they_measure_in_what_characters_there_are(encoding: str, mark: str) -> None:
    written = io.BytesIO()
    console = Console(file=io.TextIOWrapper(written, encoding=encoding, write_through=True), width=30)

    console.print(Chart("Charges a day", [Measured("Mon", 8, "8"), Measured("Tue", 4, "4"), Measured("Wed", 0, "0")]))

    title, *bars = written.getvalue().decode(encoding).splitlines()
    assert (title, [line.count(mark) for line in bars]) == ("Charges a day", [24, 12, 0])
    assert [line.split()[0] + line.split()[-1] for line in bars] == ["Mon8", "Tue4", "Wed0"]


def test_where_all_is_nothing_there_is_no_picture() -> None:
    console = Console(file=(written := io.StringIO()))

    console.print(Chart("Charges a day", [Measured("Mon", 0, "0")]), end="")

    assert written.getvalue() == ""
