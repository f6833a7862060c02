"""The receiver over HTTP, on the whole system: what it answers decides whether Amazon sends a notification again.

Amazon's part is played by signing with the stage's own key, so that a test can post what it likes, as often as it
likes. What reached a workflow is read from its history.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.ipn.app import LARGEST_BODY_BYTES, PATH, create_app
from perennial_billing.runtime.http import bind, serving
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.messages import NotificationSignal
from tests.ipn.messages import body, envelope, message, notification, signed, signer_of
from tests.scenarios.story import MONTHLY, Story

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


async def test_a_message_posted_again_is_handed_over_once(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    """By SNS, which delivers some twice, or by anybody who has seen it."""
    story = await Story.begin(house)
    posted = notification(signer, story.charge_permission_id, "CHARGE_PERMISSION")

    answers = [(await http.post(house.ipn_url, content=posted)).text for _ in range(3)]
    await story.quiet()

    assert answers == ["signalled", "repeated", "repeated"]
    assert len(await signals(house, story.handle)) == 1
    assert await looks(story.handle) == 1


async def test_a_message_posted_two_hundred_times_at_once_is_handed_over_once(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    story = await Story.begin(house)
    posted = notification(signer, story.charge_permission_id, "CHARGE_PERMISSION")

    answers = await asyncio.gather(*(http.post(house.ipn_url, content=posted) for _ in range(200)))
    await story.quiet()

    assert Counter(answer.text for answer in answers) == {"signalled": 1, "repeated": 199}
    assert len(await signals(house, story.handle)) == 1


@pytest.mark.parametrize("name", ["C01-" + "7" * 2000, "C01-7\x00", "C01-7\x1b[31m", "", "../C01-7", "C01-7\n"])
async def test_a_charge_permission_that_cannot_be_one_has_no_subscription(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner, name: str
) -> None:
    """Temporal refuses some of them as ids, and the message would be sent again for two weeks."""
    answer = await http.post(house.ipn_url, content=notification(signer, name, "CHARGE"))

    assert (answer.status_code, answer.text) == (200, "no_subscription")


async def test_names_that_are_none_do_not_come_into_the_history(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    story = await Story.begin(house)
    odd = {"ObjectId": "S01-" + "7" * 100_000, "NotificationId": "[/x]\x1b[31m"}

    answer = await http.post(house.ipn_url, content=notification(signer, story.charge_permission_id, "CHARGE", **odd))
    await story.quiet()

    assert answer.text == "signalled"
    empty = NotificationSignal(notification_id="", object_type="CHARGE", object_id="")
    assert await signals(house, story.handle) == [("amazon_pay_notification", empty)]


async def test_a_notification_doubled_by_amazon_leads_to_one_look_only(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    """As when it is published twice, or taken by two receivers: the workflow knows it by its NotificationId."""
    story = await Story.begin(house)
    about = (story.charge_permission_id, "CHARGE_PERMISSION")

    for _ in range(2):
        posted = notification(signer, *about, NotificationId="notice-1")
        assert (await http.post(house.ipn_url, content=posted)).text == "signalled"
        await story.quiet()
    assert len(await signals(house, story.handle)) == 2
    assert await looks(story.handle) == 1

    await http.post(house.ipn_url, content=notification(signer, *about, NotificationId="notice-2"))
    await story.quiet()
    assert await looks(story.handle) == 2


async def test_what_nobody_was_there_for_is_handed_over_when_it_comes_again(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    """The buyer's checkout is told of before the merchant has started the subscription."""
    agreed = (await house.simulator.open_permission()).charge_permission_id
    posted = notification(signer, agreed, "CHARGE_PERMISSION")

    assert (await http.post(house.ipn_url, content=posted)).text == "no_subscription"
    await house.subscriptions.start(
        Terms(charge_permission_id=agreed, plan=MONTHLY, anchor=datetime.now(UTC) + timedelta(hours=1), zone="UTC")
    )
    assert (await http.post(house.ipn_url, content=posted)).text == "signalled"


async def test_a_subscription_that_broke_off_just_now_gets_the_notification_when_it_runs_again(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner
) -> None:
    story = await Story.begin(house)
    await story.handle.terminate("to be started again")
    posted = notification(signer, story.charge_permission_id, "CHARGE_PERMISSION")

    answer = await http.post(house.ipn_url, content=posted)

    assert (answer.status_code, answer.text) == (503, "try again later")


async def test_a_subscription_that_broke_off_long_ago_is_not_waited_for(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perennial_billing.ipn.routing.JUST_STARTED", timedelta(0))
    story = await Story.begin(house)
    await story.handle.terminate("for good")
    posted = notification(signer, story.charge_permission_id, "CHARGE_PERMISSION")

    answer = await http.post(house.ipn_url, content=posted)

    assert (answer.status_code, answer.text) == (200, "no_subscription")


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


async def test_only_posts_are_taken(house: Stage, http: httpx.AsyncClient) -> None:
    assert (await http.get(house.ipn_url)).status_code == 405


@pytest.mark.parametrize(
    ("is_ours", "status", "said"),
    [
        (True, 200, "no_subscription"),
        (False, 403, "the notification is for a merchant of whom no account is known here"),
        (None, 503, "try again later"),
    ],
)
async def test_whose_notifications_are_taken_is_asked_and_what_is_not_known_is_asked_for_again(
    house: Stage, http: httpx.AsyncClient, signer: NotificationSigner, *, is_ours: bool | None, status: int, said: str
) -> None:
    asked = []

    async def merchants(merchant_id: str) -> bool | None:
        asked.append(merchant_id)
        return is_ours

    app = create_app(house.client, house.settings, merchants=merchants)
    posted = notification(signer, "C01-6700211-0000001", "CHARGE", MerchantID="A6PAVILION")
    async with serving(app, bind("127.0.0.1", 0)) as origin:
        answer = await http.post(origin + PATH, content=posted)

    assert (answer.status_code, answer.text) == (status, said)
    assert asked == ["A6PAVILION"]
