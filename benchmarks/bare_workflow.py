"""The floor of what a period can cost: a workflow of one timer and one activity. In a file of its own, as Temporal's
sandbox loads the file of a workflow anew."""

from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

MONTH: Final = timedelta(days=30)


@activity.defn
async def do_nothing(what: str) -> str:
    """The smallest activity."""
    return what


@workflow.defn
class BareWorkflow:
    """A timer and an activity a period."""

    @workflow.run
    async def run(self) -> None:
        """Sleeps and calls."""
        while True:
            await workflow.sleep(MONTH)
            await workflow.execute_activity(do_nothing, "x", start_to_close_timeout=timedelta(seconds=10))
