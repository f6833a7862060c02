"""A month of several subscriptions is settled and reconciled: nothing differs, until the settlement is wrong."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio

from amazon_pay_client.models import CreateReportRequest, Currency, ReportType
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.objects import Charge
from amazon_pay_simulator.report_objects import MistakeKind, SettlementMistake
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem, RefundPeriod, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Capture, Plan
from perennial_billing.sandbox.stage import PUBLIC_KEY_ID, Stage, stage
from perennial_billing.starter.settlement_reports import SettlementReports
from perennial_billing.worker.wiring import amazon_pay_client
from tests.scenarios.story import Story
from tests.starter.command_line import Said, typed

YEAR: Final = datetime.now(UTC).year + 1
BEGINS: Final = datetime(YEAR, 3, 3, 7, tzinfo=UTC)
MARCH: Final = ("--since", f"{YEAR}-03-01", "--until", f"{YEAR}-04-01", "--settled-within", "0")

WEEKLY: Final = Plan.of("weekly-tea", Money.parse("9.99 USD"), Interval(unit=Unit.WEEK))
LATER: Final = Plan.of("goods", Money.parse("9.99 USD"), Interval(unit=Unit.MONTH)).model_copy(
    update={"capture": Capture.LATER}
)
IN_EUROS: Final = Plan.of("tea", Money.parse("14.90 EUR"), Interval(unit=Unit.MONTH))
IN_YEN: Final = Plan.of("sencha", Money.parse("1200 JPY"), Interval(unit=Unit.WEEK))


class Month(NamedTuple):
    """What happened in March, and the books of it."""

    house: Stage
    charges: Sequence[Charge]
    refund_id: str
    dispute_id: str

    def environment(self, folder: Path) -> dict[str, str]:
        """Of commands, with a ledger of their own: what they take is nobody else's."""
        return {
            "PERENNIAL_MERCHANT_ID": "A1SIMULATOR",
            "PERENNIAL_PUBLIC_KEY_ID": PUBLIC_KEY_ID,
            "PERENNIAL_PRIVATE_KEY_PATH": str(self.house.settings.private_key_path),
            "PERENNIAL_AMAZON_PAY_ORIGIN": self.house.simulator.origin,
            "PERENNIAL_DATA_FOLDER": str(folder),
        }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def march() -> AsyncIterator[Month]:
    """Five subscribers: one gets money back and buys something once, one is declined and tries again, one goes to the
    bank, one pays in yen, and of one only a part is captured of what was authorized.
    """
    async with stage(assumptions=Assumptions(report_takes=timedelta(0))) as house:
        declined_once = (None, "SoftDeclined")
        plans = ((WEEKLY, ()), (WEEKLY, declined_once), (IN_EUROS, ()), (IN_YEN, ()), (LATER, ()))
        stories = [await Story.begin(house, plan, script=script, first_charge_at=BEGINS) for plan, script in plans]
        plain, _, euros, _, later = stories
        for story in stories:
            await story.until(BEGINS + timedelta(days=2 if story is later else 16))
        await house.subscriptions.capture(later.charge_permission_id, 0, Money.parse("5.00 USD"))
        once = AddItem(amount=Money.parse("2.50 USD"), what="gift wrapping", when=When.NOW)
        await house.subscriptions.change(plain.charge_permission_id, once)
        for story in (later, plain):
            await story.quiet()
        refund = await house.subscriptions.refund(
            plain.charge_permission_id, RefundPeriod(period=1, amount=Money.parse("4.00 USD"))
        )
        await plain.after(timedelta(days=2))
        [charge] = await euros.charges()
        dispute = await house.simulator.dispute_charge(charge.charge_id, at=await euros.now())
        await euros.quiet()
        charges = [charge for story in stories for charge in await story.charges()]
        assert refund.refund_id is not None
        yield Month(house, charges, refund.refund_id, dispute.dispute_id)


@pytest.fixture
async def there(march: Month, tmp_path: Path) -> dict[str, str]:
    """Settings of commands, with a copy of what was recorded."""
    await asyncio.to_thread(copy, march.house.settings.data_folder, tmp_path)
    return march.environment(tmp_path)


def copy(source: Path | None, target: Path) -> None:
    assert source is not None
    with sqlite3.connect(source / "ledger.db") as kept, sqlite3.connect(target / "ledger.db") as mine:
        kept.backup(mine)


async def spoiled(march: Month, there: dict[str, str], *mistakes: SettlementMistake) -> Said:
    """March is settled with mistakes, and reconciled."""
    await march.house.simulator.spoil_settlements(*mistakes)
    try:
        return await typed("reconcile", *MARCH, "--json", **there)
    finally:
        await march.house.simulator.spoil_settlements()


def told(said: Said) -> list[tuple[str, str]]:
    return [(each["kind"], each["transaction_id"]) for each in said.data["differences"]]


async def test_a_month_is_settled_as_the_subscriptions_told_it_however_often_it_is_asked(
    march: Month, there: dict[str, str]
) -> None:
    first = await typed("reconcile", *MARCH, "--json", **there)
    again = await typed("reconcile", *MARCH, "--json", **there)
    for_people = await typed("reconcile", *MARCH, **there)

    assert (first.code, first.err, first.data["differences"]) == (0, "", [])
    assert [each["is_new"] for each in first.data["taken"]] == [True]
    assert (again.code, again.data["taken"]) == (0, [])
    assert again.data["settlements"] == first.data["settlements"]
    assert first.data["transactions"] == len(march.charges) + 2
    euros, yen, dollars = first.data["settlements"]
    assert [each["charged"] for each in (euros, yen, dollars)] == ["14.90 EUR", "3600 JPY", "67.44 USD"]
    assert (dollars["refunded"], dollars["fees"], dollars["paid_out"]) == ("4.00 USD", "4.24 USD", "59.20 USD")
    assert (euros["taken_back"], euros["paid_out"]) == ("14.90 EUR", "0.00 EUR")
    assert "both sides agree" in for_people.out
    assert "67.44 USD" in for_people.out


@pytest.mark.parametrize(
    ("kind", "what", "expected", "settled", "recorded"),
    [
        (MistakeKind.MISSING, {}, "not_settled", None, "9.99 USD"),
        (MistakeKind.DOUBLED, {}, "doubled", "19.98 USD", "9.99 USD"),
        (MistakeKind.OTHER_AMOUNT, {"amount": "8.99"}, "other_amount", "8.99 USD", "9.99 USD"),
        (MistakeKind.OTHER_CURRENCY, {"currency": Currency.EUR}, "other_currency", "9.99 EUR", "9.99 USD"),
    ],
    ids=str,
)
async def test_one_charge_that_is_settled_wrongly_is_found_and_no_other(
    march: Month,
    there: dict[str, str],
    kind: MistakeKind,
    what: dict[str, Any],
    expected: str,
    settled: str | None,
    recorded: str,
) -> None:
    charge = march.charges[1]
    mistake = SettlementMistake.model_validate({"transaction_id": charge.charge_id, "kind": kind, **what})

    said = await spoiled(march, there, mistake)

    assert (said.code, said.err) == (1, "error: 1 difference\n")
    [found] = said.data["differences"]
    assert (found["kind"], found["transaction_id"]) == (expected, charge.charge_id)
    assert (found["settled"], found["recorded"]) == (settled, recorded)
    assert found["charge_permission_id"] == charge.charge_permission_id


async def test_all_at_once_each_is_found(march: Month, there: dict[str, str]) -> None:
    missing, doubled, foreign = march.charges[0], march.charges[1], march.charges[2]

    said = await spoiled(
        march,
        there,
        SettlementMistake(transaction_id=missing.charge_id, kind=MistakeKind.MISSING),
        SettlementMistake(transaction_id=doubled.charge_id, kind=MistakeKind.DOUBLED),
        SettlementMistake(transaction_id=foreign.charge_id, kind=MistakeKind.FOREIGN),
        SettlementMistake.model_validate({"transaction_id": march.refund_id, "kind": "other_amount", "amount": 3}),
        SettlementMistake(transaction_id=march.dispute_id, kind=MistakeKind.DOUBLED),
    )
    shared = await typed("reconcile", *MARCH, "--shared", "--json", **there)

    found = {
        ("foreign", f"P01-9999999-9999999-{foreign.charge_id[-7:]}"),
        ("not_settled", missing.charge_id),
        ("doubled", doubled.charge_id),
        ("other_amount", march.refund_id),
        ("doubled", march.dispute_id),
    }
    assert (said.code, said.err) == (1, "error: 5 differences\n")
    assert set(told(said)) == found
    assert (shared.code, shared.data["foreign"], len(told(shared))) == (1, 1, 4)


async def test_a_charge_behind_the_subscriptions_back_is_found(march: Month, there: dict[str, str]) -> None:
    paid = march.charges[3]
    with sqlite3.connect(Path(there["PERENNIAL_DATA_FOLDER"]) / "ledger.db") as connection:
        connection.execute("DELETE FROM entries WHERE charge_id = ?", [paid.charge_id])

    said = await typed("reconcile", *MARCH, **there)

    assert said.code == 1
    assert "no_entry" in said.out
    assert "Amazon captured it, and no entry names it; look at the charge in Seller Central" in said.out


async def test_a_file_by_hand_is_reconciled_as_well_and_taken_once(
    march: Month, there: dict[str, str], tmp_path: Path
) -> None:
    file = await settlement_file(march, tmp_path)
    within = ("--settled-within", "0", "--json")

    first = await typed("reconcile", str(file), *within, **there)
    again = await typed("reconcile", str(file), *within, **there)
    by_hand = await typed("reconcile", str(file), "--settled-within", "0", **there)

    assert (first.code, first.data["differences"]) == (0, [])
    assert [each["is_new"] for each in (*first.data["taken"], *again.data["taken"])] == [True, False]
    assert "taken before, and not again: " in by_hand.out


async def test_of_files_of_which_one_is_cut_none_is_taken(march: Month, there: dict[str, str], tmp_path: Path) -> None:
    whole = await settlement_file(march, tmp_path)
    cut = tmp_path / "cut.csv"
    cut.write_bytes(whole.read_bytes()[:-200])

    said = await typed("reconcile", str(whole), str(cut), **there)
    then = await typed("reconcile", str(whole), "--settled-within", "0", "--json", **there)

    assert said.code == 2
    assert said.trouble.startswith("error: cut.csv, line ")
    assert [each["is_new"] for each in then.data["taken"]] == [True]


async def settlement_file(march: Month, folder: Path) -> Path:
    """March, as it may be downloaded in Seller Central."""
    start, end = datetime(YEAR, 3, 1, tzinfo=UTC), datetime(YEAR, 3, 31, 23, 59, 59, tzinfo=UTC)
    async with amazon_pay_client(march.house.settings) as amazon:
        request = CreateReportRequest(report_type=ReportType.SANDBOX_SETTLEMENT, start_time=start, end_time=end)
        ordered = await amazon.reports.create(request)
        report = await amazon.reports.get(ordered.report_id)
        assert report.report_document_id is not None
        reports = SettlementReports(amazon, march.house.settings.environment, is_simulated=True)
        return (await reports._downloaded(report.report_id, report.report_document_id, folder)).path
