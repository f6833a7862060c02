"""How commands run and what they print: data to standard output, as JSON or for people; trouble to standard error,
one line.
"""

import asyncio
import json
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, ParamSpec

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.loop import new_event_loop
from perennial_billing.runtime.profile import use_profile

if TYPE_CHECKING:
    from pydantic import ValidationError

REFUSED: Final = 1
CANNOT_START: Final = 2
NOT_ANSWERED: Final = 3
HUNG_UP: Final = 129
INTERRUPTED: Final = 130
TERMINATED: Final = 143
"""128 and the signal's number, as shells count."""

SIMULATOR: Final = "amazon_pay_simulator"
HOW_TO_INSTALL_IT: Final = "install perennial-billing[demo]"

_ENDS_WITH: Final = {signal.SIGTERM: TERMINATED, signal.SIGHUP: HUNG_UP}
"""The exit code after a signal, of which the second is a terminal that went away."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]

Parameters = ParamSpec("Parameters")


class PlainConsole(Console):
    """A console on which a text is what it says: nothing in it is markup, and nothing in it acts on the terminal.

    What others wrote comes as far as here: reason codes, references, the rows of a file. So what is to be coloured is a
    `Text`, and whatever is printed loses what no eye sees, such as escape sequences.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=stderr, highlight=not stderr, emoji=False, markup=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What a renderable comes to."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def printable(text: str) -> str:
    """A text without what a terminal would act on."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in _LAYOUT else REPLACEMENT for letter in text)


REPLACEMENT: Final = "?"
_LAYOUT: Final = "\n\u00a0"
"""Line ends, and the spaces that Markdown keeps."""

out: Final = PlainConsole()
err: Final = PlainConsole(stderr=True)


class RefusedError(Exception):
    """A command's answer is no. The message is one line for a person."""


def asynchronous(command: Callable[Parameters, Coroutine[Any, Any, None]]) -> Callable[Parameters, None]:
    """Makes a command that typer can call of a coroutine function, which may raise what `run` knows.

    Typer sees the function's own options and help. Where nothing says what it is to work on, it works on the
    `perennial dev` that runs, if one does; standard error says so.
    """

    @wraps(command)
    def run_command(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        found = use_profile()
        if found is not None:
            err.print(Text.assemble(("dev:", "bold"), " ", found))
        run(command(*arguments, **options))

    return run_command


def say(data: object, *texts: RenderableType, as_json: bool) -> None:
    """Prints what a command has to say, either as data for machines or as texts for people.

    A text wraps where a terminal ends; for a pipe, which has no end, it stays on its line.

    Args:
        data: as JSON writes it.
        texts: each on a line of its own, as it is; what is coloured is a `Text`. Tables of `starter.cli.tables` fit
            themselves in.
        as_json: whether the data was asked for.
    """
    if as_json:
        say_json(data)
        return
    for text in texts:
        out.print(text, soft_wrap=not out.is_terminal, crop=False)


def say_json(data: object) -> None:
    """Prints data for machines: never in colours, whatever the environment asks for, and in ASCII."""
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def working(words: str) -> AbstractContextManager[object]:
    """Shows a terminal that something is under way of which nobody knows how much is left; a pipe is told nothing.

    Args:
        words: what is done, such as "adding up".
    """
    return err.status(words) if err.is_terminal else nullcontext()


def mind(message: str) -> None:
    """Says on standard error what was done, and somebody should look at."""
    err.print(Text.assemble(("mind:", "bold yellow"), " ", message))


def run(main: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields
    """Runs a command's coroutine and turns expected trouble into one line and an exit code."""

    heard: list[signal.Signals] = []

    async def run_and_settle() -> None:
        this = asyncio.current_task()

        def stop(number: signal.Signals) -> None:
            heard.append(number)
            if this is not None:
                this.cancel()

        for number in _ENDS_WITH if threading.current_thread() is threading.main_thread() else ():
            # As SIGINT: what was started is taken down again. A process that stops gracefully replaces this; what is
            # ignored, as a hangup is under `nohup`, stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
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
        raise typer.Exit(_ENDS_WITH[heard[0]] if heard else TERMINATED) from None
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
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == SIMULATOR:
        return f"this needs the Amazon Pay simulator, which is not installed; {HOW_TO_INSTALL_IT}", CANNOT_START
    from pydantic import ValidationError

    from perennial_billing.billing.refusals import Refused
    from perennial_billing.ledger.errors import LedgerError
    from perennial_billing.starter.errors import NotAnsweredError, NotReadError, SubscriptionError

    if isinstance(error, LedgerError):
        return str(error), CANNOT_START
    if isinstance(error, NotAnsweredError | NotReadError):
        return str(error), NOT_ANSWERED
    if isinstance(error, SubscriptionError):
        return str(error), REFUSED
    if isinstance(error, ValidationError):
        return in_one_line(error), CANNOT_START
    return (str(error), CANNOT_START) if isinstance(error, Refused) else None


def fail(message: str, code: int) -> NoReturn:
    """Prints one line to standard error and leaves."""
    err.print(Text.assemble(("error:", "bold red"), " ", message))
    raise typer.Exit(code)


def in_one_line(error: "ValidationError", names: dict[str, str] | None = None) -> str:
    """Each refused field with the value and what is accepted.

    Args:
        error: from pydantic.
        names: how a person knows a field, by its path.
    """
    from perennial_billing.billing.refusals import refusals_of

    return "; ".join(map(str, refusals_of(error, names)))
