"""Today and the reports: what the ledger knows, as pages and as files; a subscription that does not answer itself."""

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Final

import pytest

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.console import standing
from perennial_billing.starter.console.keeping import Kept
from perennial_billing.starter.console.routes.reports import as_csv
from perennial_billing.starter.tabular import Column, Table
from tests.console.conftest import Console
from tests.console.test_asking import text_of
from tests.ledger.told import BEGAN, notice, summary, told

REPORTS: Final = ("revenue", "recovery", "aging", "forecast")


async def test_today_tells_who_waits_what_is_owed_and_what_came_back(console: Console, tmp_path: Path) -> None:
    services, kept = console.app.state.services, console.app.state.kept
    async with Ledger.open(file_url(tmp_path / "ledger.db"), set_up=True) as ledger:
        stands = summary(
            status=Status.ON_HOLD, needs_attention=True, past_due_since=BEGAN, last_reason="MerchantCanceled",
            next_charge_at=None,
        )  # fmt: skip
        held = notice(1, NoticeType.SUBSCRIPTION_HELD, period=0, due=BEGAN)
        await ledger.record(told(held, permission="C01-2702031-0000009", summary=stands))
        console.app.state.services, console.app.state.kept = replace(services, ledger=ledger), Kept()
        try:
            shown = text_of((await console.http.get("/")).text)
        finally:
            console.app.state.services, console.app.state.kept = services, kept

    assert (
        "C01-2702031-0000009 order-C01-2702031-0000009 A period is owed, and waits for you. MerchantCanceled" in shown
    )
    assert "Past due by days, in EUR" in shown
    assert "owe 14.90 EUR" in shown
    assert "Every notice was delivered" in shown


async def test_the_checks_tell_of_ledger_temporal_workers_and_amazon(console: Console) -> None:
    shown = text_of((await console.http.get("/checks")).text)

    for name in ("ledger done", "Temporal done", "workers done", "Amazon Pay done it answers, and takes the signature"):
        assert name in shown


@pytest.mark.parametrize("name", REPORTS)
async def test_a_report_is_tables_and_each_of_them_a_file(console: Console, name: str) -> None:
    await console.charged()
    page = await console.http.get(f"/reports/{name}")
    assert page.status_code == 200

    files = page.text.count(".csv")
    for number in range(1, files + 1):
        answer = await console.http.get(f"/reports/{name}/{number}.csv")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        heading, *rows = list(csv.reader(StringIO(answer.text)))
        assert all(len(row) == len(heading) for row in rows)
        assert heading[0] in page.text
    assert (await console.http.get(f"/reports/{name}/{files + 1}.csv")).status_code == 404


async def test_a_report_s_dates_and_zone_are_checked(console: Console) -> None:
    for query, said in (
        ({"since": "2026-13-01"}, "a day is"),
        ({"zone": "Mars/Base"}, "IANA names of time zones are"),
        ({"since": "2027-01-02", "until": "2026-01-01"}, "later than since"),
    ):
        answer = await console.http.get("/reports/revenue", params=query)
        assert answer.status_code == 422
        assert said in answer.text


def test_what_a_spreadsheet_would_reckon_with_stays_text() -> None:
    table = Table((Column("Plan"), Column("Amount")), [("=2+2", "-3.50"), ("@tea", "-"), ("tea", "8.45")])

    rows = list(csv.reader(StringIO(as_csv(table))))

    assert rows == [["Plan", "Amount"], ["'=2+2", "-3.50"], ["'@tea", "-"], ["tea", "8.45"]]


async def test_one_that_temporal_has_forgotten_is_shown_by_the_ledger_and_can_be_refunded(console: Console) -> None:
    permission = "C01-2702031-0000077"
    paid = notice(1, charge_id="S01-2702031-0000077-C1", period=0, due=BEGAN)
    ended = notice(2, NoticeType.SUBSCRIPTION_ENDED, amount=None, status="canceled")
    stands = summary(status=Status.CANCELED, ended_at=BEGAN, next_charge_at=None, next_action=None)
    await console.house.ledger.record(told(paid, ended, permission=permission, summary=stands))

    page = await console.http.get(f"/subscriptions/{permission}")

    shown = text_of(page.text)
    assert "Temporal has forgotten it; this is what the ledger knows." in shown
    assert "It was canceled: nothing is charged any more." in shown
    assert f"/subscriptions/{permission}/refunds" in page.text
    assert f"/subscriptions/{permission}/pause" not in page.text
    form = await console.http.get(f"/subscriptions/{permission}/refunds")
    assert "Amount (EUR)" in text_of(form.text)


async def test_one_that_does_not_answer_in_time_is_shown_by_the_ledger(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    permission = await console.charged()
    monkeypatch.setattr(standing, "WAITS_SECONDS", 0.0)

    shown = text_of((await console.http.get(f"/subscriptions/{permission}")).text)

    assert "It does not answer itself: it does not answer in time" in shown
    assert "8.45 USD" in shown


async def test_a_long_history_is_paged_from_the_newest(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perennial_billing.starter.console.routes.looking.TOLD_ON_A_PAGE", 1)
    permission = await console.charged()
    await console.done(permission, "pause", because="first")
    await console.done(permission, "resume", because="second")

    first = await console.http.get(f"/subscriptions/{permission}")
    older = first.text.split('rel="next"')[0].rpartition('href="')[2].partition("#")[0]
    second = await console.http.get(older)

    assert "ines: second" in text_of(first.text)
    assert "ines: first" not in text_of(first.text)
    assert "ines: first" in text_of(second.text)


async def test_figures_are_made_once_for_all_who_ask_meanwhile() -> None:
    made: list[int] = []

    async def make() -> int:
        made.append(len(made))
        if len(made) == 1:
            raise LookupError("not yet")
        return made[-1]

    kept = Kept()
    with pytest.raises(LookupError):
        await kept.get("name", make)
    assert [await kept.get("name", make) for _ in range(3)] == [1, 1, 1]
    assert await kept.get("another", make) == 2
    gone = Kept(seconds=-1.0)
    assert [await gone.get("name", make) for _ in range(2)] == [3, 4]
