"""Charges that are authorized and wait for the merchant to capture them.

The buyer's bank has agreed, so the period needs no collecting; but the money is taken only when the merchant says so,
for instance as goods are sent. Amazon lets an authorization live for 30 days (Amazon Pay API v2, "charge").
"""

from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from billing.answers import ChargeAnswer, ChargeOutcome
from billing.collection import LOOK_AGAIN_AFTER, Action, Step
from billing.identity import MOST_CAPTURES, capture_key
from billing.ledger import PeriodOutcome, PeriodRecord
from billing.money import Money

AUTHORIZATION_LIVES: Final = timedelta(days=30)

_ENDED_WITHOUT_CAPTURE: Final = "not captured"


class Authorization(BaseModel):
    """One authorized charge.

    Attributes:
        record: the period as it stands in the account.
        charge_id: Amazon's.
        attempt_key: the idempotency key that the charge was made with.
        expires_at: when Amazon lets it lapse (UTC).
        capture: how much is being captured; None while the merchant has not said so.
        captures: how many captures were begun; the last one's number is part of its idempotency key.
        failed_for: the reasonCode of the last capture that failed.
        step: what happens next to it.
    """

    model_config = ConfigDict(frozen=True)

    record: PeriodRecord
    charge_id: str
    attempt_key: str
    expires_at: AwareDatetime
    capture: Money | None = None
    captures: int = 0
    failed_for: str | None = None
    step: Step

    @classmethod
    def of(cls, record: PeriodRecord, charge_id: str, attempt_key: str) -> Self:
        """A charge that was authorized just now; at its end it is looked at, whatever Amazon's notifications say."""
        expires_at = record.settled_at + AUTHORIZATION_LIVES
        why = f"period {record.period} is authorized, to be captured until {expires_at:%Y-%m-%d}"
        return cls(
            record=record,
            charge_id=charge_id,
            attempt_key=attempt_key,
            expires_at=expires_at,
            step=Step(action=Action.READ_AUTHORIZED, at=expires_at, why=why, charge_id=charge_id),
        )

    @property
    def capture_key(self) -> str:
        """The idempotency key of the capture under way."""
        return capture_key(self.attempt_key, self.captures)

    def check_capture(self, amount: Money) -> None:
        """Whether so much may be captured now.

        Raises:
            ValueError: another amount is being captured, or the amount is none that this charge was authorized for.
        """
        whole = self.record.amount
        if amount.currency != whole.currency or amount.is_zero or amount.amount > whole.amount:
            raise ValueError(f"amount: {amount} is not accepted; more than zero and at most {whole} was authorized")
        if self.capture not in {None, amount}:
            raise ValueError(f"amount: a capture of {self.capture} is under way already")
        if self.capture is None and self.captures >= MOST_CAPTURES:
            raise ValueError(f"capture: {self.captures} captures of {self.charge_id} failed; no more are tried")

    def capturing(self, amount: Money, now: datetime) -> Self:
        """The merchant wants it captured; asking again while it is under way changes nothing."""
        self.check_capture(amount)
        if self.capture is not None:
            return self
        return self._with(
            Action.CAPTURE_AUTHORIZED,
            now,
            f"period {self.record.period}: capture {amount}",
            capture=amount,
            captures=self.captures + 1,
            failed_for=None,
        )

    def looked_at(self, now: datetime, why: str) -> Self:
        """It is read now instead of later, unless it is about to be captured."""
        return self if self.step.action is Action.CAPTURE_AUTHORIZED else self._with(Action.READ_AUTHORIZED, now, why)

    def answered(self, to: Action, answer: ChargeAnswer, now: datetime) -> Self | PeriodRecord:
        """What follows an answer to capturing or reading it: the period's record once it is settled.

        Args:
            to: which of the two it answers: a capture may have been asked for while it was being read.
            answer: Amazon's.
            now: the instant of the answer (UTC).
        """
        was_capture = to is Action.CAPTURE_AUTHORIZED
        reason = answer.reason_code or _ENDED_WITHOUT_CAPTURE
        match answer.outcome:
            case ChargeOutcome.CAPTURED:
                taken = answer.captured or self.capture or self.record.amount
                return self.record.model_copy(
                    update={"outcome": PeriodOutcome.PAID, "amount": taken, "settled_at": now}
                )
            case ChargeOutcome.DECLINED if not was_capture:
                return self.record.model_copy(
                    update={"outcome": PeriodOutcome.GIVEN_UP, "reason": reason, "settled_at": now}
                )
            case _ if not was_capture and self.step.action is Action.CAPTURE_AUTHORIZED:
                return self
            case ChargeOutcome.DECLINED:
                # The charge itself says whether it is lost with that, or may be captured again.
                return self._with(Action.READ_AUTHORIZED, now, f"{reason}: does it still stand?", failed_for=reason)
            case ChargeOutcome.PENDING:
                return self._with(Action.READ_AUTHORIZED, now + LOOK_AGAIN_AFTER, "Amazon has not captured it yet")
            case ChargeOutcome.AUTHORIZED:
                return self._still_authorized(now)
            case ChargeOutcome.REFUSED if was_capture and answer.reason_code == "InvalidChargeStatus":
                return self._with(Action.READ_AUTHORIZED, now, f"{reason}: what became of it?", failed_for=reason)
            case ChargeOutcome.REFUSED:
                again = f"{reason}: held for the operator, tried again slowly"
                return self._with(self.step.action, now + LOOK_AGAIN_AFTER, again)

    def _still_authorized(self, now: datetime) -> Self:
        if self.capture is not None and self.failed_for is None:
            why = "Amazon does not show the capture yet"
            return self._with(Action.READ_AUTHORIZED, now + LOOK_AGAIN_AFTER, why)
        at = self.expires_at if self.expires_at > now else now + LOOK_AGAIN_AFTER
        why = f"period {self.record.period} is authorized, to be captured until {self.expires_at:%Y-%m-%d}"
        return self._with(Action.READ_AUTHORIZED, at, why, capture=None)

    def _with(self, action: Action, at: datetime, why: str, **changes: object) -> Self:
        urgent = action is Action.CAPTURE_AUTHORIZED
        step = Step(action=action, at=at, why=why, urgent=urgent, charge_id=self.charge_id)
        return self.model_copy(update={"step": step, **changes})
