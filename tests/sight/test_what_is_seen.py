"""What is seen of a deployment, by stories: metrics, log lines, traces."""

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault, FaultPlan
from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, PERMISSION_REASONS
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.runtime import tracing
from perennial_billing.runtime.carrying import HEADER
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.metrics import BUCKETS
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.house import HOST
from perennial_billing.starter.clock import SubscriptionClock
from perennial_billing.workflows.names import workflow_id
from tests.histories.replayed import replay
from tests.ipn.messages import notification, signer_of
from tests.scenarios.story import Story
from tests.sight.dashboards import BOARDS, expressions
from tests.sight.house import Watched, free_address
from tests.sight.prometheus import judging
from tests.sight.rules import ROOT, alerts, metrics_in

OF_ACTIVITIES: Final = "temporalio.activity"
"""The logger of activities: that of the SDK, which tells of failed ones as well."""

CALLERS_TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
"""As in the W3C's Trace Context, section 3.2."""

PLAN: Final[dict[str, Any]] = {
    "plan_id": "tea-monthly",
    "amount": {"amount": "8.45", "currency": "USD"},
    "interval": {"unit": "month", "count": 1},
}
LARGEST_HEADER: Final = 160
"""Bytes of what one message carries for its trace."""

WHEN_BROKEN: Final = {
    "perennial_unanswered_total",
    "perennial_notices_not_recorded_total",
    "perennial_ledger_not_compared_total",
    "perennial_endpoints_disabled_total",
    "temporal_workflow_task_execution_failed_total",
}
"""Counted only where something is broken: `test_alerts_fire.py` breaks it."""

BESIDE_AN_ACCOUNT: Final = {"namespace", "task_queue", "workflow_type", "activity_type", "service_name", "le"}
"""Labels of the SDK's own, which have few values."""


async def test_a_charge_that_is_declined_and_paid_two_days_later_is_counted_as_both_and_as_recovered(
    house: Watched,
) -> None:
    story = await Story.begin(house.stage, script=["SoftDeclined"], first_charge_in=timedelta(0))
    await story.quiet()
    await house.figures.once()

    assert await house.value("perennial_subscriptions_past_due", merchant_account="default") == 1
    declined = {"outcome": "declined", "reason_code": "SoftDeclined", "merchant_account": "default"}
    assert await house.value("perennial_charge_answers_total", **declined) == 1
    assert await house.value("perennial_recovered_total") == 0

    await story.after(timedelta(days=3))
    await house.figures.once()

    assert len(await story.charges()) == 1
    assert await house.value("perennial_charge_answers_total", outcome="captured", reason_code="none") == 1
    assert await house.value("perennial_recovered_total", merchant_account="default") == 1
    told = "perennial_told_total"
    assert [await house.value(told, type=kind) for kind in ("charge.declined", "period.paid")] == [1, 1]
    assert await house.value("perennial_subscriptions_past_due") == 0
    assert await house.value("perennial_amazon_calls_total", operation="CreateCharge") == 2
    lateness = "perennial_charge_known_lateness_seconds"
    assert await house.value(f"{lateness}_count") == 2
    assert await house.value(f"{lateness}_bucket", le="60") == 2, "a retry is late from when it was planned"
    assert await house.value("perennial_notices_undelivered", endpoint="environment", state="queued") == 3
    assert await house.value("perennial_notice_posts_total", outcome="failed") >= 3


async def test_a_charge_that_amazon_does_not_take_is_refused_and_on_hold_and_one_that_is_throttled_is_made_again(
    house: Watched,
) -> None:
    held = await Story.begin(house.stage, script=["InvalidAccountStatus"], first_charge_in=timedelta(0))
    await held.quiet()
    await house.figures.once()

    refused = {"outcome": "refused", "reason_code": "InvalidAccountStatus"}
    assert await house.value("perennial_charge_answers_total", **refused) == 1
    assert await house.value("perennial_subscriptions_on_hold", merchant_account="default") == 1
    assert await house.value("perennial_subscriptions_needing_attention", merchant_account="default") == 1

    story = await Story.begin(house.stage)
    await house.stage.simulator.set_faults(FaultPlan(requests={Fault.THROTTLED: 1}))
    await story.stage.server.time.fast_forward(story.handle, timedelta(hours=1))
    async with asyncio.timeout(60):
        while not await house.value("perennial_amazon_calls_total", operation="CreateCharge", answer="throttled"):
            await asyncio.sleep(0.1)
    await house.stage.simulator.set_faults(FaultPlan())
    await story.quiet()
    assert len(await story.charges()) == 1


async def test_a_code_that_nobody_knows_makes_no_series_of_its_own(house: Watched) -> None:
    story = await Story.begin(
        house.stage, script=[ScriptedAnswer(code="ABrandNewCode", status=422)], first_charge_in=timedelta(0)
    )
    await story.quiet()

    assert await house.value("perennial_charge_answers_total", reason_code="other") == 1
    codes = {labels["reason_code"] for _, labels, _ in await house.metrics() if "reason_code" in labels}
    assert codes <= {*CHARGE_REASONS, *PERMISSION_REASONS, "none", "other"}


async def test_requests_are_counted_by_the_form_of_their_address_and_never_by_what_stands_in_it(house: Watched) -> None:
    statuses = [
        (await house.api.get("/v1/subscriptions/P01-1111111-1111111")).status_code,
        (await house.api.get("/v1/subscriptions/P01-2222222-2222222")).status_code,
        (await house.api.get("/secret/address")).status_code,
        (await house.api.request("BREW", "/v1/plans")).status_code,
    ]
    assert statuses[:3] == [404, 404, 404]

    requests = [
        (labels, value) for name, labels, value in await house.metrics() if name == "perennial_api_requests_total"
    ]
    routes = {labels["route"] for labels, _ in requests}
    assert "/v1/subscriptions/{charge_permission_id}" in routes
    assert not any("1111111" in route or "secret" in route for route in routes)
    assert {labels["method"] for labels, _ in requests} <= {"GET", "unknown"}
    shown = {"route": "/v1/subscriptions/{charge_permission_id}", "status": "404"}
    assert await house.value("perennial_api_requests_total", **shown) == 2
    assert await house.value("perennial_api_latency_seconds_count") == sum(value for _, value in requests)


async def test_no_label_can_have_values_without_bound_or_of_a_person(house: Watched) -> None:
    allowed = {
        "merchant_account",
        "operation",
        "answer",
        "action",
        "outcome",
        "reason_code",
        "type",
        "endpoint",
        "state",
    }
    allowed |= {"method", "route", "status", "cause", "object_type", "reason", *BESIDE_AN_ACCOUNT}
    ours = [(name, labels) for name, labels, _ in await house.metrics() if name.startswith("perennial_")]

    assert {label for _, labels in ours for label in labels} <= allowed
    kinds = {labels["type"] for name, labels in ours if name == "perennial_told_total"}
    assert kinds <= {kind.value for kind in NoticeType}
    assert not [labels for _, labels in ours if re.search(r"[CPS]0\d-\d", str(labels))], "an id of a subscriber"


async def test_every_metric_that_alerts_and_dashboards_name_is_there(house: Watched) -> None:
    """After the stories above; what is counted only where something is broken, a longer test breaks."""
    story = await Story.begin(house.stage)
    permission = story.charge_permission_id
    posted = [
        notification(signer_of(house.stage), permission, "CHARGE"),
        notification(signer_of(house.stage), "S01-7654321-7654321", "CHARGE"),
        b"nonsense",
    ]
    assert [(await house.api.post(house.ipn_url, content=each)).status_code for each in posted] == [200, 200, 400]
    await story.handle.terminate()
    assert (
        await house.api.post(house.ipn_url, content=notification(signer_of(house.stage), permission, "CHARGE"))
    ).status_code == 503
    await house.figures.once()

    named = {name for alert in alerts() for name in metrics_in(alert.expression)}
    named |= {name for board in BOARDS for asked in expressions(board) for name in metrics_in(asked)}
    there = {name for name, _, _ in await house.metrics()}
    assert named - there - WHEN_BROKEN == set()
    assert WHEN_BROKEN & there == set()
    assert named >= WHEN_BROKEN


async def test_histograms_of_ours_have_buckets_of_seconds(house: Watched) -> None:
    samples = await house.metrics()
    for name, buckets in BUCKETS.items():
        found = {float(labels["le"]) for had, labels, _ in samples if had == f"{name}_seconds_bucket"}
        assert found - {float("inf")} == set(buckets), name


async def test_every_metric_of_ours_is_described(house: Watched) -> None:
    page = (ROOT / "docs" / "operations" / "monitoring.md").read_text() + (
        ROOT / "docs/operations/network.md"
    ).read_text()
    there = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _, _ in await house.metrics()}
    ours = {name for name in there | WHEN_BROKEN if name.startswith("perennial_")}

    assert {name for name in ours if f"`{name}`" not in page} == set()


# What is made of it


async def test_a_prometheus_that_reads_it_wakes_somebody(house: Watched, tmp_path: Path) -> None:
    """After the stories above: one is held, as Amazon refuses its charge. `test_alerts_fire.py` breaks all else."""
    await house.figures.once()
    read = {"perennial-all": [urlsplit(house.metrics_url).netloc]}
    async with judging(tmp_path, int(free_address().rpartition(":")[2]), read, {}) as judge:
        held, refused = await judge.fires("PerennialOnHold"), await judge.fires("PerennialAmazonRefuses")
        firing = await judge.firing()

    assert (held["merchant_account"], held["severity"]) == ("default", "warning")
    assert (refused["merchant_account"], refused["severity"]) == ("default", "critical")
    well = {"PerennialNobodyWorks", "PerennialProcessGone", "PerennialReleaseFails", "PerennialLedgerUnreachable"}
    assert not well & firing.keys()


async def test_temporal_takes_the_query_of_each_saved_view(house: Watched) -> None:
    page = (ROOT / "docs" / "operations" / "monitoring.md").read_text()
    views = re.findall(r"^\| \[.+\]\(http://localhost:8080/\S+\?query=(\S+)\) \| `(.+)` \|$", page, re.MULTILINE)

    assert len(views) == 5
    for query, shown in views:
        assert unquote(query) == shown
        await house.stage.client.count_workflows(shown)


# Log lines


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process writes to standard error; how it logs is put back afterwards."""
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.getLogger("httpx").level, structlog.get_config())
    flags = (workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message)
    root.handlers = []
    text = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", text)
        configure_logging(Settings())
    yield text
    root.handlers, root.level = before[:2]
    logging.getLogger("httpx").setLevel(before[2])
    structlog.configure(**before[3])
    workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message = flags


async def test_every_line_of_an_activity_says_what_it_is_about(house: Watched, written: io.StringIO) -> None:
    story = await Story.begin(house.stage)
    await house.stage.simulator.set_faults(FaultPlan(requests={Fault.THROTTLED: 1}))
    await house.stage.server.time.fast_forward(story.handle, timedelta(hours=1, minutes=1))
    async with asyncio.timeout(60):
        while '"activity": "create_charge"' not in written.getvalue():
            await asyncio.sleep(0.05)
    await house.stage.simulator.set_faults(FaultPlan())
    await story.quiet()
    assert len(await story.charges()) == 1

    lines: list[dict[str, Any]] = [json.loads(line) for line in written.getvalue().splitlines()]
    of_activities = [line for line in lines if line["logger"] == OF_ACTIVITIES]
    about = {line["activity"]: line for line in of_activities}
    assert set(about) == {"create_charge", "deliver_notice"}, "every line names the activity that it is of"
    assert all(line["try"] >= 1 for line in of_activities)
    charge, permission = about["create_charge"], story.charge_permission_id
    whose = {name: charge[name] for name in ("charge_permission_id", "workflow_id", "merchant_account")}
    assert whose == {
        "charge_permission_id": permission, "workflow_id": f"subscription-{permission}", "merchant_account": "default",
    }  # fmt: skip
    assert (charge["period"], charge["attempt"]) == (0, 1)
    assert len(charge["amazon_request_id"]) == 32
    told = [line for line in of_activities if line["activity"] == "deliver_notice"]
    assert {line["endpoint"] for line in told} == {"environment"}
    assert any(permission in line["delivery"] for line in told)


# Traces


async def test_a_trace_goes_from_a_request_through_the_workflow_to_amazons_answer(
    house: Watched, spans: InMemorySpanExporter
) -> None:
    spans.clear()
    permission, _ = await started(house, traceparent=f"00-{CALLERS_TRACE}-b7ad6b7169203331-01")
    made = [each for each in spans.get_finished_spans() if of_trace(each) == CALLERS_TRACE]

    request, activity, call = (named(made, name) for name in ("HTTP POST", "create_charge", "Amazon Pay CreateCharge"))
    assert below(call) == activity.context.span_id
    assert below(activity) == request.context.span_id
    assert f"{below(request):016x}" == "b7ad6b7169203331", "the shop's own span"
    about = call.attributes or {}
    assert (about["http.response.status_code"], about["url.template"]) == (201, "charges")
    assert len(str(about["amazon_pay.request_id"])) == 32
    assert (activity.attributes or {})["charge_permission_id"] == permission
    assert (request.attributes or {})["http.route"] == "/v1/subscriptions"

    spans.clear()
    posted = notification(signer_of(house.stage), permission, "CHARGE_PERMISSION")
    assert (await house.api.post(house.ipn_url, content=posted)).status_code == 200
    await settled(house, permission)
    told = spans.get_finished_spans()
    notified, read = named(told, "IPN"), named(told, "Amazon Pay GetChargePermission")
    assert of_trace(read) == of_trace(notified) != CALLERS_TRACE


async def test_a_trace_adds_no_event_and_few_bytes_and_what_falls_due_a_month_later_is_not_of_it(
    house: Watched, spans: InMemorySpanExporter
) -> None:
    permission, traced = await started(house)
    without = await Story.begin(house.stage, first_charge_in=timedelta(0))
    await without.quiet()
    plain = await without.handle.fetch_history()

    assert done_in(traced) == done_in(plain)
    assert headers_of(plain) == []
    carried = headers_of(traced)
    assert len(carried) == 2, "the start, and the charge that is due at once"
    assert max(carried) <= LARGEST_HEADER
    assert (await replay(traced)).commands, "it is replayed by who knows nothing of traces"

    spans.clear()
    handle = house.stage.client.get_workflow_handle(workflow_id(permission))
    await house.stage.server.time.fast_forward(handle, timedelta(days=32))
    await settled(house, permission)
    (later,) = [each for each in spans.get_finished_spans() if each.name == "create_charge"]
    assert (later.parent, (later.attributes or {})["period"]) == (None, 1)
    assert headers_of(await handle.fetch_history()) == carried


def test_without_a_collector_nothing_of_opentelemetry_is_imported() -> None:
    program = """
import os, sys
from perennial_billing.runtime import tracing
tracing.begin_tracing("perennial-worker")
assert tracing.interceptors() == ()
with tracing.span("anything", headers={}) as told:
    told.set_attribute("a", 1)
tracing.add_span("anything", 0.1, {}, failed=False)
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", program], env=kept, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_collector_without_the_packages_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr(tracing._On, "tracer", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(
        StartupError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT: is set, and the package .+ is missing; install"
    ):
        tracing.begin_tracing("perennial-worker")


async def test_spans_reach_a_collector_by_otlp(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[tuple[str, bytes]] = []

    async def collect(request: Request) -> Response:
        came.append((request.url.path, await request.body()))
        return Response()

    collector = Starlette(routes=[Route("/v1/traces", collect, methods=["POST"])])
    async with serving(collector, bind(HOST, 0)) as origin:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", origin)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        provider = tracing.exporting("perennial-worker")
        with provider.get_tracer("test").start_as_current_span("create_charge"):
            pass
        await asyncio.to_thread(provider.shutdown)

    ((path, body),) = came
    assert path == "/v1/traces"
    assert b"perennial-worker" in body
    assert b"create_charge" in body


def of_trace(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def below(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def done_in(history: WorkflowHistory) -> list[str]:
    """Its events, but for when it was told something, and for the tasks in which it was."""
    names = [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events]
    return [name for name in names if "WORKFLOW_TASK" not in name and "SIGNALED" not in name]


async def settled(house: Watched, permission: str) -> None:
    stage = house.stage
    clock = SubscriptionClock(stage.client, stage.subscriptions, stage.settings.environment)
    await clock.settled(permission)


async def started(house: Watched, **headers: str) -> tuple[str, WorkflowHistory]:
    """A subscription whose first charge is due at once; and its history, once that is paid."""
    permission = (await house.stage.simulator.open_permission()).charge_permission_id
    asked = {"charge_permission_id": permission, "plan": PLAN}
    once = {"Idempotency-Key": uuid4().hex, **headers}
    answer = await house.api.post("/v1/subscriptions", json=asked, headers=once)
    assert answer.status_code == 201, answer.text
    await settled(house, permission)
    return permission, await house.stage.client.get_workflow_handle(workflow_id(permission)).fetch_history()


def headers_of(history: WorkflowHistory) -> list[int]:
    """The bytes that each event carries for a trace."""
    found = []
    for event in history.events:
        for name in ("workflow_execution_started_event_attributes", "activity_task_scheduled_event_attributes"):
            attributes = getattr(event, name)
            if HEADER in attributes.header.fields:
                found.append(attributes.header.ByteSize())
    return found


def named(spans: Sequence[ReadableSpan], name: str) -> ReadableSpan:
    (found,) = [each for each in spans if each.name == name]
    return found
