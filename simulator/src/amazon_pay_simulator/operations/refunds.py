"""Refunds, always asynchronous. Source: Amazon Pay API v2, "refund"."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from amazon_pay_client.ipn import ObjectType
from amazon_pay_client.models import ChargeState, Currency, Price
from amazon_pay_client.models.refunds import CreateRefundRequest, RefundState, RefundStatusDetails
from amazon_pay_simulator.agenda import Appointment
from amazon_pay_simulator.context import Context
from amazon_pay_simulator.objects import Charge, Refund
from amazon_pay_simulator.refusals import Refusal

ABOVE_SHARE: Final = Decimal("0.15")
ABOVE_AMOUNT: Final = {Currency.JPY: Decimal(8_400)}
ABOVE_AMOUNT_OF_OTHERS: Final = Decimal(75)
"""So much more than was captured may be refunded, whichever of the two is less."""


class Refunds:
    """Creates and reads refunds."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._books = context.books

    def create(self, request: CreateRefundRequest, now: datetime, simulate: str | None = None) -> Refund:
        """Begins a refund; with `simulate` it will be declined for that reason.

        Raises:
            Refusal: ResourceNotFound, InvalidChargeStatus, CurrencyMismatch or TransactionAmountExceeded.
        """
        charge = self._books.charge(request.charge_id)
        captured = charge.capture_amount
        if charge.status_details.state != ChargeState.CAPTURED or captured is None:
            raise Refusal("InvalidChargeStatus", f"The charge is {charge.status_details.state}, not captured")
        self._check_amount(request.refund_amount, captured, charge)
        number = len(self._books.refunds) + 1
        order = charge.charge_id.rpartition("-C")[0]
        refund = Refund(
            refund_id=f"{order}-R{number:06}",
            charge_id=charge.charge_id,
            creation_timestamp=now,
            refund_amount=request.refund_amount,
            status_details=RefundStatusDetails(state=RefundState.REFUND_INITIATED, last_updated_timestamp=now),
            soft_descriptor=request.soft_descriptor,
            release_environment=charge.release_environment,
        )
        self._books.refunds[refund.refund_id] = refund
        self._context.notify(ObjectType.REFUND, refund.refund_id, charge.charge_permission_id)
        self._books.agenda.make(
            refund.refund_id,
            Appointment(
                at=now + self._context.assumptions.refund_takes,
                object_type=ObjectType.REFUND,
                charge_permission_id=charge.charge_permission_id,
                state=RefundState.DECLINED if simulate else RefundState.REFUNDED,
                reason_code=simulate,
            ),
        )
        return refund

    def read(self, refund_id: str) -> Refund:
        """Reads a refund.

        Raises:
            Refusal: ResourceNotFound.
        """
        return self._books.refund(refund_id)

    def keep(self, refund_id: str, appointment: Appointment) -> None:
        """A refund is decided on."""
        self._books.agenda.drop(refund_id)
        refund = self._books.refund(refund_id)
        details = RefundStatusDetails(
            state=appointment.state, reason_code=appointment.reason_code, last_updated_timestamp=appointment.at
        )
        self._books.refunds[refund_id] = refund.model_copy(update={"status_details": details})
        if appointment.state == RefundState.REFUNDED:
            charge = self._books.charge(refund.charge_id)
            before = charge.refunded_amount.amount if charge.refunded_amount else Decimal(0)
            total = refund.refund_amount.model_copy(update={"amount": before + refund.refund_amount.amount})
            self._books.charges[charge.charge_id] = charge.model_copy(update={"refunded_amount": total})
        self._context.notify(ObjectType.REFUND, refund_id, appointment.charge_permission_id)

    def _check_amount(self, amount: Price, captured: Price, charge: Charge) -> None:
        if amount.currency_code != captured.currency_code:
            raise Refusal("CurrencyMismatch", f"The charge is in {captured.currency_code}, not {amount.currency_code}")
        above = ABOVE_AMOUNT.get(Currency(captured.currency_code), ABOVE_AMOUNT_OF_OTHERS)
        most = captured.amount + min(captured.amount * ABOVE_SHARE, above)
        refunded = sum(
            (
                refund.refund_amount.amount
                for refund in self._books.refunds_of(charge.charge_id)
                if refund.status_details.state != RefundState.DECLINED
            ),
            Decimal(0),
        )
        if refunded + amount.amount > most:
            raise Refusal("TransactionAmountExceeded", f"{most} may be refunded in all, and {refunded} was already")
