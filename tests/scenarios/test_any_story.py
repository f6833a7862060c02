"""Any story, on a real server in virtual time: random answers, lost ones, repeats, signals, cancellations, restarts.

Whatever is drawn, the auditor finds nothing at any moment: nobody is charged twice for a period, and none is
forgotten. In the end, when all goes well again, every period that fell due is paid, given up by policy, or not owed.
The rules alone are driven much harder in `tests/billing`; here it is the workflow, its activities and its replays.

    pytest tests/scenarios/test_any_story.py --hypothesis-profile soak      # many more
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from amazon_pay_client.models import ChargePermissionState
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Change,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ResumeSubscription,
    SkipPeriod,
    When,
)
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Capture, Phase, Plan
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy, FinalAction, NextDue
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.witness import BooksWitness
from perennial_billing.starter.audit.auditor import Auditor
from perennial_billing.starter.audit.presence import Workflows
from perennial_billing.starter.errors import SubscriptionError
from tests.scenarios.moving import House, moving
from tests.scenarios.story import MONTHLY, Story, pending_charge_of

EXAMPLES: Final = 2
EXAMPLES_OF_A_SOAK: Final = 400
LONGEST_CALM: Final = 40
"""Steps that a subscription may need to settle all, once all goes well."""

pytestmark = pytest.mark.timeout(3600)


def _soaks() -> bool:
    try:
        return settings.get_current_profile_name() == "soak"
    except InvalidArgument:
        return False


@pytest_asyncio.fixture(scope="module")
async def moving_house() -> AsyncIterator[House]:
    async with moving() as house:
        yield house


codes = st.sampled_from([
    "SoftDeclined", "HardDeclined", "ProcessingFailure", "TransactionTimedOut", "PeriodicAmountExceeded",
    "InvalidAccountStatus", "AuthorizationInitiated", "AuthorizationInitiated", "ANewCode", None, None, None,
])  # fmt: skip
answers = st.builds(
    ScriptedAnswer,
    code=codes,
    fault=st.sampled_from([None, None, None, Fault.LOST_ANSWER, Fault.RESET, Fault.UNAVAILABLE]),
)
plans = st.builds(
    lambda unit, first, capture, collection: Plan.of(
        "any", MONTHLY.regular.amount, Interval(unit=unit), after=first, capture=capture, collection=collection
    ),
    st.sampled_from([Unit.MONTH, Unit.WEEK]),
    st.lists(
        st.builds(
            Phase,
            amount=st.sampled_from(["0 USD", "4.95 USD"]).map(Money.parse),
            interval=st.builds(Interval, unit=st.sampled_from(Unit)),
            periods=st.integers(1, 2),
        ),
        max_size=1,
    ),
    st.sampled_from(Capture),
    st.builds(
        CollectionPolicy,
        final_action=st.sampled_from(FinalAction),
        next_due=st.sampled_from(NextDue),
        catch_up=st.sampled_from(CatchUp),
        cancel_pending_charges=st.booleans(),
        grace=st.sampled_from([timedelta(0), timedelta(days=7)]),
        payment_method_deadline=st.sampled_from([timedelta(days=2), timedelta(days=21)]),
    ),
)
zones = st.sampled_from(["UTC", "America/New_York"])


class Drawn(Story):
    """A story whose next event is drawn."""

    house: House

    async def after(self, duration: timedelta) -> SubscriptionView:
        status = await self.status()
        return status if status.has_ended else await super().after(duration)

    async def goes_on(self) -> None:
        """Time goes on to what happens next; it passes in any case."""
        step = (await self.status()).next
        await self.after(timedelta(days=1)) if step is None else await self.until(step.at)

    async def a_week(self) -> None:
        await self.after(timedelta(days=7))

    async def mend(self) -> None:
        await self._buyer(self.stage.simulator.mend_payment_method)

    async def breaks(self) -> None:
        await self._buyer(self.stage.simulator.break_payment_method)

    async def close(self) -> None:
        await self._buyer(self.stage.simulator.close_by_buyer)

    async def decide(self) -> None:
        await self._decide(None)

    async def decide_against(self) -> None:
        await self._decide("SoftDeclined")

    async def woken(self) -> None:
        if not (await self.status()).has_ended:
            for _ in range(2):
                await self.handle.signal("instrument_updated")
            await self.quiet()

    async def canceled(self) -> None:
        await self._say(self.stage.subscriptions.cancel(self.charge_permission_id, "changed their mind"))
        await self.quiet()

    async def retry(self) -> None:
        await self._say(self.stage.subscriptions.retry_now(self.charge_permission_id))
        await self.quiet()

    async def capture(self) -> None:
        for waiting in (await self.status()).to_be_captured:
            await self._say(self.stage.subscriptions.capture(self.charge_permission_id, waiting.period))
        await self.quiet()

    async def refund(self) -> None:
        for record in (await self.status()).ledger[-1:]:
            wanted = RefundPeriod(period=record.period, amount=Money.parse("1.00 USD"))
            await self._say(self.stage.subscriptions.refund(self.charge_permission_id, wanted))
        await self.quiet()

    async def upgrade(self) -> None:
        await self._change(ChangePlan(quantity=2, when=When.NOW))

    async def changes_later(self) -> None:
        await self._change(ChangePlan(plan=Plan.of("other", Money.parse("5.00 USD"), Interval(unit=Unit.MONTH))))

    async def moves(self) -> None:
        await self._change(ChangeBillingDay(billing_day=BillingDay(day=31)))

    async def pauses(self) -> None:
        await self._change(PauseSubscription())

    async def pauses_later(self) -> None:
        until = await self.now() + timedelta(days=50)
        await self._change(PauseSubscription(when=When.RENEWAL, until=until, keeps_anchor=False))

    async def resumes(self) -> None:
        await self._change(ResumeSubscription())

    async def skips(self) -> None:
        await self._change(SkipPeriod())

    async def is_credited(self) -> None:
        await self._change(AddItem(amount=Money.parse("12.00 USD"), what="late parcel", credit=True))

    async def ends_later(self) -> None:
        await self._change(Cancel())

    async def _change(self, change: Change) -> None:
        await self._say(self.stage.subscriptions.change(self.charge_permission_id, change))
        await self.quiet()

    async def restart(self) -> None:
        await self.house.restart_worker()
        await self.quiet()

    async def _buyer(self, deed: Callable[..., Awaitable[None]]) -> None:
        """What the buyer does, while the permission is not closed."""
        if await self.permission_state() != ChargePermissionState.CLOSED:
            await deed(self.charge_permission_id, at=await self.now())
            await self.quiet()

    async def _decide(self, reason: str | None) -> None:
        status = await self.status()
        if status.status is Status.PENDING:
            await self.stage.simulator.decide_charge(pending_charge_of(status), reason, at=await self.now())
            await self.quiet()

    async def _say(self, said: Awaitable[object]) -> None:
        """What is asked for may make no sense now, and is then refused by name."""
        with suppress(SubscriptionError):
            await said


Event = Callable[[Drawn], Awaitable[None]]

EVENTS: Final[tuple[Event, ...]] = (
    *(Drawn.goes_on,) * 6,
    *(Drawn.a_week, Drawn.mend, Drawn.breaks, Drawn.decide, Drawn.decide_against),
    *(Drawn.woken, Drawn.retry, Drawn.capture, Drawn.restart, Drawn.restart),
    *(Drawn.canceled, Drawn.close, Drawn.refund),
    *(Drawn.upgrade, Drawn.changes_later, Drawn.moves, Drawn.pauses, Drawn.pauses_later),
    *(Drawn.resumes, Drawn.skips, Drawn.is_credited, Drawn.ends_later),
)


async def audited(story: Drawn) -> list[str]:
    """What the auditor finds."""

    async def time_of(_: str) -> datetime:
        return await story.now()

    books = BooksWitness(await story.stage.simulator.books())
    stage = story.stage
    auditor = Auditor(stage.ledger, Workflows(stage.client, stage.subscriptions), witness=books, time_of=time_of)
    audited = await auditor.one(story.charge_permission_id)
    assert audited.trouble is None
    return [finding.says for finding in audited.findings]


async def all_goes_well(story: Drawn) -> SubscriptionView:
    """Nothing fails any more, and whoever is waited for does their part."""
    await story.stage.simulator.script(story.charge_permission_id, [])
    status = await story.status()
    for _ in range(LONGEST_CALM):
        refunding = any(refund.settled_at is None for refund in status.refunds)
        owes = status.owed is not None or status.to_be_captured or status.awaits_checkout_until is not None
        if status.has_ended or not (owes or refunding):
            break
        await story.resumes()
        await story.mend()
        await story.decide()
        await story.capture()
        await story.retry()
        await story.goes_on()
        status = await story.status()
    return status


@settings(
    max_examples=EXAMPLES_OF_A_SOAK if _soaks() else EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    plan=plans,
    script=st.lists(answers, max_size=10),
    events=st.lists(st.sampled_from(EVENTS), min_size=3, max_size=14),
    zone=zones,
)
async def test_whatever_happens_nobody_is_charged_twice_and_no_period_is_forgotten(
    moving_house: House, plan: Plan, script: list[ScriptedAnswer], events: list[Event], zone: str
) -> None:
    story = await Drawn.begin(moving_house.stage, plan, script=script, zone=zone, unchecked=True)
    story.house = moving_house
    for event in events:
        await event(story)
        assert await audited(story) == []

    status = await all_goes_well(story)

    assert await audited(story) == []
    refused = status.last_reason in {"ANewCode", "InvalidAccountStatus"}
    assert status.has_ended or status.owed is None or refused, "what was owed is still owed"
    assert {record.outcome for record in status.ledger} <= {
        PeriodOutcome.PAID,
        PeriodOutcome.WRITTEN_OFF,
        PeriodOutcome.SKIPPED,
        PeriodOutcome.AUTHORIZED,
        PeriodOutcome.FREE,
    }
    assert not any(refund.settled_at is None for refund in status.refunds)
