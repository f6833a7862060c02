"""What happens by itself, and when. Found without looking at everything: the clock asks every second."""

from collections import defaultdict
from collections.abc import Iterator, MutableMapping
from datetime import datetime
from heapq import heapify, heappop, heappush

from pydantic import AwareDatetime, BaseModel

from amazon_pay_client.ipn import ObjectType


class Appointment(BaseModel):
    """A change that comes by itself: what an object's state becomes at an instant (UTC), and why."""

    at: AwareDatetime
    object_type: ObjectType
    charge_permission_id: str
    state: str
    reason_code: str | None = None


class Agenda:
    """Appointments by the id of the object that changes; an object has one at the most.

    Args:
        kept: where they are kept. Nobody else may change it.
    """

    def __init__(self, kept: MutableMapping[str, Appointment]) -> None:
        self._kept = kept
        self._soonest = [(appointment.at, object_id) for object_id, appointment in kept.items()]
        heapify(self._soonest)
        self._of_permission: defaultdict[str, set[str]] = defaultdict(set)
        for object_id, appointment in kept.items():
            self._of_permission[appointment.charge_permission_id].add(object_id)

    def make(self, object_id: str, appointment: Appointment) -> None:
        """Lets an object change by itself later; it replaces what was to happen to it before."""
        self._kept[object_id] = appointment
        self._of_permission[appointment.charge_permission_id].add(object_id)
        heappush(self._soonest, (appointment.at, object_id))

    def drop(self, object_id: str) -> None:
        """Nothing will happen to the object by itself any more."""
        appointment = self._kept.pop(object_id, None)
        if appointment is not None:
            of_permission = self._of_permission[appointment.charge_permission_id]
            of_permission.discard(object_id)
            if not of_permission:
                del self._of_permission[appointment.charge_permission_id]

    def due(self, now: datetime, charge_permission_id: str | None = None) -> tuple[str, Appointment] | None:
        """The earliest appointment that is due, with the id of its object; None when nothing is.

        Args:
            now: UTC.
            charge_permission_id: only of the objects of this permission; of all when not given.
        """
        if charge_permission_id is None:
            return self._due_of_all(now)
        its = self._of_permission.get(charge_permission_id)
        if not its:
            return None
        at, object_id = min((self._kept[object_id].at, object_id) for object_id in its)
        return (object_id, self._kept[object_id]) if at <= now else None

    def _due_of_all(self, now: datetime) -> tuple[str, Appointment] | None:
        while self._soonest and self._soonest[0][0] <= now:
            at, object_id = self._soonest[0]
            appointment = self._kept.get(object_id)
            if appointment is not None and appointment.at == at:
                return object_id, appointment
            heappop(self._soonest)  # it was dropped, or replaced by another
        return None


class Deadlines:
    """Instants (UTC) by which something ends unless it was prolonged: one an object, told once when it has passed."""

    def __init__(self) -> None:
        self._soonest: list[tuple[datetime, str]] = []

    def add(self, object_id: str, at: datetime) -> None:
        """The object is told of once the instant has passed."""
        heappush(self._soonest, (at, object_id))

    def passed(self, now: datetime) -> Iterator[str]:
        """The ids of the objects whose instant has passed, earliest first. What lives on is to be added again."""
        while self._soonest and self._soonest[0][0] <= now:
            yield heappop(self._soonest)[1]
