"""A worker says by itself whether it lives and is ready, so one that is frozen or hangs is known within seconds."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.http import bind
from perennial_billing.runtime.liveness import LIVE, READY, answering
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.worker.health import ANSWERS_WITHIN_SECONDS
from tests.worker.processes import perennial

HOST = "127.0.0.1"
AWAY_SECONDS = 15.0
"""Longer than it takes to ask a worker how it is."""


def free_port() -> int:
    with bind(HOST, 0) as listener:
        port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def asked(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=10) as http:
        yield http


def environment_of(house: Stage, port: int) -> dict[str, str]:
    return {**house.worker_environment(), "PERENNIAL_HEALTH_PORT": str(port)}


async def health(environment: Mapping[str, str]) -> tuple[int, str]:
    """The container's health check, as it is run there: its exit code, and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "perennial_billing.worker.health", env={**environment, "PATH": "/usr/bin"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode().strip()


async def until_healthy(environment: Mapping[str, str]) -> None:
    async with asyncio.timeout(100):
        while (await health(environment))[0] != 0:
            await asyncio.sleep(0.2)


async def until_answered(http: httpx.AsyncClient) -> httpx.Response:
    """What is answered at `/live` once there is somebody."""
    while True:
        try:
            return await http.get(LIVE)
        except httpx.ConnectError:
            await asyncio.sleep(0.1)


async def test_a_worker_that_is_frozen_or_gone_fails_its_health_check_within_seconds() -> None:
    async with stage(with_worker=False) as house:
        port = free_port()
        environment = environment_of(house, port)
        assert await health(environment) == (1, f"error: no worker answers at {HOST}:{port} (ConnectionRefusedError)")
        async with perennial("worker", environment=environment) as worker:
            await until_healthy(environment)

            worker.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            silent = f"error: the worker at {HOST}:{port} did not answer within {ANSWERS_WITHIN_SECONDS:g} s"
            assert await health(environment) == (1, silent)
            assert time.monotonic() - began < 30  # the server would see it asking for minutes

            worker.send_signal(signal.SIGCONT)
            await until_healthy(environment)

            worker.send_signal(signal.SIGKILL)
            await worker.wait()
            assert (await health(environment))[0] == 1


@pytest.mark.long  # the next one waits for a server, too
async def test_a_worker_whose_server_is_gone_lives_and_is_not_ready(tmp_path: Path) -> None:
    async with stage(with_worker=False, database=tmp_path / "temporal.db") as house:
        port = free_port()
        environment = environment_of(house, port)
        async with perennial("worker", environment=environment), asked(port) as http:
            await until_healthy(environment)
            away = asyncio.create_task(house.server.crash(away_seconds=AWAY_SECONDS))
            await asyncio.sleep(1)
            live, ready = await http.get(LIVE), await http.get(READY)
            code, said = await health(environment)
            await away
            await until_healthy(environment)

    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert ready.json()["why"].startswith("the Temporal server does not answer")
    assert (code, said) == (1, f"error: the worker is not ready: {ready.json()['why']}")


async def test_a_worker_that_waits_for_its_server_lives_and_says_what_it_waits_for() -> None:
    async with stage(with_worker=False) as house:
        port = free_port()
        environment = {**environment_of(house, port), "TEMPORAL_ADDRESS": f"{HOST}:{free_port()}"}
        async with perennial("worker", environment=environment), asked(port) as http:
            async with asyncio.timeout(60):
                live = await until_answered(http)
            ready = await http.get(READY)

    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json()["why"].startswith("it is not connected yet")


async def test_a_process_whose_event_loop_hangs_does_not_answer() -> None:
    """Another program answers there what a worker would: its loop is blocked as by a call that should be awaited."""
    port = free_port()
    program = f"""
import asyncio, time
from perennial_billing.runtime.liveness import answering
from perennial_billing.runtime.settings import Settings

async def why_not_ready():
    return None

async def main():
    async with answering(Settings(health_port={port}), why_not_ready):
        print("serving", flush=True)
        await asyncio.sleep(1)
        time.sleep(3600)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(1.5)
        code, said = await health({"PERENNIAL_HEALTH_PORT": str(port)})
    finally:
        process.kill()
        await process.communicate()
    assert (code, said) == (
        1, f"error: the worker at {HOST}:{port} did not answer within {ANSWERS_WITHIN_SECONDS:g} s",
    )  # fmt: skip


async def test_what_else_listens_there_is_no_worker() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        said = await health({"PERENNIAL_HEALTH_PORT": str(port)})
    assert said == (1, "error: the worker is not ready: what answers there is no worker")


async def test_without_a_port_nobody_listens_and_the_check_says_so() -> None:
    assert await health({}) == (1, "error: PERENNIAL_HEALTH_PORT: is not set, so no worker can be asked how it is")

    async def ready() -> str | None:
        return None

    async with answering(Settings(), ready):
        pass


async def test_live_and_ready_are_all_that_is_answered_and_a_port_that_is_taken_is_said() -> None:
    why: str | None = None

    async def why_not_ready() -> str | None:
        return why

    port = free_port()
    async with answering(Settings(health_port=port), why_not_ready), asked(port) as http:
        assert (await http.get(READY)).json() == {"status": "ready"}
        why = "it waits"
        answer = await http.get(READY)
        assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "why": "it waits"})
        assert (await http.head(LIVE)).status_code == 200
        assert (await http.get("/")).status_code == 404
        assert json.loads((await http.get("/metrics")).content)["status"] == "no such address"
        with pytest.raises(StartupError, match=f"{HOST}:{port}: cannot listen there"):
            async with answering(Settings(health_port=port), why_not_ready):
                pass
