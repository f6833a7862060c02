"""The command `perennial recover`: brings back what was terminated by mistake, or failed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.many import RateOption, ReportOption, do_and_tell
from perennial_billing.starter.cli.output import JsonOption, asynchronous, in_one_line, say
from perennial_billing.starter.many.runner import Outcome, Result

if TYPE_CHECKING:
    from perennial_billing.starter.hindered import Hindered
    from perennial_billing.starter.recovery import Recoverable, Recovery
    from perennial_billing.starter.unpausing import Unpausing


@asynchronous
async def recover(
    charge_permission_id: Annotated[
        str | None, typer.Argument(metavar="[CHARGE_PERMISSION_ID]", help="Which one; or --all.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every one that Temporal retains.")] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why, as the notice and the ledger keep it; no personal data.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go on, and how; change nothing.")] = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring back a subscription whose workflow was terminated, failed or timed out, with all it knew.

    Nobody pays twice by it: what was open is sent again under the same idempotency key. What fell due meanwhile is
    caught up as the plan says, and what was said to it and not heard is taken. One that has ended is not brought back.
    One that is paused in Temporal, or an activity of it, is unpaused; --all leaves those, as somebody may mean it.
    """
    recovery, unpausing = await _recovery(reason)
    if all_ == (charge_permission_id is not None):
        raise StartupError("CHARGE_PERMISSION_ID or --all: one must be given")
    if charge_permission_id is None:
        found = [each.charge_permission_id async for each in recovery.every_stopped()]
        done = "can be brought back" if dry_run else "brought back"
        one = _doing(recovery.look if dry_run else recovery.recover)
        await do_and_tell(_each(found), one, done, report, rate, as_json=as_json, total=len(found))
        return
    paused = await unpausing.look(charge_permission_id)
    if paused is not None:
        if not dry_run:
            await unpausing.unpause(paused)
        say(
            as_data_of_paused(paused, recovered=not dry_run),
            *_lines_of_paused(paused, dry_run=dry_run),
            as_json=as_json,
        )
        return
    what = await (recovery.look if dry_run else recovery.recover)(charge_permission_id)
    say(as_data(what, recovered=not dry_run), *_lines(what, dry_run=dry_run), as_json=as_json)


async def _recovery(reason: str | None) -> "tuple[Recovery, Unpausing]":
    from perennial_billing.billing.requests import Asker
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.recovery import Recovery
    from perennial_billing.starter.unpausing import Unpausing
    from perennial_billing.worker.books import ledger_of

    try:
        asker = Asker(actor="perennial recover", because=reason)
    except ValidationError as error:
        raise StartupError(in_one_line(error, {"because": "--reason"})) from None
    settings, client = load_settings(), await connect()
    return Recovery(client, ledger=lambda: ledger_of(settings), asker=asker), Unpausing(client, asker=asker)


async def _each(found: list[str]) -> AsyncIterator[str]:
    for charge_permission_id in found:
        yield charge_permission_id


def _doing(perform: "Callable[[str], Awaitable[Recoverable]]") -> Callable[[str], Awaitable[Result]]:
    """One of many; a refusal stops no other."""
    from temporalio.service import RPCError

    from perennial_billing.starter.errors import SubscriptionConflictError, SubscriptionError

    async def one(charge_permission_id: str) -> Result:
        try:
            what = await perform(charge_permission_id)
        except SubscriptionConflictError as error:
            return Result(charge_permission_id, Outcome.ALREADY, str(error))
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        except RPCError as error:
            return Result(charge_permission_id, Outcome.REFUSED, f"Temporal does not answer: {error.message}")
        return Result(charge_permission_id, Outcome.DONE, "; ".join(_sentences(what)))

    return one


def as_data(what: "Recoverable", *, recovered: bool) -> dict[str, object]:
    """What is brought back, for machines."""
    found, following = what.stopped, what.goes_on.next
    return {
        "charge_permission_id": found.charge_permission_id,
        "recovered": recovered,
        "stopped": {"how": found.how.value, "at": found.at.isoformat(), "by": found.by, "why": found.why},
        "status": what.stood.status.value,
        "next_period": what.stood.next_period,
        "fallen_due": what.fallen_due,
        "open_attempt": _open_attempt(what),
        "unheard": [
            {"name": each.name, "at": each.at.isoformat(), "taken": each.said is not None} for each in what.unheard
        ],
        "next": following.model_dump(mode="json") if following else None,
    }


def as_data_of_paused(paused: "Hindered", *, recovered: bool) -> dict[str, object]:
    """What goes on after a pause, for machines."""
    at = paused.at.isoformat() if paused.at else None
    return {
        "charge_permission_id": paused.charge_permission_id,
        "recovered": recovered,
        "hindered": {"how": paused.how.value, "at": at, "by": paused.by, "why": paused.why},
    }


def _lines_of_paused(paused: "Hindered", *, dry_run: bool) -> Iterator[Text]:
    head = "would go on" if dry_run else "goes on"
    yield Text.assemble((f"{paused.charge_permission_id} {head}. ", "bold"), f"{_begun(paused.happened)}.")
    yield Text("What fell due meanwhile is caught up as the plan says, and what was said to it is taken.")


def _open_attempt(what: "Recoverable") -> dict[str, object] | None:
    owed = what.stood.owed
    if owed is None or not owed.attempt_is_open:
        return None
    return {"period": owed.period, "attempt": owed.attempts, "amount": str(owed.amount)}


def _lines(what: "Recoverable", *, dry_run: bool) -> Iterator[Text]:
    name = what.stopped.charge_permission_id
    head = "would be brought back" if dry_run else "is brought back"
    yield Text.assemble((f"{name} {head}. ", "bold"), f"{_begun(what.stopped.happened)}.")
    for sentence in _sentences(what):
        yield Text(f"{_begun(sentence)}.")


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _sentences(what: "Recoverable") -> Iterator[str]:
    """How it goes on."""
    stood, following = what.stood, what.goes_on.next
    yield f"it was {stood.status.value.replace('_', ' ')}{', past due' if stood.past_due else ''}"
    if stood.owed is not None and stood.owed.attempt_is_open:
        owed = stood.owed
        yield (
            f"attempt {owed.attempts} of period {owed.period}, {owed.amount}, was open: it is sent again under the "
            "same idempotency key, so nobody pays twice"
        )
    if what.fallen_due:
        catch_up = stood.agreed.plan.collection.catch_up.value
        yield f"{what.fallen_due} periods have fallen due and are caught up as the plan says ({catch_up})"
    for each in what.unheard:
        taken = "is taken now" if each.said is not None else "means nothing any more"
        yield f"{each.name}, {each.at:%Y-%m-%d %H:%M} UTC, was never heard: it {taken}"
    if following is not None:
        yield f"next: {following.action.value}, {following.at:%Y-%m-%d %H:%M} UTC ({following.why})"
