"""Several merchants in one deployment: each is charged for with its own key, at its own pace, and hears of its own."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from amazon_pay_client import Environment, Region
from amazon_pay_client.limits import RATES
from amazon_pay_client.models import ChargeState
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.control import JournalQuery
from amazon_pay_simulator.journal import RecordedRequest
from perennial_billing.activities import accounts
from perennial_billing.billing.changes import ChangePlan
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.plan.texts import Texts
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.accounts import remove_account
from perennial_billing.ledger.finding import Search, find, timeline
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import RequestRefusedError
from perennial_billing.worker.accounts import Accounts
from perennial_billing.worker.quotas import Quotas
from perennial_billing.workflows.names import Call, call_queue
from tests.scenarios.story import MONTHLY, Story
from tests.shops import ACCOUNTS_SECRET, Shop, known_at_amazon, shop

LIVE = RATES[Environment.LIVE][Call.CREATE_CHARGE].per_second
TOO_MANY = 429


@pytest_asyncio.fixture(scope="module")
async def mall() -> AsyncIterator[Stage]:
    """A stage whose ledger may have accounts, and whose Amazon keeps the limits of live for each merchant."""
    rates = {Call.CREATE_CHARGE.value: LIVE, Call.GET_CHARGE_PERMISSION.value: 1_000.0}
    async with stage(throttled_as=Environment.LIVE, calls_per_second=rates, accounts_secret=ACCOUNTS_SECRET) as set_up:
        yield set_up


def terms_of_nobody(first_charge_in: timedelta = timedelta(hours=1)) -> Terms:
    """What every buyer here agrees on."""
    return Terms(charge_permission_id="C01-0000000-0000000", plan=MONTHLY, anchor=datetime.now(UTC) + first_charge_in)


async def begun(mall: Stage, at: Shop, like: Terms | None = None, *, unchecked: bool = False) -> Story:
    """A buyer of a shop's agrees, and the subscription is started."""
    terms = await at.terms(like or terms_of_nobody())
    await mall.subscriptions.start(terms, unchecked=unchecked)
    return Story(mall, terms)


async def charged_at(at: Shop, story: Story) -> list[str]:
    """What a shop's own books say was captured of a buyer."""
    books = await at.simulator.books()
    theirs = [each for each in books.charges if each.charge_permission_id == story.charge_permission_id]
    return [str(each.charge_amount.amount) for each in theirs if each.status_details.state == ChargeState.CAPTURED]


async def test_each_account_is_charged_for_with_its_own_key_and_its_own_notifications_wake_it(mall: Stage) -> None:
    async with shop(mall, "tea-house") as tea, shop(mall, "bakery") as bakery:
        theirs, others = await begun(mall, tea), await begun(mall, bakery)
        own = await Story.begin(mall)
        await bakery.simulator.script(others.charge_permission_id, ["HardDeclined"])

        for story in (theirs, others, own):
            await story.until_due(0)

        assert await charged_at(tea, theirs) == ["9.99"]
        assert await charged_at(bakery, others) == []
        assert len(await own.charges()) == 1
        await bakery.simulator.mend_payment_method(others.charge_permission_id, await others.now())
        assert (await others.quiet()).periods_paid == 1, "the bakery's notification was taken and has woken it"
        found = await find(mall.ledger, Search(merchant_accounts=["bakery", "tea-house"]))
        assert {each.merchant_account for each in found} == {"tea-house", "bakery"}


async def test_what_buyers_read_is_the_accounts_word_where_the_plan_has_none(mall: Stage) -> None:
    async with shop(mall, "florist", soft_descriptor="Fiori") as florist:
        silent = await begun(mall, florist)
        texts = Texts(soft_descriptor="Roses")
        like = terms_of_nobody()
        spoken = await begun(
            mall, florist, like.model_copy(update={"plan": MONTHLY.model_copy(update={"texts": texts})})
        )

        for story in (silent, spoken):
            await story.until_due(0)

        shown = {each.charge_permission_id: each.soft_descriptor for each in (await florist.simulator.books()).charges}
        assert shown == {silent.charge_permission_id: "Fiori", spoken.charge_permission_id: "Roses"}


async def test_an_account_that_nobody_knows_holds_nothing_up_and_is_charged_for_once_it_was_added(
    mall: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "LOOKED_UP_AGAIN_AFTER", timedelta(seconds=1))
    late = Shop("late", await known_at_amazon(mall, "late"), SimulatorHandle(mall.simulator.origin, "A2LATE"))
    async with late.simulator, AsyncExitStack() as stack:
        story = await begun(mall, late, unchecked=True)
        skipping = asyncio.create_task(story.until_due(0))
        why = await _failure_of(mall, story)
        assert "account late: it is not known here" in why
        assert "perennial accounts add" in why
        other = await Story.begin(mall)
        assert (await other.until_due(0)).periods_paid == 1, "others are charged meanwhile"

        await stack.enter_async_context(shop(mall, "late"))

        assert (await skipping).periods_paid == 1
        assert await charged_at(late, story) == ["9.99"]


async def _failure_of(mall: Stage, story: Story) -> str:
    """What the call that is under way said when it failed last."""
    async with asyncio.timeout(100):
        while True:
            raw = (await story.handle.describe()).raw_description
            for each in raw.pending_activities:
                if each.HasField("last_failure"):
                    return each.last_failure.message
            await asyncio.sleep(0.1)


async def test_quotas_that_amazon_has_raised_or_lowered_are_weights_in_the_server_and_go_with_the_account(
    mall: Stage,
) -> None:
    async with shop(mall, "giant", quotas={"CreateCharge": 20.0}), shop(mall, "dwarf", quotas={"CreateCharge": 1.0}):
        assert await Quotas(mall.client, mall.settings, Accounts(mall.settings, mall.ledger)).keep()
        weights = await weights_of(mall, Call.CREATE_CHARGE)
        assert {name: weights[name] for name in ("giant", "dwarf")} == {"giant": 5.0, "dwarf": 0.25}
        assert "giant" not in await weights_of(mall, Call.GET_CHARGE)

        assert await remove_account(mall.ledger, "giant")
        assert await Quotas(mall.client, mall.settings, Accounts(mall.settings, mall.ledger)).keep()
        assert "giant" not in await weights_of(mall, Call.CREATE_CHARGE)


async def weights_of(mall: Stage, call: Call) -> dict[str, float]:
    """What the server multiplies the limit of a queue's keys by."""
    request = DescribeTaskQueueRequest(
        namespace=mall.client.namespace,
        task_queue=TaskQueue(name=call_queue(mall.settings.task_queue, call)),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_config=True,
    )
    return dict((await mall.client.workflow_service.describe_task_queue(request)).config.fairness_weight_overrides)


async def test_on_a_payday_of_all_each_account_has_its_own_pace_and_nobody_waits_for_the_largest(mall: Stage) -> None:
    payday = terms_of_nobody(timedelta(seconds=8))
    async with AsyncExitStack() as stack:
        large = await stack.enter_async_context(shop(mall, "large"))
        small = [await stack.enter_async_context(shop(mall, f"small-{number}")) for number in range(6)]
        for each, buyers in ((large, 30), *((one, 5) for one in small)):
            await asyncio.gather(*(begun(mall, each, payday, unchecked=True) for _ in range(buyers)))

        calls = await _all_charged(mall, {large.merchant_id: 30, **{each.merchant_id: 5 for each in small}})

    assert Counter(call.status for call in calls) == {201: 60}, "nobody was told that these are too many"
    order = [call.merchant_id for call in calls]
    last_of_a_small_one = max(len(order) - 1 - order[::-1].index(each.merchant_id) for each in small)
    before = order[: last_of_a_small_one + 1].count(large.merchant_id)
    assert before < 20, "while the small ones were charged for, the large one had about as many calls as each of them"


async def _all_charged(mall: Stage, wanted: dict[str, int]) -> list[RecordedRequest]:
    """Every Create Charge of these merchants, in the order in which Amazon got them."""
    async with asyncio.timeout(90):
        while True:
            page = await mall.simulator.journal(JournalQuery(operation=Call.CREATE_CHARGE.value, limit=1_000))
            requests = [each for each in page.entries if isinstance(each, RecordedRequest)]
            calls = [each for each in requests if each.merchant_id in wanted]
            if Counter(call.merchant_id for call in calls if call.status == 201) == wanted:
                return calls
            await asyncio.sleep(0.3)


async def test_the_timeline_of_a_subscription_names_its_account(mall: Stage) -> None:
    async with shop(mall, "archive") as archive:
        story = await begun(mall, archive)
        await story.until_due(0)

        entries = await timeline(mall.ledger, story.charge_permission_id)
        assert {each.merchant_account for each in entries} == {"archive"}
        assert entries[-1].notice.type is NoticeType.PERIOD_PAID


async def test_another_plan_needs_the_buyers_consent_where_the_accounts_region_wants_it(mall: Stage) -> None:
    async with shop(mall, "corso", region=Region.EU) as corso, shop(mall, "broadway") as broadway:
        known = Accounts(mall.settings, mall.ledger)

        async def needs_consent(account: str) -> bool:
            return await known.region_of(account) is Region.EU

        asking = Subscriptions(mall.client, mall.settings.task_queue, needs_consent=needs_consent)
        plan = MONTHLY.model_copy(update={"plan_id": "monthly-plus"})
        european, american = await begun(mall, corso), await begun(mall, broadway)

        with pytest.raises(RequestRefusedError, match="in the EU and the UK Amazon wants the buyer to agree"):
            await asking.change(european.charge_permission_id, ChangePlan(plan=plan))
        assert (await asking.change(american.charge_permission_id, ChangePlan(plan=plan))).effective_at is not None
        await known.aclose()
