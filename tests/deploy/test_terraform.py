"""The module for Temporal Cloud: it names what subscriptions need, and is what `perennial setup` points to."""

import shutil
import subprocess
from typing import Any, Final

import hcl2
import pytest

from perennial_billing.starter.checks.temporal import SHORTEST_RETENTION
from perennial_billing.starter.setting_up import cloud
from perennial_billing.starter.setting_up.temporal import USUAL_RETENTION
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES
from tests.deploy.rendering import ROOT

MODULE: Final = ROOT / cloud.MODULE
NAMES: Final = {1: "Text", 2: "Keyword", 3: "Int", 4: "Double", 5: "Bool", 6: "Datetime", 7: "KeywordList"}
"""Of the types of search attributes, as Temporal Cloud names them."""


def plain(value: Any) -> Any:  # Any: HCL
    """Without the quotes and the notes that the parser leaves."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.strip('"') if isinstance(value, str) else value


def blocks(kind: str) -> dict[str, Any]:  # Any: HCL
    """All of a kind, by their labels."""
    found: dict[str, Any] = {}
    for path in sorted(MODULE.glob("*.tf")):
        with path.open() as file:
            for block in plain(hcl2.load(file)).get(kind, []):
                for label, inside in block.items():
                    found.setdefault(label, {}).update(inside)
    return found


def test_its_search_attributes_are_those_of_subscriptions() -> None:
    declared = blocks("locals")["search_attributes"]
    assert declared == {key.name: NAMES[int(key.indexed_value_type)] for key in SEARCH_ATTRIBUTES}


def test_a_key_may_write_in_the_namespace_and_nothing_else() -> None:
    account = blocks("resource")["temporalcloud_service_account"]["perennial"]
    assert account["namespace_scoped_access"]["permission"] == "write"
    assert "account_access" not in account
    namespace = blocks("resource")["temporalcloud_namespace"]["perennial"]
    assert namespace["api_key_auth"] is True
    assert namespace["lifecycle"][0]["prevent_destroy"] is True


def test_what_is_needed_of_it_is_what_a_deployment_is_given() -> None:
    outputs = blocks("output")
    told = {each["description"].partition(".")[0] for each in outputs.values()}
    assert told == {"TEMPORAL_NAMESPACE", "TEMPORAL_ADDRESS", "TEMPORAL_API_KEY"}
    assert outputs["api_key"]["sensitive"] is True
    variables = blocks("variable")
    assert variables["retention_days"]["default"] == USUAL_RETENTION.days
    assert f">= {SHORTEST_RETENTION.days} " in str(variables["retention_days"]["validation"])
    line = cloud.namespace_lines("bills.a1b2c", 30)[1]
    assert "name = " in line
    assert "retention_days = " in line
    assert {"name", "retention_days"} <= set(variables)


@pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not on the PATH; its files are parsed above"
)
def test_it_is_formatted_as_terraform_formats() -> None:
    said = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", str(MODULE)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, "")
