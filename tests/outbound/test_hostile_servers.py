"""Whatever a server does, a request ends within its bounds, and the same client serves the next one."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.errors import AnswerEncodedError, AnswerTooLargeError
from amazon_pay_client.outbound.transport import BoundedTransport
from tests.client.tls_loopback import server_context
from tests.hostile import ENDS_BY_ITSELF, ENDS_BY_TIME, Hostile, Manner

AT_ONCE: Final = 40
SHORT: Final = Bounds(seconds=0.3, answer_bytes=10_000)
LONG: Final = Bounds(seconds=60.0, answer_bytes=10_000)

TOO_LARGE: Final = {Manner.ENDLESS_HEAD, Manner.ENDLESS_INTERIM, Manner.ENDLESS_BODY, Manner.TINY_CHUNKS}


def client(at_once: int = AT_ONCE, verify: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    return bounded_client(at_once=at_once, bounds=LONG, verify=verify)


def under_way(http: httpx.AsyncClient) -> int:
    transport = http._transport
    assert isinstance(transport, BoundedTransport)
    return transport.under_way


async def failures_of(http: httpx.AsyncClient, url: str, bounds: Bounds, number: int) -> list[httpx.HTTPError]:
    async def fail() -> httpx.HTTPError:
        with pytest.raises(httpx.HTTPError) as caught:
            await http.post(url, content=b"question", extensions=bounds.extensions)
        return caught.value

    return await asyncio.gather(*(fail() for _ in range(number)))


@pytest.mark.parametrize("manner", ENDS_BY_TIME)
async def test_a_server_that_takes_its_time_is_left_when_the_time_is_up(manner: Manner) -> None:
    async with Hostile(manner).serving() as server, client() as http:
        failures = await failures_of(http, server.origin, SHORT, AT_ONCE)
        server.manner = Manner.ANSWERS
        answered = await http.get(server.origin)

        assert under_way(http) == 0

    assert {isinstance(failure, httpx.TimeoutException) for failure in failures} == {True}
    assert answered.text == "{}"


@pytest.mark.parametrize("manner", ENDS_BY_ITSELF)
async def test_an_answer_that_is_none_ends_the_request_and_no_other(manner: Manner) -> None:
    async with Hostile(manner).serving() as server, client() as http:
        failures = await failures_of(http, server.origin, LONG, 5)
        server.manner = Manner.ANSWERS
        answered = await http.get(server.origin)

        assert under_way(http) == 0

    assert not any(isinstance(failure, (httpx.ConnectError, httpx.TimeoutException)) for failure in failures)
    assert {type(failure) is AnswerTooLargeError for failure in failures} == {manner in TOO_LARGE}
    assert {type(failure) is AnswerEncodedError for failure in failures} == {manner is Manner.BOMB}
    assert answered.text == "{}"


async def test_a_server_that_comes_back_is_served_beside_those_that_still_wait() -> None:
    async with Hostile(Manner.SILENT).serving() as server, client() as http:
        waiting = [asyncio.create_task(http.get(server.origin)) for _ in range(AT_ONCE - 1)]
        while server.asked < AT_ONCE - 1:
            await asyncio.sleep(0.01)
        server.manner = Manner.ANSWERS

        assert (await http.get(server.origin)).text == "{}"
        assert under_way(http) == AT_ONCE - 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert under_way(http) == 0


async def test_more_requests_than_there_are_turns_wait_no_longer_than_their_bounds_and_are_never_sent() -> None:
    async with Hostile(Manner.SILENT).serving() as server, client(at_once=3) as http:
        first = asyncio.gather(*(http.get(server.origin) for _ in range(3)), return_exceptions=True)
        while server.asked < 3:
            await asyncio.sleep(0.01)

        failures = await failures_of(http, server.origin, SHORT, 20)
        assert {type(failure) for failure in failures} == {httpx.PoolTimeout}
        assert server.asked == 3
        first.cancel()


async def test_those_who_wait_for_a_turn_are_served_in_their_order() -> None:
    served: list[int] = []

    async with Hostile().serving() as server, client(at_once=1) as http:

        async def ask(number: int) -> None:
            await http.get(server.origin)
            served.append(number)

        await asyncio.gather(*(ask(number) for number in range(20)))

    assert served == list(range(20))


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_requests_that_are_cancelled_at_any_moment_cost_no_one_a_place(scheme: str, tmp_path: Path) -> None:
    """At the start, in the wait for a turn, while connecting, in TLS, before the answer, in the answer."""
    context, trust = None, None
    if scheme == "https":
        context = server_context(tmp_path, rsa.generate_private_key(65537, 2048), ["http/1.1"])
        trust = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    async with Hostile().serving(context) as server, client(at_once=10, verify=trust) as http:
        for moment in range(30):
            asked = [asyncio.create_task(http.get(server.origin)) for _ in range(12)]
            for _ in range(moment):
                await asyncio.sleep(0)
            for number, task in enumerate(asked):
                if (number + moment) % 3:
                    task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

        assert under_way(http) == 0
        assert [answered.text for answered in await asyncio.gather(*(http.get(server.origin) for _ in range(10)))] == [
            "{}"
        ] * 10


async def test_a_request_that_is_cancelled_twice_costs_no_one_a_place() -> None:
    async with Hostile(Manner.DRIPS_BODY).serving() as server, client(at_once=4) as http:
        for pause in range(20):
            asked = [asyncio.create_task(http.get(server.origin)) for _ in range(4)]
            for _ in range(pause):
                await asyncio.sleep(0)
            for task in asked:
                task.cancel()
            await asyncio.sleep(0)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        server.manner = Manner.ANSWERS

        assert under_way(http) == 0
        assert (await http.get(server.origin)).text == "{}"


async def test_an_answer_within_its_bound_is_read_whole_and_one_byte_more_is_refused() -> None:
    async with Hostile().serving() as server, client() as http:
        server.body = b"x" * 10_000
        assert len((await http.get(server.origin)).content) == 10_000

        server.body = b"x" * 10_001
        with pytest.raises(AnswerTooLargeError, match="larger than 10000 bytes"):
            await http.get(server.origin)


async def test_what_an_answer_sets_is_not_kept() -> None:
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, client() as http:
        url = "http://{}:{}".format(*server.sockets[0].getsockname())
        for _ in range(2):
            await http.get(url)

        assert len(http.cookies.jar) == 0
    assert not any("cookie" in head for head in seen)
    assert all("accept-encoding: identity\r\n" in head for head in seen)


async def test_an_answer_that_nobody_reads_gives_its_turn_back_when_its_time_is_long_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It cannot happen through the client's own methods; a mistake of ours must not stop a process all the same."""
    monkeypatch.setattr("amazon_pay_client.outbound.turns.GRACE_SECONDS", 0.0)
    async with Hostile().serving() as server, client(at_once=2) as http:
        for _ in range(2):
            request = http.build_request("GET", server.origin, extensions=SHORT.extensions)
            await http._transport.handle_async_request(request)
        await asyncio.sleep(SHORT.seconds)

        assert (await http.get(server.origin)).text == "{}"
    assert "2 requests never said that they ended" in caplog.text


@pytest.mark.parametrize("field", ["seconds", "connect_seconds", "answer_bytes"])
def test_a_bound_that_is_none_is_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* is not a bound"):
        replace(LONG, **{field: 0})
