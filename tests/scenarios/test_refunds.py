"""Refunds on a real server in virtual time: what the books say has gone back, and what the merchant was told."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from amazon_pay_client.models import CreateRefundRequest, Currency, Price
from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from perennial_billing.worker.wiring import amazon_pay_client
from tests.endpoint import Endpoint
from tests.scenarios.story import Story
from tests.scenarios.test_notices import kinds, told

FIVE = Money.parse("5.00 USD")


async def gone_back(story: Story) -> list[Decimal]:
    """What the books say of this subscriber's refunds, in their order."""
    books = await story.stage.simulator.books()
    charges = {charge.charge_id for charge in await story.charges()}
    return [refund.refund_amount.amount for refund in books.refunds if refund.charge_id in charges]


async def refund_in_seller_central(story: Story, amount: str) -> str:
    """Somebody gives money of the last charge back without asking us; answers the refund's id."""
    charge = (await story.charges())[-1]
    async with amazon_pay_client(story.stage.settings) as seller_central:
        price = Price(amount=Decimal(amount), currency_code=Currency.USD)
        elsewhere = CreateRefundRequest(charge_id=charge.charge_id, refund_amount=price)
        return (await seller_central.refunds.create(elsewhere, idempotency_key=uuid4().hex)).refund_id


async def paid(house: Stage) -> Story:
    story = await Story.begin(house)
    await story.until(story.terms.anchor)
    return story


async def test_parts_are_refunded_up_to_what_was_paid_and_no_further(house: Stage, notices: Endpoint) -> None:
    """After Kill Bill's story of partial refunds: a part, the rest, once more."""
    story, subscriptions = await paid(house), house.subscriptions
    permission = story.charge_permission_id

    first = await subscriptions.refund(permission, RefundPeriod(period=0, amount=FIVE))
    await story.after(timedelta(hours=2))
    second = await subscriptions.refund(permission, RefundPeriod(period=0))
    status = await story.after(timedelta(hours=2))
    with pytest.raises(RequestRefusedError, match=r"at most 0\.00 USD is left of what was paid"):
        await subscriptions.refund(permission, RefundPeriod(period=0, amount=FIVE))

    assert [first.state, second.state] == [RefundState.PENDING, RefundState.PENDING]
    assert [refund.state for refund in status.refunds] == [RefundState.REFUNDED, RefundState.REFUNDED]
    assert str(status.ledger[0].refunded) == "9.99 USD"
    assert await gone_back(story) == [Decimal("5.00"), Decimal("4.99")]
    assert len(await story.charges()) == 1, "a refund never restarts collection"
    assert (await kinds(notices, story))[-3:] == ["refund.completed", "subscription.changed", "refund.completed"]


@pytest.mark.long  # the rule: tests/billing/test_refunds.py
async def test_the_same_reference_gives_money_back_once(house: Stage) -> None:
    story = await paid(house)
    wanted = RefundPeriod(period=0, amount=FIVE, reference="ticket-7")

    refunds = [await house.subscriptions.refund(story.charge_permission_id, wanted) for _ in range(3)]

    assert len({refund.refund_id for refund in refunds}) == 1
    assert await gone_back(story) == [Decimal("5.00")]


async def test_what_amazon_does_not_take_is_told_and_not_tried_again(house: Stage, notices: Endpoint) -> None:
    story = await paid(house)
    permission = story.charge_permission_id
    await house.simulator.send_notifications_to(None)  # nobody here learns of it in time
    try:
        await refund_in_seller_central(story, "9.00")
        refund = await house.subscriptions.refund(permission, RefundPeriod(period=0))
    finally:
        await house.simulator.send_notifications_to(house.ipn_url)
    status = await story.after(timedelta(days=2))

    assert (refund.state, refund.reason_code) == (RefundState.FAILED, "TransactionAmountExceeded")
    assert status.ledger[0].refunded is None
    assert await gone_back(story) == [Decimal("9.00")]
    assert (await kinds(notices, story))[-1] == "refund.failed"


async def test_a_refund_in_seller_central_is_told_and_leaves_less_to_refund(house: Stage, notices: Endpoint) -> None:
    story = await paid(house)
    await refund_in_seller_central(story, "4.40")
    status = await story.quiet()
    if status.ledger[0].refunded is None:
        status = await story.after(timedelta(hours=2))

    assert status.ledger[0].refunded == Money.parse("4.40 USD")
    event = (await told(notices, story))[-1]
    assert (event["type"], event["data"]["period"], event["data"]["amount"]["amount"]) == (
        "refund.completed",
        0,
        "4.40",
    )
    with pytest.raises(RequestRefusedError, match=r"at most 5\.59 USD is left"):
        await house.subscriptions.refund(
            story.charge_permission_id, RefundPeriod(period=0, amount=Money.parse("6 USD"))
        )


async def test_a_canceled_subscription_awaits_its_refund(house: Stage) -> None:
    story = await paid(house)
    await house.subscriptions.refund(story.charge_permission_id, RefundPeriod(period=0))
    status = await story.cancel()
    if not status.has_ended:  # Amazon may have decided already
        status = await story.after(timedelta(hours=2))

    assert status.status is Status.CANCELED
    assert [refund.state for refund in status.refunds] == [RefundState.REFUNDED]
