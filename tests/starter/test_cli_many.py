"""`perennial import` and `perennial bulk`: many at once, each with a line of its own in the report."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from amazon_pay_client.models import Currency
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber
from tests.scenarios.story import MONTHLY, Story
from tests.starter.command_line import Said, joined_to, typed

COFFEE = 'plan_id = "coffee"\namount = { amount = "9.99", currency = "USD" }\ninterval = { unit = "month" }\n'
INSTALMENT_AND_MACHINE = """plan_id = "machine"
[[phases]]
amount = { amount = "1.00", currency = "USD" }
interval = { unit = "month" }
periods = 1
[[phases]]
amount = { amount = "1000.01", currency = "USD" }
interval = { unit = "month" }
"""
COLUMNS = ["charge_permission_id", "plan", "anchor", "next_period", "zone", "merchant_reference", "debt"]


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    """A folder with one plan."""
    folder = tmp_path / "plans"
    folder.mkdir()
    (folder / "coffee.toml").write_text(COFFEE)
    return folder


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of rows, of the kind that its name says."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            table.writerows(rows)
    return path


async def permissions(house: Stage, count: int) -> list[str]:
    opened = [await house.simulator.open_permission() for _ in range(count)]
    return [permission.charge_permission_id for permission in opened]


def row(permission: str, **fields: Any) -> dict[str, Any]:
    """Somebody who has paid since January of the last year, on the 31st."""
    begun = datetime(datetime.now(UTC).year - 1, 1, 31, 9, tzinfo=UTC)
    return {"charge_permission_id": permission, "plan": "coffee", "anchor": begun.isoformat()} | fields


async def command(house: Stage, *arguments: str) -> Said:
    return await typed(*arguments, COLUMNS="250", **joined_to(house), PERENNIAL_CALLS_PER_SECOND="1000")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
async def test_subscribers_join_paused_and_are_billed_from_the_cut_over_on(
    house: Stage, tmp_path: Path, plans: Path, suffix: str
) -> None:
    first, second = await permissions(house, 2)
    rows = [row(first, merchant_reference="order-1"), row(second, debt="5.00 USD", zone="Europe/Berlin")]
    file = written(tmp_path / f"subscribers{suffix}", rows)
    options = (str(file), "--plans", str(plans))

    checked = await command(house, "import", "check", *options, "--json")
    started = await command(house, "import", "start", *options, "--json")
    again = await command(house, "import", "start", *options)
    stories = {each: await house.subscriptions.status(each) for each in (first, second)}
    assert [status.status for status in stories.values()] == [Status.PAUSED] * 2
    cut = await command(house, "import", "cut-over", *options)
    cut_again = await command(house, "import", "cut-over", *options)

    assert [said.code for said in (checked, started, again, cut, cut_again)] == [0] * 5
    assert checked.data == started.data == {"done": 2, "already": 0, "refused": 0, "refusals": []}
    assert again.out == "0 started, 2 were already\n"
    assert (cut.out, cut_again.out) == ("2 cut over\n", "0 cut over, 2 were already\n")
    books = await house.simulator.books()
    assert not [call for call in books.calls if call.charge_permission_id in {first, second}], "nobody is charged by it"

    subscriber = Subscriber(house, stories[second].terms)
    upcoming = await house.subscriptions.upcoming(second, 2)
    assert [str(each.amount) for each in upcoming] == ["14.99 USD", "9.99 USD"]
    assert upcoming[0].at > datetime.now(UTC)
    status = await subscriber.until(upcoming[0].at + timedelta(hours=1))
    assert [(record.period, str(record.amount)) for record in status.ledger] == [
        (stories[second].joined_with, "14.99 USD")
    ]
    audited = await command(house, "audit", "--simulator", house.simulator.origin, "--running")
    assert not [line for line in audited.out.splitlines() if first in line or second in line]


async def test_each_row_that_cannot_be_is_told_with_its_line_and_stops_no_other(
    house: Stage, tmp_path: Path, plans: Path
) -> None:
    good, broken, small = await permissions(house, 3)
    await house.simulator.break_payment_method(broken)
    euros = (await house.simulator.open_permission(Currency.EUR)).charge_permission_id
    (plans / "machine.toml").write_text(INSTALMENT_AND_MACHINE)
    rows = [
        row(good),
        row(broken),
        row("C01-0000000-0000000"),
        row(euros),
        row(good),
        row(good, plan="tea"),
        row(good, anchor="yesterday"),
        row(good, zone="Mars/Olympus"),
        row(good, debt="lots"),
        row(good, debt="5 EUR"),
        row("", plan="coffee"),
        row(small, plan="machine", anchor=f"{datetime.now(UTC).year + 1}-01-31T09:00:00Z"),
    ]
    file, report = written(tmp_path / "subscribers.csv", rows), tmp_path / "report.csv"

    said = await command(house, "import", "check", str(file), "--plans", str(plans), "--report", str(report))

    with report.open() as lines:
        told = {int(line["row"]): (line["outcome"], line["why"]) for line in csv.DictReader(lines)}
    assert (said.code, said.err) == (1, f"error: 11 of 12 were refused; see {report}\n")
    assert told[2] == ("done", "")
    expected = {
        3: "it cannot be charged now: non_chargeable (PaymentMethodExpired)",
        4: "ResourceNotFound",
        5: "it is in EUR, and the plan in USD",
        6: "charge_permission_id: is that of line 2 too",
        7: "plan: 'tea' is not accepted; the plans are: coffee",
        8: "anchor: 'yesterday' is not accepted; an instant is, such as 2026-01-31T09:00:00+01:00",
        9: "zone: 'Mars/Olympus' is not accepted; IANA names of time zones are, such as 'Europe/Berlin'",
        10: "debt: 'lots' is not accepted; an amount and a currency are, such as '9.99 USD'",
        11: "debt: 5.00 EUR is not accepted; it is in another currency than the plan, USD",
        12: "charge_permission_id: it must be given",
        13: "it allows 1000.00 USD in a calendar month, and a charge to come may cost 1000.01 USD",
    }
    assert {line: why for line, why in expected.items() if why not in told[line][1]} == {}
    assert "1 checked" in said.out


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("none.csv", None, "none.csv: No such file or directory"),
        ("rows.txt", "", "subscribers are read from a .csv or .jsonl file"),
        ("rows.csv", "charge_permission_id,plan,colour\n", "header: 'colour' is not a column, 'anchor' is missing"),
        ("rows.csv", "", "'charge_permission_id' is missing"),
        ("rows.csv", "\n \n", "'charge_permission_id' is missing"),
        ("rows.csv", "charge_permission_id,plan,anchor,plan\n", "'plan' is there 2 times"),
        ("rows.csv", "charge_permission_id;plan;anchor\n", "separated by commas"),
        ("rows.csv", 'charge_permission_id,"plan,anchor\n', "not CSV: unexpected end of data: a quote is open"),
        ("rows.csv", "charge_permission_id,plan,anchor,gr\xf6\xdfe\n", "it is not UTF-8 (byte 0xf6); save it as UTF-8"),
        ("rows.csv", "\xff\xfec\0h\0", "not UTF-8: it is UTF-16; save it as UTF-8"),
        ("rows.csv", "\xfe\xff\0c\0h", "not UTF-8: it is UTF-16"),
        ("rows.csv", "c\0h\0a\0", "it holds U+0000, which is no text"),
        ("rows.jsonl", "\xff\xfe{\0", "not UTF-8: it is UTF-16"),
        ("rows.csv", "charge_permission_id" * 6_000, "it is longer than 100000 characters"),
        ("folder.csv", "a folder", "folder.csv: Is a directory"),
    ],
)
async def test_a_file_that_cannot_be_read_is_said_in_one_line(
    house: Stage, tmp_path: Path, plans: Path, name: str, content: str | None, why: str
) -> None:
    if content == "a folder":
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_text(content, encoding="latin-1")

    said = await command(house, "import", "start", str(tmp_path / name), "--plans", str(plans))

    assert (said.code, said.out) == (2, "")
    assert why in said.trouble


async def test_a_line_that_is_no_json_is_told_and_stops_no_other(house: Stage, tmp_path: Path, plans: Path) -> None:
    (permission,) = await permissions(house, 1)
    file = tmp_path / "rows.jsonl"
    file.write_text("{nonsense\n\n[1]\n" + json.dumps(row(permission)) + "\n")

    said = await command(house, "import", "start", str(file), "--plans", str(plans), "--json")

    assert (said.code, said.data["done"], said.data["refused"]) == (1, 1, 2)
    assert [(each["row"], each["why"].partition(": ")[0]) for each in said.data["refusals"]] == [
        (1, "not JSON"),
        (3, "a list of 1 is not accepted; a table of fields is"),
    ]


async def test_a_row_is_told_by_the_names_of_its_columns(house: Stage, tmp_path: Path, plans: Path) -> None:
    rows = [
        row("C01-1", billing_day=40),
        row("C01-2", billing_time="09:00"),
        row("C01-3", quantity=2_000_000),
        row("C01-4", next_period=-1),
        row("C01-5", colour="red"),
        row("C01-6", ends_at="2020-01-01T00:00:00Z"),
    ]
    file = written(tmp_path / "rows.jsonl", rows)

    said = await command(house, "import", "start", str(file), "--plans", str(plans), "--json")

    assert (said.code, said.data["done"], said.data["refused"]) == (1, 0, len(rows))
    told = {each["row"]: each["why"] for each in said.data["refusals"]}
    expected = {
        1: "billing_day: 40 is not accepted; 31 or less is",
        2: "billing_time: 09:00 is not accepted; a billing_day is needed beside it",
        3: "quantity: 2000000 is not accepted; 1000000 or less is",
        4: "next_period: -1 is not accepted; 0 or more is",
        5: "colour: 'red' is not accepted; there is no such field",
        6: "ends_at: 2020-01-01T00:00:00+00:00 is not accepted; instants after the anchor, ",
    }
    assert {line: why for line, why in expected.items() if not told[line].startswith(why)} == {}


async def test_all_that_match_are_changed_and_a_dry_run_changes_nothing(house: Stage, tmp_path: Path) -> None:
    stories = [await Story.begin(house, MONTHLY.model_copy(update={"plan_id": "bulk"})) for _ in range(3)]
    for story in stories:
        await story.until_due(0)
    (tmp_path / "coffee.toml").write_text(COFFEE.replace("9.99", "12.00"))
    query = ("--query", "Plan = 'bulk'")
    report = tmp_path / "report.jsonl"

    dry = await command(house, "bulk", "pause", *query, "--dry-run", "--json")
    assert (dry.code, dry.data["done"]) == (0, 3)
    assert [(await story.status()).pause for story in stories] == [None] * 3
    paused = await command(house, "bulk", "pause", *query, "--rate", "50", "--report", str(report))
    twice = await command(house, "bulk", "pause", *query, "--json")
    resumed = await command(house, "bulk", "resume", *query)
    changed = await command(house, "bulk", "plan", *query, "--plan", str(tmp_path / "coffee.toml"))
    to_come = [await house.subscriptions.upcoming(story.charge_permission_id, 1) for story in stories]
    assert {str(found[0].amount) for found in to_come} == {"12.00 USD"}
    references = ", ".join(f"'{story.terms.merchant_reference}'" for story in stories)
    by_reference = ("--query", f"MerchantReference IN ({references})")
    ended = await command(house, "bulk", "cancel", *by_reference, "--reason", "the shop closes")

    assert (paused.code, paused.out) == (0, "3 paused\n")
    assert {json.loads(line)["subject"] for line in report.read_text().splitlines()} == {
        story.charge_permission_id for story in stories
    }
    assert (twice.code, twice.data["already"], twice.data["refused"]) == (0, 3, 0)
    assert [said.out for said in (resumed, changed, ended)] == ["3 resumed\n", "3 changed\n", "3 canceled\n"]
    for story in stories:
        assert (await story.quiet()).status is Status.CANCELED


@pytest.mark.long  # the rule: tests/billing/test_changes.py
async def test_all_that_match_cost_more_from_an_instant_on_that_is_not_over(house: Stage, tmp_path: Path) -> None:
    plan = MONTHLY.model_copy(update={"plan_id": "dearer"})
    early, late = [await Story.begin(house, plan, first_charge_in=timedelta(days=days)) for days in (2, 20)]
    query, dearer = ("--query", "Plan = 'dearer'"), tmp_path / "dearer.toml"
    dearer.write_text(COFFEE.replace("coffee", "dearer").replace("9.99", "12.49"))
    from_then_on = early.terms.anchor + timedelta(days=9)
    options = (*query, "--plan", str(dearer), "--when")

    yesterday = await command(
        house, "bulk", "plan", *options, f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}", "--json"
    )
    changed = await command(house, "bulk", "plan", *options, from_then_on.isoformat())
    said = [await house.subscriptions.upcoming(story.charge_permission_id, 2) for story in (early, late)]
    status = await early.until_due(1)

    assert (yesterday.code, yesterday.data["done"], yesterday.data["refused"]) == (1, 0, 2)
    assert all("instants from now on are" in each["why"] for each in yesterday.data["refusals"])
    assert changed.out == "2 changed\n"
    assert [[str(each.amount) for each in charges] for charges in said] == [
        ["9.99 USD", "12.49 USD"],
        ["12.49 USD", "12.49 USD"],
    ]
    assert [str(record.amount) for record in status.ledger] == ["9.99 USD", "12.49 USD"]


async def test_a_query_that_is_none_and_one_that_matches_nobody(house: Stage) -> None:
    wrong = await command(house, "bulk", "resume", "--query", "Colour = 'red'")
    nobody = await command(house, "bulk", "resume", "--query", "Plan = 'nobody-has-it'")

    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.trouble.startswith("error: query \"Colour = 'red'\": ")
    assert (nobody.code, nobody.out) == (0, "0 resumed\n")
