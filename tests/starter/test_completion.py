"""Completion of commands, in a real bash for what is installed there; other shells read the scripts that are shown."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.starter.test_cli_start_up import imported_by

PROGRAM = "from perennial_billing.starter.cli import main; main()"

COMPLETE = """
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
COMP_LINE={line}
COMP_POINT=${{#COMP_LINE}}
COMPREPLY=()
_perennial_completion perennial "${{COMP_WORDS[COMP_CWORD]}}"
echo "${{COMPREPLY[@]}}"
"""
"""What bash does with a line where it is to be completed, and prints what it makes of it in a line."""

COMPLETED: Mapping[str, set[str]] = {
    "perennial re": {"replace", "refund", "retry", "resolve", "reconcile", "recover", "report"},
    "perennial plan ": {"explain", "preview", "checkout"},
    "perennial dev --sa": {"--sandbox"},
    "perennial --sh": {"--show-completion"},
    "perennial nothing-begins-so": set(),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `perennial` lies, as an installed one does."""
    program = tmp_path / "perennial"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} "$@"\n')
    program.chmod(0o700)
    return tmp_path


async def said_by(*command: str, environment: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(os.environ) | (environment or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_bash_completes_what_is_typed(folder: Path) -> None:
    """In one shell, as it takes its script once for all lines."""
    script = folder / "completion.bash"
    script.write_text(await said_by(str(folder / "perennial"), environment={"_PERENNIAL_COMPLETE": "source_bash"}))
    typed = f"PATH={folder}:$PATH\nsource {script}\n"
    for line in COMPLETED:
        words = " ".join(shlex.quote(word) for word in line.split(" "))
        typed += COMPLETE.format(words=words, line=shlex.quote(line))

    said = await said_by("bash", "--norc", "-c", typed)

    assert dict(zip(COMPLETED, (set(line.split()) for line in said.splitlines()), strict=True)) == COMPLETED


@pytest.mark.parametrize(
    ("shell", "word"),
    [("bash", "complete -o default -F"), ("zsh", "#compdef perennial"), ("fish", "complete --command perennial")],
)
async def test_each_shell_is_shown_its_script(folder: Path, shell: str, word: str) -> None:
    said = await said_by(str(folder / "perennial"), environment={"_PERENNIAL_COMPLETE": f"source_{shell}"})

    assert word in said
    assert "_PERENNIAL_COMPLETE" in said


@pytest.mark.parametrize("shell", ["zsh", "fish"])
async def test_the_scripts_of_other_shells_hold_in_them(folder: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    script = folder / f"completion.{shell}"
    script.write_text(await said_by(str(folder / "perennial"), environment={"_PERENNIAL_COMPLETE": f"source_{shell}"}))

    await said_by(shell, "-n", str(script))


async def test_what_a_shell_is_told_of_a_command_is_one_line(folder: Path) -> None:
    said = await said_by(
        str(folder / "perennial"),
        environment={
            "_PERENNIAL_COMPLETE": "complete_fish",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": "perennial re",
        },
    )

    names = [line.split("\t")[0] for line in said.splitlines()]
    assert sorted(names) == ["reconcile", "recover", "refund", "replace", "report", "resolve", "retry"]


async def test_completion_is_installed_for_the_shell_that_asks(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    install = f"{folder}/perennial --install-completion; echo"

    said = await said_by("bash", "--norc", "-c", install, environment={"HOME": str(home)})

    assert "bash completion installed" in said
    assert (home / ".bash_completions" / "perennial.sh").exists()
    assert "perennial.sh" in (home / ".bashrc").read_text()


async def test_completing_a_command_loads_no_command() -> None:
    modules = await imported_by(_PERENNIAL_COMPLETE="complete_bash", COMP_WORDS="perennial re", COMP_CWORD="1")

    assert not {module for module in modules if module in {"starter.client", "temporalio", "pydantic", "httpx"}}
