"""The buyer checks out again after the permission was closed: the subscription goes on under the new one."""

import asyncio
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio import workflow

from amazon_pay_client.errors import UnavailableError
from amazon_pay_client.models import Currency
from amazon_pay_client.resources.charge_permissions import ChargePermissions
from amazon_pay_simulator.faults import Fault, FaultPlan
from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Capture
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.witness import BooksWitness
from perennial_billing.starter.audit.auditor import Auditor
from perennial_billing.starter.audit.presence import Workflows
from perennial_billing.starter.client import asking
from perennial_billing.starter.errors import NotAnsweredError, RequestRefusedError, SubscriptionEndedError
from perennial_billing.workflows.life import PERIODS_PER_RUN
from tests.endpoint import Endpoint
from tests.scenarios.story import MONTHLY, Story, pending_charge_of


async def new_permission(house: Stage, at: datetime | None = None) -> str:
    return (await house.simulator.open_permission(at=at)).charge_permission_id


async def continued(house: Stage, story: Story, successor: str) -> Story:
    """The merchant says so, and the story goes on."""
    answered = await house.subscriptions.replace_charge_permission(story.charge_permission_id, successor)
    assert answered == f"subscription-{successor}"
    terms = story.terms.model_copy(update={"charge_permission_id": successor})
    after = Story(house, terms)
    await after.quiet()
    return after


async def test_a_permission_closed_between_dates_is_replaced_and_the_billing_day_is_kept(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    await house.simulator.close_by_buyer(story.charge_permission_id, await story.now())
    status = await story.quiet()
    assert (status.status, status.last_reason) == (Status.AWAITING_CHECKOUT, "BuyerClosed")

    after = await continued(house, story, await new_permission(house))
    await after.until_due(1)

    assert (await story.status()).status is Status.REPLACED
    status = await after.status()
    assert (status.status, status.periods_paid) == (Status.ACTIVE, 2)
    assert [record.outcome for record in status.ledger] == [PeriodOutcome.PAID] * 2
    await after.assert_charged_at(story.terms.schedule.due(1))
    assert len(await story.charges()) == 1
    told = await notices.told(story.charge_permission_id, (await story.status()).notices_told)
    assert [event["type"] for event in told][-4:] == [
        "charge_permission.closed",
        "subscription.changed",
        "charge_permission.replaced",
        "subscription.ended",
    ]
    begun, paid = await notices.told(after.charge_permission_id, 2)
    assert (begun["type"], begun["data"]["predecessor"]) == ("subscription.continued", story.charge_permission_id)
    assert (paid["type"], paid["data"]["number"]) == ("period.paid", len(told) + 2), "the numbers go on"


async def test_the_audit_finds_nothing_on_either_side_of_a_new_checkout(house: Stage) -> None:
    """The new one's account names charges of the old one, one of which was authorized there and is captured here."""
    story = await Story.begin(house, MONTHLY.but(capture=Capture.LATER))
    await story.until_due(0)
    await house.subscriptions.capture(story.charge_permission_id, 0, Money.parse("4.00 USD"))
    await story.until_due(1)

    after = await continued(house, story, await new_permission(house))
    await house.subscriptions.capture(after.charge_permission_id, 1)
    await after.until_due(2)

    times = {each.charge_permission_id: await each.now() for each in (story, after)}

    async def time_of(charge_permission_id: str) -> datetime:
        return times[charge_permission_id]

    books = BooksWitness(await house.simulator.books())
    auditor = Auditor(house.ledger, Workflows(house.client, house.subscriptions), witness=books, time_of=time_of)
    for each in (story, after):
        assert (await auditor.one(each.charge_permission_id)).findings == ()
    paid = [(record.outcome, record.amount) for record in (await after.status()).ledger]
    assert paid == [
        (PeriodOutcome.PAID, Money.parse("4.00 USD")),
        (PeriodOutcome.PAID, Money.parse("9.99 USD")),
        (PeriodOutcome.AUTHORIZED, Money.parse("9.99 USD")),
    ]


async def test_what_was_owed_is_charged_at_once_under_the_new_permission(house: Stage) -> None:
    story = await Story.begin(house, script=["AmazonRejected"])
    status = await story.until_due(0)
    assert (status.status, status.last_reason) == (Status.AWAITING_CHECKOUT, "AmazonRejected")
    assert await story.permission_state() == "Closed"

    after = await continued(house, story, await new_permission(house))

    status = await after.status()
    assert (status.periods_paid, status.next_period) == (1, 1)
    assert len(await after.charges()) == 1
    assert await story.charges() == []


async def test_a_permission_that_is_still_open_is_closed_when_it_is_replaced(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)

    after = await continued(house, story, await new_permission(house))
    await story.quiet()

    assert (await story.status()).status is Status.REPLACED
    assert await story.permission_state() == "Closed"
    assert await after.permission_state() == "Chargeable"
    await after.cancel()
    assert await after.permission_state() == "Closed"


@pytest.mark.long  # the rule: tests/billing/test_new_checkout.py
async def test_nobody_coming_back_in_time_ends_it(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    await house.simulator.close_by_buyer(story.charge_permission_id, await story.now())
    await story.quiet()

    status = await story.after(timedelta(days=21))

    assert (status.status, status.last_reason) == (Status.CLOSED, "BuyerClosed")
    assert [record.outcome for record in status.ledger] == [PeriodOutcome.PAID]
    with pytest.raises(SubscriptionEndedError):
        await house.subscriptions.replace_charge_permission(story.charge_permission_id, await new_permission(house))


async def test_another_subscriptions_permission_is_refused_and_nothing_changes(house: Stage) -> None:
    story, other = await asyncio.gather(Story.begin(house), Story.begin(house))
    await story.until_due(0)

    with pytest.raises(RequestRefusedError, match="subscription of its own"):
        await house.subscriptions.replace_charge_permission(story.charge_permission_id, other.charge_permission_id)
    with pytest.raises(RequestRefusedError, match="has already"):
        await house.subscriptions.replace_charge_permission(story.charge_permission_id, story.charge_permission_id)
    with pytest.raises(RequestRefusedError, match=r"no id.* is not accepted"):
        await house.subscriptions.replace_charge_permission(story.charge_permission_id, "no id")

    status = await story.until_due(1)
    assert (status.status, status.periods_paid) == (Status.ACTIVE, 2)


async def test_an_id_with_a_typing_error_closes_nothing_and_is_told_to_whoever_asks_and_to_the_merchant(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    typo = f"{(await new_permission(house))[:-1]}X"

    for _ in range(2):
        with pytest.raises(RequestRefusedError, match=f"{typo} is not accepted; Amazon does not show it"):
            await house.subscriptions.replace_charge_permission(story.charge_permission_id, typo, "as-before")

    status = await story.quiet()
    assert (status.status, status.successor, await story.permission_state()) == (Status.ACTIVE, None, "Chargeable")
    assert status.refused_successor is not None
    assert status.refused_successor.charge_permission_id == typo
    told = await notices.told(story.charge_permission_id, status.notices_told)
    assert [event["type"] for event in told].count("charge_permission.replacement_refused") == 1, (
        "asked again, as before"
    )
    assert told[-1]["data"]["successor"] == typo
    await story.until_due(1)
    after = await continued(house, story, await new_permission(house))
    assert (await after.status()).refused_successor is None


@pytest.mark.parametrize(
    "how",
    [
        "closed",
        pytest.param("broken", marks=pytest.mark.long),  # the rule: tests/billing/test_new_checkout.py
        pytest.param("in another currency", marks=pytest.mark.long),
    ],
)
async def test_what_cannot_be_charged_as_it_needs_is_refused(house: Stage, how: str) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    other = (
        await house.simulator.open_permission(Currency.JPY if how == "in another currency" else Currency.USD)
    ).charge_permission_id
    if how == "closed":
        await house.simulator.close_by_buyer(other, await story.now())
    elif how == "broken":
        await house.simulator.break_payment_method(other)

    with pytest.raises(RequestRefusedError, match=r"it is closed|it cannot be charged now|it is in JPY"):
        await house.subscriptions.replace_charge_permission(story.charge_permission_id, other)

    assert await story.permission_state() == "Chargeable"
    assert (await story.until_due(1)).periods_paid == 2


@pytest.mark.long  # the rule: tests/billing/test_new_checkout.py
async def test_while_amazon_does_not_answer_nothing_is_closed_and_what_falls_due_is_charged(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "CALL_TIMEOUT", timedelta(seconds=1))
    story = await Story.begin(house)
    await story.until_due(0)
    new = await new_permission(house)
    await house.simulator.set_faults(FaultPlan(requests={Fault.UNAVAILABLE: 1}))
    try:
        with pytest.raises(NotAnsweredError, match="Amazon has not answered yet"):
            await house.subscriptions.replace_charge_permission(story.charge_permission_id, new, "when-it-can")
        await house.server.time.fast_forward(story.handle, timedelta(hours=4))
        await asyncio.sleep(0.3)
        status = await story.status()
        (call,) = status.unanswered
        assert (call.action, call.about) == (Action.READ_SUCCESSOR, new)
        assert (status.needs_attention, status.last_reason) == (True, "OutcomeUnknown")
    finally:
        await house.simulator.set_faults(FaultPlan())
    assert await story.permission_state() == "Chargeable", "nothing was closed before it was known"
    await story.after(timedelta(hours=2))

    monkeypatch.undo()
    again = await house.subscriptions.replace_charge_permission(story.charge_permission_id, new, "when-it-can")
    assert again == f"subscription-{new}"
    assert (await story.status()).status is Status.REPLACED
    assert await story.permission_state() == "Closed"


async def test_starting_under_the_new_permission_again_finds_it_and_other_terms_are_refused(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    after = await continued(house, story, await new_permission(house))

    assert (await house.subscriptions.start(after.terms)).already


async def waiting_for_a_pending_charge(house: Stage, paid_before: int = 0) -> tuple[Story, asyncio.Task[str]]:
    """A replacement was asked for, and waits until Amazon has decided on the charge under way."""
    story = await Story.begin(house, script=[*[None] * paid_before, "AuthorizationInitiated"])
    for period in range(paid_before + 1):
        await story.until_due(period)
    successor = await new_permission(house, at=await story.now())
    replacing = asyncio.create_task(
        house.subscriptions.replace_charge_permission(story.charge_permission_id, successor)
    )
    async with asyncio.timeout(60):
        while (await story.status()).successor is None:
            await asyncio.sleep(0.05)
    return story, replacing


@pytest.mark.parametrize("paid_before", [0, PERIODS_PER_RUN - 1], ids=["early in a run", "where a run is long enough"])
async def test_a_pending_charge_is_settled_before_the_subscription_goes_on_elsewhere(
    house: Stage, paid_before: int
) -> None:
    story, replacing = await waiting_for_a_pending_charge(house, paid_before)
    assert not replacing.done()

    await house.simulator.decide_charge(pending_charge_of(await story.status()), at=await story.now())
    async with asyncio.timeout(60):
        successor = (await replacing).removeprefix("subscription-")

    assert (await house.subscriptions.status(successor)).periods_paid == paid_before + 1
    assert len(await story.charges()) == paid_before + 1


async def test_cancelling_while_a_replacement_waits_ends_both_and_hangs_nothing(house: Stage) -> None:
    story, replacing = await waiting_for_a_pending_charge(house)
    await house.subscriptions.cancel(story.charge_permission_id, "changed their mind")

    await house.simulator.decide_charge(pending_charge_of(await story.status()), at=await story.now())
    with pytest.raises(RequestRefusedError, match="ended first"):
        await replacing
    async with asyncio.timeout(60):
        status = await story.handle.result()

    assert (status.status, status.successor) == (Status.CANCELED, None)
    assert await story.permission_state() == "Closed"


async def test_who_asked_is_told_that_a_charge_is_awaited_and_not_that_nobody_answers(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "CALL_TIMEOUT", timedelta(seconds=1))
    story = await Story.begin(house, script=["AuthorizationInitiated"])
    await story.until_due(0)

    with pytest.raises(NotAnsweredError, match="Amazon has not answered yet"):
        await house.subscriptions.replace_charge_permission(story.charge_permission_id, await new_permission(house))

    await house.simulator.decide_charge(pending_charge_of(await story.status()), at=await story.now())
    assert (await story.quiet()).status is Status.REPLACED


async def test_what_is_said_while_the_successor_is_started_is_lost_by_neither(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    begins, said = threading.Event(), threading.Event()
    start = workflow.start_child_workflow

    def start_slowly(*args: Any, **options: Any) -> Any:
        begins.set()
        said.wait(1.5)  # what is said while this workflow task lasts comes with the next one, before the answer
        return start(*args, **options)

    monkeypatch.setattr(workflow, "start_child_workflow", start_slowly)
    successor = await new_permission(house)
    replaced = asyncio.create_task(continued(house, story, successor))
    while not begins.is_set():
        await asyncio.sleep(0.01)
    refunded = asyncio.create_task(house.subscriptions.refund(story.charge_permission_id, RefundPeriod(period=0)))
    await house.subscriptions.cancel(story.charge_permission_id, reason="moved to Kyoto")
    await asyncio.sleep(0.3)
    said.set()

    with pytest.raises(RequestRefusedError, match=f"going on under {successor}"):
        await refunded
    after = await replaced
    await story.quiet()

    assert (await story.status()).status is Status.REPLACED
    assert (await after.status()).status is Status.CANCELED
    assert [await each.permission_state() for each in (story, after)] == ["Closed", "Closed"]
    assert len(await story.charges()) == 1
    assert await after.charges() == []


async def test_what_is_said_while_the_old_permission_cannot_be_closed_yet_reaches_the_successor(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: object, **__: object) -> None:
        raise UnavailableError(503, "ServiceUnavailable", "only closing is, which no plan of faults can say")

    story = await Story.begin(house)
    await story.until_due(0)
    (charge,) = await story.charges()
    terms = story.terms.model_copy(update={"charge_permission_id": await new_permission(house)})
    after = Story(house, terms)
    with monkeypatch.context() as patched:
        patched.setattr(ChargePermissions, "close", unavailable)
        await house.subscriptions.replace_charge_permission(story.charge_permission_id, after.charge_permission_id)
        assert (await story.status()).status is Status.ENDING
        await house.simulator.dispute_charge(charge.charge_id, at=await story.now())
        await house.simulator.deliver_notifications()
        await house.subscriptions.cancel(story.charge_permission_id, reason="moved to Kyoto")
        async with asyncio.timeout(20):
            while not (await after.status()).disputes:
                await asyncio.sleep(0.05)
    await asyncio.gather(story.quiet(), after.quiet())

    assert [(await each.status()).status for each in (story, after)] == [Status.REPLACED, Status.CANCELED]
    assert [await each.permission_state() for each in (story, after)] == ["Closed", "Closed"]
    assert [await each.charges() for each in (story, after)] == [[charge], []]
    assert (await story.status()).disputes == ()
