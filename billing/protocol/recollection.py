"""What is looked up in the ledger because nobody remembers it any more: charges of long ago, and what went back."""

from pydantic import AwareDatetime

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.values import Value


class Recollection(Value):
    """What is to be looked up of one subscription, under all charge permissions that it has lived under.

    Attributes:
        charge_permission_id: the one that it lives under now, or lived under last.
        period: whose charge; None for none by its period.
        charge_id: which charge; None for none by its id.
        all_charges: every charge of which money may go back.
    """

    charge_permission_id: str
    period: int | None = None
    charge_id: str | None = None
    all_charges: bool = False


class RecalledCharge(Value):
    """A charge that was captured, as the ledger has it.

    Attributes:
        period: whose charge it is.
        due: when that fell due (UTC).
        amount: what was captured.
        attempts: how many were made to charge it.
        charge_id: Amazon's.
        settled_at: when it was captured (UTC).
        refunded: how much of it has gone back; None where nothing has.
        credit: how much of the period's price a credit has paid.
        credited: how much of the period was credited, as its days were not served.
    """

    period: int
    due: AwareDatetime
    amount: Money
    attempts: int = 1
    charge_id: str
    settled_at: AwareDatetime
    refunded: Money | None = None
    credit: Money | None = None
    credited: Money | None = None


class RecalledRefund(Value):
    """A refund that is settled, as the ledger has it.

    Attributes:
        charge_id: Amazon's, of its charge.
        refund_id: Amazon's; None where it was not taken.
        amount: how much.
        state: refunded, or failed.
        reference: by which asking again is recognised.
        reason_code: Amazon's, of a failure.
        settled_at: when (UTC).
    """

    charge_id: str
    refund_id: str | None = None
    amount: Money
    state: RefundState
    reference: str | None = None
    reason_code: str | None = None
    settled_at: AwareDatetime


class Recalled(Value):
    """What the ledger knows.

    Attributes:
        is_known: whether it has ever heard of the subscription.
        told: the number of the last notice.
        merchant_reference: the merchant's own.
        merchant_account: whose subscription it is.
        plan_id: the plan's.
        successor: the charge permission that it went on under.
        charges: those that were asked for, oldest first.
        refunds: of these charges, oldest first.
        refund_ids: the latest refunds that are recorded, by Amazon's ids.
    """

    is_known: bool = False
    told: int = 0
    merchant_reference: str = ""
    merchant_account: str = "default"
    plan_id: str = ""
    successor: str | None = None
    charges: tuple[RecalledCharge, ...] = ()
    refunds: tuple[RecalledRefund, ...] = ()
    refund_ids: tuple[str, ...] = ()
