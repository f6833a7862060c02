"""What a command imports before it answers: that holds how quickly it starts, and asserts no time."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import Final, get_args

import pytest
from rich.style import Style
from rich.text import Text
from typer.main import get_command, get_group
from typer.models import Context
from typer.rich_utils import rich_format_help

from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.cli.app import app
from perennial_billing.starter.cli.commands import COMMANDS, PROGRAM
from perennial_billing.starter.cli.front_page import print_front_page
from perennial_billing.starter.listing import StatusName
from tests.starter.command_line import joined_to
from tests.starter.test_cli_plans import PLAN

TELLING_MODULES: Final = """
import json, sys
from perennial_billing.starter.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        code = end.code
    else:
        code = 0
    modules = sorted(name.removeprefix("perennial_billing.") for name in sys.modules)
    print(json.dumps({"code": code or 0, "modules": modules}), file=sys.stderr)
"""
"""Does what `perennial` does, for one command after the other, and tells after each what was imported for it and for
those before it."""

MODELS: Final = {"pydantic", "pydantic_settings", "billing", "activities"}
SERVERS: Final = {"fastapi", "uvicorn", "starlette", "amazon_pay_simulator", "ipn", "worker", "structlog"}
AMAZON: Final = {"amazon_pay_client", "httpx", "cryptography"}
WORKFLOWS: Final = {
    "temporalio.client",
    "temporalio.worker",
    "workflows.subscription",
    "perennial_billing.starter.client",
}
DRAWING: Final = {"typer.rich_utils", "rich.markdown", "rich.progress", "rich.traceback"}


async def imported_by(*arguments: str, **environment: str) -> set[str]:
    """The modules that are there once a command has ended, which must go well."""
    [modules] = await imported_by_each([arguments], **environment)
    return modules


async def imported_by_each(commands: Sequence[Sequence[str]], **environment: str) -> list[set[str]]:
    """Those that are there after each of several commands; one process for all, which costs as much as any."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERENNIAL_", "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TELLING_MODULES, json.dumps(commands)),
        env={**kept, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    told = [json.loads(line) for line in err.decode().splitlines() if line.startswith("{")]
    assert [each["code"] for each in told] == [0] * len(commands), err.decode()
    return [set(each["modules"]) for each in told]


async def test_the_front_page_imports_neither_a_command_nor_what_reads_one() -> None:
    modules = await imported_by("--help")

    of_commands = {command.source.partition(":")[0] for command in COMMANDS}
    assert modules & of_commands == set()
    assert modules & ({"typer", "asyncio", "temporalio", "runtime"} | MODELS | SERVERS | AMAZON | DRAWING) == set()


async def test_the_list_of_temporal_imports_a_bare_service_and_no_models(house: Stage) -> None:
    options: Sequence[Sequence[str]] = ((), ("--json",), ("--ended",), ("--status", "active"))

    for modules in await imported_by_each([["list", "--live", *each] for each in options], **joined_to(house)):
        assert "temporalio.service" in modules
        assert modules & (MODELS | SERVERS | AMAZON | WORKFLOWS | DRAWING) == set()


async def test_looking_at_a_plan_imports_rules_and_nothing_that_calls() -> None:
    modules = await imported_by("plan", "preview", str(PLAN))

    assert "billing" in modules
    assert modules & ({"temporalio", "runtime.settings"} | SERVERS | AMAZON | WORKFLOWS | DRAWING) == set()


async def test_the_help_of_a_command_imports_nothing_that_it_acts_with() -> None:
    commands = ("list", "show", "change", "plan", "audit", "worker", "ipn")

    told = await imported_by_each([[command, "--help"] for command in commands])

    for command, modules in zip(commands, told, strict=True):
        assert modules & ({"pydantic_settings"} | SERVERS | AMAZON | WORKFLOWS) == set(), command


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_front_page_looks_as_typer_would_draw_it(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COLUMNS": str(width), "FORCE_COLOR": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    group = get_command(app)

    rich_format_help(obj=group, ctx=Context(group, info_name=PROGRAM), markup_mode="rich")
    typers = capsys.readouterr().out
    print_front_page()
    ours = capsys.readouterr().out

    assert [_as_seen(line) for line in ours.splitlines()] == [_as_seen(line) for line in typers.splitlines()]


def _as_seen(line: str) -> list[tuple[str, Style | None]]:
    """Each character with its look, however the line was put together."""
    text = Text.from_ansi(line)
    looks: list[tuple[str, Style | None]] = [(character, None) for character in text.plain]
    for span in text.spans:
        style = span.style if isinstance(span.style, Style) else Style.parse(span.style)
        for at in range(span.start, min(span.end, len(looks))):
            character, before = looks[at]
            looks[at] = (character, before + style if before else style)
    return looks


def test_the_front_page_says_of_a_command_what_its_own_help_begins_with() -> None:
    commands = get_group(app).commands

    said = {name: (command.help or "").split("\n\n")[0].replace("\n", " ") for name, command in commands.items()}
    assert said == {command.name: command.help for command in COMMANDS}


def test_the_list_can_be_asked_for_every_status_and_no_other() -> None:
    assert get_args(StatusName) == tuple(Status)
