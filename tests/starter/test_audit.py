"""`perennial audit` over a whole house of its own: all is well, and then somebody charges a buyer behind its back."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from sqlalchemy import ColumnElement, delete, update

from amazon_pay_client.models import ChargeState, CreateChargeRequest, Price
from amazon_pay_simulator.control import JournalQuery
from amazon_pay_simulator.faults import Fault, FaultPlan
from perennial_billing.activities.signatures import AmazonPayActivities, ReadPermission
from perennial_billing.billing.keys import idempotency_key
from perennial_billing.ledger.audits import Selection, begin, note
from perennial_billing.ledger.tables import audits, subscriptions
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.audit.amazon import Amazon, Directly, NotKnownError, ThroughWorkers
from perennial_billing.starter.audit.auditor import Audited, Auditor
from perennial_billing.starter.cli.audit import how_far
from perennial_billing.starter.client import Subscriptions
from perennial_billing.worker.wiring import amazon_pay_client
from perennial_billing.workflows.names import Call, call_queue
from tests.scenarios.story import Story
from tests.starter.command_line import Said, dead_port, joined_to, typed
from tests.worker.processes import finished, perennial

RATES = {Call.GET_CHARGE_PERMISSION: 1000.0, Call.GET_CHARGE: 1000.0}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small_house() -> AsyncIterator[Stage]:
    async with stage() as house:
        yield house


async def audit(house: Stage, *options: str, **environment: str) -> Said:
    here = joined_to(house) | house.worker_environment() | environment
    return await typed("audit", *options, **here)


async def charge_behind_its_back(house: Stage, story: Story) -> str:
    """Somebody charges the buyer under a key of the first period."""
    async with amazon_pay_client(house.settings) as amazon:
        made = await amazon.charges.create(
            CreateChargeRequest(
                charge_permission_id=story.charge_permission_id,
                charge_amount=Price.model_validate({"amount": "9.99", "currency_code": "USD"}),
                capture_now=True,
            ),
            idempotency_key=idempotency_key(story.charge_permission_id, 0, 2),
        )
    return made.charge_id


async def test_an_audit_finds_nothing_until_somebody_charges_a_buyer_twice() -> None:
    async with stage() as house:
        healthy, ended = [await Story.begin(house, first_charge_in=timedelta(0)) for _ in range(2)]
        for story in (healthy, ended):
            await story.quiet()
        await ended.cancel()
        books = ("--simulator", house.simulator.origin)

        before = await audit(house, *books, "--json")
        await charge_behind_its_back(house, healthy)
        after = await audit(house, *books, "--json")
        for_people = await audit(house, *books)

    assert (before.code, before.data) == (0, {"audited": 2, "findings": [], "not_audited": []})
    assert after.code == 1
    assert after.err.strip() == "error: 1 of 2 subscriptions break a promise"
    assert {found["charge_permission_id"] for found in after.data["findings"]} == {healthy.charge_permission_id}
    assert {found["rule"]: found["finding"] for found in after.data["findings"]}["charged-twice"] == (
        "period 0 was charged 2 times"
    )
    assert f"{healthy.charge_permission_id} │ period 0 was charged 2 times" in for_people.out


@pytest.mark.parametrize(
    "options", [(), pytest.param(("--directly",), marks=pytest.mark.long)], ids=["through workers", "directly"]
)
async def test_amazon_is_asked_once_for_each_permission_and_tells_of_a_charge_that_nobody_knows(
    options: tuple[str, ...],
) -> None:
    async with stage() as house:
        stories = [await Story.begin(house, first_charge_in=timedelta(0)) for _ in range(3)]
        for story in stories:
            await story.quiet()
        seen = (await house.simulator.journal()).last
        healthy = await audit(house, *options, "--share", "1", "--json")
        asked = [
            entry.operation
            for entry in (await house.simulator.journal()).entries
            if entry.number > seen and entry.kind == "request"
        ]
        await charge_behind_its_back(house, stories[1])
        found = await audit(house, *options, "--share", "1", "--json")
        deep = await audit(house, *options, "--share", "1", "--deep", "--json")

    assert (healthy.code, healthy.data["audited"], healthy.data["not_audited"]) == (0, 3, [])
    assert asked == ["GetChargePermission"] * 3
    [only] = found.data["findings"]
    assert (only["charge_permission_id"], only["rule"]) == (stories[1].charge_permission_id, "more-charged-than-known")
    assert [each["rule"] for each in deep.data["findings"]] == ["more-charged-than-known"]


async def test_a_simulator_that_cannot_be_reached_is_named(small_house: Stage) -> None:
    with dead_port() as port:
        said = await audit(small_house, "--simulator", f"http://127.0.0.1:{port}")

    assert said.code == 1
    assert f"http://127.0.0.1:{port}" in said.trouble


async def test_nothing_that_amazon_does_not_answer_is_a_finding_and_it_ends_with_3() -> None:
    async with stage() as house:
        stories = [await Story.begin(house, first_charge_in=timedelta(0)) for _ in range(2)]
        for story in stories:
            await story.quiet()
        await house.simulator.set_faults(FaultPlan(requests={Fault.THROTTLED: 1.0}))
        options = ("--directly", "--share", "1", "--patience", "0.1")

        for_people = await audit(house, *options)
        said = await audit(house, *options, "--json")
        await house.simulator.set_faults(FaultPlan())
        again = await audit(house, "--changed", "--json")
        nothing_left = await audit(house, "--changed", "--json")

    assert for_people.code == said.code == 3
    assert for_people.out == "2 subscriptions audited; nothing was found\n"
    assert "mind: 2 of 2 could not be audited, or not in full: Amazon does not answer: " in for_people.err
    assert "error: not audited in full: 2" in for_people.err
    assert said.data["findings"] == []
    assert {each["charge_permission_id"] for each in said.data["not_audited"]} == {
        story.charge_permission_id for story in stories
    }
    assert (again.code, again.data["audited"]) == (0, 2)
    assert (nothing_left.code, nothing_left.data["audited"]) == (0, 0)


async def asked_in_vain(amazon: Amazon) -> str:
    with pytest.raises(NotKnownError) as told:
        await amazon.permission("C01-0000000-0000000")
    return str(told.value)


async def test_what_amazon_does_not_show_is_told_with_its_reason_both_ways(small_house: Stage) -> None:
    settings = small_house.settings
    async with amazon_pay_client(settings) as client:
        for amazon in (ThroughWorkers(small_house.client, settings.task_queue, RATES), Directly(client, RATES)):
            said = await asked_in_vain(amazon)
            assert said == "Amazon does not show the charge permission: ResourceNotFound"
            answer = await amazon.charge("S01-0000000-0000000-C000000")
            assert (answer.outcome.value, answer.reason_code) == ("refused", "ResourceNotFound")


async def test_where_nobody_takes_the_questions_that_is_said_in_good_time(small_house: Stage) -> None:
    nobody = ThroughWorkers(small_house.client, "a-queue-of-nobody", RATES, patience=timedelta(seconds=1))

    said = await asked_in_vain(nobody)

    assert said.startswith("GetChargePermission: no worker has taken the question")


@pytest.mark.long
async def test_what_a_subscription_asks_goes_before_all_that_an_audit_has_asked_already() -> None:
    async with stage(calls_per_second=4.0) as house:
        permission = (await house.simulator.open_permission()).charge_permission_id
        queue = call_queue(house.settings.task_queue, Call.GET_CHARGE_PERMISSION)
        audits_way = ThroughWorkers(house.client, house.settings.task_queue, RATES, share=1.0)
        answered = 0

        async def audits_question() -> None:
            nonlocal answered
            await audits_way.permission(permission)
            answered += 1

        async def subscriptions_question(name: str) -> None:
            await house.client.execute_activity(
                AmazonPayActivities.read_permission.__name__,
                ReadPermission(charge_permission_id=permission),
                id=name,
                task_queue=queue,
                start_to_close_timeout=timedelta(seconds=60),
            )

        questions = [asyncio.create_task(audits_question()) for _ in range(40)]
        while not answered:
            await asyncio.sleep(0.01)
        await asyncio.gather(*(subscriptions_question(name) for name in ("first", "second", "third")))
        before = answered
        await asyncio.gather(*questions)

    assert before < 30, f"{before} of 40 questions of the audit were answered first"


async def test_both_ways_amazon_says_the_same_of_a_charge_and_of_its_permission(small_house: Stage) -> None:
    story = await Story.begin(small_house, first_charge_in=timedelta(0))
    await story.quiet()
    [charge] = await story.charges()
    settings = small_house.settings
    async with amazon_pay_client(settings) as client:
        ways = (ThroughWorkers(small_house.client, settings.task_queue, RATES), Directly(client, RATES))
        first, second = [
            (await way.permission(story.charge_permission_id), await way.charge(charge.charge_id)) for way in ways
        ]

    assert first == second
    permission, answer = first
    assert (str(permission.monthly_limit), str(permission.monthly_balance)) == ("1000.00 USD", "990.01 USD")
    assert (answer.charge_id, str(answer.captured), answer.refunded) == (charge.charge_id, "9.99 USD", None)


async def test_an_audit_that_was_broken_off_goes_on_where_it_stopped() -> None:
    async with stage() as house:
        stories = [await Story.begin(house, first_charge_in=timedelta(0)) for _ in range(3)]
        for story in stories:
            await story.quiet()
        wrong = update(subscriptions).values(charged_minor=5)
        async with house.ledger.engine.begin() as connection:
            await connection.execute(wrong)
        run = await begin(house.ledger, Selection())
        walk = Auditor(house.ledger).audit(run)
        first = await anext(walk)
        await walk.aclose()
        async with house.ledger.engine.begin() as connection:  # of two nobody has heard yet
            others = audits.c.charge_permission_id != first.charge_permission_id
            await connection.execute(delete(audits).where(others))
            await connection.execute(update(subscriptions).where(row_of(first)).values(charged_minor=999))

        went_on = await audit(house, "--ledger-only", "--resume", "--json")
        nothing = await audit(house, "--ledger-only", "--resume")

    assert went_on.code == 1
    assert went_on.data["audited"] == 3
    assert {each["charge_permission_id"] for each in went_on.data["findings"]} == {
        story.charge_permission_id for story in stories
    }, "what was found before it was broken off is told as well, and not looked at again"
    assert (nothing.code, nothing.trouble) == (1, "error: --resume: no audit was broken off; begin one without it")


@pytest.mark.long
async def test_an_interrupt_leaves_an_audit_that_can_be_gone_on_with() -> None:
    async with stage(calls_per_second=4.0) as house:
        stories = [await Story.begin(house, first_charge_in=timedelta(0)) for _ in range(3)]
        for story in stories:
            await story.quiet()
        environment = joined_to(house) | house.worker_environment()
        before = await reads(house)
        async with perennial("audit", "--share", "0.02", environment=environment) as process:
            async with asyncio.timeout(60):
                while await reads(house) == before:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(4)  # the answer is there by now, and the next question is asked 12 seconds after it
            process.send_signal(signal.SIGINT)
            code, _, err = await finished(process)
        went_on = await audit(house, "--resume", "--share", "1", "--json")

        assert (code, "Traceback" in err) == (130, False)
        assert (went_on.code, went_on.data["audited"]) == (0, 3)
        assert await reads(house) == before + 3, "what was looked at is not looked at again"


async def reads(house: Stage) -> int:
    """How often a charge permission was read."""
    page = await house.simulator.journal(JournalQuery(operation=Call.GET_CHARGE_PERMISSION.value))
    return len(page.entries)


def row_of(audited: Audited) -> ColumnElement[bool]:
    return subscriptions.c.charge_permission_id == audited.charge_permission_id


async def test_a_new_audit_says_that_the_one_before_was_broken_off(small_house: Stage) -> None:
    for _ in range(2):
        await (await Story.begin(small_house, first_charge_in=timedelta(0))).quiet()
    run = await begin(small_house.ledger, Selection(running=True))
    walk = Auditor(small_house.ledger).audit(run)
    await anext(walk)
    await walk.aclose()

    said = await audit(small_house, "--ledger-only")
    again = await audit(small_house, "--ledger-only")

    assert "was broken off after" in said.err
    assert "--resume goes on with it" in said.err
    assert (again.code, again.err) == (0, "")


async def test_a_sample_is_drawn_at_random_and_the_same_seed_draws_the_same(small_house: Stage) -> None:
    house = small_house
    for _ in range(6):
        await (await Story.begin(house, first_charge_in=timedelta(0))).quiet()

    async def drawn(seed: int) -> set[str]:
        run = await begin(house.ledger, Selection(sample=3, seed=seed))
        auditor = Auditor(house.ledger)
        return {each.charge_permission_id async for each in auditor.audit(run)}

    draws = [await drawn(seed) for seed in (1, 1, 2, 3, 4, 5)]

    assert draws[0] == draws[1]
    assert all(len(each) == 3 for each in draws)
    assert len(set(map(frozenset, draws))) > 1


async def test_without_workers_what_only_subscriptions_know_is_said_to_be_unknown() -> None:
    async with stage(with_worker=False) as house:
        story = await Story.begin(house)
        async with asyncio.timeout(60):
            while not [line async for line in house.subscriptions.list()]:
                await asyncio.sleep(0.05)  # the visibility store lags behind
        said = await audit(house, "--json")

    assert said.code == 3
    assert "mind: no worker runs, so Amazon is asked from here" in said.err
    assert said.data["findings"] == []
    why = "no worker runs by which the subscription could say how it stands"
    assert said.data["not_audited"] == [{"charge_permission_id": story.charge_permission_id, "why": why}]


@pytest.mark.long  # in the suite: the same of Amazon
async def test_a_subscription_that_does_not_answer_leaves_no_other_out() -> None:
    """Its workflow waits on a queue that no worker asks."""
    async with stage() as house:
        story = await Story.begin(house, first_charge_in=timedelta(0))
        await story.quiet()
        silent = story.terms.but(charge_permission_id=(await house.simulator.open_permission()).charge_permission_id)
        await Subscriptions(house.client, "a-queue-of-nobody").start(silent, backdated=True, unchecked=True)
        async with asyncio.timeout(60):
            while len([line async for line in house.subscriptions.list()]) < 2:
                await asyncio.sleep(0.05)  # the visibility store lags behind
        said = await audit(house, "--json")

    assert (said.code, said.data["audited"], said.data["findings"]) == (3, 2, [])
    [unknown] = said.data["not_audited"]
    assert unknown["charge_permission_id"] == silent.charge_permission_id
    assert unknown["why"] == "no worker answers; start one with `perennial worker`"


async def test_what_was_found_is_found_again_until_it_is_right(small_house: Stage) -> None:
    """The charge is older than all that was told since, and the month's balance says nothing of it."""
    house = small_house
    story = await Story.begin(house, first_charge_in=timedelta(0))
    await story.quiet()
    for period in range(1, 4):
        await story.until_due(period)
    first = (await story.charges())[0]

    async def now(_charge_permission_id: str) -> datetime:
        return await story.now()

    async with amazon_pay_client(house.settings) as client:
        auditor = Auditor(house.ledger, amazon=Directly(client, RATES), time_of=now, deep=True)
        again = Auditor(house.ledger, amazon=Directly(client, RATES), time_of=now)

        async def audited(by: Auditor) -> Audited:
            run = await begin(house.ledger, Selection())
            one = await by.one(story.charge_permission_id)
            await note(house.ledger, run, [one.result])
            return one

        right = await audited(again)
        await house.simulator.falsify_charge(first.charge_id, state=ChargeState.CANCELED)
        unseen = await audited(again)
        wrong = await audited(auditor)
        await house.simulator.falsify_charge(first.charge_id, state=ChargeState.CAPTURED)
        right_again = await audited(again)
    by_ledger = await Auditor(house.ledger).one(story.charge_permission_id)

    assert (right.findings, right.entries, right.last_entry > 0) == ((), 5, True)
    assert unseen.findings == (), "nothing was told since, so only a deep audit reads it"
    assert [finding.rule for finding in wrong.findings] == ["not-captured"]
    assert (wrong.entries, wrong.last_entry) == (right.entries, right.last_entry), "as it was when it was right"
    assert (right_again.findings, right_again.entries) == ((), 5)
    assert by_ledger.entries == 5, "the ledger alone does not say that it is right at Amazon"


async def test_what_was_found_of_a_new_charge_is_found_again_by_the_next_audit(small_house: Stage) -> None:
    house = small_house
    story = await Story.begin(house, first_charge_in=timedelta(0))
    await story.quiet()
    [charge] = await story.charges()
    await house.simulator.falsify_charge(charge.charge_id, captured=Decimal("9.00"))

    for _ in range(2):
        said = await audit(house, "--running", "--json")
        found = [
            each["rule"] for each in said.data["findings"] if each["charge_permission_id"] == story.charge_permission_id
        ]
        assert found == ["other-amount"]


async def test_what_nobody_foresaw_of_one_subscription_leaves_no_other_out(small_house: Stage) -> None:
    stories = [await Story.begin(small_house, first_charge_in=timedelta(0)) for _ in range(2)]
    for story in stories:
        await story.quiet()

    async def time_of(charge_permission_id: str) -> datetime:
        if charge_permission_id == stories[0].charge_permission_id:
            raise ZeroDivisionError
        return datetime.now(UTC)

    auditor = Auditor(small_house.ledger, time_of=time_of)
    run = await begin(small_house.ledger, Selection(running=True))
    trouble = {each.charge_permission_id: each.trouble async for each in auditor.audit(run)}

    assert trouble[stories[0].charge_permission_id] == "it could not be looked at: ZeroDivisionError"
    assert trouble[stories[1].charge_permission_id] is None


def test_how_far_an_audit_is_and_how_long_it_takes() -> None:
    assert how_far(25_000, 100_000, 20_000, 1_200.0) == "25,000 of 100,000 audited; about 1:15:00 left"
    assert how_far(5_000, 100_000, 0, 60.0) == "5,000 of 100,000 audited"


@pytest.mark.long
async def test_where_no_simulator_is_installed_whoever_needs_it_is_told_what_to_install(house: Stage) -> None:
    """As in the worker's image, where the rest of the command works."""
    without = "import sys; sys.modules['amazon_pay_simulator'] = None; "
    start = without + "from perennial_billing.starter.cli import main; main()"
    for command in (["audit", "--simulator", house.simulator.origin], ["demo"]):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", start, *command),
            env={**os.environ, **joined_to(house), "PERENNIAL_DATA_FOLDER": str(house.settings.data_folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()

        assert (process.returncode, out) == (2, b"")
        assert err.decode() == (
            "error: this needs the Amazon Pay simulator, which is not installed; install perennial-billing[demo]\n"
        )
