"""The rows of a file are read each by itself: whatever one holds, those beside it are taken."""

import json
from pathlib import Path

import pytest

from perennial_billing.starter.many.joining import Joining, joining
from perennial_billing.starter.many.rows import LONGEST_LINE
from perennial_billing.starter.many.runner import Outcome
from tests.scenarios.story import MONTHLY

PLANS = {"coffee": MONTHLY.model_copy(update={"plan_id": "coffee"})}
HEADER = "charge_permission_id,plan,anchor,merchant_reference,debt"
ANCHOR = "2025-01-31T09:00:00Z"


def good(number: int, reference: str = "") -> str:
    return f"C01-{number:07}-0000001,coffee,{ANCHOR},{reference},"


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


async def read(path: Path, content: str | bytes) -> tuple[list[int], dict[int, str]]:
    """The lines whose rows are taken, and why each other is refused."""
    taken, refused = [], {}
    async for each in joining(written(path, content), PLANS):
        if isinstance(each, Joining):
            taken.append(each.line)
            continue
        assert each.outcome is Outcome.REFUSED
        assert each.row is not None
        (each.why + each.subject).encode()  # it can be printed
        refused[each.row] = each.why
    return taken, refused


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (good(9) + ",", "it has 6 cells, and the header 5 columns"),
        (good(9) + "1 USD,,,", "it has 8 cells"),
        (f"C01-0000009-0000001,coffee,{ANCHOR}", "it has 3 cells"),
        (f"coffee,{ANCHOR},,", "it has 4 cells"),
        (good(9, '"a stray quote'), "not CSV: unexpected end of data: a quote is open at its end"),
        (good(9, '"order"7'), "not CSV: "),
        (good(9, "order\0"), "merchant_reference: holds U+0000, which is no text"),
        (good(9, "\x1b[31mred"), "merchant_reference: holds U+001B"),
        (good(9, "x" * LONGEST_LINE), f"it is longer than {LONGEST_LINE} characters"),
        (good(9, "y" * (3 * LONGEST_LINE)), f"it is longer than {LONGEST_LINE} characters"),
        (good(9, "z" * (LONGEST_LINE - 500)), "merchant_reference: "),
        ("\ud83d" + good(9), "charge_permission_id: is not UTF-8 (byte 0xed)"),
        (",,,,", "charge_permission_id: it must be given"),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_a_row_of_a_table_that_is_none_is_refused_with_its_line_and_those_beside_it_are_taken(
    tmp_path: Path, odd: str, why: str
) -> None:
    lines = [HEADER, good(1), odd, *(good(number) for number in range(10, 30)), ""]

    taken, refused = await read(tmp_path / "rows.csv", "\n".join(lines))

    assert taken == [2, *range(4, 24)]
    assert list(refused) == [3]
    assert why in refused[3]


def row(number: int, **fields: object) -> dict[str, object]:
    return {"charge_permission_id": f"C01-{number:07}-0000001", "plan": "coffee", "anchor": ANCHOR, **fields}


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ("[" * 2_000, "nested too deeply"),
        ('{"a":' * 30_000, "longer than"),
        ('{"plan":' * 3_000 + "1" + "}" * 3_000, "nested too deeply"),
        (json.dumps(row(9, plan="\ud800")), "plan: holds U+D800, which is no text"),
        (json.dumps(row(9, charge_permission_id="C01-\udcff")), "charge_permission_id: is not UTF-8"),
        (json.dumps(row(9) | {"\udfff": 1}), "the name of a field holds U+DFFF"),
        (json.dumps(row(9, merchant_reference="a\0b")), "merchant_reference: holds U+0000"),
        ('{"plan": "tea", "plan": "coffee"}', "'plan' is there twice"),
        ('{"next_period": NaN}', "not JSON: NaN is no number"),
        ('{"next_period": -Infinity}', "-Infinity is no number"),
        ('{"next_period": ' + "7" * 5_000 + "}", "not JSON: "),
        (json.dumps(row(9, next_period=10**9)), "leads out of all bounds"),
        (json.dumps(row(9, next_period=10**30)), "leads out of all bounds"),
        (json.dumps(row(9, quantity=10**300)), "quantity: "),
        ('{"anchor": 1e999}', "anchor: "),
        (json.dumps([row(9)]), "a table of fields is"),
        ("null", "a table of fields is"),
        ('"', "not JSON: "),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_a_line_of_json_that_is_no_row_is_refused_and_those_beside_it_are_taken(
    tmp_path: Path, odd: str, why: str
) -> None:
    lines = [json.dumps(row(1)), odd, json.dumps(row(2)), ""]

    taken, refused = await read(tmp_path / "rows.jsonl", "\n".join(lines))

    assert (taken, list(refused)) == ([1, 3], [2])
    assert why in refused[2]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
async def test_however_lines_end_and_with_a_byte_order_mark_the_rows_are_the_same(
    tmp_path: Path, suffix: str, mark: str, end: str
) -> None:
    lines = [HEADER, good(1), "", good(2)] if suffix == ".csv" else ["", json.dumps(row(1)), "  ", json.dumps(row(2))]

    taken, refused = await read(tmp_path / f"rows{suffix}", mark + end.join(lines))

    assert (taken, refused) == ([2, 4], {})


async def test_of_a_file_in_latin_1_the_rows_with_its_letters_are_refused_and_the_others_taken(tmp_path: Path) -> None:
    lines = [HEADER, good(1), good(2, "Müller"), good(3, "Maier")]

    taken, refused = await read(tmp_path / "rows.csv", "\n".join(lines).encode("latin-1"))

    assert taken == [2, 4]
    assert refused == {3: "merchant_reference: is not UTF-8 (byte 0xfc); save it as UTF-8"}


async def test_an_empty_file_of_json_has_no_rows(tmp_path: Path) -> None:
    assert await read(tmp_path / "rows.jsonl", "") == ([], {})
