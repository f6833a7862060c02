"""What a subscription might tell."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.summary import Summary
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.ledger import Ledger

BEGAN: Final = datetime(2027, 2, 3, 10, 30, tzinfo=UTC)
MONTH: Final = timedelta(days=28)


class Lenient(Ledger):
    """As releases before recorded: a number that was told again with something else stands beside the first."""

    async def _check_goes_on(self, *_: object) -> Collection[str]:
        return ()


def lenient(ledger: Ledger) -> Ledger:
    """The same ledger, of which something may be told that is not so any more."""
    return Lenient(ledger.engine, ledger.place, ledger.now)


def summary(**changes: Any) -> Summary:
    """Of a subscription to which nothing has happened."""
    return Summary(
        merchant_account="default",
        plan_id="tea-monthly",
        price=Money.parse("7.45 EUR"),
        interval=Interval(unit=Unit.MONTH),
        quantity=2,
        began_at=BEGAN,
        status=Status.ACTIVE,
        next_action=Action.CHARGE,
        next_action_at=BEGAN + MONTH,
        next_charge_at=BEGAN + MONTH,
    ).but(**changes)


def notice(number: int, kind: NoticeType = NoticeType.PERIOD_PAID, **fields: Any) -> Notice:
    """One of them."""
    given: dict[str, Any] = {"at": BEGAN + number * MONTH, "amount": Money.parse("14.90 EUR")}
    return Notice(number=number, type=kind, **given | fields)


def told(*notices: Notice, permission: str = "C01-2702031-0000001", **changes: Any) -> Told:
    """Handed on together."""
    given: dict[str, Any] = {
        "merchant_account": "default",
        "merchant_reference": f"order-{permission}",
        "plan_id": "tea-monthly",
        "summary": summary(),
    }
    return Told(charge_permission_id=permission, notices=notices, **given | changes)
