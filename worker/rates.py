"""How often each operation of Amazon's may be called, and that a worker which stood still does not make up for it.

The Temporal server hands out the calls of an account at its rate. What it has handed out while a worker stood still, as
a machine with too much to do does, would all go out at once afterwards, and Amazon would refuse what is more than a
burst. So each worker also keeps, for itself, to half of what Amazon takes at once: how long a call is on its way is not
the same for any two of them, and the other half is for those that arrive closer together than they were sent.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Final

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES, Rate
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.workflows.names import Call

SLOWEST: Final = Rate(1, 1)
"""For operations whose limit Amazon does not publish, which are called seldom."""

OF_THE_LIMIT: Final = 0.985
"""How much of a limit is used at the most. Calls that are made exactly as fast as Amazon's allowance grows leave
nothing of it after the first few, so each that comes a little early is refused; the rest lets it grow again."""

LONGEST_TURN_SECONDS: Final = 6.0
"""A call that waits longer for its turn is made: within 12 s the server wants to hear that the worker lives, and its
account may have been looked up before."""


def checked_quotas(quotas: Mapping[str, Any]) -> dict[Call, float]:  # Any: as TOML or JSON has them
    """Calls a second by operation.

    Raises:
        ValueError: an operation is none that is called, or a rate is none.
    """
    known = [call.value for call in Call]
    for name, rate in quotas.items():
        if name not in known:
            raise ValueError(f"quotas: {name!r} is no operation that is called; {', '.join(known)} are accepted")
        if not (isinstance(rate, (int, float)) and math.isfinite(rate) and rate > 0):
            raise ValueError(f"quotas: {name}: {rate!r}: calls a second, above 0, are accepted")
    return {Call(name): float(rate) for name, rate in quotas.items()}


def rates_of(settings: Settings) -> Mapping[Call, float]:
    """How often each operation may be called in a second for an account that has no quota of its own.

    Raises:
        StartupError: a rate is set for what is no operation.
    """
    amazons = RATES[Environment(settings.environment.value)]
    given = settings.calls_per_second
    if isinstance(given, float):
        return dict.fromkeys(Call, given)
    try:
        own = checked_quotas(given or {})
    except ValueError as error:
        raise StartupError(f"{PREFIX}CALLS_PER_SECOND: {str(error).removeprefix('quotas: ')}") from None
    return {call: own.get(call, amazons.get(call, SLOWEST).per_second) for call in Call}


def paces_of(settings: Settings) -> Mapping[Call, float]:
    """How often the Temporal server gives each operation's calls out in a second, for an account without own quota.

    Raises:
        StartupError: as `rates_of`.
    """
    return {call: rate * OF_THE_LIMIT for call, rate in rates_of(settings).items()}


def calls_per_second(settings: Settings, call: Call, quotas: Mapping[Call, float] | None = None) -> float:
    """How often an operation may be called in a second for an account with these quotas, by all workers together.

    Raises:
        StartupError: as `rates_of`.
    """
    return (quotas or {}).get(call, rates_of(settings)[call])


def rate_of(settings: Settings, call: Call, quotas: Mapping[Call, float]) -> Rate:
    """The same with how many calls a worker sends at once.

    Raises:
        StartupError: as `rates_of`.
    """
    per_second = calls_per_second(settings, call, quotas)
    amazon_takes = RATES[Environment(settings.environment.value)].get(call, SLOWEST).burst
    return Rate(max(amazon_takes // 2, math.ceil(per_second)), per_second)


class Turns:
    """Lets calls through: so many at once, and then so many a second.

    Args:
        rate: how many of both.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left = float(rate.burst)
        self._at = -math.inf

    async def take(self) -> None:
        """Returns when it is this call's turn, or when it has waited for long enough."""
        wait = self.taken(asyncio.get_running_loop().time())
        if wait > 0:
            await asyncio.sleep(wait)

    def taken(self, now: float) -> float:
        """Takes a turn at an instant of a clock, in seconds; how many seconds it has to wait for it."""
        refilled = self._left + self._rate.per_second * (now - self._at)
        self._left, self._at = min(float(self._rate.burst), refilled) - 1, now
        return min(max(-self._left, 0.0) / self._rate.per_second, LONGEST_TURN_SECONDS)
