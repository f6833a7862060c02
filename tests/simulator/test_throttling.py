"""Amazon's limits: a burst, then so many requests a second. Off unless asked for."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Environment
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.notifications import NotificationSigner
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.throttling import Throttle
from tests.simulator.merchant import Merchant, charge_of, merchant_of, new_key
from tests.simulator.running import running_simulator
from tests.simulator.witness import calls_of, charges_of

# Burst and requests a second, copied from the documentation anew: production, sandbox.
DOCUMENTED = {
    "CreateCharge": ((10, 4), (2, 1)),
    "GetCharge": ((20, 4), (5, 1)),
    "CaptureCharge": ((20, 4), (2, 1)),
    "CancelCharge": ((10, 2), (2, 1)),
    "GetChargePermission": ((20, 4), (10, 1)),
    "UpdateChargePermission": ((10, 2), (5, 1)),
    "CloseChargePermission": ((10, 2), (2, 1)),
    "CreateRefund": ((10, 4), (2, 1)),
    "GetRefund": ((20, 4), (5, 1)),
    "CreateCheckoutSession": ((40, 16), (5, 1)),
    "GetCheckoutSession": ((40, 8), (10, 1)),
    "UpdateCheckoutSession": ((20, 8), (5, 1)),
    "CompleteCheckoutSession": ((20, 4), (2, 1)),
}


class Watch:
    """A clock that a test winds on."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def taken(throttle: Throttle, operation: str, tries: int) -> int:
    """How many of so many requests at once are let through."""
    for through in range(tries):
        try:
            throttle.take(operation)
        except Refusal:
            return through
    return tries


@pytest.mark.parametrize("environment", Environment)
@pytest.mark.parametrize("operation", DOCUMENTED)
def test_a_burst_is_let_through_and_then_as_many_as_a_second_allows(operation: str, environment: Environment) -> None:
    watch = Watch()
    throttle = Throttle(environment, watch)
    burst, per_second = DOCUMENTED[operation][0 if environment is Environment.LIVE else 1]

    assert taken(throttle, operation, 100) == burst
    with pytest.raises(Refusal, match="TooManyRequests"):
        throttle.take(operation)
    watch.now += 1
    assert taken(throttle, operation, 100) == per_second
    watch.now += 3_600
    assert taken(throttle, operation, 100) == burst, "an idle hour saves up no more than the burst"


def test_each_operation_has_a_limit_of_its_own_and_some_have_none() -> None:
    throttle = Throttle(Environment.SANDBOX, Watch())
    taken(throttle, "CreateCharge", 100)

    assert taken(throttle, "CreateRefund", 1) == 1
    assert taken(throttle, "GetDispute", 100) == 100


async def test_a_throttled_charge_is_refused_in_amazons_form_and_made_once_when_repeated_later(
    private_key: RSAPrivateKey, signer: NotificationSigner
) -> None:
    async with (
        running_simulator(private_key, signer, throttled_as=Environment.SANDBOX) as amazon,
        merchant_of(amazon, private_key) as shop,
    ):
        permission = (await amazon.open_permission()).charge_permission_id
        keys = [new_key() for _ in range(8)]
        answers = await asyncio.gather(*(shop.create_charge(charge_of(permission), key) for key in keys))
        refused = [key for key, (status, _) in zip(keys, answers, strict=True) if status == 429]

        assert refused, "eight at once are more than the sandbox takes"
        assert {tuple(answer) for status, answer in answers if status == 429} == {("reasonCode", "message")}
        assert len(await calls_of(amazon, permission)) == len(keys) - len(refused), "the others never reached the books"
        while (await shop.create_charge(charge_of(permission), refused[0]))[0] == 429:
            await asyncio.sleep(0.1)
        assert len(await charges_of(amazon, permission)) == len(keys) - len(refused) + 1


async def test_nothing_is_throttled_unless_asked_for(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    answers = await asyncio.gather(*(merchant.permission(permission) for _ in range(40)))

    assert {status for status, _ in answers} == {200}
