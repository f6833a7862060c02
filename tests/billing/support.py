"""The words in which these tests speak: instants, terms, Amazon's answers, and a subscription driven by a script."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from perennial_billing.billing.agenda import cancellation_is_due, main_command, next_command
from perennial_billing.billing.calendar import BillingCalendar, Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Capture, Plan
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from perennial_billing.billing.protocol.commands import (
    Action,
    CaptureAuthorized,
    Command,
    CreateCharge,
    Elapse,
    ReadPermission,
    Timer,
)
from perennial_billing.billing.protocol.events import Answer, Answered, CancelAsked, Elapsed, Event, Refresh, Thing
from perennial_billing.billing.register import Result
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription

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
    """Performs a subscription's commands with scripted answers.

    Each step names what is expected next and when, so a test reads as a story. The state goes through JSON after
    each of them, as it does when a worker wakes, and must come back the same.
    """

    def __init__(self, agreed: Terms) -> None:
        self.subscription = Subscription.begin(agreed)
        self.now = agreed.anchor
        self.keys: list[str] = []
        self.requests = 0

    def step(self, action: Action, when: str, answer: Answer | None = None) -> None:
        """Checks that this is what happens next for the period or the end, and performs it."""
        assert self.next == (action, at(when))
        self._perform(main_command(self.subscription), when, answer)

    def beside(self, action: Action, when: str, answer: Answer | None = None) -> None:
        """Checks that this is what happens first of all that stands, and performs it."""
        assert self.first == (action, at(when))
        self._perform(next_command(self.subscription), when, answer)

    def signal(self, when: str, answer: PermissionAnswer, notification_id: str | None = None) -> None:
        """Somebody says that the permission may have changed; it is read at once."""
        self.now = at(when)
        self.happens(Refresh(Thing.PERMISSION, notification_id=notification_id))
        look = self.subscription.permission.look(PERMISSION_ID)
        assert look is not None
        self.happens(Answered(look, answer))

    def read(self, answer: PermissionAnswer, *, planned: bool = False) -> None:
        """The permission is read now, whatever is awaited."""
        command = ReadPermission(charge_permission_id=PERMISSION_ID, planned=planned, at=self.now, why="")
        self.happens(Answered(command, answer))

    def cancel(self, when: str, reason: str = "Moved away") -> None:
        """Somebody asks to cancel; the cancellation begins if it may."""
        self.now = at(when)
        self.happens(CancelAsked(reason))
        self.begin_cancellation_if_due()

    def begin_cancellation_if_due(self) -> None:
        if cancellation_is_due(self.subscription):
            self.happens(Elapsed(Timer.CANCELLATION))

    def ask(self, when: str, request: Request, *references: str) -> datetime:
        """The merchant asks for something; answers when it takes effect."""
        result = self.wants(when, request, *references)
        assert isinstance(result, datetime)
        return result

    def wants(self, when: str, request: Request, *references: str) -> Result:
        """The merchant wants something; answers what that came to."""
        self.now = at(when)
        self.requests += 1
        names = references or (f"request-{self.requests}",)
        self.subscription = ask(self.subscription, request, self.now, names)
        self._through_json()
        entry = self.subscription.references.find(names[0])
        assert entry is not None
        return entry.result

    def answered(self, answer: Answer) -> None:
        """What stands next for the period or the end was performed, and this is the answer."""
        command = main_command(self.subscription)
        assert command is not None
        self.happens(Answered(command, answer))

    def happens(self, event: Event) -> None:
        """Something happened."""
        self.subscription = apply(self.subscription, event, self.now)
        self._through_json()

    def elapses(self, timer: Timer) -> None:
        """An instant has come."""
        self.happens(Elapsed(timer))

    @property
    def told(self) -> list[str]:
        """The kinds of notices so far, of those that were not handed on."""
        return [notice.type.value for notice in self.subscription.outbox.notices]

    @property
    def next(self) -> tuple[Action, datetime] | None:
        """What stands next for the period or the end, and when."""
        return _shown(main_command(self.subscription))

    @property
    def first(self) -> tuple[Action, datetime] | None:
        """What stands first of all, and when."""
        return _shown(next_command(self.subscription))

    @property
    def why(self) -> str:
        """Why what stands next for the period or the end is done."""
        command = main_command(self.subscription)
        assert command is not None
        return command.why

    @property
    def book(self) -> list[tuple[int, str, int]]:
        """Period, outcome and attempts of the periods in the ledger."""
        return [(record.period, record.outcome.value, record.attempts) for record in self.subscription.ledger.records]

    def _perform(self, command: Command | None, when: str, answer: Answer | None) -> None:
        self.now = max(self.now, at(when))
        assert command is not None
        if isinstance(command, Elapse):
            self.elapses(command.timer)
            command = main_command(self.subscription)
            if answer is None:
                assert not isinstance(command, CreateCharge), "an attempt was begun"
                return
            assert command is not None
            if isinstance(command, CreateCharge):
                assert command.attempt.idempotency_key not in self.keys, "a new attempt has a new key"
                self.keys.append(command.attempt.idempotency_key)
        elif isinstance(command, CreateCharge):
            assert command.attempt.idempotency_key == self.keys[-1], "the same attempt has the same key"
        elif isinstance(command, CaptureAuthorized):
            self.keys.append(command.idempotency_key)
        assert answer is not None, f"{command.action} takes an answer"
        self.happens(Answered(command, answer))

    def _through_json(self) -> None:
        restored = Subscription.model_validate_json(self.subscription.model_dump_json())
        assert restored == self.subscription
        self.subscription = restored


def _shown(command: Command | None) -> tuple[Action, datetime] | None:
    return (command.action, command.at) if command else None
