"""The words in which these tests speak: instants, terms, Amazon's answers, and a subscription driven by a script."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from billing.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from billing.calendar import BillingCalendar, Interval, Unit
from billing.collection import Action
from billing.money import Money
from billing.plan import Capture, Plan
from billing.policy import CollectionPolicy
from billing.subscription import Subscription
from billing.terms import Terms

PERMISSION_ID: Final = "C01-1234567-7654321"
MONTHLY: Final = Interval(unit=Unit.MONTH)
PRICE: Final = Money(amount=Decimal("9.99"), currency="EUR")
FREE: Final = Money(amount=Decimal(0), currency="EUR")
DEFAULTS: Final = CollectionPolicy(new_checkout_deadline=timedelta(0))
"""But that a subscription whose permission is closed ends at once: waiting is told by stories of its own."""

CAPTURED: Final = ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id="S01-1-1-C000001")
PENDING: Final = ChargeAnswer(outcome=ChargeOutcome.PENDING, charge_id="S01-1-1-C000002")
SOFT: Final = ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code="SoftDeclined")
HARD: Final = ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code="HardDeclined")


def at(text: str) -> datetime:
    """An instant: `2026-01-31 09:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@cache
def pinned_zone(name: str) -> ZoneInfo:
    """A zone as the pinned `tzdata` package knows it, whatever the machine itself carries."""
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def wall(text: str, zone: str) -> datetime:
    """The instant in UTC of an unambiguous wall time in a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=pinned_zone(zone)).astimezone(UTC)


def calendar(anchor: str, zone: str = "UTC", interval: Interval = MONTHLY) -> BillingCalendar:
    """A calendar with its anchor as a wall time in its zone."""
    return BillingCalendar(anchor=wall(anchor, zone), zone=zone, interval=interval)


def declined(code: str | None) -> ChargeAnswer:
    return ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code=code)


def refused(code: str | None) -> ChargeAnswer:
    return ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code=code)


def chargeable(updated: str = "2026-01-01 00:00") -> PermissionAnswer:
    return PermissionAnswer(state=PermissionState.CHARGEABLE, last_updated=at(updated))


def non_chargeable(*codes: str, updated: str = "2026-01-02 00:00") -> PermissionAnswer:
    return PermissionAnswer(state=PermissionState.NON_CHARGEABLE, reason_codes=codes, last_updated=at(updated))


def closed(*codes: str) -> PermissionAnswer:
    return PermissionAnswer(state=PermissionState.CLOSED, reason_codes=codes)


def unreadable(code: str = "UnauthorizedAccess") -> PermissionAnswer:
    """What is known of a permission that Amazon refused to show."""
    return PermissionAnswer(state=PermissionState.UNKNOWN, refused=code)


def terms(
    anchor: str = "2026-01-31 09:00",
    *,
    amount: Money = PRICE,
    periods: int | None = None,
    policy: CollectionPolicy = DEFAULTS,
    interval: Interval = MONTHLY,
    zone: str = "UTC",
    capture: Capture = Capture.NOW,
) -> Terms:
    """What was agreed; by default 9.99 EUR on the last day of each month."""
    plan = Plan.of("basic", amount, interval, periods, capture=capture, collection=policy)
    return Terms(charge_permission_id=PERMISSION_ID, plan=plan, anchor=at(anchor), zone=zone)


class Life:
    """Performs a subscription's steps with scripted answers.

    Each step names what is expected next and when, so a test reads as a story. The state goes through JSON after
    each of them, as it does when a worker wakes, and must come back the same.
    """

    def __init__(self, agreed: Terms) -> None:
        self.subscription = Subscription.begin(agreed)
        self.now = agreed.anchor
        self.keys: list[str] = []

    def step(self, action: Action, when: str, answer: ChargeAnswer | PermissionAnswer | None = None) -> None:
        """Checks that this action stands next for this instant, and performs it."""
        assert self.next == (action, at(when))
        self.now = max(self.now, at(when))
        self._perform(action, answer)
        self._through_json()

    def signal(self, when: str, answer: PermissionAnswer, notification_id: str | None = None) -> None:
        """Somebody says that the permission may have changed; it is read at once."""
        self.now = at(when)
        self.subscription.permission_may_have_changed(notification_id)
        assert self.subscription.look_requested
        self.subscription.permission_answered(answer, self.now)
        self._through_json()

    def cancel(self, when: str, reason: str = "Moved away") -> None:
        """Somebody asks to cancel; the cancellation begins if it may."""
        self.now = at(when)
        self.subscription.cancel_requested(reason)
        self.begin_cancellation_if_due()

    def begin_cancellation_if_due(self) -> None:
        if self.subscription.cancellation_is_due:
            self.subscription.begin_cancellation(self.now)
        self._through_json()

    def beside(self, action: Action, when: str, answer: ChargeAnswer | None = None) -> None:
        """Checks that this is what happens first of all that stands beside the step, and performs it."""
        step = self.subscription.next_to_do
        assert step is not None
        assert (step.action, step.at) == (action, at(when))
        self.now = max(self.now, at(when))
        match action, answer:
            case ((Action.CAPTURE_AUTHORIZED | Action.READ_AUTHORIZED), ChargeAnswer()):
                authorization = self.subscription.authorization(step.charge_id)
                if action is Action.CAPTURE_AUTHORIZED:
                    self.keys.append(authorization.capture_key)
                self.subscription.authorization_answered(step, answer, self.now)
            case Action.END_GRACE, None:
                self.subscription.grace_is_over(self.now)
            case _:
                raise AssertionError(f"{action} takes no {answer!r}")
        self._through_json()

    @property
    def told(self) -> list[str]:
        """The kinds of notices so far, of those that were not handed on."""
        return [notice.type.value for notice in self.subscription.outbox]

    @property
    def next(self) -> tuple[Action, datetime] | None:
        """What stands next, and when."""
        step = self.subscription.next_step
        return (step.action, step.at) if step else None

    @property
    def book(self) -> list[tuple[int, str, int]]:
        """Period, outcome and attempts of the periods in the ledger."""
        return [(record.period, record.outcome.value, record.attempts) for record in self.subscription.ledger]

    def _perform(self, action: Action, answer: ChargeAnswer | PermissionAnswer | None) -> None:
        subscription, now = self.subscription, self.now
        match action, answer:
            case Action.CHARGE, None:
                assert subscription.begin_attempt(now) is None
            case Action.CHARGE, ChargeAnswer():
                attempt = subscription.begin_attempt(now)
                assert attempt is not None
                self.keys.append(attempt.idempotency_key)
                subscription.charge_answered(answer, now)
            case Action.REPEAT_CHARGE, ChargeAnswer():
                assert subscription.open_attempt().idempotency_key == self.keys[-1]
                subscription.charge_answered(answer, now)
            case Action.READ_CHARGE, ChargeAnswer():
                assert subscription.pending_charge_id
                subscription.charge_answered(answer, now)
            case Action.READ_PERMISSION, PermissionAnswer():
                subscription.permission_answered(answer, now)
            case Action.CLOSE_PERMISSION, PermissionAnswer():
                assert subscription.closure_reason
                subscription.permission_closed(answer, now)
            case Action.GIVE_UP, None:
                subscription.time_is_up(now)
            case Action.GIVE_UP_FOR_NEXT, None:
                subscription.next_one_is_due(now)
            case Action.STOP_WAITING, None:
                subscription.waited_long_enough(now)
            case _:
                raise AssertionError(f"{action} takes no {answer!r}")

    def _through_json(self) -> None:
        restored = Subscription.model_validate_json(self.subscription.model_dump_json())
        assert restored == self.subscription
        self.subscription = restored
