"""Each alert is made to fire: what it is about is really broken, and a real Prometheus judges what is really served."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from amazon_pay_simulator.faults import Fault, FaultPlan
from amazon_pay_simulator.notifications import NotificationSigner
from benchmarks.postgres import Postgres, postgres
from benchmarks.postgres import program as database
from perennial_billing.sandbox.stage import stage
from tests.endpoint import SECRET, Endpoint, endpoint
from tests.ipn.messages import notification, signer_of
from tests.ledger.test_troubles import _trigger as refusing_to_record
from tests.scenarios.story import Story
from tests.scenarios.test_broken_release import broken
from tests.sight.house import Watched, free_address, watched
from tests.sight.prometheus import Judge, judging
from tests.sight.rules import alerts
from tests.sight.test_what_is_seen import WHEN_BROKEN
from tests.worker.processes import perennial

OF_PROCESSES: Final = ("ProcessGone", "NobodyWorks", "TasksWait", "ReleaseFails")
OF_ONE_DEPLOYMENT: Final = (
    "OnHold", "AmazonRefuses", "AmazonThrottles", "DeclinesRise", "AmazonFails", "Unanswered", "ChargesLate",
    "ChargesOverdue", "NoticesWait", "NoticesGivenUp", "EndpointDisabled", "LedgerBehind", "LedgerUnreachable",
    "LedgerNotRead", "IpnRefused", "IpnDeferred", "ApiFails", "TemporalFails",
)  # fmt: skip
HOURS: Final = timedelta(hours=2, minutes=30)


def test_every_alert_is_made_to_fire() -> None:
    made = [f"Perennial{name}" for name in (*OF_PROCESSES, *OF_ONE_DEPLOYMENT)]

    assert sorted(made) == sorted(alert.name for alert in alerts())


def free_port() -> int:
    return int(free_address().rpartition(":")[2])


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_what_processes_do_and_do_not_do_wakes_somebody(tmp_path: Path) -> None:
    address = free_address()
    scaled = {"> 60\n": "> 0.4\n"}
    async with stage(with_worker=False) as house, AsyncExitStack() as stack:
        judge = await stack.enter_async_context(judging(tmp_path, free_port(), {"perennial-worker": [address]}, scaled))
        served = {"PERENNIAL_METRICS_ADDRESS": address}
        environment = {**house.worker_environment(), **served}
        async with perennial("worker", environment=environment) as worker:
            await charged(await Story.begin(house, first_charge_in=timedelta(0)))
            await judge.has_read("temporal_workflow_task_schedule_to_start_latency_seconds_count > 0")
            await judge.calms_down()
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
            await judge.fires("PerennialProcessGone")
            await judge.fires("PerennialNobodyWorks")
            waits = [await Story.begin(house, first_charge_in=timedelta(0)) for _ in range(8)]
        async with perennial("worker", environment=environment):
            await asyncio.gather(*(charged(each) for each in waits))
            await judge.fires("PerennialTasksWait")
        async with broken(house, "raises", served):
            await Story.begin(house, first_charge_in=timedelta(0))
            fired = await judge.fires("PerennialReleaseFails")
    assert (fired["workflow_type"], fired["failure_reason"]) == ("SubscriptionWorkflow", "WorkflowError")


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_what_is_broken_around_a_deployment_wakes_somebody(tmp_path: Path) -> None:
    if database("postgres") is None:
        pytest.skip("PostgreSQL is not installed")
    scaled = {
        "> 20\n": "> 2\n",  # so many charges have to be declined before it is taken for a rise
        "> 10\n": "> 0\n",  # messages
        "> 300\n": "> 5\n",  # seconds since the ledger was read
    }
    async with (
        postgres(outlives=True) as books,
        endpoint() as shop,
        watched(
            webhook_url=shop.url,
            webhook_secret=SECRET,
            database=tmp_path / "temporal.db",
            ledger_url=books.url(books.create()),
        ) as house,
        judging(tmp_path, free_port(), {"perennial-all": [urlsplit(house.metrics_url).netloc]}, scaled) as judge,
    ):
        breaking = Breaking(house, judge, shop, books)
        reading = asyncio.create_task(breaking.read_again_and_again())
        await breaking.nothing()
        await breaking.what_amazon_answers()
        await breaking.the_way_to_amazon()
        await breaking.the_endpoint()
        await breaking.the_ledgers_disk()
        await breaking.what_is_posted()
        await breaking.temporal()
        await books.kill()
        await breaking.fires("LedgerUnreachable")
        await books.start_again()
        reading.cancel()
        await breaking.fires("LedgerNotRead")
        there = {name for name, _, _ in await house.metrics()}
    assert set(breaking.fired) == set(OF_ONE_DEPLOYMENT)
    assert breaking.fired["AmazonRefuses"]["reason_code"] == "InvalidAccountStatus"
    assert WHEN_BROKEN - there <= ELSEWHERE


ELSEWHERE: Final = {"temporal_workflow_task_execution_failed_total", "perennial_ledger_not_compared_total"}
"""Counted in a broken release, and where a ledger goes away while a charge is about to be made."""


class Breaking:
    """Breaks one thing after another around a deployment, and waits until that wakes somebody.

    Args:
        house: the deployment.
        judge: what judges it.
        shop: its endpoint for notices.
        books: the database of its ledger.
    """

    def __init__(self, house: Watched, judge: Judge, shop: Endpoint, books: Postgres) -> None:
        self.house = house
        self.judge = judge
        self.shop = shop
        self.books = books
        self.fired: dict[str, dict[str, str]] = {}

    async def fires(self, *names: str) -> None:
        for name in names:
            self.fired[name] = await self.judge.fires(f"Perennial{name}")

    async def read_again_and_again(self) -> None:
        """The ledger, as a worker does, only more often."""
        while True:
            await self.house.figures.once()
            await asyncio.sleep(1)

    async def nothing(self) -> None:
        await charged(await Story.begin(self.house.stage, first_charge_in=timedelta(0)))
        await self.house.api.get("/v1/subscriptions/C01-0000009-0000009")
        await self.judge.has_read("perennial_charge_answers_total > 0")
        await self.judge.has_read("perennial_api_requests_total > 0")
        await self.judge.calms_down()

    async def what_amazon_answers(self) -> None:
        await asyncio.gather(*(held(self.house, "InvalidAccountStatus") for _ in range(2)))
        await self.fires("AmazonRefuses", "OnHold")
        await asyncio.gather(*(held(self.house, "HardDeclined") for _ in range(4)))
        await self.judge.has_read('perennial_charge_answers_total{outcome="declined"} > 0')
        await asyncio.gather(*(held(self.house, "HardDeclined") for _ in range(6)))
        await self.fires("DeclinesRise")

    async def the_way_to_amazon(self) -> None:
        waits = [await Story.begin(self.house.stage) for _ in range(3)]
        await self.amazon(Fault.THROTTLED)
        await moved(waits, timedelta(hours=1))
        await self.fires("AmazonThrottles")
        await self.amazon(Fault.UNAVAILABLE)
        await moved(waits, HOURS)
        await self.fires("AmazonFails", "Unanswered")
        await self.amazon()
        await moved(waits, timedelta(minutes=15))
        await asyncio.gather(*(charged(each) for each in waits))
        await self.fires("ChargesLate")

    async def the_endpoint(self) -> None:
        ledger = self.house.stage.ledger
        self.shop.statuses[:] = [503] * 50
        await Story.begin(self.house.stage)
        await self.judge.has_read('perennial_notices_undelivered{state="queued"} > 0')
        ledger.now = Clock(timedelta(hours=2))
        await self.fires("NoticesWait")
        ledger.now = Clock()
        self.shop.statuses[:] = [410] * 50
        await Story.begin(self.house.stage)
        await self.fires("EndpointDisabled", "NoticesGivenUp")
        ledger.now = Clock(timedelta(days=40))
        await self.fires("ChargesOverdue")
        ledger.now = Clock()

    async def the_ledgers_disk(self) -> None:
        async with refusing_to_record(self.house.stage.ledger, "RAISE EXCEPTION 'the disk is full'"):
            await Story.begin(self.house.stage)
            await self.fires("LedgerBehind")

    async def what_is_posted(self) -> None:
        forger = NotificationSigner.create()
        for _ in range(2):
            assert await self.posted(notification(forger, "C01-forged", "CHARGE")) == 403
            await self.judge.has_read('perennial_ipn_refused_total{cause="signature"} > 0')
        await self.fires("IpnRefused")
        gone, signer = await Story.begin(self.house.stage), signer_of(self.house.stage)
        await gone.handle.terminate()
        for _ in range(2):
            assert await self.posted(notification(signer, gone.charge_permission_id, "CHARGE")) == 503
            await self.judge.has_read("perennial_ipn_deferred_total > 0")
        await self.fires("IpnDeferred")

    async def temporal(self) -> None:
        """Whoever is asked meanwhile tries for ten seconds before it says no; so it is asked by several."""
        away = asyncio.create_task(self.house.stage.server.crash(away_seconds=45))
        async with asyncio.timeout(100):
            while "PerennialApiFails" not in await self.judge.firing():
                asked = [self.house.api.get("/v1/subscriptions/C01-0000001-0000001") for _ in range(4)]
                await asyncio.gather(*asked)
        await self.fires("ApiFails", "TemporalFails")
        await away

    async def posted(self, message: bytes) -> int:
        return (await self.house.api.post(self.house.ipn_url, content=message)).status_code

    async def amazon(self, fault: Fault | None = None) -> None:
        """From now on everything that is asked of it goes wrong so; or nothing does."""
        await self.house.stage.simulator.set_faults(FaultPlan(requests={fault: 1}) if fault else FaultPlan())


async def charged(story: Story) -> None:
    """Waits until it is."""
    async with asyncio.timeout(100):
        while not await story.charges():
            await asyncio.sleep(0.2)


async def held(house: Watched, answer: str) -> None:
    story = await Story.begin(house.stage, script=[answer], first_charge_in=timedelta(0))
    async with asyncio.timeout(100):
        while not (await story.status()).last_reason:
            await asyncio.sleep(0.2)


async def moved(stories: Sequence[Story], by: timedelta) -> None:
    for story in stories:
        await story.stage.server.time.fast_forward(story.handle, by)


class Clock:
    """The ledger's, so long ahead: while nobody works or takes anything, time goes on."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self._ahead = ahead

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead
