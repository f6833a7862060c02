"""The journal: what was really sent and answered, to look through and to assert on."""

import re
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.control import JournalQuery
from amazon_pay_simulator.faults import Fault, FaultPlan
from amazon_pay_simulator.journal import Criteria, Journal, RecordedNotification, RecordedRequest
from amazon_pay_simulator.notifications import NotificationSigner
from amazon_pay_simulator.verification import Expectation
from tests.simulator.merchant import KEY_ID, Merchant, charge_of, merchant_of, new_key
from tests.simulator.receiver import Receiver
from tests.simulator.running import MERCHANT_ID, running_simulator


async def asked(amazon: SimulatorHandle, method: str, path: str, body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"{amazon.origin}/simulator") as http:
        return await http.request(method, path, json=body)


async def test_a_request_is_kept_as_it_was_sent_and_answered_but_for_its_signature(
    shop: Merchant, amazon: SimulatorHandle
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    key = new_key()
    _, charge = await shop.create_charge(charge_of(permission, "12.34"), key)

    page = await amazon.journal(JournalQuery(kind="request"))

    [entry] = page.entries
    assert isinstance(entry, RecordedRequest)
    assert (entry.method, entry.path, entry.operation, entry.status) == ("POST", "/v2/charges", "CreateCharge", 201)
    assert (entry.merchant_id, entry.charge_permission_id) == (MERCHANT_ID, permission)
    assert (entry.idempotency_key, entry.reason_code, entry.simulation_code) == (key, None, None)
    assert entry.body == charge_of(permission, "12.34")
    assert entry.answer == charge
    assert entry.headers["x-amz-pay-idempotency-key"] == key
    assert "authorization" not in entry.headers
    assert KEY_ID not in str(entry), "nor anywhere else"
    assert entry.seconds > 0


async def test_refused_and_unknown_requests_are_in_it_too(shop: Merchant, amazon: SimulatorHandle) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    await amazon.script(permission, ["SoftDeclined"])
    await shop.create_charge(charge_of(permission), new_key())
    await shop.create_charge(b"{", new_key())
    await shop.call("GET", "/nothing/here/at/all")
    async with httpx.AsyncClient(base_url=amazon.origin) as http:
        await http.get("/sandbox/v2/charges/S01")

    entries = (await amazon.journal(JournalQuery(kind="request"))).entries

    seen = [(e.operation, e.reason_code, e.body) for e in entries if isinstance(e, RecordedRequest)]
    assert [operation for operation, _, _ in seen] == ["CreateCharge", "CreateCharge", None, "GetCharge"]
    assert seen[0][1] == "SoftDeclined"
    assert seen[1][2] == "{", "what is no JSON is kept as text"
    assert all(reason for _, reason, _ in seen)


async def test_a_request_whose_answer_was_lost_has_none_in_the_journal(shop: Merchant, amazon: SimulatorHandle) -> None:
    await amazon.set_faults(FaultPlan(requests={Fault.RESET: 1}))
    with pytest.raises(httpx.TransportError):
        await shop.charge("S01")
    await amazon.set_faults(FaultPlan(requests={Fault.SLOW_BODY: 1}))
    await shop.charge("S01")

    lost, slow = (await amazon.journal()).entries

    assert isinstance(lost, RecordedRequest)
    assert (lost.status, lost.answer) == (None, None)
    assert isinstance(slow, RecordedRequest)
    assert (slow.status, slow.answer["reasonCode"]) == (404, "ResourceNotFound")


async def test_each_try_to_deliver_a_notification_is_in_it(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    receiver.statuses[:] = [503]
    permission = (await amazon.open_permission()).charge_permission_id
    _, charge = await shop.create_charge(charge_of(permission), new_key())
    await amazon.deliver_notifications()

    entries = (await amazon.journal(JournalQuery(object_type="CHARGE"))).entries

    tries = [entry for entry in entries if isinstance(entry, RecordedNotification)]
    assert len(tries) == len(entries) > 0
    first = (await amazon.journal(JournalQuery(kind="notification"))).entries[:2]
    assert [(each.status, each.attempt) for each in first if isinstance(each, RecordedNotification)] == [
        (503, 1),
        (200, 2),
    ]
    assert {(each.url, each.merchant_id, each.object_id) for each in tries} == {
        (receiver.url, MERCHANT_ID, charge["chargeId"])
    }


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["CreateCharge", "CreateCharge", "GetCharge"]),
        ({"status": 422}, ["CreateCharge"]),
        ({"reason_code": "SoftDeclined", "operation": "CreateCharge"}, ["CreateCharge"]),
        ({"method": "GET"}, ["GetCharge"]),
        ({"operation": "CreateRefund"}, []),
        ({"limit": 1}, ["GetCharge"]),
        ({"after": 1, "limit": 1}, ["CreateCharge"]),
        ({"after": 2}, ["GetCharge"]),
    ],
)
async def test_it_is_looked_through_by_any_field(
    private_key: RSAPrivateKey, signer: NotificationSigner, wanted: dict[str, Any], found: list[str]
) -> None:
    async with running_simulator(private_key, signer) as amazon, merchant_of(amazon, private_key) as shop:
        permission = (await amazon.open_permission()).charge_permission_id
        await amazon.script(permission, ["SoftDeclined"])
        await shop.create_charge(charge_of(permission), new_key())
        _, charge = await shop.create_charge(charge_of(permission), new_key())
        await shop.charge(charge["chargeId"])

        page = await amazon.journal(JournalQuery.model_validate(wanted))

    assert [entry.operation for entry in page.entries if isinstance(entry, RecordedRequest)] == found
    assert (page.last, page.forgotten) == (3, 0)


async def test_a_field_that_there_is_none_of_is_refused_by_its_name(simulator: SimulatorHandle) -> None:
    answer = await asked(simulator, "GET", "/journal?operatoin=CreateCharge")

    assert (answer.status_code, answer.text) == (422, "operatoin: there is no such field")


class Entry:
    """One that tells nothing but its number."""

    def read(self, number: int) -> RecordedNotification:
        nothing = dict.fromkeys(("object_type", "object_id", "charge_permission_id", "status", "failure"))
        return RecordedNotification.model_validate(
            {"number": number, "at": 0, "merchant_id": "A", "url": "", "message_id": "", "attempt": 1} | nothing
        )


def test_of_more_than_it_keeps_the_oldest_are_forgotten_and_the_numbers_go_on() -> None:
    journal = Journal(size=3)
    for _ in range(5):
        journal.write(Entry())

    assert (journal.forgotten, journal.last) == (2, 5)
    assert [entry.number for entry in journal.entries()] == [3, 4, 5]
    assert [entry.number for entry in journal.entries(after=4)] == [5]
    journal.clear()
    assert (journal.forgotten, journal.last, list(journal.entries())) == (0, 0, [])


# Asserting


@pytest.mark.parametrize(
    ("count", "is_so", "words"),
    [
        ({}, True, "expected at least 1, found 2"),
        ({"exactly": 2}, True, "expected exactly 2, found 2"),
        ({"exactly": 1}, False, "expected exactly 1, found 2"),
        ({"exactly": 0}, False, "expected exactly 0, found 2"),
        ({"at_least": 3}, False, "expected at least 3, found 2"),
        ({"at_most": 2}, True, "expected at most 2, found 2"),
        ({"at_most": 1}, False, "expected at most 1, found 2"),
        ({"at_least": 1, "at_most": 4}, True, "expected 1 to 4, found 2"),
    ],
)
async def test_what_is_expected_is_counted(
    private_key: RSAPrivateKey, signer: NotificationSigner, count: dict[str, int], words: str, *, is_so: bool
) -> None:
    async with running_simulator(private_key, signer) as amazon, merchant_of(amazon, private_key) as shop:
        permission = (await amazon.open_permission()).charge_permission_id
        for _ in range(2):
            await shop.create_charge(charge_of(permission), new_key())
        await shop.permission(permission)

        answer = await asked(amazon, "POST", "/verify", {"matching": {"operation": "CreateCharge"}} | count)

    assert answer.status_code == (200 if is_so else 406)
    said = answer.json()
    assert (said["verified"], said["message"], said["found"], said["matching"]) == (is_so, words, 2, [1, 2])


async def test_where_it_did_not_happen_what_came_nearest_is_told_field_by_field(
    shop: Merchant, amazon: SimulatorHandle
) -> None:
    await amazon.send_notifications_to(None)
    permission = (await amazon.open_permission()).charge_permission_id
    await shop.create_charge(charge_of(permission, "9.99", captureNow=True), new_key())
    await shop.permission(permission)
    amount = {"chargeAmount": {"amount": "9.50"}}
    expected = Expectation(matching=Criteria(operation="CreateCharge", status=201), body=amount)

    with pytest.raises(AssertionError) as refused:
        await amazon.verify(expected)
    right = expected.model_copy(update={"body": {"chargeAmount": {"amount": "9.99"}, "captureNow": True}})
    found = await amazon.verify(right)

    assert "expected at least 1, found 0; entry 1 differs in body.chargeAmount.amount ('9.99', not '9.50')" in str(
        refused.value
    )
    assert (found.verified, found.matching, found.nearest) == (True, [1], [])


async def test_only_what_came_after_a_number_counts_where_one_is_given(shop: Merchant, amazon: SimulatorHandle) -> None:
    await amazon.send_notifications_to(None)
    permission = (await amazon.open_permission()).charge_permission_id
    await shop.create_charge(charge_of(permission), new_key())
    last = (await amazon.journal()).last

    never = Expectation(matching=Criteria(operation="CreateCharge"), exactly=0, after=last)

    assert (await amazon.verify(never)).found == 0
    await shop.create_charge(charge_of(permission), new_key())
    with pytest.raises(AssertionError, match="expected exactly 0, found 1"):
        await amazon.verify(never)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"exactly": 1, "at_least": 1}, "exactly is not accepted together with at_least or at_most"),
        ({"at_least": 3, "at_most": 2}, "at_least: 3 is more than at_most"),
        ({"matching": {"opreation": "CreateCharge"}}, "matching.opreation: there is no such field"),
        ({"exactly": -1}, "exactly: -1 is not accepted"),
    ],
)
async def test_an_expectation_that_is_none_is_refused(
    simulator: SimulatorHandle, body: dict[str, Any], named: str
) -> None:
    answer = await asked(simulator, "POST", "/verify", body)

    assert answer.status_code == 422
    assert named in answer.text
    assert "\n" not in answer.text


# Watching


async def test_the_page_that_shows_it_and_the_documentation_load_nothing_from_elsewhere(
    simulator: SimulatorHandle,
) -> None:
    async with httpx.AsyncClient(base_url=simulator.origin) as http:
        pages = [await http.get(path) for path in ("/simulator", "/docs")]
        loaded = [
            found for page in pages for found in re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page.text)
        ]
        answers = {path: (await http.get(path)).status_code for path in loaded}
        first = await http.get("/")

    assert [page.status_code for page in pages] == [200, 200]
    assert (first.status_code, first.headers["location"]) == (307, "/simulator")
    assert any(path.endswith("swagger-ui-bundle.js") for path in loaded)
    assert [path for path in loaded if not path.startswith("/")] == []
    assert set(answers.values()) == {200}
