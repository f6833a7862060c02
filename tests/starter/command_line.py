"""Typing `perennial ...`: in this process where that is the same as a process of its own, and quick.

The commands that take signals or set up logging (worker, ipn, demo) are run as real processes instead.
"""

import asyncio
import io
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TextIO, cast

import structlog
from typer.testing import CliRunner, Result

from perennial_billing.sandbox.stage import PUBLIC_KEY_ID, Stage
from perennial_billing.starter.cli.app import app
from tests.worker.processes import finished, perennial

_IS_TYPED: Final = ContextVar("whether what runs belongs to a command that was typed", default=False)


@dataclass(frozen=True)
class Said:
    """What came of one command."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON, which it must be as a whole. Any: what a test is about to find out."""
        return json.loads(self.out)

    @property
    def trouble(self) -> str:
        """The one line of an error, with nothing beside it."""
        lines = self.err.strip().splitlines()
        assert (self.out, len(lines)) == ("", 1), f"{self.out}{self.err}"
        assert lines[0].startswith("error: ")
        return lines[0]


async def typed(*arguments: str, **environment: str) -> Said:
    """Runs a command in this process, in a thread as it brings its own event loop.

    Raises:
        Exception: whatever the command did not turn into an exit code: a person would have seen a traceback.
    """
    theirs: dict[str, str | None] = {name: None for name in os.environ if name.startswith(("PERENNIAL_", "TEMPORAL_"))}

    def type_it() -> Result:
        _IS_TYPED.set(True)  # in the thread's own copy of the context, from which all that it starts has its own
        return _Runner().invoke(app, list(arguments), env=theirs | environment)

    with logging_as_it_was(), variables_as_they_were():
        result = await asyncio.to_thread(type_it)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


class _Runner(CliRunner):
    """Takes down what the command writes, and nothing that others write meanwhile: they share the process's streams.

    The house lives in this process as well, and logs what it has to say whenever it has; on a machine that stalls, in
    the middle of a command.
    """

    @contextmanager
    def isolation(
        self,
        input: str | bytes | None = None,  # noqa: A002 - the runner's own name for it
        env: Mapping[str, str | None] | None = None,
        color: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> Iterator[tuple[io.BytesIO, io.BytesIO, io.BytesIO]]:
        others = sys.stdout, sys.stderr
        with super().isolation(input=input, env=env, color=color) as taken_down:
            sys.stdout, sys.stderr = (
                cast("TextIO", _ToEachTheirOwn(typed, other))
                for typed, other in zip((sys.stdout, sys.stderr), others, strict=True)
            )
            yield taken_down


class _ToEachTheirOwn:
    """A standard stream that is the command's for whatever runs in its context, and for all else what it was before."""

    def __init__(self, typed: TextIO, others: TextIO) -> None:
        self._typed, self._others = typed, others

    def __getattr__(self, name: str) -> Any:  # Any: whatever a stream has
        return getattr(self._typed if _IS_TYPED.get() else self._others, name)


@contextmanager
def variables_as_they_were() -> Iterator[None]:
    """What a command adds from the profile of a `perennial dev` is taken away again."""
    kept = set(os.environ)
    yield
    for name in set(os.environ) - kept:
        if name.startswith(("PERENNIAL_", "TEMPORAL_")):
            del os.environ[name]


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """A command that sets up logging before it is refused leaves it as it was for the tests that follow."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.configure(**configured)


async def run(*arguments: str, **environment: str) -> Said:
    """Runs a command as a process of its own, until it ends by itself."""
    async with perennial(*arguments, environment=environment) as process:
        return Said(*await finished(process))


def joined_to(house: Stage) -> dict[str, str]:
    """The environment in which a command reaches the house's Temporal server, its ledger and its Amazon."""
    return {
        "TEMPORAL_ADDRESS": house.server.address,
        "PERENNIAL_TASK_QUEUE": house.settings.task_queue,
        "PERENNIAL_DATA_FOLDER": str(house.settings.data_folder),
        "PERENNIAL_AMAZON_PAY_ORIGIN": house.simulator.origin,
        "PERENNIAL_PUBLIC_KEY_ID": PUBLIC_KEY_ID,
        "PERENNIAL_PRIVATE_KEY_PATH": str(house.settings.private_key_path),
    }


@contextmanager
def dead_port() -> Iterator[int]:
    """A port on which nobody listens, and which nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        yield port


@contextmanager
def taken_port() -> Iterator[int]:
    """A port on which somebody listens already."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        yield port
