"""How often each operation of Amazon's is called for each account, and that the Temporal server keeps to it.

Amazon limits each operation of each merchant by itself. Each operation has a queue, and each call in it names its
account as its fairness key; so the server is told, for each queue, how often a key may be served in a second. A key
whose account has another quota has a weight, by which the server scales both its limit and its share. A server that
knows no limits of keys (before 1.30) keeps one limit for a whole queue, which all accounts share then: slower than
Amazon would take it, and never faster.

What is told lives in the server, for all workers: telling it again changes nothing.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue, TaskQueueConfig
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.metrics import meter_of
from perennial_billing.runtime.settings import Settings
from perennial_billing.worker.accounts import KNOWN_SECONDS, Account, Accounts
from perennial_billing.worker.rates import paces_of, rates_of
from perennial_billing.workflows.names import Call, call_queue

LARGEST_WEIGHT: Final = 1_000.0
SMALLEST_WEIGHT: Final = 0.001
"""Between which the server takes weights (Temporal, "task queue fairness")."""

QUOTA: Final = "perennial_amazon_quota"
"""The metric."""

_WHY: Final = "Amazon's limit of the operation, for each merchant account"
_UNKNOWN: Final = frozenset(
    {RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.INVALID_ARGUMENT}
)
"""Answers of a server that keeps no such limits: it does not know them, does not let this worker, or not so many."""

_EXACT: Final = 1e-4
"""The server keeps rates with the precision of 32 bits."""

_log = logging.getLogger("quotas")


@dataclass(frozen=True, slots=True)
class Quota:
    """How often one operation may be called.

    Attributes:
        per_second: for each account that has no weight.
        weights: of the others: how many times that.
    """

    per_second: float
    weights: Mapping[str, float] = field(default_factory=dict)


def quotas_of(settings: Settings, accounts: Sequence[Account]) -> Mapping[Call, Quota]:
    """The quota of each operation.

    Raises:
        StartupError: as `rates_of`.
    """
    paces = paces_of(settings)  # from which weights count
    return {
        call: Quota(
            paces[call],
            {
                each.name: min(max(each.quotas[call] / rate, SMALLEST_WEIGHT), LARGEST_WEIGHT)
                for each in accounts
                if call in each.quotas and not _is_the_same(each.quotas[call], rate)
            },
        )
        for call, rate in rates_of(settings).items()
    }


async def keep(client: Client, task_queue: str, call: Call, quota: Quota, *, all_known: bool = True) -> bool:
    """Tells the server an operation's quota, where it is not as it was told before; False where it keeps none of keys.

    Args:
        client: of the server.
        task_queue: of the subscriptions.
        call: the operation.
        quota: of it.
        all_known: whether it tells of all accounts; else the weights of others stay as they are.

    Raises:
        RPCError: the server did not answer.
    """
    queue = call_queue(task_queue, call)
    try:
        told = await _told(client, queue)
        change = _change(told, quota, all_known=all_known)
        if change is None:
            return True
        change.namespace, change.identity = client.namespace, client.identity
        change.task_queue, change.task_queue_type = queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
        await client.workflow_service.update_task_queue_config(change, retry=True)
    except RPCError as error:
        if error.status not in _UNKNOWN:
            raise
        _log.warning(
            "the server keeps no limit for each account, so all share one for each operation",
            extra={"operation": call.value, "why": error.message},
        )
        return False
    return True


class Quotas:
    """Keeps the server's limits as the accounts have their quotas, while a worker runs.

    Args:
        client: of the server.
        settings: of the worker.
        accounts: whose quotas.
    """

    def __init__(self, client: Client, settings: Settings, accounts: Accounts) -> None:
        self._client = client
        self._settings = settings
        self._accounts = accounts

    async def keep(self) -> bool:
        """Tells the server what it does not know yet; False where it keeps no limits of keys.

        Raises:
            RPCError: the server did not answer.
            StartupError: as `rates_of`.
        """
        accounts = await self._accounts.all()
        quotas = quotas_of(self._settings, accounts)
        self._show(accounts)
        queue, all_known = self._settings.task_queue, self._accounts.trouble is None
        kept = await asyncio.gather(
            *(keep(self._client, queue, call, quota, all_known=all_known) for call, quota in quotas.items())
        )
        return all(kept)

    def _show(self, accounts: Sequence[Account]) -> None:
        """As metrics, so that what is called can be held against what may be."""
        gauge = meter_of(self._client).create_gauge_float(QUOTA, "How often Amazon may be called a second.")
        for call, rate in rates_of(self._settings).items():
            for account in accounts:
                labels = {"operation": call.value, "merchant_account": account.name}
                gauge.set(account.quotas.get(call, rate), labels)

    async def go_on(self) -> None:
        """Does so again and again: another account may be there, or another quota. Until it is cancelled."""
        while True:
            await asyncio.sleep(KNOWN_SECONDS)
            with suppress(StartupError):
                try:
                    await self.keep()
                except RPCError as error:
                    _log.warning("the accounts' quotas were not told to the server", extra={"why": error.message})


async def _told(client: Client, queue: str) -> TaskQueueConfig:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_config=True,
    )
    return (await client.workflow_service.describe_task_queue(request, retry=True)).config


def _change(told: TaskQueueConfig, quota: Quota, *, all_known: bool) -> UpdateTaskQueueConfigRequest | None:
    """What is to be told; None where the server knows it."""
    known = told.fairness_keys_rate_limit_default
    weights = dict(told.fairness_weight_overrides)
    is_known = known.HasField("rate_limit") and _is_the_same(known.rate_limit.requests_per_second, quota.per_second)
    gone = sorted(weights.keys() - quota.weights.keys()) if all_known else []
    new = {name: weight for name, weight in quota.weights.items() if not _is_the_same(weights.get(name, 0.0), weight)}
    if is_known and not gone and not new:
        return None
    change = UpdateTaskQueueConfigRequest(set_fairness_weight_overrides=new, unset_fairness_weight_overrides=gone)
    if not is_known:
        change.update_fairness_key_rate_limit_default.rate_limit.CopyFrom(
            RateLimit(requests_per_second=quota.per_second)
        )
        change.update_fairness_key_rate_limit_default.reason = _WHY
    return change


def _is_the_same(one: float, other: float) -> bool:
    return abs(one - other) <= _EXACT * max(abs(one), abs(other))
