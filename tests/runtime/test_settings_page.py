"""The page of settings is what the code says, has every setting, and names whoever reads it."""

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import yaml

from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.runtime.settings_files import FILE_SUFFIX, secrets_of
from tests.runtime.settings_page import PAGE, SECTIONS, page, said

ROOT = Path(__file__).parents[2]
READERS = {name: readers for settings in SECTIONS.values() for name, readers in settings.items()}
PROCESSES = {"worker": "worker", "ipn": "ipn", "starter/api": "api"}
"""By the folder in which a setting is read: the process that reads it."""


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text() == page(), "bring it up to date: python -m tests.runtime.settings_page"


def test_every_setting_is_on_the_page_once_and_says_what_it_is() -> None:
    named = [name for settings in SECTIONS.values() for name in settings]

    assert sorted(named) == sorted(Settings.model_fields) == sorted(said())


def test_secrets_are_marked_and_nothing_else_is() -> None:
    marked = {line.split("`")[1] for line in PAGE.read_text().splitlines() if "**Secret.**" in line}

    assert marked == {f"{PREFIX}{name.upper()}" for name in secrets_of(Settings)}
    assert f"{PREFIX}PRIVATE_KEY" in marked


def test_whoever_reads_a_setting_is_named() -> None:
    for folder, process in PROCESSES.items():
        found = {name for path in (ROOT / folder).rglob("*.py") for name in _read_in(path)}
        assert {name for name in found if process not in READERS[name]} == set(), folder


def test_what_the_stack_hands_to_worker_and_receiver_is_read_by_them_or_by_a_command_there() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("worker", "ipn"):
        given = {each.removeprefix(PREFIX).lower() for each in services[name]["environment"] if each.startswith(PREFIX)}
        given = {each.removesuffix(FILE_SUFFIX) if each not in READERS else each for each in given}
        assert {each for each in given if not {name, "commands"} & set(READERS[each])} == set()


def _parsed(path: Path) -> ast.AST:
    """A module. What other tests have left to the garbage collector may run code of its own in the midst of it, which
    CPython 3.11 takes for a fault of its parser (SystemError)."""
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()


def _read_in(path: Path) -> Iterator[str]:
    """The settings that a module reads, by `settings.name` or `settings.required("name")`."""
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("settings"):
            if node.attr in Settings.model_fields:
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("settings.required"):
            (argument,) = node.args
            yield str(ast.literal_eval(argument))
