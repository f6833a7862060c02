"""A buyer's way through the page, without any script: what is shown, what is done, and what the ledger keeps of it."""

import re
from zoneinfo import ZoneInfo

from amazon_pay_client.models import Currency
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.starter.portal.purposes import Purpose
from tests.portal.conftest import PortalHouse


async def test_a_buyer_cancels_takes_it_back_skips_pauses_and_changes_the_card(page: PortalHouse) -> None:
    subscriber = await page.subscribed(reference="order-8151")
    permission, schedule = subscriber.charge_permission_id, subscriber.terms.schedule
    buyer, address = page.buyer, page.link(subscriber.charge_permission_id)

    overview = await buyer.open(address)
    assert overview.status == 200
    assert '<html lang="de">' in overview.html
    for said in ("Tee des Monats", "17,40 € pro Monat", "Ihr Abonnement läuft.", "Bezahlt", "Vertrag hier kündigen"):
        assert said in overview.text
    assert permission not in overview.html, "nobody needs to read it"
    assert "order-8151" not in overview.html

    asked = await buyer.ask(overview, "cancel")
    assert "Bis dahin behalten Sie, was Sie bezahlt haben. Es wird nichts mehr abgebucht." in asked.text
    assert (await subscriber.status()).planned_end is None, "only shown"
    done = await buyer.confirm(asked, reason="too-expensive")
    assert (done.status, "Ihr Abonnement ist gekündigt." in done.text) == (200, True)
    planned = (await subscriber.status()).planned_end
    assert planned is not None
    assert planned.at == schedule.due(1)

    back = re.search(r'class="button" href="([^"]+)"', done.html)
    assert back is not None
    overview = await buyer.open(back[1])
    assert "gekündigt und endet am" in overview.text
    assert not [fields for _, fields in overview.forms if fields.get("act") in {"skip", "pause", "cancel"}]
    done = await buyer.confirm(await buyer.ask(overview, "undo-cancel"))
    assert "Ihre Kündigung ist zurückgenommen." in done.text
    assert (await subscriber.status()).planned_end is None

    done = await buyer.confirm(await buyer.ask(await buyer.open(address), "skip"))
    assert "Die Zahlung ist ausgelassen." in done.text
    view = await subscriber.until_due(1)
    assert [record.outcome.value for record in view.ledger] == ["paid", "skipped"]

    await _pauses(page, subscriber, address)
    done = await buyer.confirm(await buyer.ask(await buyer.open(address), "resume"))
    assert "Ihr Abonnement wird fortgesetzt." in done.text
    assert (await subscriber.until_due(2)).status is Status.ACTIVE

    overview = await buyer.open(address)
    answer = await buyer.http.post("/payment-method", data=overview.form("/payment-method"))
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{page.house.simulator.origin}/jr/your-account/ba/{permission}"
    assert await page.asked(permission) == [
        ("subscription.changed", "buyer", "too-expensive"),
        ("subscription.changed", "buyer", "on the buyer's page"),
        ("subscription.changed", "buyer", "on the buyer's page"),
        ("subscription.changed", "buyer", "on the buyer's page"),
        ("subscription.changed", "buyer", "on the buyer's page"),
    ]
    view = await subscriber.status()
    assert [(record.outcome.value, str(record.amount)) for record in view.ledger] == [
        ("paid", "17.40 EUR"),
        ("skipped", "17.40 EUR"),
        ("paid", "17.40 EUR"),
    ]


async def _pauses(page: PortalHouse, subscriber: Subscriber, address: str) -> None:
    """From the end of what is paid until the first day that is offered; another is refused."""
    buyer = page.buyer
    choice = await buyer.ask(await buyer.open(address), "pause")
    first = re.search(r'min="([0-9-]+)"', choice.html)
    assert first is not None
    wrong = await buyer.send("/ask", choice.form("/ask") | {"until": "2001-01-31"})
    assert (wrong.status, "Bitte wählen Sie einen anderen Tag." in wrong.text) == (422, True)
    asked = await buyer.send("/ask", choice.form("/ask") | {"until": first[1]})
    assert "läuft es von selbst weiter" in asked.text
    done = await buyer.confirm(asked)
    assert "Ihre Pause ist eingetragen." in done.text
    pause = (await subscriber.status()).pause
    assert pause is not None
    assert pause.until is not None
    resumed = pause.until.astimezone(ZoneInfo(subscriber.terms.zone)).isoformat()
    assert (pause.since, resumed[:16]) == (subscriber.terms.schedule.due(2), f"{first[1]}T00:00")


async def test_a_link_to_cancel_shows_at_once_what_will_happen_and_does_it_once(page: PortalHouse) -> None:
    subscriber = await page.subscribed()
    address = page.link(subscriber.charge_permission_id, Purpose.CANCEL)

    asked = await page.buyer.open(address)
    assert "Jetzt kündigen" in asked.text
    done = await page.buyer.confirm(asked, reason="made-up")
    again, opened = await page.buyer.confirm(asked), await page.buyer.open(address)

    assert done.status == 200
    assert (again.status, opened.status) == (410, 410)
    assert "Das ist bereits erledigt." in again.text
    assert (await subscriber.until_due(1)).status is Status.CANCELED
    assert await page.asked(subscriber.charge_permission_id) == [
        ("subscription.changed", "buyer", "on the buyer's page"),
    ]
    ended = await page.buyer.open(page.link(subscriber.charge_permission_id))
    assert (ended.status, "Ihr Abonnement endete am" in ended.text) == (200, True)
    assert not ended.forms


async def test_a_link_leads_to_the_subscription_as_it_goes_on(page: PortalHouse) -> None:
    """Its charge permission was replaced since the link was made; the buyer is the same."""
    subscriber = await page.subscribed()
    before = subscriber.charge_permission_id
    address = page.link(before)
    after = (await page.house.simulator.open_permission(Currency.EUR)).charge_permission_id
    await page.house.subscriptions.replace_charge_permission(before, after)
    await subscriber.quiet()

    overview = await page.buyer.open(address)
    assert "Ihr Abonnement läuft." in overview.text
    done = await page.buyer.confirm(await page.buyer.ask(overview, "cancel"))

    assert done.status == 200
    assert (await page.house.subscriptions.status(after)).planned_end is not None
    assert [actor for _, actor, _ in await page.asked(after) if actor] == ["buyer"]


async def test_one_whose_charge_permission_is_closed_can_be_canceled_at_once(page: PortalHouse) -> None:
    """No end of what is paid is known then; a buyer may leave all the same."""
    subscriber = await page.subscribed()
    permission = subscriber.charge_permission_id
    await page.house.simulator.script(permission, ["AmazonRejected"])
    assert (await subscriber.until_due(1)).status is Status.AWAITING_CHECKOUT

    overview = await page.buyer.open(page.link(permission))
    assert "schließen Sie es bitte neu ab" in overview.text
    asked = await page.buyer.open(page.link(permission, Purpose.CANCEL))
    assert "Ihr Abonnement endet sofort. Es wird nichts mehr abgebucht." in asked.text
    assert (await page.buyer.confirm(asked)).status == 200

    assert (await subscriber.quiet()).status is Status.CANCELED
