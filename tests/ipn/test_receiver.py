"""The receiver over HTTP, on the whole system: what it answers decides whether Amazon sends a notification again.

Amazon's part is played by signing with the stage's own key, so that a test can post what it likes, as often as it
likes. What reached a workflow is read from its history.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle

from ipn.app import LARGEST_BODY_BYTES
from simulator.notifications import NotificationSigner
from starter.cli.demo.stage import Stage
from tests.ipn.messages import body, envelope, message, notification, signed, signer_of
from tests.scenarios.story import Story
from workflows.messages import NotificationSignal

Handle = WorkflowHandle[Any, Any]  # Any: a workflow's type says nothing about its history


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Posts as SNS does."""
    async with httpx.AsyncClient(headers={"content-type": "text/plain; charset=UTF-8"}) as client:
        yield client


@pytest.fixture
def signer(house: Stage) -> NotificationSigner:
    """Whom the stage's receiver trusts."""
    return signer_of(house)


async def signals(house: Stage, handle: Handle) -> list[tuple[str, NotificationSignal]]:
    """Name and content of every signal that the workflow got."""
    converter = house.client.data_converter
    found = []
    async for event in handle.fetch_history_events():
        if event.HasField("workflow_execution_signaled_event_attributes"):
            given = event.workflow_execution_signaled_event_attributes
            (content,) = await converter.decode(given.input.payloads, [NotificationSignal])
            found.append((given.signal_name, content))
    return found


async def looks(handle: Handle) -> int:
    """How often the workflow asked Amazon how the charge permission stands."""
    history = await handle.fetch_history()
    return sum(
        event.activity_task_scheduled_event_attributes.activity_type.name == "read_permission"
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    )


async def test_a_notification_about_the_permission_reaches_instrument_updated(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    story = await Story.begin(house)
    posted = notification(signer, story.charge_permission_id, "CHARGE_PERMISSION", NotificationId="notice-1")

    answer = await http.post(house.ipn_url, content=posted)
    await story.quiet()

    assert (answer.status_code, answer.text) == (200, "signalled")
    assert await signals(house, story.handle) == [
        (
            "instrument_updated",
            NotificationSignal(
                notification_id="notice-1", object_type="CHARGE_PERMISSION", object_id=story.charge_permission_id
            ),
        )
    ]
    assert await looks(story.handle) == 1


@pytest.mark.parametrize("object_type", ["CHARGE", "REFUND", "CHARGEBACK", "SOMETHING_NEW"])
async def test_a_notification_about_anything_else_reaches_amazon_pay_notification(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner, object_type: str
) -> None:
    story = await Story.begin(house)
    posted = notification(signer, story.charge_permission_id, object_type, ObjectId="S01-1", NotificationId="notice-1")

    answer = await http.post(house.ipn_url, content=posted)
    status = await story.quiet()

    assert (answer.status_code, answer.text) == (200, "signalled")
    expected = NotificationSignal(notification_id="notice-1", object_type=object_type, object_id="S01-1")
    assert await signals(house, story.handle) == [("amazon_pay_notification", expected)]
    assert not status.has_ended


async def test_a_doubled_notification_leads_to_one_look_only(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    story = await Story.begin(house)
    posted = notification(signer, story.charge_permission_id, "CHARGE_PERMISSION")

    for _ in range(2):
        assert (await http.post(house.ipn_url, content=posted)).text == "signalled"
        await story.quiet()
    assert len(await signals(house, story.handle)) == 2
    assert await looks(story.handle) == 1

    await http.post(house.ipn_url, content=notification(signer, story.charge_permission_id, "CHARGE_PERMISSION"))
    await story.quiet()
    assert await looks(story.handle) == 2


async def test_a_notification_for_an_unknown_permission_is_taken_and_forgotten(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    answer = await http.post(house.ipn_url, content=notification(signer, "S01-one-time-order", "CHARGE"))

    assert (answer.status_code, answer.text) == (200, "no_subscription")


async def test_a_notification_for_an_ended_subscription_is_taken_and_forgotten(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    story = await Story.begin(house)
    assert (await story.cancel()).has_ended
    before = len((await story.handle.fetch_history()).events)

    answer = await http.post(house.ipn_url, content=notification(signer, story.charge_permission_id, "CHARGE"))

    assert (answer.status_code, answer.text) == (200, "no_subscription")
    assert len((await story.handle.fetch_history()).events) == before


@pytest.mark.parametrize("change", ["another key", "changed message", "another merchant", "unknown version"])
async def test_what_is_not_proven_is_forbidden_and_reaches_no_workflow(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner, forger: NotificationSigner, change: str
) -> None:
    story = await Story.begin(house)
    genuine = envelope(message(story.charge_permission_id, "CHARGE_PERMISSION"))
    posted = {
        "another key": signed(forger, genuine),
        "changed message": signed(signer, envelope(message())) | {"Message": genuine["Message"]},
        "another merchant": signed(signer, envelope(message(story.charge_permission_id, MerchantID="A2SOMEONE"))),
        "unknown version": signed(signer, genuine) | {"SignatureVersion": "3"},
    }[change]

    answer = await http.post(house.ipn_url, content=body(posted))

    assert answer.status_code == 403
    assert await signals(house, story.handle) == []


@pytest.mark.parametrize("posted", [b"", b"nonsense", b"{}", b"\xff", b"[" * 50_000])
async def test_what_is_malformed_is_a_bad_request(house: Stage, http: httpx.AsyncClient, posted: bytes) -> None:
    answer = await http.post(house.ipn_url, content=posted)

    assert answer.status_code == 400
    assert answer.text.startswith("not an SNS message (wrong: ")


async def test_a_proven_message_without_a_notification_in_it_is_a_bad_request(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    answer = await http.post(house.ipn_url, content=body(signed(signer, envelope("hello"))))

    assert (answer.status_code, answer.text) == (400, "not a notification of Amazon Pay (wrong: body)")


async def test_the_largest_message_that_sns_sends_is_read(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    filled = notification(signer, "S01-none", "CHARGE", Filling="")
    room = LARGEST_BODY_BYTES - len(filled)
    largest = notification(signer, "S01-none", "CHARGE", Filling="x" * room)
    assert len(largest) == LARGEST_BODY_BYTES

    assert (await http.post(house.ipn_url, content=largest)).status_code == 200
    assert (await http.post(house.ipn_url, content=largest + b" ")).status_code == 413


@pytest.mark.parametrize("framing", ["content-length: 1000000000", "transfer-encoding: chunked"])
async def test_a_message_too_large_is_refused_before_it_was_sent(house: Stage, framing: str) -> None:
    """Its end never comes: the answer has to."""
    address = urlsplit(house.ipn_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    chunk = b"x" * 0x10000
    writer.write(f"POST {address.path} HTTP/1.1\r\nhost: receiver\r\n{framing}\r\n\r\n".encode())
    for _ in range(LARGEST_BODY_BYTES // len(chunk) + 1):
        writer.write(b"10000\r\n" + chunk + b"\r\n" if "chunked" in framing else chunk)
    async with asyncio.timeout(5):
        first = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert b" 413 " in first


async def test_a_sender_that_leaves_in_the_middle_does_not_trouble_the_receiver(
    house: Stage, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(house.ipn_url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"POST {address.path} HTTP/1.1\r\nhost: receiver\r\ncontent-length: 100\r\n\r\n{{".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)

    assert (await http.get(house.ipn_url.removesuffix("/ipn") + "/health")).json() == {"status": "ok"}
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_only_posts_are_taken(house: Stage, http: httpx.AsyncClient) -> None:
    assert (await http.get(house.ipn_url)).status_code == 405
