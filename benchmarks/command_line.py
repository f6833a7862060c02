"""What it costs to type a command: `perennial --help` and `list`, each beside the least that could do it.

The floor of `--help` is importing the libraries that draw it. The floor of `list --live` is a script that connects a
Temporal client and lists the same subscriptions, on an embedded server of this run; that of `list`, which reads the
ledger, is one that reads as many rows by SQLAlchemy. Measured is the processor time of the whole
process, user and system, which other work on the machine disturbs less than the clock. Aim: at most 1.3 times each
floor.

The processes find their bytecode compiled, as where the package is installed; with --anew they compile every module,
as the first run does.

Run: `python -m benchmarks.command_line [--runs N] [--subscriptions N] [--anew] [--json]`
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from benchmarks.ledger_stories import stories
from benchmarks.report import Report
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.embedded import embedded_server
from perennial_billing.worker.books import FILE
from perennial_billing.workflows.names import PLAN, SEARCH_ATTRIBUTES, STATUS, workflow_id

AIM: Final = 1.3
"""Times the floor."""

LOOK_EVERY_SECONDS: Final = 0.05
QUERY: Final = "WorkflowType = 'SubscriptionWorkflow' AND ExecutionStatus = 'Running'"

PERENNIAL: Final = "from perennial_billing.starter.cli import main; main()"
IMPORTS: Final = "import typer, rich"
LISTS: Final = """
import asyncio, os
from temporalio.client import Client

async def main():
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    async for execution in client.list_workflows(os.environ["QUERY"]):
        print(execution.id, execution.typed_search_attributes)
    await asyncio.sleep(0.02)  # as every command of ours has to: the SDK aborts an interpreter that ends at once

asyncio.run(main())
"""

READS: Final = """
import asyncio, os
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

async def main():
    engine = create_async_engine("sqlite+aiosqlite:///" + os.environ["PERENNIAL_DATA_FOLDER"] + "/ledger.db")
    async with engine.connect() as connection:
        for row in await connection.execute(text("SELECT * FROM subscriptions ORDER BY charge_permission_id")):
            print(row.charge_permission_id, row.status)
    await engine.dispose()

asyncio.run(main())
"""

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A command and its floor, both as what follows `python -c`."""

    name: str
    command: Sequence[str]
    floor: Sequence[str]


CASES: Final = (
    Case("perennial --help", (PERENNIAL, "--help"), (IMPORTS,)),
    Case("perennial list --live", (PERENNIAL, "list", "--live"), (LISTS,)),
    Case("perennial list", (PERENNIAL, "list"), (READS,)),
)


def processor_seconds(code: Sequence[str], environment: Environment) -> float:
    """Runs Python on some code with arguments, to its end.

    Raises:
        RuntimeError: it failed.
    """
    process = subprocess.Popen(  # noqa: S603 - this very Python, on code that stands above
        [sys.executable, "-c", *code],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{code[0].strip()} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def measure(runs: int, environment: Environment) -> dict[str, dict[str, float]]:
    """Runs all by turns; a first turn is a warm-up that does not count."""
    found: dict[str, dict[str, list[float]]] = {case.name: {"floor": [], "command": []} for case in CASES}
    for run in range(runs + 1):
        for case in CASES:
            for which, code in (("floor", case.floor), ("command", case.command)):
                used = processor_seconds(code, environment)
                if run:
                    found[case.name][which].append(1000 * used)
    return {name: _figures(of["command"], of["floor"]) for name, of in found.items()}


def _figures(command: Sequence[float], floor: Sequence[float]) -> dict[str, float]:
    ratios = [ours / theirs for ours, theirs in zip(command, floor, strict=True)]
    return {
        "milliseconds": statistics.median(command),
        "floor_milliseconds": statistics.median(floor),
        "ratio": statistics.median(command) / statistics.median(floor),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
    }


async def _run(runs: int, subscriptions: int, *, anew: bool) -> dict[str, dict[str, float]]:
    async with embedded_server(SEARCH_ATTRIBUTES) as server:
        await _start(server.client, subscriptions)
        with tempfile.TemporaryDirectory() as bytecode, tempfile.TemporaryDirectory() as folder:
            await _record(Path(folder), subscriptions)
            environment = _environment(server.address, bytecode, folder, anew=anew)
            return await asyncio.to_thread(measure, runs, environment)


async def _start(client: Client, subscriptions: int) -> None:
    """Starts what is listed; no worker is needed for that. Returns once all are found."""
    for number in range(subscriptions):
        attributes = [SearchAttributePair(STATUS, "active"), SearchAttributePair(PLAN, "coffee")]
        await client.start_workflow(
            "SubscriptionWorkflow",
            id=workflow_id(f"C01-0000000-{number:07}"),
            task_queue="nobody-listens",
            search_attributes=TypedSearchAttributes(attributes),
        )
    while True:
        if (await client.count_workflows(QUERY)).count == subscriptions:
            return
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _record(folder: Path, subscriptions: int) -> None:
    """As many subscriptions in a ledger."""
    async with Ledger.open(file_url(folder / FILE), set_up=True) as ledger:
        for told in stories(subscriptions):
            await ledger.record(told)


def _environment(address: str, bytecode: str, folder: str, *, anew: bool) -> Environment:
    """No settings of this desk, where server and ledger are, and where compiled modules are kept, if they are."""
    foreign = ("PERENNIAL_", "TEMPORAL_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    ours = {"TEMPORAL_ADDRESS": address, "QUERY": QUERY, "PYTHONPYCACHEPREFIX": bytecode}
    ours["PERENNIAL_DATA_FOLDER"] = folder
    return kept | ours | ({"PYTHONDONTWRITEBYTECODE": "1"} if anew else {})


def report(found: Mapping[str, Mapping[str, float]], runs: int, subscriptions: int, *, anew: bool) -> Report:
    """Both commands beside their floors."""
    return Report(
        "Typing a command",
        ("command", "floor, ms", "command, ms", "ratio", "lowest", "highest"),
        [
            (
                name,
                f"{of['floor_milliseconds']:.0f}",
                f"{of['milliseconds']:.0f}",
                *(f"{of[ratio]:.2f}" for ratio in ("ratio", "lowest_ratio", "highest_ratio")),
            )
            for name, of in found.items()
        ],
        {"runs": runs, "subscriptions": subscriptions, "anew": anew, "aim": AIM, "commands": found},
        f"processor time, medians of {runs} runs; {subscriptions} subscriptions are listed; the aim is a ratio of at "
        f"most {AIM}{'; every module is compiled anew' if anew else ''}",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.command_line", description="What it costs to type a command.")
    parser.add_argument("--runs", type=int, default=15, help="how often each is run")
    parser.add_argument("--subscriptions", type=int, default=20, help="how many are listed")
    parser.add_argument("--anew", action="store_true", help="let every run compile all modules")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    figures = asyncio.run(_run(options.runs, options.subscriptions, anew=options.anew))
    report(figures, options.runs, options.subscriptions, anew=options.anew).print(as_json=options.json)
