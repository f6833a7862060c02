"""Which release of the workers has which subscriptions: seen, and moved from one to another.

Temporal calls the workers of one purpose a worker deployment, and each build of them a version; here a version is a
release, by its build id. A run stays with the release that began it, until it wakes and finds that another is to have
it (`workflows.releases`). So after another release was made current, all that sleep are woken once, and the former one
is not needed any more when they have gone on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import PendingWorkflowTaskState, TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.client import WorkflowExecution as Run
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.starter.hindered import PROBLEMS
from perennial_billing.starter.pacing import Pace
from perennial_billing.workflows.names import WAKE

WAKES_PER_SECOND: Final = 50.0
"""How many sleepers are woken: each makes some ten events, and a payday shall not wait for them."""

ASKED_WITHIN: Final = timedelta(minutes=2)
"""A worker asks anew each minute. The server remembers one for minutes after it has asked last, and what is frozen or
gone is not to count for as long."""

_LOOK_AGAIN: Final = 0.5
"""Seconds. What the server lists may be behind by as much."""

_FREED_WITHIN: Final = timedelta(seconds=30)
"""More than the ten seconds that a worker has for a workflow task, before another is given it."""

_FREED_AT_ONCE: Final = 100

_TAKEN_WITHIN: Final = timedelta(seconds=4)
"""A task of a run, where its release has workers: they wait for it, and nothing else is asked of them for so long."""

_LOOKED_AT_AT_ONCE: Final = 500

_RUNNING: Final = "CloseTime IS NULL AND TaskQueue = '{queue}'"
_OF: Final = "TemporalWorkerDeploymentVersion = '{name}:{build}'"
_UNVERSIONED: Final = "TemporalWorkerDeploymentVersion IS NULL"
_STUCK: Final = f"{PROBLEMS} IS NOT NULL"


class Role(StrEnum):
    """What a release is there for: new runs, a share of them, or those only that it has."""

    CURRENT = "current"
    RAMPING = "ramping"
    FORMER = "former"
    NEW = "new"


@dataclass(frozen=True)
class Release:
    """One build of the workers.

    Attributes:
        build_id: its name.
        role: what it is there for.
        percent: of new runs, while it is ramping.
        since: when it was first seen (UTC).
        last_current: when it stopped being current (UTC); None where it never did.
        runs: of workflows that only this release goes on with.
        stuck: how many of these report problems.
        workers: processes that ask for work.
    """

    build_id: str
    role: Role
    percent: float | None
    since: datetime | None
    last_current: datetime | None
    runs: int
    stuck: int
    workers: int

    @property
    def is_stranded(self) -> bool:
        """Whether runs wait for workers that are not there."""
        return self.runs > 0 and self.workers == 0

    @property
    def may_be_stopped(self) -> bool:
        """Whether nothing needs its workers any more."""
        return self.role is Role.FORMER and self.runs == 0


@dataclass(frozen=True)
class Deployment:
    """All releases of the workers.

    Attributes:
        name: of the worker deployment.
        releases: the current one first, then from the newest to the oldest.
        unversioned_runs: that no release has yet; they go on with the current one when they wake.
        unversioned_workers: processes that ask for work and are no release.
    """

    name: str
    releases: Sequence[Release]
    unversioned_runs: int
    unversioned_workers: int

    @property
    def current(self) -> Release | None:
        """The release that new runs go to."""
        return next((each for each in self.releases if each.role is Role.CURRENT), None)

    @property
    def before(self) -> Release | None:
        """The one that was current last, before the current one."""
        former = [each for each in self.releases if each.role is Role.FORMER and each.last_current]
        return max(former, key=lambda each: each.last_current or datetime.min.replace(tzinfo=UTC), default=None)

    def find(self, build_id: str) -> Release:
        """A release by its build id.

        Raises:
            Refused: there is none.
        """
        for release in self.releases:
            if release.build_id == build_id:
                return release
        known = ", ".join(each.build_id for each in self.releases) or "none yet"
        raise Refused("build_id", build_id, f"a release whose workers have asked for work is accepted: {known}")


@dataclass(frozen=True)
class Moved:
    """What came of moving runs to another release.

    Attributes:
        woken: how often a sleeping run was woken.
        freed: runs that their release could not go on with, and that were given to the current one.
        left: runs that still are with another release than the current one.
    """

    woken: int
    freed: int
    left: int


class Deployments:
    """The worker deployment of a task queue.

    Args:
        client: of the namespace.
        name: the deployment's.
        task_queue: of the subscriptions.
    """

    def __init__(self, client: Client, name: str, task_queue: str) -> None:
        self._client, self._name, self._queue = client, name, task_queue

    async def look(self) -> Deployment:
        """How it stands.

        Raises:
            RPCError: the server does not tell.
        """
        info, workers = await self._info(), await self._workers()
        releases = [await self._release(info, version, workers) for version in info.version_summaries]
        order = {Role.CURRENT: 0, Role.RAMPING: 1, Role.NEW: 2, Role.FORMER: 3}
        oldest = datetime.min.replace(tzinfo=UTC)
        releases.sort(key=lambda each: each.since or oldest, reverse=True)
        releases.sort(key=lambda each: order[each.role])
        return Deployment(
            self._name, releases, await self._count(_UNVERSIONED), sum(1 for build in workers if build is None)
        )

    async def promote(self, build_id: str) -> None:
        """New runs go to a release, and all others when they wake. A ramp ends.

        Raises:
            Refused: there is no such release, or it has no workers.
        """
        _has_workers((await self.look()).find(build_id))
        await self._client.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=self._client.namespace, deployment_name=self._name, build_id=build_id
            )
        )
        if (await self._info()).routing_config.HasField("ramping_deployment_version"):
            await self._ramp("", 0)

    async def ramp(self, build_id: str, percent: float) -> None:
        """A share goes to a release: of new runs at once, of others when they wake.

        Raises:
            Refused: there is no such release, it has no workers, or it is the current one.
        """
        release = (await self.look()).find(build_id)
        if release.role is Role.CURRENT:
            raise Refused("build_id", build_id, "is current: it has all already", Kind.CONFLICT)
        _has_workers(release)
        await self._ramp(build_id, percent)

    async def move(
        self, *, patience: timedelta, seen: Callable[[int], None], per_second: float = WAKES_PER_SECOND
    ) -> Moved:
        """Wakes what another release than the current one has, until nothing is left or nothing more comes of it.

        Those that their own release fails at cannot wake, nor those whose release has no workers any more. They are
        given to the current one as they are, which goes on with them where it would have done the same until then.

        Args:
            patience: for how long nothing may come of it.
            seen: is told how many are left, again and again.
            per_second: how many are woken.

        Raises:
            Refused: no release is current.
        """
        if not (await self.look()).current:
            raise Refused("build_id", "", "no release is current yet: `perennial deploy promote` makes one so")
        woken, freed, waiting, is_freeing = 0, 0, _Patience(patience), False
        touched: set[str] = set()
        pace = Pace(per_second)
        while True:
            left = [run async for run in self._elsewhere()]
            seen(len(left))
            if waiting.is_over_with(len(left)):
                return Moved(woken, freed, len(left))
            for run in left:
                if run.run_id not in touched:
                    touched.add(run.run_id)
                    await pace.wait()
                    woken += await self._wake(run)
            if waiting.is_half_over or is_freeing:
                now_freed = await self._free(await self._cannot_wake(left))
                freed, is_freeing = freed + now_freed, now_freed > 0
            await asyncio.sleep(_LOOK_AGAIN)

    # What is asked of the server

    async def _info(self) -> WorkerDeploymentInfo:
        try:
            described = await self._client.workflow_service.describe_worker_deployment(
                DescribeWorkerDeploymentRequest(namespace=self._client.namespace, deployment_name=self._name)
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return WorkerDeploymentInfo(name=self._name)
            raise
        return described.worker_deployment_info

    async def _current(self) -> str:
        return str((await self._info()).routing_config.current_deployment_version.build_id)

    async def _workers(self) -> list[str | None]:
        """The build id of each process that asks for work; None of one that is no release."""
        described = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=self._queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
        seen: set[tuple[str, str | None]] = set()
        since = datetime.now(UTC) - ASKED_WITHIN
        for poller in described.pollers:
            if poller.last_access_time.ToDatetime(UTC) < since:
                continue
            options = poller.deployment_options
            versioned = options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
            if not versioned:
                seen.add((poller.identity, None))
            elif options.deployment_name == self._name:
                seen.add((poller.identity, options.build_id))
        return [build for _, build in seen]

    async def _release(
        self,
        info: WorkerDeploymentInfo,
        version: WorkerDeploymentInfo.WorkerDeploymentVersionSummary,
        workers: Sequence[str | None],
    ) -> Release:
        build, routing = version.deployment_version.build_id, info.routing_config
        last_current = _instant(version.last_current_time)
        percent = None
        if build == routing.current_deployment_version.build_id:
            role = Role.CURRENT
        elif build == routing.ramping_deployment_version.build_id:
            role, percent = Role.RAMPING, routing.ramping_version_percentage
        else:
            role = Role.FORMER if version.HasField("first_activation_time") else Role.NEW
        of = _OF.format(name=self._name, build=build)
        return Release(
            build_id=build,
            role=role,
            percent=percent,
            since=_instant(version.create_time),
            last_current=None if role is Role.CURRENT else last_current,
            runs=await self._count(of),
            stuck=await self._count(f"{of} AND {_STUCK}"),
            workers=workers.count(build),
        )

    async def _count(self, query: str) -> int:
        return (await self._client.count_workflows(f"{_RUNNING.format(queue=self._queue)} AND {query}")).count

    async def _elsewhere(self, condition: str = "") -> AsyncIterator[Run]:
        """Running workflows that another release than the current one has."""
        current = await self._current()
        query = f"{_RUNNING.format(queue=self._queue)}{condition}"
        theirs = f"TemporalWorkerDeploymentVersion != '{self._name}:{current}'"
        for these in (f"{query} AND {theirs}", f"{query} AND {_UNVERSIONED}"):
            async for run in self._client.list_workflows(these):
                yield run

    async def _ramp(self, build_id: str, percent: float) -> None:
        await self._client.workflow_service.set_worker_deployment_ramping_version(
            SetWorkerDeploymentRampingVersionRequest(
                namespace=self._client.namespace, deployment_name=self._name, build_id=build_id, percentage=percent
            )
        )

    async def _wake(self, run: Run) -> int:
        """Answers how many were woken: none, where it has ended meanwhile."""
        try:
            await self._client.get_workflow_handle(run.id).signal(WAKE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return 0
            raise
        return 1

    async def _cannot_wake(self, left: Sequence[Run]) -> list[Run]:
        """Some of those that are left: their release fails at them, or nobody takes what they are to do."""
        stuck = [run async for run in self._elsewhere(f" AND {_STUCK}")]
        known = {run.run_id for run in stuck}
        others = [run for run in left if run.run_id not in known][:_LOOKED_AT_AT_ONCE]
        waits = await asyncio.gather(*(self._is_taken_by_nobody(run) for run in others))
        stuck += [run for run, is_waiting in zip(others, waits, strict=True) if is_waiting]
        return stuck[:_FREED_AT_ONCE]

    async def _is_taken_by_nobody(self, run: Run) -> bool:
        """Whether a task of a run waits for a worker for so long that there is none."""
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        try:
            described = (await handle.describe()).raw_description
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        task = described.pending_workflow_task
        if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
            return False
        # By the workflow's own time, as a server that can skip it counts.
        skipped = described.workflow_extended_info.time_skipping_info
        now = skipped.current_time.ToDatetime(UTC) if skipped.ByteSize() else datetime.now(UTC)
        return now - task.scheduled_time.ToDatetime(UTC) > _TAKEN_WITHIN

    async def _free(self, runs: Sequence[Run]) -> int:
        """Lets the current release go on with runs that their own fails at; answers how many it goes on with.

        What their own has taken on last is given to another only when the time for it is over.
        """
        for run in runs:
            await self._override(run, VersioningOverride(auto_upgrade=True))
        try:
            current = await self._current()
            return sum(await asyncio.gather(*(self._is_freed(run, current) for run in runs)))
        finally:
            for run in runs:
                await self._override(run, None)

    async def _is_freed(self, run: Run, current: str) -> bool:
        """Whether the current release goes on with a run, within some time."""
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        deadline = asyncio.get_running_loop().time() + _FREED_WITHIN.total_seconds()
        while asyncio.get_running_loop().time() < deadline:
            described = await handle.describe()
            info = described.raw_description.workflow_execution_info.versioning_info
            if described.status is not WorkflowExecutionStatus.RUNNING:
                return True  # it has gone on as a new run
            if info.deployment_version.build_id == current:
                return True
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    async def _override(self, run: Run, override: VersioningOverride | None) -> None:
        """Sets by which version a run goes on, or takes that back."""
        try:
            await self._client.workflow_service.update_workflow_execution_options(
                UpdateWorkflowExecutionOptionsRequest(
                    namespace=self._client.namespace,
                    workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id),
                    workflow_execution_options=WorkflowExecutionOptions(versioning_override=override),
                    update_mask=FieldMask(paths=["versioning_override"]),
                )
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


class _Patience:
    """How long nothing comes of it, while fewer and fewer are to be left."""

    def __init__(self, lasts: timedelta) -> None:
        self._lasts = lasts.total_seconds()
        self._least: int | None = None
        self._since = self._now

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def is_over_with(self, left: int) -> bool:
        """Whether none is left, or as many as long before."""
        if self._least is None or left < self._least:
            self._least, self._since = left, self._now
        return left == 0 or self._now - self._since > self._lasts

    @property
    def is_half_over(self) -> bool:
        """Whether those that could wake have done so."""
        return self._now - self._since > self._lasts / 2


def _has_workers(release: Release) -> None:
    if release.workers == 0:
        why = "none of its workers asks for work: start them, and ask again"
        raise Refused("build_id", release.build_id, why, Kind.NOT_NOW)


def _instant(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(UTC) if stamp.ByteSize() else None
