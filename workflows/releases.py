"""What a run does where another release of the workers is to take over.

Where workers are versioned, a run stays with the release that began it (Temporal's behaviour `PINNED`), so no code ever
replays what other code did. At each wake a run looks whether its task queue leads to another release by now, and goes
on there as a new run. Workers without versions never see another one.
"""

from typing import NoReturn

from temporalio import workflow
from temporalio.workflow import ContinueAsNewVersioningBehavior


def another_takes_over() -> bool:
    """Whether a run that began now would be another release's. As of the last workflow task: a replay sees the same."""
    return workflow.info().is_target_worker_deployment_version_changed()


def go_on(state: object) -> NoReturn:
    """Goes on as a new run, of the release that is to have it.

    Args:
        state: all that the next run knows.
    """
    # Without other words a new run would stay with the release of the one before.
    behavior = ContinueAsNewVersioningBehavior.AUTO_UPGRADE if another_takes_over() else None
    workflow.continue_as_new(state, initial_versioning_behavior=behavior)
