"""What the documentation names exists, and what exists is documented."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from perennial_billing.billing.plan.texts import LIMITS, PLACEHOLDERS
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.starter.cli.plan_file import read_plan
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OPERATIONS = DOCS / "operations"
PLANS = sorted((ROOT / "examples" / "plans").iterdir())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [
    *sorted(init.parent for init in (ROOT / "perennial_billing").glob("*/__init__.py")),
    *sorted(init.parent for init in ROOT.glob("*/src/*/__init__.py")),
    *sorted(init.parent for init in (ROOT / "billing").glob("*/__init__.py")),
]
HERE = "http://localhost:8080/"
"""The Web UI of docker-compose.yml, to which saved views lead."""

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def in_tables(text: str) -> set[str]:
    """What stands in code marks in the first column of a table."""
    firsts = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


def test_every_status_and_search_attribute_is_documented() -> None:
    assert in_tables((OPERATIONS / "held.md").read_text()) >= {status.value for status in Status}
    assert in_tables((OPERATIONS / "temporal.md").read_text()) >= {key.name for key in SEARCH_ATTRIBUTES}


def test_every_text_and_placeholder_is_documented_with_its_length() -> None:
    page = (OPERATIONS / "buyer.md").read_text()
    (section,) = re.findall(r"^## What the buyer reads\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| `.*", section, re.MULTILINE)]
    limits = {row[0].strip("`"): int(row[-1]) for row in rows if "{" not in row[0]}

    assert limits == LIMITS
    assert {name.strip("{}") for name in in_tables(section) if "{" in name} == set(PLACEHOLDERS)


def test_every_kind_of_notice_is_documented_and_no_other() -> None:
    documented = {name for name in in_tables((OPERATIONS / "notices.md").read_text()) if "." in name}

    assert documented == {kind.value for kind in NoticeType}


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_an_example_plan_is_one_and_is_called_by_its_name(path: Path) -> None:
    assert read_plan(path).plan_id == path.stem


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith(("https://", HERE)) or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    without_addresses = re.sub(r"https?://\S+", "", page.read_text())
    for name in re.findall(r"\b((?:billing|workflows|deploy|examples|docs)/[\w./-]+\w)", without_addresses):
        assert (ROOT / name).exists() or name == MADE_BY_THE_READER, name


MADE_BY_THE_READER = "deploy/secrets/codec-keys"
"""A file of keys, which git ignores."""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package.relative_to(ROOT)))
def test_a_package_says_what_it_owns_and_what_it_does_not_decide(package: Path) -> None:
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""

    assert "Owns: " in said
    assert "not decide" in said
