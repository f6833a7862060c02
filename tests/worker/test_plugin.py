"""A shop's own worker hosts subscriptions by a plugin: both do their work, and neither takes the other's."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from perennial_billing.runtime.errors import StartupError
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.client import Subscriptions
from perennial_billing.worker.plugin import SubscriptionsPlugin
from tests.scenarios.story import Story

EXAMPLES: Final = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    """The example as a module, which the sandbox of its own workflow imports once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("own_worker")


async def test_the_examples_worker_packs_parcels_and_charges_subscribers(
    house: Stage, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = "subscriptions-of-a-shop"
    for name, value in (house.worker_environment() | {"PERENNIAL_TASK_QUEUE": queue}).items():
        monkeypatch.setenv(name, value)
    shop = await Client.connect(house.server.address)  # with the SDK's own converter
    theirs = replace(
        house,
        subscriptions=Subscriptions(house.client, queue),
        settings=house.settings.model_copy(update={"task_queue": queue}),
    )

    async with example.worker_of(shop):
        packed = await shop.execute_workflow("PackParcel", "order-4711", id="parcel-4711", task_queue="shop")
        story = await Story.begin(theirs, unchecked=True)
        await story.until_due(1)
        charged = [f"{each.charge_amount.amount:.2f}" for each in await story.charges()]
        paid = (await story.status()).periods_paid

    assert packed == "packed order-4711"
    assert (charged, paid) == (["9.99", "9.99"], 2)


async def test_a_task_queue_of_both_is_refused_before_anything_runs(house: Stage, example: ModuleType) -> None:
    settings = house.settings.model_copy(update={"task_queue": "shop"})
    with pytest.raises(StartupError, match="PERENNIAL_TASK_QUEUE: shop is the task queue of this worker's own"):
        Worker(house.client, task_queue="shop", workflows=[example.PackParcel], plugins=[SubscriptionsPlugin(settings)])


async def test_a_setting_that_is_wrong_is_said_when_the_plugin_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_HEALTH_PORT", "eighty")
    with pytest.raises(StartupError, match="PERENNIAL_HEALTH_PORT"):
        SubscriptionsPlugin()
