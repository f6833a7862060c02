"""Serving begins with a port that is really ours and ends with one that is free again, whatever happens between."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.http import AsgiApp, bind, origin_of, serving

HOST = "127.0.0.1"


def hello() -> FastAPI:
    """An application that answers."""
    app = FastAPI()

    @app.get("/")
    async def greet() -> str:
        return "hello"

    return app


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def assert_free(port: int) -> None:
    """The port can be taken, and nobody answers there."""
    bind(HOST, port).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), timeout=1)


async def test_an_application_is_served_while_the_context_is_open_and_its_port_is_free_again_after() -> None:
    listener = bind(HOST, 0)
    port = port_of(listener)

    async with serving(hello(), listener) as origin, httpx.AsyncClient() as http:
        assert origin == f"http://{HOST}:{port}" == origin_of(listener)
        assert (await http.get(origin)).json() == "hello"

    assert listener.fileno() == -1
    assert_free(port)


async def test_the_port_is_free_again_when_the_body_raises() -> None:
    listener = bind(HOST, 0)
    port = port_of(listener)

    with pytest.raises(ZeroDivisionError):
        async with serving(hello(), listener):
            raise ZeroDivisionError

    assert_free(port)


async def test_the_port_is_free_again_when_the_task_is_cancelled() -> None:
    listener = bind(HOST, 0)
    port = port_of(listener)
    serves = asyncio.Event()

    async def serve_for_ever() -> None:
        async with serving(hello(), listener):
            serves.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve_for_ever())
    await serves.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert_free(port)


async def test_a_request_under_way_is_finished_before_serving_ends() -> None:
    app, begun = FastAPI(), asyncio.Event()

    @app.get("/")
    async def slow() -> str:
        begun.set()
        await asyncio.sleep(0.2)
        return "finished"

    async with httpx.AsyncClient() as http:
        async with serving(app, bind(HOST, 0)) as origin:
            request = asyncio.create_task(http.get(origin))
            await begun.wait()
        assert (await request).json() == "finished"


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_a_taken_port_is_told_in_one_line(host: str) -> None:
    with bind(HOST, 0) as taken:
        port = port_of(taken)
        with pytest.raises(StartupError) as refused:
            bind(host, port)

    said = str(refused.value)
    assert said.startswith(f"{host}:{port}: cannot listen there (Address already in use")
    assert said.endswith("; choose another port or stop what uses it")
    assert "\n" not in said


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "127.0.0.1.1", "a..b", "-"])
def test_an_address_that_is_not_this_machines_is_told_in_one_line(host: str) -> None:
    with pytest.raises(StartupError, match=r"^[^\n]+:0: cannot listen there [^\n]+$"):
        bind(host, 0)


@pytest.mark.parametrize("port", [-1, 65536, 70_000])
def test_a_number_that_is_no_port_is_told_in_one_line(port: int) -> None:
    with pytest.raises(StartupError, match=rf"^{HOST}:{port}: [^\n]+$"):
        bind(HOST, port)


async def test_an_application_that_cannot_start_is_told_and_its_port_is_free_again() -> None:
    @asynccontextmanager
    async def fails(_app: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("no database")
        yield

    listener = bind(HOST, 0)
    port = port_of(listener)

    with pytest.raises(StartupError, match=r"^the HTTP server did not start: [^\n]+$"):
        async with serving(FastAPI(lifespan=fails), listener):
            pytest.fail("it is not served")

    assert_free(port)


async def test_a_listener_that_was_closed_meanwhile_is_a_startup_error_too() -> None:
    listener = bind(HOST, 0)
    listener.close()

    with pytest.raises(StartupError, match=r"^the HTTP server did not start: [^\n]*Bad file descriptor"):
        async with serving(hello(), listener):
            pytest.fail("it is not served")


async def test_a_server_leaves_the_signals_to_its_process() -> None:
    """Uvicorn would take SIGINT and SIGTERM for itself, and a worker in the same process would never hear of them."""
    import signal

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serving(hello(), bind(HOST, 0)):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_two_applications_are_served_side_by_side() -> None:
    apps: list[AsgiApp] = [hello(), hello()]
    async with serving(apps[0], bind(HOST, 0)) as first, httpx.AsyncClient() as http:
        async with serving(apps[1], bind(HOST, 0)) as second:
            assert first != second
        assert (await http.get(first)).json() == "hello"


async def test_an_answer_does_not_wait_for_the_other_sides_acknowledgement() -> None:
    """Without TCP_NODELAY the second packet of every answer waits 40 ms; asyncio sets it on sockets of known TCP."""
    with bind(HOST, 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
        connected = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda _reader, writer: connected.set_result(writer), sock=listener)
        async with server:
            _, mine = await asyncio.open_connection(*listener.getsockname())
            theirs = await connected
            assert theirs.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for writer in (mine, theirs):
                writer.close()
                await writer.wait_closed()


async def test_an_idle_connection_is_kept_longer_than_a_client_keeps_it() -> None:
    """A server that closes first, just as the client sends again, loses a request."""
    idle_seconds = httpx.Limits().keepalive_expiry
    assert idle_seconds is not None
    async with serving(hello(), bind(HOST, 0)) as origin:
        url = httpx.URL(origin)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        request = f"GET / HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode()
        for pause in (idle_seconds + 0.5, 0):
            writer.write(request)
            assert (await reader.readuntil(b'"hello"')).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(pause)
        writer.close()
