"""How many signed Create Charge calls a second the simulator answers on one core, the signature of each checked.

A billing day of many subscribers should not wait for the simulator. Its process has one core for itself, and the load
comes from another: requests are signed before the clock starts, and are sent over connections that stay open, each
with the next request as soon as its last one is answered. Every charge is of a charge permission of its own.

Two floors are measured by turns with it: the same server's answer to GET /simulator/health, which is what HTTP itself
costs, and the RSA verifications that one core does. Aim: at least 300 charges a second.

Run: `python -m benchmarks.simulator_rate [--rounds N] [--charges N] [--connections N] [--json]`
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay import AmazonPayClient, Region, load_private_key
from amazon_pay.models import CreateChargeRequest, Currency, MerchantMetadata, Price
from amazon_pay.signing import IDEMPOTENCY_HEADER, Algorithm
from benchmarks.report import Report

AIM: Final = 300
"""Charges a second."""
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
OK: Final = 200
CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class Cores:
    """Where what runs. Both are the same where there is only one, or where processes cannot be pinned."""

    of_simulator: int | None
    of_load: int | None

    @classmethod
    def choose(cls) -> "Cores":
        """The first two cores that this process may use."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(first, others[0] if others else first)

    @property
    def are_two(self) -> bool:
        """Whether simulator and load keep out of each other's way."""
        return self.of_simulator != self.of_load


@dataclass(slots=True)
class Rates:
    """What each round came to: so many a second, and the load generator's share of its own core."""

    charges: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    verifications: list[float] = field(default_factory=list)
    load_busy: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator that runs, and a client that signs for it."""

    origin: str
    client: AmazonPayClient
    private_key: RSAPrivateKey

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.origin.removeprefix("http://").partition(":")
        return host, int(port)

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """The bytes of one request."""
        host, port = self.address
        lines = [f"{method} {path} HTTP/1.1", f"host: {host}:{port}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def create_charge(self, charge_permission_id: str) -> bytes:
        """A signed Create Charge; its date holds for a quarter of an hour."""
        body = CreateChargeRequest(
            charge_permission_id=charge_permission_id,
            charge_amount=Price(amount=Decimal("14.00"), currency_code=Currency.USD),
            capture_now=True,
            merchant_metadata=MerchantMetadata(
                merchant_reference_id=charge_permission_id,
                merchant_store_name="The Coffee Club",
                note_to_buyer="Your subscription for November",
            ),
        ).to_json()
        headers = self.client.signed_headers("POST", "charges", body=body, headers={IDEMPOTENCY_HEADER: uuid4().hex})
        return self.request("POST", "/v2/charges", body, headers)


class Load:
    """Connections that stay open."""

    def __init__(self, streams: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        self._streams = streams

    @classmethod
    @asynccontextmanager
    async def to(cls, address: tuple[str, int], connections: int) -> AsyncIterator["Load"]:
        """Opens them, and closes them in the end."""
        streams = [await asyncio.open_connection(*address) for _ in range(connections)]
        try:
            yield cls(streams)
        finally:
            for _, writer in streams:
                writer.close()

    async def send(self, requests: Sequence[bytes], expected: int) -> list[bytes]:
        """Sends all requests, each connection one after the other, and gives the answers' bodies in no order.

        Raises:
            RuntimeError: an answer has another status.
        """
        waiting, bodies = iter(requests), list[bytes]()

        async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for request in waiting:
                writer.write(request)
                status, body = await _answer(reader)
                if status != expected:
                    raise RuntimeError(f"status {status} where {expected} was expected: {body[:500]!r}")
                bodies.append(body)

        async with asyncio.TaskGroup() as group:
            for stream in self._streams:
                group.create_task(use(*stream))
        return bodies


async def measure(simulator: Simulator, load: Load, cores: Cores, rounds: int, charges: int) -> Rates:
    """Measures all three by turns; the first round is a warm-up that does not count."""
    rates = Rates()
    for number in range(rounds + 1):
        counted = rates if number else Rates()
        permissions = await _open_permissions(simulator, load, charges)
        to_charge = [simulator.create_charge(permission) for permission in permissions]
        health = [simulator.request("GET", "/simulator/health")] * charges

        counted.health.append(await _rate(load, health, OK))
        busy_before, began = time.process_time(), time.perf_counter()
        counted.charges.append(await _rate(load, to_charge, CREATED))
        counted.load_busy.append((time.process_time() - busy_before) / (time.perf_counter() - began))
        with _on(cores.of_simulator):
            counted.verifications.append(_verifications_a_second(simulator, charges))
    return rates


async def run(rounds: int, charges: int, connections: int) -> Report:
    """Starts a simulator, loads it and stops it."""
    cores = Cores.choose()
    with tempfile.TemporaryDirectory() as keys, _on(cores.of_load):
        async with _simulator(Path(keys), cores) as simulator, Load.to(simulator.address, connections) as load:
            rates = await measure(simulator, load, cores, rounds, charges)
            books = json.loads((await load.send([simulator.request("GET", "/simulator/books")], OK))[0])
    expected = (rounds + 1) * charges
    if len(books["charges"]) != expected:
        raise RuntimeError(f"the books hold {len(books['charges'])} charges where {expected} were answered")
    return _report(rates, cores, rounds, charges, connections)


def _report(rates: Rates, cores: Cores, rounds: int, charges: int, connections: int) -> Report:
    by_name = {
        "signed Create Charge": rates.charges,
        "GET /simulator/health": rates.health,
        "RSA-2048 verification": rates.verifications,
    }
    rate = statistics.median(rates.charges)
    busy = statistics.median(rates.load_busy)
    pinned = "a core each" if cores.are_two else "NOT on cores of their own"
    return Report(
        "The simulator on one core",
        ("", "a second", "lowest", "highest", "charges / this"),
        [
            (
                name,
                f"{statistics.median(found):.0f}",
                f"{min(found):.0f}",
                f"{max(found):.0f}",
                f"{rate / statistics.median(found):.3f}",
            )
            for name, found in by_name.items()
        ],
        {
            "aim": AIM,
            "rounds": rounds,
            "charges_a_round": charges,
            "connections": connections,
            "cores_of_their_own": cores.are_two,
            "charges_a_second": rate,
            "health_a_second": statistics.median(rates.health),
            "verifications_a_second": statistics.median(rates.verifications),
            "load_generator_busy": busy,
            "charges_a_second_by_round": rates.charges,
        },
        f"medians of {rounds} rounds of {charges}, {connections} connections; simulator and load have {pinned}; the "
        f"load's core was busy for {busy:.0%}; the aim is {AIM} charges a second",
    )


async def _open_permissions(simulator: Simulator, load: Load, count: int) -> list[str]:
    opening = simulator.request(
        "POST", "/simulator/charge-permissions", b'{"currency": "USD"}', {"content-type": "application/json"}
    )
    opened = await load.send([opening] * count, CREATED)
    return [str(json.loads(body)["chargePermissionId"]) for body in opened]


async def _rate(load: Load, requests: Sequence[bytes], expected: int) -> float:
    began = time.perf_counter()
    await load.send(requests, expected)
    return len(requests) / (time.perf_counter() - began)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of one answer that tells its length."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


def _verifications_a_second(simulator: Simulator, count: int) -> float:
    key, text = simulator.private_key.public_key(), b"x" * 87  # as long as a string to sign
    padding, digest = Algorithm.V2.padding, hashes.SHA256()
    signature = simulator.private_key.sign(text, padding, digest)
    began = time.perf_counter()
    for _ in range(count):
        key.verify(signature, text, padding, digest)
    return count / (time.perf_counter() - began)


@asynccontextmanager
async def _simulator(keys: Path, cores: Cores) -> AsyncIterator[Simulator]:
    """Runs `perennial simulator` on its core while the context is open."""
    with _on(cores.of_simulator):  # a process inherits its parent's core
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", "from starter.cli import main; main()", "simulator", "--port", "0", "--keys", str(keys)),
            stdout=asyncio.subprocess.PIPE,
        )
    try:
        settings = await asyncio.wait_for(_settings(process), START_SECONDS)
        private_key = load_private_key(Path(settings["PRIVATE_KEY_PATH"]))
        origin = settings["AMAZON_PAY_ORIGIN"]
        async with AmazonPayClient(
            public_key_id=settings["PUBLIC_KEY_ID"], private_key=private_key, region=Region.NA, origin=origin
        ) as client:
            yield Simulator(origin, client, private_key)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.communicate(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _settings(process: asyncio.subprocess.Process) -> dict[str, str]:
    """The settings of a worker that the simulator prints once it serves."""
    settings: dict[str, str] = {}
    while "IPN_TRUSTED_CERTIFICATE_PATH" not in settings:
        line = (await process.stdout.readline()).decode() if process.stdout else ""
        if not line:
            raise RuntimeError("the simulator ended before it served")
        name, _, value = line.strip().removeprefix("PERENNIAL_").partition("=")
        settings[name] = value
    return settings


@contextmanager
def _on(core: int | None) -> Iterator[None]:
    """Keeps this process, and what it starts, on a core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.simulator_rate", description="Charges a second on one core.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--charges", type=int, default=1_000, help="requests of each kind in a round")
    parser.add_argument("--connections", type=int, default=8, help="that stay open")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    asyncio.run(run(options.rounds, options.charges, options.connections)).print(as_json=options.json)
