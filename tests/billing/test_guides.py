"""What the guide to legal notices says of its plan: each reminder lies within the windows that it names."""

from pathlib import Path
from typing import Final

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.drive import success
from perennial_billing.billing.protocol.commands import Elapse
from perennial_billing.billing.protocol.events import Answered
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.starter.cli.plan_file import read_plan
from tests.billing.support import PERMISSION_ID, Life, at

PLAN: Final = Path(__file__).parents[2] / "examples" / "plans" / "yearly-with-reminders.toml"

WINDOWS: Final = {
    NoticeType.RENEWAL_UPCOMING: ((15, 45), (25, 40), (30, 60)),  # California, Colorado, Delaware
    NoticeType.TRIAL_ENDING: ((3, 21),),  # California
    NoticeType.PRICE_CHANGING: ((5, 30), (7, 30)),  # New York, California
}
"""Days before, at least and at most."""


def test_each_reminder_of_the_guides_plan_is_told_within_the_windows_that_it_names() -> None:
    life = Life(Terms(charge_permission_id=PERMISSION_ID, plan=read_plan(PLAN), anchor=at("2027-01-10 09:00")))
    while (command := next_command(life.subscription)) is not None and command.at < at("2029-06-01 00:00"):
        life.now = max(life.now, command.at)
        if isinstance(command, Elapse):
            life.elapses(command.timer)
        else:
            life.happens(Answered(command, success(command)))

    told = [notice for notice in life.subscription.outbox.notices if notice.type in WINDOWS and notice.due]
    days = [(notice.type, (notice.due - notice.at).days) for notice in told if notice.due is not None]
    assert {kind for kind, _ in days} >= {NoticeType.RENEWAL_UPCOMING, NoticeType.TRIAL_ENDING}
    for kind, before in days:
        assert all(least <= before <= most for least, most in WINDOWS[kind]), (kind, before)
    renewals = [f"{notice.due:%Y-%m-%d}" for notice in told if notice.type is NoticeType.RENEWAL_UPCOMING]
    assert renewals == ["2028-03-10", "2029-03-10"]
