"""Everything of a deployment that bills, looked at side by side: whether it can, and whether it does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from temporalio.client import Client

from amazon_pay_client import Environment, Region
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.ledger.arrivals import all_arrivals
from perennial_billing.ledger.endpoints import all_endpoints
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import OF_THE_ENVIRONMENT
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.checks import (
    addresses,
    answers,
    asking,
    certificates,
    keys,
    notifications,
    rates,
    temporal,
)
from perennial_billing.starter.checks.accounts import account_checks
from perennial_billing.starter.checks.check import Check, State, in_the_way, not_tried
from perennial_billing.starter.checks.folders import FOLDER, data_folder
from perennial_billing.starter.checks.looking import SECONDS, Look, looked_at, made, wrong
from perennial_billing.starter.checks.reaching import reached
from perennial_billing.starter.deployments import Deployments
from perennial_billing.workflows.names import Call, call_queue

LEDGER: Final = "ledger"
ACCOUNTS: Final = "accounts"
ENDPOINTS: Final = "endpoints"

CONNECTS_WITHIN: Final = 8.0
"""Seconds for the Temporal server to answer: a machine that is off, or a firewall, never says no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAccount:
    """A merchant account that workers call Amazon for.

    Attributes:
        name: its short name.
        public_key_id: of its key pair.
        region: of the seller account.
        private_key: of the same pair; None where it cannot be used here.
        trouble: why not, with what to do.
    """

    name: str
    public_key_id: str
    region: Region
    private_key: RSAPrivateKey | None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How what is looked at is reached.

    Attributes:
        connect: to the Temporal server; raises `StartupError`.
        open_ledger: opens the ledger; raises `StartupError` where its tables are not this release's.
        accounts: the accounts that can be known here, beside that of the settings; raises `StartupError`.
        rates: calls a second by operation, as workers keep to them; raises `StartupError`.
        paces: how often the server is to give them out in a second; raises `StartupError`.
        ledger_folder: where the ledger's file is; None where it is a database that is set.
        receiver_path: where the receiver of notifications listens.
        receiver_url: its address as Amazon has it; None where nobody said it.
    """

    connect: Callable[[], Awaitable[Client]]
    open_ledger: Callable[[], AbstractAsyncContextManager[Ledger]]
    accounts: Callable[[], Awaitable[Sequence[KnownAccount]]]
    rates: Callable[[], Mapping[Call, float]]
    paces: Callable[[], Mapping[Call, float]]
    ledger_folder: Path | None
    receiver_path: str
    receiver_url: str | None = None


async def deployment_checks(settings: Settings, ways: Ways) -> AsyncIterator[Check]:
    """Each as soon as it and those before it are known. Nothing is changed, and no worker is needed.

    Args:
        settings: of the deployment.
        ways: to what is looked at.
    """
    for check in _of_settings(settings):
        yield check
    connecting = asyncio.create_task(_connected(ways))
    try:
        async for check in looked_at([*_beside_temporal(settings, ways), *_of_temporal(settings, ways, connecting)]):
            yield check
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)


def _of_settings(settings: Settings) -> list[Check]:
    """What they say of the account `default`; nothing where accounts stand elsewhere alone."""
    if settings.public_key_id is None and (settings.accounts_path or settings.accounts_secret):
        return []
    checks = [keys.region(settings), keys.public_key_id(settings), keys.private_key(settings)[0]]
    if settings.public_key_id and not in_the_way(checks[1:2]):
        environment = Environment(settings.environment.value)
        checks.append(keys.key_of_environment(settings.public_key_id, environment))
    else:
        checks.append(not_tried(keys.ENVIRONMENT, because_of=f"a {keys.PUBLIC_KEY_ID}"))
    return [*checks, keys.merchant_id(settings)]


def _beside_temporal(settings: Settings, ways: Ways) -> list[Look]:
    async def quotas() -> Sequence[Check]:
        return [rates.quotas(ways.rates(), settings)]

    async def folder() -> Sequence[Check]:
        found = ways.ledger_folder
        return [await asyncio.to_thread(data_folder, found or Path(), holds_ledger=found is not None)]

    async def receiver() -> Sequence[Check]:
        url = ways.receiver_url
        if url is None:
            return [addresses.unknown_receiver()]
        answer = await reached("GET", url, public_only=False)
        return [addresses.receiver(url, answer, path=ways.receiver_path)]

    async def arrived() -> Sequence[Check]:
        try:
            async with ways.open_ledger() as ledger:
                return [notifications.recorded(await all_arrivals(ledger), settings.ipn_topic_arns)]
        except (StartupError, LedgerError):
            return [not_tried(notifications.NOTIFICATIONS, because_of=LEDGER)]

    async def of_temporals_way() -> Sequence[Check]:
        return [certificates.of_temporal()]

    return [
        Look((rates.QUOTAS,), quotas),
        Look((ACCOUNTS,), lambda: _accounts(settings, ways), 2 * SECONDS),
        Look((LEDGER,), lambda: _ledger(ways)),
        Look((FOLDER,), folder),
        Look((ENDPOINTS,), lambda: _endpoints(settings, ways), 2 * SECONDS),
        Look((addresses.RECEIVER,), receiver),
        Look((notifications.NOTIFICATIONS,), arrived),
        Look((certificates.OF_TEMPORAL,), of_temporals_way),
    ]


def _of_temporal(settings: Settings, ways: Ways, connecting: asyncio.Task[Client]) -> list[Look]:
    return [_once_connected(names, ask, settings, ways, connecting) for names, ask in _ON_TEMPORAL.items()]


def _once_connected(
    names: tuple[str, ...], ask: "_AskTemporal", settings: Settings, ways: Ways, connecting: asyncio.Task[Client]
) -> Look:
    async def look() -> Sequence[Check]:
        try:
            client = await asyncio.shield(connecting)
        except StartupError as error:
            if names == (temporal.REACHED,):
                return [wrong(temporal.REACHED, str(error))]
            return [not_tried(name, because_of=temporal.REACHED) for name in names]
        return await ask(client, settings, ways)

    return Look(names, look, CONNECTS_WITHIN + SECONDS)


async def _is_reached(client: Client, _settings: Settings, _ways: Ways) -> Sequence[Check]:
    return [temporal.reached(client.namespace)]


async def _server(client: Client, _settings: Settings, _ways: Ways) -> Sequence[Check]:
    found = await asking.server_of(client)
    return [temporal.server(found), temporal.namespace(found, client.namespace)]


async def _attributes(client: Client, _settings: Settings, _ways: Ways) -> Sequence[Check]:
    return [temporal.search_attributes(await asking.attributes_of(client))]


async def _call_queues(client: Client, settings: Settings, ways: Ways) -> Sequence[Check]:
    wanted = {call_queue(settings.task_queue, call): pace for call, pace in ways.paces().items()}
    return [temporal.call_queues(await asking.call_queues(client, settings.task_queue), wanted)]


async def _workers(client: Client, settings: Settings, _ways: Ways) -> Sequence[Check]:
    return [temporal.workers(await asking.polled(client, settings))]


async def _releases(client: Client, settings: Settings, _ways: Ways) -> Sequence[Check]:
    return [temporal.releases(await Deployments(client, settings.deployment_name, settings.task_queue).look())]


async def _counts(client: Client, _settings: Settings, _ways: Ways) -> Sequence[Check]:
    """What is wrong with workflows, and with how many."""
    found = await asking.counted(client)
    return [each(found) for each in (temporal.failing, temporal.paused, temporal.stopped, temporal.overdue)]


_AskTemporal = Callable[[Client, Settings, Ways], Awaitable[Sequence[Check]]]

_ON_TEMPORAL: Final[Mapping[tuple[str, ...], _AskTemporal]] = {
    (temporal.REACHED,): _is_reached,
    (temporal.SERVER, temporal.NAMESPACE): _server,
    (temporal.ATTRIBUTES,): _attributes,
    (temporal.QUEUES,): _call_queues,
    (temporal.WORKERS,): _workers,
    (temporal.RELEASES,): _releases,
    (temporal.FAILING, temporal.PAUSED, temporal.STOPPED, temporal.OVERDUE): _counts,
}
"""What the server is asked, and the checks that come of it."""


async def _connected(ways: Ways) -> Client:
    """Raises:
    StartupError: no server answers, within some time.
    """
    try:
        async with asyncio.timeout(CONNECTS_WITHIN):
            return await ways.connect()
    except TimeoutError:
        why = f"TEMPORAL_ADDRESS: whoever is there does not answer within {CONNECTS_WITHIN:g} s"
        raise StartupError(f"{why}; look at the address, TLS and the firewall") from None


async def _accounts(settings: Settings, ways: Ways) -> Sequence[Check]:
    """Whether Amazon takes what is signed with each account's key, and this machine's clock."""
    known = await ways.accounts()
    if not known:
        names = (answers.ANSWER, answers.SIGNATURE, answers.CLOCK)
        return [not_tried(name, because_of="an account with a key that can be used") for name in names]
    found = await asyncio.gather(*(made(_account(each, settings)) for each in known))
    return [check for checks in found for check in checks]


def _account(account: KnownAccount, settings: Settings) -> Look:
    named = f"account {account.name}"

    async def ask() -> Sequence[Check]:
        if account.private_key is None and account.name == DEFAULT_ACCOUNT:
            return [not_tried(named, because_of=keys.PRIVATE_KEY)]  # which says why
        if account.private_key is None:
            return [wrong(named, account.trouble)]
        try:
            checks = await account_checks(account.public_key_id, account.private_key, account.region, settings)
        except ValueError as error:
            return [wrong(named, str(error))]
        return [each.of(account.name) for each in checks]

    return Look((named,), ask)


async def _ledger(ways: Ways) -> Sequence[Check]:
    """Whether it can be used, and its tables are of this release."""
    async with ways.open_ledger() as ledger:
        return [Check(name=LEDGER, state=State.DONE, found=f"{ledger.place}: its tables are this release's")]


async def _endpoints(settings: Settings, ways: Ways) -> Sequence[Check]:
    """Whether each endpoint for notices can be reached: those of the ledger, and that of the settings."""
    to_ask: dict[str, tuple[str, bool]] = {}
    checks = []
    try:
        async with ways.open_ledger() as ledger:
            for each in await all_endpoints(ledger):
                if each.id != OF_THE_ENVIRONMENT or each.url == settings.webhook_url:
                    to_ask[each.id] = (each.url, each.is_enabled)
    except (StartupError, LedgerError):
        checks.append(not_tried(ENDPOINTS, because_of=LEDGER))
    if settings.webhook_url is not None:
        to_ask.setdefault(OF_THE_ENVIRONMENT, (settings.webhook_url, True))
    if settings.amount_hook_url is not None:
        to_ask["for amounts"] = (settings.amount_hook_url, True)
    public_only = not settings.reaches_private_addresses

    def look(name: str, url: str, *, is_enabled: bool) -> Look:
        async def ask() -> Sequence[Check]:
            answer = await reached("HEAD", url, public_only=public_only)
            return [addresses.endpoint(name, url, answer, is_enabled=is_enabled)]

        return Look((f"endpoint {name}",), ask)

    looks = [look(name, url, is_enabled=is_enabled) for name, (url, is_enabled) in to_ask.items()]
    for found in await asyncio.gather(*map(made, looks)):
        checks += found
    if not checks:
        nobody = "nobody is told what happens: there is no endpoint, and notices are in the log and the ledger"
        to_do = "`perennial endpoints add` names one"
        checks.append(
            Check(name=ENDPOINTS, state=State.MISSING, found=nobody, to_do=to_do, is_mandatory=False),
        )
    return checks
