"""One open collection in the hands of a test: fail an attempt, read the permission, and see what follows."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.stages import LeftToMerchant, Lost, Stage, Starting
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, PermissionAnswer
from perennial_billing.billing.protocol.commands import Action
from tests.billing.support import DEFAULTS, PERMISSION_ID, PRICE, at, chargeable, declined

DUE: Final = at("2026-01-31 09:00")
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

LOST: Final = "the charge permission is lost"
"""What follows where nothing can be charged under it any more; the rest is the subscription's to decide."""


class Following(NamedTuple):
    """What follows, when, and why."""

    action: Action | str
    at: datetime
    why: str


class Collecting:
    """A period that fell due, and the clock."""

    def __init__(
        self, policy: CollectionPolicy = DEFAULTS, *, zone: str = "UTC", due: datetime = DUE, spread: int = 0
    ) -> None:
        self.policy, self.now = policy, due
        self.collection = Collection(
            charge_permission_id=PERMISSION_ID,
            period=0,
            due=due,
            begun_at=due,
            amount=PRICE,
            zone=zone,
            spread=spread,
            decided_at=due,
            stage=Starting(at=due),
        )

    @property
    def stage(self) -> Stage:
        """Where it stands, in a word."""
        return self.collection.word

    @property
    def attempt_is_open(self) -> bool:
        """Whether the last attempt's outcome is not known for certain."""
        return self.collection.open_attempt is not None

    @property
    def attempts_spent(self) -> int:
        """Those that count against the policy's cap."""
        return self.collection.dunning.attempts_spent if self.collection.dunning else 0

    @property
    def first_failed_at(self) -> datetime | None:
        """What deadlines count from."""
        return self.collection.dunning.first_failed_at if self.collection.dunning else None

    @property
    def handles_pending(self) -> bool:
        """Whether the last attempt lets Amazon take its time."""
        return self.collection.attempt is not None and self.collection.attempt.handles_pending

    def begin_attempt(self) -> None:
        """As a subscription does it, when the time has come."""
        self.collection = self.collection.begin_attempt(self.now)

    def answer(self, answer: ChargeAnswer) -> Following:
        """The attempt under way is answered now."""
        self.collection = self.collection.answered(answer, self.policy, self.now)
        return self._must_follow()

    def fail(self, code: str | None) -> Following:
        """A new attempt is begun and declined."""
        self.begin_attempt()
        return self.answer(declined(code))

    def run_into_the_limit(self) -> Following:
        """A new attempt is begun and refused for Amazon's monthly limit, which another month would bear."""
        assert self.fail("PeriodicAmountExceeded").action is Action.READ_PERMISSION
        return self.must_read(chargeable())

    def is_left_to_the_merchant(self, answer: ChargeAnswer) -> bool:
        """Whether the attempt under way ends so that nothing follows."""
        self.collection = self.collection.answered(answer, self.policy, self.now)
        return self._following() is None and isinstance(self.collection.stage, LeftToMerchant)

    def use_up(self) -> None:
        """The policy's final action leaves it unpaid."""
        self.collection = self.collection.unpaid(self.now)

    def read(self, answer: PermissionAnswer, *, planned: bool = True, prompted: bool = False) -> Following | None:
        """The permission is read now: because its time had come or because of a signal alone.

        Answers what follows; None where what stood before is still right.
        """
        before = self.collection
        self.collection = before.permission_read(answer, planned=planned, prompted=prompted, now=self.now)
        return None if self.collection.stage is before.stage else self._following()

    def must_read(self, answer: PermissionAnswer, *, prompted: bool = False) -> Following:
        """The permission is read as planned, so something follows."""
        following = self.read(answer, prompted=prompted)
        assert following is not None
        return following

    def hear(self, answer: PermissionAnswer) -> Following | None:
        """A signal comes, and the permission is read because of it."""
        return self.read(answer, planned=False, prompted=True)

    def delays_until_giving_up(self, *codes: str) -> list[timedelta]:
        """Fails with each code in turn, the permission being chargeable, and waits for as long as is said."""
        delays: list[timedelta] = []
        for code in codes:
            assert self.fail(code).action is Action.READ_PERMISSION
            following = self.must_read(chargeable())
            if following.action is Action.FINAL_ACTION:
                assert following.at == self.now
                return delays
            assert following.action is Action.CHARGE
            delays.append(following.at - self.now)
            self.now = following.at
        return delays

    def _following(self) -> Following | None:
        if isinstance(self.collection.stage, Lost):
            return Following(LOST, self.now, self.collection.stage.why)
        command = self.collection.next_command
        return Following(command.action, command.at, command.why) if command else None

    def _must_follow(self) -> Following:
        following = self._following()
        assert following is not None
        return following
