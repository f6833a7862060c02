"""Every benchmark runs to its end with tiny counts and gives its figures. No time is judged here; what is counted is:
the events and bytes of a period's history, the bytes of a state, and what the auditor finds after faults. Nearly all of
it runs by `make long`; of a healthy period's history and of faults `tests/workflows/test_life.py` and
`tests/scenarios/test_any_story.py` speak as well.
"""

import asyncio
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.attacks_on_server import ATTACKS
from benchmarks.wishes import CANCEL, KINDS, REPLACE, Moment, story_of
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ResumeSubscription,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
)
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from tests.billing.support import terms

ROOT = Path(__file__).parents[2]
SECONDS = 110.0
"""For one benchmark on a busy machine; processes that have to start take most of it."""


async def figures_of(benchmark: str, *options: str, seconds: float = SECONDS) -> dict[str, Any]:
    """What a benchmark prints as JSON. Any: its figures."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"benchmarks.{benchmark}", *options, "--json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    figures: dict[str, Any] = json.loads(out)
    return figures


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_year_with_two_releases_that_cannot_replay_each_other_charges_nobody_twice_late_or_not() -> None:
    figures = await figures_of("releases_year", "--subscriptions", "4", "--seed", "3", seconds=280.0)

    assert figures["findings"] == []
    assert [(each["month"], each["current"], each["needed"]) for each in figures["steps"]] == [
        (0, "A", ["A"]), (3, "B", ["B"]), (6, "A", ["A"]), (9, "B", ["B"]), (12, "B", ["B"]),
    ]  # fmt: skip
    assert [each["moved"].endswith("0 given, 0 left") for each in figures["steps"][:-1]] == [True] * 4
    assert figures["begun_in_time"] == figures["begun"] > 8
    assert figures["charges_captured"] >= figures["periods_paid"] > 0


@pytest.mark.long
async def test_signing_is_measured_for_both_algorithms_beside_the_bare_signature() -> None:
    figures = await figures_of("signing", "--rounds", "2", "--signatures", "5")

    assert list(figures["algorithms"]) == ["AMZN-PAY-RSASSA-PSS-V2", "AMZN-PAY-RSASSA-PSS"]
    for of in figures["algorithms"].values():
        assert 0 < of["lowest_ratio"] <= of["ratio"] <= of["highest_ratio"]
        assert of["bare_microseconds"] > 0
        assert of["signed_microseconds"] > 0
    assert figures["machine"]


@pytest.mark.long
async def test_the_simulators_rate_is_measured_beside_its_floors() -> None:
    figures = await figures_of("simulator_rate", "--rounds", "2", "--charges", "10", "--connections", "2")

    for name in ("charges_a_second", "health_a_second", "verifications_a_second", "load_generator_busy"):
        assert figures[name] > 0, name
    assert len(figures["charges_a_second_by_round"]) == 2
    assert figures["machine"]


@pytest.mark.long
async def test_notifications_through_the_receiver_are_measured_beside_bare_signals_and_all_arrive() -> None:
    figures = await figures_of("ipn_rate", "--notifications", "40", "--rounds", "2", "--connections", "4")

    assert figures["arrived"] == figures["notifications"] == 40
    for name in ("received_a_second", "bare_signals_a_second", "ratio", "proofs_a_second", "verifications_a_second"):
        assert figures[name] > 0, name
    assert figures["machine"]


@pytest.mark.long
async def test_a_healthy_period_is_measured_beside_a_peer_and_a_bare_workflow() -> None:
    figures = await figures_of("healthy_period", "--subscribers", "2", "--periods", "2")

    for of in (figures["subscription"], figures["peer"], figures["bare"]):
        assert min(of["events"], of["bytes"], of["actions"], of["worker_milliseconds"]) > 0
    assert figures["subscription"]["events"] <= figures["aim"]["events"]
    assert figures["subscription"]["bytes"] <= figures["aim"]["bytes"]
    assert figures["processor_ratio"] > 0
    assert figures["machine"]


@pytest.mark.long
async def test_on_a_payday_of_many_accounts_nobody_is_told_that_it_is_too_often() -> None:
    options = ("--accounts", "3", "--subscriptions", "2", "--large", "1", "--larger", "14")
    figures = await figures_of("accounts_payday", *options)

    assert (figures["subscriptions"], figures["throttled"]) == (20, 0)
    assert (figures["small"]["accounts"], figures["small"]["charged"]) == (3, 6)
    assert [each["charged"] for each in figures["large"]] == [14]
    for name in ("memory_before_mib", "memory_most_mib", "long_polls", "connections"):
        assert figures[name] > 0, name


@pytest.mark.long
async def test_help_and_list_are_measured_beside_the_least_that_could_do_it() -> None:
    figures = await figures_of("command_line", "--runs", "2", "--subscriptions", "3")

    assert list(figures["commands"]) == ["perennial --help", "perennial list --live", "perennial list"]
    for of in figures["commands"].values():
        assert 0 < of["lowest_ratio"] <= of["highest_ratio"]
        assert min(of["floor_milliseconds"], of["milliseconds"], of["ratio"]) > 0
    assert figures["machine"]


@pytest.mark.long
async def test_a_ledger_is_measured_beside_bare_inserts_and_every_page_report_and_export_is_read() -> None:
    figures = await figures_of("ledger_size", "--subscriptions", "300", "--inserts", "10", "--pages", "1")

    databases = [figures[name] for name in ("SQLite", "PostgreSQL") if name in figures]
    for of in databases:
        assert of["entries"] > 2_000
        assert min(of["inserts"][name] for name in ("recorded_a_second", "bare_a_second", "ratio")) > 0
        assert all(page["first"][0] > 0 for page in of["pages"].values())
        assert all(command["mebibytes"] > 10 for command in of["commands"].values())
    assert databases[0]["commands"]["report forecast"]["seconds"] > 0
    assert figures["machine"]


@pytest.mark.long
async def test_the_api_is_measured_beside_what_it_stands_on() -> None:
    figures = await figures_of("api_rate", "--requests", "8", "--rounds", "1", "--connections", "4")

    assert min(figures["per_second"].values()) > 0
    assert figures["of_floor"].keys() == {"start", "look"}


async def test_who_is_changed_all_the_time_has_a_state_that_grows_no_more_once_its_window_is_full() -> None:
    """Two of ten changes are a period of their own, so twelve days fill it."""
    figures = await figures_of("many_changes", "--days", "13", "19", "--wakes", "3")

    first, later = (figures["days"][days] for days in ("13", "19"))
    assert (first["changes"], later["changes"]) == (130, 190)
    assert later["largest_bytes"] <= figures["aim"] * first["bytes"]
    assert min(first["wake_milliseconds"], first["floor_wake_milliseconds"]) > 0


@pytest.mark.long
async def test_subscribers_that_live_under_faults_and_are_changed_are_charged_once_for_each_period() -> None:
    figures = await figures_of(
        *("fault_run", "--seed", "1", "--subscribers", "2", "--periods", "2"),
        *("--worker-kills", "1", "--server-kills", "1", "--database-kills", "1"),
    )

    assert figures["findings"] == []
    assert figures["audited"] >= 2
    assert figures["periods_due"] >= 4  # more, where the server was killed just after it took a skip
    assert figures["charges_captured"] == figures["periods_paid"] > 0
    assert float(figures["captured"]) - float(figures["refunded"]) == pytest.approx(float(figures["accounted"]))
    assert (figures["worker_kills"], figures["server_kills"]) == (1, 1)
    assert figures["charge_calls"] >= figures["charges_captured"]
    assert figures["unanswered"] == 0
    assert figures["ledger_entries"] >= figures["periods_paid"]
    assert sum(figures["faults"].values()) > 0
    assert figures["asked"]


@pytest.mark.long
async def test_an_audit_beside_a_payday_finds_nothing_and_nobody_is_asked_too_much() -> None:
    figures = await figures_of("payday_audit", "--subscribers", "8", "--ways", "workers", "--share", "1")

    came = figures["workers"]
    assert (came["findings"], came["trouble"], came["throttled"]) == ([], [], {})
    assert came["audits"] > 0
    assert came["reads"] >= 16
    assert figures["machine"]


@pytest.mark.long
async def test_auditing_many_by_the_ledger_is_measured_beside_reading_them() -> None:
    figures = await figures_of("audit_of_many", "--subscriptions", "450", "--periods", "2")

    assert (figures["subscriptions"], figures["entries"], figures["findings"]) == (450, 1350, 0)
    assert min(figures["seconds"], figures["ratio"], figures["peak_megabytes"]) > 0
    assert figures["machine"]


@pytest.mark.long
async def test_attacks_on_the_receiver_hold_up_no_genuine_message_and_fool_nobody() -> None:
    figures = await figures_of("attack", "--small")

    attacks = figures["attacks"]
    assert {kind: one["holds"] for kind, one in attacks.items()} == dict.fromkeys(ATTACKS, True)
    assert set(attacks["forged"]["outcome"]) == {"400", "403", "413"}
    assert attacks["repeated"]["outcome"] == {"200": ATTACKS["repeated"].small}
    assert figures["signals"] == figures["signals_expected"]
    for kind in ("endless header", "endless chunk", "pipelined", "slow loris"):
        assert attacks[kind]["memory_peak"] - attacks[kind]["memory_before"] < 64


@pytest.mark.long
async def test_a_release_is_measured_in_both_ways_that_temporal_has() -> None:
    figures = await figures_of("release_change", "--subscriptions", "2")

    pinned, upgraded = figures["ways"]["pinned, woken"], figures["ways"]["upgraded, patched"]
    assert (pinned["needed_before_waking"], upgraded["needed_before_waking"]) == (2, 0)
    assert pinned["events_once"] > upgraded["events_once"] == 0
    assert upgraded["events_a_period"] > pinned["events_a_period"] > 0


def test_every_kind_of_request_is_drawn_for_somebody() -> None:
    """A kind that the table has and the draw never takes would be tried by nobody."""
    begins = datetime(2026, 1, 31, 9, tzinfo=UTC)
    stories = [story_of(random.Random(seed), begins, begins + timedelta(days=365)) for seed in range(300)]

    asked = {wish.kind for story in stories for wish in story}
    assert asked == {*KINDS, REPLACE, CANCEL}
    moment = Moment(begins, view_of(Subscription.begin(terms())), lambda plan: plan)
    requests = {type(row.make(moment)) for row in KINDS.values()}
    assert requests == {
        *(ChangePlan, ChangeBillingDay, UndoChanges, PauseSubscription, ResumeSubscription, SkipPeriod),
        *(Cancel, UndoCancellation, AddItem, RefundPeriod),
    }
