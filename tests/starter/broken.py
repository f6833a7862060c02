"""Ways to break the books: one for each rule of the auditor, and what it is then to find.

Each breaks what is real: the simulator's books, rows of the ledger's tables, a workflow on the Temporal server.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, update
from sqlalchemy.sql import Executable
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, PauseWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from amazon_pay_client.models import ChargeState, CreateChargeRequest, Currency, Price
from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.keys import idempotency_key
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.tables import deliveries, entries, subscriptions
from perennial_billing.sandbox.stage import Stage
from perennial_billing.worker.wiring import SIMULATOR_TIME_HEADER, amazon_pay_client
from tests.billing.support import SOFT, Life, chargeable, terms
from tests.scenarios.story import MONTHLY, Story, pending_charge_of


@dataclass(frozen=True)
class Broken:
    """Something that was broken.

    Attributes:
        whose: the story, or the charge permission, where it is to be found.
        says: what the finding begins with.
        at: when it is looked for (UTC); at the story's own time where it is None.
    """

    whose: Story | str
    says: str
    at: datetime | None = None

    @property
    def charge_permission_id(self) -> str:
        return self.whose if isinstance(self.whose, str) else self.whose.charge_permission_id

    async def now(self) -> datetime:
        if self.at is not None:
            return self.at
        return await self.whose.now() if isinstance(self.whose, Story) else datetime.now(UTC)


BEGINS: Final = datetime(datetime.now(UTC).year + 1, 5, 12, 7, tzinfo=UTC)
"""In the middle of a month, so that all that happens within a day is of the same."""


async def paid(house: Stage, periods: int = 1, plan: Plan = MONTHLY, script: Sequence[str] = ()) -> Story:
    """A subscriber who has paid so many periods."""
    story = await Story.begin(house, plan, script=script, first_charge_at=BEGINS)
    for period in range(periods):
        await story.until_due(period)
    return story


async def charged(story: Story, key: str, *, capture_now: bool = True) -> str:
    """Somebody charges the buyer of a story beside the workers, at the story's time; gives the charge's id."""
    at = (await story.now()).strftime(TIMESTAMP_FORMAT)
    async with amazon_pay_client(story.stage.settings) as amazon:
        made = await amazon.charges.create(
            CreateChargeRequest(
                charge_permission_id=story.charge_permission_id,
                charge_amount=Price.model_validate({"amount": "9.99", "currency_code": "USD"}),
                capture_now=capture_now,
            ),
            idempotency_key=key,
            headers={SIMULATOR_TIME_HEADER: at},
        )
    await story.quiet()  # while Amazon's notification of it is taken, it may still be the subscription's own
    return made.charge_id


async def changed(house: Stage, statement: Executable) -> None:
    """Somebody writes into the ledger's tables."""
    async with house.ledger.engine.begin() as connection:
        await connection.execute(statement)


def told(story: Story, kind: str, period: int | None = None) -> ColumnElement[bool]:
    """The entries of a story of some kind."""
    chosen = (entries.c.charge_permission_id == story.charge_permission_id) & (entries.c.type == kind)
    return chosen if period is None else chosen & (entries.c.period == period)


def row(story: Story) -> ColumnElement[bool]:
    return subscriptions.c.charge_permission_id == story.charge_permission_id


async def charged_twice(house: Stage) -> Broken:
    story = await paid(house)
    await charged(story, idempotency_key(story.charge_permission_id, 0, 2))
    return Broken(story, "period 0 was charged 2 times")


async def charge_pays_twice(house: Stage) -> Broken:
    story = await paid(house, 2)
    first, _ = await story.charges()
    await changed(house, update(entries).where(told(story, "period.paid", 1)).values(charge_id=first.charge_id))
    return Broken(story, f"charge {first.charge_id} pays 2 periods")


async def unknown_charge(house: Stage) -> Broken:
    """Under somebody else's key, and so long ago that the subscription itself remembers no period of that time."""
    story = await paid(house, plan=Plan.of("daily", Money.parse("9.99 USD"), Interval(unit=Unit.DAY)))
    foreign = await charged(story, "a-key-of-somebody-else")
    view = await story.until_due(26)
    assert view.ledger[0].period > 0
    return Broken(story, f"charge {foreign} took money and is in no account")


async def more_charged_than_known(house: Stage) -> Broken:
    story = await paid(house)
    await charged(story, "another-key-of-somebody-else")
    return Broken(story, "Amazon has counted 19.98 USD in this calendar month, and only 9.99 USD")


async def not_captured(house: Stage) -> Broken:
    story = await paid(house)
    [charge] = await story.charges()
    await house.simulator.falsify_charge(charge.charge_id, state=ChargeState.CANCELED)
    return Broken(story, f"period 0 is paid by the account; {charge.charge_id} is not captured")


async def over_captured(house: Stage) -> Broken:
    story = await paid(house)
    [charge] = await story.charges()
    await house.simulator.falsify_charge(charge.charge_id, captured=Decimal("99.90"))
    return Broken(story, "period 0: 99.90 USD captured, 9.99 USD in the account")


async def other_amount(house: Stage) -> Broken:
    story = await paid(house)
    [charge] = await story.charges()
    await house.simulator.falsify_charge(charge.charge_id, captured=Decimal("4.20"))
    return Broken(story, "period 0: 4.20 USD charged, 9.99 USD in the account")


async def charged_early(house: Stage) -> Broken:
    story = await paid(house)
    [charge] = await story.charges()
    early = BEGINS - timedelta(hours=30)
    await house.simulator.falsify_charge(charge.charge_id, created=early)
    return Broken(story, f"period 0 was charged at {early:%Y-%m-%d %H:%M} UTC")


async def not_refunded(house: Stage) -> Broken:
    story = await paid(house)
    [charge] = await story.charges()
    wanted = RefundPeriod(period=0, amount=Money.parse("3.00 USD"))
    await house.subscriptions.refund(story.charge_permission_id, wanted)
    await story.after(timedelta(days=2))
    await house.simulator.falsify_charge(charge.charge_id, refunded=Decimal("2.00"))
    return Broken(story, "period 0: 3.00 USD refunded by the account, 2.00 USD by Amazon")


async def stray_authorization(house: Stage) -> Broken:
    story = await paid(house)
    stray = await charged(story, "one-more-key", capture_now=False)
    return Broken(story, f"charge {stray} is authorized at Amazon, and in no account")


async def pending_long(house: Stage) -> Broken:
    story = await paid(house, script=["TransactionTimedOut", "AuthorizationInitiated"])
    status = await story.after(timedelta(hours=12))
    charge_id, since = pending_charge_of(status), await story.now() - timedelta(hours=26)
    await changed(house, update(entries).where(told(story, "charge.pending")).values(at=since))
    return Broken(story, f"a charge ({charge_id}) is pending since {since:%Y-%m-%d %H:%M} UTC")


async def permission_without_subscription(house: Stage) -> Broken:
    permission = await house.simulator.open_permission()
    return Broken(permission.charge_permission_id, "no subscription knows this charge permission")


async def period_forgotten(house: Stage) -> Broken:
    """Its timer never fires."""
    story = await paid(house)
    due = story.terms.schedule.due(1)
    return Broken(story, f"period 1 fell due on {due:%Y-%m-%d} and is forgotten", due + timedelta(minutes=30))


async def overdue(house: Stage) -> Broken:
    story = await paid(house)
    due = story.terms.schedule.due(1)
    return Broken(story, f"charge was to be done at {due:%Y-%m-%d %H:%M} UTC", due + timedelta(minutes=30))


async def outcome_unknown(house: Stage) -> Broken:
    story = await Story.begin(house, script=[ScriptedAnswer(fault=Fault.UNAVAILABLE)] * 100, first_charge_at=BEGINS)
    await story.quiet()
    skip = BEGINS - await story.now() + timedelta(hours=2)
    await house.server.time.fast_forward(story.handle, skip)  # it is never quiet while the call is made
    async with asyncio.timeout(20):
        while not (await story.status()).unanswered:
            await asyncio.sleep(0.05)
    return Broken(story, "charge: what came of it is unknown since")


async def closed_and_active(house: Stage) -> Broken:
    """Amazon's notification of it was lost."""
    story, url = await paid(house), house.ipn_url
    await house.simulator.send_notifications_to(None)
    await house.simulator.close_by_buyer(story.charge_permission_id, at=await story.now())
    await house.simulator.send_notifications_to(url)
    later = await story.now() + timedelta(hours=3)
    return Broken(story, "the charge permission is closed, and the subscription is active", later)


async def ended_and_open(house: Stage) -> Broken:
    story = await paid(house)
    await story.handle.terminate()
    await changed(house, update(subscriptions).where(row(story)).values(status="canceled"))
    return Broken(story, "the subscription is canceled, and the charge permission is chargeable")


async def above_the_cap(house: Stage) -> Broken:
    """It was started in a state that no rule leads to."""
    permission = await house.simulator.open_permission(Currency.EUR)
    life = Life(terms().but(charge_permission_id=permission.charge_permission_id, anchor=BEGINS))
    for action, answer in ((Action.CHARGE, SOFT), (Action.READ_PERMISSION, chargeable())):
        life.step(action, f"{BEGINS:%Y-%m-%d %H:%M}", answer)
    collection = life.subscription.collection
    assert collection is not None
    assert collection.dunning is not None
    spent = collection.but(dunning=collection.dunning.but(attempts_spent=99))
    await house.subscriptions.adopt(life.subscription.but(collection=spent))
    return Broken(permission.charge_permission_id, "period 0: 99 attempts, 15 are allowed", BEGINS)


async def stopped(house: Stage) -> Broken:
    story = await paid(house)
    await story.handle.terminate(reason="the wrong window")
    return Broken(story, "its workflow was terminated")


async def no_progress(house: Stage) -> Broken:
    story = await paid(house)
    await house.client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(
            namespace=house.client.namespace, workflow_id=story.handle.id, identity="jane", request_id="one"
        )
    )
    return Broken(story, "its workflow is paused since")


async def not_running(house: Stage) -> Broken:
    """Temporal has forgotten it."""
    story = await paid(house)
    await forget(house, story)
    return Broken(story.charge_permission_id, "it is active by the ledger, and its workflow is not known to Temporal")


async def is_known(story: Story) -> bool:
    """Whether Temporal has it."""
    try:
        await story.handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def forget(house: Stage, story: Story) -> None:
    """As the end of its retention does."""
    execution = WorkflowExecution(workflow_id=story.handle.id)
    request = DeleteWorkflowExecutionRequest(namespace=house.client.namespace, workflow_execution=execution)
    async with asyncio.timeout(60):
        while await is_known(story):  # a request is lost where the end of the run is not settled everywhere yet
            with suppress(RPCError):
                await house.client.workflow_service.delete_workflow_execution(request)
            await asyncio.sleep(0.2)


async def not_recorded(house: Stage) -> Broken:
    story = await paid(house)
    await changed(house, delete(entries).where(entries.c.charge_permission_id == story.charge_permission_id))
    await changed(house, delete(subscriptions).where(row(story)))
    return Broken(story, "its workflow runs, and the ledger has nothing of it")


async def number_missing(house: Stage) -> Broken:
    story = await paid(house)
    await changed(house, delete(entries).where(told(story, "subscription.started")))
    return Broken(story, "the ledger lacks what the subscription told as number 1")


async def ledger_ahead(house: Stage) -> Broken:
    """As after a restore of Temporal's database: it was paused since."""
    story = await paid(house)
    status = await story.status()
    paused = Notice(number=status.notices_told + 1, type=NoticeType.SUBSCRIPTION_PAUSED, at=await story.now())
    terms = status.terms
    await house.ledger.record(
        Told(terms.charge_permission_id, terms.merchant_account, terms.merchant_reference, "monthly", [paused])
    )
    return Broken(story, "the ledger knows 3 notices of it, its workflow 2")


async def row_differs(house: Stage) -> Broken:
    story = await paid(house)
    await changed(house, update(subscriptions).where(row(story)).values(charged_minor=1998))
    return Broken(story, "the row's charged_minor is 1998, and its entries make it 999")


async def not_delivered(house: Stage) -> Broken:
    story = await paid(house)
    now = await story.now()
    given_up = {
        "id": f"notice-{story.charge_permission_id}-2",
        "charge_permission_id": story.charge_permission_id,
        "number": 2,
        "state": "given_up",
        "trouble": "status 410",
        "since": now,
        "updated_at": now,
    }
    await changed(house, insert(deliveries).values(given_up))
    return Broken(story, f"notice 2 was not delivered; it was last tried at {now:%Y-%m-%d %H:%M} UTC (status 410)")


async def not_in_ledger(house: Stage) -> Broken:
    story = await paid(house, 2)
    first, _ = await story.charges()
    await changed(house, delete(entries).where(told(story, "period.paid", 0)))
    return Broken(story, f"period 0 is paid, and the ledger has no charge {first.charge_id} for it")


WAYS: Final[Mapping[str, Callable[[Stage], Awaitable[Broken]]]] = {
    "charged-twice": charged_twice,
    "charge-pays-twice": charge_pays_twice,
    "unknown-charge": unknown_charge,
    "more-charged-than-known": more_charged_than_known,
    "not-captured": not_captured,
    "over-captured": over_captured,
    "other-amount": other_amount,
    "charged-early": charged_early,
    "not-refunded": not_refunded,
    "stray-authorization": stray_authorization,
    "pending-long": pending_long,
    "permission-without-subscription": permission_without_subscription,
    "period-forgotten": period_forgotten,
    "overdue": overdue,
    "outcome-unknown": outcome_unknown,
    "closed-and-active": closed_and_active,
    "ended-and-open": ended_and_open,
    "above-the-cap": above_the_cap,
    "stopped": stopped,
    "no-progress": no_progress,
    "not-running": not_running,
    "not-recorded": not_recorded,
    "number-missing": number_missing,
    "ledger-ahead": ledger_ahead,
    "row-differs": row_differs,
    "not-delivered": not_delivered,
    "not-in-ledger": not_in_ledger,
}
"""By the rule that finds it."""
