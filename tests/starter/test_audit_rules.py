"""Each rule of the auditor, seen to find what it is there for: a subscription that keeps its promises, and one lie."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import AddItem, PauseSubscription, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import Unanswered
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import SubscriptionView, view_of
from perennial_billing.ledger.records import Entry, LastAudit, Predecessor, Record
from perennial_billing.starter.audit.account import Account
from perennial_billing.starter.audit.auditor import charges_to_read
from perennial_billing.starter.audit.case import Booked, Case
from perennial_billing.starter.audit.rules import RULES
from perennial_billing.starter.audit.rules import findings as findings_of
from tests.billing.support import CAPTURED, PERMISSION_ID, PRICE, SOFT, Life, at, chargeable, closed, terms

ANCHOR = terms().anchor
CHARGE_ID = str(CAPTURED.charge_id)


def findings(case: Case) -> list[str]:
    return [finding.says for finding in findings_of(case)]


def rules(case: Case) -> list[str]:
    return [finding.rule for finding in findings_of(case)]


def charge(
    charge_id: str = CHARGE_ID,
    amount: str | None = "9.99",
    state: ChargeOutcome = ChargeOutcome.CAPTURED,
    captured: str | None = None,
    **fields: Any,
) -> ChargeAnswer:
    asked, taken = (
        Money.parse(f"{each} {PRICE.currency}") if each is not None else None for each in (amount, captured or amount)
    )
    return ChargeAnswer(
        outcome=state,
        charge_id=charge_id,
        charge_permission_id=PERMISSION_ID,
        amount=asked,
        captured=taken if state is ChargeOutcome.CAPTURED else None,
        **fields,
    )


def booked(*charges: Booked) -> dict[str, Booked]:
    return {each.charge_id: each for each in charges}


def view(case: Case) -> SubscriptionView:
    assert case.subscription is not None
    return case.subscription


def showing(case: Case, shown: SubscriptionView) -> Case:
    """It shows itself otherwise."""
    return replace(case, subscription=shown, account=Account.of_view(shown))


def case_of(subscription: Subscription) -> Case:
    shown = view_of(subscription)
    return Case(
        charge_permission_id=PERMISSION_ID,
        subscription=shown,
        account=Account.of_view(shown),
        now=ANCHOR + timedelta(minutes=1),
        permission=PermissionAnswer(state=PermissionState.CHARGEABLE),
        charges=booked(Booked(charge(), period=0)),
        all_charges=True,
    )


def paid_once() -> Case:
    """A subscription a minute after its first period was paid."""
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    return case_of(life.subscription)


def canceled() -> Case:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.cancel("2026-02-01 09:00")
    life.step(Action.CLOSE_PERMISSION, "2026-02-01 09:00", closed("MerchantClosed"))
    return replace(case_of(life.subscription), permission=PermissionAnswer(state=PermissionState.CLOSED))


def too_many_attempts() -> Case:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())
    shown = view_of(life.subscription)
    assert shown.owed is not None
    return replace(showing(paid_once(), shown.but(owed=shown.owed.but(attempts_spent=16))), charges={})


def with_two_records(case: Case) -> Case:
    """The same charge pays two periods by the account."""
    ledger = view(case).ledger
    return showing(case, view(case).but(ledger=(*ledger, ledger[0].but(period=1))))


def refunded_by_the_account(case: Case) -> Case:
    """The account says that half has gone back."""
    ledger = tuple(record.but(refunded=Money.parse("5.00 EUR")) for record in view(case).ledger)
    return showing(case, view(case).but(ledger=ledger))


def with_charges(*charges: Booked) -> Callable[[Case], Case]:
    return lambda case: replace(case, charges=booked(*charges))


def later(case: Case, late: timedelta, **changes: Any) -> Case:
    """So long after the next period has fallen due."""
    return replace(case, now=view(case).terms.schedule.due(1) + late, **changes)


CLOSED = PermissionAnswer(state=PermissionState.CLOSED)

LIES: list[tuple[str, Callable[[Case], Case], str, str]] = [
    (
        "two charges under keys of one period",
        with_charges(Booked(charge(), period=0), Booked(charge("S01-2"), period=0)),
        "charged-twice",
        "period 0 was charged 2 times",
    ),
    ("one charge for two periods", with_two_records, "charge-pays-twice", f"charge {CHARGE_ID} pays 2 periods"),
    (
        "money taken outside the account",
        with_charges(Booked(charge(), period=0), Booked(charge("S01-2"))),
        "unknown-charge",
        "charge S01-2 took money and is in no account",
    ),
    (
        "more was captured",
        with_charges(Booked(charge(amount="99.90"), period=0)),
        "over-captured",
        "period 0: 99.90 EUR captured, 9.99 EUR in the account",
    ),
    (
        "more than the charge was of",
        with_charges(Booked(charge(amount="9.00", captured="9.99"), period=0)),
        "over-captured",
        "period 0: 9.99 EUR captured of a charge of 9.00 EUR",
    ),
    (
        "less was captured",
        with_charges(Booked(charge(captured="5.00"), period=0)),
        "other-amount",
        "period 0: 5.00 EUR charged, 9.99 EUR in the account",
    ),
    (
        "an amount that cannot be read",
        with_charges(Booked(charge(amount=None), period=0)),
        "other-amount",
        "period 0: an amount that cannot be read charged, 9.99 EUR in the account",
    ),
    ("paid without a charge", with_charges(), "not-captured", f"period 0 is paid by the account; {CHARGE_ID}"),
    (
        "a charge that was declined after all",
        with_charges(Booked(charge(state=ChargeOutcome.DECLINED, reason_code="AmazonCanceled"), period=0)),
        "not-captured",
        f"period 0 is paid by the account; {CHARGE_ID} is not captured (AmazonCanceled)",
    ),
    (
        "a charge that was made the day before it fell due",
        with_charges(Booked(charge(created_at=ANCHOR - timedelta(days=1)), period=0)),
        "charged-early",
        "period 0 was charged at 2026-01-30 09:00 UTC, and fell due at 2026-01-31 09:00",
    ),
    (
        "a refund that Amazon does not know",
        refunded_by_the_account,
        "not-refunded",
        "period 0: 5.00 EUR refunded by the account, nothing by Amazon",
    ),
    (
        "an authorization that nobody waits for",
        with_charges(Booked(charge(), period=0), Booked(charge("S01-2", state=ChargeOutcome.AUTHORIZED))),
        "stray-authorization",
        "charge S01-2 is authorized at Amazon, and in no account",
    ),
    (
        "the next period is due and nothing happens",
        lambda case: later(case, timedelta(minutes=11)),
        "period-forgotten",
        "period 1 fell due on 2026-02-28 and is forgotten",
    ),
    (
        "the next step is late",
        lambda case: later(case, timedelta(minutes=11)),
        "overdue",
        "charge was to be done at 2026-02-28 09:00 UTC",
    ),
    (
        "closed and still active",
        lambda case: replace(case, permission=CLOSED),
        "closed-and-active",
        "the charge permission is closed, and the subscription is active",
    ),
]


def test_a_subscription_that_keeps_its_promises_passes() -> None:
    assert findings(paid_once()) == []
    assert findings(canceled()) == []
    assert canceled().status is Status.CANCELED


@pytest.mark.parametrize(("lie", "rule", "named"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_promise_that_was_broken_is_found(lie: Callable[[Case], Case], rule: str, named: str) -> None:
    found = findings_of(lie(paid_once()))

    assert any(finding.rule == rule and finding.says.startswith(named) for finding in found), found


def test_what_has_ended_and_can_still_be_charged_is_found() -> None:
    found = findings(replace(canceled(), permission=PermissionAnswer(state=PermissionState.CHARGEABLE)))

    assert found == ["the subscription is canceled, and the charge permission is chargeable"]


def test_more_attempts_than_the_policy_allows_are_found() -> None:
    assert "period 0: 16 attempts, 15 are allowed" in findings(too_many_attempts())


@pytest.mark.parametrize("late", [timedelta(minutes=9), timedelta(minutes=69)])
def test_what_is_under_way_is_not_late_within_the_hour(late: timedelta) -> None:
    assert findings(later(paid_once(), late, is_busy=late > timedelta(minutes=10))) == []


def test_a_permission_that_was_closed_just_now_may_not_have_been_heard_of() -> None:
    case = paid_once()

    for ago, expected in ((timedelta(minutes=59), []), (timedelta(minutes=61), ["closed-and-active"])):
        assert rules(replace(case, permission=CLOSED.but(last_updated=case.now - ago))) == expected


def test_what_falls_due_while_a_new_checkout_is_awaited_is_not_forgotten() -> None:
    life = Life(terms(policy=CollectionPolicy(new_checkout_deadline=timedelta(days=60))))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.signal("2026-02-01 09:00", closed("BuyerClosed"))
    assert life.subscription.status is Status.AWAITING_CHECKOUT
    case = replace(case_of(life.subscription), permission=CLOSED)

    assert findings(later(case, timedelta(hours=1))) == []


def test_charges_that_amazon_does_not_list_are_not_missed() -> None:
    case = replace(paid_once(), charges=booked(Booked(charge("S01-2"))), all_charges=False)

    assert findings(case) == []


def test_every_rule_says_what_it_holds_and_what_to_do_and_has_a_name_of_its_own() -> None:
    assert all(rule.holds.__doc__ and rule.to_do for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_rule_has_a_row_in_the_operations_in_the_same_order() -> None:
    page = (
        (Path(__file__).parents[2] / "docs" / "operations" / "audit.md").read_text().partition("| rule | what does")[2]
    )

    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == [rule.name for rule in RULES]


def test_what_falls_due_within_a_pause_is_not_forgotten_and_an_item_charged_by_itself_is() -> None:
    """A pause is of the plan; what was to be charged at once stays owed."""
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.ask("2026-02-05 09:00", AddItem(amount=PRICE, what="gift", when=When.NOW))
    life.ask("2026-02-05 09:00", PauseSubscription(), "a pause")
    paused = replace(case_of(life.subscription), now=ANCHOR + timedelta(days=40))

    assert [finding for finding in findings(paused) if "forgotten" in finding] == [
        "period 1 fell due on 2026-02-05 and is forgotten"
    ]


def test_what_is_under_way_for_hours_without_a_word_is_found() -> None:
    """No worker takes the workflow, or one of an older release waits for Amazon for ever."""
    assert findings(later(paid_once(), timedelta(minutes=71), is_busy=True)) == [
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
    case = replace(case_of(life.subscription), now=life.now, charges={}, is_busy=is_busy)

    assert findings(case) == ["charge: what came of it is unknown since 2026-01-31 09:00 UTC (503 ServiceUnavailable)"]


def test_a_part_that_was_captured_is_what_the_account_has() -> None:
    case = paid_once()
    ledger = tuple(record.but(amount=Money.parse("5.00 EUR")) for record in view(case).ledger)
    part = showing(case, view(case).but(ledger=ledger))

    assert findings(replace(part, charges=booked(Booked(charge(captured="5.00"), period=0)))) == []


def test_what_was_authorized_before_a_new_checkout_is_captured_under_the_new_permission() -> None:
    case = canceled()
    ledger = tuple(record.but(outcome=PeriodOutcome.AUTHORIZED) for record in view(case).ledger)
    replaced = view(case).but(ledger=ledger, status=Status.REPLACED)
    left = replace(showing(case, replaced.but(status=Status.CANCELED)), charges={}, all_charges=False)

    assert findings(showing(case, replaced)) == []
    assert findings(left) == [f"charge {CHARGE_ID} of period 0 is authorized, and nothing waits for it"]


# What the ledger has

PAID, AUTHORIZED = NoticeType.PERIOD_PAID, NoticeType.PERIOD_AUTHORIZED


def entry(number: int, kind: NoticeType, when: str, period: int | None = None, **fields: Any) -> Entry:
    """One thing that was told; a period has an amount and a charge of its own."""
    of_period = {"amount": PRICE, "charge_id": f"S01-C{period}", "due": at(when)} if period is not None else {}
    given: dict[str, Any] = {"period": period, **of_period, **fields}
    return Entry(id=number, number=number, type=kind.value, at=at(when), **given)


def recorded(*entries: Entry, now: str, **changes: Any) -> Case:
    """As the ledger has it, of a subscription that has ended unless something else is said."""
    record = Record(PERMISSION_ID, None, entries, **{k: changes.pop(k) for k in ("predecessor",) if k in changes})
    account = Account.of_entries(entries)
    shown: SubscriptionView | None = changes.get("subscription")
    if shown is not None and not shown.notices_told:
        changes["subscription"] = shown.but(notices_told=entries[-1].number)
    return Case(charge_permission_id=PERMISSION_ID, now=at(now), account=account, record=record, **changes)


STARTED = entry(1, NoticeType.SUBSCRIPTION_STARTED, "2027-03-01 09:00")


def balance(left: str, limit: str = "500.00 EUR") -> PermissionAnswer:
    return PermissionAnswer(
        state=PermissionState.CHARGEABLE, monthly_limit=Money.parse(limit), monthly_balance=Money.parse(left)
    )


def runs(now: str, joined_with: int = 0) -> SubscriptionView:
    """A subscription that owes nothing."""
    life = Life(terms())
    return view_of(life.subscription).but(dates=(), next=None, joined_with=joined_with, notices_told=0)


@pytest.mark.parametrize(
    ("left", "now", "expected"),
    [
        ("490.01 EUR", "2027-04-20 12:00", []),
        ("480.02 EUR", "2027-04-20 12:00", ["more-charged-than-known"]),
        ("490.00 EUR", "2027-04-20 12:00", ["more-charged-than-known"]),
        ("500.00 EUR", "2027-04-20 12:00", []),  # Amazon has counted less: the charges are read one by one
        ("490.01 EUR", "2027-05-01 03:00", []),  # in Seattle it is April
        ("490.01 EUR", "2027-05-02 12:00", ["more-charged-than-known"]),
        ("48002 JPY", "2027-04-20 12:00", []),  # another currency than is charged
    ],
)
def test_what_amazon_has_counted_of_the_month_and_nobody_knows_is_found(
    left: str, now: str, expected: list[str]
) -> None:
    seen = balance(left) if left.endswith("EUR") else balance(left, "100000 JPY")
    paid = entry(2, PAID, "2027-03-01 09:00", 0), entry(3, PAID, "2027-04-01 15:00", 1)
    case = recorded(STARTED, *paid, now=now, subscription=runs(now), permission=seen)

    assert rules(case) == expected


def test_a_part_that_was_captured_leaves_it_open_what_amazon_counts_of_the_rest() -> None:
    part = replace(entry(3, PAID, "2027-03-09 09:00", 0), amount=Money.parse("4.00 EUR"))
    for left, expected in (("496.00 EUR", []), ("490.01 EUR", []), ("490.00 EUR", ["more-charged-than-known"])):
        case = recorded(
            *(STARTED, entry(2, AUTHORIZED, "2027-03-05 09:00", 0), part),
            now="2027-03-20 09:00",
            subscription=runs("2027-03-20 09:00"),
            permission=balance(left),
        )
        assert rules(case) == expected, left


def test_who_was_charged_elsewhere_in_the_month_of_joining_is_not_held_against_its_balance() -> None:
    paid = entry(2, PAID, "2027-03-20 09:00", 7)
    for now, expected in (("2027-03-25 09:00", []), ("2027-04-10 09:00", ["more-charged-than-known"])):
        joined = runs(now, joined_with=7)
        case = recorded(STARTED, paid, now=now, subscription=joined, permission=balance("400.00 EUR"))
        assert rules(case) == expected, now


def test_a_second_charge_of_a_period_long_ago_is_found_in_the_ledger() -> None:
    """Also where the other one was under the charge permission before."""
    twice = entry(60, PAID, "2027-08-01 09:00", 40, charge_id="S01-OTHER")
    before = Predecessor("C01-0", 57, frozenset({"S01-C39"}), frozenset({(39, "S01-C39")}))
    told = [entry(number, PAID, "2027-07-01 09:00", number - 19) for number in range(59, 60)]
    again = entry(61, PAID, "2027-08-01 09:00", 39, charge_id="S01-THIRD")

    case = recorded(*told, twice, again, now="2029-08-20 09:00", predecessor=before)

    assert findings(case) == [
        "period 39 was charged 2 times: S01-C39, S01-THIRD",
        "period 40 was charged 2 times: S01-C40, S01-OTHER",
    ]


def test_more_captured_than_was_authorized_is_found_in_the_ledger() -> None:
    more = replace(entry(3, PAID, "2027-03-09 09:00", 0), amount=Money.parse("10.99 EUR"))
    case = recorded(STARTED, entry(2, AUTHORIZED, "2027-03-05 09:00", 0), more, now="2027-03-20 09:00")

    assert findings(case) == ["period 0: 10.99 EUR captured by the account, 9.99 EUR was authorized"]


def test_what_was_settled_by_hand_may_have_been_charged_before_it_was_due() -> None:
    early = {"due": at("2027-03-12 09:00"), "charge_id": "S01-C0"}
    held = entry(2, NoticeType.SUBSCRIPTION_HELD, "2027-03-12 09:00", 0, **early)
    paid = entry(3, PAID, "2027-03-11 09:00", 0, **early)

    assert rules(recorded(STARTED, replace(paid, number=2), now="2027-03-20 09:00")) == ["charged-early"]
    assert rules(recorded(STARTED, held, paid, now="2027-03-20 09:00")) == []


@pytest.mark.parametrize(("days", "expected"), [(30, []), (32, ["stray-authorization"])])
def test_an_authorization_whose_end_was_never_told_is_found(days: int, expected: list[str]) -> None:
    case = recorded(STARTED, entry(2, AUTHORIZED, "2027-03-05 09:00", 0), now="2027-03-05 09:00")

    assert rules(replace(case, now=case.now + timedelta(days=days))) == expected


def test_a_refund_that_was_told_twice_went_back_once() -> None:
    refund = entry(3, NoticeType.REFUND_COMPLETED, "2027-03-09 09:00", 0, refund_id="S01-R1")
    case = recorded(
        STARTED, entry(2, PAID, "2027-03-05 09:00", 0), refund, replace(refund, id=4), now="2027-03-20 09:00"
    )
    answer = charge("S01-C0", refunded=PRICE)

    assert rules(replace(case, charges=booked(Booked(answer)))) == []
    assert rules(replace(case, charges=booked(Booked(answer.but(refunded=None))))) == ["not-refunded"]


@pytest.mark.parametrize(
    ("numbers", "before", "expected"),
    [
        ([1, 2, 3], None, None),
        ([1, 3], None, "the ledger lacks what the subscription told as number 2"),
        ([2, 3], None, "the ledger lacks what the subscription told as number 1"),
        ([1, 2, 9, 10], None, "the ledger lacks what the subscription told as number 3, 4, 5 and 3 more"),
        ([9, 10], 7, None),
        ([8, 9], 7, None),
        ([11, 12], 7, "the ledger lacks what the subscription told as number 9, 10"),
    ],
)
def test_a_gap_in_the_numbers_is_found_also_after_a_new_checkout(
    numbers: Sequence[int], before: int | None, expected: str | None
) -> None:
    predecessor = Predecessor("C01-0", before, frozenset(), frozenset()) if before is not None else None
    told = [entry(number, NoticeType.PERIOD_FREE, "2027-03-05 09:00") for number in numbers]

    assert findings(recorded(*told, now="2027-03-20 09:00", predecessor=predecessor)) == [expected] * bool(expected)


def test_what_is_told_after_the_end_goes_on_with_the_subscriptions_numbers() -> None:
    late = [entry(number, NoticeType.DISPUTE_CHANGED, "2027-09-05 09:00") for number in (2, 4)]

    (found,) = findings(recorded(STARTED, *late, now="2027-09-20 09:00"))
    assert found == "the ledger lacks what the subscription told as number 3"


def test_what_a_subscription_has_told_beyond_the_ledgers_last_entry_is_missing_there() -> None:
    shown = runs("2027-03-20 09:00").but(notices_told=4, notices_waiting=1)
    case = recorded(STARTED, now="2027-03-20 09:00", subscription=shown)

    assert rules(case) == ["number-missing"]
    assert rules(replace(case, is_busy=True)) == []
    assert rules(replace(case, subscription=shown.but(notices_told=2))) == []


def test_a_workflow_that_knows_less_than_the_ledger_is_found_before_it_acts_on_that() -> None:
    shown = runs("2027-03-20 09:00").but(notices_told=1)
    case = recorded(STARTED, entry(2, NoticeType.PERIOD_FREE, "2027-03-05 09:00"), now="2027-03-20 09:00")

    assert rules(replace(case, subscription=shown)) == ["ledger-ahead"]
    assert rules(replace(case, subscription=shown, is_busy=True)) == []
    assert rules(replace(case, subscription=shown.but(notices_told=2))) == []
    assert rules(replace(case, subscription=shown.but(notices_told=2, ledger_told=2))) == ["ledger-ahead"]


def pending(since: str, now: str) -> Case:
    return recorded(STARTED, entry(2, NoticeType.CHARGE_PENDING, since, 0, charge_id=None), now=now)


def test_a_charge_that_is_pending_for_more_than_a_day_is_found_until_it_is_decided() -> None:
    case = pending("2027-03-05 09:00", "2027-03-06 11:00")

    assert findings(case) == ["a charge is pending since 2027-03-05 09:00 UTC"]
    assert findings(pending("2027-03-05 09:00", "2027-03-06 08:00")) == []
    assert case.record is not None
    decided = entry(3, NoticeType.CHARGE_DECLINED, "2027-03-06 10:00", 0)
    assert findings(recorded(*case.record.entries, decided, now="2027-03-08 11:00")) == []


# What Amazon is asked


def reads(case: Case, left: str, *, deep: bool = False) -> list[str]:
    """The charges that are read, of those that the ledger names."""
    return [name.removeprefix("S01-") for name in charges_to_read(case, balance(left), deep=deep)]


def a_year(now: str, last_entry: int | None = None) -> Case:
    """Twelve periods were paid; the last audit was after so many entries."""
    told = [entry(2 + month, PAID, f"2027-{month + 1:02}-05 09:00", month) for month in range(12)]
    case = recorded(STARTED, *told, now=now)
    assert case.record is not None
    last = LastAudit(last_entry, last_entry) if last_entry is not None else None
    return replace(case, record=replace(case.record, last_audit=last))


@pytest.mark.parametrize(
    ("last_entry", "left", "expected"),
    [
        (12, "490.01 EUR", []),  # what is new is of the month whose balance adds up
        (11, "490.01 EUR", ["C10"]),  # November's was told since the last audit
        (9, "490.01 EUR", ["C8", "C9", "C10"]),
        (None, "490.01 EUR", ["C10"]),  # the first audit looks back two months
        (12, "480.02 EUR", ["C10", "C11"]),  # it does not add up
        (12, "500.00 EUR", ["C10", "C11"]),  # neither does less
        (13, "490.01 EUR", []),
    ],
)
def test_only_those_charges_are_read_of_which_the_balance_does_not_say_enough(
    last_entry: int | None, left: str, expected: list[str]
) -> None:
    assert reads(a_year("2027-12-20 09:00", last_entry), left) == expected


def test_a_deep_audit_reads_every_charge() -> None:
    assert reads(a_year("2027-12-20 09:00", 13), "490.01 EUR", deep=True) == [f"C{month}" for month in range(12)]


def test_while_a_month_turns_somewhere_a_new_charge_is_read() -> None:
    """No balance surely counts it: in Seattle it is still December."""
    case = a_year("2028-01-01 03:00", 12)

    assert reads(case, "490.01 EUR") == ["C11"]


def test_a_charge_that_was_refunded_since_is_read_however_old_it_is() -> None:
    case = a_year("2027-12-20 09:00", 13)
    assert case.record is not None
    refund = entry(14, NoticeType.REFUND_COMPLETED, "2027-12-19 09:00", 3, refund_id="S01-R1")
    record = replace(case.record, entries=(*case.record.entries, refund))
    refunded = replace(case, record=record, account=Account.of_entries(record.entries))

    assert reads(refunded, "490.01 EUR") == ["C3"]
    assert reads(replace(refunded, record=replace(record, last_audit=LastAudit(14, 14))), "490.01 EUR") == []


@pytest.mark.parametrize(("days", "expected"), [(20, []), (33, ["C0"])])
def test_an_authorization_is_read_once_nothing_should_be_left_of_it(days: int, expected: list[str]) -> None:
    case = recorded(STARTED, entry(2, AUTHORIZED, "2027-03-05 09:00", 0), now="2027-03-05 09:00")
    assert case.record is not None
    audited = replace(case.record, last_audit=LastAudit(2, 2))
    later_on = replace(case, record=audited, now=case.now + timedelta(days=days))

    assert reads(later_on, "490.01 EUR" if days < 26 else "500.00 EUR") == expected
