"""A request has an identity: however often it is asked, with a worker or without, it is carried out once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from amazon_pay_client.resources.refunds import Refunds
from perennial_billing.billing.changes import AddItem, ChangePlan, PauseSubscription, RefundPeriod, RetryNow, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Kind
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter import places
from perennial_billing.starter.client import asking, new_request_id
from perennial_billing.starter.errors import NotAnsweredError, RequestRefusedError
from perennial_billing.workflows.life import PERIODS_PER_RUN
from tests.scenarios.moving import House, moving
from tests.scenarios.story import Story

GIFT = AddItem(amount=Money.parse("3.15 USD"), what="gift wrap")


@pytest_asyncio.fixture(scope="module")
async def moving_house() -> AsyncIterator[House]:
    async with moving() as house:
        yield house


async def test_what_is_asked_while_no_worker_is_there_is_no_failure_and_is_done_once(
    moving_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriptions = moving_house.stage.subscriptions
    story = await Story.begin(moving_house.stage)
    await story.until_due(0)
    await moving_house.stop_worker()
    monkeypatch.setattr(places, "CALL_TIMEOUT", timedelta(seconds=1))

    with pytest.raises(NotAnsweredError, match="ask again with the request id") as asked:
        await subscriptions.change(story.charge_permission_id, GIFT)
    with pytest.raises(NotAnsweredError) as asked_again:
        await subscriptions.change(story.charge_permission_id, GIFT, asked.value.request_id)
    monkeypatch.undo()
    await moving_house.start_worker()
    answer = await subscriptions.change(story.charge_permission_id, GIFT, asked.value.request_id)
    status = await story.quiet()

    assert not asked.value.accepted
    assert asked_again.value.request_id == asked.value.request_id
    assert [item.what for item in status.items] == ["gift wrap"]
    assert answer.effective_at == story.terms.schedule.due(1)


async def test_asking_again_with_the_same_id_gives_the_first_answer_also_years_of_runs_later(house: Stage) -> None:
    story, request_id = await Story.begin(house), new_request_id()
    await story.until_due(0)
    first = await house.subscriptions.change(story.charge_permission_id, GIFT, request_id)
    for period in range(1, PERIODS_PER_RUN + 2):
        await story.until_due(period)

    again = await house.subscriptions.change(story.charge_permission_id, GIFT, request_id)
    status = await story.quiet()

    assert again.effective_at == first.effective_at
    assert status.items == ()
    assert sum(record.items is not None for record in status.ledger) == 1


@pytest.mark.parametrize("runs_between", [False, True], ids=["the same run", "another run"])
async def test_an_id_that_was_anothers_is_refused_and_changes_nothing(house: Stage, *, runs_between: bool) -> None:
    story, request_id = await Story.begin(house), new_request_id()
    await story.until_due(0)
    change = ChangePlan(quantity=2) if runs_between else GIFT  # a changed contract continues as new
    await house.subscriptions.change(story.charge_permission_id, change, request_id)
    before = await story.quiet()

    with pytest.raises(RequestRefusedError, match="another") as refused:
        await house.subscriptions.change(story.charge_permission_id, PauseSubscription(), request_id)

    assert refused.value.refused.kind is Kind.CONFLICT
    assert await story.quiet() == before


async def test_requests_that_wait_for_amazon_block_no_other(house: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, create = asyncio.Event(), Refunds.create

    async def slow(self: Refunds, *given: Any, **named: Any) -> object:
        await answers.wait()
        return await create(self, *given, **named)

    monkeypatch.setattr(Refunds, "create", slow)
    monkeypatch.setattr(asking, "CALL_TIMEOUT", timedelta(seconds=2))
    story = await Story.begin(house)
    await story.until_due(0)
    wanted = [RefundPeriod(period=0, amount=Money.parse("0.25 USD"), reference=f"apple-{n}") for n in range(12)]

    async def ask(refund: RefundPeriod) -> str:
        with pytest.raises(NotAnsweredError, match="Amazon has not answered") as unanswered:
            await house.subscriptions.refund(story.charge_permission_id, refund)
        return unanswered.value.request_id

    ids = await asyncio.gather(*map(ask, wanted))
    await house.subscriptions.change(story.charge_permission_id, PauseSubscription(when=When.RENEWAL))
    answers.set()
    monkeypatch.undo()
    refunds = [
        await house.subscriptions.refund(story.charge_permission_id, refund, request_id)
        for refund, request_id in zip(wanted, ids, strict=True)
    ]
    await story.after(timedelta(hours=2))
    (charge,) = await story.charges()

    assert len({refund.refund_id for refund in refunds}) == len(wanted)
    assert charge.refunded_amount is not None
    assert str(charge.refunded_amount.amount) == "3.00"


async def test_a_refusal_says_field_value_and_what_is_accepted(house: Stage) -> None:
    story = await Story.begin(house)
    with pytest.raises(RequestRefusedError) as refused:
        await house.subscriptions.refund(story.charge_permission_id, RefundPeriod(period=4))
    told = refused.value.refused
    assert (told.field, told.value, told.kind) == ("period", "4", Kind.INVALID)
    assert "no period was settled yet" in told.accepted

    with pytest.raises(RequestRefusedError, match="nothing is owed") as refused:
        await house.subscriptions.retry_now(story.charge_permission_id)
    assert refused.value.refused.kind is Kind.NOT_NOW


async def test_a_dry_run_says_what_would_be_charged_and_changes_nothing(house: Stage) -> None:
    story = await Story.begin(house)
    before = await story.until_due(0)
    now = await story.now()

    dear = await house.subscriptions.dry_run(
        story.charge_permission_id, AddItem(amount=Money.parse("4.40 USD"), what="beans", when=When.NOW), now
    )
    later = await house.subscriptions.dry_run(story.charge_permission_id, GIFT, now)
    with pytest.raises(RequestRefusedError, match="nothing is owed"):
        await house.subscriptions.dry_run(story.charge_permission_id, RetryNow(), now)

    assert [str(charge.amount) for charge in dear.charged_now] == ["4.40 USD"]
    assert [str(charge.amount) for charge in later.charged_now] == []
    assert str(later.upcoming[0].amount) == "13.14 USD"
    assert str(later.before[0].amount) == "9.99 USD"
    assert await story.quiet() == before


async def test_who_owes_is_found_by_one_filter(house: Stage) -> None:
    owing = await Story.begin(house, script=["SoftDeclined"])
    paying = await Story.begin(house)
    status = await owing.until_due(0)
    await paying.until_due(0)

    mine = {owing.charge_permission_id, paying.charge_permission_id}
    async with asyncio.timeout(10):
        found: set[str] = set()
        while found != {owing.charge_permission_id}:
            listed = [each async for each in house.subscriptions.list(past_due=True)]
            found = {each.charge_permission_id for each in listed} & mine

    assert (status.status, status.past_due) == (Status.RETRYING, True)
