"""`perennial check`: what each answer of the Temporal server means, and a whole deployment looked at with real ones."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.checks import temporal
from perennial_billing.starter.checks.check import State
from perennial_billing.starter.checks.temporal import CallQueue, Counted, Polled, Server
from perennial_billing.starter.deployments import Deployment, Release, Role
from perennial_billing.starter.hindered import Hindered, Hindrance
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES
from tests.scenarios.story import Story
from tests.scenarios.test_releases import Releases
from tests.starter.command_line import Said, dead_port, joined_to, typed

BESIDE_TEMPORAL: Final = (
    *("region", "public key id", "private key", "the key's environment", "merchant id", "quotas"),
    *("Amazon answers (default)", "signature (default)", "clock (default)", "ledger", "data folder", "endpoints"),
    *("notifications' address", "notifications", "Temporal's client certificate"),
)
ON_TEMPORAL: Final = (
    *("Temporal's server", "namespace", "search attributes", "call queues", "workers", "releases"),
    *("failing workflows", "paused workflows", "stopped workflows", "overdue"),
)
NAMES: Final = (*BESIDE_TEMPORAL, "Temporal", *ON_TEMPORAL)
ATTRIBUTES: Final = {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}


async def checked(house: Stage, **environment: str) -> tuple[Said, dict[str, Any]]:
    """What it says as data, by the thing. Any: a check as data."""
    said = await typed("check", "--json", **(joined_to(house) | house.worker_environment() | environment))
    by_name = {each["name"]: each for each in said.data["checks"]}
    assert tuple(by_name) == NAMES
    assert said.data["right"] == (said.code == 0)
    assert said.code in {0, 1}
    assert all(each["to_do"] for each in by_name.values() if each["state"] in {"wrong", "missing"})
    return said, by_name


def release(build_id: str, role: Role, runs: int, workers: int) -> Release:
    return Release(build_id, role, None, None, None, runs, 0, workers)


def of(releases: Sequence[Release], unversioned_workers: int = 0) -> Deployment:
    return Deployment("perennial", releases, 0, unversioned_workers)


def test_whatever_is_looked_at_is_documented_with_when_it_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations" / "checking.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    documented = {name for row in rows for name in row.split(", ")}
    assert {name.partition(" (")[0] for name in NAMES} - {"endpoints"} <= documented


def test_search_attributes_that_are_missing_or_of_another_type_are_named_with_what_makes_them() -> None:
    assert temporal.search_attributes(ATTRIBUTES | {"Others": 1}).state is State.DONE
    missing = temporal.search_attributes({name: number for name, number in ATTRIBUTES.items() if name != "PastDue"})
    assert (missing.state, missing.found) == (State.MISSING, "the namespace lacks PastDue")
    assert "search-attribute create --name PastDue --type Bool" in missing.to_do
    mistyped = temporal.search_attributes(ATTRIBUTES | {"Plan": ATTRIBUTES["PastDue"]})
    assert (mistyped.state, mistyped.found) == (State.WRONG, "of another type: Plan (Bool and not Keyword)")


def test_each_queue_needs_somebody_who_asks_it() -> None:
    some = [Polled(f"shop-{number}", workers=1) for number in range(5)]
    assert temporal.workers(some).found == "5 task queues, each with 1 or more"
    of_one = Polled("shop", 2, frozenset({"0.1.0-5f3a90c1"}))
    assert temporal.workers([of_one]).found == "1 task queues, each with 2 or more, of 0.1.0-5f3a90c1"
    silent = [*some, Polled("shop-CreateCharge", 0)]
    assert temporal.workers(silent).state is State.MISSING
    assert temporal.workers(silent).found == "nobody asks for the work of shop-CreateCharge"
    nobody = temporal.workers([Polled(f"shop-{number}", 0) for number in range(5)])
    assert nobody.found == "nobody asks for work, so nobody is billed"
    assert temporal.workers([*some, *(Polled(f"box-{number}", 0) for number in range(5))]).found == (
        "nobody asks for the work of box-0, box-1, box-2 and 2 more"
    )


def test_queues_of_calls_that_the_server_keeps_otherwise_are_named() -> None:
    wanted = {"shop-CreateCharge": 4.0, "shop-GetCharge": 4.0}
    right = [CallQueue(name, 1, rate) for name, rate in wanted.items()]
    assert temporal.call_queues(right, wanted).found == "the server keeps the limits of all 2"
    untold = [CallQueue(name, None, rate) for name, rate in wanted.items()]
    assert temporal.call_queues(untold, wanted).found.endswith("whether each has one partition it does not tell")
    shared = temporal.call_queues([CallQueue("shop-CreateCharge", 4, 4.0), right[1]], wanted)
    assert shared.found.startswith("shop-CreateCharge: 4 partitions share a limit")
    assert "matching.numTaskqueueReadPartitions" in shared.to_do
    missing = temporal.call_queues([CallQueue("shop-CreateCharge", 1, None), right[1]], wanted)
    assert (missing.state, missing.found.partition(":")[0]) == (State.MISSING, "shop-CreateCharge")
    other = temporal.call_queues([CallQueue("shop-CreateCharge", 1, 8.0), right[1]], wanted)
    assert other.found.endswith("shop-CreateCharge 8 and not 4")
    assert not any(each.is_in_the_way for each in (shared, missing, other))


@pytest.mark.parametrize(
    ("version", "state", "words"),
    [
        ("1.32.0", State.DONE, "1.32.0"),
        ("1.29.3", State.WRONG, "keeps no limit for each account"),
        ("", State.DONE, "does not tell its version"),
        ("1.32.0-152.3", State.DONE, "small workflows"),
    ],
)
def test_a_server_is_named_by_what_it_cannot_do(version: str, state: State, words: str) -> None:
    check = temporal.server(Server(version, timedelta(days=30), delivers_alone="-" not in version))
    assert check.state is state
    assert words in check.found


def test_a_namespace_that_forgets_soon_is_said_and_in_nobodys_way() -> None:
    month, day = (
        temporal.namespace(Server("1.32.0", timedelta(days=days), delivers_alone=True), "live") for days in (30, 1)
    )
    assert (month.state, month.found) == (State.DONE, "live keeps what has ended for 30 days")
    assert (day.state, day.is_in_the_way) == (State.WRONG, False)
    assert day.to_do == "`temporal operator namespace update --namespace live --retention 30d`"


@pytest.mark.parametrize(
    ("deployment", "state", "found"),
    [
        (of([]), State.DONE, "workers are no releases, and all are alike"),
        (
            of([release("one", Role.CURRENT, 3, 2)]),
            State.DONE,
            "one: current, 2 workers, 3 runs",
        ),
        (
            of([release("one", Role.NEW, 0, 1)]),
            State.WRONG,
            "none is current, so workers that are releases get nothing (one: new, 1 workers, 0 runs)",
        ),
        (
            of([release("two", Role.CURRENT, 1, 1), release("one", Role.FORMER, 7, 0)]),
            State.WRONG,
            "7 runs wait for workers of one",
        ),
        (
            of([release("two", Role.CURRENT, 0, 0)]),
            State.WRONG,
            "two is current and has no workers, so nothing new goes on",
        ),
    ],
)
def test_a_release_that_is_needed_has_workers_and_one_is_current(
    deployment: Deployment, state: State, found: str
) -> None:
    check = temporal.releases(deployment)
    assert (check.state, check.found) == (state, found)
    assert bool(check.to_do) == (state is not State.DONE)


def test_what_is_wrong_with_workflows_is_counted_and_says_what_to_do() -> None:
    since = datetime(2027, 3, 4, 12, 0, tzinfo=UTC)
    one = Hindered("C01-1", "run", Hindrance.FAILING, since, None, "non deterministic error: TMPRL1100")
    counted = Counted(failing=2, failing_one=one, paused=3, stopped=4, overdue=5)
    checks = (temporal.failing, temporal.paused, temporal.stopped, temporal.overdue)

    assert [check(Counted()).state for check in checks] == [State.DONE] * 4
    assert [check(counted).is_in_the_way for check in checks] == [True] * 4
    assert temporal.failing(counted).found == (
        "workers fail at 2, which make no progress, such as C01-1: its workflow makes no progress since "
        "2027-03-04 12:00 UTC: its workers fail at it (non deterministic error: TMPRL1100)"
    )
    assert [check(counted).to_do.split("`")[1] for check in checks] == [
        "perennial deploy rollback", "perennial list --live", "perennial recover --all --dry-run",
        "perennial list --live",
    ]  # fmt: skip


@asynccontextmanager
async def deployment(*, with_worker: bool) -> AsyncIterator[Stage]:
    async with stage(with_worker=with_worker) as house:
        yield house


async def test_a_deployment_that_bills_is_right_and_what_is_wrong_with_one_is_found_by_its_name() -> None:
    async with deployment(with_worker=True) as house:
        paid = await Story.begin(house)
        await paid.until_due(0)
        said, _ = await checked(house)
        assert said.code == 0, said.out
        plain = await typed("check", **(joined_to(house) | house.worker_environment()))
        assert plain.out.splitlines()[-1] == "All is as it is to be."

        await paid.handle.terminate(reason="the wrong window")
        said, found = await checked(house)
        while found["stopped workflows"]["state"] == "done":  # the visibility store is a moment behind
            said, found = await checked(house)
        assert said.code == 1
        assert found["stopped workflows"]["found"].startswith("1 were terminated, failed or timed out")
        assert said.err.strip() == f"error: 1 of {len(NAMES)} are not as they are to be: stopped workflows"

        _, found = await checked(house, PERENNIAL_TASK_QUEUE="another")
        assert found["workers"]["found"] == "nobody asks for work, so nobody is billed"
        _, found = await checked(house, PERENNIAL_LEDGER_URL="sqlite:////nonexistent/ledger.db")
        assert found["ledger"]["state"] == "wrong"
        with dead_port() as port:
            _, found = await checked(house, TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
        assert found["Temporal"]["found"] == f"TEMPORAL_ADDRESS: no Temporal server answers at 127.0.0.1:{port}"
        assert found["Temporal"]["state"] == "wrong"
        assert {found[name]["state"] for name in ON_TEMPORAL} == {"not tried"}
        assert found["ledger"]["state"] == "done"


async def test_without_workers_what_is_overdue_is_counted_and_the_first_release_is_set_up_once_it_works() -> None:
    named = "billing/bills-perennial"  # as Temporal's Worker Controller calls a deployment
    async with deployment(with_worker=False) as plain:
        house = replace(plain, settings=plain.settings.model_copy(update={"deployment_name": named}))
        environment = {"PERENNIAL_DEPLOYMENT_NAME": named}

        async def first_release(*options: str) -> tuple[int, str]:
            release = {"PERENNIAL_WORKER_VERSIONING": "true", "PERENNIAL_BUILD_ID": "one"}
            variables = joined_to(house) | house.worker_environment() | environment | release
            said = await typed("setup", "--only", "temporal", "--json", *options, **variables)
            return said.code, said.data["items"][-1]["state"]

        releases = Releases(house)
        began = datetime.now(UTC) - timedelta(hours=2)
        await Story.begin(house, first_charge_at=began.replace(microsecond=0))
        _, found = await checked(house, **environment)
        while found["overdue"]["state"] == "done":
            _, found = await checked(house, **environment)
        assert found["overdue"]["found"] == "1 stand past their next action by more than 10 minutes"
        assert found["workers"]["state"] == "missing"
        assert found["releases"]["found"] == "workers are no releases, and all are alike"
        assert await first_release() == (0, "comes later")
        try:
            await releases.start("one")
            while not (await releases.look()).releases:
                pass
            _, found = await checked(house, **environment)
            assert found["releases"]["found"].startswith("none is current, so workers that are releases get nothing")
            assert found["releases"]["to_do"] == "`perennial deploy promote --first`"
            while await first_release("--dry-run") != (0, "would be made"):
                pass
            assert await first_release() == (0, "made")
            assert await first_release() == (0, "there already")
            await releases.move()
            while (await checked(house, **environment))[0].code != 0:  # what was due is charged
                pass
        finally:
            await releases.stop_all()
