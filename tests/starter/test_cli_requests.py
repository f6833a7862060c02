"""How anything is asked for by the command line: when, for good or to see what it would come to, and under which id."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter import places
from perennial_billing.starter.client import Subscriptions, looking
from tests.scenarios.moving import House, moving
from tests.scenarios.story import Story
from tests.starter.agreements import new_terms
from tests.starter.command_line import Said, joined_to, typed
from tests.starter.test_cli_changes import GOLD, change, paid

GIFT = ("2.50 USD", "--what", "gift wrapping")


@pytest_asyncio.fixture(scope="module")
async def moving_house() -> AsyncIterator[House]:
    async with moving() as house:
        yield house


@pytest.fixture
def gold(tmp_path: Path) -> str:
    """A plan file of 20 USD a month."""
    path = tmp_path / "gold.toml"
    path.write_text(GOLD)
    return str(path)


async def paid_today(house: Stage) -> Story:
    """Whose first period has just begun and is paid, by the clock that a dry run goes by."""
    story = await Story.begin(house, first_charge_at=datetime.now(UTC) - timedelta(seconds=1))
    async with asyncio.timeout(20):
        while not (await story.quiet()).periods_paid:
            await asyncio.sleep(0.05)
    return story


def amounts(charges: list[dict[str, dict[str, str]]]) -> list[str]:
    return [charge["amount"]["amount"] for charge in charges]


class TestADryRun:
    async def test_of_a_dearer_plan_says_what_is_charged_today_and_next_and_changes_nothing(
        self, house: Stage, gold: str
    ) -> None:
        story = await paid_today(house)
        before, charged = await story.quiet(), await story.charges()

        said = await change(house, story, "plan", "--plan", gold, "--when", "now", "--dry-run")

        assert (said.code, said.err) == (0, "")
        told, today, following, without = re.split("Charged today\n|Next\n|Without it\n", said.out)
        assert told.endswith(" UTC; nothing was changed\n")
        assert "10.01 USD" in today, "the new plan's price less what was paid and is not used"
        assert f"{datetime.now(UTC):%Y-%m-%d}" in today
        assert "20.00 USD" in following
        assert "9.99 USD" in without
        assert "20.00" not in without
        assert await story.quiet() == before
        assert await story.charges() == charged

    async def test_of_an_item_says_the_same_as_json(self, house: Stage) -> None:
        story = await paid_today(house)
        before, charged = await story.quiet(), await story.charges()

        now = await change(house, story, "item", *GIFT, "--when", "now", "--dry-run", "--json")
        later = await change(house, story, "item", *GIFT, "--dry-run", "--json")

        assert (now.code, now.err, later.code, later.err) == (0, "", 0, "")
        assert amounts(now.data["charged_now"]) == ["2.50"]
        assert amounts(now.data["upcoming"]) == ["9.99"] * 4
        assert amounts(later.data["charged_now"]) == []
        assert amounts(later.data["upcoming"])[:2] == ["12.49", "9.99"]
        assert later.data["upcoming"][0]["at"] == f"{story.terms.schedule.due(1):%Y-%m-%dT%H:%M:%SZ}"
        assert amounts(now.data["before"]) == amounts(later.data["before"]) == ["9.99"] * 4
        assert await story.quiet() == before
        assert await story.charges() == charged

    async def test_of_what_would_be_refused_is_refused(self, house: Stage) -> None:
        story = await paid_today(house)

        said = await typed("retry", story.charge_permission_id, "--dry-run", **joined_to(house))

        assert said.code == 1
        assert "retry: nothing is owed; next: period 1 falls due" in said.trouble

    async def test_of_a_cancellation_says_that_nothing_is_charged_any_more(self, house: Stage) -> None:
        story = await paid_today(house)
        before = await story.quiet()

        said = await typed("cancel", story.charge_permission_id, "--dry-run", "--json", **joined_to(house))

        assert (said.code, said.err) == (0, "")
        assert (said.data["charged_now"], said.data["upcoming"]) == ([], [])
        assert amounts(said.data["before"]) == ["9.99"] * 4
        assert await story.quiet() == before

    async def test_of_a_refund_gives_nothing_back(self, house: Stage) -> None:
        story = await paid_today(house)
        before = await story.quiet()
        refund = ("refund", story.charge_permission_id, "--period", "0", "--dry-run")

        said = await typed(*refund, **joined_to(house))
        refused = await typed(*refund, "--amount", "10 USD", **joined_to(house))

        assert (said.code, said.err) == (0, "")
        assert said.out.startswith("would take effect at once; nothing was changed\n")
        assert refused.code == 1
        assert "amount: 10.00 USD is not accepted; more than zero and at most 9.99 USD is left" in refused.trouble
        assert await story.quiet() == before


async def test_a_new_charge_permission_with_a_typing_error_is_refused_and_the_old_one_stays(house: Stage) -> None:
    story = await paid_today(house)
    typo = "C01-7054321-7654321"

    said = await typed("replace", story.charge_permission_id, typo, **joined_to(house))
    shown = await typed("show", story.charge_permission_id, **joined_to(house), COLUMNS="250")

    assert said.code == 1
    assert f"{typo} is not accepted; Amazon does not show it (ResourceNotFound)" in said.trouble
    assert f"{typo}: Amazon does not show it" in shown.out
    assert await story.permission_state() == "Chargeable"


class TestWhenItIsCanceled:
    async def test_at_the_renewal_the_paid_period_is_kept_and_no_other_is_charged(self, house: Stage) -> None:
        story = await paid(house)
        due = story.terms.schedule.due(1)

        said = await typed("cancel", story.charge_permission_id, "--when", "renewal", **joined_to(house))
        asked = await story.quiet()

        assert (said.code, said.err) == (0, "")
        assert said.out == f"{story.charge_permission_id} ends {due:%Y-%m-%d %H:%M} UTC\n"
        assert (asked.status, asked.planned_end and asked.planned_end.at) == (Status.ACTIVE, due)
        assert (await story.until_due(1)).status is Status.CANCELED
        assert (len(await story.charges()), await story.permission_state()) == (1, "Closed")

    async def test_at_an_instant_it_goes_on_until_then(self, house: Stage) -> None:
        story = await paid(house)
        end = story.terms.schedule.due(2) + timedelta(days=3)
        options = ("--when", end.isoformat(), "--reason", "moved away", "--json")

        said = await typed("cancel", story.charge_permission_id, *options, **joined_to(house))

        assert (said.code, said.err) == (0, "")
        assert said.data["effective_at"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
        assert said.data.keys() == {"effective_at", "next", "refunding"}
        assert (await story.until_due(2)).status is Status.ACTIVE
        assert (await story.until(end)).status is Status.CANCELED
        assert len(await story.charges()) == 3

    async def test_in_the_past_is_refused_and_changes_nothing(self, house: Stage) -> None:
        story = await paid(house)
        before = await story.quiet()
        cancel = ("cancel", story.charge_permission_id, "--when", "2020-02-01T09:00:00+01:00")

        for more in ((), ("--dry-run",)):
            refused = await typed(*cancel, *more, **joined_to(house))
            assert refused.code == 1
            why = "when: 2020-02-01T09:00:00+01:00 is not accepted; instants from now on are; it is 20"
            assert why in refused.trouble
        assert await story.quiet() == before


class TestARequestId:
    async def test_given_twice_is_carried_out_once_and_answered_alike(self, house: Stage) -> None:
        story = await paid(house)
        ask = ("item", *GIFT, "--request-id", "order-5", "--json")

        first, again = await change(house, story, *ask), await change(house, story, *ask)
        items = (await story.quiet()).items
        other = await change(house, story, "item", *GIFT, "--request-id", "order-6")

        assert (first.code, again.code, other.code) == (0, 0, 0)
        assert again.data["effective_at"] == first.data["effective_at"]
        assert [str(item.amount) for item in items] == ["2.50 USD"]
        assert len((await story.quiet()).items) == 2

    async def test_of_another_request_is_refused_and_changes_nothing(self, house: Stage) -> None:
        story = await paid(house)
        await change(house, story, "item", *GIFT, "--request-id", "order-5")
        before = await story.quiet()

        refused = await change(house, story, "skip", "--request-id", "order-5")

        assert refused.code == 1
        assert "request_id: order-5 is in conflict with what stands; it is that of another request" in refused.trouble
        assert await story.quiet() == before

    async def test_of_a_refund_gives_money_back_once(self, house: Stage) -> None:
        story = await paid(house)
        ask = ("refund", story.charge_permission_id, "--period", "0", "--amount", "3 USD", "--request-id", "r-1")

        first, again = [await typed(*ask, "--json", **joined_to(house)) for _ in range(2)]

        assert (first.code, again.code) == (0, 0)
        assert again.data["refund_id"] == first.data["refund_id"]
        assert len((await story.quiet()).refunds) == 1

    async def test_of_a_refund_after_the_end_gives_money_back_once_whoever_is_named(self, house: Stage) -> None:
        story = await paid(house)
        (charge,) = await story.charges()
        there = joined_to(house) | {"PERENNIAL_DATA_FOLDER": str(house.settings.data_folder)}
        canceled = await typed("cancel", story.charge_permission_id, "--refund", "2.05 USD", **there)
        await story.after(timedelta(hours=2))
        named = ("refund", "--charge", charge.charge_id, "--amount", "1.10 USD", "--reference", "desk-4")

        first, again = [await typed(*named, "--json", **there) for _ in range(2)]
        too_much = await typed("refund", story.charge_permission_id, "--period", "0", "--amount", "7 USD", **there)

        assert canceled.out.endswith("; 2.05 USD is going back\n")
        assert (first.code, again.code) == (0, 0)
        assert again.data["refund_id"] == first.data["refund_id"]
        assert too_much.code == 1
        assert "at most 6.84 USD is left of what was paid" in too_much.trouble

    @pytest.mark.parametrize(
        ("arguments", "trouble"),
        [
            (("refund",), "one is: a period, or a charge"),
            (("refund", "C01-1", "--period", "0", "--charge", "C01-1-C1"), "one is: a period, or a charge"),
            (("refund", "--period", "0"), "CHARGE_PERMISSION_ID: without it, the charge is named: --charge"),
            (("refund", "--charge", "C01-1-C1"), "no entry of the ledger says that it was captured"),
            (("cancel", "C01-1", "--refund", "some"), "--refund, last, all or an amount"),
        ],
        ids=str,
    )
    async def test_of_a_refund_says_what_is_missing(
        self, house: Stage, tmp_path: Path, arguments: tuple[str, ...], trouble: str
    ) -> None:
        said = await typed(*arguments, **joined_to(house) | {"PERENNIAL_DATA_FOLDER": str(tmp_path)})

        assert said.code in {1, 2}
        assert trouble in said.trouble

    async def test_of_a_cancellation_gives_the_first_answer_also_once_it_has_ended(self, house: Stage) -> None:
        story = await paid(house)
        ask = ("cancel", story.charge_permission_id, "--request-id", "goodbye")

        first = await typed(*ask, **joined_to(house))
        assert (await story.quiet()).status is Status.CANCELED
        again = await typed(*ask, **joined_to(house))

        assert (first.code, again.code) == (0, 0)
        assert again.out == first.out


class TestWithoutAWorker:
    async def test_it_is_not_answered_and_asking_again_with_the_printed_id_carries_it_out_once(
        self, moving_house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        story = await Story.begin(moving_house.stage)
        await story.until_due(0)
        await moving_house.stop_worker()
        monkeypatch.setattr(places, "CALL_TIMEOUT", timedelta(seconds=1))

        unanswered = await change(moving_house.stage, story, "item", *GIFT)
        given = printed_id(unanswered)
        again = await change(moving_house.stage, story, "item", *GIFT, "--request-id", given)
        monkeypatch.undo()
        await moving_house.start_worker()
        done = await change(moving_house.stage, story, "item", *GIFT, "--request-id", given)

        assert unanswered.code == again.code == 3
        assert f"charge permission {story.charge_permission_id}: " in unanswered.trouble
        assert "no worker has answered yet" in unanswered.trouble
        assert printed_id(again) == given
        assert (done.code, done.err) == (0, "")
        assert [item.what for item in (await story.quiet()).items] == ["gift wrapping"]

    @pytest.mark.parametrize(
        "command",
        [
            ["refund", "--period", "0"],
            ["capture", "--period", "0"],
            ["retry"],
            ["cancel", "--when", "renewal"],
            ["replace", "C01-7654321-7654321"],
        ],
        ids=lambda command: command[0],
    )
    async def test_each_command_ends_with_three_and_the_id_that_it_was_given(
        self, house: Stage, monkeypatch: pytest.MonkeyPatch, command: list[str]
    ) -> None:
        monkeypatch.setattr(places, "CALL_TIMEOUT", timedelta(seconds=0.5))
        terms = await new_terms(house)
        await Subscriptions(house.client, "where-no-worker-listens").start(terms, unchecked=True)
        name, *options = command

        said = await typed(
            name, terms.charge_permission_id, *options, "--request-id", "mine-1", "--json", **joined_to(house)
        )

        assert said.code == 3
        assert printed_id(said) == "mine-1"

    async def test_a_question_has_no_id_and_is_refused(self, house: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looking, "CALL_TIMEOUT", timedelta(seconds=0.5))
        terms = await new_terms(house)
        await Subscriptions(house.client, "where-no-worker-listens").start(terms, unchecked=True)

        for command in (["show"], ["upcoming"], ["retry", "--dry-run"]):
            name, *options = command
            said = await typed(name, terms.charge_permission_id, *options, **joined_to(house))
            assert said.code == 1
            assert "no worker answers; start one with `perennial worker`" in said.trouble


def printed_id(said: Said) -> str:
    """The request id in a line that says that nobody has answered."""
    found = re.search(r"ask again with the request id (\S+), which asks for nothing new$", said.trouble)
    assert found, said.trouble
    return found[1]
