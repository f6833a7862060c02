"""A worker process of a release that is broken: `python -m tests.scenarios.broken_release KIND`.

`raises`: whatever falls due, it raises. `more`: it waits for a moment before each command, which no release did
before.
"""

import sys
from datetime import timedelta
from unittest.mock import patch

from temporalio import workflow

from perennial_billing.billing.protocol.commands import Command
from perennial_billing.billing.protocol.events import Event
from perennial_billing.starter.cli import main
from perennial_billing.workflows.life import Life

_performed = Life._perform


async def _raises(life: Life, command: Command) -> Event:
    raise RuntimeError(f"a broken release cannot {command.why} for {life.subscription.terms.charge_permission_id}")


async def _more(life: Life, command: Command) -> Event:
    await workflow.sleep(timedelta(seconds=1), summary="what no release did before")
    return await _performed(life, command)


if __name__ == "__main__":
    kind = sys.argv.pop()
    sys.argv.append("worker")
    with patch.object(Life, "_perform", _raises if kind == "raises" else _more):
        main()
