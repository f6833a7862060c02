"""`perennial change ...`, as a merchant types it: what takes effect when, and what is refused with its rule."""

from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from tests.scenarios.story import Story
from tests.starter.command_line import Said, joined_to, typed

GOLD = 'plan_id = "gold"\namount = { amount = "20.00", currency = "USD" }\ninterval = { unit = "month" }\n'


async def paid(house: Stage) -> Story:
    story = await Story.begin(house)
    await story.until_due(0)
    return story


@pytest_asyncio.fixture(scope="module")
async def unchanged(house: Stage) -> Story:
    """One who paid, for all that is refused and so changes nothing."""
    return await paid(house)


async def change(house: Stage, story: Story, *options: str) -> Said:
    command, *rest = options
    return await typed("change", command, story.charge_permission_id, *rest, COLUMNS="250", **joined_to(house))


async def test_a_plan_and_a_quantity_are_changed_and_undone(house: Stage, tmp_path: Path) -> None:
    story = await paid(house)
    (tmp_path / "gold.toml").write_text(GOLD)
    due = story.terms.schedule.due(1)

    changed = await change(house, story, "plan", "--plan", str(tmp_path / "gold.toml"), "--quantity", "2")
    shown = await typed("show", story.charge_permission_id, COLUMNS="250", **joined_to(house))
    told = await typed("upcoming", story.charge_permission_id, "--count", "1", COLUMNS="250", **joined_to(house))
    undone = await change(house, story, "undo", "--json")

    assert (changed.code, changed.err) == (0, "")
    assert (
        changed.out
        == f"takes effect {due:%Y-%m-%d %H:%M} UTC; next: {due:%Y-%m-%d %H:%M} UTC: period 1 falls due: 40.00 USD\n"
    )
    assert "gold: 20.00 USD a month, for 2 units" in shown.out
    assert f"{due:%Y-%m-%d %H:%M}" in told.out
    assert "40.00 USD" in told.out
    assert undone.data["next"]["why"] == "period 1 falls due: 9.99 USD"


async def test_an_upgrade_now_is_charged_at_once(house: Stage) -> None:
    story = await paid(house)
    await story.after(timedelta(days=10))

    changed = await change(house, story, "plan", "--quantity", "3", "--when", "now", "--json")
    await story.quiet()

    assert (changed.code, changed.data["next"]["action"]) == (0, "charge")
    assert len(await story.charges()) == 2


async def test_a_dry_run_goes_by_the_time_to_which_a_subscription_was_moved(house: Stage) -> None:
    """9.99 a month, and a second unit a year from now, to which no other clock has come."""
    story = await Story.begin(house, first_charge_in=timedelta(days=360))
    await story.until_due(0)
    await story.after(timedelta(days=11))
    upgrade = ["plan", "--quantity", "2", "--when", "now"]

    tried = await change(house, story, *upgrade, "--dry-run", "--json")
    changed = await change(house, story, *upgrade, "--json")
    await story.quiet()

    assert (tried.code, changed.code) == (0, 0), f"{tried.err}{changed.err}"
    [today] = tried.data["charged_now"]
    last = (await story.charges())[-1]
    assert today["amount"] == {"amount": str(last.charge_amount.amount), "currency": "USD"}
    assert tried.data["effective_at"][:13] == changed.data["effective_at"][:13]


async def test_it_is_paused_resumed_skipped_and_ended_later(house: Stage) -> None:
    story = await paid(house)

    assert (await change(house, story, "pause", "--move-dates")).code == 0
    assert (await story.quiet()).status is Status.PAUSED
    assert (await change(house, story, "resume")).code == 0
    assert (await change(house, story, "skip")).code == 0
    assert (await change(house, story, "skip", "--undo")).code == 0
    assert (await change(house, story, "billing-day", "31", "--billing-time", "09:00")).code == 0
    assert (await change(house, story, "item", "2.50 USD", "--what", "gift wrapping")).code == 0
    for _ in range(2):
        credit = ("item", "1.00 USD", "--what", "late parcel", "--credit", "--reference", "case-1")
        assert (await change(house, story, *credit)).code == 0
    assert (await change(house, story, "cancel", "--reason", "moved away")).code == 0
    shown = await typed("show", story.charge_permission_id, COLUMNS="250", **joined_to(house))
    assert (await change(house, story, "cancel", "--undo")).code == 0

    for words in ("gift wrapping", "Credit", "1.00 USD", "moved away"):
        assert words in shown.out
    assert (await story.quiet()).planned_end is None


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["plan"], 1, "plan: a plan or a quantity must be given"),
        (["plan", "--dry-run"], 1, "plan: a plan or a quantity must be given"),
        (["plan", "--quantity", "0"], 2, "--quantity: 0 is not accepted; 1 or more is"),
        (
            ["plan", "--quantity", "2", "--when", "2020-01-01T00:00:00Z"],
            1,
            "when: 2020-01-01T00:00:00+00:00 is not accepted; instants from now on are; it is 20",
        ),
        (["pause", "--until", "soon"], 2, "--until: 'soon' is not an instant"),
        (
            ["pause", "--until", "2020-01-01T00:00:00Z"],
            1,
            "until: 2020-01-01T00:00:00+00:00 is not accepted; instants after the pause begins, 20",
        ),
        (
            ["pause", "--when", "2020-01-01T00:00:00Z"],
            1,
            "when: 2020-01-01T00:00:00+00:00 is not accepted; instants from now on are; it is 20",
        ),
        (["resume"], 1, "resume: the subscription is not paused by request"),
        (["cancel", "--undo"], 1, "undo: no cancellation is planned"),
        (
            ["cancel", "--when", "2020-01-01T00:00:00Z"],
            1,
            "when: 2020-01-01T00:00:00+00:00 is not accepted; instants from now on are; it is 20",
        ),
        (["skip", "--undo"], 1, "skip: period 1 is not skipped already"),
        (["undo"], 1, "undo: there is no change that has not taken effect"),
        (["item", "1 EUR", "--what", "x"], 1, "amount: 1.00 EUR is not accepted; more than zero, in USD, is"),
        (["item", "lots", "--what", "x"], 2, "--amount: 'lots' is not accepted; an amount and a currency are, such as"),
        (["item", "1 USD", "--what", ""], 2, "--what: '' is not accepted; "),
        (["item", "1 USD", "--what", "x", "--reference", "a b"], 2, "--reference: 'a b' is not accepted; "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_cannot_be_is_refused_with_its_rule(
    house: Stage, unchanged: Story, options: list[str], code: int, why: str
) -> None:
    before = await unchanged.status()

    refused = await change(house, unchanged, *options)

    assert (refused.code, refused.out) == (code, "")
    assert why in refused.err
    assert await unchanged.quiet() == before


async def test_a_subscription_that_is_not_there_is_not_changed(house: Stage) -> None:
    refused = await typed("change", "skip", "C01-7", **joined_to(house))

    assert refused.code == 1
    assert "no subscription" in refused.trouble


async def test_in_europe_another_plan_needs_the_buyers_consent(house: Stage) -> None:
    story = await paid(house)
    europe = {**joined_to(house), "PERENNIAL_REGION": "de"}
    command = ("change", "plan", story.charge_permission_id, "--quantity", "2")

    refused = await typed(*command, **europe)
    agreed = await typed(*command, "--consented", **europe)

    assert refused.code == 1
    assert "in the EU and the UK Amazon wants the buyer to agree to another plan" in refused.trouble
    assert agreed.code == 0


async def test_a_region_that_is_none_is_named_before_anything_is_changed(house: Stage) -> None:
    said = await typed("change", "resume", "C01-0", PERENNIAL_REGION="mars", **joined_to(house))

    assert said.code == 2
    assert said.trouble.startswith("error: PERENNIAL_REGION: region: 'mars' is not a region of Amazon Pay")
