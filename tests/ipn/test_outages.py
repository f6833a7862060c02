"""Our own trouble is answered with 503, and soon, because SNS then sends the notification again: none is lost."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client
from temporalio.service import RetryConfig

from amazon_pay.ipn import Notification, ObjectType
from ipn.app import PATH, create_app
from ipn.routing import Router, TemporalUnavailableError
from runtime.embedded import embedded_server
from runtime.http import bind, serving
from runtime.settings import Settings
from runtime.temporal import DATA_CONVERTER
from simulator.notifications import NotificationSender, NotificationSigner
from starter.cli.demo.stage import HOST, MERCHANT_ID
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL
from tests.ipn.messages import message, notification
from workflows.names import SEARCH_ATTRIBUTES, workflow_id

GIVING_UP_SOON = RetryConfig(max_elapsed_time_millis=200, max_retries=1)
"""Otherwise the Temporal client alone tries for ten seconds."""


async def test_a_notification_that_comes_while_temporal_is_away_is_delivered_when_it_is_back(
    tmp_path: Path, amazon: NotificationSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.notifications.RETRY_DELAYS_SECONDS", (0.2,) * 50)
    trusted = amazon.write_certificate(tmp_path)
    database = tmp_path / "temporal.sqlite"

    async with embedded_server(SEARCH_ATTRIBUTES, database=database) as server:
        await server.client.start_workflow("Nobody", id=workflow_id("C01-1"), task_queue="without-worker")
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER, retry_config=GIVING_UP_SOON)
    async with serving(create_app(client, Settings(ipn_trusted_certificate_path=trusted)), bind(HOST, 0)) as origin:
        async with httpx.AsyncClient() as http:
            refused = await http.post(origin + PATH, content=notification(amazon, "C01-1", "CHARGE"))
        assert (refused.status_code, refused.text) == (503, "try again later")

        sender = NotificationSender(amazon, MERCHANT_ID, origin + PATH, CERTIFICATE_URL)
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
    monkeypatch.setattr("ipn.routing.SIGNAL_TIMEOUT", timedelta(seconds=0.5))
    async with embedded_server(SEARCH_ATTRIBUTES) as server:
        router = Router(server.client)

    with pytest.raises(TemporalUnavailableError):
        async with asyncio.timeout(2):
            await router.route(Notification.model_validate_json(message("C01-1")))
