"""The test cards of a sandbox buyer's wallet. Source: Amazon Pay, "sandbox simulations"."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from amazon_pay_simulator.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Card:
    """One card: what the buyer sees, and what completing the checkout session comes to.

    Attributes:
        last_digits: how it is known.
        brand: for people.
        story: what it is for.
        cancels: why the session is canceled instead of completed.
        pends: the authorization is pending at first.
        declines: why the pending authorization is declined in the end.
    """

    last_digits: str
    brand: str
    story: str
    cancels: str | None = None
    pends: bool = False
    declines: str | None = None

    @property
    def descriptor(self) -> str:
        """As Amazon answers it in `paymentPreferences`."""
        return f"{self.brand} ****{self.last_digits} (Amazon Pay)"

    @property
    def succeeds(self) -> bool:
        """Whether nothing comes in between."""
        return self.cancels is None and not self.pends


CARDS: Final = MappingProxyType(
    {
        card.last_digits: card
        for card in (
            Card("1111", "Visa", "succeeds"),
            Card("0005", "American Express", "succeeds"),
            Card("4444", "MasterCard", "succeeds"),
            Card("9424", "Discover", "succeeds"),
            Card("0000", "JCB", "succeeds"),
            Card("3064", "Visa", "the buyer cancels", cancels="BuyerCanceled"),
            Card("3434", "Visa", "is declined", cancels="Declined"),
            Card("0701", "Visa", "is pending, then authorized", pends=True),
            Card("4354", "Visa", "is pending, then declined", pends=True, declines="HardDeclined"),
        )
    }
)
DEFAULT_CARD: Final = "1111"


def card_of(last_digits: str) -> Card:
    """A card by its last digits.

    Raises:
        Refusal: InvalidParameterValue.
    """
    if last_digits not in CARDS:
        raise Refusal("InvalidParameterValue", f"There is no test card {last_digits}; accepted are {', '.join(CARDS)}")
    return CARDS[last_digits]
