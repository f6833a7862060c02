"""The command `perennial audit`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, err, say
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.starter.audit.auditor import Audited, Auditor

_COLUMNS = (Column("Charge permission"), Column("What does not hold", is_prose=True))


@asynchronous
async def audit(
    simulator: Annotated[
        str | None, typer.Option(help="Ask this simulator's books, such as http://127.0.0.1:8600, instead of Amazon.")
    ] = None,
    running: Annotated[bool, typer.Option("--running", help="Only subscriptions that have not ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check what must always hold: nobody charged twice, nothing forgotten, nothing overdue.

    Reads every subscription and asks Amazon (or the simulator) what really happened. Exit code 1 and the list where
    something does not hold. Asking Amazon counts against its limits: a call for each subscription and each charge.
    """
    async with _auditor(simulator) as auditor:
        audited = await _all(auditor, running=running, as_json=as_json)
    wrong = [one for one in audited if one.findings]
    data = {"audited": len(audited), "findings": [asdict(one) for one in wrong]}
    say(
        data,
        sheet_of(wrong) if wrong else f"{len(audited)} subscriptions audited; every promise holds",
        as_json=as_json,
    )
    if wrong:
        raise RefusedError(f"{len(wrong)} of {len(audited)} subscriptions break a promise")


@asynccontextmanager
async def _auditor(simulator: str | None) -> AsyncIterator["Auditor"]:
    """Who audits, with Amazon or a simulator as the witness.

    Raises:
        RefusedError: the simulator cannot be asked.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.audit.auditor import Auditor
    from perennial_billing.starter.audit.witness import AmazonWitness
    from perennial_billing.starter.client import Subscriptions
    from perennial_billing.worker.wiring import amazon_pay_client

    settings = load_settings()
    client = await connect()
    subscriptions = Subscriptions(client, settings.task_queue)
    if simulator is None:
        async with amazon_pay_client(settings) as amazon_pay:
            yield Auditor(client, subscriptions, AmazonWitness(amazon_pay))
        return
    # Only now: where a worker is installed, there is no simulator.
    from amazon_pay_client.outbound.library import httpx
    from amazon_pay_simulator import SimulatorHandle
    from perennial_billing.sandbox.witness import BooksWitness

    try:
        async with SimulatorHandle(simulator) as handle:
            books = await handle.books()
    except httpx.HTTPError as error:
        raise RefusedError(f"--simulator {simulator}: {type(error).__name__}: {error}") from None
    yield Auditor(client, subscriptions, BooksWitness(books))


def sheet_of(wrong: Sequence["Audited"]) -> Sheet:
    """A line for each finding."""
    return Sheet(_COLUMNS, [(one.charge_permission_id, finding) for one in wrong for finding in one.findings])


async def _all(auditor: "Auditor", *, running: bool, as_json: bool) -> "list[Audited]":
    from rich.progress import Progress

    with Progress(console=err, transient=True, disable=as_json or not err.is_terminal) as progress:
        task = progress.add_task("auditing", total=None)
        audited = []
        async for one in auditor.all(ended=not running):
            audited.append(one)
            progress.advance(task)
        return audited
