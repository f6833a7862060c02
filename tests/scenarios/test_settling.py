"""Attempts that an operator settles, and charges that are not what they seem, against the simulator."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from amazon_pay.models import CreateChargeRequest, Currency, Price
from billing.keys import idempotency_key
from billing.parts.collection import EARLIER_CHARGE
from billing.status import Status
from sandbox.stage import Stage
from tests.scenarios.story import MONTHLY, Story
from tests.starter.command_line import joined_to, typed
from worker.wiring import amazon_pay_client
from workflows.names import workflow_id

DAY = timedelta(days=1)


async def is_known(house: Stage, identifier: str) -> bool:
    """Whether Temporal remembers a workflow."""
    try:
        await house.client.get_workflow_handle(identifier).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def known_with_another_body(house: Stage) -> tuple[Story, str]:
    """Amazon knows the first attempt's key with another amount, as after a restore to an older database; the charge
    that it made then."""
    story = await Story.begin(house, MONTHLY, first_charge_in=timedelta(days=30))
    key = idempotency_key(story.charge_permission_id, 0, 1)
    async with amazon_pay_client(house.settings) as amazon:
        body = CreateChargeRequest(
            charge_permission_id=story.charge_permission_id,
            charge_amount=Price(amount=Decimal("7.31"), currency_code=Currency.USD),
            capture_now=True,
        )
        charge = await amazon.charges.create(body, idempotency_key=key)
    status = await story.until(story.terms.anchor + timedelta(minutes=30))
    assert (status.status, status.last_reason) == (Status.ON_HOLD, "DuplicateIdempotencyKey")
    return story, charge.charge_id


async def test_a_held_attempt_is_settled_by_a_new_one_or_by_a_charge_that_fits(house: Stage) -> None:
    story, older = await known_with_another_body(house)
    permission, options = story.charge_permission_id, joined_to(house)

    said = await typed("resolve", permission, "--charge", older, **options)
    assert said.code == 1
    assert "it is of 7.31 USD, and 9.99 USD is owed" in said.err

    said = await typed("resolve", permission, **options)
    assert said.code == 2
    assert "--charge, --new-attempt or --write-off: one is" in said.err

    said = await typed("resolve", permission, "--new-attempt", **options)
    assert (said.code, said.out) == (0, f"{permission}: it is charged again now\n")
    await story.quiet()
    status = await house.subscriptions.status(permission)
    assert [(each.outcome.value, each.attempts) for each in status.ledger] == [("paid", 2)]


async def test_a_held_attempt_may_be_written_off_and_an_owed_period_too(house: Stage) -> None:
    story, _ = await known_with_another_body(house)
    permission, options = story.charge_permission_id, joined_to(house)
    said = await typed("write-off", permission, "--period", "0", **options)
    assert said.code == 1
    assert "perennial resolve" in said.err
    said = await typed("resolve", permission, "--write-off", **options)
    assert said.code == 0
    assert (await house.subscriptions.status(permission)).status is Status.ACTIVE

    owing = await Story.begin(house, MONTHLY, script=["SoftDeclined"])
    await owing.until(owing.terms.anchor + timedelta(hours=1))
    said = await typed("write-off", owing.charge_permission_id, "--period", "0", "--json", **options)
    assert (said.code, said.data["written_off"]) == (0, 0)
    status = await owing.until(owing.terms.anchor + 3 * DAY)
    assert [(each.outcome.value, each.reason) for each in status.ledger] == [
        ("written_off", "written off by the merchant")
    ]
    assert await owing.charges() == []


async def test_a_charge_of_a_life_that_temporal_has_forgotten_pays_nothing_in_the_next_one(house: Stage) -> None:
    before = await Story.begin(house, MONTHLY, first_charge_at=datetime.now(UTC) + timedelta(hours=1))
    await before.until(before.terms.anchor + timedelta(hours=1))
    (old,) = await before.charges()
    identifier = workflow_id(before.charge_permission_id)
    await house.client.get_workflow_handle(identifier).terminate("lost")
    request = DeleteWorkflowExecutionRequest(namespace=house.client.namespace)
    request.workflow_execution.workflow_id = identifier
    await house.client.workflow_service.delete_workflow_execution(request)
    while await is_known(house, identifier):
        await asyncio.sleep(0.05)

    terms = before.terms.but(anchor=before.terms.anchor + 40 * DAY)
    await house.subscriptions.start(terms)
    after = Story(house, terms)
    status = await after.until(terms.anchor + timedelta(hours=1))

    assert (status.status, status.last_reason) == (Status.ON_HOLD, EARLIER_CHARGE)
    assert status.owed is not None
    assert status.owed.charge_in_question == old.charge_id
    said = await typed("resolve", after.charge_permission_id, "--new-attempt", **joined_to(house))
    assert said.code == 0
    await after.quiet()
    assert len(await after.charges()) == 2
