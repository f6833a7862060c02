"""Makes the dashboards by Grafana's own builders: `python -m tests.sight.dashboards`; a test says when it is due."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueColorMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="perennial")
"""Of `deploy/grafana/provisioning/datasources`."""

_WIDE: Final = 24
_ACCOUNT: Final = 'merchant_account=~"$account"'


@dataclass(frozen=True)
class Shown:
    """One panel.

    Attributes:
        title: of it.
        lines: expressions, and what each line is called.
        unit: Grafana's name of it.
        now: shown as the number of now, in place of its course.
        wrong_from: from which number on it is red.
        says: what it shows, and what to make of it.
        width: of 24.
    """

    title: str
    lines: Sequence[tuple[str, str]]
    unit: str = "short"
    now: bool = False
    wrong_from: float | None = None
    says: str = ""
    width: int = 12


@dataclass(frozen=True)
class Board:
    """One dashboard: its rows, each with panels."""

    uid: str
    title: str
    rows: Sequence[tuple[str, Sequence[Shown]]]


_USED: Final = (
    f"sum by (merchant_account, operation) (rate(perennial_amazon_calls_total{{{_ACCOUNT}}}[$__rate_interval])) / "
    f"max by (merchant_account, operation) (perennial_amazon_quota{{{_ACCOUNT}}})"
)


def _all(metric: str, chosen: str) -> str:
    return f"sum(increase({metric}{{{chosen}}}[$__rate_interval]))"


def _by(labels: str, metric: str, chosen: str, over: str = "$__rate_interval") -> str:
    return f"sum by ({labels}) (increase({metric}{{{chosen}}}[{over}]))"


def _late(quantile: str, metric: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le) (rate({metric}_bucket{{{_ACCOUNT}}}[$__rate_interval])))"


def _latency(quantile: str, metric: str, label: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le, {label}) (rate({metric}_bucket[$__rate_interval])))"


def _largest(metric: str, label: str = "merchant_account", chosen: str = _ACCOUNT) -> str:
    return f"sum(max by ({label}) ({metric}{{{chosen}}}))"


SUBSCRIPTIONS: Final = Board(
    "perennial-subscriptions",
    "Perennial: subscriptions and charges",
    [
        (
            "Now",
            [
                Shown("Past due", [(_largest("perennial_subscriptions_past_due"), "")], now=True, width=4),
                Shown(
                    "Need attention", [(_largest("perennial_subscriptions_needing_attention"), "")], now=True, width=4
                ),
                Shown(
                    "On hold",
                    [(_largest("perennial_subscriptions_on_hold"), "")],
                    now=True,
                    wrong_from=1,
                    width=4,
                    says="What is in the way, the merchant alone can mend.",
                ),
                Shown(
                    "Overdue",
                    [(_largest("perennial_subscriptions_overdue"), "")],
                    now=True,
                    wrong_from=1,
                    width=4,
                    says="A charge was due more than an hour ago, and nothing was told of it since.",
                ),
                Shown(
                    "Paid in 24 h",
                    [(f'sum(increase(perennial_told_total{{type="period.paid", {_ACCOUNT}}}[24h]))', "")],
                    now=True,
                    width=4,
                ),
                Shown(
                    "Recovered in 24 h",
                    [(f"sum(increase(perennial_recovered_total{{{_ACCOUNT}}}[24h]))", "")],
                    now=True,
                    width=4,
                    says="Periods that were paid after a decline.",
                ),
            ],
        ),
        (
            "Charges",
            [
                Shown(
                    "Attempts by what Amazon answered",
                    [(_by("outcome", "perennial_charge_answers_total", f'action="charge", {_ACCOUNT}'), "{{outcome}}")],
                ),
                Shown(
                    "Declined and refused, by reason code",
                    [
                        (
                            _by(
                                "reason_code",
                                "perennial_charge_answers_total",
                                f'outcome=~"declined|refused", {_ACCOUNT}',
                            ),
                            "{{reason_code}}",
                        )
                    ],
                ),
                Shown(
                    "From due to sent",
                    [
                        (_late("0.5", "perennial_charge_sent_lateness_seconds"), "half of them"),
                        (_late("0.95", "perennial_charge_sent_lateness_seconds"), "19 of 20"),
                    ],
                    unit="s",
                    says="By Amazon's clock, of charges that it made.",
                ),
                Shown(
                    "From due to known",
                    [
                        (_late("0.5", "perennial_charge_known_lateness_seconds"), "half of them"),
                        (_late("0.95", "perennial_charge_known_lateness_seconds"), "19 of 20"),
                    ],
                    unit="s",
                ),
            ],
        ),
        (
            "What happened",
            [
                Shown("Told, by type", [(_by("type", "perennial_told_total", _ACCOUNT), "{{type}}")]),
                Shown(
                    "How they stand",
                    [
                        (_largest("perennial_subscriptions_past_due"), "past due"),
                        (_largest("perennial_subscriptions_needing_attention"), "need attention"),
                        (_largest("perennial_subscriptions_on_hold"), "on hold"),
                        (_largest("perennial_subscriptions_overdue"), "overdue"),
                    ],
                ),
                Shown(
                    "Recovered, and held",
                    [
                        (_all("perennial_recovered_total", _ACCOUNT), "recovered"),
                        (
                            _all("perennial_told_total", f'type="subscription.held", {_ACCOUNT}'),
                            "held",
                        ),
                    ],
                ),
                Shown(
                    "Not answered within an hour",
                    [(_by("action", "perennial_unanswered_total", _ACCOUNT, "1h"), "{{action}}")],
                ),
            ],
        ),
    ],
)

OUTSIDE: Final = Board(
    "perennial-amazon",
    "Perennial: Amazon and your endpoints",
    [
        (
            "Amazon",
            [
                Shown(
                    "How much of the quota is used",
                    [
                        (
                            _USED,
                            "{{merchant_account}} {{operation}}",
                        )
                    ],
                    unit="percentunit",
                ),
                Shown(
                    "Throttled (429)",
                    [
                        (
                            _by(
                                "merchant_account, operation",
                                "perennial_amazon_calls_total",
                                f'answer="throttled", {_ACCOUNT}',
                            ),
                            "{{merchant_account}} {{operation}}",
                        )
                    ],
                ),
                Shown("Calls by answer", [(_by("answer", "perennial_amazon_calls_total", _ACCOUNT), "{{answer}}")]),
                Shown(
                    "19 of 20 answers come within",
                    [(_latency("0.95", "perennial_amazon_call_latency_seconds", "operation"), "{{operation}}")],
                    unit="s",
                ),
            ],
        ),
        (
            "Amazon's notifications",
            [
                Shown(
                    "Handed over, by kind",
                    [(_by("object_type", "perennial_ipn_signalled_total", ""), "{{object_type}}")],
                    width=8,
                ),
                Shown(
                    "Not for anybody, refused, for later",
                    [
                        (_by("reason", "perennial_ipn_dropped_total", ""), "dropped: {{reason}}"),
                        (_by("cause", "perennial_ipn_refused_total", ""), "refused: {{cause}}"),
                        (_by("cause", "perennial_ipn_deferred_total", ""), "for later: {{cause}}"),
                    ],
                    width=8,
                ),
                Shown(
                    "19 of 20 are answered within",
                    [(_latency("0.95", "perennial_ipn_latency_seconds", "job"), "{{job}}")],
                    unit="s",
                    width=8,
                ),
            ],
        ),
        (
            "Notices to your endpoints",
            [
                Shown(
                    "Posts",
                    [(_by("endpoint, outcome", "perennial_notice_posts_total", ""), "{{endpoint}} {{outcome}}")],
                    width=8,
                ),
                Shown(
                    "Not taken",
                    [("max by (endpoint, state) (perennial_notices_undelivered)", "{{endpoint}} {{state}}")],
                    width=8,
                ),
                Shown(
                    "The oldest that waits",
                    [
                        (
                            'max by (endpoint) (perennial_notices_undelivered_oldest_age_seconds{state="queued"})',
                            "{{endpoint}}",
                        )
                    ],
                    unit="s",
                    width=8,
                ),
            ],
        ),
    ],
)

PROCESSES: Final = Board(
    "perennial-processes",
    "Perennial: processes",
    [
        (
            "Workers",
            [
                Shown(
                    "Who asks for work",
                    [("sum by (instance) (temporal_num_pollers)", "{{instance}}")],
                    width=8,
                ),
                Shown(
                    "19 of 20 tasks wait for less than",
                    [
                        (
                            _latency("0.95", "temporal_workflow_task_schedule_to_start_latency_seconds", "task_queue"),
                            "{{task_queue}}",
                        )
                    ],
                    unit="s",
                    width=8,
                ),
                Shown(
                    "Failed tasks of workflows",
                    [
                        (
                            _by("failure_reason", "temporal_workflow_task_execution_failed_total", ""),
                            "{{failure_reason}}",
                        )
                    ],
                    width=8,
                ),
                Shown(
                    "Requests to Temporal that failed",
                    [(_by("status_code", "temporal_request_failure_total", ""), "{{status_code}}")],
                ),
                Shown("Answers Prometheus", [('up{job=~"perennial.*"}', "{{job}} {{instance}}")]),
            ],
        ),
        (
            "The ledger",
            [
                Shown("Reached", [("perennial_ledger_reachable", "{{instance}}")], width=8),
                Shown(
                    "Read how long ago",
                    [("time() - max(perennial_ledger_read_timestamp_seconds)", "")],
                    unit="s",
                    width=8,
                ),
                Shown(
                    "Not recorded, not compared",
                    [
                        (_by("merchant_account", "perennial_notices_not_recorded_total", ""), "not recorded"),
                        (_by("job", "perennial_ledger_not_compared_total", ""), "not compared"),
                    ],
                    width=8,
                ),
            ],
        ),
        (
            "The HTTP API",
            [
                Shown("Requests by status", [(_by("status", "perennial_api_requests_total", ""), "{{status}}")]),
                Shown(
                    "19 of 20 answers come within",
                    [(_latency("0.95", "perennial_api_latency_seconds", "route"), "{{route}}")],
                    unit="s",
                ),
            ],
        ),
    ],
)

BOARDS: Final = (SUBSCRIPTIONS, OUTSIDE, PROCESSES)


def made(board: Board) -> str:
    """A dashboard as Grafana reads it."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["perennial"])
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
        .link(dashboard.DashboardLink("Perennial").type(DashboardLinkType.DASHBOARDS).tags(["perennial"]))
    )
    if any(_ACCOUNT in expression for expression in expressions(board)):
        built = built.with_variable(
            dashboard.QueryVariable("account")
            .label("Merchant account")
            .query("label_values(perennial_amazon_quota, merchant_account)")
            .datasource(SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)  # noqa: FBT003 - Grafana's
            .include_all(True)  # noqa: FBT003 - Grafana's
            .all_value(".*")
        )
    for title, panels in board.rows:
        built = built.with_row(dashboard.Row(title))
        for each in panels:
            built = built.with_panel(_panel(each))
    text = json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True)
    return text + "\n"


def expressions(board: Board) -> Iterator[str]:
    """All that a dashboard asks Prometheus."""
    for _, panels in board.rows:
        for each in panels:
            yield from (expression for expression, _ in each.lines)


def _panel(shown: Shown) -> Any:  # Any: builders of different panels have no type in common
    panel: Any = stat.Panel() if shown.now else timeseries.Panel()
    panel = (
        panel.title(shown.title).description(shown.says).datasource(SOURCE).unit(shown.unit).min(0)
        .span(shown.width).height(4 if shown.now else 8)
    )  # fmt: skip
    if shown.now:
        steps = [Threshold(color="green", value=None)]
        if shown.wrong_from is not None:
            steps.append(Threshold(color="red", value=shown.wrong_from))
        levels = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
        panel = panel.thresholds(levels).color_mode(BigValueColorMode.VALUE)
        panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    for number, (expression, legend) in enumerate(shown.lines):
        asked = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
        panel = panel.with_target(asked)
    return panel


def path_of(board: Board) -> Path:
    """Where it is kept."""
    return FOLDER / f"{board.uid}.json"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for one in BOARDS:
        path_of(one).write_text(made(one))
