"""How a workflow looks something up in the ledger."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from perennial_billing.activities.signatures import KeptState, LedgerActivities, Standing
    from perennial_billing.billing.protocol.recollection import Recalled, Recollection
    from perennial_billing.workflows.performing import ledger_ahead_of

Wanted = TypeVar("Wanted")
Found = TypeVar("Found")

_TIMEOUT: Final = timedelta(seconds=5)
_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3)
"""A local activity holds up its workflow task, so it gives up soon."""


async def recall(wanted: Recollection) -> Recalled:
    """What the ledger knows.

    Raises:
        FailureError: it cannot be looked up now.
    """
    return await _ask(LedgerActivities.recall, wanted, "Look it up in the ledger")


async def kept_state(standing: Standing) -> KeptState:
    """What the ledger has kept of a subscription.

    Raises:
        FailureError: it cannot be looked up now.
    """
    return await _ask(LedgerActivities.kept_state, standing, "What has the ledger kept?")


async def told_beyond(standing: Standing) -> int | None:
    """The number of the last notice that the ledger knows, where it knows more of a subscription than itself."""
    try:
        await _ask(LedgerActivities.check_agreement, standing, "Does the ledger know more?")
    except FailureError as error:
        return ledger_ahead_of(error)
    return None


async def _ask(look: Callable[[LedgerActivities, Wanted], Awaitable[Found]], wanted: Wanted, summary: str) -> Found:
    return await workflow.execute_local_activity_method(
        look, wanted, start_to_close_timeout=_TIMEOUT, retry_policy=_RETRY, summary=summary
    )
