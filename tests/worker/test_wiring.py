"""How the parts are put together, and what a worker refuses to start with, rather than fail at later."""

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES
from amazon_pay_client.outbound.errors import AddressRefusedError
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.stage import Stage
from perennial_billing.worker.rates import SLOWEST
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers, endpoints_client
from perennial_billing.workflows.names import Call, call_queue


async def rate_of(client: Client, task_queue: str) -> float:
    """How often the server lets each account's calls of a queue through in a second."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_config=True,
    )
    described = await client.workflow_service.describe_task_queue(request)
    return described.config.fairness_keys_rate_limit_default.rate_limit.requests_per_second


@pytest.mark.parametrize(
    ("environment", "calls_per_second"), [("live", None), ("sandbox", None), ("sandbox", 2.5)], ids=str
)
async def test_each_operation_has_a_queue_whose_rate_is_amazons_or_the_one_that_was_set(
    house: Stage, environment: str, calls_per_second: float | None
) -> None:
    queue = f"rates-{environment}-{calls_per_second}"
    settings = Settings.model_validate(
        {
            "environment": environment,
            "region": "na",
            "public_key_id": f"{environment.upper()}-TESTS",
            "private_key_path": house.settings.private_key_path,
            "calls_per_second": calls_per_second,
            "task_queue": queue,
        }
    )
    async with (
        amazon_pay_client(settings) as amazon_pay,
        billing_workers(house.client, amazon_pay, house.ledger, settings) as workers,
        workers.running(),
    ):
        rates = {call: await rate_of(house.client, call_queue(queue, call)) for call in Call}

    amazons = RATES[Environment(environment)]
    limits = {call: calls_per_second or amazons.get(call, SLOWEST).per_second for call in Call}
    assert rates == pytest.approx({call: 0.985 * limit for call, limit in limits.items()}), "a little below the limit"


@pytest.mark.parametrize(
    "allowed", [{"environment": "sandbox"}, {"environment": "live", "webhook_private_addresses": True}]
)
async def test_endpoints_of_ones_own_network_are_reached_in_sandbox_and_where_that_is_allowed(
    house: Stage, allowed: dict[str, object]
) -> None:
    async with endpoints_client(Settings.model_validate(allowed), at_once=1) as http:
        assert (await http.get(house.ipn_url)).status_code == 405


async def test_in_live_endpoints_of_ones_own_network_are_not_reached(house: Stage) -> None:
    async with endpoints_client(Settings.model_validate({"environment": "live"}), at_once=1) as http:
        with pytest.raises(AddressRefusedError):
            await http.get(house.ipn_url)
