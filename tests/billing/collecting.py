"""One open collection in the hands of a test: fail an attempt, read the permission, and see the step that follows."""

from datetime import datetime, timedelta
from typing import Final

from billing.answers import ChargeAnswer, PermissionAnswer
from billing.collection import (
    Action,
    Collection,
    Step,
    after_charge,
    after_permission,
    begin_attempt,
    waits_for_merchant,
)
from billing.policy import CollectionPolicy
from tests.billing.support import DEFAULTS, PRICE, at, chargeable, declined

DUE: Final = at("2026-01-31 09:00")
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


class Collecting:
    """A period that fell due, and the clock."""

    def __init__(
        self, policy: CollectionPolicy = DEFAULTS, *, zone: str = "UTC", due: datetime = DUE, spread: int = 0
    ) -> None:
        self.policy, self.now = policy, due
        self.collection = Collection(period=0, due=due, begun_at=due, amount=PRICE, zone=zone, spread=spread)

    def begin_attempt(self) -> None:
        """As a subscription does it, when a step says so."""
        begin_attempt(self.collection)

    def answer(self, answer: ChargeAnswer) -> Step:
        """The attempt under way is answered now."""
        step = after_charge(self.collection, answer, self.policy, self.now)
        assert step is not None
        return step

    def fail(self, code: str | None) -> Step:
        """A new attempt is begun and declined."""
        self.begin_attempt()
        return self.answer(declined(code))

    def is_left_to_the_merchant(self, answer: ChargeAnswer) -> bool:
        """Whether the attempt under way ends so that no step follows."""
        step = after_charge(self.collection, answer, self.policy, self.now)
        return step is None and waits_for_merchant(self.collection)

    def read(self, answer: PermissionAnswer, *, planned: bool = True, prompted: bool = False) -> Step | None:
        """The permission is read now: because its time had come or because of a signal alone."""
        return after_permission(self.collection, answer, planned=planned, prompted=prompted, now=self.now)

    def must_read(self, answer: PermissionAnswer, *, prompted: bool = False) -> Step:
        """The permission is read as planned, so a step follows."""
        step = self.read(answer, prompted=prompted)
        assert step is not None
        return step

    def hear(self, answer: PermissionAnswer) -> Step | None:
        """A signal comes, and the permission is read because of it."""
        return self.read(answer, planned=False, prompted=True)

    def delays_until_giving_up(self, *codes: str) -> list[timedelta]:
        """Fails with each code in turn, the permission being chargeable, and waits for as long as is said."""
        delays: list[timedelta] = []
        for code in codes:
            assert self.fail(code).action is Action.READ_PERMISSION
            step = self.must_read(chargeable())
            if step.action is Action.GIVE_UP:
                assert step.at == self.now
                return delays
            assert step.action is Action.CHARGE
            delays.append(step.at - self.now)
            self.now = step.at
        return delays
