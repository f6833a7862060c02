"""The charges to come: when, how much and why, supposing that every one of them succeeds."""

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from billing.answers import ChargeAnswer
from billing.collection import Attempt
from billing.forward import CAPTURED, perform
from billing.money import Money
from billing.subscription import Subscription

MOST_CHARGES: Final = 120
"""Ten years of months."""

_MOST_STEPS: Final = 2_000


class Upcoming(BaseModel):
    """A period to come, or one that is owed.

    Attributes:
        period: its number, counted from 0.
        due: when it falls due, or fell (UTC).
        at: when it is charged (UTC).
        amount: what is charged; zero where nothing is.
        why: what kind of period it is, and what is special about it.
    """

    model_config = ConfigDict(frozen=True)

    period: int
    due: AwareDatetime
    at: AwareDatetime
    amount: Money
    why: str


def upcoming(subscription: Subscription, count: int, now: datetime) -> list[Upcoming]:
    """The next periods, up to `count`; fewer where the subscription ends before, or waits for somebody.

    Args:
        subscription: stays as it is.
        count: 1 to 120.
        now: nothing is charged before it (UTC).

    Raises:
        ValueError: the count is not accepted.
    """
    if not 1 <= count <= MOST_CHARGES:
        raise ValueError(f"count: {count} is not accepted; 1 to {MOST_CHARGES} are")
    ahead = subscription.model_copy(deep=True)
    found: list[Upcoming] = []
    for _ in range(_MOST_STEPS):
        step = ahead.next_to_do
        if step is None or ahead.has_ended or len(found) == count:
            break
        now = max(now, step.at)
        number = ahead.next_period
        begins, asked = ahead.collection is None, ahead.asks_for_amount
        charged: list[Attempt] = []

        def succeed(attempt: Attempt, charged: list[Attempt] = charged) -> ChargeAnswer:
            charged.append(attempt)
            return CAPTURED

        perform(ahead, step, now, succeed)
        if charged or (begins and ahead.next_period == number + 1 and ahead.ledger[-1].amount.is_zero):
            record = ahead.ledger[-1]
            why = ahead.schedule.describe(number) if begins else step.why
            if asked:
                why += "; at most, your endpoint says so when it falls due"
            found.append(Upcoming(period=number, due=record.due, at=now, amount=record.amount, why=why))
    return found
