"""A Celery application with a worker of forked processes, which is given twenty tasks each that await and that block.

The broker is a folder, and the client is made and used before the worker forks.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from celery import Celery  # type: ignore[import-untyped]

from tests.client.frameworks.shop import charge_awaited, charge_blocking

FOLDER = Path(os.environ["CELERY_FOLDER"])
for name in ("queue", "results", "control"):
    (FOLDER / name).mkdir(exist_ok=True)

app = Celery("shop", broker="filesystem://", backend=f"file://{FOLDER / 'results'}")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(FOLDER / "queue"),
        "data_folder_out": str(FOLDER / "queue"),
        "control_folder": str(FOLDER / "control"),
        "polling_interval": 0.05,
    },
    worker_hijack_root_logger=False,
)


@app.task(name="charge_with_asyncio_run")  # type: ignore[untyped-decorator]
def charge_with_asyncio_run(key: str) -> str:
    return asyncio.run(charge_awaited(key))


@app.task(name="charge_with_the_client_that_blocks")  # type: ignore[untyped-decorator]
def charge_with_the_client_that_blocks(key: str) -> str:
    return charge_blocking(key)


if __name__ == "__main__":
    asked = [
        task.delay(f"{kind}-{number}")
        for kind, task in (("async", charge_with_asyncio_run), ("sync", charge_with_the_client_that_blocks))
        for number in range(20)
    ]
    # A folder tells nobody that a result is there.
    answers = [each.get(timeout=60, interval=0.05, propagate=False) for each in asked]
    sys.stdout.write(json.dumps([str(answer) for answer in answers]))
