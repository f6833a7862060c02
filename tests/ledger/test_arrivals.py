"""That notifications arrive is noted in the ledger: seldom, beside whoever takes them, and never in their way."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from perennial_billing.ledger import arrivals as module
from perennial_billing.ledger.arrivals import Arrival, Arrivals, all_arrivals
from perennial_billing.ledger.errors import LedgerUnavailableError
from perennial_billing.ledger.ledger import Ledger

SHOP: Final = "arn:aws:sns:eu-west-1:123456789012:shop"
OTHER: Final = "arn:aws:sns:eu-west-1:123456789012:other"
NOON: Final = datetime(2027, 3, 4, 12, 0, tzinfo=UTC)


async def test_the_first_and_the_last_of_each_topic_are_known(ledger: Ledger) -> None:
    for minutes, topic in ((0, SHOP), (5, OTHER), (30, SHOP)):
        ledger.now = lambda minutes=minutes: NOON + timedelta(minutes=minutes)  # type: ignore[misc]
        process = Arrivals(ledger)  # another one, which knows nothing of what was noted
        process.note(topic)
        await process.settled()

    assert await all_arrivals(ledger) == [
        Arrival(SHOP, NOON, NOON + timedelta(minutes=30)),
        Arrival(OTHER, NOON + timedelta(minutes=5), NOON + timedelta(minutes=5)),
    ]


async def test_of_a_thousand_in_a_row_one_is_noted(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    process, written = Arrivals(ledger), list[str]()
    write = process._write

    async def counted(topic: str) -> None:
        written.append(topic)
        await write(topic)

    monkeypatch.setattr(process, "_write", counted)
    for _ in range(1_000):
        process.note(SHOP)
    await process.settled()

    assert written == [SHOP]
    assert [each.topic_arn for each in await all_arrivals(ledger)] == [SHOP]


async def test_a_ledger_that_is_away_is_in_nobodys_way_and_the_next_one_is_noted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    process = Arrivals(ledger)
    with monkeypatch.context() as patch:

        def away(*_: object, **__: object) -> None:
            raise LedgerUnavailableError("the ledger cannot be used: it is away")

        patch.setattr(module, "writing", away)
        process.note(SHOP)
        await process.settled()
    assert "that a notification arrived was not noted" in caplog.text
    assert await all_arrivals(ledger) == []

    process.note(SHOP)
    await process.settled()
    assert [each.topic_arn for each in await all_arrivals(ledger)] == [SHOP]
