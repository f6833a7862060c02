"""Histories that are encrypted: nothing of a subscriber's life stands in them in the open, and keys can be replaced."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from perennial_billing.billing.changes import AddItem, ChangePlan
from perennial_billing.billing.changes.charges import RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.runtime.codec import is_encrypted
from perennial_billing.runtime.payloads import converter_of
from perennial_billing.runtime.settings import Settings
from perennial_billing.runtime.temporal import is_busy
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.hindered import Hindrance, hindered
from perennial_billing.starter.remembering import replayed
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES
from tests.endpoint import SECRET, endpoint
from tests.scenarios.story import MONTHLY, Story
from tests.starter.command_line import Said, joined_to, typed

OLD = "2026:" + base64.b64encode(b"o" * 32).decode()
NEW = "2027:" + base64.b64encode(b"n" * 32).decode()


def in_days(days: float) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


# What stands in the open

PRIVATE = ("431.57", "612.83", "117.31", "321.49", "walnut", "hazel", "moved to Lyon", "jane@shop.example", "Zoe Quill")
"""Amounts, references, reasons, notes and whoever asked: all that the story below is made of."""

IN_THE_OPEN_ON_PURPOSE = {
    "search attributes": "Temporal finds and sorts by them; docs/operations/secrets.md lists each",
    "the SDK's own records": "of a local activity its type and times, of a patch its name: the SDK makes them itself",
}
"""Payloads that are not encrypted, and why."""


@dataclass
class Lived:
    """A house whose histories are encrypted, and who has lived there.

    Attributes:
        house: with the key `2026`.
        story: of a year, which has ended.
        folder: where the Temporal server's database is.
    """

    house: Stage
    story: Story
    folder: Path

    async def command(self, *arguments: str, keys: str = OLD) -> Said:
        variables = joined_to(self.house) | self.house.worker_environment() | {"PERENNIAL_CODEC_KEYS": keys}
        return await typed(*arguments, **variables)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    folder = tmp_path_factory.mktemp("temporal")
    async with (
        endpoint() as told_there,
        stage(
            codec_keys=OLD, database=folder / "temporal.db", webhook_url=told_there.url, webhook_secret=SECRET
        ) as house,
    ):
        story = await a_life(house)
        assert told_there.posts, "notices were delivered, too"
        yield Lived(house, story, folder)


async def test_nothing_of_a_life_stands_in_the_open_neither_in_what_temporal_tells_nor_in_its_database(
    lived: Lived,
) -> None:
    client, story = lived.house.client, lived.story
    histories = [
        await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        async for run in client.list_workflows("")
    ]
    events = [event for history in histories for event in history.events]

    opened = b"".join([await as_it_was(client, event) for event in events])
    assert found_in(opened) == list(PRIVATE), "whoever looks finds what is there"
    told = b"".join(event.SerializeToString() for event in events)
    told += (await story.handle.describe()).raw_description.SerializeToString()
    stored = stored_in(lived.folder, "temporal.db")
    assert len(told) > 20_000
    assert story.charge_permission_id.encode() in stored, "what is looked through is what was written"
    for where in (told, stored):
        assert found_in(where) == []
    kinds = {kind for event in events for kind in plain_payloads(event)}
    assert kinds <= set(IN_THE_OPEN_ON_PURPOSE), kinds
    names = {
        name
        for event in events
        for name in event.workflow_execution_started_event_attributes.search_attributes.indexed_fields
    }
    assert names <= {key.name for key in SEARCH_ATTRIBUTES}


async def test_what_reads_histories_reads_encrypted_ones_and_a_command_without_the_key_says_so_in_a_line(
    lived: Lived,
) -> None:
    name = lived.story.charge_permission_id
    again = await replayed(lived.house.client, await lived.story.handle.fetch_history())
    assert again.subscription is not None, again.why
    assert again.subscription.lifecycle.has_ended
    shown = await lived.command("show", name)
    assert shown.code == 0, shown.err
    assert "431.57" in shown.out
    for keys in ("", NEW):
        said = await lived.command("show", name, keys=keys)
        assert said.code == 2
        assert "PERENNIAL_CODEC_KEYS: lacks the key 2026" in said.trouble


async def test_the_command_line_tells_which_keys_are_still_needed_and_which_are_missing(lived: Lived) -> None:
    both = f"{NEW},{OLD}"
    async with asyncio.timeout(60):  # the store that lists workflows is a little behind
        while (await lived.house.client.count_workflows("CloseTime IS NULL")).count:
            await asyncio.sleep(0.1)
    running = await lived.command("codec", "keys", "--json", keys=both)
    assert (running.code, [(each["key_id"], each["here"]) for each in running.data]) == (
        0, [("2027", "encrypts"), ("2026", "opens")],
    )  # fmt: skip
    assert [(each["runs"], each["may_be_removed"]) for each in running.data] == [(0, False), (0, True)]
    ended = await lived.command("codec", "keys", "--ended", "--json", keys=both)
    assert [each["runs"] > 0 for each in ended.data] == [False, True]
    assert not any(each["may_be_removed"] for each in ended.data)
    lacking = await lived.command("codec", "keys", "--ended", keys=NEW)
    assert lacking.code == 1
    assert "PERENNIAL_CODEC_KEYS: lacks 2026, which histories need" in lacking.err


async def a_life(house: Stage) -> Story:
    """A year: a start, items and a credit, a decline, another plan, money back, and the end."""
    price, higher = Money.parse("431.57 USD"), Money.parse("612.83 USD")
    plan = MONTHLY.model_copy(
        update={"phases": tuple(each.model_copy(update={"amount": price}) for each in MONTHLY.phases)}
    )
    dearer = MONTHLY.model_copy(
        update={"phases": tuple(each.model_copy(update={"amount": higher}) for each in MONTHLY.phases)}
    )
    story = await Story.begin(house, plan, first_charge_at=in_days(2), script=[None, None, "HardDeclined"])
    name = story.charge_permission_id
    asked = house.subscriptions.on_behalf_of(Asker(actor="jane@shop.example", because="Zoe Quill has called"))
    await story.until_due(0)
    await asked.ask(name, AddItem(amount=Money.parse("117.31 USD"), what="hazel delivery", reference="walnut-1"))
    await story.until_due(1)
    await story.until_due(2)
    await story.mend_card()
    await asked.ask(name, ChangePlan(plan=dearer))
    await story.until_due(3)
    await asked.refund(name, RefundPeriod(period=0, amount=Money.parse("321.49 USD"), reference="walnut-2"))
    await story.quiet()
    for period in range(4, 13):
        await story.until_due(period)
    assert (await story.cancel("moved to Lyon")).status is Status.CANCELED
    return story


def stored_in(folder: Path, name: str) -> bytes:
    """A database's file, and what was written beside it and is not yet in it."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob(f"{name}*")))


async def as_it_was(client: Client, event: Message) -> bytes:
    """All that an event carries, decrypted."""
    codec = client.data_converter.payload_codec
    assert codec is not None
    return b"".join(each.data for each in await codec.decode([payload for _, payload in payloads_in(event, ())]))


def found_in(stored: bytes) -> list[str]:
    """What stands there as it is, or in base64, wherever that begins."""
    found = []
    for text in PRIVATE:
        plain = text.encode()
        encoded = {base64.b64encode(b"x" * at + plain)[4 if at else 0 : -4] for at in range(3)}
        if plain in stored or any(len(each) > 3 and each in stored for each in encoded):
            found.append(text)
    return found


def plain_payloads(event: Message) -> Iterator[str]:
    """The kind of each payload of an event that is not encrypted."""
    for path, payload in payloads_in(event, ()):
        if is_encrypted(payload):
            continue
        if "search_attributes" in path:
            yield "search attributes"
        elif "marker_recorded_event_attributes" in path and path[-2] in {"data", "patch-data"}:
            yield "the SDK's own records"
        else:
            yield " ".join(path)


def payloads_in(message: Message, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Payload]]:
    """Every payload in a message, with the names that lead there."""
    if isinstance(message, Payload):
        yield path, message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            each = [(str(key), item) for key, item in value.items() if isinstance(item, Message)]
        else:
            each = [("", item) for item in value] if field.is_repeated else [("", value)]
        for key, item in each:
            yield from payloads_in(item, (*path, field.name, key) if key else (*path, field.name))


# Keys that are replaced


def with_keys(house: Stage, keys: str) -> Settings:
    return house.settings.model_copy(update={"codec_keys": SecretStr(keys)})


async def client_with(house: Stage, keys: str) -> Client:
    return await Client.connect(house.server.address, data_converter=converter_of(with_keys(house, keys)))


@asynccontextmanager
async def working(house: Stage, keys: str) -> AsyncIterator[None]:
    """Workers with these keys, until it is left."""
    settings, client = with_keys(house, keys), await client_with(house, keys)
    async with (
        amazon_pay_client(settings) as amazon_pay,
        billing_workers(client, amazon_pay, house.ledger, settings) as workers,
        workers.running(),
    ):
        yield


async def until_it_fails(house: Stage, story: Story, why: str) -> None:
    """As soon as the server says that workers fail at it, and with what."""
    client = house.client
    codec = client.data_converter.payload_codec
    async with asyncio.timeout(100):
        while True:
            found = await hindered(client.workflow_service, client.namespace, story.charge_permission_id, codec)
            if found is not None:
                assert found.how is Hindrance.FAILING
                assert why in (found.why or "")
                return
            await asyncio.sleep(0.1)


async def test_a_key_is_replaced_in_the_midst_of_a_life_and_one_that_lacks_it_cannot_read_what_was_before() -> None:
    async with stage(with_worker=False, codec_keys=OLD) as house:
        story = await Story.begin(house, first_charge_at=in_days(2))
        due = story.terms.schedule.due
        async with working(house, OLD):
            await story.until_due(0)
        async with working(house, f"{OLD},{NEW}"):  # first it is known everywhere
            await story.until_due(1)
        assert await key_ids(story) == {"2026"}
        known = await client_with(house, f"{NEW},{OLD}")
        async with working(house, f"{NEW},{OLD}"):
            await house.server.time.fast_forward(story.handle, due(2) - await story.now() + timedelta(minutes=1))
            async with asyncio.timeout(60):
                while len(await story.charges()) < 3 or await is_busy(known, story.handle.id):
                    await asyncio.sleep(0.05)
        await story.assert_charged_at(due(0), due(1), due(2))
        assert await key_ids(story) == {"2026", "2027"}

        history = await story.handle.fetch_history()
        assert (await replayed(known, history)).subscription is not None
        lacking = await replayed(await client_with(house, NEW), history)
        assert lacking.subscription is None
        assert "PERENNIAL_CODEC_KEYS: lacks the key 2026" in lacking.why


@pytest.mark.long  # a task that failed is given out again after 10 s
@pytest.mark.timeout(240)
async def test_while_a_key_is_missing_nothing_is_lost_and_nobody_is_charged_twice() -> None:
    async with stage(with_worker=False, codec_keys=f"{OLD},{NEW}") as house:
        story = await Story.begin(house, first_charge_at=in_days(2))
        due = story.terms.schedule.due
        async with working(house, OLD):
            await story.until_due(0)
        async with working(house, f"{NEW},{OLD}"):
            await story.until_due(1)

        async with working(house, NEW):
            await house.server.time.fast_forward(story.handle, due(2) - await story.now() + timedelta(minutes=1))
            await until_it_fails(house, story, "PERENNIAL_CODEC_KEYS: lacks the key 2026")
            assert len(await story.charges()) == 2
        async with working(house, f"{NEW},{OLD}"):
            assert (await story.quiet()).periods_paid == 3
        async with working(house, NEW):
            await story.handle.signal("cancel", "the customer asked")
            await until_it_fails(house, story, "PERENNIAL_CODEC_KEYS: lacks the key 2026")
        async with working(house, f"{NEW},{OLD}"):
            status = await story.quiet()

        assert status.status is Status.CANCELED, "what was said meanwhile was heard"
        await story.assert_charged_at(due(0), due(1), due(2))


async def key_ids(story: Story) -> set[str]:
    """The ids of the keys under which its history is encrypted."""
    events: Sequence[Message] = (await story.handle.fetch_history()).events
    return {
        payload.metadata["encryption-key-id"].decode()
        for event in events
        for _, payload in payloads_in(event, ())
        if is_encrypted(payload)
    }
