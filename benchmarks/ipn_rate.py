"""How many signed notifications a second reach workflows through `perennial ipn`, beside the bare signals.

SNS messages are signed before the clock starts, and posted over connections that stay open to a receiver in a process
of its own, which proves each and signals a workflow on a real Temporal server (in memory). By turns with it the same
signals are sent without the receiver, by a Temporal client in this process, as many at a time: that is the floor. At
the end every signal is looked for in the workflows' histories. The workflows have no worker, as a signal is in a
workflow once it is in its history.

Proving alone is measured on one core beside the bare RSA verification. Aims: 70 % of the bare signals, and 5,000
messages proven a second.

Run: `python -m benchmarks.ipn_rate [--notifications N] [--rounds N] [--connections N] [--json]`
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from rich.console import Console
from rich.progress import Progress
from temporalio.client import Client, WorkflowHandle

from amazon_pay_client.ipn import Envelope, Notification, ObjectType
from amazon_pay_simulator.notifications import TOPIC_ARN, NotificationSender, NotificationSigner
from benchmarks.load import Load, address_of, request_to
from benchmarks.processes import perennial, said
from benchmarks.report import Report
from perennial_billing.ipn.app import PATH
from perennial_billing.ipn.certificates import TrustedCertificate
from perennial_billing.ipn.proof import Prover
from perennial_billing.ipn.routing import Router
from perennial_billing.runtime.embedded import embedded_server
from perennial_billing.workflows.messages import NotificationSignal
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES, workflow_id

AIM_OF_SIGNALS: Final = 0.70
AIM_OF_PROOFS: Final = 5_000
MERCHANT_ID: Final = "A1SIMULATOR"
CERTIFICATE_URL: Final = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-benchmark.pem"
SIGNALS_EACH: Final = 100
"""Notifications for one subscription: some years' worth."""
OK: Final = 200


@dataclass(slots=True)
class Found:
    """What the rounds came to."""

    received: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    received_seconds: list[float] = field(default_factory=list)
    bare_seconds: list[float] = field(default_factory=list)


def _milliseconds(seconds: Sequence[float], percentile: int) -> float:
    return 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percentile - 1]


async def _send_bare(client: Client, notifications: Sequence[Notification], at_a_time: int) -> list[float]:
    """Sends the signals as the receiver does, so many at a time, and gives how long each took."""
    router, waiting, seconds = Router(client, "perennial"), iter(notifications), list[float]()

    async def send() -> None:
        for notification in waiting:
            began = time.perf_counter()
            await router.route(notification)
            seconds.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_a_time):
            group.create_task(send())
    return seconds


async def _arrived(handles: Sequence[WorkflowHandle[object, object]], bar: Progress) -> Counter[str]:
    """How often each notification is in the workflows' histories."""
    found: Counter[str] = Counter()
    for handle in bar.track(handles, description="looking for the signals"):
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_execution_signaled_event_attributes"):
                (given,) = event.workflow_execution_signaled_event_attributes.input.payloads
                found[NotificationSignal.model_validate_json(given.data).notification_id] += 1
    return found


class _Sender:
    """Makes notifications, and messages as SNS signs them."""

    def __init__(self, signer: NotificationSigner, permissions: Sequence[str]) -> None:
        self._sender = NotificationSender(signer, MERCHANT_ID, (), CERTIFICATE_URL)
        self._permissions = permissions
        self._made = 0

    def make(self, count: int) -> list[Envelope]:
        """Signed messages, for one subscription after the other."""
        first, self._made = self._made, self._made + count
        return [
            self._sender.envelope(
                ObjectType.CHARGE, f"S01-{number}", self._permissions[number % len(self._permissions)]
            )
            for number in range(first, first + count)
        ]


def _posted(envelope: Envelope) -> bytes:
    return json.dumps(envelope.model_dump(mode="json", by_alias=True, exclude_none=True)).encode()


def _inside(envelope: Envelope) -> Notification:
    return Notification.model_validate_json(envelope.message)


async def _proofs_a_second(certificate: Path, bodies: Sequence[bytes]) -> float:
    prover = Prover(TrustedCertificate(certificate), [TOPIC_ARN], MERCHANT_ID)
    began = time.perf_counter()
    for body in bodies:
        prover.notification(await prover.envelope(body))
    return len(bodies) / (time.perf_counter() - began)


def _verifications_a_second(signer: NotificationSigner, envelopes: Sequence[Envelope]) -> float:
    text, key = envelopes[0].string_to_sign(), signer.private_key.public_key()
    signature = signer.private_key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    began = time.perf_counter()
    for _ in envelopes:
        key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    return len(envelopes) / (time.perf_counter() - began)


async def run(notifications: int, rounds: int, connections: int) -> Report:
    """Starts a server and a receiver, loads both ways, and looks for everything in the workflows."""
    a_round = notifications // rounds
    permissions = [f"C01-{number:07}-0000000" for number in range(max(1, 2 * notifications // SIGNALS_EACH))]
    found = Found()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder, Progress(console=console, disable=not console.is_terminal) as bar:
        signer = NotificationSigner.create()
        certificate = signer.write_certificate(Path(folder))
        sender = _Sender(signer, permissions)
        async with embedded_server(SEARCH_ATTRIBUTES) as server:
            handles = [
                await server.client.start_workflow("Subscription", id=workflow_id(permission), task_queue="nobody")
                for permission in bar.track(permissions, description="starting workflows")
            ]
            receiver_environment = {
                "TEMPORAL_ADDRESS": server.address,
                "PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH": str(certificate),
                "PERENNIAL_IPN_TOPIC_ARNS": TOPIC_ARN,
                "PERENNIAL_MERCHANT_ID": MERCHANT_ID,
            }
            sent: list[str] = []
            async with perennial("ipn", "--port", "0", environment=receiver_environment) as process:
                address = address_of((await said(process)).rsplit(" ", 1)[-1].removesuffix(PATH))
                async with Load.to(address, connections) as load:
                    for _ in bar.track(range(rounds), description="posting and signalling"):
                        posted, signalled = sender.make(a_round), sender.make(a_round)
                        requests = [request_to(address, "POST", PATH, _posted(envelope)) for envelope in posted]
                        inside = [_inside(envelope) for envelope in signalled]

                        began = time.perf_counter()
                        answers = await load.send(requests, OK)
                        found.received.append(a_round / (time.perf_counter() - began))
                        found.received_seconds += [answered.seconds for answered in answers]

                        began = time.perf_counter()
                        found.bare_seconds += await _send_bare(server.client, inside, connections)
                        found.bare.append(a_round / (time.perf_counter() - began))

                        sent += [_inside(envelope).notification_id for envelope in posted]
                        sent += [notification.notification_id for notification in inside]
            arrived = await _arrived(handles, bar)
        if arrived != Counter(sent):
            raise RuntimeError(f"{len(Counter(sent) - arrived)} of {len(sent)} signals are in no workflow")
        proven = sender.make(a_round)
        bodies = [_posted(envelope) for envelope in proven]
        proofs = [await _proofs_a_second(certificate, bodies) for _ in range(rounds)]
        verifications = [_verifications_a_second(signer, proven) for _ in range(rounds)]
    return _report(found, proofs, verifications, a_round * rounds, connections)


def _report(
    found: Found, proofs: Sequence[float], verifications: Sequence[float], notifications: int, connections: int
) -> Report:
    received, bare = statistics.median(found.received), statistics.median(found.bare)
    proven, verified = statistics.median(proofs), statistics.median(verifications)
    return Report(
        "Notifications into workflows",
        ("", "a second", "lowest", "highest", "p50, ms", "p99, ms", "ratio to the floor"),
        [
            (
                "through the receiver",
                *(f"{rate:.0f}" for rate in (received, min(found.received), max(found.received))),
                *(f"{_milliseconds(found.received_seconds, percentile):.1f}" for percentile in (50, 99)),
                f"{received / bare:.2f}",
            ),
            (
                "bare signals",
                *(f"{rate:.0f}" for rate in (bare, min(found.bare), max(found.bare))),
                *(f"{_milliseconds(found.bare_seconds, percentile):.1f}" for percentile in (50, 99)),
                "1",
            ),
            ("proving alone", *(f"{rate:.0f}" for rate in (proven, min(proofs), max(proofs))), "", "",
             f"{proven / verified:.2f}"),
            ("bare RSA verification", *(f"{rate:.0f}" for rate in (verified, min(verifications), max(verifications))),
             "", "", "1"),
        ],
        {
            "notifications": notifications,
            "arrived": notifications,
            "connections": connections,
            "received_a_second": received,
            "bare_signals_a_second": bare,
            "ratio": received / bare,
            "received_milliseconds": {name: _milliseconds(found.received_seconds, name) for name in (50, 99)},
            "bare_milliseconds": {name: _milliseconds(found.bare_seconds, name) for name in (50, 99)},
            "proofs_a_second": proven,
            "verifications_a_second": verified,
            "aims": {"ratio": AIM_OF_SIGNALS, "proofs_a_second": AIM_OF_PROOFS},
        },
        f"medians of {len(proofs)} rounds; {notifications} notifications posted over {connections} connections and as "
        f"many bare signals: all are in the workflows; the aims are {AIM_OF_SIGNALS:.0%} of the bare signals and "
        f"{AIM_OF_PROOFS} proofs a second",
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.ipn_rate", description="Notifications a second.")
    parser.add_argument("--notifications", type=int, default=20_000, help="that are posted; as many bare signals")
    parser.add_argument("--rounds", type=int, default=5, help="by turns, posted and bare")
    parser.add_argument("--connections", type=int, default=32, help="that stay open; as many bare signals at a time")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    asyncio.run(run(options.notifications, options.rounds, options.connections)).print(as_json=options.json)
