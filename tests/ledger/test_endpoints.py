"""Endpoints, their secrets, and what disables one; deliveries that are begun again."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from perennial_billing.ledger.deliveries import OVERDUE, Delivery, DeliveryState
from perennial_billing.ledger.endpoints import (
    DisabledFor,
    Endpoint,
    add_endpoint,
    add_secret,
    all_endpoints,
    did_not_take,
    disable,
    enable,
    know_the_environments,
    remove_endpoint,
    retire_secret,
    took,
)
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.undelivered import (
    DeliveryFound,
    DeliverySearch,
    begin_again,
    find_deliveries,
    told_of,
)
from tests.ledger.told import lenient, notice, told

TEA: Final = "C01-2702031-0000001"
WAREHOUSE: Final = "ep-00000000a1a1"
URL: Final = "https://warehouse.example/notices"
NOON: Final = datetime(2027, 6, 14, 12, 0, tzinfo=UTC)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(ledger: Ledger) -> Clock:
    """The ledger's."""
    clock = Clock()
    ledger.now = clock
    return clock


async def the_endpoint(ledger: Ledger) -> Endpoint:
    [found] = await all_endpoints(ledger)
    return found


async def deliveries_of(ledger: Ledger, **search: Any) -> list[DeliveryFound]:
    return await find_deliveries(ledger, DeliverySearch(**search))


async def told_to(ledger: Ledger, *numbers: int, state: DeliveryState = DeliveryState.QUEUED) -> list[Delivery]:
    """Notices with these numbers, on their way to the warehouse."""
    queued = [Delivery(f"notice-{TEA}-{number}-{WAREHOUSE}", TEA, number, WAREHOUSE, state) for number in numbers]
    await ledger.record(told(*(notice(number) for number in numbers)), queued)
    return queued


async def fails(ledger: Ledger, delivery: Delivery, *, for_good: bool = False, sending: int = 1) -> DisabledFor | None:
    state = DeliveryState.GIVEN_UP if for_good else DeliveryState.QUEUED
    return await did_not_take(ledger, delivery.id, sending, state, 10 if for_good else 1, "status 503", WAREHOUSE)


async def test_an_endpoint_is_kept_with_its_filter_and_its_secrets_the_newest_first(
    ledger: Ledger, clock: Clock
) -> None:
    await add_endpoint(ledger, WAREHOUSE, URL, ["period.*"], "whsec_first")
    clock.now += timedelta(days=30)
    second = await add_secret(ledger, WAREHOUSE, "whsec_second")

    found = await the_endpoint(ledger)

    assert (found.url, list(found.types), found.created_at, found.is_enabled) == (URL, ["period.*"], NOON, True)
    assert [(secret.value, secret.created_at) for secret in found.secrets] == [
        ("whsec_second", NOON + timedelta(days=30)),
        ("whsec_first", NOON),
    ]
    assert found.secrets[0].id == second
    assert "whsec_" not in repr(found)


async def test_a_retired_secret_is_gone_and_the_last_one_stays(ledger: Ledger) -> None:
    await add_endpoint(ledger, WAREHOUSE, URL, [], "whsec_first")
    first = (await the_endpoint(ledger)).secrets[0].id
    assert not await retire_secret(ledger, WAREHOUSE, first)

    await add_secret(ledger, WAREHOUSE, "whsec_second")
    both = [secret.id for secret in (await the_endpoint(ledger)).secrets]
    retired = await asyncio.gather(*(retire_secret(ledger, WAREHOUSE, each) for each in both))

    assert sorted(retired) == [False, True]
    assert len((await the_endpoint(ledger)).secrets) == 1


async def test_a_removed_endpoint_takes_its_secrets_with_it_and_what_became_of_its_deliveries_stays(
    ledger: Ledger,
) -> None:
    await add_endpoint(ledger, WAREHOUSE, URL, [], "whsec_first")
    await told_to(ledger, 1)

    assert await remove_endpoint(ledger, WAREHOUSE)
    assert not await remove_endpoint(ledger, WAREHOUSE)

    assert await all_endpoints(ledger) == []
    async with ledger.engine.connect() as connection:
        left = (await connection.exec_driver_sql("SELECT count(*) FROM endpoint_secrets")).scalar_one()
    assert left == 0
    assert [each.endpoint for each in await deliveries_of(ledger)] == [WAREHOUSE]


@pytest.mark.parametrize(
    ("types", "wanted", "unwanted"),
    [
        ([], "period.paid", None),
        (["period.*"], "period.paid", "plan.changed"),
        (["period.paid"], "period.paid", "period.free"),
        (["charge.*"], "charge.declined", "charge_permission.closed"),
        (["dispute.opened", "refund.*"], "refund.failed", "dispute.changed"),
    ],
)
def test_a_filter_is_of_types_and_of_their_beginnings(types: Sequence[str], wanted: str, unwanted: str | None) -> None:
    endpoint = Endpoint(id=WAREHOUSE, url=URL, types=types, created_at=NOON)

    assert endpoint.wants(wanted, "default")
    assert unwanted is None or not endpoint.wants(unwanted, "default")


async def test_the_environments_endpoint_stays_disabled_until_its_url_is_another(ledger: Ledger, clock: Clock) -> None:
    await know_the_environments(ledger, URL)
    await disable(ledger, "environment", DisabledFor.GONE, "status 410")

    await know_the_environments(ledger, URL)
    stands = await the_endpoint(ledger)
    assert (stands.disabled_for, stands.disabled_at, stands.trouble) == (DisabledFor.GONE, NOON, "status 410")

    await know_the_environments(ledger, "https://moved.example/notices")
    anew = await the_endpoint(ledger)
    assert (anew.url, anew.is_enabled, anew.trouble) == ("https://moved.example/notices", True, None)


async def test_an_endpoint_that_took_nothing_for_five_days_is_disabled_when_another_notice_is_given_up(
    ledger: Ledger, clock: Clock
) -> None:
    await add_endpoint(ledger, WAREHOUSE, URL, [], "whsec_first")
    first, second = await told_to(ledger, 1, 2)
    assert await fails(ledger, first) is None
    clock.now += timedelta(hours=76)
    assert await fails(ledger, first, for_good=True) is None, "that is three days"
    clock.now += timedelta(hours=44)
    assert await fails(ledger, second) is None, "it may be taken at the next attempt"

    assert await fails(ledger, second, for_good=True) is DisabledFor.FAILING
    assert await fails(ledger, second, for_good=True) is None, "it is told once"

    found = await the_endpoint(ledger)
    assert (found.disabled_for, found.disabled_at) == (DisabledFor.FAILING, NOON + timedelta(hours=120))
    assert (found.failing_since, found.trouble) == (NOON, "status 503")


async def test_an_endpoint_that_took_something_in_between_is_not_disabled(ledger: Ledger, clock: Clock) -> None:
    await add_endpoint(ledger, WAREHOUSE, URL, [], "whsec_first")
    first, second, third = await told_to(ledger, 1, 2, 3)
    await fails(ledger, first)
    clock.now += timedelta(days=4)
    await took(ledger, second.id, 1, WAREHOUSE)
    assert (await the_endpoint(ledger)).failing_since is None
    await fails(ledger, third)
    clock.now += timedelta(days=4)

    assert await fails(ledger, first, for_good=True) is None
    assert (await the_endpoint(ledger)).is_enabled


async def test_enabled_again_it_begins_anew(ledger: Ledger, clock: Clock) -> None:
    await add_endpoint(ledger, WAREHOUSE, URL, [], "whsec_first")
    (first,) = await told_to(ledger, 1)
    await fails(ledger, first)
    assert await disable(ledger, WAREHOUSE, DisabledFor.ASKED)
    assert not await disable(ledger, WAREHOUSE, DisabledFor.GONE), "who was first says why"

    assert await enable(ledger, WAREHOUSE)
    assert not await enable(ledger, "ep-nobody")

    found = await the_endpoint(ledger)
    assert (found.is_enabled, found.disabled_for, found.failing_since, found.trouble) == (True, None, None, None)


async def test_what_was_given_up_not_sent_or_never_heard_of_again_is_undelivered(ledger: Ledger, clock: Clock) -> None:
    given_up, delivered, forgotten = await told_to(ledger, 1, 2, 3)
    (not_sent,) = await told_to(ledger, 4, state=DeliveryState.NOT_SENT)
    await fails(ledger, given_up, for_good=True)
    await took(ledger, delivered.id, 1, WAREHOUSE)
    assert [each.number for each in await deliveries_of(ledger, undelivered=True)] == [1, 4]

    clock.now += OVERDUE + timedelta(minutes=1)
    (late,) = await told_to(ledger, 5)

    undelivered = await deliveries_of(ledger, undelivered=True)
    assert [each.id for each in undelivered] == [given_up.id, forgotten.id, not_sent.id]
    assert {each.type for each in undelivered} == {"period.paid"}
    assert [each.number for each in await deliveries_of(ledger, state=DeliveryState.QUEUED)] == [3, 5]
    assert [each.id for each in await deliveries_of(ledger, number=5)] == [late.id]
    assert await deliveries_of(ledger, endpoint="environment") == []


async def test_deliveries_are_paged_by_their_ids(ledger: Ledger) -> None:
    await told_to(ledger, *range(1, 8))

    first = await find_deliveries(ledger, DeliverySearch(), limit=4)
    second = await find_deliveries(ledger, DeliverySearch(), after=first[-1].id, limit=4)

    assert [each.number for each in [*first, *second]] == list(range(1, 8))


async def test_of_those_who_begin_it_again_at_once_one_does(ledger: Ledger, clock: Clock) -> None:
    (delivery,) = await told_to(ledger, 1)
    await fails(ledger, delivery, for_good=True)
    (found,) = await deliveries_of(ledger, undelivered=True)
    clock.now += timedelta(days=2)

    sendings = await asyncio.gather(*(begin_again(ledger, found) for _ in range(3)))

    assert sorted(sendings, key=str) == [2, None, None]
    (again,) = await deliveries_of(ledger)
    assert (again.state, again.attempts, again.since, again.sending) == (DeliveryState.QUEUED, 0, clock.now, 2)


async def test_what_comes_late_of_an_earlier_sending_changes_nothing_but_that_it_was_taken(ledger: Ledger) -> None:
    (delivery,) = await told_to(ledger, 1)
    (found,) = await deliveries_of(ledger)
    await begin_again(ledger, found)

    await fails(ledger, delivery, for_good=True, sending=1)
    assert [each.state for each in await deliveries_of(ledger)] == [DeliveryState.QUEUED]

    await took(ledger, delivery.id, 4, WAREHOUSE)
    await fails(ledger, delivery, sending=2)
    assert [(each.state, each.trouble) for each in await deliveries_of(ledger)] == [(DeliveryState.DELIVERED, None)]


async def test_a_notice_is_sent_again_as_it_was_told_last(ledger: Ledger) -> None:
    """After Temporal's database was set back, a number is told again with what happened then."""
    before, after = notice(2, charge_id="C01-2702031-0000001-C000001"), notice(2, charge_id="C01-1-1-C000002")
    await ledger.record(told(notice(1), before))
    await lenient(ledger).record(told(after))

    found = await told_of(ledger, TEA, 2)

    assert found is not None
    assert (found.notices, found.merchant_reference) == ((after,), f"order-{TEA}")
    assert await told_of(ledger, TEA, 3) is None


@pytest.mark.parametrize(
    ("accounts", "account", "is_told"),
    [([], "harbour", True), (["harbour"], "harbour", True), (["harbour", "station"], "kiosk", False)],
)
async def test_an_endpoint_is_told_of_its_accounts_subscriptions_alone(
    ledger: Ledger, accounts: list[str], account: str, *, is_told: bool
) -> None:
    await add_endpoint(ledger, WAREHOUSE, URL, ["period.*"], "whsec_of-a-warehouse", accounts)

    endpoint = await the_endpoint(ledger)

    assert list(endpoint.accounts) == accounts
    assert endpoint.wants("period.paid", account) is is_told
    assert not endpoint.wants("plan.changed", account)
