"""What the Temporal server tells of a deployment that bills, and what each answer means. Nothing is asked here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType

from perennial_billing.starter.checks.check import Check, State
from perennial_billing.starter.deployments import Deployment, Release
from perennial_billing.starter.hindered import Hindered
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES

REACHED: Final = "Temporal"
ATTRIBUTES: Final = "search attributes"
WORKERS: Final = "workers"
RELEASES: Final = "releases"
FAILING: Final = "failing workflows"
PAUSED: Final = "paused workflows"
STOPPED: Final = "stopped workflows"
OVERDUE: Final = "overdue"

LATE_AFTER: Final = timedelta(minutes=10)
"""A worker that was restarted, or a queue on the first of the month, may be behind by minutes, not by more."""

_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Polled:
    """A task queue that subscriptions need, and who asks it for work.

    Attributes:
        queue: its name.
        workers: how many processes have asked within the last minutes.
    """

    queue: str
    workers: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Workflows of subscriptions, by what is wrong with them.

    Attributes:
        failing: that workers fail at, whatever their type.
        failing_one: one of the subscriptions among them, looked at closely.
        paused: somebody has paused them, or an activity of them.
        stopped: ended from outside, without having ended.
        overdue: whose next action was to be done some time ago.
    """

    failing: int = 0
    failing_one: Hindered | None = None
    paused: int = 0
    stopped: int = 0
    overdue: int = 0


def unreached(why: str) -> Check:
    """No server answers, or it does not have the namespace.

    Args:
        why: as a command says it when it starts, with what to do.
    """
    found, _, to_do = why.partition("; ")
    return Check(name=REACHED, state=State.WRONG, found=found, to_do=to_do or "see that the server runs")


def reached(namespace: str) -> Check:
    """It answers."""
    return Check(name=REACHED, state=State.DONE, found=f"it answers, and has the namespace {namespace}")


def untold(name: str, why: str) -> Check:
    """The server did not say."""
    return Check(
        name=name, state=State.UNANSWERED, found=f"Temporal did not tell ({why})", to_do="look at its log, and repeat"
    )


def search_attributes(found: Mapping[str, int]) -> Check:
    """Whether all are there that subscriptions set, of the right types.

    Args:
        found: the namespace's own, by name; of each, the number of its type.
    """
    wanted = {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    missing = [name for name in wanted if name not in found]
    mistyped = [name for name in wanted if name in found and found[name] != wanted[name]]
    if mistyped:
        types = ", ".join(f"{name} ({_type(found[name])} and not {_type(wanted[name])})" for name in mistyped)
        return Check(
            name=ATTRIBUTES,
            state=State.WRONG,
            found=f"of another type: {types}",
            to_do="use another namespace, or remove them and make them anew (docs/operations/temporal.md)",
        )
    if missing:
        names = " ".join(f"--name {name} --type {_type(wanted[name])}" for name in missing)
        return Check(
            name=ATTRIBUTES,
            state=State.MISSING,
            found=f"the namespace lacks {', '.join(missing)}",
            to_do=f"`temporal operator search-attribute create {names}`; without them nothing can be started",
        )
    return Check(name=ATTRIBUTES, state=State.DONE, found=f"all {len(wanted)} are there")


def workers(polled: Sequence[Polled]) -> Check:
    """Whether each task queue that subscriptions need is asked for work."""
    silent = [each.queue for each in polled if not each.workers]
    if not silent:
        fewest = min(each.workers for each in polled)
        return Check(name=WORKERS, state=State.DONE, found=f"{len(polled)} task queues, each with {fewest} or more")
    if len(silent) == len(polled):
        found = "nobody asks for work, so nobody is billed"
    else:
        more = f" and {len(silent) - _MOST_NAMED} more" if len(silent) > _MOST_NAMED else ""
        found = f"nobody asks for the work of {', '.join(silent[:_MOST_NAMED])}{more}"
    return Check(
        name=WORKERS,
        state=State.MISSING,
        found=found,
        to_do="start `perennial worker` with this PERENNIAL_TASK_QUEUE, or look at log and `/ready` of the one there",
    )


def releases(deployment: Deployment) -> Check:
    """Whether every release that is needed has workers, and one is current."""
    told = "; ".join(_told(each) for each in deployment.releases)
    if not deployment.releases:
        return Check(name=RELEASES, state=State.DONE, found="workers are no releases, and all are alike")
    current = deployment.current
    if current is None:
        state = State.DONE if deployment.unversioned_workers else State.WRONG
        return Check(
            name=RELEASES,
            state=state,
            found=f"none is current, so workers that are releases get nothing ({told})",
            to_do="`perennial deploy promote --first`",
        )
    stranded = [each for each in deployment.releases if each.is_stranded]
    if stranded or not current.workers:
        waits = "; ".join(f"{each.runs} runs wait for workers of {each.build_id}" for each in stranded)
        return Check(
            name=RELEASES,
            state=State.WRONG,
            found=waits or f"{current.build_id} is current and has no workers, so nothing new goes on",
            to_do="start those workers, or `perennial deploy promote` one that has some, which takes along what waits",
        )
    return Check(name=RELEASES, state=State.DONE, found=told)


def _told(release: Release) -> str:
    return f"{release.build_id}: {release.role.value}, {release.workers} workers, {release.runs} runs"


def failing(counted: Counted) -> Check:
    """Whether workers fail at workflows, as those of a broken release."""
    if not counted.failing:
        return Check(name=FAILING, state=State.DONE, found="workers fail at none")
    one = counted.failing_one
    such_as = f", such as {one.charge_permission_id}: {one.happened}" if one is not None else ""
    return Check(
        name=FAILING,
        state=State.WRONG,
        found=f"workers fail at {counted.failing}, which make no progress{such_as}",
        to_do="nobody is billed wrongly by it, and they keep all: `perennial deploy rollback` goes back to the release "
        "before, or promote one that is mended",
    )


def paused(counted: Counted) -> Check:
    """Whether somebody has paused workflows, or activities of them, in Temporal."""
    if not counted.paused:
        return Check(name=PAUSED, state=State.DONE, found="none")
    return Check(
        name=PAUSED,
        state=State.WRONG,
        found=f"{counted.paused} are paused in Temporal, and nobody bills them meanwhile",
        to_do="`perennial list --live` shows which, and `perennial recover ID` lets one go on",
    )


def stopped(counted: Counted) -> Check:
    """Whether workflows of subscriptions that have not ended were ended from outside."""
    if not counted.stopped:
        return Check(name=STOPPED, state=State.DONE, found="none")
    return Check(
        name=STOPPED,
        state=State.WRONG,
        found=f"{counted.stopped} were terminated, failed or timed out, and nobody bills them",
        to_do="`perennial recover --all --dry-run` says how they go on, and without --dry-run they do",
    )


def overdue(counted: Counted) -> Check:
    """Whether what stands next is done when its time comes."""
    minutes = LATE_AFTER // timedelta(minutes=1)
    if not counted.overdue:
        return Check(name=OVERDUE, state=State.DONE, found=f"nobody stands past the next action by {minutes} minutes")
    return Check(
        name=OVERDUE,
        state=State.WRONG,
        found=f"{counted.overdue} stand past their next action by more than {minutes} minutes",
        to_do="see that workers keep up and Amazon can be reached; `perennial list --live` shows which, and "
        "`perennial audit` why",
    )


def _type(number: int) -> str:
    """As the `temporal` program names it."""
    word = IndexedValueType.Name(IndexedValueType.ValueType(number)).removeprefix("INDEXED_VALUE_TYPE_")
    return "".join(part.capitalize() for part in word.split("_"))
