"""A subscription led through half a year by its rules: what several pictures show."""

from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import Cancel, PauseSubscription
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.protocol.commands import Command, CreateCharge, Elapse, ReadPermission
from perennial_billing.billing.protocol.events import Answer, Answered, Elapsed, Refresh, Started, Thing
from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import at, chargeable, closed, declined, non_chargeable, terms

BEGINS: Final = at("2027-03-01 09:00")
ENDS: Final = at("2027-09-12 09:00")

_SOFT_UNTIL: Final = at("2027-04-08 00:00")
_BROKEN: Final = (at("2027-05-01 00:00"), at("2027-05-13 10:00"))
_ASKED: Final = {
    at("2027-06-10 12:00"): PauseSubscription(until=at("2027-07-20 00:00")),
    at("2027-08-14 12:00"): Cancel(),
}


class Moment(NamedTuple):
    """Something that happened to it, and how it stands then."""

    at: datetime
    status: Status
    charge: str
    """`captured`, a reason code, or nothing where this was no charge."""


class Life(NamedTuple):
    """All that happened to one subscription."""

    moments: tuple[Moment, ...]
    notices: tuple[Notice, ...]


@cache
def life() -> Life:
    """9.99 EUR on the first of each month: a soft decline, a broken payment method, a pause, and the end."""
    subscription = apply(Subscription.begin(terms("2027-03-01 09:00")), Started(), BEGINS)
    moments = [Moment(BEGINS, subscription.status, "")]
    happenings = sorted([*_ASKED, _BROKEN[1]])
    now = BEGINS
    while not subscription.status.has_ended:
        command = next_command(subscription)
        if happenings and (command is None or happenings[0] < command.at):
            now = happenings.pop(0)
            subscription, said = _interfered(subscription, now), ""
        else:
            assert command is not None, "nothing is to be done any more, and it has not ended"
            now = max(now, command.at)
            subscription, said = _performed(subscription, command, now)
        moments.append(Moment(now, subscription.status, said))
    return Life(tuple(moments), subscription.outbox.notices)


def spans() -> list[tuple[Status, datetime, datetime]]:
    """How it stood, from when until when; what it was only while an answer was on its way is left out."""
    moments = life().moments
    found: list[tuple[Status, datetime, datetime]] = []
    for moment, until in zip(moments, [*(each.at for each in moments[1:]), ENDS], strict=True):
        if found and found[-1][0] is moment.status:
            found[-1] = (moment.status, found[-1][1], until)
        elif until > moment.at:
            found.append((moment.status, moment.at, until))
    return found


def _interfered(subscription: Subscription, now: datetime) -> Subscription:
    request = _ASKED.get(now)
    if request is None:  # the buyer has mended it, and Amazon's notification says so
        return apply(subscription, Refresh(Thing.PERMISSION), now)
    return ask(subscription, request, now)


def _performed(subscription: Subscription, command: Command, now: datetime) -> tuple[Subscription, str]:
    if isinstance(command, Elapse):
        return apply(subscription, Elapsed(command.timer), now), ""
    answer = _answer(command, now)
    said = (answer.reason_code or "captured") if isinstance(answer, ChargeAnswer) else ""
    return apply(subscription, Answered(command, answer), now), said


def _answer(command: Command, now: datetime) -> Answer:
    broken = _BROKEN[0] <= now < _BROKEN[1]
    if isinstance(command, CreateCharge):
        if broken:
            return declined("HardDeclined")
        if at("2027-04-01 00:00") <= now < _SOFT_UNTIL:
            return declined("SoftDeclined")
        return ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id="S01-1234567-1234567-C000001")
    if isinstance(command, ReadPermission):
        return non_chargeable("PaymentMethodInvalid") if broken else chargeable(f"{now:%Y-%m-%d %H:%M}")
    return closed("MerchantClosed")
