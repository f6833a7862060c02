"""What commands print: data to standard output, as JSON or for people; trouble to standard error, one line."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from runtime.errors import StartupError
from runtime.loop import new_event_loop

REFUSED: Final = 1
CANNOT_START: Final = 2
INTERRUPTED: Final = 130
TERMINATED: Final = 143
"""128 and the signal's number, as shells count."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]

out: Final = Console(emoji=False)
err: Final = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


class RefusedError(Exception):
    """A command's answer is no. The message is one line for a person."""


def run(main: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields
    """Runs a command's coroutine and turns expected trouble into one line and an exit code."""
    from starter.subscriptions import SubscriptionError

    async def run_and_settle() -> None:
        this = asyncio.current_task()
        if this is not None and threading.current_thread() is threading.main_thread():
            # As SIGINT: what was started is taken down again. A process that stops gracefully replaces this.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
        try:
            await main
        finally:
            # The Temporal SDK aborts an interpreter that ends within milliseconds of its last call.
            await asyncio.sleep(0.02)

    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(run_and_settle())
    except StartupError as error:
        fail(str(error), CANNOT_START)
    except (RefusedError, SubscriptionError) as error:
        fail(str(error), REFUSED)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None


def fail(message: str, code: int) -> NoReturn:
    """Prints one line to standard error and leaves."""
    err.print(f"[bold red]error:[/] {_plain(message)}")
    raise typer.Exit(code)


def in_one_line(error: ValidationError, names: dict[str, str] | None = None) -> str:
    """Each refused field with the value and what is accepted.

    Args:
        error: from pydantic.
        names: how a person knows a field, by its path.
    """
    parts = []
    for item in error.errors(include_url=False):
        path = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        name = (names or {}).get(path, path)
        given = _as_written(item["input"])
        shown = f" (got {given})" if given and given not in message else ""
        parts.append(f"{name}: {message}{shown}" if name else f"{message}{shown}")
    return "; ".join(parts)


def _as_written(value: object) -> str | None:
    """A refused value as a person would have written it; None for what is no single value."""
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case str() | int() | float():
            return repr(value)
        case _:
            return None


def _plain(message: str) -> str:
    return message.replace("[", r"\[")
