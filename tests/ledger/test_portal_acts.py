"""Links of the buyer's page: each does one thing, also where the process dies in the midst of it."""

import asyncio
from datetime import UTC, datetime, timedelta

from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.portal_acts import begin, finish, forget_expired, is_done

LATER = datetime.now(UTC) + timedelta(hours=6)


async def test_a_link_does_one_thing(ledger: Ledger) -> None:
    assert await begin(ledger, "4b1f", LATER)
    assert not await is_done(ledger, "4b1f")
    await finish(ledger, "4b1f")

    assert await is_done(ledger, "4b1f")
    assert not await begin(ledger, "4b1f", LATER)
    assert await begin(ledger, "4b20", LATER), "another link's"


async def test_one_whose_process_died_is_let_through_again(ledger: Ledger) -> None:
    assert await begin(ledger, "9c3e", LATER)

    assert await begin(ledger, "9c3e", LATER)
    await finish(ledger, "9c3e")
    assert not await begin(ledger, "9c3e", LATER)


async def test_many_at_once_are_kept_once(ledger: Ledger) -> None:
    assert all(await asyncio.gather(*(begin(ledger, "77aa", LATER) for _ in range(12))))

    await asyncio.gather(*(finish(ledger, "77aa") for _ in range(3)))
    assert not any(await asyncio.gather(*(begin(ledger, "77aa", LATER) for _ in range(12))))


async def test_what_nobody_takes_any_more_is_forgotten(ledger: Ledger) -> None:
    await begin(ledger, "0001", datetime.now(UTC) - timedelta(seconds=1))
    await begin(ledger, "0002", LATER)
    await finish(ledger, "0002")

    assert await forget_expired(ledger) == 1
    assert await is_done(ledger, "0002")
