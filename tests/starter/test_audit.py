"""`perennial audit` over a whole house of its own: all is well, and then somebody charges a buyer behind its back."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest_asyncio

from amazon_pay_client.models import CreateChargeRequest, Price
from perennial_billing.billing.keys import idempotency_key
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.audit.auditor import Auditor
from perennial_billing.starter.audit.witness import AmazonWitness
from perennial_billing.worker.wiring import amazon_pay_client
from tests.scenarios.story import Story
from tests.starter.command_line import dead_port, joined_to, typed


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small_house() -> AsyncIterator[Stage]:
    async with stage() as house:
        yield house


async def listed(house: Stage, number: int) -> None:
    """Waits until the visibility store, which lags behind, shows so many."""
    async with asyncio.timeout(60):
        while len([line async for line in house.subscriptions.list(ended=True)]) < number:
            await asyncio.sleep(0.05)


async def test_an_audit_finds_nothing_until_somebody_charges_a_buyer_twice(small_house: Stage) -> None:
    house = small_house
    healthy, ended = [await Story.begin(house) for _ in range(2)]
    for story in (healthy, ended):
        await story.until_due(0)
    await ended.cancel()
    await listed(house, 2)
    audit = ["audit", "--simulator", house.simulator.origin, "--json"]

    before = await typed(*audit, **joined_to(house))
    async with amazon_pay_client(house.settings) as amazon:
        await amazon.charges.create(
            CreateChargeRequest(
                charge_permission_id=healthy.charge_permission_id,
                charge_amount=Price.model_validate({"amount": "9.99", "currency_code": "USD"}),
                capture_now=True,
            ),
            idempotency_key=idempotency_key(healthy.charge_permission_id, 0, 2),
        )
    after = await typed(*audit, **joined_to(house))
    for_people = await typed(*audit[:-1], **joined_to(house))

    assert (before.code, before.data) == (0, {"audited": 2, "findings": []})
    assert after.code == 1
    assert after.err.strip() == "error: 1 of 2 subscriptions break a promise"
    (found,) = after.data["findings"]
    assert found["charge_permission_id"] == healthy.charge_permission_id
    assert "period 0 was charged 2 times" in found["findings"]
    assert f"{healthy.charge_permission_id} │ period 0 was charged 2 times" in for_people.out


async def test_amazon_itself_can_be_the_witness(small_house: Stage) -> None:
    story = await Story.begin(small_house)
    await story.until_due(0)
    async with amazon_pay_client(small_house.settings) as amazon:
        auditor = Auditor(small_house.client, small_house.subscriptions, AmazonWitness(amazon))

        assert (await auditor.one(story.charge_permission_id)).findings == ()
        await small_house.simulator.send_notifications_to(None)
        await small_house.simulator.close_by_buyer(story.charge_permission_id)
        found = (await auditor.one(story.charge_permission_id)).findings
        await small_house.simulator.send_notifications_to(small_house.ipn_url)

    assert found == ("the charge permission is closed, and the subscription is active",)


async def test_a_simulator_that_cannot_be_reached_is_named(small_house: Stage) -> None:
    with dead_port() as port:
        said = await typed("audit", "--simulator", f"http://127.0.0.1:{port}", **joined_to(small_house))

    assert said.code == 1
    assert f"http://127.0.0.1:{port}" in said.trouble


async def test_where_no_simulator_is_installed_whoever_needs_it_is_told_what_to_install(house: Stage) -> None:
    """As in the worker's image, where the rest of the command works."""
    without = "import sys; sys.modules['amazon_pay_simulator'] = None; "
    start = without + "from perennial_billing.starter.cli import main; main()"
    for command in (["audit", "--simulator", house.simulator.origin], ["demo"]):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", start, *command),
            env={**os.environ, **joined_to(house)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()

        assert (process.returncode, out) == (2, b"")
        assert err.decode() == (
            "error: this needs the Amazon Pay simulator, which is not installed; install perennial-billing[demo]\n"
        )
