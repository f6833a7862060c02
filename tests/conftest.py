"""The whole system on loopback, once per test session: Temporal server, simulator, IPN receiver, workers, and the
merchant's endpoint for notices.

Every test takes charge permissions of its own, so tests share the servers and disturb each other in nothing.
"""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import pytest_asyncio
from hypothesis import settings

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.sandbox.stage import Stage, stage
from tests.endpoint import SECRET, Endpoint, endpoint

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
"""No example is judged by its time, which others on the machine decide as well."""

settings.register_profile("soak", deadline=None)
"""Chosen by `--hypothesis-profile soak`: whoever has something longer to do asks for it."""


def pytest_configure() -> None:
    """Before a console of ours is made: readline leaves a terminal's width to the processes that xdist starts."""
    os.environ.pop("COLUMNS", None)


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
async def notices() -> AsyncIterator[Endpoint]:
    """Where the house sends its notices."""
    async with endpoint() as listening:
        yield listening


@pytest_asyncio.fixture(scope="session")
async def house(notices: Endpoint) -> AsyncIterator[Stage]:
    """Everything, with workers in this process."""
    async with stage(webhook_url=notices.url, webhook_secret=SECRET) as set_up:
        yield set_up


_LONGEST: Final = (
    "tests/benchmarks/test_benchmarks.py",
    "tests/billing/test_paid_is_served.py",
    "tests/workflows/test_telling.py",
    "tests/worker/test_crash.py",
    "tests/starter/test_demo.py",
    "tests/scenarios/test_decision_table.py",
    "tests/simulator/test_program.py",
    "tests/packaging/test_distributions.py",
    "tests/interop/test_pages.py",
    "tests/attack/test_attacks.py",
    "tests/starter/test_breaking_off.py",
    "tests/scenarios/test_notices.py",
    "tests/scenarios/test_any_story.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: nobody has to wait in the end for a file that one process alone is still at."""
    rank = {path: number for number, path in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))
