"""`setup`, `find`, `timeline` and `ledger rebuild`: what has happened, as a person asks for it."""

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from tests.ledger.told import BEGAN, notice, summary, told
from tests.starter.command_line import typed

TEA, MILK = "C01-2702031-0000001", "C01-2702031-0000002"


@pytest.fixture
async def file(empty_ledger: Path, tmp_path: Path) -> Path:
    """Of a ledger of two subscribers, one of whom owes a period."""
    async with Ledger.open(file_url(Path(shutil.copy(empty_ledger, tmp_path / "ledger.db")))) as ledger:
        await ledger.record(told(notice(1, charge_id="C01-2702031-0000001-C1"), notice(2)))
        owes = summary(status=Status.RETRYING, past_due_since=BEGAN, needs_attention=True, last_reason="SoftDeclined")
        await ledger.record(told(notice(1), permission=MILK, summary=owes))
    return tmp_path / "ledger.db"


async def test_what_is_searched_for_is_found_page_by_page(file: Path) -> None:
    there = {"PERENNIAL_DATA_FOLDER": str(file.parent)}

    everybody = await typed("find", "--json", **there)
    assert [each["charge_permission_id"] for each in everybody.data] == [TEA, MILK]
    assert (everybody.data[0]["charged"], everybody.data[0]["status"]) == ("29.80 EUR", "active")
    first = await typed("find", "--limit", "1", **there)
    assert f"1 subscriptions; more: --after {TEA}" in first.out
    second = await typed("find", "--limit", "1", "--after", TEA, "--json", **there)
    assert [each["charge_permission_id"] for each in second.data] == [MILK]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--permission", MILK], [MILK]),
        (["--charge", "C01-2702031-0000001-C1"], [TEA]),
        (["--reference", f"order-{TEA}"], [TEA]),
        (["--plan", "tea-monthly"], [TEA, MILK]),
        (["--account", "other"], []),
        (["--status", "retrying"], [MILK]),
        (["--reason", "SoftDeclined"], [MILK]),
        (["--past-due-before", f"{BEGAN + timedelta(days=1):%Y-%m-%dT%H:%M:%S}"], [MILK]),
        (["--past-due-before", f"{BEGAN:%Y-%m-%dT%H:%M:%S}"], []),
        (["--needs-attention"], [MILK]),
    ],
    ids=str,
)
async def test_each_way_of_searching_finds_whom_it_should(file: Path, options: list[str], expected: list[str]) -> None:
    said = await typed("find", *options, "--json", PERENNIAL_LEDGER_URL=file_url(file))

    assert [each["charge_permission_id"] for each in said.data] == expected


async def test_a_timeline_tells_everything_in_its_order(file: Path) -> None:
    said = await typed("timeline", TEA, PERENNIAL_LEDGER_URL=file_url(file))
    data = (await typed("timeline", TEA, "--json", PERENNIAL_LEDGER_URL=file_url(file))).data

    assert said.out.count("period.paid") == 2
    assert "C01-2702031-0000001-C1" in said.out
    assert [entry["notice"]["number"] for entry in data] == [1, 2]
    nobody = await typed("timeline", "C01-0-0", PERENNIAL_LEDGER_URL=file_url(file))
    assert nobody.code == 1
    assert str(file) in nobody.trouble


async def test_a_row_that_somebody_has_written_is_told_and_made_anew(file: Path) -> None:
    there = {"PERENNIAL_LEDGER_URL": file_url(file)}
    assert (await typed("ledger", "rebuild", **there)).code == 0
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE subscriptions SET charged_minor = 1 WHERE charge_permission_id = ?", [MILK])

    looked = await typed("ledger", "rebuild", "--dry-run", "--json", **there)
    assert (looked.code, looked.data["differences"]) == (
        1,
        [{"charge_permission_id": MILK, "column": "charged_minor", "stood": 1, "expected": 1490}],
    )
    assert (await typed("ledger", "rebuild", **there)).code == 1
    assert (await typed("ledger", "rebuild", **there)).code == 0


async def test_a_database_is_set_up_once_and_nothing_else_makes_its_tables(tmp_path: Path) -> None:
    there = {"PERENNIAL_LEDGER_URL": file_url(tmp_path / "books.db")}

    before = await typed("find", **there)
    assert (before.code, "run `perennial setup`" in before.trouble) == (2, True)
    for options, state in ((("--dry-run",), "would be made"), ((), "made"), ((), "there already")):
        said = await typed("setup", "--only", "ledger", "--json", *options, **there)
        assert (said.code, [each["state"] for each in said.data["items"]]) == (0, [state])
    assert (await typed("find", "--json", **there)).data == []


@pytest.mark.parametrize("address", ["mysql://shop:geheim@db/books", "postgresql://shop:geheim@127.0.0.1:1/books"])
async def test_a_ledger_that_cannot_be_reached_is_one_line_without_its_password(address: str) -> None:
    said = await typed("find", PERENNIAL_LEDGER_URL=address)

    assert said.code == 2
    assert said.trouble.startswith("error: PERENNIAL_LEDGER_URL: ")
    assert "geheim" not in said.err
