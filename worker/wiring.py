"""Puts the parts together: the Amazon Pay client from settings, activities over it, the workers that host all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from amazon_pay_client import AmazonPayClient, Environment, PrivateKeyError, Region, load_private_key
from amazon_pay_client.limits import RATES, Rate
from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.agreement import Agreement
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.activities.amounts import AmountHook
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.endpoints import Endpoints, OwnEndpoint
from perennial_billing.activities.notices import ENDPOINT_SECONDS, Announcer, Webhooks
from perennial_billing.activities.recalling import Recollections
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.runtime.temporal import has_standalone_activities
from perennial_billing.worker.release import release_of
from perennial_billing.workflows.delivery import DeliveryWorkflow
from perennial_billing.workflows.ended import EndedSubscriptionWorkflow
from perennial_billing.workflows.names import Call, amounts_queue, call_queue, notices_queue
from perennial_billing.workflows.subscription import SubscriptionWorkflow

SIMULATOR_TIME_HEADER: Final = "x-simulator-time"
"""Understood by the simulator only."""

AMOUNT_SECONDS: Final = 10.0
"""How long the merchant's endpoint may take to decide an amount."""

NOTICES_AT_ONCE: Final = 50
"""Deliveries that one worker has under way: a slow endpoint takes these places and no others."""

AMOUNTS_AT_ONCE: Final = 100
"""Amounts that one worker asks for at a time."""

SLOWEST: Final = Rate(1, 1)
"""For operations whose limit Amazon does not publish, which are called seldom."""


def calls_per_second(settings: Settings, call: Call) -> float:
    """How often an operation may be called, by all workers together."""
    rates = RATES[Environment(settings.environment.value)]
    return settings.calls_per_second or rates.get(call, SLOWEST).per_second


def amazon_pay_client(settings: Settings) -> AmazonPayClient:
    """The client that the settings describe.

    Raises:
        StartupError: a setting is missing or wrong, or the private key cannot be used.
    """
    passphrase = settings.private_key_passphrase
    try:
        return AmazonPayClient(
            public_key_id=settings.required("public_key_id"),
            private_key=load_private_key(
                settings.private_key_source, passphrase.get_secret_value() if passphrase else None
            ),
            region=_region(settings),
            environment=Environment(settings.environment.value),
            origin=settings.amazon_pay_origin,
        )
    except PrivateKeyError as error:
        variable = "PRIVATE_KEY" if settings.private_key else "PRIVATE_KEY_PATH"
        raise StartupError(f"{PREFIX}{variable}: {error}") from None
    except ValueError as error:
        field, _, trouble = str(error).partition(": ")
        raise StartupError(f"{PREFIX}{field.upper()}: {trouble}") from None


class Workers:
    """Several workers that start and stop as one."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    @property
    def each(self) -> Sequence[Worker]:
        """They themselves, that of the subscriptions first."""
        return self._workers

    async def run(self) -> None:
        """Works until it is shut down; when one fails, all end."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(worker.run())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works while the context is open."""
        async with AsyncExitStack() as stack:
            for worker in self._workers:
                await stack.enter_async_context(worker)
            yield

    async def shutdown(self) -> None:
        """Takes nothing new, and waits for what is under way."""
        await asyncio.gather(*(worker.shutdown() for worker in self._workers))


@asynccontextmanager
async def billing_workers(
    client: Client, amazon_pay: AmazonPayClient, ledger: Ledger, settings: Settings
) -> AsyncIterator[Workers]:
    """One worker for subscriptions, one for each operation of Amazon's, and one for notices. Not yet running.

    Notices are delivered by activities outside of workflows where the server has them, and else by small workflows.

    Raises:
        RPCError: the server does not tell which.
    """
    deliveries = await deliveries_on(client, settings)
    endpoints = Endpoints(ledger, own_endpoint(settings))
    async with (  # one each, so that an endpoint that keeps silent holds up nobody who asks the other
        endpoints_client(settings, NOTICES_AT_ONCE) as notices,
        bounded_client(at_once=AMOUNTS_AT_ONCE, bounds=Bounds(seconds=AMOUNT_SECONDS)) as amounts,
    ):
        yield Workers(
            [
                _subscriptions(client, ledger, deliveries, endpoints, settings),
                *_amazon_pay_calls(client, amazon_pay, ledger, settings),
                _deliveries(client, Webhooks(endpoints, notices, ledger), settings),
                *([_amounts(client, amounts, settings)] if settings.amount_hook_url else ()),
            ]
        )


async def deliveries_on(client: Client, settings: Settings) -> Deliveries:
    """What starts deliveries, in the way that the server has.

    Raises:
        RPCError: the server does not tell.
    """
    by_workflow = not await has_standalone_activities(client)
    return Deliveries(client, notices_queue(settings.task_queue), by_workflow=by_workflow)


def endpoints_client(settings: Settings, at_once: int) -> httpx.AsyncClient:
    """What posts to the merchant's endpoints; in live to none in a network of one's own, unless that is allowed."""
    return bounded_client(
        at_once=at_once,
        bounds=Bounds(seconds=ENDPOINT_SECONDS),
        public_only=not settings.reaches_private_addresses,
    )


def own_endpoint(settings: Settings) -> OwnEndpoint | None:
    """The endpoint that the environment variables name."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    return OwnEndpoint(settings.webhook_url, settings.webhook_secret.get_secret_value())


def _subscriptions(
    client: Client, ledger: Ledger, deliveries: Deliveries, endpoints: Endpoints, settings: Settings
) -> Worker:
    recollections = Recollections(ledger)
    announcer = Announcer(deliveries, _region(settings), ledger, endpoints, settings.amazon_pay_origin)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[SubscriptionWorkflow, EndedSubscriptionWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),  # see docs/architecture.md, "The workflow"
        activities=[announcer.announce, recollections.recall, recollections.check_agreement, recollections.kept_state],
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
        deployment_config=release_of(settings),
    )


def _amazon_pay_calls(
    client: Client, amazon_pay: AmazonPayClient, ledger: Ledger, settings: Settings
) -> Iterator[Worker]:
    """Amazon limits each operation by itself, so each has a queue with a limit that the server keeps for all workers.

    All workers must have the same limit: the server goes by what it was told last.
    """
    calls = AmazonPayCalls(amazon_pay, Agreement(ledger), _virtual_time if settings.send_virtual_time else dict)
    hosted: Mapping[Call, Callable[..., Any]] = {  # Any: activities of different kinds
        Call.CREATE_CHARGE: calls.create_charge,
        Call.CAPTURE_CHARGE: calls.capture_charge,
        Call.GET_CHARGE: calls.read_charge,
        Call.CREATE_REFUND: calls.create_refund,
        Call.GET_REFUND: calls.read_refund,
        Call.GET_DISPUTE: calls.read_dispute,
        Call.GET_CHARGE_PERMISSION: calls.read_permission,
        Call.UPDATE_CHARGE_PERMISSION: calls.update_permission,
        Call.CLOSE_CHARGE_PERMISSION: calls.close_permission,
    }
    for call, hosted_activity in hosted.items():
        yield Worker(
            client,
            task_queue=call_queue(settings.task_queue, call),
            activities=[hosted_activity],
            max_task_queue_activities_per_second=calls_per_second(settings, call),
            graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
        )


def _deliveries(client: Client, webhooks: Webhooks, settings: Settings) -> Worker:
    return Worker(
        client,
        task_queue=notices_queue(settings.task_queue),
        workflows=[DeliveryWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),  # as above
        activities=[webhooks.deliver],
        max_concurrent_activities=NOTICES_AT_ONCE,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
    )


def _amounts(client: Client, http: httpx.AsyncClient, settings: Settings) -> Worker:
    secret = settings.amount_hook_secret
    posts = SignedPosts(
        settings.required("amount_hook_url"), [secret.get_secret_value()] if secret else [], http, AMOUNT_SECONDS
    )
    return Worker(
        client,
        task_queue=amounts_queue(settings.task_queue),
        activities=[AmountHook(posts).decide_amount],
        max_concurrent_activities=AMOUNTS_AT_ONCE,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
    )


def _region(settings: Settings) -> Region:
    return Region.parse(settings.region)


def _virtual_time() -> Mapping[str, str]:
    """The workflow's time at which this call was scheduled, for a simulator that dates its books by it."""
    scheduled = activity.info().current_attempt_scheduled_time
    return {SIMULATOR_TIME_HEADER: scheduled.astimezone(UTC).strftime(TIMESTAMP_FORMAT)}
