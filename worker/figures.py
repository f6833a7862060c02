"""What stands in the ledger, as metrics: one worker of a deployment reads it, and all say whether they reach it.

Which one reads is no election, and nobody is asked: each looks whom the Temporal server has seen asking for work, and
the first of them by name does it. While workers come and go it may be two, who say the same, or none, for a minute or
two. A worker that does not read says 0, so that the largest of what all say is how it is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.service import RPCError

from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.figures import Figures, read_figures
from perennial_billing.ledger.ledger import Ledger

EVERY_SECONDS: Final = 30.0
"""As often as Prometheus usually reads."""

ANSWERS_WITHIN: Final = timedelta(seconds=5)
"""A server that does not say by then who works is taken not to tell."""

SEEN_WITHIN: Final = timedelta(minutes=2)
"""A worker asks again after a minute at the latest."""

_PAST_DUE: Final = "perennial_subscriptions_past_due"
_ATTENTION: Final = "perennial_subscriptions_needing_attention"
_ON_HOLD: Final = "perennial_subscriptions_on_hold"
_OVERDUE: Final = "perennial_subscriptions_overdue"
_UNDELIVERED: Final = "perennial_notices_undelivered"
_OLDEST: Final = "perennial_notices_undelivered_oldest_age_seconds"
_READ_AT: Final = "perennial_ledger_read_timestamp_seconds"
_REACHABLE: Final = "perennial_ledger_reachable"

_BY_ACCOUNT: Final = (_PAST_DUE, _ATTENTION, _ON_HOLD, _OVERDUE)

_log = logging.getLogger("figures")

Labels = tuple[tuple[str, str], ...]

Names = Callable[[], Awaitable[Collection[str]]]
"""Tells those of the merchant accounts."""


class LedgerFigures:
    """Sets gauges, again and again.

    Args:
        client: of the server on which the workers are seen.
        task_queue: of the subscriptions.
        ledger: what is read.
        meter: of the process.
        accounts: the names of the merchant accounts, of which also nothing is said.
    """

    def __init__(self, client: Client, task_queue: str, ledger: Ledger, meter: MetricMeter, accounts: Names) -> None:
        self._client = client
        self._task_queue = task_queue
        self._ledger = ledger
        self._accounts = accounts
        self._gauges = {
            _PAST_DUE: meter.create_gauge(_PAST_DUE, "Subscriptions that owe a period, by account."),
            _ATTENTION: meter.create_gauge(_ATTENTION, "Subscriptions that somebody has to look at, by account."),
            _ON_HOLD: meter.create_gauge(_ON_HOLD, "Subscriptions that the merchant alone can mend, by account."),
            _OVERDUE: meter.create_gauge(_OVERDUE, "Subscriptions whose charge was due more than an hour ago."),
            _UNDELIVERED: meter.create_gauge(_UNDELIVERED, "Notices not taken, by endpoint and state."),
            _OLDEST: meter.create_gauge(_OLDEST, "How long the oldest of them waits, in seconds."),
        }
        self._read_at = meter.create_gauge_float(_READ_AT, "When the ledger was read last, in seconds since 1970.")
        self._reachable = meter.create_gauge(_REACHABLE, "Whether this process reaches the ledger.")
        self._said: dict[tuple[str, Labels], int] = {}
        self._could_read = True

    async def go_on(self) -> None:
        """Does so until it is cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> None:
        """Looks once."""
        try:
            figures = await self._looked()
        except LedgerError as error:
            self._reachable.set(0)
            if self._could_read:
                _log.warning("the ledger cannot be read now", extra={"why": str(error)})
            self._could_read = False
            return
        self._could_read = True
        self._reachable.set(1)
        self._say(figures, await self._accounts())

    async def _looked(self) -> Figures | None:
        """What stands there, where this is the worker that reads."""
        if await self._reads():
            return await read_figures(self._ledger)
        await self._ledger.reach()
        return None

    async def _reads(self) -> bool:
        """Whether this is the worker that reads; where the server does not tell, it is."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=self._task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            described = await self._client.workflow_service.describe_task_queue(request, timeout=ANSWERS_WITHIN)
        except RPCError:
            return True
        now = datetime.now(UTC)
        seen = [each.identity for each in described.pollers if _is_recent(each.last_access_time.ToDatetime(UTC), now)]
        return not seen or min(seen) == self._client.identity

    def _say(self, figures: Figures | None, accounts: Collection[str]) -> None:
        """Sets all gauges; those of which nothing is said now, to nothing."""
        said: dict[tuple[str, Labels], int] = {
            (name, (("merchant_account", account),)): 0 for name in _BY_ACCOUNT for account in accounts
        }
        if figures is not None:
            said |= _said(figures)
        for name, labels in self._said.keys() - said.keys():
            self._gauges[name].set(0, dict(labels))
        for (name, labels), count in said.items():
            self._gauges[name].set(count, dict(labels))
        self._said = said
        self._read_at.set(figures.read_at.timestamp() if figures is not None else 0.0)


def _is_recent(seen: datetime, now: datetime) -> bool:
    return now - seen < SEEN_WITHIN


def _said(figures: Figures) -> dict[tuple[str, Labels], int]:
    said: dict[tuple[str, Labels], int] = {}
    by_account: Mapping[str, Mapping[str, int]] = {
        _PAST_DUE: figures.past_due,
        _ATTENTION: figures.needing_attention,
        _ON_HOLD: figures.on_hold,
        _OVERDUE: figures.overdue,
    }
    for name, counted in by_account.items():
        for account, count in counted.items():
            said[name, (("merchant_account", account),)] = count
    for (endpoint, state), undelivered in figures.undelivered.items():
        labels = (("endpoint", endpoint), ("state", state.value))
        said[_UNDELIVERED, labels] = undelivered.count
        said[_OLDEST, labels] = int((figures.read_at - undelivered.oldest).total_seconds())
    return said
