"""`perennial capture`, `retry` and `refund`: what a merchant does about what is authorized, owed, held or paid."""

from perennial_billing.billing.plan import Capture
from perennial_billing.sandbox.stage import Stage
from tests.scenarios.story import MONTHLY, Story
from tests.starter.command_line import joined_to, typed

LATER = MONTHLY.model_copy(update={"capture": Capture.LATER})


async def test_a_part_is_captured_and_then_there_is_nothing_left_to_capture(house: Stage) -> None:
    story = await Story.begin(house, LATER)
    await story.until_due(0)
    identifier, environment = story.charge_permission_id, joined_to(house)
    shown = await typed("show", identifier, **environment)
    assert "To be captured" in shown.out

    done = await typed("capture", identifier, "--period", "0", "--amount", "5.00 USD", "--json", **environment)
    again = await typed("capture", identifier, "--period", "0", **environment)

    (charge,) = await story.charges()
    assert (done.code, done.err) == (0, "")
    assert done.data == {"charge_id": charge.charge_id, "outcome": "paid", "reason_code": None}
    assert again.code == 1
    why = "period: 0 is not possible now; it has no authorized charge; those that wait to be captured: none"
    assert again.trouble == f"error: charge permission {identifier}: {why}"


async def test_an_amount_that_is_none_is_refused_by_its_option(house: Stage) -> None:
    for amount in ("lots", "5.001 USD", "5 XXX", "-1 USD"):
        refused = await typed("capture", "C01-0", "--period", "0", "--amount", amount, **joined_to(house))
        assert refused.code != 0
        assert refused.trouble.startswith("error: --amount: ")


async def test_what_the_buyers_bank_declined_is_tried_again_at_once(house: Stage) -> None:
    story = await Story.begin(house, script=["SoftDeclined"])
    await story.until_due(0)
    identifier, environment = story.charge_permission_id, joined_to(house)

    asked = await typed("retry", identifier, "--json", **environment)
    status = await story.quiet()
    nothing = await typed("retry", identifier, **environment)

    assert (asked.code, asked.data) == (0, {"charge_permission_id": identifier, "retry": "requested"})
    assert status.periods_paid == 1
    assert nothing.trouble.startswith(
        f"error: charge permission {identifier}: retry: nothing is owed; next: period 1 falls due"
    )


async def test_they_say_that_there_is_no_such_subscription(house: Stage) -> None:
    for command in (["retry", "C01-7"], ["capture", "C01-7", "--period", "0"], ["refund", "C01-7", "--period", "0"]):
        refused = await typed(*command, **joined_to(house))
        assert refused.code == 1
        assert "no subscription" in refused.trouble


async def test_money_goes_back_and_what_was_done_is_shown(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    identifier, environment = story.charge_permission_id, joined_to(house)
    options = ("--period", "0", "--amount", "5.00 USD", "--reference", "ticket-7")

    done = await typed("refund", identifier, *options, "--json", **environment)
    again = await typed("refund", identifier, *options, **environment)
    too_much = await typed("refund", identifier, "--period", "0", "--amount", "5.00 USD", **environment)
    await story.quiet()
    shown = await typed("show", identifier, COLUMNS="200", **environment)

    assert (done.code, done.err, done.data["state"], done.data["reference"]) == (0, "", "pending", "ticket-7")
    assert again.code == 0
    assert f"refund {done.data['refund_id']} of 5.00 USD" in again.out
    assert too_much.trouble.endswith(
        "amount: 5.00 USD is not accepted; more than zero and at most 4.99 USD is left of what was paid"
    )
    assert done.data["refund_id"] in shown.out


async def test_a_reference_that_is_none_is_refused_by_its_option(house: Stage) -> None:
    refused = await typed("refund", "C01-0", "--period", "0", "--reference", "a b", **joined_to(house))

    assert refused.code == 2
    assert refused.trouble.startswith("error: --reference: ")
