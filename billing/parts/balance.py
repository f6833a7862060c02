"""What is added to the next charge once, and what is taken off the next ones."""

from typing import Final, NamedTuple

from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.values import Value

MOST_ITEMS: Final = 50


class Item(Value):
    """A one-off item: something charged once, with the next charge."""

    amount: Money
    what: str


class Bill(NamedTuple):
    """What a period comes to.

    Attributes:
        amount: to be charged.
        credit: what a credit pays of it, beside the amount.
        items: what of the amount is for one-off items.
    """

    amount: Money
    credit: Money | None = None
    items: Money | None = None


class Balance(Value):
    """One-off items and credit that no charge has met yet.

    Attributes:
        items: in the order in which they were asked for.
        credit: what is taken off the next charges.
    """

    items: tuple[Item, ...] = ()
    credit: Money | None = None

    def items_in_all(self, currency: str) -> Money:
        """What the items come to."""
        total = Money.zero(currency)
        for item in self.items:
            total = total.plus(item.amount)
        return total

    def bill(self, price: Money) -> Bill:
        """What a period costs, with the items, and less what is credited."""
        items = self.items_in_all(price.currency)
        gross = price.plus(items)
        net = gross.less(self.credit) if self.credit else gross
        credit = gross.less(net)
        return Bill(net, None if credit.is_zero else credit, None if items.is_zero else items)

    def billed(self, bill: Bill) -> "Balance":
        """What is left once a period was billed."""
        left = self.credit.less(bill.credit) if self.credit and bill.credit else self.credit
        return Balance(credit=None if left is None or left.is_zero else left)

    def taken_back(self, bill: Bill, what: str) -> "Balance":
        """What a period was billed, but not charged, waits for the next charge again, before all that came since.

        Args:
            bill: the period's.
            what: what its one-off items are called from now on; their own names went with the bill.
        """
        items = (Item(amount=bill.items, what=what), *self.items) if bill.items else self.items
        before = Balance(items=items, credit=bill.credit)
        return before.with_credit(self.credit) if self.credit else before

    def with_item(self, item: Item) -> "Balance":
        """One more item.

        Raises:
            Refused: too many wait already, or they come to more than can be charged.
        """
        if len(self.items) >= MOST_ITEMS:
            raise Refused("item", item.what, f"{MOST_ITEMS} wait for the next charge already", Kind.NOT_NOW)
        added = self.but(items=(*self.items, item))
        added.items_in_all(item.amount.currency)
        return added

    def with_credit(self, amount: Money) -> "Balance":
        """So much more is taken off the next charges.

        Raises:
            Refused: it comes to more than any charge.
        """
        credit = self.credit.plus(amount) if self.credit else amount
        return self.but(credit=None if credit.is_zero else credit)
