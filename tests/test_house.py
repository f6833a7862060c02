"""Every package is known wherever packages are listed, so that none escapes the checks or is left out of the image."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
CONFIGURATION: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())
HELPERS: Final = {"benchmarks", "tests"}
"""Packages that are checked like all others, and neither shipped nor part of the house."""

APPLICATION: Final = "perennial_billing"
HOUSE: Final = {init.parent.name for init in ROOT.glob("*/__init__.py")} - HELPERS - {APPLICATION}
PRODUCTS: Final = {init.parent.name: init.parent for init in ROOT.glob("*/src/*/__init__.py")}
"""What is a distribution of its own."""

SOURCES: Final = [*(ROOT / name for name in HOUSE), *PRODUCTS.values()]


def test_every_package_is_under_the_import_contracts() -> None:
    assert set(CONFIGURATION["tool"]["importlinter"]["root_packages"]) == {APPLICATION, *PRODUCTS}


def test_every_package_is_in_the_application_by_a_link() -> None:
    links = {path.name: path for path in (ROOT / APPLICATION).iterdir() if path.is_symlink()}

    assert {name: path.resolve() for name, path in links.items()} == {name: ROOT / name for name in HOUSE}
    assert {path.name for path in (ROOT / APPLICATION).iterdir()} - {"__pycache__"} == {
        *links,
        "__init__.py",
        "py.typed",
    }


def test_every_product_is_a_member_of_the_workspace() -> None:
    members = {package.parent.parent.name for package in PRODUCTS.values()}

    assert set(CONFIGURATION["tool"]["uv"]["workspace"]["members"]) == members


def test_every_package_is_let_into_the_image() -> None:
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}

    assert let_in >= HOUSE | {APPLICATION, *(package.parent.parent.name for package in PRODUCTS.values())}


def test_the_types_of_every_package_are_checked() -> None:
    assert set(CONFIGURATION["tool"]["mypy"]["packages"]) == {APPLICATION, *PRODUCTS} | HELPERS


def test_every_package_has_its_line_in_the_architecture() -> None:
    lines = (ROOT / "docs" / "architecture.md").read_text().splitlines()
    expected = HOUSE | {package.parent.parent.name for package in PRODUCTS.values()}

    assert {name for name in expected if not any(line.startswith(f"| `{name}/` |") for line in lines)} == set()


def test_nobody_imports_the_house_by_the_names_of_its_folders() -> None:
    # Where the repository's root is on the path, `import billing` finds the folder and makes everything in it twice.
    names = "|".join(sorted(HOUSE))
    python = [path for folder in (*SOURCES, *(ROOT / name for name in HELPERS)) for path in folder.rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in python
        for match in re.finditer(rf"^\s*(?:from|import) (?:{names})\b.*", path.read_text(), re.MULTILINE)
    ]

    assert found == []


def test_every_client_of_the_http_library_is_a_bounded_one() -> None:
    made_at = {
        str(path.relative_to(ROOT))
        for folder in SOURCES
        for path in folder.rglob("*.py")
        if re.search(r"httpx\.((Async)?Client|get|post|put|patch|delete|head|request|stream)\(", path.read_text())
    }

    assert made_at == {"client/src/amazon_pay_client/outbound/client.py"}
