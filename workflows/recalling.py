"""How a workflow looks something up in the ledger."""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from perennial_billing.activities.signatures import LedgerActivities
    from perennial_billing.billing.protocol.recollection import Recalled, Recollection

_TIMEOUT: Final = timedelta(seconds=5)
_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3)
"""A local activity holds up its workflow task, so it gives up soon."""


async def recall(wanted: Recollection) -> Recalled:
    """What the ledger knows.

    Raises:
        FailureError: it cannot be looked up now.
    """
    return await workflow.execute_local_activity_method(
        LedgerActivities.recall,
        wanted,
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        summary="Look it up in the ledger",
    )
