"""How commands run and what they print: data to standard output, as JSON or for people; trouble to standard error,
one line.
"""

import asyncio
import json
import signal
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, ParamSpec

import typer
from rich.console import Console, RenderableType

from runtime.errors import StartupError
from runtime.loop import new_event_loop

if TYPE_CHECKING:
    from pydantic import ValidationError

REFUSED: Final = 1
CANNOT_START: Final = 2
NOT_ANSWERED: Final = 3
HUNG_UP: Final = 129
INTERRUPTED: Final = 130
TERMINATED: Final = 143
"""128 and the signal's number, as shells count."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]

Parameters = ParamSpec("Parameters")

out: Final = Console(emoji=False)
err: Final = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


class RefusedError(Exception):
    """A command's answer is no. The message is one line for a person."""


def asynchronous(command: Callable[Parameters, Coroutine[Any, Any, None]]) -> Callable[Parameters, None]:
    """Makes a command that typer can call of a coroutine function, which may raise what `run` knows.

    Typer sees the function's own options and help.
    """

    @wraps(command)
    def run_command(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        run(command(*arguments, **options))

    return run_command


def say(data: object, *texts: RenderableType, as_json: bool) -> None:
    """Prints what a command has to say, either as data for machines or as texts for people.

    A text wraps where a terminal ends; for a pipe, which has no end, it stays on its line.

    Args:
        data: as JSON writes it.
        texts: each on a line of its own; tables of `starter.cli.tables` fit themselves in.
        as_json: whether the data was asked for.
    """
    if as_json:
        out.print_json(json.dumps(data))
        return
    for text in texts:
        out.print(text, soft_wrap=not out.is_terminal, crop=False)


def run(main: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields
    """Runs a command's coroutine and turns expected trouble into one line and an exit code."""

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
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        fail(*told)


def _told(error: Exception) -> tuple[str, int] | None:
    """What a command says and ends with that raised this; None for what nobody foresaw.

    Whose errors these are is imported only where they may be: most commands need not know most of them.
    """
    if isinstance(error, StartupError):
        return str(error), CANNOT_START
    if isinstance(error, RefusedError):
        return str(error), REFUSED
    from pydantic import ValidationError

    from billing.refusals import Refused
    from starter.errors import NotAnsweredError, SubscriptionError

    if isinstance(error, NotAnsweredError):
        return str(error), NOT_ANSWERED
    if isinstance(error, SubscriptionError):
        return str(error), REFUSED
    if isinstance(error, ValidationError):
        return in_one_line(error), CANNOT_START
    return (str(error), CANNOT_START) if isinstance(error, Refused) else None


def fail(message: str, code: int) -> NoReturn:
    """Prints one line to standard error and leaves."""
    err.print(f"[bold red]error:[/] {_plain(message)}")
    raise typer.Exit(code)


def in_one_line(error: "ValidationError", names: dict[str, str] | None = None) -> str:
    """Each refused field with the value and what is accepted.

    Args:
        error: from pydantic.
        names: how a person knows a field, by its path.
    """
    from billing.refusals import refusals_of

    return "; ".join(map(str, refusals_of(error, names)))


def _plain(message: str) -> str:
    return message.replace("[", r"\[")
