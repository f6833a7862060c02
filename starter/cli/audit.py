"""The command `perennial audit`."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from perennial_billing.starter.cli.output import (
    NOT_ANSWERED,
    JsonOption,
    RefusedError,
    asynchronous,
    err,
    fail,
    mind,
    say,
)
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from temporalio.client import Client

    from perennial_billing.ledger.audits import Run, Selection
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.audit.amazon import Amazon
    from perennial_billing.starter.audit.auditor import Audited, Auditor
    from perennial_billing.starter.audit.witness import Witness

_COLUMNS = (
    Column("Charge permission"),
    Column("What does not hold", is_prose=True),
    Column("Rule", rank=2),
    Column("What to do", rank=1, is_prose=True),
)

SAID_EVERY_SECONDS: Final = 60.0
"""How often it is said how far an audit is, where no terminal shows it."""


@dataclass(slots=True)
class _Came:
    """What came of an audit so far.

    Attributes:
        audited: how many subscriptions.
        wrong: those of which something does not hold.
        unknown: those that could not be audited, or not in full.
    """

    audited: int = 0
    wrong: "list[Audited]" = field(default_factory=list)
    unknown: "list[Audited]" = field(default_factory=list)

    def add(self, audited: "Audited") -> None:
        """One more."""
        if audited.findings:
            self.wrong.append(audited)
        if audited.trouble:
            self.unknown.append(audited)


@asynchronous
async def audit(
    running: Annotated[bool, typer.Option("--running", help="Only subscriptions that have not ended.")] = False,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed", help="Only what has told something since its last audit, or was not found to be right then."
        ),
    ] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="Only so many, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw: the same seed draws the same.")] = 0,
    account: Annotated[
        str | None, typer.Option(help="Only subscriptions of the merchant account with this short name.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every charge at Amazon: a call for each.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the audit that was broken off, whatever it was about.")
    ] = False,
    ledger_only: Annotated[
        bool, typer.Option("--ledger-only", help="Ask neither Amazon nor the subscriptions that run.")
    ] = False,
    directly: Annotated[
        bool, typer.Option("--directly", help="Ask Amazon from here, instead of through the workers.")
    ] = False,
    share: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Of what Amazon takes of each call, for the audit.")
    ] = 0.5,
    patience: Annotated[
        float, typer.Option(min=0.1, help="How many minutes an answer of Amazon's is waited for.")
    ] = 15.0,
    simulator: Annotated[
        str | None, typer.Option(help="Ask this simulator's books, such as http://127.0.0.1:8600, instead of Amazon.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check what must always hold: nobody charged twice, nothing forgotten, nothing overdue.

    Reads the ledger, asks the subscriptions that run how they stand, and Amazon for each charge permission and for the
    charges of which that does not say enough. Workers are never held up by it. Exit code 1 and the list where something
    does not hold; 3 where nothing was found, and some could not be audited.
    """
    from perennial_billing.ledger.audits import Selection
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    settings = load_settings()
    selection = Selection(running=running, changed=changed, sample=sample, seed=seed, deep=deep, account=account)
    sources = _Sources(simulator, directly, share, timedelta(minutes=patience))
    client = await _connected(settings) if not ledger_only else None
    async with ledger_of(settings) as ledger:
        run = await _run(ledger, selection, resume=resume)
        async with _auditor(client, ledger, settings, sources, deep=run.selection.deep) as auditor:
            came = await _all(auditor, ledger, run, as_json=as_json)
    _tell(came, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Sources:
    """Who is asked beside the ledger."""

    simulator: str | None
    directly: bool
    share: float
    patience: timedelta


async def _connected(settings: "Settings") -> "Client":
    from perennial_billing.runtime.temporal import connect

    return await connect(settings)


async def _run(ledger: "Ledger", selection: "Selection", *, resume: bool) -> "Run":
    """A new audit, or the one that was broken off.

    Raises:
        RefusedError: there is none to go on with.
    """
    from perennial_billing.ledger.audits import begin, broken_off

    before = await broken_off(ledger)
    if not resume:
        if before is not None and before.done:
            began = f"{before.began_at:%Y-%m-%d %H:%M} UTC"
            mind(f"the audit of {began} was broken off after {before.done} subscriptions; --resume goes on with it")
        return await begin(ledger, selection)
    if before is None:
        raise RefusedError("--resume: no audit was broken off; begin one without it")
    return before


@asynccontextmanager
async def _auditor(
    client: "Client | None", ledger: "Ledger", settings: "Settings", sources: _Sources, *, deep: bool
) -> AsyncIterator["Auditor"]:
    """Who audits; without a client of Temporal, by the ledger alone.

    Raises:
        RefusedError: the simulator cannot be asked.
        StartupError: Amazon is to be asked from here, and a setting is missing.
    """
    from perennial_billing.runtime.temporal import has_workers
    from perennial_billing.starter.audit.auditor import Auditor
    from perennial_billing.starter.audit.presence import Workflows
    from perennial_billing.starter.client import Subscriptions

    witness = await _books_of(sources.simulator) if sources.simulator is not None else None
    if client is None:
        yield Auditor(ledger, witness=witness)
        return
    workers = await has_workers(client, settings.task_queue, for_workflows=True)
    workflows = Workflows(client, Subscriptions(client, settings.task_queue), has_workers=workers)
    if witness is not None:
        yield Auditor(ledger, workflows, witness=witness)
        return
    async with _amazon(client, ledger, settings, sources) as amazon:
        yield Auditor(ledger, workflows, amazon=amazon, deep=deep)


@asynccontextmanager
async def _amazon(
    client: "Client", ledger: "Ledger", settings: "Settings", sources: _Sources
) -> AsyncIterator["Amazon"]:
    from perennial_billing.runtime.temporal import has_standalone_activities, has_workers
    from perennial_billing.starter.audit.amazon import Directly, ThroughWorkers
    from perennial_billing.worker.rates import calls_per_second
    from perennial_billing.worker.wiring import accounts_of
    from perennial_billing.workflows.names import Call, call_queue

    asked = (Call.GET_CHARGE_PERMISSION, Call.GET_CHARGE)
    rates = {call: calls_per_second(settings, call) for call in asked}
    why = None
    if not await has_standalone_activities(client):
        why = "the Temporal server has no standalone activities"
    elif not all([await has_workers(client, call_queue(settings.task_queue, call)) for call in asked]):
        why = "no worker runs"
    if why is None and not sources.directly:
        yield ThroughWorkers(client, settings.task_queue, rates, share=sources.share, patience=sources.patience)
        return
    if why is not None and not sources.directly:
        mind(f"{why}, so Amazon is asked from here")
    async with accounts_of(settings, ledger) as accounts:
        yield Directly(accounts, rates, share=sources.share, patience=sources.patience)


async def _books_of(simulator: str) -> "Witness":
    # Only now: where a worker is installed, there is no simulator.
    from amazon_pay_client.outbound.library import httpx
    from amazon_pay_simulator import SimulatorHandle
    from perennial_billing.sandbox.witness import BooksWitness

    try:
        async with SimulatorHandle(simulator) as handle:
            return BooksWitness(await handle.books())
    except httpx.HTTPError as error:
        raise RefusedError(f"--simulator {simulator}: {type(error).__name__}: {error}") from None


async def _all(auditor: "Auditor", ledger: "Ledger", run: "Run", *, as_json: bool) -> _Came:
    """Audits, with what was noted before where the audit goes on."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from perennial_billing.ledger.audits import ended, left, noted
    from perennial_billing.starter.audit.auditor import Audited

    came = _Came(audited=run.done)
    async for result in noted(ledger, run):
        came.add(Audited.of(result))
    total = run.done + await left(ledger, run)
    columns = (TextColumn("auditing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    shows = err.is_terminal and not as_json
    loop = asyncio.get_running_loop()
    began = said_at = loop.time()
    with Progress(*columns, console=err, transient=True, disable=not shows, speed_estimate_period=300) as progress:
        task = progress.add_task("auditing", total=total, completed=run.done)
        async with aclosing(auditor.audit(run)) as each:
            async for audited in each:
                came.audited += 1
                came.add(audited)
                progress.update(task, completed=came.audited)
                if not err.is_terminal and loop.time() - said_at >= SAID_EVERY_SECONDS:
                    said_at = loop.time()
                    err.print(how_far(came.audited, total, came.audited - run.done, said_at - began))
    await ended(ledger, run)
    if auditor.unlisted is not None:
        came.unknown.append(Audited("-", trouble=auditor.unlisted))
    return came


def how_far(audited: int, total: int, this_time: int, seconds: float) -> str:
    """How far an audit is, and how long it will take.

    Args:
        audited: how many subscriptions are done.
        total: of how many.
        this_time: how many of them since it was begun, or went on.
        seconds: in how long.
    """
    left = timedelta(seconds=round((total - audited) * seconds / this_time)) if this_time else None
    return f"{audited:,} of {total:,} audited" + (f"; about {left} left" if left else "")


def _tell(came: _Came, *, as_json: bool) -> None:
    """What came of it, and the exit code.

    Raises:
        RefusedError: something does not hold.
    """
    wrong = sorted(came.wrong, key=lambda one: one.charge_permission_id)
    data = {
        "audited": came.audited,
        "findings": [
            {
                "charge_permission_id": one.charge_permission_id,
                "rule": finding.rule,
                "finding": finding.says,
                "to_do": finding.to_do,
            }
            for one in wrong
            for finding in one.findings
        ],
        "not_audited": [{"charge_permission_id": one.charge_permission_id, "why": one.trouble} for one in came.unknown],
    }
    whole = "every promise holds" if not came.unknown else "nothing was found"
    say(data, sheet_of(wrong) if wrong else f"{came.audited} subscriptions audited; {whole}", as_json=as_json)
    if came.unknown:
        reasons = Counter(one.trouble or "" for one in came.unknown)
        common = "; ".join(f"{why} ({count})" for why, count in reasons.most_common(3))
        mind(f"{len(came.unknown)} of {came.audited} could not be audited, or not in full: {common}")
    if wrong:
        raise RefusedError(f"{len(wrong)} of {came.audited} subscriptions break a promise")
    if came.unknown:
        fail(f"not audited in full: {len(came.unknown)}; `perennial audit --changed` looks at them again", NOT_ANSWERED)


def sheet_of(wrong: Sequence["Audited"]) -> Sheet:
    """A line for each finding."""
    return Sheet(
        _COLUMNS,
        [(one.charge_permission_id, each.says, each.rule, each.to_do) for one in wrong for each in one.findings],
    )
