"""`perennial export`: the ledger as a bookkeeper opens it."""

import csv
import json
from pathlib import Path

import pytest

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger import exporting
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.exporting import What, columns_of
from perennial_billing.ledger.ledger import Ledger
from tests.ledger.told import BEGAN, MONTH, notice, told
from tests.starter.command_line import typed

TEA, MILK = "C01-2702031-0000001", "C01-2702031-0000002"


@pytest.fixture
async def there(tmp_path: Path) -> dict[str, str]:
    """Settings with a ledger of two subscribers; one has a reference that a spreadsheet would run."""
    async with Ledger.open(file_url(tmp_path / "ledger.db"), set_up=True) as ledger:
        await ledger.record(told(notice(1, charge_id="C01-1"), notice(2), merchant_reference="=1+1"))
        refund = notice(3, NoticeType.REFUND_COMPLETED, amount=Money.parse("0.05 EUR"), refund_id="R01-1")
        await ledger.record(told(refund, merchant_reference="=1+1"))
        await ledger.record(
            told(notice(1, amount=Money.parse("1200 JPY")), permission=MILK, merchant_reference='ä;\n"')
        )
    return {"PERENNIAL_DATA_FOLDER": str(tmp_path)}


def unfinished(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


async def test_entries_are_written_as_csv_with_amounts_that_add_up(there: dict[str, str], tmp_path: Path) -> None:
    said = await typed("export", "entries", "--to", str(tmp_path / "books.csv"), **there)

    assert (said.code, said.out) == (0, "")
    with (tmp_path / "books.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == columns_of(What.ENTRIES)
    assert [(row["amount"], row["currency"]) for row in rows] == [
        ("14.90", "EUR"),
        ("14.90", "EUR"),
        ("0.05", "EUR"),
        ("1200", "JPY"),
    ]
    assert [row["merchant_reference"] for row in rows] == ["'=1+1"] * 3 + ['ä;\n"']
    assert rows[0]["at"] == (BEGAN + MONTH).isoformat()
    assert not unfinished(tmp_path)


async def test_subscriptions_are_written_as_json_lines(there: dict[str, str], tmp_path: Path) -> None:
    await typed("export", "subscriptions", "--format", "jsonl", "--to", str(tmp_path / "all.jsonl"), **there)

    tea, milk = map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())
    assert (tea["charged"], tea["refunded"], tea["currency"]) == ("29.80", "0.05", "EUR")
    assert (tea["merchant_reference"], milk["needs_attention"]) == ("=1+1", False)


async def test_of_a_time_only_what_happened_then(there: dict[str, str]) -> None:
    since, until = (f"{BEGAN + months * MONTH:%Y-%m-%dT%H:%M:%S}" for months in (2, 3))

    said = await typed("export", "entries", "--since", since, "--until", until, "--format", "jsonl", **there)

    assert [json.loads(line)["number"] for line in said.out.splitlines()] == [2]


async def test_page_by_page_it_is_the_same(
    there: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await typed("export", "entries", "--to", str(tmp_path / "at-once.csv"), **there)
    monkeypatch.setattr(exporting, "AT_ONCE", 1)
    await typed("export", "entries", "--to", str(tmp_path / "bit-by-bit.csv"), **there)

    assert (tmp_path / "at-once.csv").read_bytes() == (tmp_path / "bit-by-bit.csv").read_bytes()


async def test_a_file_that_cannot_be_written_is_named_and_one_that_was_there_is_kept(
    there: dict[str, str], tmp_path: Path
) -> None:
    said = await typed("export", "entries", "--to", str(tmp_path / "nowhere" / "books.csv"), **there)
    assert (said.code, "No such file or directory" in said.trouble) == (2, True)

    (tmp_path / "books.csv").write_text("last year's")
    said = await typed("export", "entries", "--to", str(tmp_path / "books.csv"), PERENNIAL_LEDGER_URL="mysql://x")
    assert said.code == 2
    assert (tmp_path / "books.csv").read_text() == "last year's"
