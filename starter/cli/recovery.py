"""The command `perennial recover`: brings back what was terminated by mistake or failed, and mends what a restore of a
database has left."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.many import RateOption, ReportOption, do_and_tell
from perennial_billing.starter.cli.output import JsonOption, asynchronous, in_one_line, say
from perennial_billing.starter.many.runner import Outcome, Result

if TYPE_CHECKING:
    from perennial_billing.billing.view import SubscriptionView
    from perennial_billing.starter.hindered import Hindered
    from perennial_billing.starter.recovery import Recoverable, Recovery
    from perennial_billing.starter.troubles import Troubled
    from perennial_billing.starter.unpausing import Unpausing


@asynchronous
async def recover(
    charge_permission_id: Annotated[
        str | None, typer.Argument(metavar="[CHARGE_PERMISSION_ID]", help="Which one; or --all.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every one of which Temporal tells that it needs it.")] = False,
    every: Annotated[
        bool, typer.Option("--every", help="With --all: also look at each one that runs; after a restore.")
    ] = False,
    from_ledger: Annotated[
        bool, typer.Option("--from-ledger", help="Those that Temporal does not know any more; the ledger does.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why, as the notice and the ledger keep it; no personal data.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go on, and how; change nothing.")] = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring back a subscription that was terminated or failed, or that a restore of a database has set back.

    Nobody pays twice by it: what was open is sent again under the same idempotency key. What fell due meanwhile is
    caught up as the plan says, and what was said to it and not heard is taken. One that has ended is not brought back.
    One that is paused in Temporal, or an activity of it, is unpaused; --all leaves those, as somebody may mean it.
    """
    if all_ == (charge_permission_id is not None):
        raise StartupError("CHARGE_PERMISSION_ID or --all: one must be given")
    if every and (not all_ or from_ledger):
        raise StartupError("--every: is accepted with --all, and without --from-ledger")
    recovery, unpausing = await _recovery(reason)
    of_temporal = _by_temporal(recovery, unpausing, dry_run=dry_run, unpauses=not all_)
    one = _from_ledger(recovery, dry_run=dry_run) if from_ledger else of_temporal
    if charge_permission_id is None:
        names = recovery.every_lost() if from_ledger else _suspects(recovery, every=every)
        found = [name async for name in names]
        done = "can be mended" if dry_run else "mended"
        await do_and_tell(_each(found), _doing(one), done, report, rate, as_json=as_json, total=len(found))
        return
    what = await one(charge_permission_id)
    say(what.data, *what.lines, as_json=as_json)


async def _suspects(recovery: "Recovery", *, every: bool) -> AsyncIterator[str]:
    async for stopped in recovery.every_stopped():
        yield stopped.charge_permission_id
    async for name in recovery.every_running() if every else recovery.every_suspect():
        yield name


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of one.

    Attributes:
        data: for machines.
        head: what was done, or would be.
        sentences: how it stood, and how it goes on.
        is_fine: there was nothing to do.
    """

    data: dict[str, object]
    head: str
    sentences: Sequence[str]
    is_fine: bool = False

    @property
    def lines(self) -> Iterator[Text]:
        """For people."""
        yield Text(self.head, "bold")
        for sentence in self.sentences:
            yield Text(f"{_begun(sentence)}.")


def _by_temporal(
    recovery: "Recovery", unpausing: "Unpausing", *, dry_run: bool, unpauses: bool
) -> Callable[[str], Awaitable[_Said]]:
    """Whether its workflow was ended, is paused, or runs."""

    async def one(name: str) -> _Said:
        if await recovery.is_running(name):
            paused = await unpausing.paused(name)
            if paused is not None:
                if unpauses and not dry_run:
                    await unpausing.unpause(paused)
                return _of_paused(paused, dry_run=dry_run, unpauses=unpauses)
            troubled = await (recovery.examine if dry_run else recovery.mend)(name)
            if troubled is None:
                await unpausing.check_progress(name)
            return _of_running(name, troubled, dry_run=dry_run)
        what = await (recovery.look if dry_run else recovery.recover)(name)
        head = f"{name} {'would be' if dry_run else 'is'} brought back. {_begun(what.stopped.happened)}."
        return _Said(as_data(what, recovered=not dry_run), head, [*_sentences(what)])

    return one


def _from_ledger(recovery: "Recovery", *, dry_run: bool) -> Callable[[str], Awaitable[_Said]]:
    async def one(name: str) -> _Said:
        from perennial_billing.billing.view import view_of

        lost = await (recovery.look_up if dry_run else recovery.from_ledger)(name)
        data: dict[str, object] = {
            "charge_permission_id": name,
            "recovered": not dry_run,
            "recorded_at": lost.recorded_at.isoformat(),
            "status": lost.stood.status.value,
            "next_period": lost.stood.next_period,
            **_next(view_of(lost.goes_on)),
        }
        begun = "would be" if dry_run else "is"
        head = f"{name} {begun} brought back as the ledger had it {_instant(lost.recorded_at)}."
        return _Said(data, head, [f"it was {_status(lost.stood)}", *_following(view_of(lost.goes_on))])

    return one


def _of_running(name: str, troubled: "Troubled | None", *, dry_run: bool) -> _Said:
    data: dict[str, object] = {"charge_permission_id": name, "recovered": troubled is not None and not dry_run}
    if troubled is None:
        return _Said({**data, "troubles": []}, f"{name} runs, and nothing is amiss with it.", [], is_fine=True)
    data |= {
        "troubles": [each.value for each in troubled.troubles],
        "found": list(troubled.found),
        "reset_to_event": troubled.reset_to,
        "missing_entries": list(troubled.missing),
        "status": troubled.stood.status.value,
        "next_period": troubled.goes_on.next_period,
        **_next(troubled.goes_on),
    }
    head = f"{name} {'would be' if dry_run else 'is'} mended: {', '.join(troubled.troubles)}."
    return _Said(data, head, [*troubled.found, *_mends(troubled), *_following(troubled.goes_on)])


def _of_paused(paused: "Hindered", *, dry_run: bool, unpauses: bool) -> _Said:
    at = paused.at.isoformat() if paused.at else None
    name = paused.charge_permission_id
    data: dict[str, object] = {
        "charge_permission_id": name,
        "recovered": unpauses and not dry_run,
        "hindered": {"how": paused.how.value, "at": at, "by": paused.by, "why": paused.why},
    }
    if not unpauses:
        return _Said(data, f"{name} is left as it is: {paused.happened}.", [], is_fine=True)
    head = f"{name} {'would go on' if dry_run else 'goes on'}. {_begun(paused.happened)}."
    caught_up = "what fell due meanwhile is caught up as the plan says, and what was said to it is taken"
    return _Said(data, head, [caught_up])


def _mends(troubled: "Troubled") -> Iterator[str]:
    if troubled.reset_to is not None:
        yield f"its workflow is reset to before event {troubled.reset_to}; what was said to it since is said again"
    if troubled.missing:
        yield "what the ledger lacks is recorded again, as far as Temporal retains it"
    if troubled.goes_on != troubled.stood:
        yield (
            f"it goes on with what the ledger has kept: period {troubled.goes_on.next_period} is next, where the "
            f"workflow had {troubled.stood.next_period}"
        )


def _next(view: "SubscriptionView") -> dict[str, object]:
    return {"next": view.next.model_dump(mode="json") if view.next else None}


def _following(view: "SubscriptionView") -> Iterator[str]:
    if view.next is not None:
        yield f"next: {view.next.action.value}, {_instant(view.next.at)} ({view.next.why})"


def _status(view: "SubscriptionView") -> str:
    return f"{view.status.value.replace('_', ' ')}{', past due' if view.past_due else ''}"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


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
    settings = load_settings()
    client = await connect(settings)
    return (
        Recovery(client, ledger=lambda: ledger_of(settings), asker=asker, task_queue=settings.task_queue),
        Unpausing(client, asker=asker),
    )


async def _each(found: list[str]) -> AsyncIterator[str]:
    for charge_permission_id in found:
        yield charge_permission_id


def _doing(perform: Callable[[str], Awaitable[_Said]]) -> Callable[[str], Awaitable[Result]]:
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
        outcome = Outcome.ALREADY if what.is_fine else Outcome.DONE
        return Result(charge_permission_id, outcome, "; ".join(what.sentences) or what.head)

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


def _open_attempt(what: "Recoverable") -> dict[str, object] | None:
    owed = what.stood.owed
    if owed is None or not owed.attempt_is_open:
        return None
    return {"period": owed.period, "attempt": owed.attempts, "amount": str(owed.amount)}


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _sentences(what: "Recoverable") -> Iterator[str]:
    """How it goes on."""
    stood = what.stood
    yield f"it was {_status(stood)}"
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
    yield from _following(what.goes_on)
