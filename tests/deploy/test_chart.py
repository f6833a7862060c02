"""The chart for Kubernetes: what it renders is valid for a cluster, gives nobody more than is needed, and names nothing
that is not there."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from perennial_billing.ipn.app import PATH as IPN_PATH
from perennial_billing.runtime.http import SHUTDOWN_SECONDS
from perennial_billing.runtime.liveness import LIVE, READY
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.starter.cli.app import app
from perennial_billing.worker.main import HARD_DEADLINE_SECONDS
from perennial_billing.workflows.names import notices_queue
from tests.deploy.rendering import ALERTS, CHART, CONTROLLED, ROOT, VARIANTS, digest, helm, kept, rendered

Manifest = dict[str, Any]  # Any: YAML

CLUSTERS: Final = ("1.29", "1.31")
OF_OTHERS: Final = ("keda.sh", "monitoring.coreos.com", "temporal.io")
"""Whose schemas no registry has. What the chart makes of them was validated by hand, by the definitions of each."""

_FILE: Final = "_FILE"

NEEDS_HELM: Final = pytest.mark.skipif(
    helm() is None, reason="helm is not on the PATH; what it rendered is kept and looked at all the same"
)


def manifests(name: str) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(kept(name)[1]) if each]


ALL: Final = [(name, each) for name in VARIANTS for each in manifests(name)]


def pods(of: list[tuple[str, Manifest]] = ALL) -> Iterator[tuple[str, Manifest]]:
    """Each pod's specification, by its component."""
    for _, each in of:
        template = each["spec"].get("template", {}) if "spec" in each else {}
        if "containers" in template.get("spec", {}):
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"]


def containers() -> Iterator[tuple[str, Manifest]]:
    for component, pod in pods():
        for container in pod["containers"]:
            yield component, container


def variables(container: Manifest) -> dict[str, str | None]:
    return {each["name"]: each.get("value") for each in container["env"]}


def test_what_is_kept_was_rendered_of_this_chart() -> None:
    assert {kept(name)[0] for name in VARIANTS} == {digest()}, "run `python -m tests.deploy.rendering`"


@NEEDS_HELM
@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_kept_is_what_helm_renders(name: str) -> None:
    assert rendered(helm() or "", *VARIANTS[name]) == kept(name)[1]


@NEEDS_HELM
def test_alerts_are_those_of_the_repository_and_former_kinds_have_their_names() -> None:
    program = helm() or ""
    rules = rendered(program, "monitoring.rules.enabled=true")
    rule = next(each for each in yaml.safe_load_all(rules) if each and each["kind"] == "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())
    former = rendered(program, *CONTROLLED, "releases.controller.formerKinds=true")
    kinds = {each["kind"] for each in yaml.safe_load_all(former) if each}
    assert {"TemporalWorkerDeployment", "TemporalConnection"} <= kinds


@NEEDS_HELM
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("temporal.address=",), "temporal"),
        (("secret.name=",), "secret"),
        (("secret.files.PERENNIAL_LEDGER_URL_FILE=null",), "would be lost with the pod"),
        (("settings.SHOP_COLOUR=red",), "SHOP_COLOUR"),
        (("ipn.ingress.enabled=true",), "the host that Amazon posts to is not named"),
        (("releases.controller.strategy=Canary",), "strategy"),
    ],
)
def test_values_that_would_lose_something_are_refused(values: tuple[str, ...], words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        rendered(helm() or "", *values)


def test_the_alerts_are_a_link_and_the_schema_of_values_is_one() -> None:
    assert ALERTS.resolve() == ROOT / "deploy" / "prometheus" / "alerts.yml"
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) <= set(values)
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == _version()


def _version() -> str:
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_manifests_are_valid_for_a_cluster(cluster: str) -> None:
    for name, each in ALL:
        if each["apiVersion"].partition("/")[0] not in OF_OTHERS:
            kubernetes_validate.validate(each, cluster, strict=True)
        assert each["metadata"]["name"].startswith("bills-perennial"), name


def test_no_pod_has_more_rights_than_it_needs() -> None:
    for component, pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False, "a Service named perennial-api would set PERENNIAL_API_PORT"
        user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert user is not None
        assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (
            int(user[1]),
            int(user[2]),
        ), component
    for _, container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_every_variable_is_a_setting_and_no_secret_is_a_variable() -> None:
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    for component, container in containers():
        for name, value in variables(container).items():
            if not name.startswith(PREFIX):
                assert name.startswith("TEMPORAL_")
                continue
            setting = name.removeprefix(PREFIX).lower()
            if name.endswith(_FILE):
                setting = setting.removesuffix(_FILE.lower())
                assert setting in secrets
            else:
                assert setting not in secrets, f"{component} is told {name}"
            assert setting in Settings.model_fields
            assert value is not None


def test_who_is_reached_from_outside_or_only_sets_up_has_no_key() -> None:
    for component, pod in pods():
        items = [
            item["key"]
            for volume in pod["volumes"]
            if volume["name"] == "secrets"
            for item in volume["secret"]["items"]
        ]
        names = variables(pod["containers"][0])
        if component in {"worker", "api"}:
            assert "private-key.pem" in items
        else:
            assert sorted(items) == ["codec-keys", "ledger-url"]
            assert f"{PREFIX}PRIVATE_KEY_PATH" not in names
        files = {str(value).rpartition("/")[2] for value in names.values() if "/run/secrets/perennial/" in str(value)}
        assert files == set(items)


def test_every_pod_runs_a_command_that_there_is_and_says_how_it_is() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for component, container in containers():
        words = container["args"][0].split("perennial ")[-1].split() if "command" in container else container["args"]
        command = group.commands[words[0]]
        for word in words[1:]:
            if word.startswith("--"):
                options = {name for each in command.params for name in each.opts}
                assert word.partition("=")[0] in options
            else:
                assert isinstance(command, TyperGroup)
                command = command.commands[word]
        if component == "worker":
            probes = [container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]
            assert probes == [LIVE, READY]
        elif component in {"api", "ipn"}:
            assert container["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}


def test_with_the_controller_all_know_the_deployment_by_the_name_that_it_gives() -> None:
    for component, pod in pods([("controller", each) for each in manifests("controller")]):
        name = variables(pod["containers"][0])[f"{PREFIX}DEPLOYMENT_NAME"]
        assert name == "billing/bills-perennial", component
        assert Settings.model_validate({"deployment_name": name}).deployment_name == name
        if component == "worker":
            assert '="$TEMPORAL_DEPLOYMENT_NAME"' in pod["containers"][0]["args"][0]


def test_a_pod_that_stops_has_the_time_that_its_process_takes() -> None:
    graceful = Settings.model_fields["graceful_shutdown_seconds"].default + HARD_DEADLINE_SECONDS
    needed = {"worker": graceful, "api": SHUTDOWN_SECONDS, "ipn": SHUTDOWN_SECONDS}
    for component, pod in pods():
        if component in needed:
            assert pod["terminationGracePeriodSeconds"] > needed[component]


def test_ports_of_services_policies_and_probes_are_those_of_containers() -> None:
    for name in VARIANTS:
        mine = [(name, each) for each in manifests(name)]
        ports = {
            (component, port["name"]) for component, pod in pods(mine) for port in pod["containers"][0].get("ports", [])
        }
        for _, each in mine:
            component = each["metadata"]["labels"].get("app.kubernetes.io/component")
            if each["kind"] == "Service" and component in {"api", "ipn"}:
                assert {(component, port["targetPort"]) for port in each["spec"]["ports"]} <= ports
            if each["kind"] == "NetworkPolicy" and "Egress" in each["spec"]["policyTypes"]:
                assert {443, 7233, 5432, 53} == {
                    port["port"] for way in each["spec"]["egress"] for port in way["ports"]
                }


def test_of_the_receiver_amazon_reaches_one_address_alone() -> None:
    ingress = next(each for _, each in ALL if each["kind"] == "Ingress")
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert [(each["path"], each["pathType"]) for each in paths] == [(IPN_PATH, "Exact")]
    assert ingress["spec"]["tls"][0]["hosts"] == [ingress["spec"]["rules"][0]["host"]]


def test_the_ledger_is_set_up_before_and_the_first_release_is_made_after() -> None:
    hooks = {
        each["metadata"]["name"]: each["metadata"]["annotations"]["helm.sh/hook"]
        for each in manifests("plain")
        if each["kind"] == "Job"
    }
    assert hooks == {
        "bills-perennial-setup": "pre-install,pre-upgrade",
        "bills-perennial-first-release": "post-install,post-upgrade",
    }
    # The controller makes releases current by itself.
    assert [each["metadata"]["name"] for each in manifests("controller") if each["kind"] == "Job"] == [
        "bills-perennial-setup"
    ]


def test_more_workers_come_where_tasks_of_subscriptions_wait() -> None:
    scaled = next(each for each in manifests("scaled") if each["kind"] == "ScaledObject")
    triggers = [each["metadata"] for each in scaled["spec"]["triggers"]]
    assert [each["taskQueue"] for each in triggers] == ["billing", notices_queue("billing")]
    worker = next(each for each in manifests("scaled") if each["metadata"]["name"] == "bills-perennial-worker"
                  and each["kind"] == "Deployment")  # fmt: skip
    assert "replicas" not in worker["spec"], "each upgrade would set back what was scaled"
    template = next(each for each in manifests("controller") if each["kind"] == "WorkerResourceTemplate")
    assert template["spec"]["workerDeploymentRef"] == {"name": "bills-perennial"}
    first = template["spec"]["template"]["spec"]["triggers"][0]["metadata"]
    assert first["buildId"] == "__TEMPORAL_WORKER_BUILD_ID__"
