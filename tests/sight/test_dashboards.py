"""Grafana's dashboards: made by its own builders, each panel asks something, and the stack hands each over."""

import json
from pathlib import Path

import pytest
import yaml

from tests.sight.dashboards import BOARDS, FOLDER, SOURCE, Board, expressions, made, path_of
from tests.sight.rules import ROOT, program
from tests.sight.test_alerts import said

GRAFANA = ROOT / "deploy" / "grafana" / "provisioning"
every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


@every_board
def test_a_dashboard_is_as_it_is_made(board: Board) -> None:
    assert path_of(board).read_text() == made(board), "python -m tests.sight.dashboards"


def test_no_other_is_there_and_the_stack_gives_all_to_grafana() -> None:
    files = {path_of(board) for board in BOARDS}
    assert set(FOLDER.iterdir()) == files

    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = compose["services"]["grafana"]["volumes"]
    provider = yaml.safe_load((GRAFANA / "dashboards" / "perennial.yml").read_text())["providers"][0]
    for file in files:
        inside = f"{provider['options']['path']}/{file.name}"
        assert f"./{file.relative_to(ROOT)}:{inside}:ro" in mounted
    source = yaml.safe_load((GRAFANA / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    assert (source["uid"], source["url"]) == (SOURCE.uid, "http://prometheus:9090")


@every_board
def test_every_panel_asks_and_panels_stand_beside_each_other(board: Board) -> None:
    panels = [panel for panel in json.loads(path_of(board).read_text())["panels"] if panel["type"] != "row"]
    assert panels
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["datasource"]["uid"] == SOURCE.uid
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)


@every_board
def test_prometheus_reads_every_expression(board: Board, tmp_path: Path) -> None:
    promtool = program("promtool")
    rules = [
        {"record": f"shown:{number}", "expr": asked.replace("$__rate_interval", "5m").replace("$account", ".*")}
        for number, asked in enumerate(expressions(board))
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": board.uid, "rules": rules}]}))

    assert "SUCCESS" in said(promtool, "check", "rules", path)
