"""Successes that are told apart by status or header, not by the body alone."""

import pytest

from amazon_pay_client import AmazonPayClient, ClaimedAccount
from amazon_pay_client.errors import InvalidAnswerError
from amazon_pay_client.models import (
    ClaimMerchantAccountRequest,
    CompleteCheckoutSessionRequest,
    CreateMerchantAccountRequest,
    UpdateMerchantAccountRequest,
)
from tests.client.answers import ACCOUNT, SESSION, TOKEN
from tests.client.loopback import Loopback, answer
from tests.client.operations import TEN

COMPLETE = CompleteCheckoutSessionRequest(charge_amount=TEN)
CLAIM = ClaimMerchantAccountRequest(unique_reference_id="shop-7")
UPDATE = UpdateMerchantAccountRequest()


@pytest.mark.parametrize(("status", "is_pending"), [(200, False), (202, True)])
async def test_a_completed_checkout_says_whether_the_charge_is_still_being_decided(
    status: int, *, is_pending: bool, client: AmazonPayClient, server: Loopback
) -> None:
    decided = {"chargePermissionId": "C01-1-2", "chargeId": "S01-1-C1", "statusDetails": {"state": "Completed"}}
    server.answers(SESSION | decided, status)

    completed = await client.checkout_sessions.complete("a-session", COMPLETE)

    assert completed.authorization_is_pending is is_pending
    assert (completed.session.charge_permission_id, completed.session.charge_id) == ("C01-1-2", "S01-1-C1")


@pytest.mark.parametrize("body", [b"", b"<html>moved</html>", b'{"merchantAccountId":"A1MERCHANT"}'])
async def test_claiming_an_account_returns_the_page_to_go_to_and_does_not_go_there(
    body: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    page = f"{server.origin}/claim?id=1&lang=ja_JP"
    server.answer = answer(303, body, {"location": page})

    claimed = await client.merchant_accounts.claim("A1MERCHANT", CLAIM)

    assert claimed == ClaimedAccount(page)
    assert [received.method for received in server.received] == ["POST"]


async def test_an_account_that_is_claimed_without_a_page_says_so(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(ACCOUNT)

    assert await client.merchant_accounts.claim("A1MERCHANT", CLAIM) == ClaimedAccount(None)


async def test_a_redirection_to_nowhere_is_no_answer(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(ACCOUNT, 303)

    with pytest.raises(InvalidAnswerError, match="303"):
        await client.merchant_accounts.claim("A1MERCHANT", CLAIM)


async def test_an_updated_account_comes_back_where_amazon_shows_it(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(ACCOUNT)
    shown = await client.merchant_accounts.update("A1MERCHANT", UPDATE)
    server.answers(None, 204)
    silent = await client.merchant_accounts.update("A1MERCHANT", UPDATE)

    assert shown is not None
    assert shown.merchant_account_id == "A1MERCHANT"
    assert silent is None


@pytest.mark.parametrize("body", [b"", b"{}", b'{"reportScheduleId":"1"}'])
async def test_a_canceled_schedule_may_be_answered_with_or_without_an_object(
    body: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(200, body)

    await client.report_schedules.cancel("1")

    assert [received.method for received in server.received] == ["DELETE"]


@pytest.mark.parametrize("body", [b"<html>Welcome to the hotel's network</html>", b"[]", b"null", b'"ok"'])
async def test_a_page_that_is_not_amazons_does_not_count_as_done(
    body: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(200, body)

    with pytest.raises(InvalidAnswerError, match="neither empty nor an object"):
        await client.report_schedules.cancel("1")


async def test_tokens_that_amazon_hands_out_are_not_shown_by_repr(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(TOKEN)
    token = await client.authorization_tokens.get("amzn.mws.1", merchant_id="A1MERCHANT")
    server.answers(ACCOUNT | {"authorizationToken": "e.y.J"}, 201)
    account = await client.merchant_accounts.create(CreateMerchantAccountRequest(unique_reference_id="shop-7"))

    assert token.authorization_token not in repr(token)
    assert account.authorization_token == "e.y.J"
    assert "e.y.J" not in repr(account)
