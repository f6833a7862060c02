"""Heartbeats: a call that lasts tells the server that its worker lives, and a quick one costs none."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio.testing import ActivityEnvironment

from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.books import ScriptedAnswer
from perennial_billing.activities import amazon_pay as module
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.activities.signatures import ReadPermission
from perennial_billing.billing.protocol.answers import ChargeOutcome
from tests.activities.requests import create


async def heartbeats_of(activity: Callable[..., Awaitable[object]], request: object) -> tuple[object, int]:
    """An activity's answer, and how many heartbeats it sent."""
    environment = ActivityEnvironment()
    beats: list[object] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    answer = await environment.run(activity, request)
    beats_of_the_call = len(beats)
    await asyncio.sleep(3 * module.HEARTBEAT_EVERY_SECONDS if module.HEARTBEAT_EVERY_SECONDS < 1 else 0)
    assert len(beats) == beats_of_the_call, "none comes after the call"
    return answer, beats_of_the_call


async def test_a_charge_that_lasts_sends_heartbeats_until_its_answer_is_there(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_EVERY_SECONDS", 0.05)
    await simulator.script(permission, [ScriptedAnswer(delay_seconds=0.5)])

    answer, beats = await heartbeats_of(calls.create_charge, create(permission))

    assert getattr(answer, "outcome", None) is ChargeOutcome.CAPTURED
    assert 3 <= beats <= 20


async def test_a_decline_that_lasts_sends_heartbeats_too(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_EVERY_SECONDS", 0.05)
    await simulator.script(permission, [ScriptedAnswer(code="SoftDeclined", delay_seconds=0.3)])

    answer, beats = await heartbeats_of(calls.create_charge, create(permission))

    assert getattr(answer, "outcome", None) is ChargeOutcome.DECLINED
    assert beats >= 2


async def test_an_ordinary_call_sends_none(calls: AmazonPayCalls, permission: str) -> None:
    _, of_charge = await heartbeats_of(calls.create_charge, create(permission))
    _, of_read = await heartbeats_of(calls.read_permission, ReadPermission(charge_permission_id=permission))

    assert (of_charge, of_read) == (0, 0)


def test_heartbeats_come_often_enough_for_the_workflows_limit() -> None:
    from perennial_billing.workflows.performing import _HEARTBEAT_TIMEOUT

    assert _HEARTBEAT_TIMEOUT.total_seconds() > 2 * module.HEARTBEAT_EVERY_SECONDS
