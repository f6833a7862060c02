"""How each period ended, in the subscription's own account."""

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from billing.money import Money

LEDGER_LENGTH: Final = 24
"""Periods kept in the state; older ones are counted only, so that the state stays small for ever."""


class PeriodOutcome(StrEnum):
    """How a period ended."""

    PAID = "paid"
    AUTHORIZED = "authorized"
    """The buyer's bank agreed; the merchant has not captured it yet."""
    FREE = "free"
    GIVEN_UP = "given_up"
    SKIPPED = "skipped"
    """Nothing was owed for it: it fell due while the subscription was paused, or as a policy says."""


class PeriodRecord(BaseModel):
    """One period's end in the subscription's own account.

    Attributes:
        period: counted from 0.
        due: when it fell due (UTC).
        amount: what it cost; what was captured, where that was less.
        outcome: how it ended.
        attempts: how many were made to charge it.
        settled_at: when it ended (UTC).
        charge_id: Amazon's, of the charge that paid it.
        reason: why it ended so, where that needs a reason.
        refunded: how much has gone back since.
        credit: how much of its price a credit has paid; it is not in the amount.
        extras: how much of the amount was for things charged once.
    """

    model_config = ConfigDict(frozen=True)

    period: int
    due: AwareDatetime
    amount: Money
    outcome: PeriodOutcome
    attempts: int
    settled_at: AwareDatetime
    charge_id: str | None = None
    reason: str | None = None
    refunded: Money | None = None
    credit: Money | None = None
    extras: Money | None = None
