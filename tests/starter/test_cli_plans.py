"""`perennial plan explain`, as somebody types it who is about to write a plan."""

from pathlib import Path

import pytest

from tests.starter.command_line import typed

PLAN = Path(__file__).parents[2] / "examples" / "plans" / "coffee-monthly.toml"
WEEKLY = 'plan_id = "box"\namount = { amount = "300", currency = "USD" }\ninterval = { unit = "week" }\n'


async def test_a_plan_is_explained_for_people_in_their_zone() -> None:
    said = await typed(
        "plan", "explain", str(PLAN), "--zone", "Asia/Tokyo", "--anchor", "2027-01-31T00:30:00Z", COLUMNS="150"
    )

    assert (said.code, said.err) == (0, "")
    for words in (
        "coffee-monthly: 19.90 EUR every 1 month, for as long as the subscription lives. Times in Asia/Tokyo.",
        "Due 2027-01-31 09:30, 2027-02-28 09:30, 2027-03-31 09:30",
        "HardDeclined",
        "Sun 2027-02-21 09:30",
        "paused",
    ):
        assert words in said.out


async def test_a_plan_is_explained_as_json() -> None:
    said = await typed("plan", "explain", str(PLAN), "--anchor", "2027-01-31T09:00:00Z", "--json")

    assert (said.code, said.err) == (0, "")
    assert said.data["due"][1] == "2027-02-28T09:00:00+00:00"
    assert said.data["warning"] is None
    assert said.data["failures"]["SoftDeclined"][0] == {
        "at": "2027-01-31T09:00:00+00:00",
        "what": "attempt 1 to charge 19.90 EUR",
    }


async def test_what_a_policy_says_of_several_periods_is_said_in_words() -> None:
    said = await typed("plan", "explain", str(PLAN.with_name("box-monthly.toml")), COLUMNS="200")

    for words in (
        "- Money is taken when you capture it, within 30 days of the charge.",
        "- A subscriber keeps what was bought for 0 days after the first failure.",
        "- A period that is still owed when the next one falls due is given up for it.",
        "- Of periods that were missed, as in an outage, only the latest is charged.",
        "- Two overdue periods are charged at least 1 day apart, or half an interval.",
        "- A cancellation also cancels charges",
    ):
        assert words in said.out


async def test_a_plan_that_exceeds_amazons_limit_in_a_month_of_five_weeks_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text(WEEKLY)

    said = await typed("plan", "explain", str(file), COLUMNS="200")

    assert said.code == 0
    assert "Mind: 5 charges of 300.00 USD can fall into one month, 1500.00 in all" in said.out


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--anchor", "soon"], "--anchor: 'soon'"), (["--zone", "Mars"], "--zone: 'Mars'")],
)
async def test_wrong_options_are_named(options: list[str], named: str) -> None:
    said = await typed("plan", "explain", str(PLAN), *options)

    assert said.code == 2
    assert named in said.trouble
