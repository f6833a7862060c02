"""Each rule of the auditor, seen to find what it is there for: a subscription that keeps its promises, and one lie."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from amazon_pay_client.models import Charge, ChargePermissionState, ChargeState, ChargeStatusDetails, Price
from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import AddItem, PauseSubscription, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import Unanswered
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import view_of
from perennial_billing.starter.audit.case import Booked, Case
from perennial_billing.starter.audit.rules import RULES, findings
from tests.billing.support import CAPTURED, PRICE, SOFT, Life, chargeable, closed, terms

ANCHOR = terms().anchor
CHARGE_ID = str(CAPTURED.charge_id)


def charge(
    charge_id: str = CHARGE_ID,
    amount: str = "9.99",
    state: ChargeState = ChargeState.CAPTURED,
    captured: str | None = None,
) -> Charge:
    price, part = (
        Price.model_validate({"amount": each, "currency_code": PRICE.currency}) for each in (amount, captured or amount)
    )
    return Charge(
        charge_id=charge_id,
        charge_permission_id=terms().charge_permission_id,
        charge_amount=price,
        capture_amount=part,
        status_details=ChargeStatusDetails(state=state),
    )


def paid_once() -> Case:
    """A subscription a minute after its first period was paid."""
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    return Case(
        subscription=view_of(life.subscription),
        now=ANCHOR + timedelta(minutes=1),
        is_busy=False,
        permission=ChargePermissionState.CHARGEABLE,
        charges=[Booked(charge(), period=0)],
        all_charges=True,
    )


def canceled() -> Case:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.cancel("2026-02-01 09:00")
    life.step(Action.CLOSE_PERMISSION, "2026-02-01 09:00", closed("MerchantClosed"))
    return replace(paid_once(), subscription=view_of(life.subscription), permission=ChargePermissionState.CLOSED)


def too_many_attempts() -> Case:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())
    view = view_of(life.subscription)
    assert view.owed is not None
    return replace(paid_once(), subscription=view.but(owed=view.owed.but(attempts_spent=16)), charges=[])


def with_two_records(case: Case) -> Case:
    """The same charge pays two periods by the account."""
    ledger = case.subscription.ledger
    return replace(case, subscription=case.subscription.but(ledger=(*ledger, ledger[0].but(period=1))))


def refunded_by_the_account(case: Case) -> Case:
    """The account says that half has gone back."""
    ledger = tuple(record.but(refunded=Money.parse("5.00 EUR")) for record in case.subscription.ledger)
    return replace(case, subscription=case.subscription.but(ledger=ledger))


LIES: list[tuple[str, Callable[[Case], Case], str]] = [
    (
        "two charges under keys of one period",
        lambda case: replace(case, charges=[*case.charges, Booked(charge("S01-2"), period=0)]),
        "period 0 was charged 2 times",
    ),
    ("one charge for two periods", with_two_records, f"charge {CHARGE_ID} pays 2 periods"),
    (
        "money taken outside the account",
        lambda case: replace(case, charges=[*case.charges, Booked(charge("S01-2"), period=None)]),
        "charge S01-2 took money and is in no account",
    ),
    (
        "another amount",
        lambda case: replace(case, charges=[Booked(charge(amount="99.90"), period=0)]),
        "period 0: 99.90 charged, 9.99 EUR in the account",
    ),
    (
        "less was captured",
        lambda case: replace(case, charges=[Booked(charge(captured="5.00"), period=0)]),
        "period 0: 5.00 charged, 9.99 EUR in the account",
    ),
    (
        "an amount that cannot be read",
        lambda case: replace(
            case,
            charges=[Booked(charge().model_copy(update={"charge_amount": None, "capture_amount": None}), period=0)],
        ),
        "period 0: an amount that cannot be read charged, 9.99 EUR in the account",
    ),
    ("paid without a charge", lambda case: replace(case, charges=[]), f"period 0 is paid by the account; {CHARGE_ID}"),
    (
        "a charge that was declined after all",
        lambda case: replace(case, charges=[Booked(charge(state=ChargeState.DECLINED), period=0)]),
        f"period 0 is paid by the account; {CHARGE_ID}",
    ),
    (
        "a refund that Amazon does not know",
        refunded_by_the_account,
        "period 0: 5.00 EUR refunded by the account, nothing by Amazon",
    ),
    (
        "the next period is due and nothing happens",
        lambda case: replace(case, now=case.subscription.terms.schedule.due(1) + timedelta(minutes=11)),
        "period 1 fell due on 2026-02-28 and is forgotten",
    ),
    (
        "the next step is late",
        lambda case: replace(case, now=case.subscription.terms.schedule.due(1) + timedelta(minutes=11)),
        "charge was to be done at 2026-02-28 09:00 UTC",
    ),
    (
        "closed and still active",
        lambda case: replace(case, permission=ChargePermissionState.CLOSED),
        "the charge permission is closed, and the subscription is active",
    ),
]


def test_a_subscription_that_keeps_its_promises_passes() -> None:
    assert findings(paid_once()) == []
    assert findings(canceled()) == []
    assert canceled().subscription.status is Status.CANCELED


@pytest.mark.parametrize(("lie", "named"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_promise_that_was_broken_is_found(lie: Callable[[Case], Case], named: str) -> None:
    found = findings(lie(paid_once()))

    assert any(finding.startswith(named) for finding in found), found


def test_what_has_ended_and_can_still_be_charged_is_found() -> None:
    found = findings(replace(canceled(), permission=ChargePermissionState.CHARGEABLE))

    assert found == ["the subscription is canceled, and the charge permission is Chargeable"]


def test_more_attempts_than_the_policy_allows_are_found() -> None:
    assert "period 0: 16 attempts, 15 are allowed" in findings(too_many_attempts())


@pytest.mark.parametrize("late", [timedelta(minutes=9), timedelta(minutes=69)])
def test_what_is_under_way_is_not_late_within_the_hour(late: timedelta) -> None:
    case = paid_once()
    now = case.subscription.terms.schedule.due(1) + late

    assert findings(replace(case, now=now, is_busy=late > timedelta(minutes=10))) == []


def test_what_falls_due_while_a_new_checkout_is_awaited_is_not_forgotten() -> None:
    life = Life(terms(policy=CollectionPolicy(new_checkout_deadline=timedelta(days=60))))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.signal("2026-02-01 09:00", closed("BuyerClosed"))
    assert life.subscription.status is Status.AWAITING_CHECKOUT
    case = replace(paid_once(), subscription=view_of(life.subscription), permission=ChargePermissionState.CLOSED)

    assert findings(replace(case, now=case.subscription.terms.schedule.due(1) + timedelta(hours=1))) == []


def test_charges_that_amazon_does_not_list_are_not_missed() -> None:
    case = paid_once()
    other: Sequence[Booked] = [*case.charges, Booked(charge("S01-2"))]

    assert findings(replace(case, charges=other, all_charges=False)) == []


def test_every_rule_says_what_it_holds() -> None:
    assert all(rule.__doc__ for rule in RULES)


def test_what_falls_due_within_a_pause_is_not_forgotten_and_an_item_charged_by_itself_is() -> None:
    """A pause is of the plan; what was to be charged at once stays owed."""
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.ask("2026-02-05 09:00", AddItem(amount=PRICE, what="gift", when=When.NOW))
    life.ask("2026-02-05 09:00", PauseSubscription(), "a pause")
    paused = replace(paid_once(), subscription=view_of(life.subscription), now=ANCHOR + timedelta(days=40))

    assert [finding for finding in findings(paused) if "forgotten" in finding] == [
        "period 1 fell due on 2026-02-05 and is forgotten"
    ]


def test_what_is_under_way_for_hours_without_a_word_is_found() -> None:
    """No worker takes the workflow, or one of an older release waits for Amazon for ever."""
    case = paid_once()
    now = case.subscription.terms.schedule.due(1) + timedelta(minutes=71)

    assert findings(replace(case, now=now, is_busy=True)) == [
        "charge was to be done at 2026-02-28 09:00 UTC (period 1 falls due: 9.99 EUR)"
    ]


@pytest.mark.parametrize("is_busy", [True, False])
def test_an_attempt_whose_outcome_is_unknown_is_found_while_it_is_asked_for(is_busy: bool) -> None:  # noqa: FBT001
    life = Life(terms())
    life.elapses(Timer.PERIOD)
    command = next_command(life.subscription)
    assert command is not None
    life.now += timedelta(hours=1)
    life.happens(Unanswered(command, "503 ServiceUnavailable"))
    case = replace(paid_once(), subscription=view_of(life.subscription), now=life.now, charges=[], is_busy=is_busy)

    assert findings(case) == ["charge: what came of it is unknown since 2026-01-31 09:00 UTC (503 ServiceUnavailable)"]


def test_a_part_that_was_captured_is_what_the_account_has() -> None:
    case = paid_once()
    ledger = tuple(record.but(amount=Money.parse("5.00 EUR")) for record in case.subscription.ledger)
    part = replace(case, subscription=case.subscription.but(ledger=ledger))

    assert findings(replace(part, charges=[Booked(charge(captured="5.00"), period=0)])) == []


def test_what_was_authorized_before_a_new_checkout_is_captured_under_the_new_permission() -> None:
    case = canceled()
    ledger = tuple(record.but(outcome=PeriodOutcome.AUTHORIZED) for record in case.subscription.ledger)
    replaced = case.subscription.but(ledger=ledger, status=Status.REPLACED)

    assert findings(replace(case, subscription=replaced)) == []
    assert findings(replace(case, subscription=replaced.but(status=Status.CANCELED))) == [
        f"charge {CHARGE_ID} took money and is in no account"
    ]
