"""What is read for an audit, and what is noted of it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, update

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger import records
from perennial_billing.ledger.audits import (
    Result,
    Run,
    Selection,
    begin,
    broken_off,
    ended,
    left,
    note,
    noted,
    pages_of,
)
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.records import GivenUp, LastAudit, Predecessor, known_of, orphans, record_of
from perennial_billing.ledger.tables import deliveries, entries, subscriptions
from tests.ledger.told import BEGAN, MONTH, lenient, notice, summary, told

TEA, MILK, HONEY = (f"C01-2702031-000000{number}" for number in (1, 2, 3))


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    """Two who run, one of whom took the place of the third."""
    started, paid = NoticeType.SUBSCRIPTION_STARTED, NoticeType.PERIOD_PAID
    await ledger.record(told(notice(1, started, amount=None), notice(2, paid, charge_id="S-1", period=0)))
    await ledger.record(
        told(
            notice(1, paid, charge_id="S-2", period=0),
            notice(2, NoticeType.CHARGE_PERMISSION_REPLACED, amount=None, successor=HONEY),
            notice(3, NoticeType.SUBSCRIPTION_ENDED, amount=None),
            permission=MILK,
            summary=summary(status=Status.REPLACED, successor=HONEY, next_action=None),
        )
    )
    await ledger.record(told(notice(4, paid, charge_id="S-3", period=1), permission=HONEY))
    return ledger


async def names(ledger: Ledger, run: Run) -> list[list[str]]:
    return [[record.charge_permission_id for record in page] async for page in pages_of(ledger, run)]


async def result(ledger: Ledger, name: str, *findings: str, trouble: str | None = None) -> Result:
    record = await record_of(ledger, name)
    assert record is not None
    found = [{"rule": each, "says": f"{each} is so", "to_do": "look"} for each in findings]
    return Result(name, len(record.entries), record.last_entry, found, trouble)


async def test_a_record_is_all_that_the_ledger_has(filled: Ledger) -> None:
    given_up = {"state": "given_up", "trouble": "status 410", "since": BEGAN, "updated_at": BEGAN + MONTH}
    async with filled.engine.begin() as connection:
        forgotten = given_up | {"state": "queued", "trouble": None, "since": datetime.now(UTC) - timedelta(hours=81)}
        tried = forgotten | {"since": datetime.now(UTC) - timedelta(hours=79)}
        for number, state in ((4, given_up), (3, given_up | {"state": "delivered"}), (5, forgotten), (6, tried)):
            of = {"id": f"notice-{number}", "charge_permission_id": HONEY, "number": number}
            await connection.execute(insert(deliveries).values(of | state))
        wrong = update(subscriptions).where(subscriptions.c.charge_permission_id == HONEY).values(told=7)
        await connection.execute(wrong)

    record = await record_of(filled, HONEY)

    assert record is not None
    [entry] = record.entries
    assert (entry.number, entry.type, entry.period, entry.charge_id) == (4, "period.paid", 1, "S-3")
    assert (entry.amount, entry.at) == (Money.parse("14.90 EUR"), BEGAN + 4 * MONTH)
    assert record.last_entry == entry.id
    assert [(each.column, each.stood, each.expected) for each in record.differences] == [("told", 7, 4)]
    assert record.given_up == (GivenUp(4, BEGAN + MONTH, "status 410"), GivenUp(5, BEGAN + MONTH, None))
    assert record.predecessor == Predecessor(MILK, 2, frozenset({"S-2"}), frozenset({(0, "S-2")}))
    assert record.last_audit is None
    assert await record_of(filled, "C01-2702031-0000009") is None


async def test_all_are_read_page_by_page_with_so_many_entries_at_once(
    filled: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await begin(filled, Selection())

    assert await names(filled, run) == [[TEA, MILK, HONEY]]
    assert await left(filled, run) == 3
    monkeypatch.setattr(records, "ENTRIES_AT_ONCE", 4)
    assert await names(filled, run) == [[TEA], [MILK], [HONEY]]
    monkeypatch.setattr(records, "AT_ONCE", 1)
    assert await names(filled, run) == [[TEA], [MILK], [HONEY]]


async def test_what_was_looked_at_is_not_looked_at_again_by_the_same_audit(filled: Ledger) -> None:
    run = await begin(filled, Selection())
    await note(filled, run, [await result(filled, MILK, "overdue")])

    assert (await names(filled, run), await left(filled, run)) == ([[TEA, HONEY]], 2)
    assert await broken_off(filled) == Run(run.id, run.selection, run.began_at, done=1)
    record = await record_of(filled, MILK)
    assert record is not None
    assert record.last_audit == LastAudit(3, record.last_entry)
    await ended(filled, run)
    assert await broken_off(filled) is None
    other = await begin(filled, Selection())
    assert await left(filled, other) == 3
    await note(filled, other, [Result(MILK, 0, 0, [], "Amazon is silent")])
    record = await record_of(filled, MILK)
    assert record is not None
    assert record.last_audit is None, "it never was found to be right"


async def test_a_broken_off_audit_is_made_up_for_by_one_of_everything_or_of_the_same(filled: Ledger) -> None:
    everything, running = await begin(filled, Selection()), await begin(filled, Selection(running=True))

    for selection in (Selection(sample=2), Selection(running=True, deep=True)):
        await ended(filled, await begin(filled, selection))
        assert await broken_off(filled) == running
    await ended(filled, await begin(filled, Selection(running=True)))
    assert await broken_off(filled) == everything
    await begin(filled, Selection(changed=True))
    await ended(filled, await begin(filled, Selection()))
    assert await broken_off(filled) is None


async def test_what_was_found_and_what_was_not_found_out_is_noted(filled: Ledger) -> None:
    run = await begin(filled, Selection(deep=True))
    wrong, unknown = await result(filled, TEA, "overdue"), await result(filled, MILK, trouble="x" * 600)
    await note(filled, run, [wrong, unknown, await result(filled, HONEY)])

    found = [each async for each in noted(filled, run)]

    assert [(each.charge_permission_id, each.findings) for each in found] == [(TEA, wrong.findings), (MILK, [])]
    assert found[1].trouble == "x" * 512
    await note(filled, run, [await result(filled, TEA)])
    assert [each.charge_permission_id async for each in noted(filled, run)] == [MILK]


async def test_what_has_not_changed_since_it_was_right_is_left_out(filled: Ledger) -> None:
    run = await begin(filled, Selection())
    await note(filled, run, [await result(filled, each) for each in (TEA, MILK, HONEY)])
    changed = Selection(changed=True)
    assert await names(filled, await begin(filled, changed)) == []

    await filled.record(told(notice(3)))
    await note(filled, run, [await result(filled, MILK, trouble="Amazon is silent")])
    assert await names(filled, await begin(filled, changed)) == [[TEA, MILK]]

    await note(filled, run, [await result(filled, each) for each in (TEA, MILK)])
    await note(filled, run, [await result(filled, HONEY, "overdue")])
    again = await begin(filled, changed)
    assert (await names(filled, again), await left(filled, again)) == ([[HONEY]], 1)


async def test_only_those_that_run(filled: Ledger) -> None:
    run = await begin(filled, Selection(running=True))

    assert (await names(filled, run), await left(filled, run)) == ([[TEA, HONEY]], 2)


@pytest.mark.parametrize("seed", range(5))
async def test_a_sample_stays_the_same_while_it_is_looked_at(filled: Ledger, seed: int) -> None:
    run = await begin(filled, Selection(sample=2, seed=seed))
    [[first, second]] = await names(filled, run)
    await note(filled, run, [await result(filled, first)])
    went_on = await broken_off(filled)

    assert went_on is not None
    assert await left(filled, went_on) == 1
    assert await names(filled, went_on) == [[second]]
    assert len((await names(filled, await begin(filled, Selection(sample=9))))[0]) == 3


async def test_entries_without_a_row_and_permissions_that_nobody_knows_are_found(filled: Ledger) -> None:
    refused = notice(3, NoticeType.REPLACEMENT_REFUSED, amount=None, successor="C01-2702031-0000008")
    await filled.record(told(refused))
    async with filled.engine.begin() as connection:
        await connection.execute(delete(subscriptions).where(subscriptions.c.charge_permission_id == TEA))

    assert await orphans(filled) == [TEA]
    asked = [MILK, "C01-2702031-0000008", "C01-2702031-0000009"]
    assert await known_of(filled, asked) == {MILK, "C01-2702031-0000008"}
    record = await record_of(filled, TEA)
    assert record is not None
    assert (record.row, [each.expected for each in record.differences]) == (None, ["a row"])


async def test_what_a_later_entry_says_of_a_subscription_is_what_counts(filled: Ledger) -> None:
    """The last entry's id, not when it happened: a restored subscription tells of an earlier time."""
    await lenient(filled).record(told(notice(1, at=BEGAN - timedelta(days=3), charge_id="S-9", period=7)))

    record = await record_of(filled, TEA)

    assert record is not None
    assert [entry.number for entry in record.entries] == [1, 2, 1]
    assert record.last_entry == record.entries[-1].id
    async with filled.engine.connect() as connection:
        ids = (await connection.execute(entries.select().order_by(entries.c.id.desc()))).mappings().first()
    assert ids is not None
    assert ids["id"] == record.last_entry
