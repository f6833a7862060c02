"""The diagrams of docs/architecture.md are those of the code, and leave nothing out."""

from typing import get_args

from perennial_billing.billing.parts import stages
from perennial_billing.billing.protocol.commands import Command, Elapse, Timer
from perennial_billing.billing.protocol.notices import NoticeType
from tests.billing.diagrams import PAGE, journey_of_a_period, stages_of_a_collection, with_diagrams

TOLD_WITHOUT_A_COMMAND = {
    NoticeType.SUBSCRIPTION_STARTED,
    NoticeType.SUBSCRIPTION_CHANGED,
    NoticeType.PLAN_CHANGED,
    NoticeType.SUBSCRIPTION_CONTINUED,
}
"""When it begins, and when the merchant asks for a change."""


def test_the_page_holds_the_diagrams_that_the_code_gives() -> None:
    page = PAGE.read_text()

    assert page == with_diagrams(page), "bring it up to date: python -m tests.billing.diagrams"


def test_every_stage_is_reached() -> None:
    drawn = stages_of_a_collection()
    unions, _ = get_args(stages.OneStage)

    assert {stage.__name__ for stage in get_args(unions) if f"as {stage.__name__}\n" not in drawn} == set()


def test_every_timer_and_every_command_is_on_the_journey() -> None:
    drawn = journey_of_a_period()
    named = {f"timer_{timer.value}(" for timer in Timer}
    named |= {f"{command.__name__}[" for command in Command.__subclasses__() if command is not Elapse}

    assert {name for name in named if f"    {name}" not in drawn} == set()


def test_every_notice_that_follows_a_command_is_told_on_the_journey() -> None:
    drawn = journey_of_a_period().replace("<br/>", " ")

    assert {kind for kind in NoticeType if kind.value not in drawn} == TOLD_WITHOUT_A_COMMAND
