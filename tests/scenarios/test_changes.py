"""Changes of a running subscription, on a real server in virtual time, against what the books say was charged."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata

from amazon_pay_simulator.faults import Fault, FaultPlan
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    ResumeSubscription,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
)
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Phase, Plan
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from perennial_billing.workflows.names import PLAN
from tests.endpoint import Endpoint
from tests.scenarios.story import Story
from tests.scenarios.test_notices import kinds
from tests.scenarios.test_phases import charged
from tests.simulator.witness import permission_of

MONTH = Interval(unit=Unit.MONTH)
TEN, TWENTY = Money.parse("10.00 USD"), Money.parse("20.00 USD")
NEXT_YEAR = datetime.now(UTC).year + 1


def on(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(NEXT_YEAR, month, day, hour, tzinfo=UTC)


async def begun(house: Stage) -> Story:
    """10.00 a month from 30 April on; the first period is paid."""
    story = await Story.begin(house, Plan.of("silver", TEN, MONTH), first_charge_at=on(4, 30))
    await story.until(on(4, 30, 10))
    return story


async def shown(story: Story) -> list[tuple[str, str]]:
    """Day and amount of the charges to come."""
    found = await story.stage.subscriptions.upcoming(story.charge_permission_id, 3)
    return [(f"{each.at:%m-%d}", str(each.amount.amount)) for each in found]


async def test_an_upgrade_now_is_prorated_and_charged_at_once(house: Stage) -> None:
    story = await begun(house)
    await story.until(on(5, 15, 12))

    await house.subscriptions.change(
        story.charge_permission_id, ChangePlan(plan=Plan.of("gold", TWENTY, MONTH), when=When.NOW)
    )
    await story.quiet()
    to_come = await shown(story)
    status = await story.until(on(7, 1))

    assert await charged(story) == [("04-30", "10.00"), ("05-15", "5.00"), ("05-30", "20.00"), ("06-30", "20.00")]
    assert to_come == [("05-30", "20.00"), ("06-30", "20.00"), ("07-30", "20.00")]
    assert [record.period for record in status.ledger] == [0, 1, 2, 3]
    described = await story.handle.describe()
    assert described.typed_search_attributes.get(PLAN) == "gold"


async def test_a_change_from_the_next_period_on_is_kept_over_a_new_run(house: Stage) -> None:
    story = await begun(house)
    begun_as = (await story.handle.describe()).run_id
    await house.subscriptions.change(story.charge_permission_id, ChangePlan(quantity=2))
    await story.until(on(5, 30, 10))
    await story.until(on(7, 1))

    amounts = [amount for _, amount in await charged(story)]
    assert amounts == ["10.00", "20.00", "20.00"]
    assert (await story.handle.describe()).run_id != begun_as


@pytest.mark.long  # the rule: tests/billing/test_changes.py
async def test_a_billing_day_that_changes_within_a_trial_makes_the_first_paid_period_short(house: Stage) -> None:
    """After Kill Bill's story: 249.95 a month, the billing day goes from 1 to 15 while in trial."""
    trial = Phase(amount=Money.parse("0 USD"), interval=Interval(unit=Unit.DAY, count=30), periods=1)
    plan = Plan.of("gold", Money.parse("249.95 USD"), MONTH, after=[trial])
    story = await Story.begin(house, plan, first_charge_at=on(4, 1))
    await story.until(on(4, 10))

    await house.subscriptions.change(story.charge_permission_id, ChangeBillingDay(billing_day=BillingDay(day=15)))
    await story.until(on(7, 1))

    assert await charged(story) == [("05-01", "116.64"), ("05-15", "249.95"), ("06-15", "249.95")]


async def test_a_pause_charges_nothing_and_ends_by_itself(house: Stage, notices: Endpoint) -> None:
    story = await begun(house)
    await house.subscriptions.change(story.charge_permission_id, PauseSubscription(until=on(7, 10)))
    status = await story.until(on(7, 1))
    assert (status.status, status.needs_attention) == (Status.PAUSED, False)

    status = await story.until(on(8, 1))

    assert await charged(story) == [("04-30", "10.00"), ("07-30", "10.00")]
    assert [record.outcome.value for record in status.ledger] == ["paid", "skipped", "skipped", "paid"]
    told = await kinds(notices, story)
    assert told[2:4] == ["subscription.paused", "subscription.resumed"]


@pytest.mark.long  # the rule: tests/billing/test_changes.py
async def test_a_pause_by_hand_may_move_the_dates(house: Stage) -> None:
    story = await begun(house)
    permission = story.charge_permission_id
    await house.subscriptions.change(permission, PauseSubscription(keeps_anchor=False))
    await story.until(on(6, 17))
    await house.subscriptions.change(permission, ResumeSubscription())
    await story.quiet()
    await story.until(on(8, 20))

    assert await charged(story) == [("04-30", "10.00"), ("07-17", "10.00"), ("08-17", "10.00")], "48 days later"


@pytest.mark.long  # the rule: tests/billing/test_changes.py
async def test_a_skipped_period_an_item_and_a_credit_show_in_the_charges(house: Stage) -> None:
    story = await begun(house)
    permission, change = story.charge_permission_id, house.subscriptions.change
    await change(permission, SkipPeriod())
    await change(permission, AddItem(amount=Money.parse("2.50 USD"), what="gift wrapping"))
    await change(permission, AddItem(amount=Money.parse("4.00 USD"), what="late parcel", credit=True))
    to_come = await shown(story)

    await story.until(on(8, 1))

    assert await charged(story) == [("04-30", "10.00"), ("06-30", "8.50"), ("07-30", "10.00")]
    assert to_come == [("06-30", "8.50"), ("07-30", "10.00"), ("08-30", "10.00")]


async def test_a_cancellation_at_the_end_of_the_period_is_taken_back_and_asked_for_again(house: Stage) -> None:
    story = await begun(house)
    permission, change = story.charge_permission_id, house.subscriptions.change
    changed = await change(permission, Cancel(reason="moved away"))
    assert changed.effective_at == on(5, 30)
    await change(permission, UndoCancellation())
    await story.until(on(5, 30, 10))

    await change(permission, Cancel(when=on(6, 15)))
    status = await story.until(on(6, 16))

    assert await charged(story) == [("04-30", "10.00"), ("05-30", "10.00")]
    assert status.status is Status.CANCELED
    assert await story.permission_state() == "Closed"


async def test_a_change_that_cannot_be_is_refused_with_its_rule_and_leaves_no_trace(house: Stage) -> None:
    story = await begun(house)
    before = await state(story)

    for change, why in (
        (
            ChangePlan(plan=Plan.of("yen", Money.parse("900 JPY"), MONTH)),
            "plan: JPY is not accepted; the charge permission is in USD",
        ),
        (ResumeSubscription(), "not paused by request"),
        (Cancel(when=on(1, 1)), "instants from now on are"),
        (PauseSubscription(until=on(1, 1)), "instants after the pause begins"),
    ):
        with pytest.raises(RequestRefusedError, match=why):
            await house.subscriptions.change(story.charge_permission_id, change)
    assert await state(story) == before
    history = await story.handle.fetch_history()
    assert not any(event.HasField("workflow_execution_update_accepted_event_attributes") for event in history.events)


@pytest.mark.long  # the rule: tests/billing/test_changes.py
async def test_an_item_may_be_charged_at_once_by_itself(house: Stage) -> None:
    story = await begun(house)
    await story.until(on(5, 10))
    gift = AddItem(amount=Money.parse("2.50 USD"), what="gift wrapping", when=When.NOW)
    changed = await house.subscriptions.change(story.charge_permission_id, gift)
    await story.quiet()
    to_come = await shown(story)
    await story.until(on(7, 1))

    assert changed.effective_at.date() == on(5, 10).date()
    assert await charged(story) == [("04-30", "10.00"), ("05-10", "2.50"), ("05-30", "10.00"), ("06-30", "10.00")]
    assert to_come == [("05-30", "10.00"), ("06-30", "10.00"), ("07-30", "10.00")]


async def test_what_amazons_monthly_limit_can_never_allow_is_refused(house: Stage) -> None:
    story = await begun(house)
    permission, change = story.charge_permission_id, house.subscriptions.change
    before = await state(story)
    dear = Money.parse("1000.01 USD")

    for above in (
        ChangePlan(plan=Plan.of("platinum", dear, MONTH)),
        ChangePlan(quantity=101, when=When.NOW),
        AddItem(amount=dear, what="machine", when=When.NOW),
        AddItem(amount=Money.parse("990.01 USD"), what="machine"),
    ):
        with pytest.raises(RequestRefusedError, match=r"the charge permission allows 1000\.00 USD"):
            await change(permission, above)
    assert await state(story) == before

    await change(permission, ChangePlan(quantity=100))
    assert await shown(story) == [("05-30", "1000.00"), ("06-30", "1000.00"), ("07-30", "1000.00")]


@pytest.mark.long  # the rule: tests/billing/test_changes.py
async def test_a_dearer_plan_waits_for_no_amazon_that_does_not_answer(house: Stage) -> None:
    story = await begun(house)
    permission, change = story.charge_permission_id, house.subscriptions.change
    before = await state(story)
    await house.simulator.set_faults(FaultPlan(requests={Fault.UNAVAILABLE: 1}))
    try:
        with pytest.raises(RequestRefusedError, match=r"Amazon did not say .*; try it again in a while"):
            await change(permission, ChangePlan(quantity=2))
        assert await state(story) == before
        await change(permission, ChangePlan(plan=Plan.of("bronze", Money.parse("5.00 USD"), MONTH)))
    finally:
        await house.simulator.set_faults(FaultPlan())

    assert await shown(story) == [("05-30", "5.00"), ("06-30", "5.00"), ("07-30", "5.00")]


YEAR = Interval(unit=Unit.YEAR)


async def told_to_amazon(story: Story) -> tuple[str, str, str | None] | None:
    """Frequency and amount, as the charge permission says them."""
    permission = await permission_of(story.stage.simulator, story.charge_permission_id)
    said = permission.recurring_metadata
    if said is None:
        return None
    return said.frequency.unit, said.frequency.value, str(said.amount.amount) if said.amount else None


async def test_amazon_is_told_of_another_plan_and_of_its_undoing(house: Stage) -> None:
    """Amazon reckons the charge permission's expiry from it, and shows it to the buyer."""
    story = await begun(house)
    permission, change = story.charge_permission_id, house.subscriptions.change
    await change(permission, PauseSubscription(when=When.RENEWAL))
    await story.quiet()
    assert await told_to_amazon(story) is None

    await change(permission, ChangePlan(plan=Plan.of("gold", Money.parse("100 USD"), YEAR), quantity=2))
    await story.quiet()
    assert await told_to_amazon(story) == ("Year", "1", "200.00")

    await change(permission, UndoChanges())
    await story.quiet()
    assert await told_to_amazon(story) == ("Month", "1", "10.00")


async def test_a_plan_that_amazon_cannot_be_told_of_holds_up_nothing_and_is_told_later(
    house: Stage, notices: Endpoint
) -> None:
    story = await begun(house)
    await house.simulator.set_faults(FaultPlan(requests={Fault.UNAVAILABLE: 1}))
    try:
        plan = Plan.of("bronze", Money.parse("5.00 USD"), MONTH)
        await house.subscriptions.change(story.charge_permission_id, ChangePlan(plan=plan))
        await story.after(timedelta(minutes=40))
        assert (await story.status()).amazon_untold
        metadata = await story.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        assert "Amazon is not told yet" in metadata.current_details
        assert (await kinds(notices, story))[-1] == "plan.changed"
    finally:
        await house.simulator.set_faults(FaultPlan())

    await story.until(on(5, 30, 10))

    assert await charged(story) == [("04-30", "10.00"), ("05-30", "5.00")]
    assert await told_to_amazon(story) == ("Month", "1", "5.00")


async def test_a_change_is_told_at_once_also_while_a_period_is_owed(house: Stage, notices: Endpoint) -> None:
    """The step that stands, a retry, is the same after it."""
    story = await Story.begin(house, Plan.of("silver", TEN, MONTH), first_charge_at=on(4, 30), script=("SoftDeclined",))
    await story.until(on(4, 30, 10))
    await house.subscriptions.change(story.charge_permission_id, ChangePlan(quantity=2))
    await story.quiet()

    assert (await kinds(notices, story))[-2:] == ["charge.declined", "plan.changed"]


async def state(story: Story) -> SubscriptionView:
    await story.after(timedelta(0))
    return await story.status()


async def test_what_is_planned_is_shown_at_once(house: Stage) -> None:
    """In the details, and in words on the timer: nothing else wakes the workflow before its next step."""
    story = await begun(house)
    permission, change = story.charge_permission_id, house.subscriptions.change
    await change(permission, AddItem(amount=Money.parse("2.50 USD"), what="gift wrapping"))
    changed = await change(permission, Cancel(when=on(12, 1), reason="moved away"))

    assert changed.next is not None
    assert changed.next.why == "period 1 falls due: 12.50 USD"
    details = (await story.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)).current_details
    for words in ("gift wrapping", f"{NEXT_YEAR}-12-01 09:00 UTC: moved away", "12.50 USD"):
        assert words in details
