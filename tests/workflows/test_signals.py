"""Signals as people and programs write them: whatever comes is understood as far as it can be, and stops nothing."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RawValue

from perennial_billing.billing.protocol.events import CancelAsked, Refresh, Thing
from perennial_billing.billing.status import Status
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows import signals
from perennial_billing.workflows.life import Said
from perennial_billing.workflows.messages import CancelRequest
from tests.endpoint import Endpoint
from tests.scenarios.story import Story
from tests.workflows.replaying import replay_all

USUAL = CancelRequest().reason
PLAIN, FOREIGN = {"encoding": b"json/plain"}, {"encoding": b"binary/of-somebody-else"}


CANCELLATIONS: Sequence[tuple[list[Any], str]] = [  # Any: whatever somebody may send
    ([], USUAL),
    ([None], USUAL),
    (["the shop closes"], "the shop closes"),
    (["x" * 256], USUAL),
    (["two\nlines"], USUAL),
    ([42], USUAL),
    ([["the shop closes"]], USUAL),
    ([{}], USUAL),
    ([{"reason": "moved to Malmö", "when": "now"}], "moved to Malmö"),
    ([{"reason": {"text": "moved"}}], USUAL),
    ([{"reason": "moved to Malmö"}, "and more"], "moved to Malmö"),
    ([RawValue(Payload(metadata=PLAIN, data=b"the shop closes"))], "the shop closes"),
    ([RawValue(Payload(metadata=PLAIN, data=b'{"reason": '))], '{"reason":'),
    ([RawValue(Payload(metadata=FOREIGN, data=b"\x00\x01"))], USUAL),
]
NAMING_NOTHING: Sequence[list[Any]] = [  # Any: as above
    ["look"],
    [7],
    [{"notification_id": 3, "object_type": None}],
    [{"object_type": "CHARGE_PERMISSION", "object_id": "C01-1"}],
    [{"notification_id": "n-1", "object_type": "CHARGEBACK", "object_id": ".."}],
    [{"notification_id": "n-1", "object_type": "REFUND", "object_id": "S01-1/2"}],
    [{"notification_id": "n-1", "object_type": "CHARGEBACK", "object_id": "9" * 2_000}],
    [{"notification_id": "n-1"}, {"notification_id": "n-2"}],
    [RawValue(Payload(metadata=PLAIN, data=b"look"))],
]


async def received(arguments: Sequence[Any]) -> Sequence[object]:  # Any: as above
    """What a workflow is given of what was sent."""
    payloads = await DATA_CONVERTER.encode(arguments)
    return DATA_CONVERTER.payload_converter.from_payloads(payloads)


@pytest.fixture
def _logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is logged of a signal goes nowhere, as there is no workflow."""
    monkeypatch.setattr("perennial_billing.workflows.signals.workflow.logger", logging.getLogger(__name__))


@pytest.mark.usefixtures("_logged")
@pytest.mark.parametrize(("arguments", "reason"), CANCELLATIONS)
async def test_whatever_is_sent_is_understood_as_a_cancellation(arguments: Sequence[Any], reason: str) -> None:
    said = signals.cancellation(await received(arguments))

    assert isinstance(said.event, CancelAsked)
    assert said.event.reason.strip() == reason


@pytest.mark.usefixtures("_logged")
@pytest.mark.parametrize("look", [signals.look_at_permission, signals.look_at_object])
@pytest.mark.parametrize("arguments", NAMING_NOTHING)
async def test_whatever_names_nothing_asks_for_a_look_at_the_charge_permission(
    look: Callable[[Sequence[object]], Said | None], arguments: Sequence[Any]
) -> None:
    said = look(await received(arguments))

    assert said is not None
    assert isinstance(said.event, Refresh)
    assert (said.event.thing, said.event.id) == (Thing.PERMISSION, None)


@pytest.mark.parametrize(("arguments", "reason"), [CANCELLATIONS[at] for at in (0, 8, 12, 13)])
async def test_a_cancel_signal_cancels_however_it_is_written(
    house: Stage,
    notices: Endpoint,
    arguments: Sequence[Any],  # Any: whatever somebody may send
    reason: str,
) -> None:
    story = await Story.begin(house)

    await story.handle.signal("cancel", args=arguments)
    async with asyncio.timeout(30):
        status = await story.handle.result()

    assert status.status is Status.CANCELED
    *_, ended = await notices.told(story.charge_permission_id, status.notices_told)
    assert (ended["type"], ended["data"]["reason"].strip()) == ("subscription.ended", reason)
    assert await story.permission_state() == "Closed"


@pytest.mark.parametrize("signal", ["instrument_updated", "amazon_pay_notification"])
@pytest.mark.parametrize("arguments", [NAMING_NOTHING[at] for at in (5, 8)])
async def test_a_signal_that_names_nothing_makes_the_charge_permission_be_read(
    house: Stage,
    signal: str,
    arguments: Sequence[Any],  # Any: as above
) -> None:
    story = await Story.begin(house)
    await house.simulator.send_notifications_to(None)
    try:
        await house.simulator.break_payment_method(story.charge_permission_id, "PaymentMethodExpired")
        await story.handle.signal(signal, args=arguments)
        status = await story.quiet()
    finally:
        await house.simulator.send_notifications_to(house.ipn_url)

    assert (status.last_reason, status.needs_attention) == ("PaymentMethodExpired", True)
    assert await replay_all(house.client, story.handle.id) == 1


async def test_a_notification_without_an_id_of_its_own_says_which_charge_to_read(house: Stage) -> None:
    story = await Story.begin(house, script=["AuthorizationInitiated"])
    status = await story.until_due(0)
    assert status.owed is not None
    charge_id = status.owed.pending_charge_id
    await house.simulator.send_notifications_to(None)
    try:
        await house.simulator.decide_charge(str(charge_id), at=await story.now())
        await story.handle.signal("amazon_pay_notification", {"object_type": "CHARGE", "object_id": charge_id})
        status = await story.quiet()
    finally:
        await house.simulator.send_notifications_to(house.ipn_url)

    assert (status.status, status.periods_paid) == (Status.ACTIVE, 1)


@pytest.mark.parametrize("object_type", ["REPORT", "CHARGE_OF_A_NEW_KIND"])
async def test_a_notification_of_a_kind_that_nobody_knows_changes_nothing(house: Stage, object_type: str) -> None:
    story = await Story.begin(house)
    before = await story.quiet()

    await story.handle.signal("amazon_pay_notification", {"object_type": object_type, "object_id": "R01-1"})
    after = await story.quiet()

    assert after == before


async def test_a_request_that_is_none_is_refused_and_the_subscription_lives_on(house: Stage) -> None:
    story = await Story.begin(house)

    with pytest.raises(WorkflowUpdateFailedError):
        await story.handle.execute_update("request", "pause")
    with pytest.raises(WorkflowUpdateFailedError):
        await story.handle.execute_update("request", args=[{}, {}])

    assert (await story.until_due(0)).periods_paid == 1
