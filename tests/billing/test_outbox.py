"""What is told: each notice has the next number, and none is dropped before it was handed on."""

from datetime import timedelta

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.parts.outbox import FULL_OUTBOX, HANDED_ON_AT_ONCE, Outbox
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy, NextDue
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.events import HandedOn
from perennial_billing.billing.protocol.notices import NoticeType
from tests.billing.support import CAPTURED, SOFT, Life, at, chargeable, terms

DAILY, DAY = Interval(unit=Unit.DAY), timedelta(days=1)
CHARGE, READ, USED_UP = Action.CHARGE, Action.READ_PERMISSION, Action.FINAL_ACTION


def daily(**policy: object) -> Life:
    """Due each day at nine, beginning with 3 March 2026."""
    return Life(terms("2026-03-03 09:00", interval=DAILY, policy=CollectionPolicy.model_validate(policy)))


def hand_on(life: Life) -> list[int]:
    """The numbers of all that waits, in the order in which they are handed on."""
    numbers: list[int] = []
    while waiting := life.subscription.outbox.first:
        assert len(waiting) <= HANDED_ON_AT_ONCE
        numbers += [notice.number for notice in waiting]
        life.happens(HandedOn([notice.number for notice in waiting]))
    return numbers


def test_three_hundred_missed_days_of_which_the_latest_is_charged_are_each_told() -> None:
    life = daily(catch_up=CatchUp.LATEST)
    life.now = at("2026-12-27 10:00")
    life.step(CHARGE, "2026-03-03 09:00", CAPTURED)

    assert life.subscription.next_period == 300
    assert life.told == ["period.skipped"] * 299 + ["period.paid"]
    assert hand_on(life) == list(range(1, 301))


def test_what_fell_due_in_half_a_year_unpaid_is_each_told_once_it_is_paid() -> None:
    life = daily(soft_decline_delays=[])
    life.step(CHARGE, "2026-03-03 09:00", SOFT)
    life.step(READ, "2026-03-03 09:00", chargeable("2026-03-03 08:00"))
    life.step(USED_UP, "2026-03-03 09:00")
    life.signal("2026-09-19 12:00", chargeable("2026-09-19 11:59"))
    life.step(CHARGE, "2026-09-19 12:00", CAPTURED)

    assert life.told.count("period.skipped") == 200
    assert hand_on(life) == list(range(1, life.subscription.outbox.told + 1))


@pytest.mark.parametrize("days", [130, 1_100])
def test_days_that_are_skipped_while_an_older_one_is_owed_are_each_told(days: int) -> None:
    life = daily(next_due=NextDue.SKIP, soft_decline_delays=[DAY], collect_within=30 * DAY)
    life.step(CHARGE, "2026-03-03 09:00", SOFT)
    life.step(READ, "2026-03-03 09:00", chargeable("2026-03-03 08:00"))
    life.now = at("2026-03-03 10:00") + days * DAY  # nobody was there until then
    life.step(CHARGE, "2026-03-04 09:00", CAPTURED)

    assert life.told.count("period.skipped") == days
    assert hand_on(life) == list(range(1, life.subscription.outbox.told + 1))


def test_an_outbox_is_full_with_a_hundred_notices_and_keeps_what_comes_then() -> None:
    outbox = Outbox(told=17)
    for told in range(FULL_OUTBOX + 3):
        assert outbox.is_full is (told >= FULL_OUTBOX)
        outbox = outbox.telling(NoticeType.PERIOD_FREE, at("2026-03-03 09:00"), period=told)

    assert [notice.number for notice in outbox.notices] == list(range(18, 18 + FULL_OUTBOX + 3))
    assert not outbox.handed_on([notice.number for notice in outbox.first]).is_full
