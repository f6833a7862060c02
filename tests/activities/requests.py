"""The activities' inputs as a workflow makes them, and running one as a worker does."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from perennial_billing.activities.agreement import Agreement
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.activities.signatures import (
    OUTCOME_UNKNOWN,
    CaptureCharge,
    ClosePermission,
    CreateCharge,
    CreateRefund,
    ReadCharge,
    ReadPermission,
    ReadRefund,
    UpdatePermission,
)
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.ledger.database import engine_of
from perennial_billing.ledger.ledger import Ledger
from tests.simulator.merchant import new_key

Answer = TypeVar("Answer")

NOWHERE = "C01-0000000-0000000"
AGREEING = Agreement(Ledger(engine_of("sqlite:////nowhere/ledger.db"), "nowhere"))
"""For inputs that say nothing of what was told, so that nothing is looked up."""
OPERATIONS = [
    "create_charge",
    "capture_charge",
    "read_charge",
    "create_refund",
    "read_refund",
    "read_permission",
    "update_permission",
    "close_permission",
]


def create(permission: str = NOWHERE, key: str | None = None, amount: str = "9.99 USD", **more: Any) -> CreateCharge:
    """One attempt; Any: the other fields differ in type."""
    return CreateCharge(
        charge_permission_id=permission,
        amount=Money.parse(amount),
        idempotency_key=key or new_key(),
        merchant_reference=more.pop("merchant_reference", "order-1"),
        **more,
    )


def capture(
    charge_id: str, amount: str = "9.99 USD", key: str | None = None, descriptor: str | None = None
) -> CaptureCharge:
    """The capture of an authorized charge."""
    return CaptureCharge(
        charge_id=charge_id,
        amount=Money.parse(amount),
        idempotency_key=key or new_key(),
        soft_descriptor=descriptor,
    )


def refund(
    charge_id: str, amount: str = "9.99 USD", key: str | None = None, descriptor: str | None = None
) -> CreateRefund:
    """A refund of a captured charge."""
    return CreateRefund(
        charge_id=charge_id,
        amount=Money.parse(amount),
        idempotency_key=key or new_key(),
        soft_descriptor=descriptor,
    )


async def run(activity: Callable[..., Awaitable[Answer]], *arguments: object) -> Answer:
    """Runs an activity outside any server."""
    answer: Answer = await ActivityEnvironment().run(activity, *arguments)
    return answer


async def run_operation(calls: AmazonPayCalls, operation: str) -> Any:
    """Runs one of them with an input of its kind. Any: their answers differ."""
    requests = {
        "create_charge": create(),
        "capture_charge": capture("S01-1-1-C000001"),
        "read_charge": ReadCharge(charge_id="S01-1-1-C000001"),
        "create_refund": refund("S01-1-1-C000001"),
        "read_refund": ReadRefund(refund_id="S01-1-1-R000001"),
        "read_permission": ReadPermission(charge_permission_id=NOWHERE),
        "update_permission": UpdatePermission(
            charge_permission_id=NOWHERE,
            recurrence=Recurrence(interval=Interval(unit=Unit.MONTH), amount=Money.parse("9.99 USD")),
        ),
        "close_permission": ClosePermission(charge_permission_id=NOWHERE, reason="over"),
    }
    return await run(getattr(calls, operation), requests[operation])


async def unknown_outcome(calls: AmazonPayCalls, operation: str) -> ApplicationError:
    """Runs an activity that does not learn what Amazon did, and gives the error that makes Temporal ask again."""
    with pytest.raises(ApplicationError) as caught:
        await run_operation(calls, operation)
    assert caught.value.type == OUTCOME_UNKNOWN
    assert not caught.value.non_retryable
    return caught.value
