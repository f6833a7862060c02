"""Bad input: one line naming the field, the value and what is accepted, exit code 2, and nothing started."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.names import workflow_id
from tests.starter.command_line import joined_to, run, typed

AMOUNT = "9.99 USD"
PLANS = Path(__file__).parents[2] / "examples" / "plans"


def nobody() -> str:
    return f"C01-{uuid.uuid4()}"


async def assert_not_started(house: Stage, charge_permission_id: str) -> None:
    with pytest.raises(RPCError) as caught:
        await house.client.get_workflow_handle(workflow_id(charge_permission_id)).describe()
    assert caught.value.status is RPCStatusCode.NOT_FOUND


WRONG_AMOUNTS = [
    ("-9.99 USD", ["amount", "-9.99", "zero to"]),
    ("9.999 USD", ["amount", "9.999 is not accepted", "2 decimals are, as USD has"]),
    ("9.5 JPY", ["amount", "9.5 is not accepted", "no decimals are, as JPY has"]),
    ("9.99 XXX", ["amount", "'XXX' is not accepted", "the currencies of Amazon Pay are", "USD"]),
    ("9.99 usd", ["amount", "'usd' is not accepted", "the currencies of Amazon Pay are", "USD"]),
    ("9.99", ["amount", "'9.99' is not accepted", "an amount and a currency are", "'9.99 USD'"]),
    ("nine USD", ["amount", "'nine USD'", "an amount and a currency are", "'9.99 USD'"]),
    ("", ["amount", "''", "'9.99 USD'"]),
    ("99999999 USD", ["amount", "99999999", "zero to 10000000"]),
    ("NaN USD", ["amount", "NaN", "finite"]),
]
WRONG_OPTIONS: list[tuple[list[str], list[str]]] = [
    (["--every", "14 months"], ["--every", "14 months", "at most 12 months"]),
    (["--every", "2 years"], ["--every", "2 years", "at most 12 months"]),
    (["--every", "fortnight"], ["--every", "'fortnight'", "'week'"]),
    (["--every", "0 days"], ["--every", "'0 days'", "count: '0' is not accepted; 1 or more is"]),
    (["--every", "one month"], ["--every", "'one month'", "count: 'one' is not accepted; a whole number is"]),
    (["--every", ""], ["--every", "''", "'month'"]),
    (["--zone", "Mars/Phobos"], ["--zone", "'Mars/Phobos'", "'Europe/Berlin'"]),
    (["--zone", "Europe"], ["--zone", "'Europe'", "'Europe/Berlin'"]),
    (["--zone", "../../etc/passwd"], ["--zone", "'../../etc/passwd'", "'Europe/Berlin'"]),
    (["--anchor", "tomorrow"], ["--anchor", "'tomorrow'", "2026-01-31T09:00:00+01:00"]),
    (
        ["--anchor", "2026-01-31T09:00:00"],
        ["--anchor: 2026-01-31T09:00:00 is not accepted", "with its offset from UTC", "2026-01-31T09:00:00+01:00"],
    ),
    (["--anchor", "0001-01-01T00:00:00+01:00"], ["--anchor", "0001-01-01", "years from 1970 to 2199 are"]),
    (["--reference", "ada@example.com"], ["--reference", "'ada@example.com'", "A-Za-z0-9"]),
    (["--periods", "0"], ["--periods: 0 is not accepted; 1 or more is"]),
    (["--quantity", "0"], ["--quantity: 0 is not accepted; 1 or more is"]),
    (["--plan-id", "my plan"], ["--plan-id", "'my plan'", "A-Za-z0-9"]),
]


@pytest.mark.parametrize(("amount", "named"), WRONG_AMOUNTS, ids=[amount or "empty" for amount, _ in WRONG_AMOUNTS])
async def test_a_wrong_amount_is_refused(house: Stage, amount: str, named: Sequence[str]) -> None:
    permission = nobody()

    said = await typed("start", permission, f"--amount={amount}", **joined_to(house))

    assert said.code == 2
    assert "--amount" in said.trouble
    for words in named:
        assert words in said.trouble
    await assert_not_started(house, permission)


@pytest.mark.parametrize(("options", "named"), WRONG_OPTIONS, ids=[" ".join(options) for options, _ in WRONG_OPTIONS])
async def test_a_wrong_option_is_refused(house: Stage, options: list[str], named: Sequence[str]) -> None:
    permission = nobody()

    said = await typed("start", permission, "--amount", AMOUNT, *options, **joined_to(house))

    assert said.code == 2
    for words in named:
        assert words in said.trouble
    await assert_not_started(house, permission)


@pytest.mark.parametrize("permission", ["C01 1", "C01/1", "", "x" * 65, "ü"])
async def test_a_wrong_charge_permission_id_is_refused(house: Stage, permission: str) -> None:
    said = await typed("start", permission, "--amount", AMOUNT, **joined_to(house))

    assert said.code == 2
    assert "CHARGE_PERMISSION_ID" in said.trouble
    assert repr(permission) in said.trouble


@pytest.mark.parametrize("suffix", ["toml", "json"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"amount": {"amount": "-9.99", "currency": "USD"}}, ["amount", "-9.99", "zero to"]),
        ({"amount": {"amount": "9.999", "currency": "USD"}}, ["amount", "9.999", "2 decimals"]),
        ({"amount": {"amount": "9.5", "currency": "JPY"}}, ["amount", "9.5", "no decimals"]),
        ({"amount": {"amount": "9.99", "currency": "XXX"}}, ["amount.currency", "'XXX'", "USD"]),
        ({"amount": {"amount": 9.99, "currency": "USD"}}, ["amount.amount", "9.99", "'9.99'"]),
        ({"interval": {"unit": "month", "count": 14}}, ["interval", "14 months", "at most 12 months"]),
        ({"interval": {"unit": "decade"}}, ["interval.unit", "'decade'", "'month'"]),
        ({"periods": 0}, ["phases.0.periods: 0 is not accepted; 1 or more is"]),
        ({"collection": {"final_action": "shrug"}}, ["collection.final_action", "'shrug'", "'pause'"]),
        ({"discount": "10"}, ["discount: '10' is not accepted; there is no such field"]),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
async def test_a_wrong_value_in_a_plan_file_is_refused(
    house: Stage, tmp_path: Path, suffix: str, change: dict[str, Any], named: Sequence[str]
) -> None:
    permission = nobody()
    plan = {
        "plan_id": "coffee",
        "amount": {"amount": "9.99", "currency": "USD"},
        "interval": {"unit": "month"},
    } | change
    path = tmp_path / f"plan.{suffix}"
    path.write_text(json.dumps(plan) if suffix == "json" else _toml(plan))

    said = await typed("start", permission, "--plan", str(path), **joined_to(house))

    assert said.code == 2
    for words in (str(path), *named):
        assert words in said.trouble
    assert "phases: " not in said.trouble, "it is one thing that is wrong"
    await assert_not_started(house, permission)


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (
            ["plan", "preview", "coffee-monthly.toml", "--quantity", "1000000"],
            "--quantity: 1000000 is not accepted; at most 502512 units of 19.90 EUR are",
        ),
        (
            ["plan", "checkout", "coffee-monthly.toml", "--quantity", "1000000"],
            "--quantity: 1000000 is not accepted; at most 502512 units of 19.90 EUR are",
        ),
        (
            ["plan", "preview", "magazine-yearly.toml", "--quantity", "1100"],
            "--quantity: 1100 is not accepted; at most 1020 units of 9800 JPY are",
        ),
        (
            ["start", "C01-1234567-1234567", "--amount", "20 USD", "--quantity", "1000000"],
            "--quantity: 1000000 is not accepted; at most 500000 units of 20.00 USD are",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_a_quantity_that_costs_too_much_is_refused_in_one_line(
    house: Stage, arguments: list[str], refused: str
) -> None:
    there = [str(PLANS / argument) if argument.endswith(".toml") else argument for argument in arguments]

    said = await (run if arguments[0] == "start" else typed)(*there, **joined_to(house))

    assert said.code == 2
    assert refused in said.trouble
    assert "as no charge exceeds 10000000" in said.trouble
    for words in ("Traceback", "pydantic", "errors.pydantic.dev"):
        assert words not in said.err


@pytest.mark.parametrize("command", ["preview", "checkout"])
async def test_a_quantity_of_none_is_refused_before_anything_is_printed(command: str) -> None:
    said = await typed("plan", command, str(PLANS / "coffee-monthly.toml"), "--quantity", "0")

    assert said.code == 2
    assert "--quantity: 0 is not accepted; 1 or more is" in said.trouble


@pytest.mark.parametrize(
    "command",
    [
        ["change", "plan", "C01-7", "--quantity", "2"],
        ["change", "item", "C01-7", "1 USD", "--what", "x"],
        ["change", "pause", "C01-7"],
        ["change", "cancel", "C01-7"],
        ["cancel", "C01-7"],
        ["cancel", "C01-7", "--dry-run"],
        ["bulk", "cancel", "--query", "Plan = 'nobody-has-it'"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("when", ["tomorrow", "2027-01-31T09:00:00", "Now", ""])
async def test_a_moment_that_is_none_is_refused_in_one_line_with_those_there_are(
    house: Stage, command: list[str], when: str
) -> None:
    said = await typed(*command, "--when", when, **joined_to(house))

    assert said.code == 2
    assert said.trouble == (
        f"error: --when: {when!r} is not accepted; "
        "now, renewal, or an instant with its offset such as 2026-01-31T09:00:00+01:00 is"
    )


@pytest.mark.parametrize(
    "command", [["cancel", "C01-7"], ["cancel", "C01-7", "--dry-run"], ["bulk", "cancel", "--query", "Plan = 'none'"]]
)
async def test_a_reason_that_is_none_is_refused_by_its_option(house: Stage, command: list[str]) -> None:
    said = await typed(*command, "--when", "renewal", "--reason", "", **joined_to(house))

    assert said.code == 2
    assert said.trouble.startswith("error: --reason: '' is not accepted; ")


async def test_a_start_without_a_plan_says_what_is_missing(house: Stage) -> None:
    said = await typed("start", nobody(), **joined_to(house))

    assert said.code == 2
    assert "--plan or --amount" in said.trouble


async def test_a_status_that_does_not_exist_is_refused_with_those_that_do(house: Stage) -> None:
    said = await typed("list", "--status", "sleeping", **joined_to(house), COLUMNS="300")

    assert (said.code, said.out) == (2, "")
    for words in ("--status", "'sleeping'", "'awaiting_payment_method'"):
        assert words in said.err


def _toml(plan: dict[str, Any]) -> str:
    """TOML of one line a field; what JSON writes for numbers and text is TOML too."""
    return "\n".join(f"{name} = {_toml_value(value)}" for name, value in plan.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {json.dumps(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value)
