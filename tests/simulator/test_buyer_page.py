"""The page on which a person plays the buyer: what it shows, and where it sends the buyer afterwards."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import MONTHLY, RESULT_URL, opened, recurring_of, session_of, state_and_reason
from tests.simulator.merchant import Merchant, new_key, price

HOSTILE = '"><script>alert(1)</script>'


async def page_of(merchant: Merchant, session_id: str) -> str:
    """The address of the page that the button leads to with the id of a session."""
    answer = await merchant.press(checkoutSessionId=session_id)
    assert answer.status_code == 303, answer.text
    return str(answer.url.join(answer.headers["location"]))


async def shown(url: str) -> str:
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return answer.text


def facts_of(html: str) -> dict[str, str]:
    """The page's list of facts."""
    return {name: unescape(value) for name, value in re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", html)}


async def pressed(url: str, **form: str) -> httpx.Response:
    """The answer to one button of the page."""
    async with httpx.AsyncClient() as browser:
        return await browser.post(url, data=form)


@pytest.mark.parametrize(
    ("frequency", "words"),
    [
        ({"unit": "Month", "value": "1"}, "every month"),
        ({"unit": "Week", "value": "2"}, "every 2 weeks"),
        ({"unit": "Variable", "value": "0"}, "from time to time"),
    ],
)
async def test_the_page_shows_what_the_buyer_agrees_to(
    merchant: Merchant, frequency: dict[str, str], words: str
) -> None:
    body = recurring_of(amount="12.50") | {"recurringMetadata": MONTHLY | {"frequency": frequency}}

    html = await shown(await page_of(merchant, await opened(merchant, body)))

    assert facts_of(html) == {
        "Store": "not named",
        "State": "Open",
        "To pay": "12.50 USD",
        "Payment intent": "AuthorizeWithCapture",
        "Recurring": words,
        "Charge permission": "none yet",
    }
    assert re.findall('name="card" value="(.*?)"', html) == [
        *("1111", "0005", "4444", "9424", "0000", "3064", "3434", "0701", "4354")
    ]
    assert "No money moves here" in html


async def test_text_of_the_merchants_cannot_become_markup(merchant: Merchant) -> None:
    body = recurring_of(merchantMetadata={"merchantStoreName": HOSTILE})

    html = await shown(await page_of(merchant, await opened(merchant, body)))

    assert facts_of(html)["Store"] == HOSTILE
    assert "<script" not in html.lower()
    assert html.count("<form") == 1


async def test_a_buyer_who_approves_comes_back_with_the_sessions_id_and_the_merchant_completes(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    session_id = await opened(merchant)

    answer = await pressed(await page_of(merchant, session_id), decision="approve", card="0005")

    assert answer.status_code == 303, "the browser goes on by GET"
    assert answer.headers["location"] == f"{RESULT_URL}?amazonCheckoutSessionId={session_id}"
    _, session = await merchant.session(session_id)
    assert session["paymentPreferences"] == [{"paymentDescriptor": "American Express ****0005 (Amazon Pay)"}]
    assert (await merchant.complete_session(session_id, price("9.99")))[0] == 200


@pytest.mark.parametrize(("card", "reason"), [("3064", "BuyerCanceled"), ("3434", "Declined")])
async def test_a_card_that_cancels_brings_the_buyer_back_to_a_canceled_session(
    merchant: Merchant, card: str, reason: str
) -> None:
    session_id = await opened(merchant)

    answer = await pressed(await page_of(merchant, session_id), decision="approve", card=card)

    assert answer.headers["location"] == f"{RESULT_URL}?amazonCheckoutSessionId={session_id}"
    assert state_and_reason((await merchant.session(session_id))[1]) == ("Canceled", reason)


async def test_a_buyer_reviews_with_the_merchant_before_paying(merchant: Merchant) -> None:
    web = {"checkoutReviewReturnUrl": "https://shop.example/review?cart=7"}
    session_id = await opened(merchant, session_of(webCheckoutDetails=web))
    page = await page_of(merchant, session_id)
    assert 'value="approve"' not in await shown(page)

    answer = await pressed(page, decision="sign_in", card="4444")

    assert answer.headers["location"] == f"https://shop.example/review?cart=7&amazonCheckoutSessionId={session_id}"
    _, session = await merchant.session(session_id)
    assert session["buyer"]["name"] == "Sim Buyer"
    assert session["paymentPreferences"] == [{"paymentDescriptor": "MasterCard ****4444 (Amazon Pay)"}]
    assert [lacking["constraintId"] for lacking in session["constraints"]] == ["CheckoutResultReturnUrlNotSet"]
    _, session = await merchant.update_session(
        session_id, {"webCheckoutDetails": {"checkoutResultReturnUrl": RESULT_URL}}
    )
    pay = session["webCheckoutDetails"]["amazonPayRedirectUrl"]
    assert 'value="approve"' in await shown(pay)
    await pressed(pay, decision="approve", card="4444")
    assert (await merchant.complete_session(session_id, price("9.99")))[0] == 200


@pytest.mark.parametrize(("decision", "reason"), [("decline", "Declined"), ("cancel", "BuyerCanceled")])
async def test_a_buyer_who_does_not_approve_comes_back_to_a_canceled_session(
    merchant: Merchant, decision: str, reason: str
) -> None:
    session_id = await opened(merchant)

    answer = await pressed(await page_of(merchant, session_id), decision=decision)

    assert answer.headers["location"] == f"{RESULT_URL}?amazonCheckoutSessionId={session_id}"
    assert state_and_reason((await merchant.session(session_id))[1]) == ("Canceled", reason)


async def test_a_buyer_who_cancels_goes_to_the_page_for_that_where_there_is_one(merchant: Merchant) -> None:
    web = {"checkoutResultReturnUrl": RESULT_URL, "checkoutCancelUrl": "https://shop.example/cart"}
    session_id = await opened(merchant, session_of(webCheckoutDetails=web))

    answer = await pressed(await page_of(merchant, session_id), decision="cancel")

    assert answer.headers["location"] == "https://shop.example/cart"


@pytest.mark.parametrize(
    "url", [f"{RESULT_URL}?order=7&x=a%26b", f"{RESULT_URL}#thanks", f"{RESULT_URL}?order=7#thanks"]
)
async def test_the_sessions_id_is_added_to_whatever_the_address_holds(merchant: Merchant, url: str) -> None:
    session_id = await opened(merchant, session_of(webCheckoutDetails={"checkoutResultReturnUrl": url}))

    answer = await pressed(await page_of(merchant, session_id), decision="approve")

    before, after = urlsplit(url), urlsplit(answer.headers["location"])
    assert (after.path, after.fragment) == (before.path, before.fragment)
    assert parse_qs(after.query) == parse_qs(before.query) | {"amazonCheckoutSessionId": [session_id]}


@pytest.mark.parametrize(
    ("form", "named"),
    [({}, "decision"), ({"decision": "think"}, "think"), ({"decision": "approve", "card": "1234"}, "1234")],
)
async def test_what_no_button_says_is_refused_and_changes_nothing(
    merchant: Merchant, form: dict[str, Any], named: str
) -> None:
    session_id = await opened(merchant)

    answer = await pressed(await page_of(merchant, session_id), **form)

    assert answer.status_code == 400
    assert named in answer.text
    _, session = await merchant.session(session_id)
    assert (state_and_reason(session), session["buyer"]) == (("Open", None), None)


async def test_a_decided_session_offers_nothing_to_press_and_takes_nothing(merchant: Merchant) -> None:
    session_id = await opened(merchant)
    url = await page_of(merchant, session_id)
    await pressed(url, decision="decline")

    html, again = await shown(url), await pressed(url, decision="approve")

    assert facts_of(html)["State"] == "Canceled (Declined)"
    assert "<form" not in html
    assert again.status_code == 422


async def test_a_session_without_the_merchants_address_stays_on_the_page(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    _, session = await merchant.create_session({"webCheckoutDetails": {}, "storeId": "amzn1.x"}, new_key())
    page = f"{simulator.origin}/checkout/{session['checkoutSessionId']}"

    assert facts_of(await shown(page))["To pay"] == "not set yet"
    answer = await pressed(page, decision="approve")

    assert answer.headers["location"] == urlsplit(page).path
    assert (await pressed(f"{simulator.origin}/checkout/none", decision="approve")).status_code == 404
