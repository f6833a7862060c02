"""Amazon as far as a subscription can tell: what it keeps under an idempotency key, its charges, one permission.

Its books are what the subscription's own account is compared with.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from billing.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from billing.collection import Attempt
from billing.money import Money

ACCOUNT_TROUBLE: Final = frozenset({"UnauthorizedAccess", "InvalidAccountStatus"})
"""Seen before anything else, so these tell nothing of what an earlier request under the same key has done. They are
answered 403, which is never a decline."""

_BOOKED: Final = frozenset({ChargeOutcome.CAPTURED, ChargeOutcome.PENDING, ChargeOutcome.AUTHORIZED})

CLOSES_THE_PERMISSION: Final = frozenset({"AmazonRejected", "ChargePermissionCanceled"})


@dataclass
class BookedCharge:
    """A charge as Amazon sees it."""

    period: int
    answer: ChargeAnswer
    captures: bool = True
    """Whether Amazon goes on to capture it once it is authorized."""


@dataclass
class AmazonInMemory:
    """Keeps the first answer to each key for ever; whether also refusals is not documented, so both are tried."""

    keeps_refusals: bool
    permission: PermissionAnswer
    saved: dict[str, ChargeAnswer] = field(default_factory=dict)
    requests: dict[str, Attempt] = field(default_factory=dict)
    charges: dict[str, BookedCharge] = field(default_factory=dict)
    captures: dict[str, tuple[str, Money]] = field(default_factory=dict)
    """What each capture's key was used for."""
    earlier_permissions: list[PermissionAnswer] = field(default_factory=list)

    def create_charge(self, attempt: Attempt, decision: ChargeAnswer, now: datetime) -> ChargeAnswer:
        """Answers a request: a known key as it was answered before, a new one as decided."""
        first = self.requests.setdefault(attempt.idempotency_key, attempt)
        assert attempt == first, "the same key with another request is a DuplicateIdempotencyKey"
        if decision.reason_code in ACCOUNT_TROUBLE:
            return decision.model_copy(update={"outcome": ChargeOutcome.REFUSED})
        if attempt.idempotency_key in self.saved:
            return self.saved[attempt.idempotency_key]
        if self.permission.is_closed and decision.outcome is not ChargeOutcome.REFUSED:
            decision = ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code="InvalidChargePermissionStatus")
        if decision.outcome is ChargeOutcome.CAPTURED and not attempt.capture_now:
            decision = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED)
        if decision.outcome in _BOOKED:
            charge_id = f"S01-{len(self.charges)}"
            decision = decision.model_copy(update={"charge_id": charge_id})
            self.charges[charge_id] = BookedCharge(attempt.period, decision, captures=attempt.capture_now)
        if decision.outcome is not ChargeOutcome.REFUSED or self.keeps_refusals:
            self.saved[attempt.idempotency_key] = decision
        if decision.reason_code in CLOSES_THE_PERMISSION:
            self.change_permission(PermissionState.CLOSED, ("AmazonCanceled",), now)
        return decision

    def read_charge(self, charge_id: str) -> ChargeAnswer:
        return self.charges[charge_id].answer

    def capture(self, charge_id: str, key: str, amount: Money, decision: ChargeAnswer) -> ChargeAnswer:
        """Captures an authorized charge; a known key is answered as before, but for refusals of the account."""
        charge, request = self.charges[charge_id], (charge_id, amount)
        assert self.captures.setdefault(key, request) == request, "the same key with another request"
        if decision.reason_code in ACCOUNT_TROUBLE:
            return decision.model_copy(update={"outcome": ChargeOutcome.REFUSED})
        if key in self.saved:
            return self.saved[key]
        if charge.answer.outcome is not ChargeOutcome.AUTHORIZED:
            return ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code="InvalidChargeStatus")
        if decision.outcome in {ChargeOutcome.CAPTURED, ChargeOutcome.PENDING}:
            decision = decision.model_copy(update={"charge_id": charge_id, "captured": amount})
            charge.answer, charge.captures = decision, True
        if decision.outcome is not ChargeOutcome.REFUSED or self.keeps_refusals:
            self.saved[key] = decision
        return decision

    def expire(self, charge_id: str) -> None:
        """An authorization lapses."""
        charge = self.charges[charge_id]
        if charge.answer.outcome is ChargeOutcome.AUTHORIZED:
            charge.answer = ChargeAnswer(
                outcome=ChargeOutcome.DECLINED, charge_id=charge_id, reason_code="ExpiredUnused"
            )

    def cancel_pending(self) -> None:
        """Charges that are not captured are canceled with the permission."""
        for charge_id, charge in self.charges.items():
            if charge.answer.outcome in {ChargeOutcome.AUTHORIZED, ChargeOutcome.PENDING}:
                charge.answer = ChargeAnswer(
                    outcome=ChargeOutcome.DECLINED, charge_id=charge_id, reason_code="ChargePermissionCanceled"
                )

    def decide(self, charge_id: str, decision: ChargeAnswer) -> None:
        """A pending charge comes to its end."""
        charge = self.charges[charge_id]
        assert charge.answer.outcome is ChargeOutcome.PENDING
        if decision.outcome is ChargeOutcome.CAPTURED and not charge.captures:
            decision = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED)
        charge.answer = decision.model_copy(update={"charge_id": charge_id})

    def change_permission(self, state: PermissionState, reasons: tuple[str, ...], now: datetime) -> None:
        """The permission changes, unless it was closed."""
        if self.permission.is_closed:
            return
        self.earlier_permissions.append(self.permission)
        self.permission = PermissionAnswer(state=state, reason_codes=reasons, last_updated=now)

    @property
    def pending(self) -> list[str]:
        """The charges not decided yet."""
        return [name for name, charge in self.charges.items() if charge.answer.outcome is ChargeOutcome.PENDING]

    def charges_of(self, period: int, *outcomes: ChargeOutcome) -> int:
        """How many charges of a period stand so."""
        return sum(charge.period == period and charge.answer.outcome in outcomes for charge in self.charges.values())

    def keys_of(self, period: int) -> int:
        """How many attempts of a period were ever sent."""
        return sum(request.period == period for request in self.requests.values())
