"""The guides for those who are billed elsewhere: their queries are run, and what they yield is taken over."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from amazon_pay_client.models import Currency
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from tests.mariadb import MariaDB, is_here, mariadb
from tests.pages import ROOT, blocks
from tests.starter.command_line import Said, joined_to, typed

EXAMPLES: Final = ROOT / "examples" / "migration"
GUIDES: Final = ROOT / "docs" / "guides"
DAY: Final = timedelta(days=1)


async def command(house: Stage, *arguments: str) -> Said:
    return await typed(*arguments, COLUMNS="250", **joined_to(house), PERENNIAL_CALLS_PER_SECOND="1000")


async def permission(house: Stage, currency: Currency = Currency.EUR) -> str:
    return (await house.simulator.open_permission(currency)).charge_permission_id


async def taken_over(house: Stage, file: Path, plans: Path) -> list[Said]:
    """Checked, started and cut over, as the guides say."""
    options = (str(file), "--plans", str(plans))
    return [await command(house, "import", step, *options) for step in ("check", "start", "cut-over")]


# A cron job

COFFEE: Final = 'plan_id = "coffee"\namount = { amount = "19.90", currency = "EUR" }\ninterval = { unit = "month" }\n'


def coffee_plans(folder: Path) -> Path:
    """A folder with one plan."""
    plans = folder / "plans"
    plans.mkdir()
    (plans / "coffee.toml").write_text(COFFEE)
    return plans


def cron_table(rows: list[tuple[Any, ...]]) -> sqlite3.Connection:
    """The guide's own table, with these rows."""
    (schema,) = blocks((GUIDES / "from-cron.md").read_text(), "sql")
    database = sqlite3.connect(":memory:")
    database.executescript(schema)
    database.executemany("INSERT INTO subscribers VALUES (?, ?, ?, ?, ?, ?)", rows)
    return database


def exported(database: sqlite3.Connection, to: Path) -> Path:
    """What `sqlite3 -header -csv` makes of the example query."""
    found = database.execute((EXAMPLES / "cron.sql").read_text())
    with to.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([column[0] for column in found.description])
        table.writerows(found)
    return to


async def test_who_was_billed_by_a_cron_job_is_charged_once_by_one_of_both(house: Stage, tmp_path: Path) -> None:
    plans, today = coffee_plans(tmp_path), datetime.now(UTC).date()
    soon, charged, owing = [await permission(house) for _ in range(3)]
    in_five_days, yesterday = today + 5 * DAY, today - DAY
    database = cron_table(
        [
            (1, soon, "coffee", str(in_five_days), 0, 1),
            (2, charged, "coffee", str(yesterday), 0, 1),  # the export is older than the job's run of that night
            (3, owing, "coffee", str(in_five_days), 1250, 1),
            (4, "", "coffee", str(in_five_days), 0, 1),
            (5, "C01-0000000-0000000", "coffee", str(in_five_days), 0, 0),
        ]
    )

    said = await taken_over(house, exported(database, tmp_path / "subscribers.csv"), plans)

    assert [(each.code, each.out) for each in said] == [(0, "3 checked\n"), (0, "3 started\n"), (0, "3 cut over\n")]
    upcoming = {each: await house.subscriptions.upcoming(each, 1) for each in (soon, charged, owing)}
    dates = {each: (f"{charges[0].at:%Y-%m-%d %H:%M}", str(charges[0].amount)) for each, charges in upcoming.items()}
    assert dates[soon] == (f"{in_five_days} 03:00", "19.90 EUR")
    assert dates[owing] == (f"{in_five_days} 03:00", "32.40 EUR"), "12.50 of them were owed before"
    assert upcoming[charged][0].at.date() > today + 25 * DAY, "what the job has charged already is not charged here"
    books = await house.simulator.books()
    assert not [call for call in books.calls if call.charge_permission_id in upcoming]


async def test_a_second_export_starts_who_is_new_and_leaves_who_runs_as_they_are(house: Stage, tmp_path: Path) -> None:
    plans, today = coffee_plans(tmp_path), datetime.now(UTC).date()
    runs, new = [await permission(house) for _ in range(2)]
    soon, later = str(today + 2 * DAY), str(today + 32 * DAY)
    first = exported(cron_table([(1, runs, "coffee", soon, 0, 1)]), tmp_path / "first.csv")
    assert (await command(house, "import", "start", str(first), "--plans", str(plans))).code == 0
    rows = [(1, runs, "coffee", later, 0, 1), (2, new, "coffee", soon, 0, 1)]  # the job has charged the first since

    second = exported(cron_table(rows), tmp_path / "second.csv")
    said = await command(house, "import", "start", str(second), "--plans", str(plans), "--json")

    assert (said.code, said.data["done"], said.data["refused"]) == (1, 1, 1)
    (refusal,) = said.data["refusals"]
    assert "has a subscription with another anchor" in refusal["why"], refusal
    assert {(await house.subscriptions.status(each)).status for each in (runs, new)} == {Status.PAUSED}


async def test_who_joined_on_the_31st_has_it_back_where_the_first_date_is_the_anchor(
    house: Stage, tmp_path: Path
) -> None:
    plans, theirs = coffee_plans(tmp_path), await permission(house)
    begun = datetime(datetime.now(UTC).year - 1, 1, 31, 3, tzinfo=UTC)
    file = tmp_path / "subscribers.csv"
    file.write_text(f"charge_permission_id,plan,anchor\n{theirs},coffee,{begun.isoformat()}\n")

    await taken_over(house, file, plans)

    dates = [charge.due.date() for charge in await house.subscriptions.upcoming(theirs, 12)]
    assert [day.day for day in dates] == [min(31, monthrange(day.year, day.month)[1]) for day in dates]


async def test_the_way_back_leaves_the_permission_to_the_job(house: Stage, tmp_path: Path) -> None:
    plans, theirs = coffee_plans(tmp_path), await permission(house)
    database = cron_table([(1, theirs, "coffee", str(datetime.now(UTC).date() + 5 * DAY), 0, 1)])
    await taken_over(house, exported(database, tmp_path / "subscribers.csv"), plans)

    paused = await command(house, "change", "pause", theirs, "--stop-collecting")

    assert paused.code == 0
    assert (await house.subscriptions.status(theirs)).status is Status.PAUSED
    assert await house.subscriptions.upcoming(theirs, 1) == []
    books = await house.simulator.books()
    states = {each.charge_permission_id: each.status_details.state for each in books.permissions}
    assert states[theirs] == "Chargeable", "a cancellation would have closed it for ever"


# WooCommerce

SHOP: Final = """
CREATE TABLE wp_options (option_id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, option_name VARCHAR(191) UNIQUE,
    option_value LONGTEXT);
CREATE TABLE wp_wc_orders (id BIGINT UNSIGNED PRIMARY KEY, status VARCHAR(20), currency VARCHAR(10), type VARCHAR(20),
    tax_amount DECIMAL(26, 8), total_amount DECIMAL(26, 8), customer_id BIGINT UNSIGNED, payment_method VARCHAR(100));
CREATE TABLE wp_wc_orders_meta (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, order_id BIGINT UNSIGNED,
    meta_key VARCHAR(255), meta_value TEXT);
CREATE TABLE wp_posts (ID BIGINT UNSIGNED PRIMARY KEY, post_status VARCHAR(20), post_type VARCHAR(20));
CREATE TABLE wp_postmeta (meta_id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, post_id BIGINT UNSIGNED,
    meta_key VARCHAR(255), meta_value LONGTEXT);
INSERT INTO wp_options (option_name, option_value) VALUES ('siteurl', 'https://shop.example'),
    ('timezone_string', 'Europe/Berlin');
"""
"""What the queries read, with the types of WordPress and WooCommerce."""

_WOO: Final = pytest.mark.skipif(not is_here(), reason="MariaDB is not installed (Debian: mariadb-server)")


class Shop:
    """A shop's database, in which each subscription stands in both kinds of tables."""

    def __init__(self, server: MariaDB, name: str) -> None:
        self._server = server
        self._name = name
        server.run(f"CREATE DATABASE {name}")
        server.run(SHOP, name)

    def sells(self, number: int, permission: str, due: str, **other: str) -> None:
        """A subscription as both plugins write it; by default 19.90 EUR a month, active."""
        status, method = other.get("status", "wc-active"), other.get("method", "amazon_payments_advanced")
        total, currency = other.get("total", "19.90"), other.get("currency", "EUR")
        meta = {
            "amazon_charge_permission_id": permission,
            "amazon_charge_permission_status": '{"status":"Chargeable","reasons":[],"type":"Recurring"}',
            "_billing_period": other.get("unit", "month"),
            "_billing_interval": other.get("count", "1"),
            "_schedule_start": "2026-01-05 10:00:00",
            "_schedule_next_payment": due,
            "_schedule_end": other.get("ends", "0"),
            "_requires_manual_renewal": "false",
        }
        post_meta = meta | {"_payment_method": method, "_order_total": total, "_order_currency": currency}
        order = f"{number}, 'shop_subscription', '{status}', '{currency}', {total}, '{method}'"
        statements = [
            f"INSERT INTO wp_wc_orders (id, type, status, currency, total_amount, payment_method) VALUES ({order})",
            f"INSERT INTO wp_posts VALUES ({number}, '{status}', 'shop_subscription')",
        ]
        for table, key, of in (("wp_wc_orders_meta", "order_id", meta), ("wp_postmeta", "post_id", post_meta)):
            rows = ", ".join(f"({number}, '{name}', '{value}')" for name, value in of.items())
            statements.append(f"INSERT INTO {table} ({key}, meta_key, meta_value) VALUES {rows}")
        self._server.run("; ".join(statements), self._name)

    def exports(self, query: str) -> str:
        """What the guide's command makes of a query: commas for tabs."""
        return self._server.run((EXAMPLES / query).read_text(), self._name).replace("\t", ",")

    def has_no_zone(self) -> None:
        """The owner has chosen an offset, such as UTC+1, in the place of a city."""
        self._server.run("UPDATE wp_options SET option_value = '' WHERE option_name = 'timezone_string'", self._name)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    """One for all shops."""
    with mariadb() as running:
        yield running


def planned(file: Path, plans: Path) -> None:
    """The plan files, made as the guide says."""
    subprocess.run([sys.executable, str(EXAMPLES / "woocommerce_plans.py"), str(file), str(plans)], check=True)


@_WOO
async def test_woocommerce_subscribers_are_taken_over_with_their_dates(
    house: Stage, tmp_path: Path, server: MariaDB
) -> None:
    shop, due = Shop(server, "dates"), datetime.now(UTC).replace(microsecond=0) + 5 * DAY
    next_payment = f"{due:%Y-%m-%d %H:%M:%S}"
    monthly, quarterly, shared, ending = [await permission(house) for _ in range(4)]
    yen = await permission(house, Currency.JPY)
    shop.sells(1041, monthly, next_payment)
    shop.sells(1042, quarterly, next_payment, total="45.5", count="3")
    shop.sells(1043, shared, next_payment)
    shop.sells(1044, shared, next_payment, total="5.00")
    shop.sells(1045, yen, next_payment, total="1200", currency="JPY", unit="week", count="2")
    shop.sells(1046, ending, next_payment, ends=f"{due + 60 * DAY:%Y-%m-%d %H:%M:%S}")
    shop.sells(1047, "C01-1111111-1111111", next_payment, status="wc-on-hold")
    shop.sells(1048, "C01-2222222-2222222", next_payment, method="stripe")
    shop.sells(1049, "C01-3333333-3333333", "0", status="wc-pending-cancel")
    shop.sells(1050, "", next_payment)
    file, plans, report = tmp_path / "subscribers.csv", tmp_path / "plans", tmp_path / "checked.csv"
    file.write_text(shop.exports("woocommerce.sql"))
    planned(file, plans)

    assert shop.exports("woocommerce-posts.sql") == file.read_text(), "both kinds of tables tell the same"
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [(row["merchant_reference"], row["plan"]) for row in rows] == [
        ("woo-subscription-1041", "woo-19.90-eur-1-month"),
        ("woo-subscription-1042", "woo-45.50-eur-3-month"),
        ("woo-subscription-1043", "woo-19.90-eur-1-month"),
        ("woo-subscription-1044", "woo-5.00-eur-1-month"),
        ("woo-subscription-1045", "woo-1200.00-jpy-2-week"),
        ("woo-subscription-1046", "woo-19.90-eur-1-month"),
    ]
    assert {row["zone"] for row in rows} == {"Europe/Berlin"}

    options = (str(file), "--plans", str(plans))
    checked = await command(house, "import", "check", *options, "--report", str(report))
    assert (checked.code, checked.err) == (1, f"error: 1 of 6 were refused; see {report}\n")
    with report.open() as lines:
        (refused,) = [line["why"] for line in csv.DictReader(lines) if line["outcome"] == "refused"]
    assert refused == "charge_permission_id: is that of line 4 too"
    for step in ("start", "cut-over"):
        await command(house, "import", step, *options)
    found = {each: await house.subscriptions.upcoming(each, 4) for each in (monthly, quarterly, shared, yen, ending)}
    assert {each: str(charges[0].amount) for each, charges in found.items()} == {
        monthly: "19.90 EUR",
        quarterly: "45.50 EUR",
        shared: "19.90 EUR",
        yen: "1200 JPY",
        ending: "19.90 EUR",
    }
    assert {charges[0].at for charges in found.values()} == {due}
    assert len(found[ending]) == 2, "the dates after its end are none"


@_WOO
def test_a_woocommerce_site_with_an_offset_for_a_zone_is_reckoned_in_utc(server: MariaDB) -> None:
    shop = Shop(server, "without_zone")
    shop.has_no_zone()
    shop.sells(1051, "C01-1234567-1234567", "2027-03-31 23:30:00")

    (row,) = csv.DictReader(io.StringIO(shop.exports("woocommerce.sql")))

    assert (row["anchor"], row["zone"], row["ends_at"]) == ("2027-03-31T23:30:00+00:00", "UTC", "")


# What the guide to testing shows


async def test_each_script_that_the_guide_to_testing_shows_is_played(house: Stage) -> None:
    scripts = blocks((GUIDES / "testing.md").read_text(), "json")
    assert len(scripts) == 6
    async with httpx.AsyncClient(base_url=house.simulator.origin) as http:
        for script in scripts:
            theirs = await permission(house)
            path = f"/simulator/charge-permissions/{theirs}/script"
            answer = await http.put(path, json=json.loads(script))
            assert answer.status_code == 200, answer.text


async def test_what_the_guide_to_testing_plays_is_at_the_addresses_that_it_names(house: Stage) -> None:
    guide = (GUIDES / "testing.md").read_text()
    theirs = await permission(house)
    async with httpx.AsyncClient(base_url=house.simulator.origin) as http:
        for what in ("break-payment-method", "mend-payment-method", "close-by-buyer"):
            assert what in guide
            answer = await http.post(f"/simulator/charge-permissions/{theirs}/{what}")
            assert answer.status_code == 200, answer.text
