"""What follows each kind of decline by the default policy, day by day."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.machine import apply
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.billing.protocol.commands import Command, CreateCharge, Elapse
from perennial_billing.billing.protocol.events import Answered, Elapsed, Started
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import at, chargeable, declined, non_chargeable, terms
from tests.pictures.drawing import WIDTH, Axis, Colour, Drawing

_DUE: Final = "2027-03-01 09:00"
_DAYS: Final = 30
_POLICY: Final = CollectionPolicy()
_AXIS: Final = Axis(at(_DUE), at(_DUE) + timedelta(days=_DAYS), 190, WIDTH - 30)

_LEGEND: Final = (
    "an attempt. When time or attempts are used up, final_action decides: "
    f"{_POLICY.final_action.value} (the default), cancel or mark_unpaid."
)


class Course(NamedTuple):
    """When was charged, and what was told when."""

    charges: list[datetime]
    told: list[tuple[NoticeType, datetime]]


def picture() -> str:
    """As SVG."""
    drawing = Drawing(324, "Retries, reminders and deadlines of three kinds of declines in thirty days")
    drawing.words(24, 30, "One period that is declined each time, by the default policy", bold=True)
    soft = _course("SoftDeclined", chargeable)
    _lane(drawing, 84, "SoftDeclined", "may pass: later again", soft, Colour.AMBER)
    _lane(
        drawing,
        144,
        "ProcessingFailure",
        "Amazon's own: soon again",
        _course("ProcessingFailure", chargeable),
        Colour.BLUE,
    )
    hard = _course("HardDeclined", lambda: non_chargeable("PaymentMethodInvalid"))
    _lane(drawing, 204, "HardDeclined", "only the buyer can mend it", hard, Colour.RED)
    reminders = [instant for kind, instant in hard.told if kind is NoticeType.PAYMENT_METHOD_REMINDER]
    for reminder in reminders:
        drawing.line((_AXIS.at(reminder), 194), (_AXIS.at(reminder), 214), Colour.VIOLET)
    first = reminders[0]
    drawing.words(
        _AXIS.at(first),
        232,
        f"reminders: day {', '.join(str((each - at(_DUE)).days) for each in reminders)}",
        small=True,
        colour=Colour.VIOLET,
        anchor="start",
    )
    deadline = _AXIS.after(_POLICY.payment_method_deadline)
    drawing.line((deadline, 190), (deadline, 218), Colour.RED)
    drawing.words(
        deadline + 4, 192, f"deadline: day {_POLICY.payment_method_deadline.days}", small=True, colour=Colour.RED
    )
    grace = _AXIS.after(_POLICY.grace)
    drawing.line((grace, 56), (grace, 250), Colour.MUTED, dashed=True)
    drawing.words(
        grace,
        266,
        f"day {_POLICY.grace.days}: grace.ended, whatever the kind",
        anchor="middle",
        small=True,
        colour=Colour.MUTED,
    )
    for day in range(0, _DAYS + 1, 5):
        drawing.words(
            _AXIS.after(timedelta(days=day)), 290, f"day {day}", anchor="middle", small=True, colour=Colour.MUTED
        )
    drawing.dot(34, 307, Colour.MUTED, hollow=True)
    drawing.words(
        44,
        311,
        _LEGEND,
        small=True,
        colour=Colour.MUTED,
    )
    return drawing.svg()


def _lane(drawing: Drawing, y: float, code: str, said: str, course: Course, colour: Colour) -> None:
    drawing.words(24, y, code, bold=True)
    drawing.words(24, y + 16, said, small=True, colour=Colour.MUTED)
    drawing.line((_AXIS.left, y), (_AXIS.right, y), Colour.FAINT)
    for charge in reversed(course.charges):
        drawing.dot(_AXIS.at(charge), y, colour, hollow=True)
    last = max((instant for kind, instant in course.told if kind is NoticeType.SUBSCRIPTION_UNPAID), default=None)
    if last is not None:
        drawing.box(_AXIS.at(last) - 3, y - 7, 6, 14, fill=colour, edge=colour)
        drawing.words(
            _AXIS.at(last) + 8, y - 8 if code != "HardDeclined" else y + 26, "unpaid", small=True, colour=colour
        )


def _course(code: str, permission: Callable[[], PermissionAnswer]) -> Course:
    subscription = apply(Subscription.begin(terms(_DUE, policy=_POLICY)), Started(), at(_DUE))
    end, now, charges = _AXIS.ends, at(_DUE), list[datetime]()
    while (command := next_command(subscription)) is not None and command.at < end:
        now = max(now, command.at)
        if isinstance(command, CreateCharge):
            charges.append(now)
        subscription = _step(subscription, command, now, code, permission)
    return Course(charges, [(notice.type, notice.at) for notice in subscription.outbox.notices])


def _step(
    subscription: Subscription, command: Command, now: datetime, code: str, permission: Callable[[], PermissionAnswer]
) -> Subscription:
    if isinstance(command, Elapse):
        return apply(subscription, Elapsed(command.timer), now)
    answer = declined(code) if isinstance(command, CreateCharge) else permission()
    return apply(subscription, Answered(command, answer), now)
