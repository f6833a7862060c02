"""Several things looked at side by side, each within a time of its own, so that one that is dead holds up no other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from temporalio.service import RPCError

from perennial_billing.ledger.errors import LedgerError
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.checks.check import Check, State
from perennial_billing.starter.checks.temporal import untold

SECONDS: Final = 15.0
"""For whatever is asked over a network: more than any of it takes that works."""


@dataclass(frozen=True, slots=True)
class Look:
    """Something to be looked at.

    Attributes:
        names: of the checks that come of it, for where it brings none.
        ask: looks; may raise what a process cannot start with, and what a server answers.
        seconds: how long it may take.
    """

    names: Sequence[str]
    ask: Callable[[], Awaitable[Sequence[Check]]]
    seconds: float = SECONDS


async def looked_at(looks: Sequence[Look]) -> AsyncIterator[Check]:
    """The checks in the order of the looks, each as soon as it and those before it are known; all are begun at once."""
    begun = [asyncio.create_task(made(look)) for look in looks]
    try:
        for each in begun:
            for check in await each:
                yield check
    finally:
        for each in begun:
            each.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


async def made(look: Look) -> Sequence[Check]:
    """What comes of one, whatever becomes of whom it asks."""
    try:
        async with asyncio.timeout(look.seconds):
            return await look.ask()
    except TimeoutError:
        found, to_do = f"no answer within {look.seconds:g} s", "see that it is reached from here, and repeat"
        return [Check(name=name, state=State.UNANSWERED, found=found, to_do=to_do) for name in look.names]
    except RPCError as error:
        return [untold(name, error.status.name) for name in look.names]
    except (StartupError, LedgerError) as error:
        return [wrong(name, str(error)) for name in look.names]


def wrong(name: str, why: str) -> Check:
    """What cannot be used, as a command says it when it starts: in a line, with what to do after a semicolon."""
    found, _, to_do = why.partition("; ")
    return Check(name=name, state=State.WRONG, found=found, to_do=to_do or "put right what that names, and repeat")
