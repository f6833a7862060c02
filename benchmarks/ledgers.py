"""Whether the ledger has what happened: without gaps, once each, and what Amazon's books say was captured."""

from collections.abc import Sequence

from amazon_pay_client.models import ChargeState
from amazon_pay_simulator.books import ExportedBooks
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.finding import timeline
from perennial_billing.ledger.ledger import Ledger

MOST_TOLD = 1_000_000
"""By one subscription; all of it is read at once."""


async def missing_of(
    ledger: Ledger, charge_permissions: Sequence[str], subscription: SubscriptionView, books: ExportedBooks
) -> tuple[int, list[str]]:
    """How many entries there are of a subscriber, and what is wrong with them, in words.

    Args:
        ledger: what was told.
        charge_permissions: all that were charged for them; the numbers go on from one to the next.
        subscription: under the last of these.
        books: Amazon's.
    """
    entries = [
        entry for identifier in charge_permissions for entry in await timeline(ledger, identifier, limit=MOST_TOLD)
    ]
    numbers = sorted(entry.notice.number for entry in entries)
    captured = {
        charge.charge_id
        for charge in books.charges
        if charge.charge_permission_id in charge_permissions and charge.status_details.state == ChargeState.CAPTURED
    }
    paid = [entry.notice.charge_id for entry in entries if entry.notice.type is NoticeType.PERIOD_PAID]
    found = []
    if numbers != list(range(1, subscription.notices_told + 1)):
        found.append(f"the ledger has the numbers {numbers}, and {subscription.notices_told} were told")
    if len(paid) != len(set(paid)):
        found.append("the ledger has a charge twice")
    if untold := captured - set(paid):
        found.append(f"Amazon captured {', '.join(sorted(untold))}, and the ledger has no such charge")
    return len(entries), found
