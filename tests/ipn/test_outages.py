"""Our own trouble is answered with 503, and soon, because SNS then sends the notification again: none is lost."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RetryConfig

from amazon_pay_client.ipn import Notification, ObjectType
from amazon_pay_simulator.notifications import NotificationSender, NotificationSigner
from perennial_billing.ipn.app import PATH, create_app
from perennial_billing.ipn.routing import Router, TemporalUnavailableError
from perennial_billing.runtime.embedded import embedded_server
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.house import HOST
from perennial_billing.sandbox.stage import MERCHANT_ID
from perennial_billing.workflows.messages import NotificationSignal
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES, workflow_id
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL
from tests.ipn.messages import message, notification

GIVING_UP_SOON = RetryConfig(max_elapsed_time_millis=200, max_retries=1)
"""Otherwise the Temporal client alone tries for ten seconds."""


class Refused:
    """Counts what an application does not take."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.later = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            self.later += message.get("status") == 503
            await send(message)

        await self._app(scope, receive, counted)


async def signals_of(handle: WorkflowHandle[Any, Any]) -> list[NotificationSignal]:  # Any: only its history counts
    """The content of every signal in a workflow's history."""
    return [
        NotificationSignal.model_validate_json(
            event.workflow_execution_signaled_event_attributes.input.payloads[0].data
        )
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]


@pytest.mark.long  # in the suite: many of them
async def test_a_notification_that_comes_while_temporal_is_away_is_delivered_when_it_is_back(
    tmp_path: Path, amazon: NotificationSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amazon_pay_simulator.notifications.RETRY_DELAYS_SECONDS", (0.2,) * 50)
    trusted = amazon.write_certificate(tmp_path)
    database = tmp_path / "temporal.sqlite"

    async with embedded_server(SEARCH_ATTRIBUTES, database=database) as server:
        await server.client.start_workflow("Nobody", id=workflow_id("C01-1"), task_queue="without-worker")
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER, retry_config=GIVING_UP_SOON)
    async with serving(create_app(client, Settings(ipn_trusted_certificate_path=trusted)), bind(HOST, 0)) as origin:
        async with httpx.AsyncClient() as http:
            refused = await http.post(origin + PATH, content=notification(amazon, "C01-1", "CHARGE"))
        assert (refused.status_code, refused.text) == (503, "try again later")

        sender = NotificationSender(amazon, MERCHANT_ID, [origin + PATH], CERTIFICATE_URL)
        async with sender.running():
            sender.notify(ObjectType.CHARGE, "S01-1", "C01-1")
            await asyncio.sleep(0.5)
            assert sender.delivered == 0
            port = int(server.address.rpartition(":")[2])
            async with embedded_server(SEARCH_ATTRIBUTES, port=port, database=database) as server_again:
                await sender.delivered_all()
                history = await server_again.client.get_workflow_handle(workflow_id("C01-1")).fetch_history()

    assert sender.delivered == 1
    signals = [event.workflow_execution_signaled_event_attributes.signal_name for event in history.events]
    assert [name for name in signals if name] == ["amazon_pay_notification"]


async def test_a_lost_server_is_told_within_the_time_that_is_set_for_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all tries together, whatever the Temporal client makes of it: SNS does not wait longer."""
    monkeypatch.setattr("perennial_billing.ipn.routing.SIGNAL_TIMEOUT", timedelta(seconds=0.5))
    async with embedded_server(SEARCH_ATTRIBUTES) as server:
        router = Router(server.client, "perennial")

    with pytest.raises(TemporalUnavailableError):
        async with asyncio.timeout(8):
            await router.route(Notification.model_validate_json(message("C01-1")))


async def test_every_notification_that_was_taken_is_in_a_workflow_though_temporal_was_away_in_the_middle(
    tmp_path: Path, amazon: NotificationSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed under load, with senders that post again whatever got a 5xx, as SNS does."""
    monkeypatch.setattr("amazon_pay_simulator.notifications.RETRY_DELAYS_SECONDS", (0.2,) * 200)
    settings = Settings(ipn_trusted_certificate_path=amazon.write_certificate(tmp_path))
    permissions = [f"C01-{number}" for number in range(10)]
    sent = {f"S01-{sender}-{number}" for sender in range(8) for number in range(60)}

    async with embedded_server(SEARCH_ATTRIBUTES, database=tmp_path / "temporal.sqlite") as server:
        handles = [
            await server.client.start_workflow("Nobody", id=workflow_id(permission), task_queue="without-worker")
            for permission in permissions
        ]
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER, retry_config=GIVING_UP_SOON)
        refused = Refused(create_app(client, settings))
        async with serving(refused, bind(HOST, 0)) as origin, AsyncExitStack() as stack:
            senders = [NotificationSender(amazon, MERCHANT_ID, [origin + PATH], CERTIFICATE_URL) for _ in range(8)]
            for sender_number, sender in enumerate(senders):
                await stack.enter_async_context(sender.running())
                for number in range(60):
                    sender.notify(ObjectType.CHARGE, f"S01-{sender_number}-{number}", permissions[number % 10])
            while sum(sender.delivered for sender in senders) < 100:
                await asyncio.sleep(0.01)
            await server.crash(away_seconds=1)
            await asyncio.gather(*(sender.delivered_all() for sender in senders))
        arrived = [signal.object_id for handle in handles for signal in await signals_of(handle)]

    assert refused.later > 0, "Temporal was away in the middle"
    assert sum(sender.delivered for sender in senders) == len(sent)
    assert set(arrived) == sent
