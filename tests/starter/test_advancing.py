"""The test clock, from another process than the server's: subscriptions go through virtual time, and all is seen."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client

from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.status import Status
from perennial_billing.runtime import embedded
from perennial_billing.runtime.embedded import embedded_server
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.runtime.settings import Environment
from perennial_billing.sandbox.comparison import compare
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter import clock as module
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.clock import By, SubscriptionClock
from perennial_billing.starter.errors import (
    NoTestClockError,
    NotSettledError,
    NoWorkerError,
    RequestRefusedError,
    SubscriptionEndedError,
    SubscriptionNotFoundError,
)
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES
from tests.scenarios.story import Story
from tests.starter.agreements import PLAN, new_terms
from tests.starter.command_line import joined_to, typed
from tests.starter.test_listing import listed

NOBODY = "C01-0000000-0000000"


def clock_of(house: Stage) -> SubscriptionClock:
    return SubscriptionClock(house.client, house.subscriptions, Environment.SANDBOX)


def with_ledger(house: Stage) -> dict[str, str]:
    """The environment of a command that reads the ledger of the house's workers."""
    return joined_to(house) | {"PERENNIAL_DATA_FOLDER": str(house.settings.data_folder)}


# How long


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("month", "UTC", "2026-02-28T09:00:00+00:00"),
        ("3 months", "UTC", "2026-04-30T09:00:00+00:00"),
        ("1 year", "UTC", "2027-01-31T09:00:00+00:00"),
        ("2 weeks", "UTC", "2026-02-14T09:00:00+00:00"),
        ("90 days", "Europe/Berlin", "2026-05-01T08:00:00+00:00"),
        ("36 hours", "Europe/Berlin", "2026-02-01T21:00:00+00:00"),
        ("5 minutes", "UTC", "2026-01-31T09:05:00+00:00"),
    ],
)
def test_a_duration_is_counted_as_a_calendar_has_it_at_the_same_wall_time(text: str, zone: str, expected: str) -> None:
    assert By.parse(text).after(datetime(2026, 1, 31, 9, tzinfo=UTC), zone).isoformat() == expected


@pytest.mark.parametrize("text", ["", "soon", "0 days", "-1 day", "1.5 hours", "2 moons", "1000000 days", "P1M"])
def test_what_is_no_duration_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(Refused, match="so many minutes, hours, days, weeks, months or years are, such as 'month'"):
        By.parse(text)


def test_no_calendar_reaches_beyond_its_last_year() -> None:
    with pytest.raises(Refused, match="instants up to the year 2199 are"):
        By.parse("9000 years").after(datetime(2026, 1, 31, 9, tzinfo=UTC), "UTC")


# The way there


async def test_it_goes_from_date_to_date_and_each_charge_falls_on_its_own(house: Stage) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms)
    clock = clock_of(house)
    steps = [step async for step in clock.advance(terms.charge_permission_id, to=terms.schedule.due(3))]

    assert [step.view.next_period for step in steps] == [0, 1, 2, 3, 4], "the last goes just past the instant"
    for step, period in zip(steps[1:], range(4), strict=True):
        assert timedelta(0) < step.at - terms.schedule.due(period) < timedelta(minutes=2)
    books = await house.simulator.books()
    charged = [each for each in books.charges if each.charge_permission_id == terms.charge_permission_id]
    for charge, period in zip(charged, range(4), strict=True):
        assert charge.creation_timestamp is not None
        assert timedelta(0) <= charge.creation_timestamp - terms.schedule.due(period) < timedelta(minutes=2)
    compared = compare("the buyer", steps[-1].view, books, steps[-1].at)
    assert (compared.periods_due, compared.periods_paid, compared.differences) == (4, 4, ())


async def test_by_a_duration_it_goes_on_from_where_it_is_and_no_other_is_moved(house: Stage) -> None:
    moved, other = await Story.begin(house), await Story.begin(house)
    clock = clock_of(house)

    for _ in range(2):
        async for _step in clock.advance(moved.charge_permission_id, by=By.parse("40 days")):
            pass

    assert len((await moved.status()).ledger) == 3
    assert (
        timedelta(0)
        <= await clock.now(moved.charge_permission_id) - datetime.now(UTC) - 80 * timedelta(days=1)
        < timedelta(minutes=10)
    )
    assert abs(await clock.now(other.charge_permission_id) - datetime.now(UTC)) < timedelta(minutes=1)
    assert (await other.status()).ledger == ()


async def test_a_buyer_who_mends_the_payment_method_after_time_was_moved_is_noticed(house: Stage) -> None:
    """As somebody does by hand: the control API is asked without a time, by a clock that is two months behind."""
    story = await Story.begin(house)
    await house.simulator.script(story.charge_permission_id, [None, "HardDeclined"])
    async for _step in clock_of(house).advance(story.charge_permission_id, by=By.parse("40 days")):
        pass
    assert (await story.status()).status is Status.AWAITING_PAYMENT_METHOD

    await house.simulator.mend_payment_method(story.charge_permission_id)
    async for _step in clock_of(house).advance(story.charge_permission_id, by=By.parse("hour")):
        pass

    assert (await story.status()).status is Status.ACTIVE
    assert len((await story.status()).ledger) == 2


async def test_it_stops_where_the_subscription_ends(house: Stage) -> None:
    story = await Story.begin(house, Plan.of("twice", Money.parse("3.00 USD"), PLAN.regular.interval, 2))
    clock = clock_of(house)

    steps = [step async for step in clock.advance(story.charge_permission_id, by=By.parse("5 years"))]

    assert (steps[-1].view.has_ended, len(steps[-1].view.ledger)) == (True, 2)
    with pytest.raises(SubscriptionEndedError):
        await anext(clock.advance(story.charge_permission_id, by=By.parse("day")))


@pytest.mark.parametrize(
    ("to", "by", "why"),
    [
        (None, None, "one of `to` and `by` must be given"),
        (datetime(2099, 1, 1, tzinfo=UTC), By(1, "day"), "one of `to` and `by` must be given"),
        (datetime(2020, 1, 1, tzinfo=UTC), None, "goes forward only: a later instant is"),
        (datetime(2099, 1, 1), None, "an instant with its offset is"),  # noqa: DTZ001
        (datetime(2200, 1, 1, tzinfo=UTC), None, "instants up to the year 2199 are"),
    ],
)
async def test_where_it_cannot_go_is_refused_and_nothing_is_moved(
    house: Stage, to: datetime | None, by: By | None, why: str
) -> None:
    story = await Story.begin(house)

    with pytest.raises(RequestRefusedError) as refused:
        await anext(clock_of(house).advance(story.charge_permission_id, to=to, by=by))

    assert why in str(refused.value)
    assert abs(await story.now() - datetime.now(UTC)) < timedelta(minutes=1)


async def test_two_that_move_one_at_once_are_told_and_nothing_is_charged_twice(house: Stage) -> None:
    story = await Story.begin(house)

    async def move() -> None:
        async for _ in clock_of(house).advance(story.charge_permission_id, by=By.parse("100 days")):
            pass

    came = await asyncio.gather(move(), move(), return_exceptions=True)

    for each in came:
        assert each is None or (isinstance(each, RequestRefusedError) and "another command is moving it" in str(each))
    status = await story.quiet()
    assert len(await story.charges()) == len([each for each in status.ledger if each.outcome is PeriodOutcome.PAID])


async def test_who_is_not_there_is_said_not_to_be(house: Stage) -> None:
    terms = await new_terms(house)

    with pytest.raises(SubscriptionNotFoundError):
        await anext(clock_of(house).advance(NOBODY, by=By.parse("day")))
    alone = Subscriptions(house.client, "where-no-worker-listens")
    await alone.start(terms, unchecked=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SETTLES_WITHIN_SECONDS", 0.5)
        with pytest.raises(NoWorkerError):
            await anext(clock_of(house).advance(terms.charge_permission_id, by=By.parse("day")))
    await house.client.get_workflow_handle(f"subscription-{terms.charge_permission_id}").terminate()


async def test_what_does_not_end_at_a_date_is_told_and_time_stands_still(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workflow has a worker; its calls to Amazon have none."""
    monkeypatch.setattr(module, "SETTLES_WITHIN_SECONDS", 1.5)
    terms = await new_terms(house)
    settings = house.settings.model_copy(
        update={"task_queue": "without-amazon", "webhook_url": None, "webhook_secret": None}
    )
    subscriptions = Subscriptions(house.client, settings.task_queue)
    await subscriptions.start(terms, unchecked=True)
    clock = SubscriptionClock(house.client, subscriptions, Environment.SANDBOX)
    async with (
        amazon_pay_client(settings) as amazon_pay,
        billing_workers(house.client, amazon_pay, house.ledger, settings) as workers,
        workers.each[0],
    ):
        with pytest.raises(NotSettledError, match=r"charge .* is under way for 2 s, and no time is skipped meanwhile"):
            async for _ in clock.advance(terms.charge_permission_id, by=By.parse("90 days")):
                pass

        assert await clock.now(terms.charge_permission_id) - terms.anchor < timedelta(minutes=5)
    await house.client.get_workflow_handle(f"subscription-{terms.charge_permission_id}").terminate()


def test_with_real_money_no_time_is_ever_skipped(house: Stage) -> None:
    with pytest.raises(NoTestClockError, match="PERENNIAL_ENVIRONMENT: live is not accepted"):
        SubscriptionClock(house.client, house.subscriptions, Environment.LIVE)


async def test_a_server_that_cannot_skip_time_is_said_to_be_one(house: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "VIRTUAL_TIME", {})
    terms: Terms = await new_terms(house)
    settings = house.settings.model_copy(update={"webhook_url": None, "webhook_secret": None})
    async with (
        embedded_server(SEARCH_ATTRIBUTES) as server,
        amazon_pay_client(settings) as amazon_pay,
    ):
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER)
        subscriptions = Subscriptions(client, settings.task_queue)
        await subscriptions.start(terms, unchecked=True)
        async with (
            billing_workers(client, amazon_pay, house.ledger, settings) as workers,
            workers.running(),
        ):
            clock = SubscriptionClock(client, subscriptions, Environment.SANDBOX)
            with pytest.raises(NoTestClockError, match=r"this Temporal server cannot skip time \(UNIMPLEMENTED\)"):
                async for _ in clock.advance(terms.charge_permission_id, by=By.parse("month")):
                    pass


# The command line


async def test_a_command_moves_one_and_shows_what_it_tells_on_the_way(house: Stage) -> None:
    story = await Story.begin(house, script=[None, "SoftDeclined"])
    identifier = story.charge_permission_id

    first = await typed("advance", identifier, "--by", "2 hours", "--json", **with_ledger(house))
    then = await typed("advance", identifier, "--to", story.terms.schedule.due(1).isoformat(), **with_ledger(house))

    assert (first.code, first.err) == (0, "")
    assert [each["type"] for each in first.data["told"]] == ["period.paid"]
    assert (first.data["status"], first.data["next"]["action"]) == ("active", "charge")
    assert (then.code, then.err) == (0, "")
    lines = then.out.splitlines()
    assert "charge.declined period 1 9.99 USD" in lines[0]
    assert "SoftDeclined" in lines[0]
    assert f"{story.terms.schedule.due(1):%Y-%m-%d}" in lines[-2]
    assert "retrying" in lines[-1]


async def test_a_group_is_moved_each_by_its_own_clock(house: Stage, tmp_path: Path) -> None:
    reference = f"group/{uuid4().hex[:12]}"
    both = [(await new_terms(house)).but(merchant_reference=reference) for _ in range(2)]
    for terms in both:
        await house.subscriptions.start(terms)
        await listed(house, terms.charge_permission_id, until=bool)
    report = tmp_path / "moved.csv"
    options = ["--reference", reference, "--by", "2 days", "--report", str(report)]

    said = await typed("advance", *options, **with_ledger(house))

    assert said.code == 0, said.err
    assert "2 moved" in said.out
    for terms in both:
        assert f"{terms.charge_permission_id}  period.paid period 0 9.99 USD" in said.out
        assert terms.charge_permission_id in report.read_text()
        assert len((await house.subscriptions.status(terms.charge_permission_id)).ledger) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([NOBODY], "--to or --by: one of them must be given"),
        ([NOBODY, "--by", "day", "--to", "2099-01-01T00:00:00Z"], "--to or --by: one of them must be given"),
        ([NOBODY, "--by", "soon"], "--by: 'soon' is not accepted; so many minutes"),
        ([NOBODY, "--to", "later"], "--to: 'later' is not an instant such as"),
        (["--by", "day"], "CHARGE_PERMISSION_ID, or --query and --reference"),
        ([NOBODY, "--query", "Plan = 'x'", "--by", "day"], "CHARGE_PERMISSION_ID, or --query and --reference"),
        (["--reference", "o'clock", "--by", "day"], "is no reference of a subscription"),
    ],
)
async def test_what_cannot_be_meant_is_one_line(house: Stage, arguments: list[str], why: str) -> None:
    said = await typed("advance", *arguments, **with_ledger(house))

    assert said.code == 2
    assert why in said.trouble


async def test_in_live_the_command_does_not_even_connect() -> None:
    said = await typed("advance", NOBODY, "--by", "day", PERENNIAL_ENVIRONMENT="live", TEMPORAL_ADDRESS="127.0.0.1:1")

    assert said.code == 1
    assert "PERENNIAL_ENVIRONMENT: live is not accepted; the test clock is for the sandbox" in said.trouble


async def test_another_ledger_than_the_workers_is_noticed(house: Stage, tmp_path: Path) -> None:
    story = await Story.begin(house)
    environment = joined_to(house) | {"PERENNIAL_DATA_FOLDER": str(tmp_path)}

    said = await typed("advance", story.charge_permission_id, "--by", "2 hours", **environment)

    assert said.code == 0
    assert "mind: 2 notices that it told are not in this ledger" in said.err
