"""`perennial plan explain` and `plan preview`, as somebody types them who is about to write a plan."""

from datetime import UTC, datetime, timedelta
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
        "coffee-monthly: 19.90 EUR a month, for as long as the subscription lives. Times in Asia/Tokyo.",
        "Due 2027-01-31 09:30, 2027-02-28 09:30, 2027-03-31 09:30",
        "HardDeclined",
        "Sun 2027-02-21 09:30",
        "it is unpaid, and not tried any more until the payment method is mended",
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
        "- A period that is still owed when the next one falls due is written off for it.",
        "- Of periods that were missed, as in an outage, only the latest is charged.",
        "- Two overdue periods are charged at least 1 day apart, or half an interval.",
        "- A cancellation also cancels charges",
    ):
        assert words in said.out


TWO_FREE_YEARS = """
plan_id = "present"
[[phases]]
amount = { amount = "0", currency = "USD" }
interval = { unit = "month" }
periods = 24
[[phases]]
amount = { amount = "12.00", currency = "USD" }
interval = { unit = "month" }
"""


async def test_a_plan_whose_charge_permission_expires_before_the_first_charge_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "present.toml"
    file.write_text(TWO_FREE_YEARS)
    anchor = ("--anchor", "2027-03-31T09:00:00Z")

    explained = await typed("plan", "explain", str(file), *anchor, COLUMNS="250")
    as_json = await typed("plan", "explain", str(file), *anchor, "--json")
    previewed = await typed("plan", "preview", str(file), *anchor, "--count", "25", "--json")

    warning = "period 24 is charged on 2029-03-31, and the charge permission expires on 2028-04-30"
    assert f"Mind: {warning}" in explained.out
    assert as_json.data["expiry_warning"].startswith(warning)
    assert "the charge permission will have expired on 2028-04-30" in previewed.data[24]["why"]


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


async def test_a_plan_is_previewed_as_a_calendar_in_its_zone_with_sums() -> None:
    said = await typed(
        *("plan", "preview", str(PLAN.with_name("magazine-with-trial.toml")), "--count", "6"),
        *("--anchor", "2097-01-31T09:00:00+01:00", "--zone", "Europe/Berlin", "--billing-day", "31"),
        COLUMNS="150",
    )

    assert (said.code, said.err) == (0, "")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.out.splitlines() if "│" in line]
    assert rows == [
        ["0", "Thu 2097-01-31 09:00", "0.00 USD", "0.00", "magazine-with-trial, phase 1, 1 of 1"],
        ["1", "Thu 2097-02-14 09:00", "2.24 USD", "2.24", "magazine-with-trial, phase 2, short: until 2097-02-28"],
        ["2", "Thu 2097-02-28 09:00", "4.95 USD", "7.19", "magazine-with-trial, phase 2, 1 of 3"],
        ["3", "Sun 2097-03-31 09:00", "4.95 USD", "12.14", "magazine-with-trial, phase 2, 2 of 3"],
        ["4", "Tue 2097-04-30 09:00", "4.95 USD", "17.09", "magazine-with-trial, phase 2, 3 of 3"],
        ["5", "Fri 2097-05-31 09:00", "9.90 USD", "26.99", "magazine-with-trial, phase 3"],
    ]


async def test_a_plan_is_previewed_as_json() -> None:
    said = await typed(
        *("plan", "preview", str(PLAN), "--anchor", "2097-01-31T09:00:00Z", "--quantity", "2", "--count", "2"),
        *("--ends-at", "2097-02-10T00:00:00Z", "--json"),
    )

    assert (said.code, said.err) == (0, "")
    assert said.data == [
        {
            "period": 0,
            "due": "2097-01-31T09:00:00Z",
            "at": "2097-01-31T09:00:00Z",
            "amount": {"amount": "39.80", "currency": "EUR"},
            "why": "coffee-monthly",
        }
    ]


async def test_what_began_more_than_a_period_ago_is_previewed_only_where_that_is_meant() -> None:
    """One mistyped digit of the year would charge each month of a year, a day apart."""
    anchor = f"{datetime.now(UTC) - timedelta(days=75):%Y-%m-%dT%H:%M:%SZ}"
    said = await typed("plan", "preview", str(PLAN), "--anchor", anchor)

    assert (said.code, said.out) == (2, "")
    assert "--anchor: " in said.err
    assert "3 periods have fallen due since then and would be charged" in said.err

    said = await typed("plan", "preview", str(PLAN), "--anchor", anchor, "--backdated", "--count", "4", "--json")
    charged = [datetime.fromisoformat(each["at"]) for each in said.data]
    assert [(at - charged[0]).days for at in charged[:3]] == [0, 1, 2], (
        "those that are overdue, a day apart from now on"
    )
    assert charged[0] - datetime.now(UTC) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--billing-time", "09:00"], "--billing-time: is given without --billing-day"),
        (["--billing-day", "1", "--billing-time", "9 o'clock"], '--billing-time: "9 o\'clock" is not a wall time'),
        (["--billing-day", "1", "--billing-time", "09:00+01:00"], "is not a wall time such as 09:00"),
        (["--ends-at", "tomorrow"], "--ends-at: 'tomorrow' is not an instant"),
        (
            ["--anchor", "2027-01-31T09:00:00Z", "--ends-at", "2027-01-01T00:00:00Z"],
            (
                "--ends-at: 2027-01-01T00:00:00+00:00 is not accepted; "
                "instants after the anchor, 2027-01-31T09:00:00+00:00, are"
            ),
        ),
        (["--quantity", "0"], "--quantity: 0 is not accepted; 1 or more is"),
    ],
)
async def test_an_option_that_cannot_be_meant_is_named(options: list[str], named: str) -> None:
    said = await typed("plan", "preview", str(PLAN), *options)

    assert (said.code, said.out) == (2, "")
    assert named in said.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("plan", "options", "frequency", "amount"),
    [
        ("coffee-monthly", [], {"unit": "Month", "value": "1"}, {"amount": "19.90", "currencyCode": "EUR"}),
        (
            "coffee-monthly",
            ["--quantity", "2"],
            {"unit": "Month", "value": "1"},
            {"amount": "39.80", "currencyCode": "EUR"},
        ),
        ("magazine-yearly", [], {"unit": "Year", "value": "1"}, {"amount": "9800", "currencyCode": "JPY"}),
        ("magazine-with-trial", [], {"unit": "Month", "value": "1"}, None),
    ],
)
async def test_the_checkout_is_told_of_a_plan_as_amazon_wants_it(
    plan: str, options: list[str], frequency: dict[str, str], amount: dict[str, str] | None
) -> None:
    said = await typed("plan", "checkout", str(PLAN.with_name(f"{plan}.toml")), *options)

    assert (said.code, said.err) == (0, "")
    assert said.data["chargePermissionType"] == "Recurring"
    assert said.data["recurringMetadata"]["frequency"] == frequency
    assert said.data["recurringMetadata"]["amount"] == amount


@pytest.mark.parametrize("command", ["explain", "preview"])
async def test_a_plan_shows_what_the_buyer_reads_of_the_first_charge(command: str) -> None:
    said = await typed(
        *("plan", command, str(PLAN.with_name("coffee-with-texts.toml"))),
        *("--anchor", "2027-01-31T09:00:00+01:00", "--zone", "Europe/Berlin"),
        COLUMNS="150",
    )

    assert (said.code, said.err) == (0, "")
    assert "Texts of the first charge, period 0" in said.out
    for words in (
        "AMZ* COFFEE 1",
        "Your coffee from 2027-01-31 to 2027-02-27, order your-reference",
        "The Coffee Club",
        "period 0 of coffee-with-texts",
    ):
        assert words in said.out


async def test_a_trial_has_no_charge_so_the_first_that_costs_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "trial.toml"
    file.write_text(PLAN.with_name("magazine-with-trial.toml").read_text() + '[texts]\nnote_to_buyer = "no. {nth}"\n')

    said = await typed("plan", "explain", str(file), COLUMNS="150")
    previewed = await typed("plan", "preview", str(file), "--count", "2", "--json")

    assert "Texts of the first charge, period 1" in said.out
    assert "no. 2" in said.out
    assert "no. 1" not in said.out
    assert [each.get("texts") for each in previewed.data] == [None, {"note_to_buyer": "no. 2"}]


async def test_a_plan_without_texts_shows_none() -> None:
    explained = await typed("plan", "explain", str(PLAN), "--json")
    said = await typed("plan", "preview", str(PLAN), COLUMNS="150")

    assert explained.data["texts"] is None
    assert "Texts" not in said.out


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ('note_to_buyer = "{buyer}"', ["texts.note_to_buyer: {buyer} is not accepted", "{period}, {nth}, {start}"]),
        ('note_to_buyer = "{start"', ["texts.note_to_buyer: a single { is not accepted", "{{ or }}"]),
        ('note_to_buyer = "one\\ntwo"', ["texts.note_to_buyer: '\\n' is not accepted"]),
        ('soft_descriptor = "COFFEE {start}"', ["'COFFEE {start}' is not accepted", "at most 16", "17 ({start} 10)"]),
        ('soft_descriptor = "{merchant_reference}"', ["texts.soft_descriptor", "128 ({merchant_reference} 128)"]),
        ('descriptor = "COFFEE"', ["texts.descriptor: ", "there is no such field"]),
    ],
)
@pytest.mark.parametrize("command", ["explain", "preview", "checkout"])
async def test_texts_that_amazon_would_refuse_are_refused_in_one_line(
    tmp_path: Path, command: str, texts: str, named: list[str]
) -> None:
    file = tmp_path / "coffee.toml"
    file.write_text(f"{PLAN.read_text()}\n[texts]\n{texts}\n")

    said = await typed("plan", command, str(file))

    assert (said.code, said.out) == (2, "")
    assert [words for words in named if words not in said.trouble] == []
    assert len(said.err.strip().splitlines()) == 1
