"""Books in a file: a simulator that is started again knows everything that it answered before."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.books import Books, SavedAnswer
from amazon_pay_simulator.notifications import NotificationSigner
from amazon_pay_simulator.storage import SqliteStore, StorePart
from tests.simulator.checkout import approved, opened, pending_of, session_of, state_and_reason
from tests.simulator.merchant import Merchant, charge_of, merchant_of, new_key, price
from tests.simulator.running import running_simulator

Start = Callable[[], AbstractAsyncContextManager[tuple[SimulatorHandle, Merchant]]]


@pytest.fixture
def start(tmp_path: Path, private_key: RSAPrivateKey, signer: NotificationSigner) -> Start:
    """Starts a simulator on the test's file, with its merchant."""

    @asynccontextmanager
    async def started() -> AsyncIterator[tuple[SimulatorHandle, Merchant]]:
        async with (
            running_simulator(private_key, signer, database=tmp_path / "books.db") as amazon,
            merchant_of(amazon, private_key) as shop,
        ):
            yield amazon, shop

    return started


@contextmanager
def books_in(path: Path) -> Iterator[Books]:
    """The first merchant's books in a file."""
    path.parent.mkdir(exist_ok=True)
    store = SqliteStore(path)
    try:
        yield Books(StorePart(store, ""))
    finally:
        store.close()


async def lived_in(simulator: SimulatorHandle, shop: Merchant) -> None:
    """Something of every kind."""
    permission = (await simulator.open_permission()).charge_permission_id
    await simulator.script(permission, ["SoftDeclined"])
    await shop.create_charge(charge_of(permission), new_key())
    _, charge = await shop.create_charge(charge_of(permission, merchantMetadata={"noteToBuyer": "Hé"}), new_key())
    await shop.create_charge(charge_of(permission, captureNow=False), new_key())
    await shop.refund(charge["chargeId"], price("1"), new_key())
    await simulator.dispute_charge(charge["chargeId"])
    await opened(shop)
    session_id = await approved(shop, simulator, pending_of(), "0701")
    await shop.complete_session(session_id, price("9.99"))
    await simulator.close_by_buyer(permission)
    await simulator.sign_in()


async def test_the_books_are_the_same_after_a_restart(start: Start) -> None:
    async with start() as (amazon, shop):
        await lived_in(amazon, shop)
        before = await amazon.books()

    async with start() as (amazon, _):
        after = await amazon.books()

    assert after == before
    assert all(getattr(before, kind) for kind in type(before).model_fields), "something of every kind"


async def test_a_copy_of_the_file_taken_while_the_simulator_runs_holds_every_answer_that_was_given(
    start: Start, tmp_path: Path
) -> None:
    async with start() as (amazon, shop):
        await lived_in(amazon, shop)
        shutil.copytree(tmp_path, tmp_path.with_suffix(".copy"))
        running = await amazon.books()

    with books_in(tmp_path.with_suffix(".copy") / "books.db") as books:
        assert books.export() == running


async def test_a_key_is_known_after_a_restart_and_charges_nobody_again(start: Start) -> None:
    key = new_key()
    async with start() as (amazon, shop):
        permission = (await amazon.open_permission()).charge_permission_id
        first = await shop.create_charge(charge_of(permission), key)

    async with start() as (amazon, shop):
        again = await shop.create_charge(charge_of(permission), key)
        other, _ = await shop.create_charge(charge_of(permission, "5"), key)
        _, new = await shop.create_charge(charge_of(permission), new_key())
        books = await amazon.books()

    assert again == first
    assert other == 400
    assert [charge.charge_id for charge in books.charges] == [first[1]["chargeId"], new["chargeId"]]
    assert [call.replayed for call in books.calls] == [False, True, False]


async def test_a_script_goes_on_where_it_was(start: Start) -> None:
    async with start() as (amazon, shop):
        permission = (await amazon.open_permission()).charge_permission_id
        await amazon.script(permission, ["SoftDeclined", "TransactionTimedOut"])
        await shop.create_charge(charge_of(permission), new_key())

    async with start() as (amazon, shop):
        _, second = await shop.create_charge(charge_of(permission), new_key())
        third, _ = await shop.create_charge(charge_of(permission), new_key())

    assert (second["reasonCode"], third) == ("TransactionTimedOut", 201)


async def test_what_was_to_happen_by_itself_still_happens(start: Start) -> None:
    async with start() as (amazon, shop):
        permission = (await amazon.open_permission()).charge_permission_id
        _, unused = await shop.create_charge(charge_of(permission, captureNow=False), new_key())
        _, charge = await shop.create_charge(charge_of(permission), new_key())
        _, refund = await shop.refund(charge["chargeId"], price("1"), new_key())

    async with start() as (amazon, shop):
        await amazon.advance_clock(timedelta(days=31))
        _, expired = await shop.charge(unused["chargeId"])
        _, refunded = await shop.read_refund(refund["refundId"])

    assert state_and_reason(expired) == ("Canceled", "ExpiredUnused")
    assert state_and_reason(refunded) == ("Refunded", None)


async def test_what_was_to_end_by_itself_still_ends(start: Start) -> None:
    async with start() as (amazon, shop):
        permission = (await amazon.open_permission()).charge_permission_id
        session_id = await opened(shop)

    async with start() as (amazon, _):
        await amazon.advance_clock(timedelta(days=400))
        books = await amazon.books()

    (ended,) = [each.status_details for each in books.permissions if each.charge_permission_id == permission]
    (canceled,) = [each.status_details for each in books.sessions if each.checkout_session_id == session_id]
    assert [reason.reason_code for reason in ended.reasons or ()] == ["Expired"]
    assert (canceled.state, canceled.reason_code) == ("Canceled", "Expired")


async def test_a_checkout_goes_on_with_the_card_that_the_buyer_chose(start: Start) -> None:
    async with start() as (amazon, shop):
        session_id = await approved(shop, amazon, session_of(), "3434")

    async with start() as (amazon, shop):
        await shop.complete_session(session_id, price("9.99"))
        _, session = await shop.session(session_id)

    assert state_and_reason(session) == ("Canceled", "Declined")


async def test_without_a_file_nothing_is_kept(private_key: RSAPrivateKey, signer: NotificationSigner) -> None:
    async with running_simulator(private_key, signer) as amazon:
        await amazon.open_permission()
    async with running_simulator(private_key, signer) as amazon:
        assert (await amazon.books()).permissions == []


def test_a_charge_and_the_answer_saved_for_its_key_come_into_the_file_together(tmp_path: Path) -> None:
    answer = SavedAnswer(request="", status=201, body="")

    with books_in(tmp_path / "one" / "books.db") as books, books.together():
        books.saved_answers["first"] = answer
        shutil.copytree(tmp_path / "one", tmp_path / "while it happens")
        books.saved_answers["second"] = answer

    found = []
    for folder in ("while it happens", "one"):
        with books_in(tmp_path / folder / "books.db") as kept:
            found.append(list(kept.saved_answers))
    assert found == [[], ["first", "second"]]


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk\n" * 100)

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        SqliteStore(path)

    assert path.read_text() == "remember the milk\n" * 100


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        SqliteStore(tmp_path / "none" / "books.db")


def test_books_of_another_kind_are_refused_by_the_name_of_what_cannot_be_read(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "books.db").close()
    with sqlite3.connect(tmp_path / "books.db") as database:
        database.execute("INSERT INTO books VALUES ('charges', 'S01', '{}')")
    database.close()

    with pytest.raises(sqlite3.DatabaseError, match="charges"), books_in(tmp_path / "books.db"):
        pass


def test_a_file_is_one_simulators_until_it_is_closed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "books.db")

    with pytest.raises(sqlite3.OperationalError, match="another process uses it; end that one"):
        SqliteStore(tmp_path / "books.db")

    store.close()
    SqliteStore(tmp_path / "books.db").close()
