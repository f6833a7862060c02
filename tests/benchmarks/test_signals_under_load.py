"""Each process may be told to end, be killed, or freeze under load: nothing is lost, and it is seen within seconds."""

import signal

import pytest

from benchmarks.signals_under_load import Case, api, receiver, worker

pytestmark = pytest.mark.long  # the suite kills a worker, an API and a Temporal server: test_crash, test_killed, ...
ITEMS = 16


def assert_nothing_is_lost(case: Case) -> None:
    assert (case.lost, case.twice) == (0, 0)
    assert case.under_way > 0
    assert case.seen_seconds < 60


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_in_the_midst_of_charges(sent: signal.Signals) -> None:
    assert_nothing_is_lost(await worker(sent, ITEMS))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
async def test_the_receiver_in_the_midst_of_notifications(sent: signal.Signals) -> None:
    assert_nothing_is_lost(await receiver(sent, ITEMS))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
async def test_the_api_in_the_midst_of_starts(sent: signal.Signals) -> None:
    assert_nothing_is_lost(await api(sent, ITEMS))
