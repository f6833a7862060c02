"""How a subscription stands: asked of itself, and where it cannot say, by the ledger."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from perennial_billing.billing.forecast.preview import Upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.refunds import refundable
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.finding import Found, Search, find
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.services import Services
from perennial_billing.starter.console.fields import Ground
from perennial_billing.starter.errors import SubscriptionError, SubscriptionNotFoundError
from perennial_billing.starter.hindered import Hindered
from perennial_billing.starter.stopped import Stopped

WAITS_SECONDS: Final = 4.0
"""How long a page waits for a subscription to answer: whoever has a customer on the telephone rather sees the
ledger's word for it."""

CHARGES_AHEAD: Final = 6


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a subscription.

    Attributes:
        charge_permission_id: which.
        view: as it says itself; None where it does not answer, or Temporal has forgotten it.
        upcoming: its charges to come.
        recorded: as the ledger has it; None where it has told nothing.
        stopped: how its workflow was ended from outside.
        hindered: what keeps its workflow from going on.
        silent: why it does not answer itself, where it should.
    """

    charge_permission_id: str
    view: SubscriptionView | None
    upcoming: tuple[Upcoming, ...]
    recorded: Found | None
    stopped: Stopped | None = None
    hindered: Hindered | None = None
    silent: str = ""

    @property
    def zone(self) -> str:
        """In which its days are counted; UTC where that is not known."""
        return self.view.terms.zone if self.view is not None else "UTC"

    @property
    def left(self) -> Mapping[int, Money]:
        """How much of each paid period that it remembers may still go back, where that is anything."""
        if self.view is None:
            return {}
        paid = [record for record in self.view.ledger if record.outcome is PeriodOutcome.PAID]
        left = {record.period: refundable(record, self.view.refunds) for record in paid}
        return {period: amount for period, amount in left.items() if not amount.is_zero}

    @property
    def ground(self) -> Ground:
        """What forms about it are read by.

        Raises:
            ProblemError: its currency is not known, so no amount of it can be.
        """
        if self.view is not None:
            return Ground(self.view.terms.plan.currency, self.zone)
        known = [] if self.recorded is None else [self.recorded.price, self.recorded.charged]
        currency = next((each.currency for each in known if each is not None), None)
        if currency is None:
            raise _unknown(self.charge_permission_id)
        return Ground(currency, self.zone)


async def standing_of(services: Services, charge_permission_id: str) -> Standing:
    """How it stands.

    Raises:
        ProblemError: neither Temporal nor the ledger knows it.
        LedgerError: the ledger cannot be used now.
    """
    found, answer = await asyncio.gather(
        find(services.ledger, Search(charge_permission_id=charge_permission_id), limit=1),
        _asked(services, charge_permission_id),
    )
    recorded = found[0] if found else None
    if isinstance(answer, SubscriptionNotFoundError) and recorded is None:
        raise _unknown(charge_permission_id)
    if isinstance(answer, SubscriptionNotFoundError):
        return Standing(charge_permission_id, None, (), recorded)
    if isinstance(answer, str):
        return Standing(charge_permission_id, None, (), recorded, silent=answer)
    view, upcoming, stopped, hindered = answer
    return Standing(charge_permission_id, view, tuple(upcoming), recorded, stopped, hindered)


Answer = tuple[SubscriptionView, list[Upcoming], Stopped | None, Hindered | None]


async def _asked(services: Services, charge_permission_id: str) -> Answer | SubscriptionNotFoundError | str:
    """What it says itself; or why it says nothing."""
    subscriptions = services.subscriptions
    try:
        async with asyncio.timeout(WAITS_SECONDS):
            (view, stopped, hindered), upcoming = await asyncio.gather(
                subscriptions.standing(charge_permission_id),
                subscriptions.upcoming(charge_permission_id, CHARGES_AHEAD),
            )
    except SubscriptionNotFoundError as error:
        return error
    except SubscriptionError as error:
        return str(error)
    except TimeoutError:
        return "it does not answer in time; is a worker there? `perennial check` tells"
    return view, upcoming, stopped, hindered


def _unknown(charge_permission_id: str) -> ProblemError:
    detail = f"charge permission {charge_permission_id}: neither Temporal nor the ledger knows it"
    return ProblemError(404, "not-found", "There is no such subscription", detail)
