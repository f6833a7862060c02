"""Attacks a receiver of our own on loopback, and says what came of it: who was answered how, what it cost, and whether
genuine messages were served meanwhile.

`perennial ipn` runs as a process of its own in front of a real Temporal server (in memory). Beside every attack genuine
messages are posted, one after the other on connections of their own; SNS gives a receiver 15 s for each. In the end the
signals in the workflow's history are counted: each genuine message is there once, and nothing else.

Run: `python -m benchmarks.attack [--small] [--only KIND] [--json]`
"""

import asyncio
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from temporalio.client import WorkflowHandle

from amazon_pay_simulator.notifications import TOPIC_ARN, NotificationSigner
from benchmarks.attacks_on_server import ATTACKS, MERCHANT_ID, Attack, Target, genuine
from benchmarks.load import address_of
from benchmarks.processes import perennial, said
from benchmarks.report import Report
from perennial_billing.ipn.app import PATH
from perennial_billing.runtime.embedded import embedded_server
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES, workflow_id

PERMISSION: Final = "C01-1234567-1234567"
SERVED_WITHIN_SECONDS: Final = 15.0
"""What SNS gives a receiver."""

BETWEEN_GENUINE_SECONDS: Final = 0.05
SERVED: Final = "200"


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one attack.

    Attributes:
        kind: its name.
        count: how much of it.
        outcome: how often it was answered how.
        seconds: how long it took.
        cpu_seconds: what the receiver worked meanwhile.
        memory_before: the receiver's, in MiB.
        memory_peak: the most of it meanwhile, in MiB.
        memory_after: in the end, in MiB.
        served: genuine messages that were answered 200 meanwhile.
        failed: those that were not.
        slowest_seconds: the longest that one of them took.
    """

    kind: str
    count: int
    outcome: dict[str, int]
    seconds: float
    cpu_seconds: float
    memory_before: int
    memory_peak: int
    memory_after: int
    served: int
    failed: int
    slowest_seconds: float

    @property
    def holds(self) -> bool:
        """Whether every genuine message was served in time."""
        return not self.failed and self.served > 0 and self.slowest_seconds < SERVED_WITHIN_SECONDS

    @property
    def row(self) -> tuple[str, ...]:
        """As a line of the table."""
        outcome = ", ".join(f"{often} {answer}" for answer, often in sorted(self.outcome.items()))
        memory = f"{self.memory_before} / {self.memory_peak} / {self.memory_after}"
        served = f"{self.served} of {self.served + self.failed}"
        times = (f"{self.seconds:.1f}", f"{self.cpu_seconds:.2f}")
        return self.kind, str(self.count), outcome, *times, memory, served, f"{self.slowest_seconds:.2f}"


class Receiver:
    """The receiver's process as Linux knows it."""

    def __init__(self, process_id: int) -> None:
        self._folder = Path(f"/proc/{process_id}")

    @property
    def cpu_seconds(self) -> float:
        """What it has worked so far."""
        fields = self._folder.joinpath("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name: str = "VmRSS") -> int:
        """In MiB."""
        lines = self._folder.joinpath("status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))

    def forget_peak(self) -> None:
        """The peak counts from here on."""
        self._folder.joinpath("clear_refs").write_text("5")


async def _attacked(kind: str, attack: Attack, count: int, target: Target, receiver: Receiver) -> Found:
    over, answers, slowest = asyncio.Event(), Counter[str](), 0.0

    async def post_genuine() -> None:
        nonlocal slowest
        while not over.is_set() or not answers:
            began = time.perf_counter()
            answers[await genuine(target)] += 1
            slowest = max(slowest, time.perf_counter() - began)
            await asyncio.sleep(BETWEEN_GENUINE_SECONDS)

    receiver.forget_peak()
    before, worked, began = receiver.memory(), receiver.cpu_seconds, time.perf_counter()
    posting = asyncio.create_task(post_genuine())
    outcome = await attack.run(target, count)
    seconds = time.perf_counter() - began
    over.set()
    await posting
    return Found(
        kind=kind,
        count=count,
        outcome=dict(outcome),
        seconds=seconds,
        cpu_seconds=receiver.cpu_seconds - worked,
        memory_before=before,
        memory_peak=receiver.memory("VmHWM"),
        memory_after=receiver.memory(),
        served=answers[SERVED],
        failed=answers.total() - answers[SERVED],
        slowest_seconds=slowest,
    )


async def _signals(handle: WorkflowHandle[object, object]) -> int:
    return sum(
        [
            event.HasField("workflow_execution_signaled_event_attributes")
            async for event in handle.fetch_history_events()
        ]
    )


async def run(*, small: bool, only: str | None) -> Report:
    """Starts a server and a receiver, attacks it in every way, and counts what reached the workflow."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        signer = NotificationSigner.create()
        environment = {
            "PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH": str(signer.write_certificate(Path(folder))),
            "PERENNIAL_IPN_TOPIC_ARNS": TOPIC_ARN,
            "PERENNIAL_MERCHANT_ID": MERCHANT_ID,
        }
        async with embedded_server(SEARCH_ATTRIBUTES) as server:
            handle = await server.client.start_workflow("Subscription", id=workflow_id(PERMISSION), task_queue="nobody")
            environment["TEMPORAL_ADDRESS"] = server.address
            async with perennial("ipn", "--port", "0", environment=environment) as process:
                address = address_of((await said(process)).rsplit(" ", 1)[-1].removesuffix(PATH))
                target, receiver = Target(address, signer, PERMISSION), Receiver(process.pid)
                for kind, attack in ATTACKS.items():
                    if only in {None, kind}:
                        count = attack.small if small else attack.large
                        found.append(await _attacked(kind, attack, count, target, receiver))
            signals = await _signals(handle)
    believed = sum(ATTACKS[one.kind].believed for one in found)
    return _report(found, signals, believed + sum(one.served for one in found))


def _report(found: list[Found], signals: int, expected: int) -> Report:
    columns = ("attack", "count", "outcome", "s", "CPU s", "MiB before / peak / after", "genuine served", "slowest, s")
    figures = {
        "attacks": {
            one.kind: {name: getattr(one, name) for name in Found.__dataclass_fields__} | {"holds": one.holds}
            for one in found
        },
        "signals": signals,
        "signals_expected": expected,
    }
    note = f"{signals} signals in the workflow, {expected} genuine messages; SNS waits {SERVED_WITHIN_SECONDS:g} s"
    return Report("Attacks on the receiver", columns, [one.row for one in found], figures, note)


def main(
    small: Annotated[bool, typer.Option("--small", help="A little of each, in seconds.")] = False,  # noqa: FBT002
    only: Annotated[str | None, typer.Option(help="This kind alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> None:
    """Attack a receiver of our own on loopback; exit code 1 where it does not hold."""
    report = asyncio.run(run(small=small, only=only))
    report.print(as_json=as_json)
    held = all(one["holds"] for one in report.figures["attacks"].values())
    if not held or report.figures["signals"] != report.figures["signals_expected"]:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
