"""The list of subscriptions: what a merchant searches by, on a real server's visibility store."""

import asyncio
from collections.abc import Callable

import pytest

from perennial_billing.billing.changes import ChangePlan, SkipPeriod
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter import listing
from perennial_billing.starter.listing import Listed, list_subscriptions
from perennial_billing.starter.many.bulk import changing, matching
from perennial_billing.starter.many.runner import Outcome, Result, do_to_many
from tests.scenarios.story import Story
from tests.starter.agreements import new_terms


async def listed(
    house: Stage,
    charge_permission_id: str,
    *,
    status: Status | None = None,
    ended: bool = False,
    until: Callable[[list[Listed]], bool],
) -> list[Listed]:
    """The lines of one permission, once they are as awaited or a few seconds have passed: the store lags behind."""
    lines: list[Listed] = []
    for _ in range(60):
        lines = [
            line
            async for line in house.subscriptions.list(status=status, ended=ended)
            if line.charge_permission_id == charge_permission_id
        ]
        if until(lines):
            break
        await asyncio.sleep(0.05)
    return lines


async def test_a_line_says_what_a_merchant_searches_by(house: Stage) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms)

    (line,) = await listed(house, terms.charge_permission_id, until=bool)

    assert line == Listed(
        charge_permission_id=terms.charge_permission_id,
        status=Status.ACTIVE,
        plan="coffee",
        merchant_reference=f"order-{terms.charge_permission_id}",
        next_action_at=terms.anchor,
        merchant_account="default",
        last_reason=None,
        needs_attention=False,
        past_due=False,
    )


async def test_trouble_shows_in_the_status_the_reason_and_the_date_and_is_found_by_the_status(house: Stage) -> None:
    story = await Story.begin(house, script=["HardDeclined"])
    subscription = await story.until_due(0)
    identifier, awaiting = story.charge_permission_id, Status.AWAITING_PAYMENT_METHOD

    (line,) = await listed(house, identifier, status=awaiting, until=bool)

    assert (line.status, line.last_reason) == (awaiting, "HardDeclined")
    assert subscription.next is not None
    assert line.next_action_at == subscription.next.at
    assert await listed(house, identifier, status=Status.ACTIVE, until=lambda lines: not lines) == []
    await story.mend_card()
    (mended,) = await listed(house, identifier, status=Status.ACTIVE, until=bool)
    assert mended.last_reason is None


async def test_a_broken_payment_method_needs_attention_before_anything_is_owed(house: Stage) -> None:
    story = await Story.begin(house)
    await house.simulator.break_payment_method(story.charge_permission_id)
    await story.quiet()

    (line,) = await listed(
        house, story.charge_permission_id, until=lambda lines: [line.needs_attention for line in lines] == [True]
    )

    assert (line.needs_attention, line.last_reason) == (True, "PaymentMethodExpired")


async def test_an_ended_one_is_listed_only_when_asked_for_and_has_no_next_action(house: Stage) -> None:
    story = await Story.begin(house)
    await story.cancel()
    identifier = story.charge_permission_id

    (line,) = await listed(
        house, identifier, ended=True, until=lambda lines: [line.next_action_at for line in lines] == [None]
    )

    assert (line.status, line.next_action_at, line.needs_attention) == (Status.CANCELED, None, False)
    assert await listed(house, identifier, until=lambda lines: not lines) == []
    found = await listed(house, identifier, status=Status.CANCELED, ended=True, until=bool)
    assert found == [line]
    assert await listed(house, identifier, status=Status.ACTIVE, ended=True, until=lambda lines: not lines) == []


async def test_a_subscription_of_many_runs_is_one_line(house: Stage) -> None:
    story = await Story.begin(house)
    for period in range(14):
        await story.until_due(period)

    for ended in (False, True):
        (line,) = await listed(house, story.charge_permission_id, ended=ended, until=lambda lines: len(lines) == 1)
        assert (line.status, line.plan) == (Status.ACTIVE, "monthly")
        assert line.next_action_at == story.terms.schedule.due(14)


async def test_a_list_longer_than_a_page_of_temporals_is_whole(house: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stories = [await Story.begin(house) for _ in range(3)]
    for story in stories:
        await listed(house, story.charge_permission_id, until=bool)
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    references = ", ".join(f"'{story.terms.merchant_reference}'" for story in stories)

    found = [
        line.charge_permission_id
        async for line in list_subscriptions(
            house.client.workflow_service, house.client.namespace, query=f"MerchantReference IN ({references})"
        )
    ]

    assert sorted(found) == sorted(story.charge_permission_id for story in stories)


async def continue_as_new(story: Story) -> None:
    """Another price makes the run continue as new; returns when the visibility store knows the next run."""
    before = (await story.handle.describe()).run_id
    await story.stage.subscriptions.change(story.charge_permission_id, ChangePlan(quantity=3))
    runs = f"WorkflowId = '{story.handle.id}' AND ExecutionStatus = 'Running'"
    async with asyncio.timeout(30):
        while [each.run_id async for each in story.stage.client.list_workflows(runs)] in ([], [before]):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("ended", [False, True])
async def test_one_that_continues_as_new_between_two_pages_is_listed_and_once(
    house: Stage, monkeypatch: pytest.MonkeyPatch, *, ended: bool
) -> None:
    stories = {story.charge_permission_id: story for story in [await Story.begin(house) for _ in range(4)]}
    for identifier in stories:
        await listed(house, identifier, until=bool)
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    references = ", ".join(f"'{story.terms.merchant_reference}'" for story in stories.values())
    lines = house.subscriptions.list(query=f"MerchantReference IN ({references})", ended=ended)
    found = [(await anext(lines)).charge_permission_id]
    for story in stories.values():
        await continue_as_new(story)

    found += [line.charge_permission_id async for line in lines]

    assert sorted(found) == sorted(stories)


async def test_each_change_of_a_bulk_is_made_once_although_it_makes_its_run_continue_as_new(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    stories = [await Story.begin(house) for _ in range(3)]
    for story in stories:
        await listed(house, story.charge_permission_id, until=bool)
    references = ", ".join(f"'{story.terms.merchant_reference}'" for story in stories)
    results: list[Result] = []

    counts = await do_to_many(
        matching(house.subscriptions, f"MerchantReference IN ({references})"),
        changing(house.subscriptions, SkipPeriod()),  # asked twice, it would skip two
        results.append,
    )

    assert counts == {Outcome.DONE: 3}
    for story in stories:
        assert (await story.status()).skips == (0,)
