"""What was handed over is remembered, in bounded memory."""

import asyncio
from collections import Counter

import pytest

from perennial_billing.ipn.repeats import Repeats


def test_the_latest_messages_are_remembered_and_the_oldest_forgotten() -> None:
    repeats = Repeats(room=2)
    for message_id in ("a", "b", "b", "c"):
        repeats.add(message_id)

    assert [message_id in repeats for message_id in "abcd"] == [False, True, True, False]


class HandOver:
    """Hands a message over when it is let, and counts how often it is tried."""

    def __init__(self, repeats: Repeats, *, fails: int = 0) -> None:
        self._repeats, self._fails = repeats, fails
        self.tries = self.at_once = self.most_at_once = 0

    async def __call__(self) -> str:
        self.tries += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        if self.tries <= self._fails:
            raise ConnectionError
        self._repeats.add("a")
        return "signalled"


async def test_of_many_that_come_at_once_one_is_handed_over_and_the_others_wait_for_it() -> None:
    repeats = Repeats()
    hand_over = HandOver(repeats)

    came_of_it = await asyncio.gather(*(repeats.once("a", hand_over) for _ in range(200)))

    assert hand_over.tries == 1
    assert Counter(came_of_it) == {"signalled": 1, None: 199}
    assert await repeats.once("a", hand_over) is None


async def test_where_the_first_fails_the_next_one_tries_and_no_two_at_once() -> None:
    repeats = Repeats()
    hand_over = HandOver(repeats, fails=2)

    came_of_it = await asyncio.gather(*(repeats.once("a", hand_over) for _ in range(50)), return_exceptions=True)

    assert (hand_over.tries, hand_over.most_at_once) == (3, 1)
    assert [type(one) for one in came_of_it[:2]] == [ConnectionError] * 2
    assert came_of_it[2:] == ["signalled"] + [None] * 47


async def test_who_is_cancelled_while_handing_over_lets_the_next_one_try() -> None:
    """As where the sender leaves."""
    repeats = Repeats()
    hand_over = HandOver(repeats)
    first, second = (asyncio.create_task(repeats.once("a", hand_over)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == "signalled"


async def test_messages_of_different_ids_do_not_wait_for_each_other() -> None:
    repeats = Repeats()
    hand_over = HandOver(repeats)

    await asyncio.gather(repeats.once("a", hand_over), repeats.once("b", hand_over))

    assert hand_over.most_at_once == 2


async def test_nobody_waits_for_ever_for_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perennial_billing.ipn.repeats.WAIT_SECONDS", 0.05)
    repeats, never = Repeats(), asyncio.Event()
    first = asyncio.create_task(repeats.once("a", never.wait))
    await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        await repeats.once("a", never.wait)
    first.cancel()
