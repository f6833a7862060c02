"""The page that a merchant leads the buyer to when a card was declined: another card, or the end of the agreement."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import completed, recurring_of
from tests.simulator.merchant import Merchant
from tests.simulator.test_buyer_page import facts_of, pressed, shown
from tests.simulator.witness import permission_of

PATHS = ("/jr/your-account/ba", "/jp/jr/your-account/ba")


@pytest.mark.parametrize("path", PATHS)
async def test_a_buyer_chooses_another_card_and_the_permission_can_be_charged_again(
    merchant: Merchant, simulator: SimulatorHandle, path: str
) -> None:
    body = recurring_of(merchantMetadata={"merchantStoreName": "Tea & Sons"})
    _, session = await completed(merchant, simulator, body)
    permission_id = session["chargePermissionId"]
    await simulator.break_payment_method(permission_id, "PaymentMethodInvalid")
    page = f"{simulator.origin}{path}/{permission_id}"
    assert facts_of(await shown(page)) == {
        "Store": "Tea & Sons",
        "Agreement": permission_id,
        "State": "NonChargeable (PaymentMethodInvalid)",
        "Recurring": "every month",
        "Payment method": "Visa ****1111 (Amazon Pay)",
    }

    answer = await pressed(page, decision="change", card="4444")

    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}/{permission_id}")
    facts = facts_of(await shown(page))
    assert (facts["State"], facts["Payment method"]) == ("Chargeable", "MasterCard ****4444 (Amazon Pay)")
    assert (await permission_of(simulator, permission_id)).status_details.reasons is None


async def test_a_buyer_acts_after_what_happened_last_also_where_that_is_ahead_of_the_clock(
    simulator: SimulatorHandle, permission: str
) -> None:
    ahead = datetime.now(UTC).replace(microsecond=0) + timedelta(days=31)
    await simulator.break_payment_method(permission, "PaymentMethodInvalid", ahead)

    await pressed(f"{simulator.origin}{PATHS[0]}/{permission}", decision="change", card="0005")

    details = (await permission_of(simulator, permission)).status_details
    assert (details.state, details.last_updated_timestamp) == ("Chargeable", ahead + timedelta(seconds=1))


async def test_a_buyer_ends_the_agreement_and_nothing_is_left_to_press(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    page = f"{simulator.origin}{PATHS[0]}/{permission}"

    await pressed(page, decision="end")

    html, again = await shown(page), await pressed(page, decision="change", card="1111")
    assert facts_of(html)["State"] == "Closed (BuyerClosed)"
    assert "<form" not in html
    assert (again.status_code, again.text.partition(":")[0]) == (422, "InvalidChargePermissionStatus")


@pytest.mark.parametrize(
    ("form", "named"), [({}, "change, end"), ({"decision": "pray"}, "pray"), ({"decision": "change", "card": "7"}, "7")]
)
async def test_what_cannot_be_pressed_is_refused_and_changes_nothing(
    simulator: SimulatorHandle, permission: str, form: dict[str, str], named: str
) -> None:
    await simulator.break_payment_method(permission)

    answer = await pressed(f"{simulator.origin}{PATHS[0]}/{permission}", **form)

    assert (answer.status_code, answer.text.partition(":")[0]) == (400, "InvalidParameterValue")
    assert named in answer.text
    assert (await permission_of(simulator, permission)).status_details.state == "NonChargeable"


async def test_only_cards_are_offered_that_pay_and_of_an_unknown_permission_there_is_no_page(
    simulator: SimulatorHandle, permission: str
) -> None:
    html = await shown(f"{simulator.origin}{PATHS[0]}/{permission}")

    assert [card for card in ("1111", "0005", "3434", "4354") if f'value="{card}"' in html] == ["1111", "0005"]
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(f"{simulator.origin}{PATHS[0]}/C01-0")).status_code == 404
