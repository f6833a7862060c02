"""The test clock: moves running subscriptions through virtual time, on a Temporal server that can skip time.

It is for a merchant who tries an integration, from any process that reaches the server: never with real money. Each
subscription has a clock of its own; it goes on from wherever it was moved to, as fast as every other clock.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from perennial_billing.billing.calendar import BillingCalendar, Interval, Unit
from perennial_billing.billing.contract.terms import LATEST_ANCHOR_YEAR
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.runtime.settings import Environment
from perennial_billing.runtime.temporal import MOST_SKIPS, is_busy, is_unknown
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import (
    NoTestClockError,
    NotSettledError,
    RequestRefusedError,
    SubscriptionEndedError,
    SubscriptionNotFoundError,
)
from perennial_billing.workflows.names import workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow

PAST_THE_DATE: Final = timedelta(minutes=1)
"""A skip to an exact timer returns before the workflow has reacted, so skips go past it."""

LOOK_EVERY_SECONDS: Final = 0.02
QUIET_LOOKS: Final = 2
LOOKS_AT_WHAT_IS_LATE: Final = 10
"""What should have been done by now follows at once, unless something holds it up that no wait ends."""

SETTLES_WITHIN_SECONDS: Final = 60.0
"""How long is waited for what is under way at one date, before it is told that it does not end."""

_FIXED: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_MOST: Final = 100_000

Handle = WorkflowHandle[SubscriptionWorkflow, SubscriptionView]


@dataclass(frozen=True, slots=True)
class By:
    """So much time, as a calendar has it: a month later is the same day of the next month, at the same wall time.

    Attributes:
        count: how many.
        unit: minute, hour, day, week, month or year.
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of such words as `month`, `2 weeks` or `36 hours`.

        Raises:
            Refused: it is no such duration.
        """
        count, _, unit = text.strip().rpartition(" ")
        unit = unit.removesuffix("s")
        known = unit in _FIXED or unit in set(Unit)
        if not known or not (count or "1").isdecimal() or not 0 < int(count or 1) <= _MOST:
            accepted = "so many minutes, hours, days, weeks, months or years are, such as 'month' or '36 hours'"
            raise Refused("by", repr(text), accepted)
        return cls(int(count or 1), unit)

    def after(self, instant: datetime, zone: str) -> datetime:
        """The instant (UTC) that comes so much later, counted in a zone.

        Raises:
            Refused: no calendar of ours reaches so far.
        """
        try:
            if self.unit in _FIXED:
                return instant + self.count * _FIXED[self.unit]
            each = Interval(unit=Unit(self.unit))
            return BillingCalendar(anchor=instant, zone=zone, interval=each).due(self.count)
        except (OverflowError, ValueError):
            raise _too_far("by", f"{self.count} {self.unit}s") from None


@dataclass(frozen=True, slots=True)
class Step:
    """Where a subscription is on its way.

    Attributes:
        at: its time (UTC).
        view: how it stands, now that nothing is under way.
        target: where it is being moved to (UTC).
    """

    at: datetime
    view: SubscriptionView
    target: datetime


def check_environment(environment: Environment) -> None:
    """Whether time may be skipped at all.

    Raises:
        NoTestClockError: the environment is live.
    """
    if environment is Environment.LIVE:
        raise NoTestClockError(
            "PERENNIAL_ENVIRONMENT: live is not accepted; the test clock is for the sandbox, and no time is skipped "
            "where buyers are charged real money"
        )


class SubscriptionClock:
    """Tells and moves the time of single subscriptions.

    Args:
        client: of the Temporal server.
        subscriptions: where they are.
        environment: Amazon Pay's, as the settings have it.

    Raises:
        NoTestClockError: the environment is live.
    """

    def __init__(self, client: Client, subscriptions: Subscriptions, environment: Environment) -> None:
        check_environment(environment)
        self._client, self._subscriptions = client, subscriptions
        self._skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False, max_session_skip_count=MOST_SKIPS))

    async def now(self, charge_permission_id: str) -> datetime:
        """A subscription's time (UTC); that of everybody where it was never moved.

        Raises:
            SubscriptionNotFoundError: there is none.
        """
        try:
            return await self._skipper.get_current_time(self._handle(charge_permission_id))
        except RPCError as error:
            raise _explained(error, charge_permission_id) from error

    async def departure(self, charge_permission_id: str, *, to: datetime | None = None, by: By | None = None) -> Step:
        """Where a subscription is before it is moved, and where it would be moved to; arguments and errors as of
        `advance`."""
        view, now = await self.settled(charge_permission_id)
        if view.has_ended:
            raise SubscriptionEndedError(
                f"charge permission {charge_permission_id}: its subscription has ended already"
            )
        try:
            target = _target(now, view.terms.zone, to, by)
        except Refused as refused:
            raise RequestRefusedError(charge_permission_id, refused) from None
        return Step(now, view, target)

    async def advance(
        self, charge_permission_id: str, *, to: datetime | None = None, by: By | None = None
    ) -> AsyncIterator[Step]:
        """Moves a subscription on, from each date at which it does something to the next, and past the last instant.

        Two that move the same subscription at once are in each other's way, and one of them is told so.

        Args:
            charge_permission_id: which.
            to: until just after this instant.
            by: or by so much, counted in the subscription's zone. One of the two is given.

        Returns:
            Where it is, first before it is moved, and then after each step; the last is where it has arrived, or ended.

        Raises:
            RequestRefusedError: the instant is not to come, neither or both are given, or somebody else is moving it.
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
            NoWorkerError: no worker answers.
            NotSettledError: what is under way at a date does not end.
            NoTestClockError: the server cannot skip time.
        """
        first = await self.departure(charge_permission_id, to=to, by=by)
        now, view, target = first.at, first.view, first.target
        yield first
        while now <= target and not view.has_ended:
            at = view.next.at if view.next is not None and now < view.next.at < target else target
            await self._skip(charge_permission_id, at - now + PAST_THE_DATE)
            view, now = await self.settled(charge_permission_id)
            yield Step(now, view, target)

    async def _skip(self, charge_permission_id: str, duration: timedelta) -> None:
        try:
            async with asyncio.timeout(SETTLES_WITHIN_SECONDS):
                await self._skipper.fast_forward(self._handle(charge_permission_id), duration)
        except RPCError as error:
            raise _explained(error, charge_permission_id) from error
        except TimeoutError:
            raise await self._not_settled(charge_permission_id) from None
        except RuntimeError:  # the SDK's only word for it
            why = "another command is moving it: wait until that one is done"
            raise RequestRefusedError(charge_permission_id, Refused("to", "", why)) from None

    async def settled(self, charge_permission_id: str) -> tuple[SubscriptionView, datetime]:
        """How a subscription stands once nothing of it is under way, and its time (UTC) then.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
            NotSettledError: what is under way does not end.
        """
        for _ in range(LOOKS_AT_WHAT_IS_LATE):
            view, now = await self._idle(charge_permission_id), await self.now(charge_permission_id)
            if view.next is None or view.next.at > now:
                break
            await asyncio.sleep(LOOK_EVERY_SECONDS)  # its timer of a millisecond takes longer on a busy machine
        else:
            view, now = await self._idle(charge_permission_id), await self.now(charge_permission_id)
        return view, now

    async def _idle(self, charge_permission_id: str) -> SubscriptionView:
        try:
            async with asyncio.timeout(SETTLES_WITHIN_SECONDS):
                await _until_idle(self._client, workflow_id(charge_permission_id))
        except RPCError as error:
            raise _explained(error, charge_permission_id) from error
        except TimeoutError:
            raise await self._not_settled(charge_permission_id) from None
        return await self._subscriptions.status(charge_permission_id)

    async def _not_settled(self, charge_permission_id: str) -> NotSettledError:
        """What is told of one that is under way for so long; that no worker is there, before all else."""
        view = await self._subscriptions.status(charge_permission_id)
        doing = f"{view.next.action.value} ({view.next.why})" if view.next else "its last task"
        return NotSettledError(
            f"charge permission {charge_permission_id}: {doing} is under way for {SETTLES_WITHIN_SECONDS:.0f} s, and "
            "no time is skipped meanwhile; does Amazon, or the simulator, answer the worker?"
        )

    def _handle(self, charge_permission_id: str) -> Handle:
        return self._client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(charge_permission_id))


async def _until_idle(client: Client, workflow: str) -> None:
    """Waits until neither an activity nor a task of a workflow is under way, at several looks.

    Raises:
        RPCError: there is no such workflow, or Temporal does not answer.
    """
    quiet = 0
    while quiet < QUIET_LOOKS:
        quiet = 0 if await is_busy(client, workflow) else quiet + 1
        if quiet < QUIET_LOOKS:
            await asyncio.sleep(LOOK_EVERY_SECONDS)


def _target(now: datetime, zone: str, to: datetime | None, by: By | None) -> datetime:
    if (to is None) == (by is None):
        raise Refused("to", "", "one of `to` and `by` must be given")
    if by is not None:
        target, field = by.after(now, zone), "by"
    else:
        target, field = (to or now), "to"
        if target.tzinfo is None:
            raise Refused(field, target.isoformat(), "an instant with its offset is, such as 2026-01-31T09:00:00+01:00")
    if target <= now:
        why = f"its time is {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and goes forward only: a later instant is"
        raise Refused(field, target.isoformat(), why)
    if target.year > LATEST_ANCHOR_YEAR:
        raise _too_far(field, target.isoformat())
    return target.astimezone(UTC)


def _too_far(field: str, value: str) -> Refused:
    return Refused(field, value, f"instants up to the year {LATEST_ANCHOR_YEAR} are")


def _explained(
    error: RPCError, charge_permission_id: str
) -> NoTestClockError | SubscriptionNotFoundError | SubscriptionEndedError:
    subject = f"charge permission {charge_permission_id}"
    if error.status is RPCStatusCode.NOT_FOUND and "already completed" in error.message:
        return SubscriptionEndedError(f"{subject}: its subscription has ended already")
    if is_unknown(error):
        return SubscriptionNotFoundError(f"{subject}: there is no subscription; `perennial list` shows those there are")
    if error.status is RPCStatusCode.UNIMPLEMENTED:
        return NoTestClockError(
            f"{subject}: this Temporal server cannot skip time (UNIMPLEMENTED); one of your own can, of 1.32 or later, "
            "with frontend.workflowTimeSkippingEnabled in its dynamic configuration"
        )
    return NoTestClockError(f"{subject}: its time was not moved: {error.status.name}: {error.message}")
