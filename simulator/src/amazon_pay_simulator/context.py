"""What every operation works on."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from amazon_pay_client.ipn import ObjectType
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import Books
from amazon_pay_simulator.environments import ReleaseEnvironment

Notify = Callable[[ObjectType, str, str], None]
"""Takes a notification's object type, object id and charge permission id."""


@dataclass(frozen=True, slots=True)
class Context:
    """The account that operations change.

    Attributes:
        books: what is known.
        notify: told of each change of state, as Amazon's notifications are.
        assumptions: what the documentation leaves open.
        origin: where the simulator is reached, for the buyer's page.
        release_environment: where a buyer's consent is given that no request of a merchant's began.
        merchant_id: whose account it is, for settlements.
        owner: the same in ids; empty for the first merchant.
    """

    books: Books
    notify: Notify
    assumptions: Assumptions = field(default_factory=Assumptions)
    origin: str = "http://127.0.0.1"
    release_environment: str = ReleaseEnvironment.SANDBOX
    merchant_id: str = ""
    owner: str = ""


def new_session_id() -> str:
    """An id as checkout sessions have it."""
    return str(uuid.uuid4())
