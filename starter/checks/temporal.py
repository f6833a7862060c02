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
SERVER: Final = "Temporal's server"
NAMESPACE: Final = "namespace"
QUEUES: Final = "call queues"
ATTRIBUTES: Final = "search attributes"
WORKERS: Final = "workers"
RELEASES: Final = "releases"
FAILING: Final = "failing workflows"
PAUSED: Final = "paused workflows"
STOPPED: Final = "stopped workflows"
OVERDUE: Final = "overdue"

LATE_AFTER: Final = timedelta(minutes=10)
"""A worker that was restarted, or a queue on the first of the month, may be behind by minutes, not by more."""

OLDEST_SERVER: Final = (1, 30)
"""Before it no server keeps a limit for each account (docs/operations/temporal.md)."""

SHORTEST_RETENTION: Final = timedelta(days=7)
"""Somebody who was terminated over a long weekend is brought back from the history (`perennial recover`)."""

PARTITIONS: Final = "matching.numTaskqueueReadPartitions and matching.numTaskqueueWritePartitions"
"""What the server's dynamic configuration calls them."""

_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Server:
    """What a server is.

    Attributes:
        version: such as 1.32.0; empty where it is not told.
        retention: how long it keeps what has ended.
        delivers_alone: whether activities can be run outside of workflows in the namespace.
    """

    version: str
    retention: timedelta
    delivers_alone: bool


@dataclass(frozen=True, slots=True)
class CallQueue:
    """The queue of one of Amazon's operations.

    Attributes:
        queue: its name.
        partitions: how many share its limit; None where the server does not tell.
        per_second: what each account may have of it; None where the server keeps no such limit.
    """

    queue: str
    partitions: int | None
    per_second: float | None


@dataclass(frozen=True, slots=True)
class Polled:
    """A task queue that subscriptions need, and who asks it for work.

    Attributes:
        queue: its name.
        workers: how many processes have asked within the last minutes.
        builds: the releases that they are of, where they say so.
    """

    queue: str
    workers: int
    builds: frozenset[str] = frozenset()


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


def reached(namespace: str) -> Check:
    """It answers."""
    return Check(name=REACHED, state=State.DONE, found=f"it answers, and has the namespace {namespace}")


def untold(name: str, why: str) -> Check:
    """The server did not say."""
    return Check(
        name=name, state=State.UNANSWERED, found=f"Temporal did not tell ({why})", to_do="look at its log, and repeat"
    )


def server(found: Server) -> Check:
    """Whether it has what workers use; what it lacks is slower, and never wrong."""
    notices = "" if found.delivers_alone else "; notices are delivered by small workflows, as it runs no activity alone"
    if not found.version:
        return Check(name=SERVER, state=State.DONE, found=f"it does not tell its version, as Temporal Cloud{notices}")
    numbers = tuple(int(part) for part in found.version.split(".")[:2] if part.isdecimal())
    if len(numbers) == len(OLDEST_SERVER) and numbers < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        return Check(
            name=SERVER,
            state=State.WRONG,
            found=f"{found.version} keeps no limit for each account, so all share one for each operation{notices}",
            to_do=f"bring it to {oldest} or later",
            is_mandatory=False,
        )
    return Check(name=SERVER, state=State.DONE, found=f"{found.version}{notices}")


def namespace(found: Server, name: str) -> Check:
    """Whether it keeps what has ended for long enough."""
    days = found.retention / timedelta(days=1)
    if found.retention < SHORTEST_RETENTION:
        return Check(
            name=NAMESPACE,
            state=State.WRONG,
            found=f"{name} keeps what has ended for {days:g} days; what was terminated longer ago has no history",
            to_do=f"`temporal operator namespace update --namespace {name} --retention 30d`",
            is_mandatory=False,
        )
    return Check(name=NAMESPACE, state=State.DONE, found=f"{name} keeps what has ended for {days:g} days")


def call_queues(found: Sequence[CallQueue], wanted: Mapping[str, float]) -> Check:
    """Whether the server keeps each account to Amazon's limits, and lets it have all of them.

    Args:
        found: how they stand.
        wanted: how often a second each account may have each queue, by these settings.
    """
    shared = [each for each in found if each.partitions is not None and each.partitions > 1]
    if shared:
        most = max(each.partitions or 1 for each in shared)
        return Check(
            name=QUEUES,
            state=State.WRONG,
            found=f"{_named([each.queue for each in shared])}: {most} partitions share a limit, so an account with few "
            f"calls gets a part of its own",
            to_do=f"set {PARTITIONS} to 1 for them in the server's dynamic configuration "
            "(deploy/temporal/dynamicconfig.yaml)",
            is_mandatory=False,
        )
    untold = [each.queue for each in found if each.per_second is None]
    if untold:
        return Check(
            name=QUEUES,
            state=State.MISSING,
            found=f"{_named(untold)}: no limit for each account is told to the server",
            to_do="start a worker, which tells it, or `perennial setup`; its log says where the server takes none",
            is_mandatory=False,
        )
    others = [
        f"{each.queue} {each.per_second:g} and not {wanted[each.queue]:g}"
        for each in found
        if each.per_second is not None and abs(each.per_second - wanted[each.queue]) > _EXACT * wanted[each.queue]
    ]
    if others:
        return Check(
            name=QUEUES,
            state=State.WRONG,
            found=f"the server keeps other limits than these settings have: {_named(others)}",
            to_do="set PERENNIAL_CALLS_PER_SECOND alike for all workers and commands; `perennial setup` tells these",
            is_mandatory=False,
        )
    visible = "" if all(each.partitions for each in found) else "; whether each has one partition it does not tell"
    return Check(name=QUEUES, state=State.DONE, found=f"the server keeps the limits of all {len(found)}{visible}")


_EXACT: Final = 1e-4
"""The server keeps rates with the precision of 32 bits."""


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


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
        builds = sorted({build for each in polled for build in each.builds})
        of = f", of {', '.join(builds)}" if builds else ""
        return Check(name=WORKERS, state=State.DONE, found=f"{len(polled)} task queues, each with {fewest} or more{of}")
    if len(silent) == len(polled):
        found = "nobody asks for work, so nobody is billed"
    else:
        found = f"nobody asks for the work of {_named(silent)}"
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
