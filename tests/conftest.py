"""The whole system on loopback, once per test session: Temporal server, simulator, IPN receiver, workers, and the
merchant's endpoint for notices.

Every test takes charge permissions of its own, so tests share the servers and disturb each other in nothing.
"""

import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from hypothesis import settings

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.time_limits import DEFAULT_TIME_LIMITS, TimeLimits
from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.activities.endpoints import Endpoints
from perennial_billing.ledger import database
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.endpoints import Endpoint as LedgerEndpoint
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.sandbox.stage import Stage, stage
from tests.endpoint import SECRET, Endpoint, endpoint

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
"""No example is judged by its time, which others on the machine decide as well."""

settings.register_profile("soak", deadline=None)
"""Chosen by `--hypothesis-profile soak`: whoever has something longer to do asks for it."""


_ROOMY: Final = {"GOMAXPROCS": "1", "GOGC": "400", "GODEBUG": "adaptivestackstart=1"}
"""For Temporal servers, of which each process has its own: with all processors and little memory to itself, each would
spend a sixth of its time on looking for work and for garbage; and a twentieth on stacks that grow."""

STALL_SECONDS: Final = 60.0
"""How long a machine that has too much to do may stand still."""


def pytest_configure() -> None:
    """Before a console of ours is made: readline leaves a terminal's width to the processes that xdist starts."""
    os.environ.pop("COLUMNS", None)
    for name, value in _ROOMY.items():
        os.environ.setdefault(name, value)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests make millions of objects that stay: looked through for garbage again and again, while they are
    made and ever after, they would cost every tenth second of a run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """What was never closed is found by looking once; pytest looks five times, at all that is still there."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _a_machine_may_stall() -> Iterator[None]:
    """On loopback a connection stands at once, unless the machine itself stands still: a test that is about the limit
    of a connection says it. Nor does a ledger that a test throws away wait for the disk at every entry."""
    on_this_disk = database._IN_SQLITE
    with pytest.MonkeyPatch.context() as patch:
        for limits in (Bounds, TimeLimits):
            defaults = limits.__init__.__kwdefaults__
            assert defaults is not None
            patch.setitem(defaults, "connect_seconds", STALL_SECONDS)
        kept = DEFAULT_TIME_LIMITS.connect_seconds
        object.__setattr__(DEFAULT_TIME_LIMITS, "connect_seconds", STALL_SECONDS)
        patch.setattr(database, "_IN_SQLITE", (*on_this_disk, "PRAGMA synchronous = OFF"))
        yield
        object.__setattr__(DEFAULT_TIME_LIMITS, "connect_seconds", kept)


@pytest.fixture(scope="session", autouse=True)
def _only_one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Every client reads all authorities that it trusts, which takes longer than most tests.

    Nobody is reached by TLS here but servers whose certificates a test names itself, so one authority is enough.
    """
    authority = NotificationSigner.create().write_certificate(tmp_path_factory.mktemp("authority"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority))
        yield


@pytest.fixture(scope="session", autouse=True)
def _nobody_elses_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands find neither the ledger nor the `perennial dev` of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest_asyncio.fixture(scope="session")
async def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a ledger in which nothing is, to be copied: to make its tables costs eight times as much."""
    file = tmp_path_factory.mktemp("empty") / "ledger.db"
    async with Ledger.open(file_url(file), set_up=True):
        pass
    return file


@pytest_asyncio.fixture(scope="session")
async def _listens() -> AsyncIterator[Endpoint]:
    async with endpoint() as listening:
        listening.is_there = False
        yield listening


@pytest.fixture
def notices(_listens: Endpoint) -> Iterator[Endpoint]:
    """Where the house sends its notices during a test."""
    _listens.is_there = True
    yield _listens
    _listens.is_there = False


@pytest_asyncio.fixture(scope="session")
async def house(_listens: Endpoint) -> AsyncIterator[Stage]:
    """Everything, with workers in this process.

    Notices are told to somebody during tests that look at them; of what a story costs, their delivery is a quarter.
    What is on its way when such a test ends still arrives.
    """
    known, one = Endpoints.all, Endpoints.of
    delivering = ContextVar("whether an endpoint is looked up to deliver what is on its way", default=False)

    async def all_who_are_there(endpoints: Endpoints) -> Sequence[LedgerEndpoint]:
        is_there = _listens.is_there or delivering.get()
        return [each for each in await known(endpoints) if is_there or each.url != _listens.url]

    async def of_a_delivery(endpoints: Endpoints, endpoint_id: str) -> LedgerEndpoint | None:
        token = delivering.set(True)
        try:
            return await one(endpoints, endpoint_id)
        finally:
            delivering.reset(token)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoints, "all", all_who_are_there)
        patch.setattr(Endpoints, "of", of_a_delivery)
        async with stage(webhook_url=_listens.url, webhook_secret=SECRET) as set_up:
            yield set_up


_LONGEST: Final = (
    "tests/scenarios/test_deliveries.py",
    "tests/starter/test_audit.py",
    "tests/scenarios/test_restores.py",
    "tests/attack/test_attacks.py",
    "tests/worker/test_crash.py",
    "tests/starter/test_cli_reconcile.py",
    "tests/scenarios/test_releases.py",
    "tests/starter/test_demo.py",
    "tests/scenarios/test_accounts.py",
    "tests/worker/test_health.py",
    "tests/simulator/test_program.py",
    "tests/starter/test_advancing.py",
    "tests/scenarios/test_notices.py",
    "tests/test_tutorial.py",
    "tests/interop/test_pages.py",
    "tests/scenarios/test_new_checkout.py",
    "tests/scenarios/test_recovering.py",
    "tests/starter/test_cli_requests.py",
    "tests/workflows/test_telling.py",
    "tests/ledger/test_troubles.py",
    "tests/workflows/test_replay.py",
    "tests/starter/test_audit_broken_books.py",
    "tests/scenarios/test_requests.py",
    "tests/scenarios/test_after_the_end.py",
    "tests/starter/test_cli_many.py",
    "tests/scenarios/test_decision_table.py",
    "tests/starter/test_listing.py",
    "tests/scenarios/test_hindered.py",
    "tests/starter/test_cli_endpoints.py",
    "tests/api/test_links.py",
    "tests/ledger/test_settlements.py",
    "tests/scenarios/test_changes.py",
    "tests/api/test_typescript.py",
    "tests/test_compose.py",
    "tests/site/test_site.py",
    "tests/client/test_client_leniency.py",
    "tests/histories/test_histories.py",
    "tests/api/test_subscriptions.py",
    "tests/api/test_shop_in_browser.py",
    "tests/workflows/test_life.py",
    "tests/scenarios/test_unanswered.py",
    "tests/scenarios/test_amounts.py",
    "tests/starter/test_cli_changes.py",
    "tests/scenarios/test_said_before.py",
    "tests/ipn/test_receiver.py",
    "tests/scenarios/test_reconciling.py",
    "tests/api/test_clock.py",
    "tests/billing/test_stages.py",
    "tests/billing/test_combinations.py",
    "tests/starter/test_check.py",
    "tests/starter/test_subscriptions.py",
    "tests/simulator/test_assumptions.py",
    "tests/scenarios/test_odd_answers.py",
    "tests/billing/test_diagrams.py",
    "tests/ipn/test_outages.py",
    "tests/worker/test_accounts.py",
    "tests/scenarios/test_upgrades.py",
    "tests/starter/test_cli_accounts.py",
    "tests/scenarios/test_main_stories.py",
    "tests/ledger/reports/test_by_hand.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: nobody has to wait in the end for a file that one process alone is still at."""
    rank = {path: number for number, path in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))
