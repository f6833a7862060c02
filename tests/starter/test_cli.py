"""The commands about subscriptions against a real server and worker, as a merchant's engineer types them."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from amazon_pay_client.models import Currency
from amazon_pay_client.resources.charge_permissions import ChargePermissions
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.finding import timeline
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.starter.cli.app import app
from tests.ledger.told import BEGAN, MONTH, notice, summary, told
from tests.scenarios.story import Story
from tests.starter.agreements import new_terms
from tests.starter.command_line import dead_port, joined_to, typed
from tests.starter.test_listing import listed

COMMANDS = [
    "recover",
    "demo",
    "start",
    "show",
    "list",
    "watch",
    "cancel",
    "replace",
    "capture",
    "resolve",
    "retry",
    "refund",
    "upcoming",
    "write-off",
    "change",
    "advance",
    "import",
    "bulk",
    "audit",
    "reconcile",
    "find",
    "timeline",
    "export",
    "report",
    "setup",
    "check",
    "endpoints",
    "notices",
    "ledger",
    "plan",
    "worker",
    "deploy",
    "accounts",
    "ipn",
    "api",
    "portal",
    "keys",
    "codec",
    "dev",
]
NOBODY = "C01-0000000-0000000"


async def test_a_subscription_is_started_billed_shown_listed_and_canceled_by_the_command_line(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = await new_terms(house)
    identifier, environment = terms.charge_permission_id, joined_to(house)
    start = ["start", identifier, "--amount", "12.50 USD", "--every", "2 weeks", "--plan-id", "tea", "--zone"]
    start += ["Asia/Tokyo", "--anchor", terms.anchor.isoformat(), "--reference", "order/7"]

    started = await typed(*start, **environment)
    assert (started.code, started.err) == (0, "")
    assert f"subscription-{identifier} started, first charge {terms.anchor:%Y-%m-%d %H:%M} UTC" in started.out
    await Subscriber(house, terms).until_due(0)

    shown = await typed("show", identifier, "--json", **environment)
    assert (shown.code, shown.err) == (0, "")
    assert (shown.data["status"], shown.data["needs_attention"]) == ("active", False)
    assert [record["outcome"] for record in shown.data["ledger"]] == ["paid"]
    assert shown.data["ledger"][0]["amount"] == {"amount": "12.50", "currency": "USD"}
    page = await typed("show", identifier, **environment)
    for words in ("Active", "tea: 12.50 USD every 2 weeks", "Asia/Tokyo", "order/7", "paid"):
        assert words in page.out

    close, told = ChargePermissions.close, []

    async def closing(self: ChargePermissions, which: str, request: Any, **more: Any) -> Any:
        told.append((which, request.closure_reason))
        return await close(self, which, request, **more)

    monkeypatch.setattr(ChargePermissions, "close", closing)
    canceled = await typed("cancel", identifier, "--reason", "moved away", "--json", **environment)
    assert (canceled.code, canceled.err) == (0, "")
    assert canceled.data == {"charge_permission_id": identifier, "cancel": "requested"}
    await Subscriber(house, terms).quiet()
    shown = await typed("show", identifier, "--json", **environment)
    assert (shown.data["status"], shown.data["ending"]["reason"]) == ("canceled", "a cancellation was asked for")
    assert shown.data["next"] is None
    assert (identifier, "moved away") in told, "Amazon is told why, and nobody else is shown it"
    again = await typed("cancel", identifier, **environment)
    assert (again.code, again.trouble) == (
        1,
        f"error: charge permission {identifier}: its subscription has ended already",
    )


async def test_starting_again_says_that_it_runs_already_and_other_terms_are_refused(house: Stage) -> None:
    terms = await new_terms(house)
    start = ["start", terms.charge_permission_id, "--amount", "9.99 USD", "--json"]

    first, second = [await typed(*start, **joined_to(house)) for _ in range(2)]
    refused = await typed(*start, "--zone", "Asia/Tokyo", **joined_to(house))

    name = f"subscription-{terms.charge_permission_id}"
    assert (first.code, first.err, first.data) == (
        0,
        "",
        {"workflow_id": name, "already_started": False, "same_reference": []},
    )
    assert (second.code, second.err, second.data) == (
        0,
        "",
        {"workflow_id": name, "already_started": True, "same_reference": []},
    )
    assert refused.code == 1
    assert terms.charge_permission_id in refused.trouble
    assert "it was not changed" in refused.trouble


@pytest.mark.parametrize("suffix", ["toml", "json"])
async def test_a_plan_file_is_what_is_billed(house: Stage, tmp_path: Path, suffix: str) -> None:
    terms = await new_terms(house, currency=Currency.EUR)
    path = tmp_path / f"plan.{suffix}"
    path.write_text(
        {
            "toml": 'plan_id = "coffee"\namount = { amount = "19.9", currency = "EUR" }\n'
            'interval = { unit = "month" }\nperiods = 3\n[collection]\nmax_attempts = 5\n',
            "json": json.dumps(
                {
                    "plan_id": "coffee",
                    "amount": {"amount": "19.9", "currency": "EUR"},
                    "interval": {"unit": "month"},
                    "periods": 3,
                    "collection": {"max_attempts": 5},
                }
            ),
        }[suffix]
    )
    anchor = (terms.anchor + timedelta(days=30)).isoformat()

    started = await typed(
        "start", terms.charge_permission_id, "--plan", str(path), "--anchor", anchor, **joined_to(house)
    )

    assert started.code == 0, started.err
    plan = (await house.subscriptions.status(terms.charge_permission_id)).terms.plan
    assert (plan.plan_id, str(plan)) == ("coffee", "19.90 EUR a month, 3 times")
    assert (plan.periods, plan.collection.max_attempts) == (3, 5)


@pytest.mark.parametrize("live", [[], ["--live"]], ids=["ledger", "live"])
async def test_the_list_is_a_table_for_people_and_json_for_machines(house: Stage, live: list[str]) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms)
    await listed(house, terms.charge_permission_id, until=bool)
    [as_of] = await recorded(house, terms.charge_permission_id)

    as_json = await typed("list", *live, "--status", "active", "--json", **joined_to(house))
    table = await typed("list", *live, **joined_to(house), COLUMNS="200")

    assert (as_json.code, as_json.err) == (0, "")
    assert {
        "charge_permission_id": terms.charge_permission_id,
        "status": "active",
        "next_action_at": terms.anchor.isoformat(),
        "plan": "coffee",
        "merchant_reference": f"order-{terms.charge_permission_id}",
        "merchant_account": "default",
        "last_reason": None,
        "needs_attention": False,
        "past_due": False,
        "as_of": None if live else as_of.isoformat(),
        "stopped": None,
        "hindered": None,
    } in as_json.data
    assert ("as Temporal has them" if live else "as the ledger had them at ") in table.out
    for words in (terms.charge_permission_id, "active", f"{terms.anchor:%Y-%m-%d %H:%M}", "coffee"):
        assert words in table.out


async def recorded(house: Stage, charge_permission_id: str) -> list[datetime]:
    """When each thing happened that a subscription told, once that is in the ledger."""
    async with asyncio.timeout(30):
        while not (told := await timeline(house.ledger, charge_permission_id)):
            await asyncio.sleep(0.05)
    return [entry.notice.at for entry in told]


@pytest.mark.parametrize("live", [[], ["--live"]], ids=["ledger", "live"])
async def test_who_owes_is_listed_by_one_option_and_marked_in_every_list(house: Stage, live: list[str]) -> None:
    owing, paying = await Story.begin(house, script=["SoftDeclined"]), await Story.begin(house)
    for story in (owing, paying):
        await story.until_due(0)
    await listed(house, owing.charge_permission_id, until=lambda lines: [line.past_due for line in lines] == [True])

    as_json = await typed("list", *live, "--past-due", "--json", **joined_to(house))
    table = await typed("list", *live, "--past-due", COLUMNS="200", **joined_to(house))
    everybody = await typed("list", *live, COLUMNS="200", **joined_to(house))

    assert (as_json.code, as_json.err, table.code) == (0, "", 0)
    found = {line["charge_permission_id"]: line for line in as_json.data}
    line = found[owing.charge_permission_id]
    assert (line["status"], line["past_due"], line["last_reason"]) == ("retrying", True, "SoftDeclined")
    assert paying.charge_permission_id not in found
    assert all(line["past_due"] for line in as_json.data)
    assert paying.charge_permission_id not in table.out
    for said in (table, everybody):
        (row,) = [line for line in said.out.splitlines() if owing.charge_permission_id in line]
        assert "retrying owes " in row
    (row,) = [line for line in everybody.out.splitlines() if paying.charge_permission_id in line]
    assert "owes" not in row
    assert "owes is past due" in table.out


@pytest.mark.parametrize("live", [[], ["--live"]], ids=["ledger", "live"])
async def test_an_empty_list_is_an_empty_json_list(house: Stage, tmp_path: Path, live: list[str]) -> None:
    there = joined_to(house) | {"PERENNIAL_DATA_FOLDER": str(tmp_path)}

    said = await typed("list", *live, "--status", "completed", "--json", **there)

    assert (said.code, said.err, said.data) == (0, "", [])


async def test_a_ledger_in_which_nothing_is_says_where_it_is_and_how_to_ask_temporal(tmp_path: Path) -> None:
    said = await typed("list", PERENNIAL_DATA_FOLDER=str(tmp_path))

    assert said.code == 0
    assert f"nothing is in the ledger yet (SQLite file {tmp_path}/ledger.db); --live asks Temporal" in said.out


async def test_the_ledger_lists_also_who_ended_long_ago_and_shows_whom_temporal_has_forgotten(
    house: Stage, tmp_path: Path
) -> None:
    gone, left = "C01-2702031-0000001", "C01-2702031-0000002"
    async with Ledger.open(file_url(tmp_path / "ledger.db"), set_up=True) as ledger:
        ended = summary(status=Status.CANCELED, ended_at=BEGAN + MONTH, next_action_at=None, next_charge_at=None)
        await ledger.record(told(notice(1), notice(2), permission=gone, summary=ended))
        await ledger.record(told(notice(1), permission=left))
    there = joined_to(house) | {"PERENNIAL_DATA_FOLDER": str(tmp_path)}

    running, everybody = await typed("list", "--json", **there), await typed("list", "--ended", "--json", **there)
    shown, page = await typed("show", gone, "--json", **there), await typed("show", gone, **there)

    assert [each["charge_permission_id"] for each in running.data] == [left]
    assert [each["charge_permission_id"] for each in everybody.data] == [gone, left]
    assert (shown.data["source"], shown.data["status"], shown.data["charged"]) == ("ledger", "canceled", "29.80 EUR")
    for words in (
        "Temporal does not know it any more",
        f"{BEGAN + 2 * MONTH:%Y-%m-%d %H:%M} UTC",
        "perennial timeline",
    ):
        assert words in page.out


@pytest.mark.parametrize("command", [["show"], ["show", "--json"], ["cancel"], ["cancel", "--json"]])
async def test_what_nobody_started_is_not_found(house: Stage, command: list[str]) -> None:
    said = await typed(*command, NOBODY, **joined_to(house))

    assert said.code == 1
    assert NOBODY in said.trouble
    assert "perennial list" in said.trouble


@pytest.mark.parametrize("command", [["show", NOBODY], ["list", "--live"], ["cancel", NOBODY], ["start", NOBODY]])
async def test_without_a_temporal_server_a_command_says_where_it_looked(command: list[str]) -> None:
    more = ["--amount", "9.99 USD"] if command[0] == "start" else []
    with dead_port() as port:
        said = await typed(*command, *more, TEMPORAL_ADDRESS=f"127.0.0.1:{port}")

    assert said.code == 2
    assert f"TEMPORAL_ADDRESS: no Temporal server answers at 127.0.0.1:{port}" in said.trouble


@pytest.mark.parametrize("command", [["show", NOBODY], ["list", "--live"], ["cancel", NOBODY], ["start", NOBODY]])
async def test_a_namespace_that_does_not_exist_is_named(house: Stage, command: list[str]) -> None:
    more = ["--amount", "9.99 USD"] if command[0] == "start" else []

    said = await typed(*command, *more, **joined_to(house), TEMPORAL_NAMESPACE="no-such-place")

    assert said.code in {1, 2}
    assert "no-such-place" in said.trouble


@pytest.mark.parametrize("address", ["not an address", "127.0.0.1:port"])
async def test_an_address_that_is_none_is_named(address: str) -> None:
    said = await typed("list", "--live", TEMPORAL_ADDRESS=address)

    assert said.code == 2
    assert "TEMPORAL_ADDRESS" in said.trouble
    assert address in said.trouble


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_says_what_it_is_for(command: str) -> None:
    said = await typed(command, "--help", COLUMNS="200")

    assert (said.code, said.err) == (0, "")
    assert f"perennial {command}" in said.out or f"{command} [OPTIONS]" in said.out


def test_every_command_and_every_option_has_a_help_text() -> None:
    commands = getattr(typer.main.get_command(app), "commands", {})

    assert sorted(commands) == sorted(COMMANDS)
    for name, command in commands.items():
        assert command.help, name
        for option in command.params:
            assert getattr(option, "help", "unused"), f"{name} {option.name}"
