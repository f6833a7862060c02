"""Whether the money comes out even: what Amazon's books say of one subscriber, and what the subscription itself says.

The auditor compares charge by charge. Here it is the sums, over every charge permission that was charged for somebody,
and against what the merchant was told: what was done twice under one id would be found here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from amazon_pay_client.models import ChargeState
from amazon_pay_client.models.refunds import RefundState
from amazon_pay_simulator.books import ExportedBooks
from benchmarks.wishes import ITEM_NOW
from perennial_billing.billing.changes import AddItem, RefundPeriod, When
from perennial_billing.billing.parts.ledger import LEDGER_LENGTH, PeriodOutcome
from perennial_billing.billing.requests import Request
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.workflows.messages import Outcome

_SERVED: Final = frozenset({PeriodOutcome.PAID, PeriodOutcome.FREE, PeriodOutcome.AUTHORIZED})


@dataclass(frozen=True, slots=True)
class Account:
    """One subscriber's money.

    Attributes:
        subscription: how it stands in the end.
        captured: what was taken, by Amazon's books.
        refunded: what went back, by them.
        accounted: what was paid less what went back, by the subscription's own account.
        refunds: how many Amazon took.
        items_charged: how many charges are just the price of an item that is charged by itself.
    """

    subscription: SubscriptionView
    captured: Decimal
    refunded: Decimal
    accounted: Decimal
    refunds: int
    items_charged: int


def account_of(charge_permissions: Sequence[str], subscription: SubscriptionView, books: ExportedBooks) -> Account:
    """What both say of one subscriber.

    Args:
        charge_permissions: all that were charged for them.
        subscription: under the last of these.
        books: Amazon's.
    """
    charges = [
        charge
        for charge in books.charges
        if charge.charge_permission_id in charge_permissions and charge.status_details.state == ChargeState.CAPTURED
    ]
    identifiers = {charge.charge_id for charge in charges}
    taken = [charge.capture_amount.amount for charge in charges if charge.capture_amount]
    refunds = [
        refund
        for refund in books.refunds
        if refund.charge_id in identifiers and refund.status_details.state != RefundState.DECLINED
    ]
    paid = [record for record in subscription.ledger if record.outcome is PeriodOutcome.PAID]
    return Account(
        subscription=subscription,
        captured=sum(taken, Decimal(0)),
        refunded=sum((charge.refunded_amount.amount for charge in charges if charge.refunded_amount), Decimal(0)),
        accounted=sum(
            (each.amount.amount - (each.refunded.amount if each.refunded else 0) for each in paid), Decimal(0)
        ),
        refunds=len(refunds),
        items_charged=taken.count(ITEM_NOW.amount),
    )


def differences(account: Account, answered: Sequence[tuple[Request, Outcome]], *, whole: bool) -> list[str]:
    """What does not come out even, in words.

    Args:
        account: what both say.
        answered: what was accepted, each request once.
        whole: nothing more was asked for that may have been done.
    """
    found: list[str] = []
    subscription = account.subscription
    if subscription.next_period > LEDGER_LENGTH:
        return ["the account does not reach back to the beginning"]
    if account.captured - account.refunded != account.accounted:
        found.append(
            f"{account.captured} captured less {account.refunded} refunded, and {account.accounted} in the account"
        )
    if not whole:
        return found
    requests = [request for request, _ in answered]
    wanted = sum(isinstance(request, RefundPeriod) for request in requests)
    if account.refunds != wanted:
        found.append(f"{account.refunds} refunds by Amazon, {wanted} were accepted")
    added = [request for request in requests if isinstance(request, AddItem)]
    by_themselves = sum(request.when is When.NOW for request in added)
    if account.items_charged > by_themselves:
        found.append(f"{account.items_charged} items charged by themselves, {by_themselves} were accepted")
    return found + _of_balance(subscription, added)


def _of_balance(subscription: SubscriptionView, added: Sequence[AddItem]) -> list[str]:
    """Items and credits: each is in one charge, or still open. While a period is owed its own are not told.

    A period that is written off takes its items with it, and gives its credit back.

    The days of a change that is settled at the renewal are paid by a credit, which the next charge has as an item: the
    two are equal, so both stand in one sum.
    """
    if subscription.owed is not None:
        return []
    records = subscription.ledger
    served = [each for each in records if each.outcome in _SERVED]
    owed_to_buyer = [each.amount.amount for each in added if each.credit]
    owed_to_buyer += [each.credited.amount for each in records if each.credited]
    owed_to_buyer += [each.items.amount for each in records if each.items]
    owed_to_buyer += [each.amount.amount for each in subscription.items]
    met = [each.amount.amount for each in added if not each.credit and each.when is When.RENEWAL]
    met += [each.credit.amount for each in served if each.credit]
    met += [subscription.credit.amount] if subscription.credit else []
    if sum(owed_to_buyer) == sum(met):
        return []
    return [f"credits given and items charged come to {sum(owed_to_buyer)}, credits used and items added to {sum(met)}"]
