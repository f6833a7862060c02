"""Links and forms that are not taken: forged, old, another's, for something else, used, or while somebody is away."""

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.billing.refusals import Refused
from perennial_billing.ledger.errors import LedgerUnavailableError
from perennial_billing.ledger.portal_acts import begin, finish, is_done
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import NotAnsweredError, SubscriptionError, SubscriptionNotFoundError
from perennial_billing.starter.portal.links import PATH
from perennial_billing.starter.portal.merchant import Merchant
from perennial_billing.starter.portal.purposes import BY, Act, Permission, Purpose
from perennial_billing.starter.portal.sealing import (
    LONGEST,
    LONGEST_TOKEN,
    Consent,
    ExpiredError,
    Link,
    Seal,
    SealError,
    link_to,
    new_nonce,
)
from tests.portal.conftest import MERCHANT, SECRET, PortalHouse, served, with_merchant

OTHER_SECRET = "YW5vdGhlciBzZWNyZXQsIGFsc28gb2YgMzIgYnl0ZXM="
PERMISSION = "C01-8151623-4215108"


def consent_to(act: Act, purpose: Purpose = Purpose.OVERVIEW, permission: str = PERMISSION, **more: Any) -> Consent:
    later = datetime.now(UTC) + timedelta(minutes=20)
    given: dict[str, Any] = {"nonce": new_nonce(), "expires_at": later, "kept_until": later} | more
    return Consent(charge_permission_id=permission, purpose=purpose, act=act, **given)


def test_what_is_sealed_is_opened_and_cannot_be_read() -> None:
    link = link_to(PERMISSION, Purpose.CANCEL, timedelta(hours=2))
    token = Seal([SECRET]).close(link)

    assert Seal([SECRET]).open(token, Link) == link
    assert PERMISSION.encode() not in base64.urlsafe_b64decode(token)
    assert len(token) < LONGEST_TOKEN / 2


def test_a_new_secret_seals_and_the_one_before_still_opens() -> None:
    link = link_to(PERMISSION, Purpose.PAUSE)
    old, both, new = Seal([SECRET]), Seal([OTHER_SECRET, SECRET]), Seal([OTHER_SECRET])

    assert both.open(old.close(link), Link) == link
    assert new.open(both.close(link), Link) == link
    with pytest.raises(SealError):
        new.open(old.close(link), Link)


@pytest.mark.parametrize("token", ["", "x", "gAAAAA", "é" * 40, "A" * (LONGEST_TOKEN + 1), "\x00" * 12])
def test_what_is_no_token_is_not_opened(token: str) -> None:
    with pytest.raises(SealError):
        Seal([SECRET]).open(token, Link)


def test_a_token_of_which_any_byte_was_changed_is_not_opened() -> None:
    seal = Seal([SECRET])
    content = bytearray(base64.urlsafe_b64decode(seal.close(link_to(PERMISSION, Purpose.OVERVIEW))))
    for place in range(len(content)):
        changed = bytes(content[:place]) + bytes([content[place] ^ 1]) + bytes(content[place + 1 :])
        with pytest.raises(SealError):
            seal.open(base64.urlsafe_b64encode(changed).decode(), Link)


def test_a_link_is_no_form_and_a_form_is_no_link() -> None:
    seal = Seal([SECRET])
    with pytest.raises(SealError):
        seal.open(seal.close(link_to(PERMISSION, Purpose.OVERVIEW)), Consent)
    with pytest.raises(SealError):
        seal.open(seal.close(consent_to(Act.CANCEL)), Link)


def test_a_link_ends_at_its_instant() -> None:
    seal, now = Seal([SECRET]), datetime(2027, 5, 4, 9, 30, tzinfo=UTC)
    token = seal.close(link_to(PERMISSION, Purpose.OVERVIEW, timedelta(minutes=45), now))

    assert seal.open(token, Link, now + timedelta(minutes=44, seconds=59)).purpose is Purpose.OVERVIEW
    with pytest.raises(ExpiredError):
        seal.open(token, Link, now + timedelta(minutes=45))


@pytest.mark.parametrize("valid", [timedelta(seconds=59), LONGEST + timedelta(seconds=1), timedelta(days=-1)])
def test_a_link_is_valid_for_a_minute_to_thirty_days(valid: timedelta) -> None:
    with pytest.raises(Refused, match="valid"):
        link_to(PERMISSION, Purpose.OVERVIEW, valid)


async def test_forged_expired_and_foreign_links_show_nothing(page: PortalHouse) -> None:
    permission = (await page.subscribed(paid=0)).charge_permission_id
    forged = Seal([OTHER_SECRET]).close(link_to(permission, Purpose.OVERVIEW))
    old = page.link(permission, now=datetime.now(UTC) - timedelta(hours=2))

    for address, status, said in ((f"{PATH}{forged}", 403, "ungültig"), (old, 410, "abgelaufen"), ("/", 404, "nicht")):
        answer = await page.buyer.open(address)
        assert (answer.status, said in answer.text, answer.forms) == (status, True, []), address
        assert permission not in answer.html
        assert "17,40" not in answer.html
    sent = await page.buyer.send("/do", {"token": page.portal.seal.close(consent_to(Act.CANCEL, permission="C01-7-7"))})
    assert (sent.status, "Dieses Abonnement gibt es nicht." in sent.text) == (404, True)


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_link_gives_nothing_else_than_what_it_is_for(page: PortalHouse, purpose: Purpose) -> None:
    permission = (await page.subscribed(paid=0)).charge_permission_id
    token = page.link(permission, purpose).removeprefix(PATH)

    for act in set(Act) - BY[purpose]:
        asked = await page.buyer.send("/ask", {"token": token, "act": act.value, "chosen": "yes"})
        made_up = page.portal.seal.close(consent_to(act, purpose, permission))
        done = await page.buyer.send("/do", {"token": made_up})
        assert (asked.status, done.status) == (403, 403), act
    led = await page.buyer.http.post("/payment-method", data={"token": token})
    assert led.status_code == (303 if purpose in {Purpose.OVERVIEW, Purpose.PAYMENT_METHOD} else 403)
    shown = await page.buyer.open(f"{PATH}{token}")
    assert ("Zahlungen" in shown.text) == (purpose is Purpose.OVERVIEW)
    assert await page.asked(permission) == []


async def test_a_form_of_one_buyer_does_nothing_to_another(page: PortalHouse) -> None:
    """What is done is done to whom it was shown of, whatever else is sent."""
    mine, other = await page.subscribed(), await page.subscribed()
    asked = await page.buyer.open(page.link(mine.charge_permission_id, Purpose.CANCEL))
    theirs = page.link(other.charge_permission_id).removeprefix(PATH)

    done = await page.buyer.confirm(asked, back=theirs, charge_permission_id=other.charge_permission_id)

    assert done.status == 200
    assert (await mine.status()).planned_end is not None
    assert (await other.status()).planned_end is None


async def test_a_form_that_is_sent_by_many_at_once_is_done_once(page: PortalHouse) -> None:
    subscriber = await page.subscribed()
    asked = await page.buyer.ask(await page.buyer.open(page.link(subscriber.charge_permission_id)), "skip")

    answers = await asyncio.gather(*(page.buyer.confirm(asked) for _ in range(8)))

    assert {answer.status for answer in answers} <= {200, 410}
    assert 200 in {answer.status for answer in answers}
    assert len((await subscriber.status()).skips) == 1
    assert len(await page.asked(subscriber.charge_permission_id)) == 1
    assert (await page.buyer.confirm(asked)).status == 410


async def test_a_process_that_died_between_has_done_nothing_twice(
    page: PortalHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died before the subscription was asked, or after: the same form, sent again, comes to one pause."""
    subscriber = await page.subscribed()
    consent = consent_to(Act.SKIP, permission=subscriber.charge_permission_id)
    fields = {"token": page.portal.seal.close(consent), "lang": "de"}
    assert await begin(page.house.ledger, consent.nonce, consent.kept_until)

    async def dies(*_: object) -> None:
        raise LedgerUnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("perennial_billing.starter.portal.asking.finish", dies)
        died = await page.buyer.send("/do", fields)
    assert (died.status, await is_done(page.house.ledger, consent.nonce)) == (503, False)
    assert "noch nicht, ob es erledigt ist" in died.text
    assert "nichts geändert" not in died.text
    assert len((await subscriber.status()).skips) == 1

    again = await page.buyer.send("/do", fields)
    assert (again.status, (await page.buyer.send("/do", fields)).status) == (200, 410)
    assert len(await page.asked(subscriber.charge_permission_id)) == 1


async def test_while_the_ledger_is_away_nothing_is_done_and_that_is_said(
    page: PortalHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = await page.subscribed()
    overview = await page.buyer.open(page.link(subscriber.charge_permission_id))
    asked = await page.buyer.ask(overview, "skip")

    async def away(*_: object) -> bool:
        raise LedgerUnavailableError("the ledger did not answer within 4 s")

    with monkeypatch.context() as patch:
        patch.setattr("perennial_billing.starter.portal.asking.begin", away)
        done = await page.buyer.confirm(asked)

    assert (done.status, "nicht verfügbar. Es wurde nichts geändert." in done.text) == (503, True)
    assert "did not answer" not in done.html
    assert (await subscriber.status()).skips == ()
    assert (await page.buyer.confirm(asked)).status == 200


class _Nobody(Client):
    """A Temporal server that is away."""

    def __init__(self) -> None:
        """It has nothing."""

    def get_workflow_handle_for(self, *_: object, **__: object) -> Any:
        raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")


async def test_while_temporal_is_away_that_is_said(page: PortalHouse) -> None:
    away = replace(page.portal, subscriptions=Subscriptions(_Nobody(), "perennial"))
    async with served(away, page.house) as running:
        for purpose in Purpose:
            answer = await running.buyer.open(running.link("C01-8151623-4215108", purpose))
            assert (answer.status, "nicht verfügbar" in answer.text) == (503, True)
            assert answer.headers["retry-after"] == "60"
            assert "refused" not in answer.html


@pytest.mark.parametrize(
    "trouble",
    [
        NotAnsweredError(PERMISSION, "buyer-1", accepted=True),
        SubscriptionError("charge permission: connection lost"),
        RPCError("connection lost", RPCStatusCode.UNAVAILABLE, b""),
    ],
    ids=["not answered", "explained", "of the server"],
)
async def test_what_is_not_answered_in_time_may_be_sent_again(
    page: PortalHouse, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    subscriber = await page.subscribed()
    asked = await page.buyer.open(page.link(subscriber.charge_permission_id, Purpose.CANCEL))

    async def late(*_: object, **__: object) -> None:
        raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(Subscriptions, "change", late)
        open_still = await page.buyer.confirm(asked, reason="too-expensive")
    assert (open_still.status, "noch nicht, ob es erledigt ist" in open_still.text) == (503, True)

    with monkeypatch.context() as patch:
        patch.setattr(Subscriptions, "standing", late)
        still = await page.buyer.confirm(open_still)
    assert (still.status, "nichts geändert" in still.text) == (503, False)
    done = await page.buyer.confirm(still)
    assert done.status == 200
    assert (await page.asked(subscriber.charge_permission_id))[0][1:] == ("buyer", "too-expensive")


async def test_what_a_merchant_does_not_allow_is_neither_shown_nor_done(page: PortalHouse) -> None:
    subscriber = await page.subscribed()
    permission = subscriber.charge_permission_id
    strict = MERCHANT.model_copy(update={"allows": frozenset({Permission.SKIP})})
    async with served(with_merchant(page.portal, strict), page.house) as running:
        overview = await running.buyer.open(running.link(permission))
        assert {fields["act"] for _, fields in overview.forms} == {"skip"}
        for act in set(Act) - {Act.SKIP, Act.UNDO_SKIP}:
            token = running.portal.seal.close(consent_to(act, permission=permission))
            assert (await running.buyer.send("/do", {"token": token})).status == 403
        assert (await running.buyer.open(running.link(permission, Purpose.PAYMENT_METHOD))).status == 403
        assert (await running.buyer.open(running.link(permission, Purpose.CANCEL))).status == 409
    assert await page.asked(permission) == []


async def test_one_address_is_served_so_often_and_the_others_go_on(page: PortalHouse) -> None:
    few = replace(page.portal, requests_per_minute=3)
    async with served(few, page.house) as running:
        address = running.link("C01-7-7")
        assert [(await running.buyer.open(address)).status for _ in range(3)] == [404] * 3
        refused = await running.buyer.open(address)
        assert (refused.status, "Bitte warten Sie eine Minute" in refused.text) == (429, True)
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert (await running.buyer.open("/portal.css")).status == 200
        other = await running.buyer.http.get(address, headers={"X-Forwarded-For": "203.0.113.9"})
        assert other.status_code == 404


async def test_what_is_too_long_or_no_form_is_refused(page: PortalHouse) -> None:
    long = await page.buyer.http.post("/ask", content=b"token=" + b"a" * 20_000)
    many = await page.buyer.http.post("/ask", content="&".join(f"f{each}=1" for each in range(60)))
    foreign = await page.buyer.http.post("/ask", content="token=ü".encode())
    wrong = await page.buyer.send("/ask", {"token": page.link("C01-7-7").removeprefix(PATH), "act": "refund"})

    statuses = [long.status_code, many.status_code, foreign.status_code, wrong.status]
    assert statuses == [413, 422, 422, 422]
    assert (await page.buyer.http.get("/do")).status_code == 405


async def test_browsers_are_told_to_keep_nothing_and_to_load_nothing(page: PortalHouse) -> None:
    permission = (await page.subscribed(paid=0)).charge_permission_id
    shown = await page.buyer.open(page.link(permission))

    policy = {
        each.partition(" ")[0]: each.partition(" ")[2] for each in shown.headers["content-security-policy"].split("; ")
    }
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": f"'self' {page.house.simulator.origin}",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert (shown.headers["referrer-policy"], shown.headers["cache-control"]) == ("no-referrer", "no-store")
    assert (shown.headers["x-robots-tag"], shown.headers["x-frame-options"]) == ("noindex, nofollow", "DENY")
    assert "<script" not in shown.html
    assert " style=" not in shown.html
    lost = await page.buyer.open("/nothing-here")
    assert lost.headers["content-security-policy"] == shown.headers["content-security-policy"]


async def test_no_log_holds_a_link_or_a_charge_permission(page: PortalHouse, capfd: pytest.CaptureFixture[str]) -> None:
    subscriber = await page.subscribed(paid=0)
    token = page.link(subscriber.charge_permission_id).removeprefix(PATH)
    capfd.readouterr()

    await page.buyer.open(f"{PATH}{token}")
    await page.buyer.send("/ask", {"token": token, "act": "skip"})
    await page.buyer.open(f"{PATH}{token}x")
    said = "".join(capfd.readouterr())

    assert "/l/{token}" in said
    assert token[:40] not in said
    assert subscriber.charge_permission_id not in said


async def test_a_fault_of_ours_is_a_page_that_tells_nothing(page: PortalHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    permission = (await page.subscribed(paid=0)).charge_permission_id

    def breaks(*_: object) -> list[str]:
        raise ZeroDivisionError("of the test")

    monkeypatch.setattr("perennial_billing.starter.portal.shown.standing", breaks)
    answer = await page.buyer.open(page.link(permission))

    assert (answer.status, "Hier ist etwas schiefgegangen." in answer.text) == (500, True)
    assert "ZeroDivision" not in answer.html
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_one_that_only_the_ledger_knows_has_ended(page: PortalHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    subscriber = await page.subscribed()
    await subscriber.cancel()
    nobody = Subscriptions(page.house.client, "perennial")
    monkeypatch.setattr(type(nobody), "standing", _forgotten)

    answer = await page.buyer.open(page.link(subscriber.charge_permission_id))

    assert (answer.status, "Ihr Abonnement endete am" in answer.text, answer.forms) == (200, True, [])


async def _forgotten(_self: object, charge_permission_id: str) -> None:
    raise SubscriptionNotFoundError(f"charge permission {charge_permission_id}: there is no subscription")


async def test_the_process_forgets_what_links_have_done_once_they_have_expired(page: PortalHouse) -> None:
    ledger, nonce = page.house.ledger, new_nonce()
    await begin(ledger, nonce, datetime.now(UTC) - timedelta(seconds=2))
    await finish(ledger, nonce)
    assert await is_done(ledger, nonce)

    async with served(page.portal, page.house), asyncio.timeout(60):
        while await is_done(ledger, nonce):
            await asyncio.sleep(0.01)


def test_an_unset_merchant_allows_to_cancel_and_to_change_the_card_alone() -> None:
    assert Merchant().allows == {Permission.CANCEL, Permission.PAYMENT_METHOD}
