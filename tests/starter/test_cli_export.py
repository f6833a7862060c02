"""`perennial export`: the ledger as a bookkeeper opens it."""

import csv
import io
import json
import shutil
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger import exporting
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.errors import LedgerUnavailableError
from perennial_billing.ledger.exporting import What, columns_of, exported
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.cli import parquet
from tests.ledger.told import BEGAN, MONTH, notice, told
from tests.starter.command_line import typed

TEA, MILK = "C01-2702031-0000001", "C01-2702031-0000002"


@pytest.fixture
async def there(empty_ledger: Path, tmp_path: Path) -> dict[str, str]:
    """Settings with a ledger of two subscribers; one has a reference that a spreadsheet would run."""
    async with Ledger.open(file_url(Path(shutil.copy(empty_ledger, tmp_path / "ledger.db")))) as ledger:
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


async def test_parquet_has_typed_columns_and_exact_amounts_also_in_several_groups(
    there: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 1)
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 3)
    for what in What:
        to = str(tmp_path / f"{what}.parquet")
        said = await typed("export", what.value, "--format", "parquet", "--to", to, **there)
        assert (said.code, said.out, said.err) == (0, "", "")

    written = pq.ParquetFile(tmp_path / "entries.parquet")
    entries = written.read().to_pylist()
    assert (tuple(entries[0]), written.num_row_groups) == (columns_of(What.ENTRIES), 2)
    assert [(row["amount"], row["currency"]) for row in entries] == [
        (Decimal("14.90"), "EUR"),
        (Decimal("14.90"), "EUR"),
        (Decimal("0.05"), "EUR"),
        (Decimal(1200), "JPY"),
    ]
    assert (entries[0]["at"], entries[0]["number"], entries[3]["merchant_reference"]) == (BEGAN + MONTH, 1, 'ä;\n"')
    tea, milk = pq.read_table(tmp_path / "subscriptions.parquet").to_pylist()
    assert (tea["charged"], tea["needs_attention"], milk["ended_at"]) == (Decimal("29.80"), False, None)
    assert not unfinished(tmp_path)


async def test_an_empty_ledger_is_a_parquet_file_without_rows(tmp_path: Path) -> None:
    to = str(tmp_path / "none.parquet")

    await typed("export", "entries", "--format", "parquet", "--to", to, PERENNIAL_DATA_FOLDER=str(tmp_path))

    assert pq.read_table(to).num_rows == 0


async def test_without_pyarrow_parquet_says_what_to_install_and_csv_needs_nothing(
    there: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "perennial_billing.starter.cli.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    said = await typed("export", "entries", "--format", "parquet", "--to", str(tmp_path / "books.parquet"), **there)

    line = "error: --format parquet: pyarrow is not installed; install perennial-billing[parquet]"
    assert (said.code, said.trouble) == (2, line)
    assert (await typed("export", "entries", **there)).code == 0


async def test_parquet_is_written_to_a_file_only(there: dict[str, str]) -> None:
    said = await typed("export", "entries", "--format", "parquet", **there)

    assert (said.code, "--to" in said.trouble) == (2, True)


async def test_a_number_is_a_number_in_csv_whatever_its_sign(there: dict[str, str], tmp_path: Path) -> None:
    """Nothing of ours writes one below zero; a formula begins with the same sign."""
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE entries SET amount_minor = -5, reason_code = '-5' WHERE refund_id = 'R01-1'")

    said = await typed("export", "entries", **there)

    [row] = [each for each in csv.DictReader(io.StringIO(said.out)) if each["refund_id"] == "R01-1"]
    assert (row["amount"], row["reason_code"]) == ("-0.05", "'-5")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_what_is_broken_off_leaves_nothing_and_last_years_file_as_it_was(
    there: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    async def breaking_off(*of: Any) -> AsyncGenerator[list[dict[str, Any]]]:
        async with aclosing(exported(*of)) as pages:
            yield await anext(pages)
        raise LedgerUnavailableError("the ledger cannot be used: it is gone")

    monkeypatch.setattr(exporting, "exported", breaking_off)
    books = tmp_path / "books"
    books.write_text("last year's")

    said = await typed("export", "entries", "--format", form, "--to", str(books), **there)

    assert (said.code, said.trouble) == (2, "error: the ledger cannot be used: it is gone")
    assert (books.read_text(), unfinished(tmp_path)) == ("last year's", [])


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
