"""Answers of the API: kept once, together with those of the same moment, and forgotten after thirty days."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, update

from perennial_billing.ledger.api_answers import KEPT_FOR, Answers, KeptAnswer, forget_old_answers
from perennial_billing.ledger.batches import Batches
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import api_answers


def answer(number: int) -> KeptAnswer:
    return KeptAnswer(f"wish {number}", 201, f'{{"refund_id": "S01-7310442-{number:07}"}}')


async def test_what_many_ask_at_once_is_kept_in_few_commits_and_each_finds_its_own(ledger: Ledger) -> None:
    answers, commits = Answers(ledger), list[object]()
    event.listen(ledger.engine.sync_engine, "commit", commits.append)

    kept = await asyncio.gather(*(answers.keep("till", f"order-{each}", answer(each)) for each in range(60)))
    found = await asyncio.gather(*(answers.kept("till", f"order-{each}") for each in range(61)))

    assert list(kept) == [answer(each) for each in range(60)]
    assert list(found) == [*kept, None]
    assert 0 < len(commits) <= 3


async def test_of_two_processes_the_first_ones_answer_is_the_one(ledger: Ledger) -> None:
    till, other = Answers(ledger), Answers(ledger)
    both = await asyncio.gather(
        *(answers.keep("till", f"order-{each}", answer(each + more)) for more, answers in ((0, till), (100, other))
          for each in range(20))
    )  # fmt: skip

    assert both[:20] == both[20:]
    assert await other.kept("desk", "order-1") is None, "another key's"


async def test_after_thirty_days_a_key_is_free_again(ledger: Ledger) -> None:
    answers = Answers(ledger)
    await answers.keep("till", "order-1", answer(1))
    await answers.keep("till", "order-2", answer(2))
    long_ago = datetime.now(UTC) - KEPT_FOR - timedelta(minutes=1)
    async with ledger.engine.begin() as connection:
        await connection.execute(update(api_answers).values(answered_at=long_ago))

    assert await answers.kept("till", "order-1") is None
    assert await answers.keep("till", "order-1", answer(7)) == answer(7)
    assert await forget_old_answers(ledger) == 1
    assert await answers.kept("till", "order-1") == answer(7)


async def test_where_a_batch_fails_each_is_told_and_the_next_ones_go_on() -> None:
    done: list[Sequence[int]] = []

    async def double(numbers: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        done.append(numbers)
        if 3 in numbers:
            raise ValueError("three is not doubled")
        return [2 * each for each in numbers]

    batches = Batches(double, most=2)

    results = await asyncio.gather(*(batches.ask(each) for each in (1, 2, 3, 4, 5)), return_exceptions=True)

    assert done == [[1, 2], [3, 4], [5]]
    assert results[:2] == [2, 4]
    assert [str(each) for each in results[2:4]] == ["three is not doubled"] * 2
    assert results[4] == 10
    assert await batches.ask(6) == 12


async def test_who_gives_up_waiting_stops_nobody() -> None:
    goes_on = asyncio.Event()

    async def slowly(numbers: Sequence[int]) -> Sequence[int]:
        await goes_on.wait()
        return numbers

    batches = Batches(slowly)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await batches.ask(1)
    other = asyncio.create_task(batches.ask(2))
    goes_on.set()

    assert await other == 2
