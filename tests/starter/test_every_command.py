"""What holds for every command: data where it prints data, a way in for each capability of the HTTP API in the same
words, exit codes that are documented, and a sign of life where it takes its time."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from rich.console import Console

from perennial_billing.starter.cli import output
from perennial_billing.starter.cli.app import app

ROOT: Final = Path(__file__).parent.parent.parent
COMMAND_LINE: Final = ROOT / "starter" / "cli"

WITHOUT_JSON: Final = {
    "export": "writes rows as they come, in the format that --format names, JSON lines among them",
    "plan checkout": "prints JSON and nothing else",
    "worker": "a process: it logs",
    "ipn": "a process: it logs",
    "api": "a process: it logs",
    "portal serve": "a process: it logs",
}
"""The commands that have no --json, and why."""

COMMAND_OF: Final = {
    "makeCheckoutButton": "plan checkout --sign",
    "makePortalLink": "portal link",
    "listSubscriptions": "list",
    "startSubscription": "start",
    "getSubscription": "show",
    "getRecord": "find --permission",
    "listUpcoming": "upcoming",
    "listTimeline": "timeline",
    "changePlanSubscription": "change plan",
    "tryChangePlanSubscription": "change plan --dry-run",
    "changeBillingDaySubscription": "change billing-day",
    "tryChangeBillingDaySubscription": "change billing-day --dry-run",
    "undoChangesSubscription": "change undo",
    "tryUndoChangesSubscription": "change undo --dry-run",
    "pauseSubscription": "change pause",
    "tryPauseSubscription": "change pause --dry-run",
    "resumeSubscription": "change resume",
    "tryResumeSubscription": "change resume --dry-run",
    "skipSubscription": "change skip",
    "trySkipSubscription": "change skip --dry-run",
    "cancelSubscription": "cancel",
    "tryCancelSubscription": "cancel --dry-run",
    "undoCancelSubscription": "change cancel --undo",
    "tryUndoCancelSubscription": "change cancel --undo --dry-run",
    "itemsSubscription": "change item",
    "tryItemsSubscription": "change item --dry-run",
    "captureSubscription": "capture",
    "tryCaptureSubscription": "capture --dry-run",
    "refundsSubscription": "refund",
    "tryRefundsSubscription": "refund --dry-run",
    "retrySubscription": "retry",
    "tryRetrySubscription": "retry --dry-run",
    "resolveSubscription": "resolve",
    "tryResolveSubscription": "resolve --dry-run",
    "writeOffSubscription": "write-off",
    "tryWriteOffSubscription": "write-off --dry-run",
    "replaceSubscription": "replace",
    "recoverSubscription": "recover",
    "tryRecoverSubscription": "recover --dry-run",
    "advanceSubscription": "advance",
    "advanceMany": "advance --query",
    "changeMany": "bulk cancel --dry-run",
    "explainPlan": "plan explain",
    "previewPlan": "plan preview",
    "reportRecovery": "report recovery",
    "reportRevenue": "report revenue",
    "reportAging": "report aging",
    "reportForecast": "report forecast",
    "listEndpoints": "endpoints list",
    "addEndpoint": "endpoints add",
    "removeEndpoint": "endpoints remove",
    "enableEndpoint": "endpoints enable",
    "disableEndpoint": "endpoints disable",
    "testEndpoint": "endpoints test",
    "addSecret": "endpoints secrets add",
    "retireSecret": "endpoints secrets retire",
    "listDeliveries": "notices list",
    "resendDeliveries": "notices resend --dry-run",
    "getNoticeExample": "notices sample",
}
"""By operation of docs/openapi.json: what is typed for the same."""

WITHOUT_COMMAND: Final = {
    "getCheckoutSession": "for a shop's page while its buyer waits; nobody types a session's id",
    "getPaymentMethod": "a link on a shop's page; notices carry the same address as `update_url`",
    "tryTestEndpoint": "the sample itself: `perennial notices sample` prints it",
    "getNoticeSchema": "a file of the repository: docs/schemas/notices.v1.json",
}
"""The operations for which nobody types anything, and why."""

TAKES_ITS_TIME: Final = (
    *("many.py", "bulk.py", "exports.py", "audit.py", "reconcile.py", "ledger.py", "notices.py"),
    *("reports.py", "setup.py", "check.py", "codec.py"),
)
"""Modules whose commands may take more than two seconds, and show that on a terminal. `import` and `advance` of a group
go by `many.py`; `advance` of one prints what happens as it happens."""


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # Any: typer's own
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
        return
    for name in below:
        yield from _commands(below[name], (*path, name))


OPTIONS: Final = {
    name: {option for parameter in command.params for option in getattr(parameter, "opts", ())}
    for name, command in _commands(typer.main.get_command(app))
}
"""Of each command that can be typed."""


def test_what_prints_data_prints_it_as_json_where_that_is_asked_for() -> None:
    assert {name for name, options in OPTIONS.items() if "--json" not in options} == set(WITHOUT_JSON)


def test_each_capability_of_the_api_has_a_command_or_a_reason() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    operations = {way["operationId"] for ways in document["paths"].values() for way in ways.values()}

    assert operations == set(COMMAND_OF) | set(WITHOUT_COMMAND)
    assert set(COMMAND_OF).isdisjoint(WITHOUT_COMMAND)


@pytest.mark.parametrize(("operation", "typed"), COMMAND_OF.items(), ids=COMMAND_OF)
def test_the_command_of_a_capability_can_be_typed(operation: str, typed: str) -> None:
    words = typed.split()
    name = " ".join(word for word in words if not word.startswith("--"))

    assert {word for word in words if word.startswith("--")} <= OPTIONS[name]


def _said_in(operation: str) -> set[str]:
    """The words of an operation's name, such as change, billing and day."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Za-z][a-z]*", operation)}


@pytest.mark.parametrize(
    "operation", [each for each in COMMAND_OF if each.endswith("Subscription") and not each.startswith("get")]
)
def test_a_request_has_the_same_name_in_both(operation: str) -> None:
    typed = {word.lstrip("-").removesuffix("s") for word in re.split(r"[ -]+", COMMAND_OF[operation]) if word}
    asked = _said_in(operation) - {"subscription"}
    if "try" in asked:
        asked, typed = asked - {"try"}, typed - {"dry", "run"}

    assert asked <= typed | {"change"}


def test_the_exit_codes_are_the_documented_ones() -> None:
    named = {
        name
        for name in ("REFUSED", "CANNOT_START", "NOT_ANSWERED", "HUNG_UP", "INTERRUPTED", "TERMINATED")
        if isinstance(getattr(output, name), int)
    }
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    documented = {int(code) for code in re.findall(r"^\| `(\d+)` \|", table, re.MULTILINE)}

    assert documented == {0, *(getattr(output, name) for name in named)}


def test_no_command_ends_with_a_code_of_its_own() -> None:
    known = {"REFUSED", "CANNOT_START", "NOT_ANSWERED", "HUNG_UP", "INTERRUPTED", "TERMINATED", "code"}
    own = []
    for path in sorted(COMMAND_LINE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            ends = isinstance(node, ast.Call) and ast.unparse(node.func) in {"typer.Exit", "sys.exit", "fail"}
            if not ends or not isinstance(node, ast.Call):
                continue
            code = node.args[-1] if node.args else None
            names = {each.id for each in ast.walk(code) if isinstance(each, ast.Name)} if code is not None else set()
            if isinstance(code, ast.Constant) or (code is not None and not names & known and path.name != "output.py"):
                own.append(f"{path.name}:{node.lineno}")

    assert own == []


@pytest.mark.parametrize("module", TAKES_ITS_TIME)
def test_what_takes_its_time_shows_that_on_a_terminal(module: str) -> None:
    called = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse((COMMAND_LINE / module).read_text()))
        if isinstance(node, ast.Call)
    }

    assert called & {"Progress", "working"}


@pytest.mark.parametrize(("is_terminal", "shown"), [(True, "adding up"), (False, "")])
def test_a_terminal_sees_that_something_is_under_way_and_a_pipe_does_not(
    *, is_terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "err", Console(stderr=True, force_terminal=is_terminal, width=80))

    with output.working("adding up"):
        pass

    said = capsys.readouterr()
    assert said.out == ""
    assert (shown in said.err) if shown else said.err == ""
