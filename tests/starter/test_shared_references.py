"""One merchant reference under two charge permissions: perhaps a customer is billed twice."""

import asyncio
import csv
from pathlib import Path

import pytest

from perennial_billing.billing.contract.terms import Terms
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber
from tests.starter.agreements import new_terms
from tests.starter.command_line import joined_to, typed
from tests.starter.test_cli_many import COFFEE, command, permissions, row, written


async def running(house: Stage, reference: str, *, account: str = "default") -> Terms:
    """A subscription that Temporal's visibility store knows already."""
    terms = (await new_terms(house)).but(merchant_reference=reference, merchant_account=account)
    await house.subscriptions.start(terms, unchecked=account != "default")  # which is the only one with a key here
    query = f"MerchantReference = '{reference}'"
    async with asyncio.timeout(30):
        while terms.charge_permission_id not in [
            line.charge_permission_id async for line in house.subscriptions.list(query=query)
        ]:
            await asyncio.sleep(0.05)
    return terms


async def test_the_python_client_tells_which_others_go_by_the_reference(house: Stage) -> None:
    first, second = [await running(house, "customer/4711") for _ in range(2)]
    elsewhere = await running(house, "customer/4711", account="second-shop")
    other, unnamed = await running(house, "customer/4712"), (await new_terms(house)).but(merchant_reference="")

    async def others(terms: Terms) -> list[str]:
        return await house.subscriptions.sharing_reference(terms)

    assert await others(first) == [second.charge_permission_id]
    assert await others(second) == [first.charge_permission_id]
    assert [await others(terms) for terms in (elsewhere, other, unnamed)] == [[], [], []]
    await Subscriber(house, first).cancel()
    async with asyncio.timeout(30):
        while await others(second):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("as_json", [("--json",), ()])
async def test_a_second_start_with_the_reference_is_made_and_told_of(house: Stage, as_json: tuple[str, ...]) -> None:
    reference = f"customer/81{len(as_json)}"
    first, second = await running(house, reference), await new_terms(house)
    start = ["start", second.charge_permission_id, "--amount", "4.20 USD", "--reference", reference, *as_json]

    said = await typed(*start, **joined_to(house))

    assert said.code == 0
    assert said.err == (
        f"mind: merchant reference '{reference}' is that of charge permission {first.charge_permission_id} too; "
        "one customer may be billed twice\n"
    )
    if as_json:
        assert said.data["same_reference"] == [first.charge_permission_id]
    assert not (await house.subscriptions.status(second.charge_permission_id)).has_ended


async def test_rows_of_an_import_that_share_a_reference_are_started_and_told_of(house: Stage, tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    plans.mkdir()
    (plans / "coffee.toml").write_text(COFFEE)
    runs = await running(house, "customer/903")
    one, two, three, four = await permissions(house, 4)
    rows = [
        row(one, merchant_reference="customer/901"),
        row(two, merchant_reference="customer/902"),
        row(three, merchant_reference="customer/901"),
        row(four, merchant_reference="customer/903"),
    ]
    options = [str(written(tmp_path / "rows.csv", rows)), "--plans", str(plans)]
    report = tmp_path / "report.csv"

    checked = await command(house, "import", "check", *options)
    started = await command(house, "import", "start", *options, "--report", str(report))
    again = await command(house, "import", "start", *options)

    assert (checked.code, started.code, started.out, again.code) == (0, 0, "4 started\n", 0)
    assert "line 4, " in checked.err
    assert "'customer/901'" in checked.err
    assert started.err.count("mind: ") == 2
    assert f"that of charge permission {runs.charge_permission_id} too" in started.err
    with report.open() as lines:
        told = {int(line["row"]): (line["outcome"], bool(line["mind"])) for line in csv.DictReader(lines)}
    assert {outcome for outcome, _ in told.values()} == {"done"}
    assert (told[3][1], told[5][1]) == (False, True)
    assert told[2][1] != told[4][1], "of the pair, the one that is started later; they are started beside each other"
    assert again.err.count("mind: ") >= 2, "it is still so, and both rows of the pair are told of now"
