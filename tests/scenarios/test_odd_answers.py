"""Amazon's answers change their form: what is known of the outcome is used, and what is not is in plain sight."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest
import pytest_asyncio

from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.display import details
from tests.endpoint import SECRET, Endpoint, endpoint
from tests.scenarios.odd_amazon import Answer, Editor, odd_house, untouched
from tests.scenarios.story import Story
from tests.scenarios.test_notices import told
from tests.scenarios.test_unanswered import HOUR, amazon_answers, past

NO_CHARGE_ID: Final = "Amazon Pay's answer is no whole Charge: chargeId missing or unreadable"


def as_the_dotnet_sdk_reads_it(answer: Answer) -> Answer:
    converted = {"amount": "9.20", "currencyCode": "EUR"}
    return answer | {"convertedAmount": converted, "conversionRate": 0.9209, "captureAmount": "9.99", "channel": {}}


def without_id(answer: Answer) -> Answer:
    return {name: value for name, value in answer.items() if name != "chargeId"}


@dataclass(frozen=True)
class Odd:
    """A house whose Amazon says what an editor makes of it, and where it sends its notices, which is no other's."""

    house: Stage
    amazon: Editor
    notices: Endpoint


@pytest_asyncio.fixture(scope="module")
async def odd_ground() -> AsyncIterator[Odd]:
    with pytest.MonkeyPatch.context() as patch:
        async with (
            endpoint() as notices,
            odd_house(patch, webhook_url=notices.url, webhook_secret=SECRET) as (house, amazon),
        ):
            yield Odd(house, amazon, notices)


@pytest.fixture
def odd(odd_ground: Odd) -> Iterator[Odd]:
    yield odd_ground
    odd_ground.amazon.edit = untouched


async def test_a_captured_charge_pays_its_period_whatever_form_its_other_fields_have(odd: Odd) -> None:
    amazon, story = odd.amazon, await Story.begin(odd.house)
    amazon.edit = as_the_dotnet_sdk_reads_it

    status = await story.until_due(1)

    assert (status.status, status.periods_paid, status.needs_attention) == (Status.ACTIVE, 2, False)
    assert (len(await story.charges()), len(await story.calls())) == (2, 2)


async def test_a_success_without_an_id_is_held_at_once_and_asked_for_by_the_hour_until_it_is_understood(
    odd: Odd,
) -> None:
    amazon, story = odd.amazon, await Story.begin(odd.house)
    amazon.edit = without_id
    await past(story, HOUR + timedelta(minutes=5))

    status = await story.status()
    assert (status.status, status.needs_attention, status.last_reason) == (Status.ON_HOLD, True, "OutcomeUnknown")
    (call,) = status.unanswered
    assert (call.action, NO_CHARGE_ID in call.why) == (Action.CHARGE, True)
    assert NO_CHARGE_ID in details(status), "perennial show prints it"
    asked_at_once = amazon.edited
    await past(story, HOUR * 6)
    assert 4 <= amazon.edited - asked_at_once <= 7, "by the hour, and not more often"

    amazon.edit = untouched
    status = await story.after(HOUR + timedelta(minutes=15))
    assert (status.status, status.needs_attention, status.unanswered) == (Status.ACTIVE, False, ())
    assert (status.periods_paid, len(await story.charges())) == (1, 1)
    assert len({call.idempotency_key for call in await story.calls()}) == 1
    held = [event for event in await told(odd.notices, story) if event["type"] == "subscription.held"]
    assert [NO_CHARGE_ID in event["data"]["reason"] for event in held] == [True], "told once"


@pytest.mark.long  # the rule: tests/billing/test_unanswered.py
async def test_what_stands_in_the_way_is_said_anew_each_day(odd: Odd) -> None:
    amazon, story = odd.amazon, await Story.begin(odd.house)
    async with amazon_answers(odd.house, Fault.UNAVAILABLE):
        await past(story, HOUR * 2 + timedelta(minutes=15))
        (before,) = (await story.status()).unanswered
    amazon.edit = without_id
    await past(story, timedelta(days=1, hours=2))
    (after,) = (await story.status()).unanswered

    assert "503" in before.why
    assert NO_CHARGE_ID in after.why
    assert after.since == before.since
    amazon.edit = untouched
    status = await story.after(HOUR + timedelta(minutes=15))
    assert (status.status, status.periods_paid, len(await story.charges())) == (Status.ACTIVE, 1, 1)


async def test_a_cancellation_says_what_it_waits_for_and_is_done_once_that_is_understood(odd: Odd) -> None:
    amazon, story = odd.amazon, await Story.begin(odd.house)
    amazon.edit = without_id
    await past(story, HOUR + timedelta(minutes=5))

    await odd.house.subscriptions.cancel(story.charge_permission_id, "moved away")
    await past(story, timedelta(minutes=5))
    status = await story.status()

    assert status.status is Status.ON_HOLD
    assert status.next is not None
    assert NO_CHARGE_ID in status.next.why
    amazon.edit = untouched
    status = await story.after(HOUR + timedelta(minutes=15))
    assert (status.status, status.periods_paid, len(await story.charges())) == (Status.CANCELED, 1, 1)
