"""Charges that are authorized and wait for the merchant to capture them.

The buyer's bank has agreed, so the period needs no collecting; but the money is taken only when the merchant says so,
for instance as goods are sent. Amazon lets an authorization live for 30 days (Amazon Pay API v2, "charge").
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.keys import MOST_CAPTURES, capture_key
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome, PeriodRecord
from perennial_billing.billing.parts.stages import LOOK_AGAIN_AFTER
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.protocol.commands import CaptureAuthorized, Command, ReadAuthorized
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.values import Value

AUTHORIZATION_LIVES: Final = timedelta(days=30)

_ENDED_WITHOUT_CAPTURE: Final = "not captured"


class Doing(StrEnum):
    """What is done next to an authorized charge."""

    READ = "read"
    CAPTURE = "capture"


class Authorization(Value):
    """One authorized charge.

    Attributes:
        record: the period as it stands in the account.
        charge_id: Amazon's.
        attempt_key: the idempotency key that the charge was made with.
        expires_at: when Amazon lets it lapse (UTC).
        capture: how much is being captured; None while the merchant has not said so.
        captures: how many captures were begun; the last one's number is part of its idempotency key.
        failed_for: the reasonCode of the last capture that failed.
        soft_descriptor: what the buyer's statement shows of a capture.
        doing: what is done next to it.
        at: when (UTC).
        at_once: whether that follows from what just happened.
        why: in words.
    """

    record: PeriodRecord
    charge_id: str
    attempt_key: str
    expires_at: AwareDatetime
    capture: Money | None = None
    captures: int = 0
    failed_for: str | None = None
    soft_descriptor: str | None = None
    doing: Doing = Doing.READ
    at: AwareDatetime
    at_once: bool = False
    why: str

    @classmethod
    def of(
        cls, record: PeriodRecord, charge_id: str, attempt_key: str, soft_descriptor: str | None = None
    ) -> "Authorization":
        """A charge that was authorized just now; at its end it is looked at, whatever Amazon's notifications say."""
        expires_at = record.settled_at + AUTHORIZATION_LIVES
        why = f"period {record.period} is authorized, to be captured until {expires_at:%Y-%m-%d}"
        return cls(
            record=record,
            charge_id=charge_id,
            attempt_key=attempt_key,
            expires_at=expires_at,
            soft_descriptor=soft_descriptor,
            at=expires_at,
            why=why,
        )

    @property
    def is_capturing(self) -> bool:
        """Whether a capture was asked for, and its outcome is not known yet."""
        return self.capture is not None

    @property
    def capture_key(self) -> str:
        """The idempotency key of the capture under way."""
        return capture_key(self.attempt_key, self.captures)

    @property
    def next_command(self) -> Command:
        """What is done next to it."""
        period, at_once = self.record.period, self.at_once
        if self.doing is Doing.READ:
            return ReadAuthorized(period=period, charge_id=self.charge_id, at=self.at, at_once=at_once, why=self.why)
        return CaptureAuthorized(
            period=period,
            charge_id=self.charge_id,
            amount=self.capture or self.record.amount,
            idempotency_key=self.capture_key,
            soft_descriptor=self.soft_descriptor,
            at=self.at,
            at_once=at_once,
            why=self.why,
            urgent=True,
        )

    def capturing(self, amount: Money | None, now: datetime) -> "Authorization":
        """The merchant wants it captured, all where no amount is given; asking again meanwhile changes nothing.

        Raises:
            Refused: another amount is being captured, or the amount is none that this charge was authorized for.
        """
        whole = self.record.amount
        amount = amount or whole
        if amount.currency != whole.currency or amount.is_zero or amount.amount > whole.amount:
            raise Refused("amount", amount, f"more than zero and at most {whole} was authorized")
        if self.capture not in {None, amount}:
            raise Refused("amount", amount, f"a capture of {self.capture} is under way already", Kind.CONFLICT)
        if self.capture is None and self.captures >= MOST_CAPTURES:
            why = f"{self.captures} captures of {self.charge_id} failed; no more are tried"
            raise Refused("period", self.record.period, why, Kind.NOT_NOW)
        if self.capture is not None:
            return self
        asked = self.but(capture=amount, captures=self.captures + 1, failed_for=None)
        return asked._to(Doing.CAPTURE, now, f"period {self.record.period}: capture {amount}", at_once=True)

    def read_now(self, now: datetime, why: str) -> "Authorization":
        """It is read now instead of later, unless it is about to be captured."""
        return self if self.doing is Doing.CAPTURE else self._to(Doing.READ, now, why, at_once=True)

    def answered(self, *, was_capture: bool, answer: ChargeAnswer, now: datetime) -> "Authorization | PeriodRecord":
        """What follows an answer to capturing or reading it: the period's record once it is settled.

        Args:
            was_capture: which of the two it answers: a capture may have been asked for while it was being read.
            answer: Amazon's.
            now: the instant of the answer (UTC).
        """
        reason = answer.reason_code or _ENDED_WITHOUT_CAPTURE
        match answer.outcome:
            case ChargeOutcome.CAPTURED:
                taken = answer.captured or self.capture or self.record.amount
                return self.record.but(outcome=PeriodOutcome.PAID, amount=taken, settled_at=now)
            case ChargeOutcome.DECLINED if not was_capture:
                return self.record.but(outcome=PeriodOutcome.WRITTEN_OFF, reason=reason, settled_at=now)
            case _ if not was_capture and self.doing is Doing.CAPTURE:
                return self
            case ChargeOutcome.DECLINED:
                # The charge itself says whether it is lost with that, or may be captured again.
                why = f"{reason}: does it still stand?"
                return self.but(failed_for=reason)._to(Doing.READ, now, why, at_once=True)
            case ChargeOutcome.PENDING:
                return self._to(Doing.READ, now + LOOK_AGAIN_AFTER, "Amazon has not captured it yet")
            case ChargeOutcome.AUTHORIZED:
                return self._still_authorized(now)
            case ChargeOutcome.REFUSED if was_capture and answer.reason_code == "InvalidChargeStatus":
                why = f"{reason}: what became of it?"
                return self.but(failed_for=reason)._to(Doing.READ, now, why, at_once=True)
            case ChargeOutcome.REFUSED:
                again = f"{reason}: yours to mend; tried again each hour"
                return self._to(self.doing, now + LOOK_AGAIN_AFTER, again)

    def _still_authorized(self, now: datetime) -> "Authorization":
        if self.capture is not None and self.failed_for is None:
            return self._to(Doing.READ, now + LOOK_AGAIN_AFTER, "Amazon does not show the capture yet")
        at = self.expires_at if self.expires_at > now else now + LOOK_AGAIN_AFTER
        why = f"period {self.record.period} is authorized, to be captured until {self.expires_at:%Y-%m-%d}"
        return self.but(capture=None)._to(Doing.READ, at, why)

    def _to(self, doing: Doing, at: datetime, why: str, *, at_once: bool = False) -> "Authorization":
        return self.but(doing=doing, at=at, why=why, at_once=at_once)
