"""A shop that charges with the checkout: the charge of a real checkout pays period 0, and all after it is as ever."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from amazon_pay_simulator.books import ScriptedAnswer
from perennial_billing.billing.changes import Cancel, Share, When
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.comparison import compare
from perennial_billing.sandbox.stage import Stage
from perennial_billing.worker.wiring import amazon_pay_client
from tests.endpoint import Endpoint
from tests.scenarios.story import MONTHLY, Story
from tests.scenarios.test_notices import told
from tests.simulator.checkout import recurring_of


async def checked_out(house: Stage) -> tuple[str, str]:
    """A buyer goes through a checkout that charges; answers the charge permission's id, and the charge's."""
    async with amazon_pay_client(house.settings) as shop:
        session = await shop.checkout_sessions.create(recurring_of(), idempotency_key=uuid4().hex)
        await house.simulator.approve_session(session.checkout_session_id)
        amount = {"chargeAmount": {"amount": "9.99", "currencyCode": "USD"}}
        await shop.checkout_sessions.complete(session.checkout_session_id, amount)
        completed = await shop.checkout_sessions.get(session.checkout_session_id)
    assert completed.charge_permission_id is not None
    assert completed.charge_id is not None
    return completed.charge_permission_id, completed.charge_id


async def begun(house: Stage, *script: ScriptedAnswer | str | None) -> tuple[Story, str]:
    permission, charge = await checked_out(house)
    await house.simulator.script(permission, script)
    anchor = datetime.now(UTC).replace(microsecond=0)
    terms = Terms(
        charge_permission_id=permission, plan=MONTHLY, anchor=anchor, merchant_reference=f"order-{permission}"
    )
    await house.subscriptions.start(terms, first_charge=charge)
    return Story(house, terms), charge


async def test_the_months_after_it_are_charged_once_each_a_decline_included(house: Stage, notices: Endpoint) -> None:
    story, charge = await begun(house, None, "SoftDeclined")

    await story.until_due(0)
    await story.until_due(1)
    status = await story.until_due(2)
    while status.owed is not None:
        assert status.next is not None
        status = await story.until(status.next.at)

    charged = [each.charge_id for each in await story.charges()]
    assert charged[0] == charge
    assert [record.charge_id for record in status.ledger] == charged
    assert [(record.period, record.attempts) for record in status.ledger] == [(0, 0), (1, 1), (2, 2)]
    compared = compare("the buyer", status, await house.simulator.books(), await story.now())
    assert (compared.amount_captured, compared.differences) == (Decimal("29.97"), ())
    events = [(event["type"], event["data"].get("period")) for event in await told(notices, story)]
    assert events == [
        ("subscription.started", None),
        ("period.paid", 0),
        ("period.paid", 1),
        ("charge.declined", 2),
        ("period.paid", 2),
    ]


async def test_who_cancels_in_the_first_month_has_the_checkouts_charge_back(house: Stage) -> None:
    story, charge = await begun(house)
    await story.until_due(0)

    await house.subscriptions.change(story.charge_permission_id, Cancel(when=When.NOW, refund=Share.ALL))
    await story.quiet()
    status = await story.after(timedelta(hours=2))

    assert status.status is Status.CANCELED
    assert [(each.state, each.period) for each in status.refunds] == [(RefundState.REFUNDED, 0)]
    (only,) = await story.charges()
    assert only.charge_id == charge
    refunds = [each for each in (await house.simulator.books()).refunds if each.charge_id == charge]
    assert [str(each.refund_amount.amount) for each in refunds] == ["9.99"]
    assert await story.permission_state() == "Closed"
