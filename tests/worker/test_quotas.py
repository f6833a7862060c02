"""How often each operation is called for each account, and what the Temporal server is told of it."""

import asyncio
import logging
from typing import Any, Final

import pytest
from temporalio.service import RPCError, RPCStatusCode

from amazon_pay_client import Environment, Region
from amazon_pay_client.limits import RATES, Rate
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.stage import Stage
from perennial_billing.worker.accounts import Account, Source
from perennial_billing.worker.quotas import Quota, keep, quotas_of
from perennial_billing.worker.rates import Turns, calls_per_second, rate_of, rates_of
from perennial_billing.workflows.names import Call, call_queue
from tests.worker.test_wiring import rate_of as told_rate_of

LIVE: Final = RATES[Environment.LIVE]


def account(name: str, **quotas: float) -> Account:
    return Account(
        name=name,
        merchant_id=f"A7{name}",
        region=Region.EU,
        public_key_id="LIVE-X",
        source=Source.LEDGER,
        quotas={Call(operation): rate for operation, rate in quotas.items()},
    )


def test_an_operation_goes_by_its_own_rate_or_by_amazons() -> None:
    settings = Settings.model_validate({"environment": "live", "calls_per_second": "CreateCharge=12,GetDispute=0.5"})

    rates = rates_of(settings)

    assert (rates[Call.CREATE_CHARGE], rates[Call.GET_DISPUTE]) == (12.0, 0.5)
    assert rates[Call.CLOSE_CHARGE_PERMISSION] == LIVE["CloseChargePermission"].per_second
    assert calls_per_second(settings, Call.CREATE_CHARGE, account("a", CreateCharge=20).quotas) == 20.0
    assert calls_per_second(settings, Call.CREATE_CHARGE, account("a", GetCharge=20).quotas) == 12.0


def test_one_number_is_for_every_operation() -> None:
    assert set(rates_of(Settings(calls_per_second=3.0)).values()) == {3.0}


def test_a_rate_of_no_operation_is_refused() -> None:
    settings = Settings.model_validate({"calls_per_second": "CreateCharges=12"})

    with pytest.raises(StartupError, match=r"^PERENNIAL_CALLS_PER_SECOND: 'CreateCharges' is no operation"):
        rates_of(settings)


def test_accounts_with_quotas_of_their_own_have_weights_within_what_the_server_takes() -> None:
    settings = Settings.model_validate({"environment": "live"})
    accounts = [account("raised", CreateCharge=10), account("same", CreateCharge=4), account("wild", CreateCharge=1e7)]

    quotas = quotas_of(settings, accounts)

    assert quotas[Call.CREATE_CHARGE] == Quota(3.94, {"raised": 2.5, "wild": 1000.0})
    assert quotas[Call.GET_CHARGE] == Quota(3.94, {})


async def test_the_server_is_told_once_and_again_where_it_changes(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, told = house.client.workflow_service, []
    tell = service.update_task_queue_config

    async def counted(request: Any, **more: Any) -> Any:
        told.append(request)
        return await tell(request, **more)

    monkeypatch.setattr(service, "update_task_queue_config", counted)

    async def kept(quota: Quota, *, all_known: bool = True) -> int:
        told.clear()
        assert await keep(house.client, "quotas-told", Call.GET_REFUND, quota, all_known=all_known)
        return len(told)

    assert await kept(Quota(3.3, {"tea": 2.1})) == 1
    assert await kept(Quota(3.3, {"tea": 2.1})) == 0, "nothing has changed"
    assert await told_rate_of(house.client, call_queue("quotas-told", Call.GET_REFUND)) == pytest.approx(3.3)
    assert await kept(Quota(3.3, {}), all_known=False) == 0, "the ledger is away, and its accounts keep their quotas"
    assert await kept(Quota(3.3, {})) == 1
    assert list(told[0].unset_fairness_weight_overrides) == ["tea"]
    assert await kept(Quota(5.0)) == 1
    assert await told_rate_of(house.client, call_queue("quotas-told", Call.GET_REFUND)) == 5.0


@pytest.mark.parametrize(
    "status", [RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.INVALID_ARGUMENT]
)
async def test_a_server_that_keeps_no_limits_of_accounts_is_told_of_in_the_log_and_starts_all_the_same(
    house: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: RPCStatusCode
) -> None:
    async def refuses(*_: Any, **__: Any) -> Any:
        raise RPCError("unknown method UpdateTaskQueueConfig", status, b"")

    monkeypatch.setattr(house.client.workflow_service, "update_task_queue_config", refuses)

    with caplog.at_level(logging.WARNING, "quotas"):
        assert not await keep(house.client, f"quotas-{status.name}", Call.GET_REFUND, Quota(3.3))

    assert "keeps no limit for each account" in caplog.text


async def test_a_server_that_does_not_answer_is_no_server_without_limits(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")

    monkeypatch.setattr(house.client.workflow_service, "update_task_queue_config", away)

    with pytest.raises(RPCError):
        await keep(house.client, "quotas-away", Call.GET_REFUND, Quota(3.3))


def test_a_worker_that_stood_still_makes_up_for_half_of_what_amazon_takes_at_once() -> None:
    turns = Turns(rate_of(Settings.model_validate({"environment": "live"}), Call.CREATE_CHARGE, {}))

    waits = [turns.taken(1_000.0) for _ in range(60)]

    assert waits[:9] == [0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1.0], "five at once, and then four a second"
    assert max(waits) == 6.0, "nobody waits until the server thinks that the worker died"
    assert turns.taken(1_060.0) == 0, "after a minute all is as before"


async def test_a_turn_is_waited_for() -> None:
    turns, clock = Turns(Rate(1, 20.0)), asyncio.get_running_loop()
    began = clock.time()

    for _ in range(3):
        await turns.take()

    assert clock.time() - began >= 0.099


def test_a_raised_quota_is_taken_at_once_as_well() -> None:
    settings = Settings.model_validate({"environment": "live"})

    assert rate_of(settings, Call.CREATE_CHARGE, {Call.CREATE_CHARGE: 25.0}) == Rate(25, 25.0)
    assert rate_of(settings, Call.GET_DISPUTE, {}) == Rate(1, 1.0)
