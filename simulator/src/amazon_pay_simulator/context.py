"""What every operation works on."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from amazon_pay_client.ipn import ObjectType
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import Appointment, Books

Notify = Callable[[ObjectType, str, str], None]
"""Takes a notification's object type, object id and charge permission id."""

RELEASE_ENVIRONMENT = "Sandbox"


@dataclass(frozen=True, slots=True)
class Context:
    """The account that operations change.

    Attributes:
        books: what is known.
        notify: told of each change of state, as Amazon's notifications are.
        assumptions: what the documentation leaves open.
        origin: where the simulator is reached, for the buyer's page.
    """

    books: Books
    notify: Notify
    assumptions: Assumptions = field(default_factory=Assumptions)
    origin: str = "http://127.0.0.1"

    def appoint(self, object_id: str, appointment: Appointment) -> None:
        """Lets an object change by itself later; it replaces what was to happen to it before."""
        self.books.appointments[object_id] = appointment

    def disappoint(self, object_id: str) -> None:
        """Nothing will happen to the object by itself any more."""
        self.books.appointments.pop(object_id, None)


def new_session_id() -> str:
    """An id as checkout sessions have it."""
    return str(uuid.uuid4())
