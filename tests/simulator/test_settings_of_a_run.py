"""What can be set while a simulator runs: time by the calendar, assumptions, faults; what a restart keeps of it, and
what a reset forgets."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.durations import CalendarDuration, read_duration
from amazon_pay_simulator.faults import Fault, FaultPlan
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.merchant import Merchant, charge_of, merchant_of, new_key
from tests.simulator.receiver import Receiver
from tests.simulator.running import running_simulator

YEAR = datetime.now(UTC).year + 1
A_WHILE = timedelta(minutes=2)
Start = Callable[..., AbstractAsyncContextManager[tuple[SimulatorHandle, Merchant]]]


@pytest.fixture
def start(tmp_path: Path, private_key: RSAPrivateKey, signer: NotificationSigner) -> Start:
    """Starts a simulator on the test's file, configured as it says."""

    @asynccontextmanager
    async def started(**configured: Any) -> AsyncIterator[tuple[SimulatorHandle, Merchant]]:
        async with (
            running_simulator(private_key, signer, database=tmp_path / "books.db", **configured) as amazon,
            merchant_of(amazon, private_key) as shop,
        ):
            yield amazon, shop

    return started


async def asked(amazon: SimulatorHandle, method: str, path: str, body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"{amazon.origin}/simulator") as http:
        return await http.request(method, path, json=body)


# Time by the calendar


@pytest.mark.parametrize(
    ("by", "begin", "end"),
    [
        ("P1M", (1, 31), (2, 28)),
        ("P1M", (2, 28), (3, 28)),
        ("P2M", (12, 15), (14, 15)),
        ("P1Y", (3, 1), (15, 1)),
        ("P1Y1M1D", (1, 31), (15, 1)),
        ("P30D", (1, 31), (3, 2)),
        ("P1MT36H", (4, 30), (5, 31)),
        ("-P1M", (3, 31), (2, 28)),
    ],
)
async def test_the_clock_moves_by_months_of_the_calendar(
    amazon: SimulatorHandle, by: str, begin: tuple[int, int], end: tuple[int, int]
) -> None:
    year = 2041  # neither it nor the next is a leap year
    await amazon.set_clock(datetime(year, *begin, 9, 30, tzinfo=UTC))

    await amazon.advance_clock(by)

    month = end[0] - 1
    expected = datetime(year + month // 12, month % 12 + 1, end[1], 9, 30, tzinfo=UTC)
    if "T36H" in by:
        expected += timedelta(hours=12)
    assert timedelta(0) <= await amazon.now() - expected < A_WHILE


@pytest.mark.parametrize(
    ("text", "months", "seconds"),
    [
        ("P1M", 1, 0),
        ("PT1M", 0, 60),
        ("P1Y2M3DT4H", 14, (3 * 24 + 4) * 3600),
        ("-P1Y", -12, 0),
        ("P2W", 0, 14 * 24 * 3600),
        ("90", 0, 90),
        (90.5, 0, 90.5),
        ("P1YT1M", 12, 60),
    ],
)
def test_a_duration_is_read_as_iso_8601_has_it(text: object, months: int, seconds: float) -> None:
    assert read_duration(text) == CalendarDuration(months, timedelta(seconds=seconds))


@pytest.mark.parametrize("by", ["a month", "P1M1Y", "P", "P1MT", None, [1]])
async def test_what_is_no_duration_is_refused_and_what_is_one_is_told(amazon: SimulatorHandle, by: object) -> None:
    answer = await asked(amazon, "POST", "/clock/advance", {"by": by})

    assert answer.status_code == 422
    assert answer.text.startswith("by: ")
    assert "P1M" in answer.text


# Assumptions


async def test_an_assumption_that_is_changed_holds_from_the_next_request_on(
    amazon: SimulatorHandle, shop: Merchant
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    await amazon.script(permission, ["SoftDeclined"] * 2)
    first, second = new_key(), new_key()

    await shop.create_charge(charge_of(permission), first)
    again, _ = await shop.create_charge(charge_of(permission), first)
    changed = await asked(amazon, "PATCH", "/assumptions", {"saves_declines": False})
    await shop.create_charge(charge_of(permission), second)
    not_saved, _ = await shop.create_charge(charge_of(permission), second)

    assert (again, not_saved) == (422, 201)
    assert Assumptions.model_validate(changed.json()) == Assumptions(saves_declines=False)


async def test_assumptions_are_read_and_put_as_a_whole_and_changed_field_by_field(amazon: SimulatorHandle) -> None:
    everything = {
        "saves_declines": False,
        "saves_server_errors": True,
        "clock_skew": "PT1M",
        "month_zone": "Asia/Tokyo",
        "permission_lives_months": 6,
        "pending_takes": "PT2M",
        "refund_takes": "PT3M",
        "late_capture_takes": "PT4M",
        "total_order_amount_always_required": True,
        "completed_sessions_stay_bare": False,
        "used_up_reason": "Used up",
        "ledger_currency": "JPY",
        "report_takes": "PT1M",
        "settlement_period": "P7D",
        "settlement_fee_percent": "1.5",
        "settlement_fee_fixed": "0.25",
        "settlement_fee_returned": False,
        "settlement_separator": "tab",
    }
    assert set(everything) == set(Assumptions.model_fields)

    put = (await asked(amazon, "PUT", "/assumptions", everything)).json()
    changed = (await asked(amazon, "PATCH", "/assumptions", {"refund_takes": 5})).json()
    read = (await asked(amazon, "GET", "/assumptions")).json()
    anew = (await asked(amazon, "PUT", "/assumptions", {"month_zone": "UTC"})).json()

    assert put == everything
    assert changed == read == everything | {"refund_takes": "PT5S"}
    assert Assumptions.model_validate(anew) == Assumptions()


# What is not known is not ignored


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("PUT", "/clock", {"now": "2041-01-01T00:00:00Z", "zone": 1}, "zone: there is no such field"),
        ("POST", "/clock/advance", {"by": 1, "month": 1}, "month: there is no such field"),
        ("POST", "/clock/advance", {}, "by: it must be given"),
        ("PUT", "/receivers", {"url": "http://127.0.0.1/"}, "urls: it must be given; url: there is no such field"),
        ("PUT", "/faults", {"lost": 1}, "lost: there is no such field"),
        ("PATCH", "/faults", {"lost": 1}, "lost: there is no such field"),
        ("PUT", "/assumptions", {"zone": "UTC"}, "zone: there is no such field"),
        ("PATCH", "/assumptions", {"month_zone": "Mars"}, "month_zone: 'Mars' is not accepted; Mars is not an IANA"),
        ("POST", "/charge-permissions", {"curency": "EUR"}, "curency: there is no such field"),
        ("POST", "/charge-permissions/{}/break-payment-method", {"why": "x"}, "why: there is no such field"),
        ("POST", "/charge-permissions/{}/close-by-buyer", {"why": "x"}, "why: there is no such field"),
        ("POST", "/charges/S01/decide", {"reasonCode": "x"}, "reasonCode: there is no such field"),
        ("POST", "/charges/S01/dispute", {"sum": 1}, "sum: there is no such field"),
        ("PUT", "/disputes/refusal", {"reasonCode": "x"}, "reasonCode: there is no such field"),
        ("POST", "/checkout-sessions/1/approve", {"cards": 1}, "cards: there is no such field"),
        ("POST", "/checkout-sessions/1/decline", {"cards": 1}, "cards: there is no such field"),
    ],
)
async def test_a_field_that_there_is_none_of_is_refused_by_its_name(
    simulator: SimulatorHandle, permission: str, method: str, path: str, body: object, said: str
) -> None:
    answer = await asked(simulator, method, path.format(permission), body)

    assert answer.status_code == 422
    assert answer.text.startswith(said)


async def test_a_body_that_may_be_left_out_may_be_left_out(simulator: SimulatorHandle, permission: str) -> None:
    opened = await asked(simulator, "POST", "/charge-permissions")
    broken = await asked(simulator, "POST", f"/charge-permissions/{permission}/break-payment-method")

    assert (opened.status_code, broken.status_code) == (201, 200)


# What a restart keeps


async def test_what_was_set_while_it_ran_outlives_a_restart(start: Start, receiver: Receiver) -> None:
    plan = FaultPlan(seed=3, requests={Fault.UNAVAILABLE: 1})
    summer = datetime(YEAR, 7, 1, 12, tzinfo=UTC)
    async with start() as (amazon, _):
        await amazon.set_clock(summer)
        await amazon.assume(Assumptions(month_zone="Asia/Tokyo"))
        await amazon.send_notifications_to(receiver.url)
        await amazon.open_permission()
        await amazon.set_faults(plan)

    async with start() as (amazon, shop):
        assert timedelta(0) <= await amazon.now() - summer < A_WHILE
        assert (await amazon.assumptions()).month_zone == "Asia/Tokyo"
        assert (await asked(amazon, "GET", "/receivers")).json() == {"urls": [receiver.url]}
        assert (await shop.charge("S01"))[0] == 503


async def test_what_is_configured_otherwise_than_before_counts_again(start: Start) -> None:
    async with start(receiver_url="http://127.0.0.1:1/") as (amazon, _):
        await amazon.send_notifications_to("http://127.0.0.1:2/")
        await amazon.assume(Assumptions(month_zone="Asia/Tokyo"))

    async with start(receiver_url="http://127.0.0.1:3/", assumptions=Assumptions(saves_declines=False)) as (amazon, _):
        receivers = (await asked(amazon, "GET", "/receivers")).json()
        assumed = await amazon.assumptions()

    assert receivers == {"urls": ["http://127.0.0.1:3/"]}
    assert assumed == Assumptions(saves_declines=False)


# What a reset forgets


async def test_a_reset_leaves_a_simulator_as_it_was_started(start: Start, receiver: Receiver) -> None:
    configured: dict[str, Any] = {"receiver_url": receiver.url, "assumptions": Assumptions(month_zone="Asia/Tokyo")}
    async with start(**configured) as (amazon, shop):
        first = (await amazon.open_permission(Currency.EUR)).charge_permission_id
        await amazon.script(first, ["SoftDeclined"])
        await amazon.set_clock(datetime(YEAR, 7, 1, tzinfo=UTC))
        await amazon.assume(Assumptions())
        await amazon.send_notifications_to(None)
        await amazon.set_faults(FaultPlan(requests={Fault.UNAVAILABLE: 1}))
        await shop.charge("S01")

        await amazon.reset()

        books = await amazon.books()
        assert (books.permissions, books.calls) == ([], [])
        assert (await amazon.journal()).last == 0
        assert await amazon.faults() == {}
        assert (await amazon.assumptions()).month_zone == "Asia/Tokyo"
        assert timedelta(0) <= datetime.now(UTC) - await amazon.now() < A_WHILE
        again = (await amazon.open_permission()).charge_permission_id
        status, _ = await shop.create_charge(charge_of(again), new_key())
        await receiver.received(1)
    async with start(**configured) as (amazon, _):
        kept = (await amazon.books()).permissions

    assert again == first, "the ids are given out anew"
    assert status == 201
    assert [permission.charge_permission_id for permission in kept] == [again]
