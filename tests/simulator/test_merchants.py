"""Several merchants at one simulated Amazon Pay, each with keys, receivers and books of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.certificates import new_key as new_private_key
from amazon_pay_simulator.control import JournalQuery
from amazon_pay_simulator.merchants import Merchant as Account
from amazon_pay_simulator.merchants import public_pem
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.checkout import session_of
from tests.simulator.merchant import KEY_ID, Merchant, Wanted, charge_of, merchant_of, new_key
from tests.simulator.receiver import Receiver, receiving
from tests.simulator.running import MERCHANT_ID, running_simulator

SECOND = "A2MERCHANT"
SECONDS_KEY = "SANDBOX-SECOND"


class Signing(Merchant):
    """A merchant who signs under an id of its own."""

    async def send(self, wanted: Wanted) -> httpx.Response:
        return await super().send(replace(wanted, key_id=SECONDS_KEY))


@dataclass(frozen=True)
class Two:
    """Two merchants at one simulator, and their handles."""

    amazon: SimulatorHandle
    first: Merchant
    others: SimulatorHandle
    second: Merchant
    account: Account


@asynccontextmanager
async def two_merchants(
    private_key: RSAPrivateKey, signer: NotificationSigner, database: Path | None = None
) -> AsyncIterator[Two]:
    own = new_private_key()
    async with AsyncExitStack() as stack:
        amazon = await stack.enter_async_context(running_simulator(private_key, signer, database=database))
        account = Account(merchant_id=SECOND, public_keys={SECONDS_KEY: public_pem(own.public_key())})
        await amazon.put_merchant(account)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=amazon.origin))
        others = await stack.enter_async_context(SimulatorHandle(amazon.origin, SECOND))
        first = await stack.enter_async_context(merchant_of(amazon, private_key))
        yield Two(amazon, first, others, Signing(http, own), account)


@pytest.fixture
async def two(private_key: RSAPrivateKey, signer: NotificationSigner) -> AsyncIterator[Two]:
    async with two_merchants(private_key, signer) as merchants:
        yield merchants


async def test_each_charges_its_own_buyers_and_sees_nothing_of_the_others(two: Two) -> None:
    mine = (await two.amazon.open_permission()).charge_permission_id
    theirs = (await two.others.open_permission()).charge_permission_id
    await two.others.open_permission()
    only_theirs = (await two.others.books()).permissions[1].charge_permission_id

    _, first = await two.first.create_charge(charge_of(mine, "1"), new_key())
    _, second = await two.second.create_charge(charge_of(theirs, "2"), new_key())
    refused, _ = await two.first.permission(only_theirs)

    assert refused == 404
    booked = [
        [(charge.charge_id, str(charge.charge_amount.amount)) for charge in (await each.books()).charges]
        for each in (two.amazon, two.others)
    ]
    assert booked == [[(first["chargeId"], "1.00")], [(second["chargeId"], "2.00")]]


async def test_one_idempotency_key_is_another_with_another_merchant(two: Two) -> None:
    key = new_key()
    permissions = [(await each.open_permission()).charge_permission_id for each in (two.amazon, two.others)]

    answers = [
        await merchant.create_charge(charge_of(permission, amount), key)
        for merchant, permission, amount in zip((two.first, two.second), permissions, ("1", "2"), strict=True)
    ]

    assert [status for status, _ in answers] == [201, 201]


async def test_each_is_notified_at_its_own_receivers_and_one_that_fails_delays_nobody(two: Two) -> None:
    async with receiving() as ours, receiving() as theirs, receiving() as broken:
        broken.statuses[:] = [503] * 100
        await two.amazon.send_notifications_to(ours.url)
        await two.others.send_notifications_to(broken.url, theirs.url)
        for handle, merchant in ((two.amazon, two.first), (two.others, two.second)):
            permission = (await handle.open_permission()).charge_permission_id
            await merchant.create_charge(charge_of(permission), new_key())
        told = [await each.received(1) for each in (ours, theirs)]
        tried = (await two.amazon.journal(JournalQuery(url=broken.url))).entries
        await two.others.send_notifications_to(None)

    assert [{each.merchant_id for each in notifications} for notifications in told] == [{MERCHANT_ID}, {SECOND}]
    assert {entry.merchant_id for entry in tried} <= {SECOND}


async def test_the_page_of_each_merchants_buyers_is_where_its_sessions_say(two: Two) -> None:
    async with httpx.AsyncClient() as http:
        for merchant, merchant_id in ((two.first, MERCHANT_ID), (two.second, SECOND)):
            _, opened = await merchant.create_session(session_of(), new_key())
            signing_in = f"{two.amazon.origin}/simulator/checkout-sessions/{opened['checkoutSessionId']}/sign-in"
            await http.post(f"{signing_in}?merchant={merchant_id}")
            _, session = await merchant.session(opened["checkoutSessionId"])
            address = session["webCheckoutDetails"]["amazonPayRedirectUrl"]

            shown = await http.get(address)
            decided = await http.post(address, data={"decision": "approve"})

            assert (shown.status_code, decided.status_code) == (200, 303)
        nobodys = await http.get(f"{two.amazon.origin}/merchants/A3/checkout/1")

    assert nobodys.status_code == 404
    assert "No merchant A3; there are A1MERCHANT, A2MERCHANT" in nobodys.text


async def test_a_merchant_who_is_removed_is_known_no_more_and_the_first_stays(two: Two) -> None:
    async with httpx.AsyncClient(base_url=f"{two.amazon.origin}/simulator") as http:
        removed = await http.delete(f"/merchants/{SECOND}")
        first = await http.delete(f"/merchants/{MERCHANT_ID}")
        known = (await http.get("/merchants")).json()
        books = await http.get(f"/books?merchant={SECOND}")

    status, refusal = await two.second.charge("S01")
    assert (removed.status_code, first.status_code, books.status_code) == (204, 400, 404)
    assert status in {401, 403}
    assert SECONDS_KEY in refusal["message"]
    assert [each["merchant_id"] for each in known] == [MERCHANT_ID]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"public_keys": {}}, "public_keys"),
        ({"public_keys": {"SANDBOX-3": "no key"}}, "-----BEGIN PUBLIC KEY"),
        ({"public_key": {}}, "public_key: there is no such field"),
        ({"public_keys": {KEY_ID: "{pem}"}}, f"{KEY_ID} is {MERCHANT_ID}'s already"),
        ({"public_keys": {"SANDBOX-3": "{pem}"}, "receivers": ["nowhere"]}, "receivers.0: 'nowhere' is not accepted"),
    ],
)
async def test_a_merchant_who_cannot_be_is_refused_in_one_line(
    two: Two, body: dict[str, dict[str, str]], named: str
) -> None:
    pem = two.account.public_keys[SECONDS_KEY]
    if "public_keys" in body:
        body = body | {"public_keys": {name: text.replace("{pem}", pem) for name, text in body["public_keys"].items()}}
    async with httpx.AsyncClient(base_url=f"{two.amazon.origin}/simulator") as http:
        answer = await http.put("/merchants/A3", json=body)
        known = (await http.get("/merchants")).json()

    assert answer.status_code in {400, 422}
    assert named in answer.text
    assert "\n" not in answer.text
    assert [each["merchant_id"] for each in known] == [MERCHANT_ID, SECOND]


async def test_merchants_their_receivers_and_their_books_outlive_a_restart(
    private_key: RSAPrivateKey, signer: NotificationSigner, tmp_path: Path, receiver: Receiver
) -> None:
    database = tmp_path / "books.db"
    async with two_merchants(private_key, signer, database) as two:
        await two.others.send_notifications_to(receiver.url)
        opened = await two.others.open_permission()
        own = two.second.private_key

    async with (
        running_simulator(private_key, signer, database=database) as amazon,
        SimulatorHandle(amazon.origin, SECOND) as others,
        httpx.AsyncClient(base_url=amazon.origin) as http,
    ):
        await Signing(http, own).create_charge(charge_of(opened.charge_permission_id), new_key())
        told = await receiver.received(1)
        permissions = (await others.books()).permissions
        firsts = (await amazon.books()).permissions

    assert {each.merchant_id for each in told} == {SECOND}
    assert [each.charge_permission_id for each in permissions] == [opened.charge_permission_id]
    assert firsts == []


async def test_no_two_merchants_have_a_charge_permission_or_a_charge_of_the_same_id(two: Two) -> None:
    mine = [(await two.amazon.open_permission()).charge_permission_id for _ in range(3)]
    theirs = [(await two.others.open_permission()).charge_permission_id for _ in range(3)]
    charges = [
        (await merchant.create_charge(charge_of(permission, "1"), new_key()))[1]["chargeId"]
        for merchant, permissions in ((two.first, mine), (two.second, theirs))
        for permission in permissions
    ]

    assert mine[0] == "C01-0000001-0007919", "one merchant alone has the ids that it always had"
    assert len({*mine, *theirs}) == len(set(charges)) == 6
