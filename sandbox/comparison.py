"""Compares the simulator's books with a subscription's own account: the promise, checked by the auditor's rules."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from amazon_pay_simulator.books import ExportedBooks
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.witness import BooksWitness
from perennial_billing.starter.audit.account import Account
from perennial_billing.starter.audit.case import Case
from perennial_billing.starter.audit.rules import findings


@dataclass(frozen=True, slots=True)
class Comparison:
    """One subscriber's figures from both sides, and every way in which they disagree.

    Attributes:
        name: who.
        charge_permission_id: the same, at Amazon.
        periods_due: periods that fell due until the subscription ended, or until now.
        periods_paid: by the subscription's own account.
        charges_captured: by the books.
        amount_paid: by the subscription's own account.
        amount_captured: by the books.
        differences: empty where the promise was kept.
    """

    name: str
    charge_permission_id: str
    periods_due: int
    periods_paid: int
    charges_captured: int
    amount_paid: Decimal
    amount_captured: Decimal
    differences: tuple[str, ...]


def compare(name: str, subscription: SubscriptionView, books: ExportedBooks, now: datetime) -> Comparison:
    """Holds a subscription's ledger against the books.

    Args:
        name: the subscriber's, for people.
        subscription: whose ledger still holds every period.
        books: the simulator's.
        now: the subscription's time (UTC); periods due before it must be accounted for.
    """
    account = Account.of_view(subscription)
    identifier = subscription.charge_permission_id
    testimony = BooksWitness(books).testimony(identifier, frozenset(account.charge_ids), now)
    case = Case(
        charge_permission_id=identifier,
        now=now,
        account=account,
        subscription=subscription,
        permission=testimony.permission,
        charges={each.charge_id: each for each in testimony.charges},
        all_charges=True,
    )
    return Comparison(
        name=name,
        charge_permission_id=case.charge_permission_id,
        periods_due=sum(date.due <= (subscription.ended_at or now) for date in subscription.dates),
        periods_paid=len(account.paid),
        charges_captured=len(case.captured),
        amount_paid=sum((each.amount.amount for each in account.paid), Decimal(0)),
        amount_captured=sum((taken.amount for booked in case.captured if (taken := booked.taken)), Decimal(0)),
        differences=tuple(finding.says for finding in findings(case)),
    )
