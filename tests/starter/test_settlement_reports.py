"""Settlement reports are found and downloaded once each: in Live those that Amazon makes, in the sandbox as ordered."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region
from amazon_pay_client.models import CreateChargeRequest, Currency, Price
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ledger.settlements.lines import LineKind
from perennial_billing.ledger.settlements.parsing import checked, reading_settlement
from perennial_billing.ledger.settlements.transactions import CAPTURES, form_of, transactions_in
from perennial_billing.runtime.settings import Environment
from perennial_billing.starter import settlement_reports
from perennial_billing.starter.settlement_reports import (
    Downloaded,
    ReportNotMadeError,
    ReportsError,
    SettlementReports,
    Times,
)
from tests.client.loopback import Loopback, answer
from tests.simulator.merchant import new_key
from tests.simulator.running import running_simulator

SANDBOX, LIVE = "SANDBOX-MERCHANT", "LIVE-MERCHANT"
DAY: Final = timedelta(days=1)
NOTHING: Final[Times] = ()


@pytest.fixture(scope="module")
def private_key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Shop:
    """A merchant, and the Amazon that settles it."""

    def __init__(self, amazon: SimulatorHandle, client: AmazonPayClient, environment: Environment) -> None:
        self.amazon, self.client, self.environment = amazon, client, environment

    async def charge(self, amount: str) -> str:
        permission = await self.amazon.open_permission()
        request = CreateChargeRequest(
            charge_permission_id=permission.charge_permission_id,
            charge_amount=Price(amount=Decimal(amount), currency_code=Currency.USD),
            capture_now=True,
        )
        return (await self.client.charges.create(request, idempotency_key=new_key())).charge_id

    async def download(self, folder: Path, *known: str, settled: Times = NOTHING, **wanted: Any) -> list[Downloaded]:
        wait = wanted.pop("wait", timedelta(seconds=20))
        reports = SettlementReports(self.client, self.environment, is_simulated=True, wait=wait)
        given = {"since": datetime.now(UTC) - 60 * DAY} | wanted
        return [each async for each in reports.download(folder, known=frozenset(known), settled=settled, **given)]

    async def ordered(self) -> int:
        """How many reports Amazon has, made or not."""
        return len((await self.client.reports.list(page_size=100)).reports)


def captured(path: Path) -> list[str | None]:
    with reading_settlement(path) as reader:
        return [line.transaction_id for line in reader.lines() if line.kind is LineKind.CAPTURE]


@asynccontextmanager
async def shop_in(
    environment: Environment, private_key: RSAPrivateKey, takes: timedelta = timedelta(0)
) -> AsyncIterator[Shop]:
    key_id = LIVE if environment is Environment.LIVE else SANDBOX
    async with (
        running_simulator(
            private_key, NotificationSigner.create(), key_id=key_id, assumptions=Assumptions(report_takes=takes)
        ) as amazon,
        AmazonPayClient(
            public_key_id=key_id, private_key=private_key, region=Region.NA, origin=amazon.origin
        ) as client,
    ):
        yield Shop(amazon, client, environment)


async def test_in_live_each_settlement_is_downloaded_the_oldest_first_and_not_again(
    private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    async with shop_in(Environment.LIVE, private_key) as shop:
        charges = []
        for days in (4, 3, 2):
            await shop.amazon.set_clock(datetime.now(UTC) - days * DAY)
            charges.append(await shop.charge("9.99"))
        await shop.amazon.set_clock(datetime.now(UTC))
        made = await shop.download(tmp_path)
        rest = await shop.download(tmp_path, made[0].report_id, made[2].report_id)
        recent = await shop.download(tmp_path, since=datetime.now(UTC) - 2 * DAY)
        ordered = await shop.ordered()

    assert [captured(each.path) for each in made] == [[charge] for charge in charges]
    assert rest == [made[1]]
    assert recent == [made[2]]
    assert ordered == 3


async def test_in_the_sandbox_the_time_that_is_not_settled_yet_is_ordered_in_parts_of_thirty_days(
    private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    async with shop_in(Environment.SANDBOX, private_key) as shop:
        now = datetime.now(UTC).replace(microsecond=0)
        charges = []
        for days in (50, 20):
            await shop.amazon.set_clock(now - days * DAY)
            charges.append(await shop.charge("9.99"))
        await shop.amazon.set_clock(now)
        first, second = await shop.download(tmp_path, until=now + DAY)
        files = [checked(each.path) for each in (first, second)]
        settled = [(file.starts_at, file.ends_at) for file in files]
        known = (first.report_id, second.report_id)
        again = await shop.download(tmp_path, *known, settled=settled, until=now + DAY)
        await shop.amazon.set_clock(now + timedelta(hours=1))
        late = await shop.charge("1.00")
        rest = await shop.download(tmp_path, *known, settled=settled, until=now + 2 * DAY)

    assert [captured(each.path) for each in (first, second)] == [[charge] for charge in charges]
    assert [file.ends_at - file.starts_at for file in files] == [30 * DAY - timedelta(seconds=1)] * 2
    assert again == []
    assert [captured(each.path) for each in rest] == [[late]]


async def test_one_that_is_not_made_in_time_is_waited_for_by_the_next_command_and_not_ordered_again(
    private_key: RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement_reports, "_FIRST_POLL", 0.05)
    said: list[str] = []
    async with shop_in(Environment.SANDBOX, private_key, takes=timedelta(seconds=2)) as shop:
        charge = await shop.charge("9.99")
        wanted: dict[str, Any] = {"since": datetime.now(UTC) - DAY, "until": datetime.now(UTC) + timedelta(seconds=2)}
        with pytest.raises(
            ReportNotMadeError, match="has not made it within 0:00:00; the same command goes on waiting"
        ):
            await shop.download(tmp_path, wait=timedelta(0), **wanted)
        [made] = await shop.download(tmp_path, **wanted, tell=said.append)
        ordered = await shop.ordered()

    assert captured(made.path) == [charge]
    assert ordered == 1
    assert said[0] == f"waiting for Amazon to make report {made.report_id}"
    assert said[-1] == f"downloading report {made.report_id}"


async def test_of_a_time_in_which_nothing_happened_there_is_no_report(
    private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    async with shop_in(Environment.SANDBOX, private_key) as shop:
        assert await shop.download(tmp_path, since=datetime.now(UTC) - DAY) == []
        assert await shop.ordered() == 1


async def test_captures_and_refunds_of_the_last_days_are_ordered_in_live(
    private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    async with shop_in(Environment.LIVE, private_key) as shop:
        charge = await shop.charge("9.99")
        reports = SettlementReports(shop.client, Environment.LIVE, is_simulated=True)
        now = datetime.now(UTC)
        [captures] = [
            each async for each in reports.transactions(tmp_path, since=now - DAY, until=now + timedelta(minutes=1))
        ]

    assert form_of(captures.path) is CAPTURES
    assert [each.transaction_id for each in transactions_in(captures.path, CAPTURES, "default")] == [charge]


async def test_in_the_sandbox_there_are_none_and_what_amazon_does_not_make_is_told(
    private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    now, minded = datetime.now(UTC), list[str]()
    async with (
        Loopback() as server,
        AmazonPayClient(public_key_id=LIVE, private_key=private_key, region=Region.NA, origin=server.origin) as client,
    ):
        no = answer(400, json.dumps({"reasonCode": "InvalidParameterValue", "message": "reportType"}).encode())
        refund = {"reportId": "A8", "processingStatus": "CANCELLED"}
        server.first_answers = [no, *answered({"reportId": "A8"}, refund), no, no]
        wanted: dict[str, Any] = {"since": now - DAY, "until": now, "mind": minded.append}
        in_live = SettlementReports(client, Environment.LIVE, is_simulated=True)
        assert [each async for each in in_live.transactions(tmp_path, **wanted)] == []
        with pytest.raises(
            ReportsError, match=r"Amazon makes no transaction reports: _GET_FLAT_FILE_.*CAPTURE_DATA_: "
        ):
            assert [each async for each in in_live.transactions(tmp_path, **wanted)] == []
        in_sandbox = SettlementReports(client, Environment.SANDBOX, is_simulated=True)
        with pytest.raises(ReportsError, match=r"transaction reports are made in live only"):
            assert [each async for each in in_sandbox.transactions(tmp_path, **wanted)] == []

    [said] = minded
    assert said.startswith("Amazon does not make _GET_FLAT_FILE_OFFAMAZONPAYMENTS_CAPTURE_DATA_: ")


REPORT: Final = {
    "reportId": "A7",
    "reportType": "_GET_FLAT_FILE_OFFAMAZONPAYMENTS_SETTLEMENT_DATA_",
    "processingStatus": "COMPLETED",
    "startTime": "20270301T000000Z",
    "endTime": "20270301T235959Z",
    "reportDocumentId": "D7",
}


def answered(*bodies: dict[str, Any]) -> list[bytes]:
    return [answer(200, json.dumps(body).encode()) for body in bodies]


@pytest.mark.parametrize(
    ("document", "scheme", "said"),
    [
        ({"url": "{origin}/gone"}, "http", "report A7: its address answered 403; run the same command again"),
        ({"url": "{origin}/file"}, "https", "report A7: its address is none of https, and is not fetched"),
        ({"url": "{origin}/f", "compressionAlgorithm": "GZIP"}, "http", "report A7: it is packed with GZIP"),
        ({"url": "http://127.0.0.1:1/"}, "http", "report A7: the download broke off: ConnectError"),
    ],
)
async def test_a_report_that_cannot_be_downloaded_is_named_and_nothing_else_is_fetched(
    private_key: RSAPrivateKey, tmp_path: Path, document: dict[str, str], scheme: str, said: str
) -> None:
    async with (
        Loopback() as server,
        AmazonPayClient(public_key_id=LIVE, private_key=private_key, region=Region.NA, origin=server.origin) as client,
    ):
        told = {**document, "url": document["url"].format(origin=server.origin), "reportDocumentId": "D7"}
        server.first_answers = answered({"reports": [REPORT]}, told)
        server.answers({"message": "Request has expired"}, 403)
        reports = SettlementReports(client, Environment.LIVE, is_simulated=scheme == "http")
        with pytest.raises(ReportsError) as refused:
            async for _ in reports.download(
                tmp_path, known=frozenset(), settled=(), since=datetime(2027, 1, 1, tzinfo=UTC)
            ):
                pass
        asked = [received.target.partition("?")[0] for received in server.received]

    assert str(refused.value).startswith(said)
    assert asked[:2] == ["/v2/reports", "/v2/report-documents/D7"]
    assert asked[2:] == (["/gone"] if "gone" in told["url"] else [])


async def test_what_amazon_refuses_is_said_in_one_line(private_key: RSAPrivateKey, tmp_path: Path) -> None:
    async with (
        Loopback() as server,
        AmazonPayClient(public_key_id=LIVE, private_key=private_key, region=Region.NA, origin=server.origin) as client,
    ):
        server.answers({"reasonCode": "UnauthorizedAccess", "message": "no access"}, 403)
        reports = SettlementReports(client, Environment.LIVE, is_simulated=True)
        with pytest.raises(ReportsError, match=r"^Amazon Pay's reports cannot be had: .*UnauthorizedAccess") as refused:
            async for _ in reports.download(
                tmp_path, known=frozenset(), settled=(), since=datetime(2027, 1, 1, tzinfo=UTC)
            ):
                pass

    assert "\n" not in str(refused.value)
