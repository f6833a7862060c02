"""A worker process of a release that does one thing more: it waits for a moment before each command.

No history of the release that is in this folder can be replayed by it, nor the other way round. `releases_year` runs
it: `python -m benchmarks.another_release`, with the settings of a worker.
"""

import sys
from datetime import timedelta
from typing import Final
from unittest.mock import patch

from temporalio import workflow

from perennial_billing.billing.protocol.commands import Command
from perennial_billing.billing.protocol.events import Event
from perennial_billing.starter.cli import main
from perennial_billing.workflows.life import Life

MOMENT: Final = timedelta(seconds=1)

_performed = Life._perform  # noqa: SLF001 - it is this release's own


async def _after_a_moment(life: Life, command: Command) -> Event:
    await workflow.sleep(MOMENT, summary="what no release did before")
    return await _performed(life, command)


if __name__ == "__main__":
    sys.argv[1:] = ["worker"]
    with patch.object(Life, "_perform", _after_a_moment):
        main()
