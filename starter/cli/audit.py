"""The command `perennial audit`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import httpx
import typer
from rich.progress import Progress

from runtime.settings import load_settings
from runtime.temporal import connect
from starter.cli.output import JsonOption, RefusedError, err, out, run

if TYPE_CHECKING:
    from starter.audit.auditor import Audited, Auditor


def audit(
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
    run(_audit(simulator, running=running, as_json=as_json))


async def _audit(simulator: str | None, *, running: bool, as_json: bool) -> None:
    """Audits all.

    Raises:
        RefusedError: something does not hold.
    """
    from sandbox.witness import BooksWitness
    from simulator import SimulatorHandle
    from starter.audit.auditor import Auditor
    from starter.audit.witness import AmazonWitness
    from starter.subscriptions import Subscriptions
    from worker.wiring import amazon_pay_client

    settings = load_settings()
    client = await connect()
    subscriptions = Subscriptions(client, settings.task_queue)
    if simulator is not None:
        try:
            async with SimulatorHandle(simulator) as handle:
                books = await handle.books()
        except httpx.HTTPError as error:
            raise RefusedError(f"--simulator {simulator}: {type(error).__name__}: {error}") from None
        audited = await _all(Auditor(client, subscriptions, BooksWitness(books)), running=running, as_json=as_json)
    else:
        async with amazon_pay_client(settings) as amazon_pay:
            witness = AmazonWitness(amazon_pay)
            audited = await _all(Auditor(client, subscriptions, witness), running=running, as_json=as_json)
    wrong = [one for one in audited if one.findings]
    if as_json:
        out.print_json(json.dumps({"audited": len(audited), "findings": [asdict(one) for one in wrong]}))
    else:
        for one in wrong:
            for finding in one.findings:
                out.print(f"{one.charge_permission_id}  {finding}", soft_wrap=True, highlight=False)
    if wrong:
        raise RefusedError(f"{len(wrong)} of {len(audited)} subscriptions break a promise")
    if not as_json:
        out.print(f"{len(audited)} subscriptions audited; every promise holds")


async def _all(auditor: "Auditor", *, running: bool, as_json: bool) -> "list[Audited]":
    with Progress(console=err, transient=True, disable=as_json or not err.is_terminal) as progress:
        task = progress.add_task("auditing", total=None)
        audited = []
        async for one in auditor.all(ended=not running):
            audited.append(one)
            progress.advance(task)
        return audited
