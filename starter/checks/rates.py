"""Whether calls are not to be made more often than Amazon takes them. Nothing is asked of anybody."""

from collections.abc import Mapping
from typing import Final

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.starter.checks.check import Check, State
from perennial_billing.workflows.names import Call

QUOTAS: Final = "quotas"

_SLOWEST: Final = 0.05
"""Calls a second. Below it 1,000 subscribers of one day are charged for more than five hours."""


def quotas(rates: Mapping[Call, float], settings: Settings) -> Check:
    """Whether they fit Amazon's own.

    Args:
        rates: calls a second by operation, as workers with these settings keep to.
        settings: of the process, which name the environment.
    """
    if settings.amazon_pay_origin is not None:
        return Check(name=QUOTAS, state=State.DONE, found="a simulator stands in for Amazon")
    amazons = RATES[Environment(settings.environment.value)]
    above = [
        f"{call} {rate:g} and not {amazons[call].per_second:g}"
        for call, rate in rates.items()
        if call in amazons and rate > amazons[call].per_second
    ]
    if above:
        return Check(
            name=QUOTAS,
            state=State.WRONG,
            found=f"more calls a second than Amazon publishes for {settings.environment.value}: {', '.join(above)}",
            to_do=f"lower {PREFIX}CALLS_PER_SECOND, unless Amazon has raised it for you: what is more is answered 429",
            is_mandatory=False,
        )
    slow = [f"{call} {rate:g}" for call, rate in rates.items() if rate < _SLOWEST]
    if slow:
        return Check(
            name=QUOTAS,
            state=State.WRONG,
            found=f"so few calls a second that a payday takes hours: {', '.join(slow)}",
            to_do=f"raise {PREFIX}CALLS_PER_SECOND",
            is_mandatory=False,
        )
    return Check(name=QUOTAS, state=State.DONE, found=f"those of {len(rates)} operations are within Amazon's limits")
