"""The page of commands is what they say themselves, and leaves none out."""

import re
import shlex

from typer.main import get_group

from perennial_billing.starter.cli import output
from perennial_billing.starter.cli.app import app
from perennial_billing.starter.cli.commands import COMMANDS
from tests.starter.cli_reference import EXIT_CODES, PAGE, page


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text() == page(), "bring it up to date: python -m tests.starter.cli_reference"


def test_every_command_and_every_exit_code_is_on_it() -> None:
    headings = re.findall(r"^## perennial (\S+)$", PAGE.read_text(), re.MULTILINE)
    codes = {value for name, value in vars(output).items() if name.isupper() and isinstance(value, int)}

    assert headings == [command.name for command in COMMANDS]
    assert codes <= EXIT_CODES.keys()


def test_a_command_of_a_group_has_its_options_values_and_what_is_needed() -> None:
    section = PAGE.read_text().partition("\n### perennial change billing-day\n")[2].partition("\n### ")[0]

    assert "    perennial change billing-day CHARGE_PERMISSION_ID" in section
    assert "| needed |" in section
    assert "From 1 to 31." in section


def test_what_the_tour_types_exists() -> None:
    tour = PAGE.read_text().partition("A tour:\n")[2].partition("\n## ")[0]
    typed = [shlex.split(line, comments=True) for line in tour.splitlines() if line.startswith("    perennial ")]

    assert len(typed) > 15
    for _, name, *rest in typed:
        command = get_group(app).commands[name]
        for word in rest:
            command = getattr(command, "commands", {}).get(word, command)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, (name, rest)
