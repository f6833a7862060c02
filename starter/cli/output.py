"""What commands print: data to standard output, as JSON or for people; trouble to standard error, one line."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from runtime.errors import StartupError

REFUSED: Final = 1
CANNOT_START: Final = 2
INTERRUPTED: Final = 130

out: Final = Console()
err: Final = Console(stderr=True, soft_wrap=True, highlight=False)


class RefusedError(Exception):
    """A command's answer is no. The message is one line for a person."""


def run(main: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields
    """Runs a command's coroutine and turns expected trouble into one line and an exit code."""
    from starter.subscriptions import SubscriptionError

    async def run_and_settle() -> None:
        try:
            await main
        finally:
            # The Temporal SDK aborts an interpreter that ends within milliseconds of its last call.
            await asyncio.sleep(0.02)

    try:
        asyncio.run(run_and_settle())
    except StartupError as error:
        fail(str(error), CANNOT_START)
    except (RefusedError, SubscriptionError) as error:
        fail(str(error), REFUSED)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


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
        given = item["input"]
        shown = f" (got {given!r})" if isinstance(given, str | int | float) and repr(given) not in message else ""
        parts.append(f"{name}: {message}{shown}" if name else message)
    return "; ".join(parts)


def _plain(message: str) -> str:
    return message.replace("[", r"\[")
