"""Money goes back at any time: of charges that nobody remembers, and of subscriptions that have ended or moved on.

After cancel-then-refund and refund-of-long-ago, which a system that keeps its account in a running process must refuse.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowExecutionStatus

from amazon_pay_client.models import CreateChargeRequest, CreateRefundRequest, Currency, Price
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import Cancel, RefundPeriod, Share, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.summary import Summary
from perennial_billing.billing.view import RefundView
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.finding import Search, find, timeline
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import RequestRefusedError, SubscriptionNotFoundError
from perennial_billing.worker.wiring import amazon_pay_client
from perennial_billing.workflows.names import ended_workflow_id
from tests.scenarios.story import Story
from tests.scenarios.test_ledger import away
from tests.scenarios.test_new_checkout import continued, new_permission
from tests.scenarios.test_refunds import refund_in_seller_central

DAILY = Plan.of("daily", Money.parse("1.15 USD"), Interval(unit=Unit.DAY))
YEARS_AGO = datetime(2021, 2, 27, 16, 45, tzinfo=UTC)
WEEKLY = Plan.of("weekly", Money.parse("7.35 USD"), Interval(unit=Unit.WEEK))


async def gone_back(house: Stage, *permissions: str) -> Decimal:
    """What the books say has gone back of charges under these permissions."""
    books = await house.simulator.books()
    charges = {charge.charge_id for charge in books.charges if charge.charge_permission_id in permissions}
    return sum((each.refund_amount.amount for each in books.refunds if each.charge_id in charges), Decimal(0))


async def after_the_end(house: Stage, permission: str) -> None:
    """Amazon decides on what was asked for after the end, and all of it is told."""
    handle = house.client.get_workflow_handle(ended_workflow_id(permission))
    await house.server.time.fast_forward(handle, timedelta(hours=3))
    await house.simulator.deliver_notifications()
    await handle.result()


async def recorded(house: Stage, permission: str, kind: NoticeType) -> list[Notice]:
    """What the ledger has of a kind; the numbers of all that was told are without gaps."""
    entries = await timeline(house.ledger, permission)
    assert sorted(entry.notice.number for entry in entries) == list(range(1, len(entries) + 1))
    return [entry.notice for entry in entries if entry.notice.type is kind]


@dataclass(frozen=True)
class Forgotten:
    """What only Amazon and the ledger still know: a subscription of years ago, and the charge of its first period."""

    permission: str
    charge: str


async def forgotten(house: Stage, *refunds: Notice, successor: str | None = None, told: int = 0) -> Forgotten:
    """A subscription that ran in another life of this Temporal server, and told all of this.

    Args:
        house: where.
        refunds: what it told of them; their charge and number follow.
        successor: the charge permission that it went on under; none where it was canceled.
        told: how many notices its predecessor had told.
    """
    permission = await new_permission(house)
    charge = await charged_elsewhere(house, permission, "7.35")
    first = [
        Notice(number=0, type=NoticeType.SUBSCRIPTION_STARTED, at=YEARS_AGO),
        Notice(
            number=0,
            type=NoticeType.PERIOD_PAID,
            at=YEARS_AGO,
            period=0,
            due=YEARS_AGO,
            amount=Money.parse("7.35 USD"),
            attempt=1,
            charge_id=charge,
        ),
        *(refund.but(charge_id=charge) for refund in refunds),
    ]
    status = Status.REPLACED if successor else Status.CANCELED
    if successor:
        first.append(Notice(number=0, type=NoticeType.CHARGE_PERMISSION_REPLACED, at=YEARS_AGO, successor=successor))
    first.append(Notice(number=0, type=NoticeType.SUBSCRIPTION_ENDED, at=YEARS_AGO, status=status.value))
    numbered = [notice.but(number=number) for number, notice in enumerate(first, start=told + 1)]
    summary = Summary(
        merchant_account="default",
        plan_id="weekly",
        price=Money.parse("7.35 USD"),
        interval=Interval(unit=Unit.WEEK),
        quantity=1,
        began_at=YEARS_AGO,
        status=status,
        ended_at=YEARS_AGO,
        successor=successor,
    )
    await house.ledger.record(Told(permission, "default", f"order-{permission}", "weekly", numbered, summary))
    return Forgotten(permission, charge)


async def canceled(house: Stage, *, periods: int = 1, plan: Plan = WEEKLY) -> Story:
    """A subscription that was charged so often and has ended."""
    story = await Story.begin(house, plan)
    for period in range(periods):
        await story.until_due(period)
    status = await story.cancel()
    assert status.status is Status.CANCELED
    return story


async def test_cancel_then_refund(house: Stage) -> None:
    story = await canceled(house, periods=2)
    permission = story.charge_permission_id

    refund = await house.subscriptions.refund(permission, RefundPeriod(period=1, reference="ticket-204"))
    again = await house.subscriptions.refund(permission, RefundPeriod(period=1, reference="ticket-204"))
    await after_the_end(house, permission)

    assert (refund.state, refund.amount) == (RefundState.PENDING, Money.parse("7.35 USD"))
    assert again.refund_id == refund.refund_id
    assert await gone_back(house, permission) == Decimal("7.35")
    (notice,) = await recorded(house, permission, NoticeType.REFUND_COMPLETED)
    assert (notice.period, notice.refund_id, notice.reference) == (1, refund.refund_id, "ticket-204")
    [row] = await find(house.ledger, Search(charge_permission_id=permission))
    assert (row.refunded, row.status) == (Money.parse("7.35 USD"), Status.CANCELED)
    with pytest.raises(RequestRefusedError, match=r"at most 0\.00 USD is left"):
        await house.subscriptions.refund(permission, RefundPeriod(period=1))
    with pytest.raises(RequestRefusedError, match="it is not in the account"):
        await house.subscriptions.refund(permission, RefundPeriod(period=7))


async def test_after_temporal_has_forgotten_it_the_ledger_knows_it_and_gives_nothing_back_twice(house: Stage) -> None:
    before = Notice(
        number=0,
        type=NoticeType.REFUND_COMPLETED,
        at=YEARS_AGO,
        period=0,
        amount=Money.parse("3.30 USD"),
        refund_id="C01-0000000-0000000-R000001",
        reference="ticket-9",
    )
    old = await forgotten(house, before)
    wanted = RefundPeriod(period=0, amount=Money.parse("3.30 USD"), reference="ticket-9")

    again = await house.subscriptions.refund(old.permission, wanted)
    assert (again.refund_id, again.state) == (before.refund_id, RefundState.REFUNDED)
    with pytest.raises(RequestRefusedError, match=r"at most 4\.05 USD is left"):
        await house.subscriptions.refund(old.permission, RefundPeriod(period=0, amount=Money.parse("4.06 USD")))
    assert await gone_back(house, old.permission) == Decimal(0), "it went back years ago, as the ledger knows"

    assert await house.subscriptions.owner_of(old.charge) == old.permission
    rest = await house.subscriptions.refund(old.permission, RefundPeriod(charge_id=old.charge))
    await after_the_end(house, old.permission)

    assert (rest.period, rest.amount) == (0, Money.parse("4.05 USD"))
    assert await gone_back(house, old.permission) == Decimal("4.05")
    first, second = await recorded(house, old.permission, NoticeType.REFUND_COMPLETED)
    assert (first.amount, second.amount, second.number) == (before.amount, rest.amount, 6)
    [row] = await find(house.ledger, Search(charge_id=rest.refund_id))
    assert (row.charge_permission_id, row.refunded) == (old.permission, Money.parse("7.35 USD"))


async def test_two_who_refund_the_same_charge_at_once_do_not_give_back_more_than_was_paid(house: Stage) -> None:
    story = await canceled(house)
    permission = story.charge_permission_id
    asked = [
        house.subscriptions.refund(permission, RefundPeriod(period=0, amount=Money.parse("4.00 USD"), reference=name))
        for name in ("desk-a", "desk-b", "desk-c")
    ]

    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert [type(answer) for answer in answers].count(RefundView) == 1, "Amazon itself would take 15 % more than that"
    assert await gone_back(house, permission) == Decimal("4.00")


@pytest.mark.long  # the rule: tests/billing/test_ended.py
async def test_the_first_period_is_refunded_after_forty(house: Stage) -> None:
    story = await Story.begin(house, WEEKLY)
    for period in range(40):
        await story.until_due(period)
    permission = story.charge_permission_id
    assert (await story.status()).ledger[0].period > 0

    refund = await house.subscriptions.refund(permission, RefundPeriod(period=0, amount=Money.parse("2.20 USD")))
    with pytest.raises(RequestRefusedError, match=r"at most 5\.15 USD is left"):
        await house.subscriptions.refund(permission, RefundPeriod(period=0, amount=Money.parse("5.16 USD")))
    await story.after(timedelta(hours=2))
    charge = (await story.charges())[0]
    second = await house.subscriptions.refund(permission, RefundPeriod(charge_id=charge.charge_id))
    await story.after(timedelta(hours=2))

    assert (refund.period, refund.charge_id, second.amount) == (0, charge.charge_id, Money.parse("5.15 USD"))
    assert await gone_back(house, permission) == Decimal("7.35")
    assert len(await recorded(house, permission, NoticeType.REFUND_COMPLETED)) == 2
    with pytest.raises(RequestRefusedError, match=r"at most 0\.00 USD is left"):
        await house.subscriptions.refund(permission, RefundPeriod(period=0))
    async with away(house.ledger):
        with pytest.raises(RequestRefusedError, match="the ledger, which knows older charges, cannot be read now"):
            await house.subscriptions.refund(permission, RefundPeriod(period=1))


@pytest.mark.long
async def test_a_daily_plan_of_two_hundred_days_gives_back_its_first_day(house: Stage) -> None:
    story = await Story.begin(house, DAILY)
    await story.until_due(200)
    status = await story.status()
    assert status.periods_paid == 201
    permission = story.charge_permission_id

    refund = await house.subscriptions.refund(permission, RefundPeriod(period=0))
    with pytest.raises(RequestRefusedError, match="of 120 charges at once, and it is of"):
        await house.subscriptions.change(permission, Cancel(when=When.NOW, refund=Share.ALL))
    await house.subscriptions.change(permission, Cancel(when=When.NOW, refund=Money.parse("40.00 USD")))
    status = await story.quiet()
    while not status.has_ended:
        status = await story.after(timedelta(hours=2))

    assert refund.period == 0
    assert await gone_back(house, permission) == Decimal("41.15")
    assert len(await recorded(house, permission, NoticeType.REFUND_COMPLETED)) == 1 + 35
    [row] = await find(house.ledger, Search(charge_permission_id=permission))
    assert (row.charged, row.refunded) == (Money.parse("231.15 USD"), Money.parse("41.15 USD"))


@pytest.mark.parametrize(
    ("back", "expected"),
    [(Share.LAST, "7.35"), (Share.ALL, "22.05"), (Money.parse("10.00 USD"), "10.00")],
    ids=["last", "all", "amount"],
)
async def test_a_cancellation_gives_money_back_in_one_act(house: Stage, back: Share | Money, expected: str) -> None:
    story = await Story.begin(house, WEEKLY)
    for period in range(3):
        await story.until_due(period)
    permission = story.charge_permission_id
    with pytest.raises(RequestRefusedError, match=r"at most 22\.05 USD of what was paid is left"):
        await house.subscriptions.change(permission, Cancel(when=When.NOW, refund=Money.parse("22.06 USD")))

    changed = await house.subscriptions.change(permission, Cancel(when=When.NOW, refund=back), "cancel-17")
    await story.quiet()
    again = await house.subscriptions.change(permission, Cancel(when=When.NOW, refund=back), "cancel-17")
    status = await story.after(timedelta(hours=2)) if not (await story.status()).has_ended else await story.status()

    assert changed.refunding == Money(amount=Decimal(expected), currency="USD")
    assert again.effective_at == changed.effective_at
    assert status.status is Status.CANCELED
    assert await story.permission_state() == "Closed"
    assert await gone_back(house, permission) == Decimal(expected)
    refunded = [record.refunded for record in status.ledger]
    assert refunded[-1] == Money.parse("7.35 USD"), "the latest charges first"


async def test_what_is_asked_of_an_old_permission_is_done_under_its_successor(house: Stage) -> None:
    story = await Story.begin(house, WEEKLY)
    await story.until_due(0)
    await house.simulator.close_by_buyer(story.charge_permission_id, await story.now())
    await story.quiet()
    after = await continued(house, story, await new_permission(house))
    await after.until_due(1)
    old, new = story.charge_permission_id, after.charge_permission_id

    running = await house.subscriptions.refund(old, RefundPeriod(period=0, amount=Money.parse("1.05 USD")))
    await after.after(timedelta(hours=2))
    assert (await after.cancel()).has_ended
    ended = await house.subscriptions.refund(old, RefundPeriod(charge_id=running.charge_id))
    await after_the_end(house, new)

    assert (ended.period, ended.amount) == (0, Money.parse("6.30 USD"))
    assert await gone_back(house, old, new) == Decimal("7.35")
    entries = [*await timeline(house.ledger, old), *await timeline(house.ledger, new)]
    assert [entry.notice.number for entry in entries] == list(range(1, len(entries) + 1))
    refunds = [entry.notice.period for entry in entries if entry.notice.type is NoticeType.REFUND_COMPLETED]
    assert refunds == [0, 0]


async def test_of_a_forgotten_permission_the_ledger_knows_who_followed(house: Stage) -> None:
    newer = await forgotten(house, told=4)
    older = await forgotten(house, successor=newer.permission)

    refund = await house.subscriptions.refund(older.permission, RefundPeriod(charge_id=older.charge))
    dispute = await house.simulator.dispute_charge(older.charge)
    await house.simulator.deliver_notifications()
    for permission in (older.permission, newer.permission):
        await ended_is_over(house, permission)

    kinds = [(entry.notice.type, entry.notice.charge_id) for entry in await timeline(house.ledger, newer.permission)]
    assert (NoticeType.DISPUTE_OPENED, older.charge) in kinds
    assert (NoticeType.REFUND_COMPLETED, older.charge) in kinds
    assert len(await timeline(house.ledger, older.permission)) == 4, "nothing is told under the old one any more"
    [row] = await find(house.ledger, Search(charge_id=dispute.dispute_id))
    assert (row.charge_permission_id, row.refunded) == (newer.permission, refund.amount)


async def ended_is_over(house: Stage, permission: str) -> None:
    handle = house.client.get_workflow_handle(ended_workflow_id(permission))
    while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
        await house.server.time.fast_forward(handle, timedelta(hours=1))
        await house.simulator.deliver_notifications()


async def test_a_refund_in_seller_central_after_the_end_is_told_and_counted(house: Stage) -> None:
    story = await canceled(house)
    permission = story.charge_permission_id
    refund_id = await refund_in_seller_central(story, "2.75")
    await house.simulator.deliver_notifications()
    await after_the_end(house, permission)

    (notice,) = await recorded(house, permission, NoticeType.REFUND_COMPLETED)
    assert (notice.refund_id, notice.period, notice.amount) == (refund_id, 0, Money.parse("2.75 USD"))
    with pytest.raises(RequestRefusedError, match=r"at most 4\.60 USD is left"):
        await house.subscriptions.refund(permission, RefundPeriod(period=0, amount=Money.parse("4.61 USD")))


async def test_a_refund_of_another_order_of_the_shop_is_told_to_nobody(house: Stage) -> None:
    permission = await new_permission(house)
    charge = await charged_elsewhere(house, permission, "31.00")
    refund = await refunded_elsewhere(house, charge)
    await house.simulator.deliver_notifications()
    await house.client.get_workflow_handle(ended_workflow_id(permission)).result()

    assert refund
    assert await timeline(house.ledger, permission) == []


async def charged_elsewhere(house: Stage, permission: str, amount: str) -> str:
    """A charge that nobody here made."""
    async with amazon_pay_client(house.settings) as shop:
        request = CreateChargeRequest(
            charge_permission_id=permission,
            charge_amount=Price(amount=Decimal(amount), currency_code=Currency.USD),
            capture_now=True,
        )
        return (await shop.charges.create(request, idempotency_key=f"order-{permission}"[:32])).charge_id


async def refunded_elsewhere(house: Stage, charge_id: str) -> str:
    async with amazon_pay_client(house.settings) as shop:
        price = Price(amount=Decimal("31.00"), currency_code=Currency.USD)
        request = CreateRefundRequest(charge_id=charge_id, refund_amount=price)
        return (await shop.refunds.create(request, idempotency_key=f"back-{charge_id}"[:32])).refund_id


async def test_whom_neither_temporal_nor_the_ledger_knows_has_nothing_to_give_back(house: Stage) -> None:
    permission = await new_permission(house)
    with pytest.raises(SubscriptionNotFoundError, match="there is no subscription"):
        await house.subscriptions.refund(permission, RefundPeriod(period=0))
    with pytest.raises(SubscriptionNotFoundError, match="no entry of the ledger"):
        await house.subscriptions.owner_of(f"{permission}-C000001")
    without = Subscriptions(house.client, house.settings.task_queue)
    with pytest.raises(SubscriptionNotFoundError, match="there is no subscription"):
        await without.refund(permission, RefundPeriod(period=0))


async def test_while_the_ledger_is_away_nothing_goes_back_that_nobody_can_reckon(house: Stage) -> None:
    story = await canceled(house)
    async with away(house.ledger):
        with pytest.raises(RequestRefusedError, match="the ledger, which knows what was charged, cannot be read now"):
            await house.subscriptions.refund(story.charge_permission_id, RefundPeriod(period=0))

    refund = await house.subscriptions.refund(story.charge_permission_id, RefundPeriod(period=0))
    assert refund.amount == Money.parse("7.35 USD")
