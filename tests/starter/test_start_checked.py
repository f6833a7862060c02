"""A start reads the charge permission first, and the checkout's own charge where one is named: nothing is started that
cannot be charged, nobody is charged twice, and a start that is repeated is found whatever has become of both since.
"""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from amazon_pay_client.models import CreateChargeRequest, Currency, Price
from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.answers import ChargeAnswer, PermissionAnswer, RefundState
from perennial_billing.ledger.finding import timeline
from perennial_billing.ledger.recalling import owner_of
from perennial_billing.sandbox.comparison import compare
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import (
    NotReadError,
    RequestRefusedError,
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.reading import ReadsAmazon
from perennial_billing.worker.wiring import amazon_pay_client
from tests.starter.agreements import PLAN, new_terms
from tests.starter.command_line import dead_port, joined_to, typed


class Silent(ReadsAmazon):
    """Nobody is there to ask."""

    async def charge_permission(self, charge_permission_id: str) -> PermissionAnswer:
        raise NotReadError(f"charge permission {charge_permission_id}: no answer")

    async def charge(self, charge_id: str) -> ChargeAnswer:
        raise NotReadError(f"charge {charge_id}: no answer")


def silent(house: Stage) -> Subscriptions:
    return Subscriptions(house.client, house.settings.task_queue, amazon=lambda _: nullcontext(Silent()))


async def charged_with_the_checkout(
    house: Stage, terms: Terms, amount: str = "9.99", *, capture_now: bool = True
) -> str:
    """The shop charges by itself, before a subscription is started; answers the charge's id."""
    body = CreateChargeRequest(
        charge_permission_id=terms.charge_permission_id,
        charge_amount=Price(amount=Decimal(amount), currency_code=Currency.USD),
        capture_now=capture_now,
    )
    async with amazon_pay_client(house.settings) as shop:
        return (await shop.charges.create(body, idempotency_key=uuid4().hex)).charge_id


async def test_nothing_is_started_that_cannot_be_charged(house: Stage) -> None:
    terms = await new_terms(house, currency=Currency.GBP)
    await house.simulator.break_payment_method(terms.charge_permission_id)

    with pytest.raises(RequestRefusedError) as refused:
        await house.subscriptions.start(terms)

    assert refused.value.refused.accepted == (
        "it cannot be charged now: non_chargeable (PaymentMethodExpired); it is in GBP, and the plan in USD"
    )
    with pytest.raises(SubscriptionNotFoundError):
        await house.subscriptions.status(terms.charge_permission_id)
    started = await house.subscriptions.start(terms, unchecked=True)
    assert not started.already, "who knows better may say so"


async def test_one_that_amazon_does_not_know_is_refused_and_one_that_it_does_not_answer_for_is_asked_for_again(
    house: Stage,
) -> None:
    terms = await new_terms(house)

    with pytest.raises(RequestRefusedError, match="is its id right, and is it of this merchant"):
        await house.subscriptions.start(terms.but(charge_permission_id="C01-0000000-7777777"))
    with pytest.raises(NotReadError):
        await silent(house).start(terms)

    assert not (await house.subscriptions.start(terms)).already


async def test_a_start_that_is_repeated_asks_amazon_nothing(house: Stage) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms)
    await house.simulator.break_payment_method(terms.charge_permission_id)

    again = await silent(house).start(terms)
    checked = await house.subscriptions.start(terms)
    with pytest.raises(SubscriptionConflictError, match="another zone"):
        await house.subscriptions.start(terms.but(zone="Asia/Tokyo"))

    assert (again.already, checked.already) == (True, True)


async def test_one_that_has_ended_is_said_to_have_before_its_closed_permission_is(house: Stage) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms)
    await Subscriber(house, terms).cancel()

    with pytest.raises(SubscriptionEndedError, match="has ended already"):
        await house.subscriptions.start(terms)


async def test_who_has_no_way_to_amazon_is_told_what_to_give_or_to_say(house: Stage) -> None:
    terms = await new_terms(house)

    with pytest.raises(SubscriptionError, match=r"give `Subscriptions` a way to Amazon \(`amazon`\), or start it"):
        await Subscriptions(house.client, house.settings.task_queue).start(terms)


async def test_a_checkouts_own_charge_pays_period_0_and_nobody_is_charged_twice(house: Stage) -> None:
    terms = (await new_terms(house)).but(anchor=datetime.now(UTC).replace(microsecond=0))
    charge = await charged_with_the_checkout(house, terms)

    started = await house.subscriptions.start(terms, first_charge=charge)
    subscriber = Subscriber(house, terms)
    await subscriber.until_due(0)
    after_a_month = await subscriber.until_due(1)

    assert started.first_due == terms.schedule.due(1)
    assert [(each.period, each.outcome) for each in after_a_month.ledger] == [
        (0, PeriodOutcome.PAID),
        (1, PeriodOutcome.PAID),
    ]
    assert after_a_month.ledger[0].charge_id == charge
    books = await house.simulator.books()
    captured = [each for each in books.charges if each.charge_permission_id == terms.charge_permission_id]
    assert [each.charge_id for each in captured] == [charge, after_a_month.ledger[1].charge_id]
    compared = compare("the buyer", after_a_month, books, await subscriber.now())
    assert (compared.periods_paid, compared.charges_captured, compared.differences) == (2, 2, ())


async def test_the_ledger_knows_it_and_it_goes_back_as_any_other(house: Stage) -> None:
    terms = await new_terms(house)
    charge = await charged_with_the_checkout(house, terms)
    await house.subscriptions.start(terms, first_charge=charge)
    subscriber = Subscriber(house, terms)
    await subscriber.quiet()

    told = [entry.notice for entry in await timeline(house.ledger, terms.charge_permission_id)]
    owner = await owner_of(house.ledger, charge)
    assert owner == terms.charge_permission_id
    refund = await house.subscriptions.refund(owner, RefundPeriod(charge_id=charge, amount=Money.parse("4.00 USD")))
    status = await subscriber.after(timedelta(hours=2))

    assert [(each.type.value, each.period, each.charge_id) for each in told] == [
        ("subscription.started", None, None),
        ("period.paid", 0, charge),
    ]
    assert refund.state is RefundState.PENDING
    assert [(each.state, str(each.amount)) for each in status.refunds] == [(RefundState.REFUNDED, "4.00 USD")]


async def test_the_time_of_the_charge_is_the_anchor_where_none_is_given(house: Stage) -> None:
    terms = await new_terms(house)
    charge = await charged_with_the_checkout(house, terms)
    books = await house.simulator.books()
    made_at = next(each.creation_timestamp for each in books.charges if each.charge_id == charge)

    first = await house.subscriptions.start(terms, first_charge=charge, anchor_was_given=False)
    later = terms.but(anchor=terms.anchor + timedelta(hours=5))
    again = await silent(house).start(later, first_charge=charge, anchor_was_given=False)

    status = await house.subscriptions.status(terms.charge_permission_id)
    assert made_at is not None
    assert status.terms.anchor == made_at.replace(microsecond=0)
    assert (first.already, again.already) == (False, True)


@pytest.mark.parametrize("other", [None, "S01-0000000-0000000-C000001"])
async def test_the_same_subscription_with_another_first_charge_means_something_else(
    house: Stage, other: str | None
) -> None:
    terms = await new_terms(house)
    charge = await charged_with_the_checkout(house, terms)
    await house.subscriptions.start(terms, first_charge=charge)

    with pytest.raises(SubscriptionConflictError, match="a subscription with another first charge"):
        await house.subscriptions.start(terms, first_charge=other)
    with pytest.raises(SubscriptionConflictError, match="another first charge"):
        await house.subscriptions.start(terms, first_charge=other, unchecked=True)
    assert (await house.subscriptions.start(terms, first_charge=charge)).already


async def test_a_charge_that_has_not_paid_is_refused_also_where_nothing_else_is_checked(house: Stage) -> None:
    terms, others = await new_terms(house), await new_terms(house)
    authorized = await charged_with_the_checkout(house, terms, capture_now=False)
    short = await charged_with_the_checkout(house, terms, "5.00")
    elsewhere = await charged_with_the_checkout(house, others)
    refusals: dict[str, Any] = {  # Any: expressions of pytest's
        authorized: "it is authorized and not captured: capture it at Amazon",
        short: r"it has taken 5\.00 USD, and period 0 costs 9\.99 USD",
        elsewhere: f"another charge permission, {others.charge_permission_id}",
        "S01-0000000-0000000-C000001": r"Amazon does not show it \(ResourceNotFound\)",
        "../charges": "the id of a charge is, such as",
    }

    for charge, why in refusals.items():
        for unchecked in (False, True):
            with pytest.raises(RequestRefusedError, match=why):
                await house.subscriptions.start(terms, first_charge=charge, unchecked=unchecked)
    with pytest.raises(SubscriptionNotFoundError):
        await house.subscriptions.status(terms.charge_permission_id)


async def test_a_plan_for_more_than_the_permission_allows_is_refused_although_its_first_period_is_paid(
    house: Stage,
) -> None:
    terms = await new_terms(house, plan=Plan.of("dear", Money.parse("1000.01 USD"), PLAN.regular.interval))

    with pytest.raises(RequestRefusedError, match=r"it allows 1000\.00 USD in a calendar month"):
        await house.subscriptions.start(terms)


# The command line


async def test_a_first_charge_is_typed_once_and_told(house: Stage) -> None:
    terms = await new_terms(house)
    charge = await charged_with_the_checkout(house, terms, "4.20")
    start = ["start", terms.charge_permission_id, "--amount", "4.20 USD", "--first-charge", charge]

    started, again = [await typed(*start, **joined_to(house)) for _ in range(2)]

    assert (started.code, started.err) == (0, "")
    assert f"started, period 0 is paid by {charge}, next charge " in " ".join(started.out.split())
    assert (again.code, "runs already with these terms" in again.out) == (0, True)


async def test_what_is_refused_is_one_line_and_who_knows_better_says_unchecked(house: Stage) -> None:
    terms = await new_terms(house)
    identifier = terms.charge_permission_id
    await house.simulator.close_by_buyer(identifier)
    start = ["start", identifier, "--amount", "9.99 USD"]

    refused = await typed(*start, **joined_to(house))
    started = await typed(*start, "--unchecked", **joined_to(house))

    assert (refused.code, started.code) == (1, 0)
    assert f"charge_permission_id: {identifier} is not accepted; it is closed (BuyerClosed), for good" in (
        refused.trouble
    )


async def test_where_nothing_is_set_it_is_said_what_is_missing_and_how_to_do_without(house: Stage) -> None:
    terms = await new_terms(house)
    bare = {name: value for name, value in joined_to(house).items() if "KEY" not in name}
    start = ["start", terms.charge_permission_id, "--amount", "9.99 USD"]

    refused = await typed(*start, **bare)
    started = await typed(*start, "--unchecked", **bare)
    again = await typed(*start, **bare)

    assert refused.code == 2
    assert refused.trouble == (
        "error: PERENNIAL_PUBLIC_KEY_ID: is not set, and this command needs it; a start reads the charge permission "
        "at Amazon first, unless it is said to be --unchecked"
    )
    assert (started.code, again.code) == (0, 0), "one that runs already is found without asking anybody"


async def test_where_amazon_is_not_there_the_exit_code_says_to_try_again(house: Stage) -> None:
    terms = await new_terms(house)
    with dead_port() as port:
        environment = joined_to(house) | {"PERENNIAL_AMAZON_PAY_ORIGIN": f"http://127.0.0.1:{port}"}

        said = await typed("start", terms.charge_permission_id, "--amount", "9.99 USD", **environment)

    assert said.code == 3
    assert f"charge permission {terms.charge_permission_id}: Amazon has not shown it, and nothing was started" in (
        said.trouble
    )
