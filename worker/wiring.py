"""Puts the parts together: the Amazon Pay client from settings, activities over it, the workers that host all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, nullcontext, suppress
from datetime import UTC, timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from amazon_pay_client import AmazonPayClient, Environment, PrivateKeyError, load_private_key
from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.accounts import AccountClient, AccountUnusableError
from perennial_billing.activities.agreement import Agreement
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.activities.amounts import AmountHook
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.endpoints import Endpoints, OwnEndpoint
from perennial_billing.activities.notices import ENDPOINT_SECONDS, Announcer, Webhooks
from perennial_billing.activities.recalling import Recollections
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.runtime.temporal import has_standalone_activities
from perennial_billing.worker.accounts import Accounts, region_of_settings
from perennial_billing.worker.books import ledger_of
from perennial_billing.worker.detached import DetachedRunner
from perennial_billing.worker.quotas import Quotas
from perennial_billing.worker.rates import paces_of
from perennial_billing.worker.release import release_of
from perennial_billing.worker.sight import Sight
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

CALLS_AT_ONCE: Final = 500
"""Calls of one operation that one worker has under way: an account whose Amazon keeps silent has 160 after 40 s at 4 a
second, and takes no place of another's."""


_POLLERS: Final = PollerBehaviorAutoscaling(initial=1, minimum=1, maximum=20)
"""How many long polls wait at a queue: one while it has nothing to do, and as many as the server asks for while it has.
A process has a dozen queues, and most of them are asked for nothing for hours."""


def amazon_pay_client(settings: Settings) -> AmazonPayClient:
    """The client of the account that the settings themselves describe, `default`.

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
            region=region_of_settings(settings),
            environment=Environment(settings.environment.value),
            origin=settings.amazon_pay_origin,
        )
    except PrivateKeyError as error:
        variable = "PRIVATE_KEY" if settings.private_key else "PRIVATE_KEY_PATH"
        raise StartupError(f"{PREFIX}{variable}: {error}") from None
    except ValueError as error:
        field, _, trouble = str(error).partition(": ")
        raise StartupError(f"{PREFIX}{field.upper()}: {trouble}") from None


def names_accounts(settings: Settings) -> bool:
    """Whether a process can have any account: of the settings, of a file, or of the ledger whose keys it can open."""
    return any(each is not None for each in (settings.public_key_id, settings.accounts_path, settings.accounts_secret))


@asynccontextmanager
async def own_client(settings: Settings) -> AsyncIterator[AmazonPayClient | None]:
    """The client of the account that the settings themselves describe; None where they describe none, and accounts
    stand elsewhere.

    Raises:
        StartupError: a setting is missing or wrong, or no account is named at all.
    """
    if not names_accounts(settings):
        settings.required("public_key_id")
    async with amazon_pay_client(settings) if settings.public_key_id is not None else nullcontext() as own:
        yield own


@asynccontextmanager
async def accounts_of(settings: Settings, ledger: Ledger | None) -> AsyncIterator[Accounts]:
    """The accounts of this process, until the context is left.

    Args:
        settings: of the process.
        ledger: has the accounts that were added by command.

    Raises:
        StartupError: as of `own_client`; or the file of accounts cannot be used.
    """
    async with own_client(settings) as own, aclosing(Accounts(settings, ledger, own)) as accounts:
        yield accounts


@asynccontextmanager
async def account_client_of(
    settings: Settings, account: str, ledger: Ledger | None = None
) -> AsyncIterator[AccountClient]:
    """What one account's calls are made with, for a command. The account of the settings' own needs no ledger.

    Args:
        settings: of the process.
        account: its short name.
        ledger: where one is open already; else it is opened where it is needed.

    Raises:
        StartupError: a setting is missing or wrong, or the account cannot be used here.
    """
    is_alone = settings.accounts_path is None and settings.accounts_secret is None
    if account == DEFAULT_ACCOUNT and (settings.public_key_id is not None or is_alone):
        async with amazon_pay_client(settings) as client:
            yield AccountClient(client, region_of_settings(settings), settings.merchant_id)
        return
    async with AsyncExitStack() as stack:
        opened = ledger or await stack.enter_async_context(ledger_of(settings))
        accounts = await stack.enter_async_context(accounts_of(settings, opened))
        try:
            found = await accounts.of(account)
        except AccountUnusableError as error:
            raise StartupError(str(error)) from None
        yield found


@asynccontextmanager
async def client_of(settings: Settings, account: str, ledger: Ledger | None = None) -> AsyncIterator[AmazonPayClient]:
    """The client alone; as `account_client_of`.

    Raises:
        StartupError: as there.
    """
    async with account_client_of(settings, account, ledger) as found:
        yield found.client


async def merchant_id_of(settings: Settings, account: str, ledger: Ledger) -> str | None:
    """Amazon's id of an account's merchant; None where nobody has said it of the account `default`. Needs no key.

    Args:
        settings: of the process.
        account: its short name.
        ledger: has the accounts that were added by command.

    Raises:
        StartupError: there is no such account.
    """
    try:
        return (await Accounts(settings, ledger).account(account)).merchant_id
    except AccountUnusableError as error:
        if account == DEFAULT_ACCOUNT:
            return settings.merchant_id
        raise StartupError(str(error)) from None


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
    client: Client, amazon_pay: AmazonPayClient | Accounts, ledger: Ledger, settings: Settings
) -> AsyncIterator[Workers]:
    """One worker for subscriptions, one for each operation of Amazon's, and one for notices. Not yet running.

    Notices are delivered by activities outside of workflows where the server has them, and else by small workflows.

    Args:
        client: of the Temporal server.
        amazon_pay: the accounts that calls are made for; or a client of the account `default`, beside which there are
            those of the file and of the ledger.
        ledger: where all that is told is recorded.
        settings: of the process.

    Raises:
        RPCError: the server does not tell which.
        StartupError: a setting or the file of accounts cannot be used.
    """
    accounts = amazon_pay if isinstance(amazon_pay, Accounts) else Accounts(settings, ledger, amazon_pay)
    quotas = Quotas(client, settings, accounts)
    keeps_quotas = await quotas.keep()
    deliveries = await deliveries_on(client, settings)
    endpoints = Endpoints(ledger, own_endpoint(settings))
    async with (  # one each, so that an endpoint that keeps silent holds up nobody who asks the other
        endpoints_client(settings, NOTICES_AT_ONCE) as notices,
        bounded_client(at_once=AMOUNTS_AT_ONCE, bounds=Bounds(seconds=AMOUNT_SECONDS)) as amounts,
        _meanwhile(quotas.go_on() if keeps_quotas else asyncio.sleep(0)),
    ):
        yield Workers(
            [
                _subscriptions(client, ledger, deliveries, endpoints, accounts, settings),
                *_amazon_pay_calls(client, accounts, ledger, settings, keeps_quotas=keeps_quotas),
                _deliveries(client, Webhooks(endpoints, notices, ledger), settings),
                *([_amounts(client, amounts, settings)] if settings.amount_hook_url else ()),
            ]
        )


@asynccontextmanager
async def _meanwhile(doing: Coroutine[Any, Any, None]) -> AsyncIterator[None]:  # Any: what coroutines yield
    """Something is done beside, while the context is open."""
    task = asyncio.create_task(doing)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


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
    client: Client,
    ledger: Ledger,
    deliveries: Deliveries,
    endpoints: Endpoints,
    accounts: Accounts,
    settings: Settings,
) -> Worker:
    recollections = Recollections(ledger)
    announcer = Announcer(deliveries, accounts.region_of, ledger, endpoints, settings.amazon_pay_origin)
    return Worker(
        client,
        interceptors=[Sight()],
        task_queue=settings.task_queue,
        workflows=[SubscriptionWorkflow, EndedSubscriptionWorkflow],
        workflow_runner=DetachedRunner(),  # see docs/architecture.md, "The workflow"
        activities=[announcer.announce, recollections.recall, recollections.check_agreement, recollections.kept_state],
        no_remote_activities=True,  # they are local ones
        workflow_task_poller_behavior=_POLLERS,
        max_cached_workflows=settings.cached_subscriptions,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
        deployment_config=release_of(settings),
    )


def _amazon_pay_calls(
    client: Client, accounts: Accounts, ledger: Ledger, settings: Settings, *, keeps_quotas: bool
) -> Iterator[Worker]:
    """Amazon limits each operation by itself, so each has a queue with a limit that the server keeps for all workers.

    Where the server keeps no limit for each account, all share one: all workers must have the same then, as the server
    goes by what it was told last.
    """
    headers = _virtual_time if settings.send_virtual_time else dict
    calls, paces = AmazonPayCalls(accounts, Agreement(ledger), headers), paces_of(settings)
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
            interceptors=[Sight()],
            task_queue=call_queue(settings.task_queue, call),
            activities=[hosted_activity],
            activity_task_poller_behavior=_POLLERS,
            max_task_queue_activities_per_second=None if keeps_quotas else paces[call],
            max_concurrent_activities=CALLS_AT_ONCE,
            graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
        )


def _deliveries(client: Client, webhooks: Webhooks, settings: Settings) -> Worker:
    return Worker(
        client,
        interceptors=[Sight()],
        task_queue=notices_queue(settings.task_queue),
        workflows=[DeliveryWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),  # as above
        activities=[webhooks.deliver],
        workflow_task_poller_behavior=_POLLERS,
        activity_task_poller_behavior=_POLLERS,
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
        interceptors=[Sight()],
        task_queue=amounts_queue(settings.task_queue),
        activities=[AmountHook(posts).decide_amount],
        activity_task_poller_behavior=_POLLERS,
        max_concurrent_activities=AMOUNTS_AT_ONCE,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
    )


def _virtual_time() -> Mapping[str, str]:
    """The workflow's time at which this call was scheduled, for a simulator that dates its books by it."""
    scheduled = activity.info().current_attempt_scheduled_time
    return {SIMULATOR_TIME_HEADER: scheduled.astimezone(UTC).strftime(TIMESTAMP_FORMAT)}
