"""The examples run as a reader would run them: as programs of their own, against the simulator."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Algorithm
from amazon_pay_client.models import CreateCheckoutSessionRequest
from amazon_pay_client.signing import verify
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.merchant_key import MERCHANT_KEY_FILE, merchant_key
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.merchant import KEY_ID
from tests.simulator.running import running_simulator

EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "client"


@pytest.fixture
def key_of_the_demo(tmp_path: Path) -> RSAPrivateKey:
    return merchant_key(tmp_path)


@pytest.fixture
async def simulator(key_of_the_demo: RSAPrivateKey) -> AsyncIterator[SimulatorHandle]:
    async with running_simulator(key_of_the_demo, NotificationSigner.create()) as handle:
        yield handle


@pytest.fixture
def environment(simulator: SimulatorHandle, tmp_path: Path) -> Mapping[str, str]:
    return os.environ | {
        "AMAZON_PAY_PUBLIC_KEY_ID": KEY_ID,
        "AMAZON_PAY_PRIVATE_KEY_PATH": str(tmp_path / MERCHANT_KEY_FILE),
        "AMAZON_PAY_ORIGIN": simulator.origin,
    }


async def output_of(name: str, *arguments: str, environment: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / name), *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_a_subscriber_is_charged_once_however_often_the_example_is_run(
    simulator: SimulatorHandle, environment: Mapping[str, str]
) -> None:
    permission = (await simulator.open_permission()).charge_permission_id

    said = [
        await output_of("charge_a_subscriber.py", permission, "9.99", "USD", "2026-11", environment=environment)
        for _ in range(2)
    ]

    (charge,) = (await simulator.books()).charges
    assert said == [f"{charge.charge_id}: 9.99 USD captured for 2026-11.\n"] * 2


@pytest.mark.long  # in the suite: one who can
async def test_a_subscriber_who_cannot_be_charged_is_named_with_the_state(
    simulator: SimulatorHandle, environment: Mapping[str, str]
) -> None:
    permission = (await simulator.open_permission()).charge_permission_id
    await simulator.close_by_buyer(permission)

    said = await output_of("charge_a_subscriber.py", permission, "9.99", "USD", "2026-11", environment=environment)

    assert said == f"{permission} cannot be charged: it is Closed.\n"
    assert not (await simulator.books()).charges


async def test_the_page_of_the_button_carries_a_payload_that_verifies(
    environment: Mapping[str, str], key_of_the_demo: RSAPrivateKey
) -> None:
    page = await output_of("button.py", environment=environment)

    config = re.search(r"createCheckoutSessionConfig: (\{.*\})", page)
    assert config is not None
    signed = json.loads(config[1])
    assert (signed["algorithm"], signed["publicKeyId"]) == (Algorithm.V2.wire_name, KEY_ID)
    assert verify(key_of_the_demo.public_key(), Algorithm.V2, signed["payloadJSON"], signed["signature"])
    assert CreateCheckoutSessionRequest.model_validate_json(signed["payloadJSON"]).store_id
