"""One change for many: counted and tried first, done once, told of one by one, stopped when somebody says so."""

import asyncio
import csv
from io import StringIO

import httpx
import pytest

from perennial_billing.billing.status import Status
from perennial_billing.starter.console.jobs import Job
from perennial_billing.starter.console.routes import many
from perennial_billing.starter.many.runner import Result
from tests.console.conftest import Console, reference, request_id_of, token_of
from tests.console.test_asking import text_of

ENDS_WITHIN_SECONDS = 60.0


async def previewed(console: Console, way: str, **fields: str) -> httpx.Response:
    form = token_of((await console.http.get(f"/many/{way}")).text)
    sent = {"csrf": form, "because": "the roastery is closed", **fields}
    return await console.http.post(f"/many/{way}/preview", data=sent)


def confirmed_by(tried: httpx.Response, expected: int, **fields: str) -> dict[str, str]:
    sent = {"csrf": token_of(tried.text), "request_id": request_id_of(tried.text), "expected": str(expected)}
    return sent | {"because": "the roastery is closed"} | fields


async def some(console: Console, count: int) -> tuple[str, list[str]]:
    """So many subscriptions, and the query that finds them, as Temporal's store has them by now."""
    mine = reference()
    permissions = [await console.charged(merchant_reference=mine) for _ in range(count)]
    query = f"MerchantReference = '{mine}'"
    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        while len([each async for each in console.house.subscriptions.list(query=query)]) < count:
            await asyncio.sleep(0.05)
    return query, permissions


async def ended(console: Console, job_id: str) -> Job:
    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        while (job := console.app.state.jobs.get(job_id)).ended_at is None:
            await asyncio.sleep(0.05)
    found: Job = job
    return found


async def test_many_are_counted_tried_paused_and_told_of_one_by_one(console: Console) -> None:
    query, permissions = await some(console, 3)
    await console.done(permissions[0], "pause", because="was paused before")

    tried = await previewed(console, "pause", query=query)
    assert tried.status_code == 200, text_of(tried.text)
    assert "3 match" in text_of(tried.text)
    assert (await console.house.subscriptions.status(permissions[1])).status is Status.ACTIVE, "nothing was changed"
    sent = confirmed_by(tried, 3, query=query)
    begun = [await console.http.post("/many/pause", data=sent) for _ in range(2)]

    assert {each.headers["location"] for each in begun} == {f"/many/jobs/{sent['request_id']}"}
    job = await ended(console, sent["request_id"])
    assert (job.count("done"), job.count("already"), job.count("refused")) == (2, 1, 0)
    for each in permissions:
        assert (await console.house.subscriptions.status(each)).status is Status.PAUSED
    shown = text_of((await console.http.get(f"/many/jobs/{job.id}")).text)
    assert "Asked by ines: the roastery is closed" in shown
    assert "3 of 3" in shown
    answer = await console.http.get(f"/many/jobs/{job.id}/report.csv")
    rows = list(csv.reader(StringIO(answer.text)))
    assert sorted(row[0] for row in rows[1:]) == sorted(permissions)
    told = text_of((await console.http.get(f"/subscriptions/{permissions[1]}")).text)
    assert "Asked by ines: the roastery is closed" in told


async def test_where_others_match_by_now_nothing_is_begun(console: Console) -> None:
    query, permissions = await some(console, 1)
    tried = await previewed(console, "cancel", query=query, when="now")

    answer = await console.http.post("/many/cancel", data=confirmed_by(tried, 2, query=query, when="now"))

    assert answer.status_code == 422
    assert "1 match by now, another number than before" in text_of(answer.text)
    assert (await console.house.subscriptions.status(permissions[0])).ending is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "somebody is to be named"),
        ({"plan": "x' OR Plan != 'x"}, "letters, digits and"),
        ({"query": "this is none"}, "query"),
        ({"plan": "none-has-it", "because": ""}, "why, in a line"),
    ],
)
async def test_nobody_is_meant_by_what_cannot_be_meant(console: Console, fields: dict[str, str], said: str) -> None:
    answer = await previewed(console, "pause", **fields)

    assert answer.status_code == 422
    assert said in text_of(answer.text)
    assert "Confirm" not in answer.text


async def test_what_runs_can_be_stopped_and_then_begins_no_more(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, permissions = await some(console, 2)
    begun: list[str] = []
    never = asyncio.Event()

    def holding(*_: object) -> object:
        async def hold(charge_permission_id: str) -> Result:
            begun.append(charge_permission_id)
            await never.wait()
            raise AssertionError("nobody lets it go on")

        return hold

    monkeypatch.setattr(many, "changing", holding)
    monkeypatch.setattr(many, "PER_SECOND", 1_000.0)
    tried = await previewed(console, "pause", query=query)
    sent = confirmed_by(tried, 2, query=query)
    await console.http.post("/many/pause", data=sent)
    page = await console.http.get(f"/many/jobs/{sent['request_id']}")
    assert "under way" in text_of(page.text)
    second = await console.http.post("/many/pause", data=confirmed_by(tried, 2, query=query) | {"request_id": "0" * 32})
    assert "another change for many is under way" in text_of(second.text)

    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        while not begun:
            await asyncio.sleep(0.02)
    stopped = await console.http.post(f"/many/jobs/{sent['request_id']}/stop", data={"csrf": token_of(page.text)})

    assert stopped.status_code == 303
    job = await ended(console, sent["request_id"])
    assert (job.known, job.stopped_by) == (0, "ines")
    assert "stopped by ines" in text_of((await console.http.get(f"/many/jobs/{job.id}")).text)
    for each in permissions:
        assert (await console.house.subscriptions.status(each)).pause is None
