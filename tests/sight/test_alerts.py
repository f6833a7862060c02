"""The rules for Prometheus: valid, tried, each with a runbook, and about metrics that there are."""

import re
import subprocess
from pathlib import Path

from tests.pages import headings, slug
from tests.sight.rules import ALERTS, CONFIGURATION, ROOT, alerts, program

TRIED = Path(__file__).with_name("alerts.test.yml")
RUNBOOKS = ROOT / "docs" / "operations" / "alerts.md"


def said(*command: str | Path) -> str:
    """What a program says, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    promtool = program("promtool")

    assert f"SUCCESS: {len(alerts())} rules found" in said(promtool, "check", "rules", ALERTS)
    assert "is valid prometheus config file syntax" in said(promtool, "check", "config", CONFIGURATION)


def test_each_alert_fires_in_time_and_not_before(tmp_path: Path) -> None:
    tried = tmp_path / TRIED.name
    tried.write_text(TRIED.read_text().replace("RULES", str(ALERTS)))

    assert "SUCCESS" in said(program("promtool"), "test", "rules", tried)


def test_no_alert_is_left_out_of_those_that_are_tried() -> None:
    fires = set(re.findall(r'alertname="(\w+)", alertstate="firing"', TRIED.read_text()))
    fires |= set(re.findall(r"alertname: (\w+)\n +exp_alerts", TRIED.read_text()))

    assert fires == {alert.name for alert in alerts()}


def test_each_alert_has_a_runbook_that_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    page = RUNBOOKS.read_text()
    sections = dict(re.findall(r"^## (\w+)\n(.+?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))

    assert set(sections) == {alert.name for alert in alerts()}
    for name, text in sections.items():
        assert re.findall(r"^- \*\*([\w ]+):\*\*", text, re.MULTILINE) == ["Means", "Look at", "Do"], name
    for alert in alerts():
        path, _, anchor = alert.annotations["runbook_url"].partition("#")
        assert (ROOT / "docs" / path).read_text() == page
        assert anchor == slug(alert.name)
        assert anchor in headings(page)


def test_each_alert_says_how_grave_it_is_and_what_is_the_matter() -> None:
    names = [alert.name for alert in alerts()]
    assert len(set(names)) == len(names)
    for alert in alerts():
        assert alert.labels["severity"] in {"critical", "warning"}, alert.name
        assert set(alert.annotations) == {"summary", "description", "runbook_url"}, alert.name
