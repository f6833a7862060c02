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
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, load_private_key
from amazon_pay_client.models import CreateChargeRequest, Currency, MerchantMetadata, Price
from amazon_pay_client.signing import IDEMPOTENCY_HEADER, Algorithm
from benchmarks.load import Address, Load, address_of, on_core, request_to
from benchmarks.processes import python, said
from benchmarks.report import Report

AIM: Final = 300
"""Charges a second."""
START_SECONDS: Final = 30.0
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
    def address(self) -> Address:
        return address_of(self.origin)

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """The bytes of one request."""
        return request_to(self.address, method, path, body, headers)

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
        with on_core(cores.of_simulator):
            counted.verifications.append(_verifications_a_second(simulator, charges))
    return rates


async def run(rounds: int, charges: int, connections: int) -> Report:
    """Starts a simulator, loads it and stops it."""
    cores = Cores.choose()
    with tempfile.TemporaryDirectory() as keys, on_core(cores.of_load):
        async with _simulator(Path(keys), cores) as simulator, Load.to(simulator.address, connections) as load:
            rates = await measure(simulator, load, cores, rounds, charges)
            books = json.loads((await load.send([simulator.request("GET", "/simulator/books")], OK))[0].body)
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
    return [str(json.loads(answered.body)["chargePermissionId"]) for answered in opened]


async def _rate(load: Load, requests: Sequence[bytes], expected: int) -> float:
    began = time.perf_counter()
    await load.send(requests, expected)
    return len(requests) / (time.perf_counter() - began)


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
    """Runs `amazon-pay-simulator` on its core while the context is open."""
    async with AsyncExitStack() as stack:
        with on_core(cores.of_simulator):  # a process inherits its parent's core
            process = await stack.enter_async_context(
                python("-m", "amazon_pay_simulator", "--port", "0", "--keys", str(keys))
            )
        told = await asyncio.wait_for(_told(process), START_SECONDS)
        private_key = load_private_key(Path(told["private key"]))
        client = await stack.enter_async_context(
            AmazonPayClient(
                public_key_id=told["public key id"], private_key=private_key, region=Region.NA, origin=told["origin"]
            )
        )
        yield Simulator(told["origin"], client, private_key)


async def _told(process: asyncio.subprocess.Process) -> dict[str, str]:
    """What the simulator prints once it serves, each line by its name."""
    told: dict[str, str] = {}
    while "notification certificate" not in told:
        name, _, value = (await said(process)).partition(":")
        told[name] = value.strip()
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.simulator_rate", description="Charges a second on one core.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--charges", type=int, default=1_000, help="requests of each kind in a round")
    parser.add_argument("--connections", type=int, default=8, help="that stay open")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    asyncio.run(run(options.rounds, options.charges, options.connections)).print(as_json=options.json)
