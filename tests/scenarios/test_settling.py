"""Attempts that an operator settles, and charges that are not what they seem, against the simulator."""

from datetime import timedelta
from decimal import Decimal

from amazon_pay_client.models import CreateChargeRequest, Currency, MerchantMetadata, Price
from perennial_billing.billing.keys import idempotency_key
from perennial_billing.billing.parts.collection import EARLIER_CHARGE
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.worker.wiring import amazon_pay_client
from tests.scenarios.story import MONTHLY, Story
from tests.starter.command_line import joined_to, typed

DAY = timedelta(days=1)


async def charged_before(house: Stage, story: Story, amount: str) -> str:
    """A charge that somebody made under the first attempt's key, today; its id."""
    async with amazon_pay_client(house.settings) as amazon:
        body = CreateChargeRequest(
            charge_permission_id=story.charge_permission_id,
            charge_amount=Price(amount=Decimal(amount), currency_code=Currency.USD),
            capture_now=True,
            can_handle_pending_authorization=False,
            merchant_metadata=MerchantMetadata(merchant_reference_id=story.terms.merchant_reference),
        )
        key = idempotency_key(story.charge_permission_id, 0, 1)
        return (await amazon.charges.create(body, idempotency_key=key)).charge_id


async def known_with_another_body(house: Stage) -> tuple[Story, str]:
    """Amazon knows the first attempt's key with another amount, as after a restore to an older database; the charge
    that it made then."""
    story = await Story.begin(house, MONTHLY, first_charge_in=30 * DAY)
    older = await charged_before(house, story, "7.31")
    status = await story.until(story.terms.anchor + timedelta(minutes=30))
    assert (status.status, status.last_reason) == (Status.ON_HOLD, "DuplicateIdempotencyKey")
    return story, older


async def test_a_held_attempt_is_settled_by_a_new_one_or_by_a_charge_that_fits(house: Stage) -> None:
    story, older = await known_with_another_body(house)
    permission, options = story.charge_permission_id, joined_to(house)

    said = await typed("resolve", permission, "--charge", older, **options)
    assert said.code == 1
    assert "it is of 7.31 USD, and 9.99 USD is owed" in said.err

    said = await typed("resolve", permission, **options)
    assert said.code == 2
    assert "--charge, --new-attempt or --write-off: one is" in said.err

    said = await typed("resolve", permission, "--new-attempt", **options)
    assert (said.code, said.out) == (0, f"{permission}: it is charged again now\n")
    await story.quiet()
    status = await house.subscriptions.status(permission)
    assert [(each.outcome.value, each.attempts) for each in status.ledger] == [("paid", 2)]


async def test_a_held_attempt_may_be_written_off_and_an_owed_period_too(house: Stage) -> None:
    story, _ = await known_with_another_body(house)
    permission, options = story.charge_permission_id, joined_to(house)
    said = await typed("write-off", permission, "--period", "0", **options)
    assert said.code == 1
    assert "perennial resolve" in said.err
    said = await typed("resolve", permission, "--write-off", **options)
    assert said.code == 0
    assert (await house.subscriptions.status(permission)).status is Status.ACTIVE

    owing = await Story.begin(house, MONTHLY, script=["SoftDeclined"])
    await owing.until(owing.terms.anchor + timedelta(hours=1))
    said = await typed("write-off", owing.charge_permission_id, "--period", "0", "--json", **options)
    assert (said.code, said.data["written_off"]) == (0, 0)
    status = await owing.until(owing.terms.anchor + 3 * DAY)
    assert [(each.outcome.value, each.reason) for each in status.ledger] == [
        ("written_off", "written off by the merchant")
    ]
    assert await owing.charges() == []


async def test_a_charge_of_a_life_that_temporal_has_forgotten_pays_nothing_in_the_next_one(house: Stage) -> None:
    """The same charge permission was billed before, with the same key and body; Amazon answers with that charge."""
    story = await Story.begin(house, MONTHLY, first_charge_in=40 * DAY)
    permission = story.charge_permission_id
    old = await charged_before(house, story, "9.99")
    status = await story.until(story.terms.anchor + timedelta(hours=1))

    assert (status.status, status.last_reason, status.periods_paid) == (Status.ON_HOLD, EARLIER_CHARGE, 0)
    assert status.owed is not None
    assert status.owed.charge_in_question == old
    said = await typed("resolve", permission, "--new-attempt", **joined_to(house))
    assert said.code == 0
    assert (await story.quiet()).periods_paid == 1
    assert len(await story.charges()) == 2
