"""A charge that was made with the checkout pays period 0, where it really has, and is not made again."""

from datetime import timedelta

import pytest

from perennial_billing.billing.agenda import main_command, next_command
from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.first_charge import begun_with
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Phase, Plan
from perennial_billing.billing.plan.plan import Amounts
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.protocol.commands import Action, CreateRefund
from perennial_billing.billing.protocol.events import Started
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from tests.billing.support import FREE, MONTHLY, PERMISSION_ID, PRICE, at, terms

CHARGE = "S01-7654321-1234567-C000042"
MADE_AT = at("2026-01-31 08:59")
NOW = at("2026-01-31 09:05")
PAID = ChargeAnswer(
    outcome=ChargeOutcome.CAPTURED,
    charge_id=CHARGE,
    captured=PRICE,
    amount=PRICE,
    charge_permission_id=PERMISSION_ID,
    created_at=MADE_AT,
)


def eur(amount: str) -> Money:
    return Money.parse(f"{amount} EUR")


def running(agreed: Terms, answer: ChargeAnswer = PAID) -> Subscription:
    return apply(begun_with(agreed, CHARGE, answer, NOW), Started(), NOW)


def test_period_0_is_paid_by_it_and_the_next_one_is_charged_on_its_date() -> None:
    subscription = running(terms())

    (record,) = subscription.ledger.records
    assert (record.period, record.outcome, record.amount) == (0, PeriodOutcome.PAID, PRICE)
    assert (record.charge_id, record.settled_at, record.attempts) == (CHARGE, MADE_AT, 0)
    command = main_command(subscription)
    assert command is not None
    assert (command.action, command.at) == (Action.CHARGE, at("2026-02-28 09:00"))
    assert subscription.permission.expires_at == at("2027-02-28 08:59"), "thirteen months after the charge"
    assert view_of(subscription).periods_paid == 1


def test_it_is_told_as_a_paid_period_so_that_the_ledger_has_it() -> None:
    started, paid = running(terms()).outbox.notices

    assert (started.number, started.type.value, started.amount) == (1, "subscription.started", PRICE)
    assert (paid.number, paid.type.value, paid.period) == (2, "period.paid", 0)
    assert (paid.charge_id, paid.amount, paid.due) == (CHARGE, PRICE, at("2026-01-31 09:00"))
    assert paid.next_action_at == at("2026-02-28 09:00")


def test_a_run_that_begins_anew_does_not_tell_it_again() -> None:
    subscription = running(terms())

    again = apply(subscription, Started(), NOW + timedelta(days=1))

    assert again.outbox == subscription.outbox


def test_a_part_of_it_goes_back_as_of_any_charge() -> None:
    wanted = RefundPeriod(period=0, amount=eur("4.00"), reference="late/1")

    command = next_command(ask(running(terms()), wanted, NOW, ("request-1",)))

    assert isinstance(command, CreateRefund)
    assert (command.charge_id, command.amount) == (CHARGE, eur("4.00"))


def test_the_share_of_a_short_first_period_is_what_it_must_be_of() -> None:
    """From the 17th of a January to the last day: 14 of the 31 days that the whole period before would have had."""
    agreed = terms("2026-01-17 09:00").but(billing_day=BillingDay(day=31, first_period=FirstPeriod.SHORT))
    share = Subscription.begin(agreed).price(0)

    subscription = running(agreed, PAID.but(captured=share))
    with pytest.raises(Refused, match=f"it has taken 9.99 EUR, and period 0 costs {share}"):
        begun_with(agreed, CHARGE, PAID, NOW)

    assert share == eur("4.51")
    assert subscription.schedule.due(1) == at("2026-01-31 09:00")


@pytest.mark.parametrize(
    ("answer", "why", "kind"),
    [
        (PAID.but(outcome=ChargeOutcome.PENDING), "start the subscription once it is captured", Kind.NOT_NOW),
        (PAID.but(outcome=ChargeOutcome.AUTHORIZED), "capture it at Amazon, then start", Kind.NOT_NOW),
        (
            PAID.but(outcome=ChargeOutcome.DECLINED, reason_code="HardDeclined"),
            "nothing was paid: start without it, and period 0 is charged when it is due (HardDeclined)",
            Kind.INVALID,
        ),
        (
            ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code="ResourceNotFound"),
            "Amazon does not show it (ResourceNotFound)",
            Kind.INVALID,
        ),
        (PAID.but(charge_permission_id="C01-0-0"), "another charge permission, C01-0-0", Kind.INVALID),
        (PAID.but(charge_permission_id=None), "one that Amazon does not name", Kind.INVALID),
        (PAID.but(captured=eur("9.98")), "it has taken 9.98 EUR, and period 0 costs 9.99 EUR", Kind.INVALID),
        (PAID.but(captured=Money.parse("9.99 USD")), "it has taken 9.99 USD", Kind.INVALID),
        (PAID.but(captured=None, amount=eur("19.98")), "it has taken 19.98 EUR", Kind.INVALID),
        (PAID.but(captured=None, amount=None), "does not say how much", Kind.INVALID),
        (PAID.but(refunded=eur("0.01")), "0.01 EUR of it has gone back", Kind.INVALID),
    ],
)
def test_a_charge_that_has_not_paid_period_0_is_refused_with_what_to_do(
    answer: ChargeAnswer, why: str, kind: Kind
) -> None:
    with pytest.raises(Refused) as refused:
        begun_with(terms(), CHARGE, answer, NOW)

    assert (refused.value.field, refused.value.value, refused.value.kind) == ("first_charge", CHARGE, kind)
    assert why in refused.value.accepted


def test_a_trial_has_no_charge_that_could_pay_its_first_period() -> None:
    trial = Phase(amount=FREE, interval=MONTHLY, periods=1)
    plan = Plan(plan_id="tried", phases=(trial, Phase(amount=PRICE, interval=MONTHLY)))
    agreed = Terms(charge_permission_id=PERMISSION_ID, plan=plan, anchor=at("2026-01-31 09:00"))

    with pytest.raises(Refused, match="period 0 costs nothing, so no charge can be its: start without it"):
        begun_with(agreed, CHARGE, PAID, NOW)


@pytest.mark.parametrize(("taken", "is_accepted"), [("3.20", True), ("9.99", True), ("10.00", False)])
def test_where_the_merchant_says_what_a_period_costs_it_may_be_of_less(taken: str, is_accepted: bool) -> None:  # noqa: FBT001
    agreed = terms()
    agreed = agreed.but(plan=agreed.plan.model_copy(update={"amounts": Amounts.ASKED}))
    answer = PAID.but(captured=eur(taken))

    if is_accepted:
        assert running(agreed, answer).ledger.records[0].amount == eur(taken)
    else:
        with pytest.raises(Refused, match=r"period 0 costs 9\.99 EUR at most"):
            begun_with(agreed, CHARGE, answer, NOW)


def test_where_it_has_paid_all_there_is_the_end_of_that_is_waited_for() -> None:
    subscription = running(terms(periods=1))

    command = main_command(subscription)
    assert command is not None
    assert command.at == at("2026-02-28 09:00")
    assert subscription.next_period == 1
    assert subscription.is_over
