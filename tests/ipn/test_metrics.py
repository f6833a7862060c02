"""What is counted, read as Prometheus reads it: a refusal that nobody counts is an attack that nobody sees."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.app import PATH, create_app
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.metrics import runtime_with_metrics
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.house import HOST
from perennial_billing.sandbox.stage import Stage
from tests.ipn.messages import TOPIC, body, confirmation, envelope, message, notification, signed, signer_of
from tests.scenarios.story import Story
from tests.starter.command_line import taken_port


def free_address() -> str:
    """An address that nobody listens on."""
    with bind(HOST, 0) as listener:
        return "{}:{}".format(*listener.getsockname())


@dataclass
class Counted:
    """A receiver, and what Prometheus would read of it."""

    http: httpx.AsyncClient
    url: str
    metrics_url: str

    async def takes(self, posted: bytes) -> int:
        return (await self.http.post(self.url, content=posted)).status_code

    async def read(self) -> dict[str, float]:
        """Every sample of ours; without the labels that a process sets."""
        text = (await self.http.get(self.metrics_url)).text
        found = {}
        for line in text.splitlines():
            if line.startswith("perennial_ipn_"):
                sample, value = line.rsplit(" ", 1)
                sample = re.sub(r'service_name="[^"]*",?', "", sample).replace(",}", "}").replace("{}", "")
                found[sample] = float(value)
        return found


@pytest_asyncio.fixture
async def counted(house: Stage) -> AsyncIterator[Counted]:
    """A receiver of its own, on the whole system."""
    address = free_address()
    settings = house.settings.model_copy(update={"metrics_address": address, "ipn_topic_arns": (TOPIC,)})
    runtime = runtime_with_metrics(settings)
    client = await Client.connect(house.server.address, data_converter=DATA_CONVERTER, runtime=runtime)
    app = create_app(client, settings, runtime.metric_meter)
    async with serving(app, bind(HOST, 0)) as origin, httpx.AsyncClient() as http:
        yield Counted(http, origin + PATH, f"http://{address}/metrics")


async def test_everything_that_becomes_of_a_message_is_counted(
    house: Stage, counted: Counted, forger: NotificationSigner
) -> None:
    story = await Story.begin(house)
    signer = signer_of(house)
    genuine = notification(signer, story.charge_permission_id, "CHARGE")
    other_topic = body(signed(signer, envelope(message(), TopicArn=TOPIC + "-another")))
    other_merchant = body(signed(signer, envelope(message(MerchantID="A2SOMEONE"))))
    old = body(signed(signer, envelope(message(), Timestamp="2020-01-01T00:00:00.000Z")))

    assert [await counted.takes(posted) for posted in (genuine, genuine)] == [200, 200]
    assert await counted.takes(notification(signer, story.charge_permission_id, "SOMETHING_NEW")) == 200
    assert await counted.takes(notification(signer, "S01-one-time-order", "CHARGE")) == 200
    assert await counted.takes(b"nonsense") == 400
    assert await counted.takes(notification(forger, "C01", "CHARGE")) == 403
    assert [await counted.takes(posted) for posted in (other_topic, other_merchant, old)] == [403, 403, 403]
    assert await counted.takes(b" " * 300_000) == 413
    assert await counted.takes(body(signed(signer, confirmation("https://evil.example/")))) == 403

    read = await counted.read()
    counters = {name: value for name, value in read.items() if not name.startswith("perennial_ipn_latency")}
    assert counters == {
        "perennial_ipn_received_total": 10,
        'perennial_ipn_proven_total{type="Notification"}': 5,
        'perennial_ipn_proven_total{type="SubscriptionConfirmation"}': 1,
        'perennial_ipn_refused_total{cause="malformed"}': 1,
        'perennial_ipn_refused_total{cause="signature"}': 1,
        'perennial_ipn_refused_total{cause="topic"}': 1,
        'perennial_ipn_refused_total{cause="merchant"}': 1,
        'perennial_ipn_refused_total{cause="stale"}': 1,
        'perennial_ipn_refused_total{cause="too_large"}': 1,
        'perennial_ipn_refused_total{cause="certificate"}': 1,
        'perennial_ipn_signalled_total{object_type="CHARGE"}': 1,
        'perennial_ipn_signalled_total{object_type="other"}': 1,
        'perennial_ipn_dropped_total{object_type="CHARGE",reason="repeated"}': 1,
        'perennial_ipn_dropped_total{object_type="CHARGE",reason="no_subscription"}': 1,
    }
    assert read["perennial_ipn_latency_seconds_count"] == 10
    assert 0 < read["perennial_ipn_latency_seconds_sum"] < 10


async def test_what_is_for_later_is_counted_by_its_cause(house: Stage, counted: Counted) -> None:
    story = await Story.begin(house)
    await story.handle.terminate()

    assert await counted.takes(notification(signer_of(house), story.charge_permission_id, "CHARGE")) == 503

    assert (await counted.read())['perennial_ipn_deferred_total{cause="not_yet_running"}'] == 1


async def test_temporals_own_metrics_are_served_beside_ours(house: Stage, counted: Counted) -> None:
    await counted.takes(notification(signer_of(house), "C01", "CHARGE"))

    text = (await counted.http.get(counted.metrics_url)).text
    assert "temporal_request_failure_total{" in text
    assert 'operation="SignalWorkflowExecution"' in text


def test_without_an_address_nothing_is_served() -> None:
    assert runtime_with_metrics(Settings()) is runtime_with_metrics(Settings())


@pytest.mark.parametrize("address", ["taken", "192.0.2.1:9464", "127.0.0.1:99999"])
def test_an_address_that_cannot_be_had_is_said(address: str) -> None:
    with taken_port() as port:
        wanted = f"127.0.0.1:{port}" if address == "taken" else address
        with pytest.raises(StartupError, match=f"^PERENNIAL_METRICS_ADDRESS: {wanted}: cannot listen there "):
            runtime_with_metrics(Settings(metrics_address=wanted))


def test_the_reference_lists_every_metric() -> None:
    source = Path("ipn/metrics.py").read_text(encoding="utf-8")
    names = re.findall(r'"(perennial_ipn_\w+)"', source)
    described = Path("docs/operations/network.md").read_text(encoding="utf-8")

    assert names
    assert [name for name in names if name not in described] == []
