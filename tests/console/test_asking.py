"""Asking: a form, what it would come to, and the request with who asked and why; refusals stand at their fields."""

import re
from html import unescape
from typing import Final

from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.status import Status
from perennial_billing.ledger.finding import latest_told
from perennial_billing.starter.console.fields import ACTIONS, ORDER
from tests.console.conftest import Console, request_id_of, said_of, token_of


def text_of(html: str) -> str:
    """What somebody reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


async def test_a_pause_is_previewed_and_then_done_with_its_actor_and_reason(console: Console) -> None:
    permission = await console.charged()

    tried = await console.tried(permission, "pause", because="on holiday until spring")
    assert tried.status_code == 200
    assert "Charged today: nothing." in text_of(tried.text)
    assert "Then: nothing." in text_of(tried.text)
    assert "8.45 USD" in tried.text, "what is charged without it"
    assert (await console.house.subscriptions.status(permission)).status is Status.ACTIVE, "nothing was changed"

    done = await console.done(permission, "pause", because="on holiday until spring")
    assert (done.status_code, done.headers["location"]) == (303, f"/subscriptions/{permission}")
    shown = text_of((await console.http.get(f"/subscriptions/{permission}")).text)
    assert "Pause: done. It takes effect" in shown
    assert "It is paused: what falls due meanwhile is not owed." in shown
    told = await _told(console, permission, "ines")
    assert (told.actor, told.because) == ("ines", "on holiday until spring")
    again = text_of((await console.http.get(f"/subscriptions/{permission}")).text)
    assert "Pause: done." not in again, "it is said once"
    assert "Asked by ines: on holiday until spring" in again


async def _told(console: Console, permission: str, actor: str) -> Notice:
    return next(
        each.notice for each in await latest_told(console.house.ledger, permission) if each.notice.actor == actor
    )


async def test_a_form_that_is_confirmed_twice_is_done_once(console: Console) -> None:
    permission = await console.charged()
    tried = await console.tried(permission, "items", amount="4.50", what="a filter")
    sent = {
        "csrf": token_of(tried.text),
        "request_id": request_id_of(tried.text),
        "because": "a test",
        "amount": "4.50",
        "what": "a filter",
    }

    for _ in range(2):
        assert (await console.http.post(f"/subscriptions/{permission}/items", data=sent)).status_code == 303

    view = await console.house.subscriptions.status(permission)
    assert [(str(item.amount), item.what) for item in view.items] == [("4.50 USD", "a filter")]


async def test_a_refund_shows_what_is_left_and_gives_back_a_part(console: Console) -> None:
    permission = await console.charged()

    done = await console.done(permission, "refunds", period="0", amount="3.00")

    assert done.status_code == 303
    shown = text_of((await console.http.get(f"/subscriptions/{permission}")).text)
    assert "The refund of 3.00 USD is" in shown
    assert "5.45 USD Refund" in shown
    form = await console.form_of("refunds", permission)
    assert "Left to refund: period 0, 5.45 USD." in text_of(form)
    too_much = await console.tried(permission, "refunds", period="0", amount="6.00")
    assert too_much.status_code == 422
    assert 'id="amount-wrong"' in too_much.text


async def test_what_a_rule_refuses_stands_at_its_field_and_changes_nothing(console: Console) -> None:
    permission = await console.charged()

    refused = await console.tried(permission, "pause", when="at", when_at="2001-02-03T04:05")
    assert refused.status_code == 422
    assert 'id="when-wrong"' in refused.text
    assert 'value="2001-02-03T04:05"' in refused.text, "what was filled in is kept"
    assert "Confirm" not in refused.text
    assert (await console.house.subscriptions.status(permission)).pause is None


UNMEANT: Final = (
    ("pause", {"because": ""}, "because"),
    ("pause", {"when": "at"}, "when_at"),
    ("pause", {"until": "soon"}, "until"),
    ("refunds", {"period": "one"}, "period"),
    ("items", {"amount": "a lot", "what": "tea"}, "amount"),
    ("items", {"amount": "1.00"}, "what"),
    ("change-plan", {"plan": "plan_id = "}, "plan"),
    ("change-billing-day", {"day": "32"}, "day"),
    ("change-billing-day", {"day": "5", "at": "noon"}, "at"),
    ("cancel", {"back": "amount"}, "amount"),
)
"""What is asked, what is filled in, and at which field that is told."""


async def test_a_text_that_cannot_be_meant_is_told_at_its_field(console: Console) -> None:
    permission = await console.started()
    for way, fields, wrong in UNMEANT:
        answer = await console.tried(permission, way, **fields)
        assert answer.status_code == 422, (way, fields)
        assert f'id="{wrong}-wrong"' in answer.text, (way, fields)


async def test_every_kind_of_request_has_a_form_that_can_be_previewed(console: Console) -> None:
    filled = {
        "refunds": {"period": "0"},
        "items": {"amount": "1.00", "what": "tea"},
        "change-plan": {"quantity": "2"},
        "change-billing-day": {"day": "5"},
        "capture": {"period": "0"},
        "write-off": {"period": "0"},
        "resolve": {"new_attempt": "yes"},
        "replace": {"charge_permission_id": "C01-7654321-7654321"},
    }
    permission = await console.charged()
    assert set(ORDER) == set(ACTIONS)
    possible = set()
    for way in ORDER:
        answer = await console.tried(permission, way, **filled.get(way, {}))
        assert answer.status_code in {200, 422}, way
        refused = re.findall(r'role="alert">([^<]+)', answer.text)
        assert answer.status_code == 200 or refused, way
        if answer.status_code == 200:
            possible.add(way)

    assert possible == {
        "pause", "skip", "change-plan", "change-billing-day", "items", "refunds", "cancel", "replace",
    }  # fmt: skip


async def test_a_plan_s_file_is_taken_as_text_and_tried(console: Console) -> None:
    permission = await console.charged()
    plan = 'plan_id = "tea-large"\namount = { amount = "11.00", currency = "USD" }\ninterval = { unit = "month" }\n'

    tried = await console.tried(permission, "change-plan", plan=plan)

    assert tried.status_code == 200, text_of(tried.text)
    assert "11.00 USD" in tried.text
    done = await console.done(permission, "change-plan", plan=plan)
    assert done.status_code == 303
    assert (await console.house.subscriptions.status(permission)).agreed.plan.plan_id == "tea-large"
    shown = await console.http.get(f"/subscriptions/{permission}")
    assert f"/subscriptions/{permission}/undo-changes" in shown.text
    assert (await console.done(permission, "undo-changes")).status_code == 303
    assert (await console.house.subscriptions.status(permission)).agreed.plan.plan_id == "tea-monthly"


async def test_whoever_may_act_but_not_refund_gives_no_money_back_by_a_cancellation(console: Console) -> None:
    permission = await console.charged()
    async with console.browser(said_of("otto", "perennial-read,perennial-act")) as http:
        page = await http.get(f"/subscriptions/{permission}")
        assert "/refunds" not in page.text
        form = token_of((await http.get(f"/subscriptions/{permission}/cancel")).text)
        sent = {"csrf": form, "because": "a test", "when": "now", "back": "all", "request_id": "0" * 32}
        for path in ("cancel/preview", "cancel"):
            answer = await http.post(f"/subscriptions/{permission}/{path}", data=sent)
            assert answer.status_code == 403

    assert (await console.house.subscriptions.status(permission)).canceled_at is None


async def test_the_next_due_date_is_reached_by_a_button_in_the_sandbox(console: Console) -> None:
    permission = await console.charged()
    page = (await console.http.get(f"/subscriptions/{permission}")).text

    moved = await console.http.post(f"/subscriptions/{permission}/advance", data={"csrf": token_of(page)})

    assert moved.status_code == 303
    assert (await console.house.subscriptions.status(permission)).periods_paid == 2


async def test_a_wall_time_is_that_of_the_subscription_s_zone(console: Console) -> None:
    permission = await console.charged(zone="Asia/Tokyo")

    done = await console.done(permission, "pause", when="at", when_at="2099-01-01T09:00")

    assert done.status_code == 303
    view = await console.house.subscriptions.status(permission)
    assert view.pause is not None
    assert view.pause.since.isoformat() == "2099-01-01T00:00:00+00:00"
