"""Every package is known wherever packages are listed, so that none escapes the checks or is left out of the image."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
CONFIGURATION: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())
HELPERS: Final = {"benchmarks", "tests"}
"""Packages that are checked like all others, and neither shipped nor part of the house."""

HOUSE: Final = {init.parent.name for init in ROOT.glob("*/__init__.py")} - HELPERS


def test_every_package_is_under_the_import_contracts() -> None:
    assert set(CONFIGURATION["tool"]["importlinter"]["root_packages"]) == HOUSE


def test_every_package_is_in_the_wheel() -> None:
    assert set(CONFIGURATION["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == HOUSE


def test_every_package_is_let_into_the_image() -> None:
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}

    assert let_in >= HOUSE


def test_the_types_of_every_package_are_checked() -> None:
    assert set(CONFIGURATION["tool"]["mypy"]["packages"]) == HOUSE | HELPERS


def test_every_package_has_its_line_in_the_architecture() -> None:
    lines = (ROOT / "docs" / "architecture.md").read_text().splitlines()

    assert {name for name in HOUSE if not any(line.startswith(f"| `{name}/` |") for line in lines)} == set()


def test_every_client_of_the_http_library_is_a_bounded_one() -> None:
    made_at = {
        str(path.relative_to(ROOT))
        for name in HOUSE
        for path in (ROOT / name).rglob("*.py")
        if re.search(r"httpx\.((Async)?Client|get|post|put|patch|delete|head|request|stream)\(", path.read_text())
    }

    assert made_at == {"outbound/client.py"}
