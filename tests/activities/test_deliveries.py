"""Delivering a notice to an endpoint that is broken in any way: each failure follows the schedule of the notice."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.endpoints import Endpoints, OwnEndpoint
from perennial_billing.activities.notices import DISABLED, ENDPOINT_SECONDS, REFUSED, Webhooks
from perennial_billing.activities.signatures import ATTEMPT_TIMEOUT, RETRY_DELAYS, UNSAID, WebhookMessage
from perennial_billing.activities.signed_posts import LARGEST_ANSWER_BYTES
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.ledger.database import engine_of, file_url
from perennial_billing.ledger.deliveries import Delivery
from perennial_billing.ledger.endpoints import DisabledFor, all_endpoints
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.ledger import Ledger
from tests.activities.requests import run
from tests.endpoint import SECRET
from tests.hostile import ENDS_BY_ITSELF, ENDS_BY_TIME, Hostile, Manner
from tests.ledger.told import BEGAN
from tests.unreliable import unreliable

MESSAGE: Final = WebhookMessage(id="notice-C01-1-1", body="{}")


def webhooks_to(url: str, ledger: Ledger, http: httpx.AsyncClient, seconds: float) -> Webhooks:
    """To the endpoint of the environment variables."""
    return Webhooks(Endpoints(ledger, OwnEndpoint(url, SECRET)), http, ledger, seconds)


async def refused(ledger: Ledger, url: str, seconds: float, number: int = 1) -> list[ApplicationError]:
    """What became of so many deliveries at once; afterwards the endpoint must be able to take one."""
    async with bounded_client(at_once=50, bounds=Bounds(seconds=60.0)) as http:
        webhooks = webhooks_to(url, ledger, http, seconds)

        async def fail() -> ApplicationError:
            with pytest.raises(ApplicationError) as caught:
                await run(webhooks.deliver, MESSAGE)
            return caught.value

        return list(await asyncio.gather(*(fail() for _ in range(number))))


@pytest.mark.parametrize("manner", [*ENDS_BY_TIME, *ENDS_BY_ITSELF])
async def test_every_kind_of_failure_follows_the_schedule(ledger: Ledger, manner: Manner) -> None:
    async with Hostile(manner).serving() as server:
        failures = await refused(ledger, server.origin, 0.3 if manner in ENDS_BY_TIME else 60.0)

    assert {(failure.type, failure.next_retry_delay, failure.non_retryable) for failure in failures} == {
        (REFUSED, RETRY_DELAYS[0], False)
    }


async def test_an_endpoint_nobody_listens_at_follows_the_schedule_as_well(ledger: Ledger) -> None:
    (failure,) = await refused(ledger, "http://127.0.0.1:9/notices", 60.0)

    assert failure.next_retry_delay == RETRY_DELAYS[0]


async def test_an_endpoint_that_comes_back_is_told(ledger: Ledger) -> None:
    async with (
        Hostile(Manner.SILENT).serving() as server,
        bounded_client(at_once=50, bounds=Bounds(seconds=60.0)) as http,
    ):
        impatient = webhooks_to(server.origin, ledger, http, 0.3)
        failures = await asyncio.gather(*(run(impatient.deliver, MESSAGE) for _ in range(100)), return_exceptions=True)
        server.manner = Manner.ANSWERS

        await run(webhooks_to(server.origin, ledger, http, 60.0).deliver, MESSAGE)
    assert {type(failure) for failure in failures} == {ApplicationError}


async def test_a_page_for_an_answer_is_read_and_taken(ledger: Ledger) -> None:
    """Frameworks answer with pages; what the endpoint says besides its status does not matter."""
    async with Hostile().serving() as server, bounded_client(at_once=1, bounds=Bounds(seconds=60.0)) as http:
        server.body = b"x" * LARGEST_ANSWER_BYTES

        await run(webhooks_to(server.origin, ledger, http, 60.0).deliver, MESSAGE)


def test_a_delivery_ends_by_itself_well_before_temporal_ends_it() -> None:
    """Otherwise Temporal would choose the wait, as it did when a dripping endpoint lost a notice within 643 s."""
    assert timedelta(seconds=ENDPOINT_SECONDS) <= ATTEMPT_TIMEOUT - timedelta(seconds=10)


def test_where_an_attempt_ends_without_a_word_the_waits_come_to_as_much_as_the_schedule() -> None:
    assert UNSAID.maximum_interval is not None
    first, longest = UNSAID.initial_interval.total_seconds(), UNSAID.maximum_interval.total_seconds()
    waits = [min(first * UNSAID.backoff_coefficient**number, longest) for number in range(UNSAID.maximum_attempts - 1)]

    assert len(waits) == len(RETRY_DELAYS)
    assert timedelta(hours=75) < timedelta(seconds=sum(waits)) < sum(RETRY_DELAYS, timedelta())


async def test_a_delivery_that_was_taken_is_not_made_again_because_the_ledger_is_away(ledger: Ledger) -> None:
    async with Hostile().serving() as server, bounded_client(at_once=1, bounds=Bounds(seconds=60.0)) as http:
        webhooks = webhooks_to(server.origin, ledger, http, 60.0)
        async with ledger.engine.begin() as connection:
            await connection.exec_driver_sql("DROP TABLE deliveries")

        await run(webhooks.deliver, MESSAGE)


@pytest.mark.parametrize(
    ("manner", "state", "trouble"),
    [(Manner.ANSWERS, "delivered", None), (Manner.SILENT, "queued", "no answer: ReadTimeout")],
    ids=["taken", "silent"],
)
async def test_what_became_of_a_delivery_is_recorded(
    ledger: Ledger, manner: Manner, state: str, trouble: str | None
) -> None:
    told = Told("C01-1", "default", "order-1", "tea", [Notice(number=1, type=NoticeType.PERIOD_FREE, at=BEGAN)])
    await ledger.record(told, [Delivery(ActivityEnvironment.default_info().activity_id, "C01-1", 1)])
    async with Hostile(manner).serving() as server, bounded_client(at_once=1, bounds=Bounds(seconds=60.0)) as http:
        webhooks = webhooks_to(server.origin, ledger, http, 0.3)
        with suppress(ApplicationError):
            await run(webhooks.deliver, MESSAGE)

    async with ledger.engine.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT state, attempts, trouble FROM deliveries")).all()
    assert [tuple(row) for row in rows] == [(state, 1, trouble)]


async def test_one_that_is_gone_is_disabled_with_a_line_in_the_log_and_a_count(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = MetricBuffer(100)
    environment = ActivityEnvironment()
    environment.metric_meter = Runtime(telemetry=TelemetryConfig(metrics=buffer)).metric_meter
    async with unreliable() as gone, bounded_client(at_once=1, bounds=Bounds(seconds=60.0)) as http:
        gone.gone = True
        webhooks = webhooks_to(gone.url, ledger, http, 5.0)
        with pytest.raises(ApplicationError) as first:
            await environment.run(webhooks.deliver, MESSAGE)
        with pytest.raises(ApplicationError) as second:
            await environment.run(webhooks.deliver, MESSAGE)

    assert first.value.non_retryable
    assert str(second.value).endswith("the endpoint is disabled: gone")
    assert gone.attempts.total() == 1
    (disabled,) = await all_endpoints(ledger)
    assert (disabled.id, disabled.disabled_for, disabled.trouble) == ("environment", DisabledFor.GONE, "status 410")
    (line,) = caplog.records
    assert (line.levelname, line.msg.startswith("an endpoint was disabled")) == ("ERROR", True)
    counts = [
        (update.metric.name, update.value, update.attributes["reason"])
        for update in buffer.retrieve_updates()
        if update.metric.name == DISABLED
    ]
    assert counts == [(DISABLED, 1, "gone")]


async def test_while_the_ledger_is_away_the_environments_endpoint_is_told_and_others_wait(tmp_path: Path) -> None:
    away = Ledger(engine_of(file_url(tmp_path / "nowhere" / "ledger.db")), "nowhere")
    async with unreliable() as listening, bounded_client(at_once=1, bounds=Bounds(seconds=60.0)) as http:
        webhooks = webhooks_to(listening.url, away, http, 5.0)
        message = MESSAGE.model_copy(update={"id": "notice-C01-1-1-0123456789abcdef"})
        await run(webhooks.deliver, message)
        with pytest.raises(ApplicationError, match="where it is cannot be looked up") as failure:
            await run(webhooks.deliver, message.model_copy(update={"endpoint": "ep-0123456789ab"}))
    await away.engine.dispose()

    assert list(listening.taken) == [message.id]
    assert (failure.value.non_retryable, failure.value.next_retry_delay) == (False, RETRY_DELAYS[0])
