"""What a merchant may ask of a running subscription, as a form; what there is stands in `billing.changes`."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import StringConstraints

from perennial_billing.billing.protocol.recollection import Recollection
from perennial_billing.billing.register import Result
from perennial_billing.billing.values import Value

if TYPE_CHECKING:
    from perennial_billing.billing.subscription import Subscription


class Asker(Value):
    """Who asks for something, and why, as it is kept for whoever looks later; neither changes what is done.

    Attributes:
        actor: a name of the merchant's for the person or the program; no personal data.
        because: why, in a line; no personal data.
    """

    actor: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,128}$")] | None = None
    because: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,255}$")] | None = None


NOBODY: Final = Asker()
"""Nobody says who asks."""


class Request(Value, ABC):
    """One thing that is wanted. It is tried on a value, so what is refused has changed nothing."""

    kind: str
    """What kind of thing, in a word."""

    def model_post_init(self, _context: object) -> None:
        """Keeps which fields were given: whoever makes a form of a request asks for that."""

    @property
    def references(self) -> tuple[str, ...]:
        """The merchant's own names for it, by which asking again is recognised."""
        return ()

    def looks_up(self, subscription: "Subscription") -> Recollection | None:  # noqa: ARG002 - for those that do
        """What the ledger is to be asked for before, as the subscription does not remember it; None where nothing is.

        Args:
            subscription: stays as it is.
        """
        return None

    @abstractmethod
    def apply(self, subscription: "Subscription", now: datetime) -> "tuple[Subscription, Result]":
        """The subscription as it is then, and what the request came to.

        Args:
            subscription: stays as it is.
            now: when it is asked for (UTC).

        Raises:
            Refused: it cannot be; says why.
        """
