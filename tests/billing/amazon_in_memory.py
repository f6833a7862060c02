"""Amazon as far as a subscription can tell: what it keeps under an idempotency key, its charges, one permission.

Its books are what the subscription's own account is compared with.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.authorizations import AUTHORIZATION_LIVES
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    PermissionAnswer,
    PermissionState,
    RefundAnswer,
    RefundState,
)
from perennial_billing.billing.protocol.commands import (
    Attempt,
    CaptureAuthorized,
    CaptureCharge,
    ClosePermission,
    Command,
    CreateCharge,
    CreateRefund,
    ReadAuthorized,
    ReadCharge,
    ReadDispute,
    ReadPermission,
    ReadRefund,
    ReadSuccessor,
    UpdatePermission,
)
from tests.billing.support import pinned_zone

ACCOUNT_TROUBLE: Final = frozenset({"UnauthorizedAccess", "InvalidAccountStatus"})
"""Seen before anything else, so these tell nothing of what an earlier request under the same key has done. They are
answered 403, which is never a decline."""

_BOOKED: Final = frozenset({ChargeOutcome.CAPTURED, ChargeOutcome.PENDING, ChargeOutcome.AUTHORIZED})

CLOSES_THE_PERMISSION: Final = frozenset({"AmazonRejected", "ChargePermissionCanceled"})

TAKEN: Final = ChargeAnswer(outcome=ChargeOutcome.CAPTURED)

AmazonsAnswer = ChargeAnswer | PermissionAnswer | RefundAnswer | DisputeAnswer


@dataclass
class BookedCharge:
    """A charge as Amazon sees it."""

    period: int
    answer: ChargeAnswer
    since: datetime
    """When it came to stand so."""
    captures: bool = True
    """Whether Amazon goes on to capture it once it is authorized."""


@dataclass
class BookedRefund:
    """A refund as Amazon sees it."""

    charge_id: str
    amount: Money
    answer: RefundAnswer


@dataclass(frozen=True)
class MonthlyLimit:
    """What may be charged in one calendar month, as Amazon counts months."""

    amount: Money
    zone: str

    def month(self, instant: datetime) -> tuple[int, int]:
        """Year and month of an instant, where they are counted."""
        local = instant.astimezone(pinned_zone(self.zone))
        return local.year, local.month


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
    refunds: dict[str, BookedRefund] = field(default_factory=dict)
    """By their keys."""
    disputes: dict[str, DisputeAnswer] = field(default_factory=dict)
    earlier_permissions: list[PermissionAnswer] = field(default_factory=list)
    said: dict[str, ChargeTexts | str | None] = field(default_factory=dict)
    """What the buyer was to read, by key."""
    limit: MonthlyLimit | None = None
    taken: list[tuple[datetime, Money]] = field(default_factory=list)
    """What was charged when, where there is a limit."""

    def perform(
        self, command: Command, now: datetime, charge: ChargeAnswer = TAKEN, refund: RefundState = RefundState.REFUNDED
    ) -> AmazonsAnswer:
        """Does what a command says.

        Args:
            command: that asks Amazon.
            now: when it arrives.
            charge: how a charge or a capture is decided, if that is decided now.
            refund: how a refund is.
        """
        match command:
            case CreateCharge(attempt=attempt, texts=texts):
                self.hear(attempt.idempotency_key, texts)
                assert attempt.capture_now or texts is None or texts.soft_descriptor is None, "only with captureNow"
                return self.create_charge(attempt, charge, now)
            case ReadCharge(charge_id=charge_id) | ReadAuthorized(charge_id=charge_id):
                self.lapse(now)
                return self.charges[charge_id].answer
            case CaptureCharge() | CaptureAuthorized():
                self.hear(command.idempotency_key, command.soft_descriptor)
                self.lapse(now)
                return self.capture(command.charge_id, command.idempotency_key, command.amount, charge)
            case ClosePermission():
                if command.cancel_pending_charges:
                    self.cancel_pending()
                self.change_permission(PermissionState.CLOSED, ("MerchantClosed",), now)
                return self.permission
            case ReadPermission() | ReadSuccessor() | UpdatePermission():
                return self.show(command)
            case CreateRefund():
                self.hear(command.idempotency_key, command.soft_descriptor)
                return self.create_refund(command, refund)
            case ReadRefund(refund_id=refund_id):
                return next(each.answer for each in self.refunds.values() if each.answer.refund_id == refund_id)
            case ReadDispute(dispute_id=dispute_id):
                return self.disputes[dispute_id]
            case _:
                raise AssertionError(f"{command.action} asks somebody else")

    def show(self, command: Command) -> PermissionAnswer:
        """The charge permission that is charged; or another, which the buyer has just approved."""
        if isinstance(command, ReadSuccessor):
            return PermissionAnswer(state=PermissionState.CHARGEABLE, given_for="Recurring")
        return self.permission.but(monthly_limit=self.limit and self.limit.amount)

    def hear(self, key: str, texts: ChargeTexts | str | None) -> None:
        """Takes what the buyer is to read: under a key that is known, what it was."""
        assert self.said.setdefault(key, texts) == texts, "the same key with other texts is a DuplicateIdempotencyKey"

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
        if decision.outcome in _BOOKED and not self.is_within_limit(attempt.amount, now):
            decision = ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code="PeriodicAmountExceeded")
        if decision.outcome in _BOOKED:
            self.taken.append((now, attempt.amount))
            charge_id = f"S01-{len(self.charges)}"
            decision = decision.model_copy(update={"charge_id": charge_id})
            self.charges[charge_id] = BookedCharge(attempt.period, decision, now, captures=attempt.capture_now)
        if decision.outcome is not ChargeOutcome.REFUSED or self.keeps_refusals:
            self.saved[attempt.idempotency_key] = decision
        if decision.reason_code in CLOSES_THE_PERMISSION:
            self.change_permission(PermissionState.CLOSED, ("AmazonCanceled",), now)
        return decision

    def is_within_limit(self, amount: Money, now: datetime) -> bool:
        """Whether the month of `now` bears one more charge."""
        return self.limit is None or self.left(now).amount >= amount.amount

    def left(self, now: datetime) -> Money:
        """What may still be charged in the month of `now`."""
        assert self.limit is not None
        left, month = self.limit.amount, self.limit.month(now)
        for at, amount in self.taken:
            if self.limit.month(at) == month:
                left = left.less(amount)
        return left

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

    def create_refund(self, command: CreateRefund, decision: RefundState) -> RefundAnswer:
        """Gives money back; a known key is answered as before."""
        known = self.refunds.get(command.idempotency_key)
        if known is not None:
            assert (known.charge_id, known.amount) == (command.charge_id, command.amount), "the same key for another"
            return known.answer
        assert self.charges[command.charge_id].answer.outcome is ChargeOutcome.CAPTURED, "nothing was captured"
        refund_id = f"R01-{len(self.refunds)}"
        answer = RefundAnswer(state=decision, refund_id=refund_id, reason_code=_why(decision))
        self.refunds[command.idempotency_key] = BookedRefund(command.charge_id, command.amount, answer)
        return answer

    def lapse(self, now: datetime) -> None:
        """Authorizations that are too old lapse."""
        for charge_id, charge in self.charges.items():
            if charge.answer.outcome is ChargeOutcome.AUTHORIZED and charge.since + AUTHORIZATION_LIVES <= now:
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

    def decide(self, charge_id: str, decision: ChargeAnswer, now: datetime) -> None:
        """A pending charge comes to its end."""
        charge = self.charges[charge_id]
        assert charge.answer.outcome is ChargeOutcome.PENDING
        if decision.outcome is ChargeOutcome.CAPTURED and not charge.captures:
            decision = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED)
        charge.answer, charge.since = decision.model_copy(update={"charge_id": charge_id}), now

    def decide_refund(self, refund: BookedRefund, decision: RefundState) -> None:
        """A pending refund comes to its end."""
        assert refund.answer.state is RefundState.PENDING
        refund.answer = refund.answer.but(state=decision, reason_code=_why(decision))

    def change_permission(self, state: PermissionState, reasons: tuple[str, ...], now: datetime) -> None:
        """The permission changes, unless it was closed."""
        if self.permission.is_closed:
            return
        self.earlier_permissions.append(self.permission)
        self.permission = PermissionAnswer(state=state, reason_codes=reasons, last_updated=now)

    def approve_another(self, period: int, now: datetime) -> None:
        """The buyer approves another permission: under it, nothing was tried yet of a period and of those after it."""
        self.requests = {key: known for key, known in self.requests.items() if known.period < period}
        self.permission = PermissionAnswer(state=PermissionState.CHARGEABLE, last_updated=now)
        self.earlier_permissions = []

    @property
    def pending(self) -> list[str]:
        """The charges not decided yet."""
        return [name for name, charge in self.charges.items() if charge.answer.outcome is ChargeOutcome.PENDING]

    @property
    def pending_refunds(self) -> list[BookedRefund]:
        """The refunds not decided yet."""
        return [refund for refund in self.refunds.values() if refund.answer.state is RefundState.PENDING]

    def charges_of(self, period: int, *outcomes: ChargeOutcome) -> int:
        """How many charges of a period stand so."""
        return sum(charge.period == period and charge.answer.outcome in outcomes for charge in self.charges.values())

    def keys_of(self, period: int) -> int:
        """How many attempts of a period were ever sent."""
        return sum(request.period == period for request in self.requests.values())

    def given_back(self, charge_id: str | None, currency: str) -> Money:
        """How much of a charge has gone back."""
        back = Money.zero(currency)
        for refund in self.refunds.values():
            if refund.charge_id == charge_id and refund.answer.state is RefundState.REFUNDED:
                back = back.plus(refund.amount)
        return back


def _why(decision: RefundState) -> str | None:
    return "ProcessingFailure" if decision is RefundState.FAILED else None
