"""The alerts and dashboards as data, and Debian's programs of Prometheus."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
ALERTS: Final = ROOT / "deploy" / "prometheus" / "alerts.yml"
CONFIGURATION: Final = ROOT / "deploy" / "prometheus" / "prometheus.yml"

_METRIC: Final = re.compile(r"\b(?:temporal|perennial)_\w+")


@dataclass(frozen=True)
class Alert:
    """One rule."""

    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]


def alerts() -> list[Alert]:
    """All of them, in their order."""
    rules: list[dict[str, Any]] = [  # Any: YAML
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]
    assert all({"alert", "expr", "for", "labels", "annotations"} == set(rule) for rule in rules)
    return [Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"]) for rule in rules]


def metrics_in(expression: str) -> set[str]:
    """The names of metrics that an expression asks for."""
    return set(_METRIC.findall(expression))


def program(name: str) -> str:
    """Where `promtool` or `prometheus` is; skips the test where it is not on this machine."""
    found = shutil.which(name)
    if found is None:
        assert not os.environ.get("CI"), f"{name} is missing, and CI installs it"
        pytest.skip(f"{name} is not on this machine: it comes with Debian's package prometheus")
    return found
