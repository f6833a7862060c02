"""Receiver and API say by themselves whether they live and are ready, as a worker does."""

import asyncio

import httpx
import pytest
from temporalio.client import Client

from perennial_billing.runtime.liveness import LIVE, READY
from perennial_billing.runtime.reaching import Reaching
from perennial_billing.sandbox.stage import Stage
from tests.worker.processes import perennial
from tests.worker.test_health import HOST, asked, free_port, until_answered


async def test_a_way_in_is_ready_once_it_serves_while_its_server_answers_and_until_it_stops(house: Stage) -> None:
    reaching = Reaching()
    assert await reaching.why_not() == "it is not connected yet: it waits for the Temporal server, see its log"

    reaching.serves(Client(house.client.service_client, namespace="removed-since"))
    assert await reaching.why_not() == "the Temporal server does not answer (NOT_FOUND)"

    reaching.serves(house.client)
    assert await reaching.why_not() is None

    reaching.stops()
    assert await reaching.why_not() == "it is stopping, and finishes what is under way"


@pytest.mark.long
@pytest.mark.parametrize("process", ["ipn", "api"])
async def test_a_way_in_lives_before_it_is_ready_and_is_ready_while_its_server_answers(
    house: Stage, process: str
) -> None:
    health, waits, serves = free_port(), free_port(), free_port()
    options = ("--port", str(serves))
    environment = {**house.worker_environment(), "PERENNIAL_HEALTH_PORT": str(health)}
    nobody = {**environment, "TEMPORAL_ADDRESS": f"{HOST}:{waits}"}
    async with perennial(process, *options, environment=nobody), asked(health) as http:
        async with asyncio.timeout(100):
            live = await until_answered(http)
        ready = await http.get(READY)
    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json()["why"] == "it is not connected yet: it waits for the Temporal server, see its log"

    async with perennial(process, *options, environment=environment), asked(health) as http:
        async with asyncio.timeout(100):
            while not await is_ready(http):
                await asyncio.sleep(0.1)
        assert (await http.get(LIVE)).json() == {"status": "live"}


async def is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get(READY)).status_code == 200
    except httpx.ConnectError:
        return False
