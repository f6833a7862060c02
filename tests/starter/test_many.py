"""Doing the same to many: some at a time, no faster than a rate, and nothing piles up."""

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perennial_billing.starter.cli.many import _reporting
from perennial_billing.starter.many.cells import as_cell
from perennial_billing.starter.many.runner import Outcome, Result, do_to_many
from perennial_billing.starter.pacing import Pace

MANY = 10_000


async def test_ten_thousand_are_done_a_few_at_a_time_and_none_is_read_ahead_of_them() -> None:
    read = done = most_ahead = under_way = most_at_once = 0

    async def items() -> AsyncIterator[int]:
        nonlocal read, most_ahead
        for number in range(MANY):
            read += 1
            most_ahead = max(most_ahead, read - done)
            yield number

    async def perform(number: int) -> Result:
        nonlocal done, under_way, most_at_once
        under_way += 1
        most_at_once = max(most_at_once, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done += 1
        return Result(str(number), Outcome.REFUSED if number % 10 == 0 else Outcome.DONE)

    told: list[str] = []
    counts = await do_to_many(items(), perform, lambda result: told.append(result.subject), at_a_time=8)

    assert (counts[Outcome.DONE], counts[Outcome.REFUSED]) == (9_000, 1_000)
    assert sorted(map(int, told)) == list(range(MANY))
    assert most_at_once <= 8
    assert most_ahead <= 8 + 2, "the workers' own, one that waits, and one that is being read"


async def test_nothing_to_do_is_done_at_once() -> None:
    async def nobody() -> AsyncIterator[int]:
        return
        yield

    async def never(_: int) -> Result:
        raise AssertionError

    assert (await do_to_many(nobody(), never, lambda _: None)).total() == 0


async def test_what_cannot_go_on_ends_all() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ValueError("the file ends in the middle")

    async def perform(number: int) -> Result:
        return Result(str(number), Outcome.DONE)

    with pytest.raises(ExceptionGroup) as raised:
        await do_to_many(broken(), perform, lambda _: None)
    assert [str(error) for error in raised.value.exceptions] == ["the file ends in the middle"]


async def test_the_pace_is_kept_by_all_together() -> None:
    pace, loop = Pace(per_second=100), asyncio.get_running_loop()
    began = loop.time()

    await asyncio.gather(*(pace.wait() for _ in range(21)))

    assert loop.time() - began >= 0.2, "a lower bound: never faster"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_cell_of_a_report_is_a_formula(begin: str) -> None:
    assert as_cell(f"{begin}HYPERLINK(1)") == f"'{begin}HYPERLINK(1)"


@pytest.mark.parametrize("text", ["", "C01-1234567-1234567", "'=1", "amount: '-1' is refused", " "])
def test_an_ordinary_cell_stays_as_it_is(text: str) -> None:
    assert as_cell(text) == text


def test_a_report_is_a_file_that_a_spreadsheet_does_not_act_on(tmp_path: Path) -> None:
    report = tmp_path / "report.csv"

    with _reporting(report) as write:
        write(Result("=cmd|'/c calc'!A1", Outcome.REFUSED, "@SUM(1)", 7, "+1"))

    with report.open(newline="") as lines:
        assert list(csv.reader(lines))[1] == ["7", "'=cmd|'/c calc'!A1", "refused", "'@SUM(1)", "'+1"]
