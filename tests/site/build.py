"""Builds the site, `make docs`:

    python -m tests.site.build     # into the folder site, which is opened by its index.html, or served

It is built from a copy, in which links to files of the repository that are no pages lead to copies of those, and what a
block of code says to tests after its language is left out. A warning of the builder is an error, and so is a page that
stands nowhere in the navigation, a reference to what is not there, and whatever would be loaded from another host.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.site.fences import blocks, drawing_of
from tests.site.links import Site
from tests.site.llms import write_for_programs
from tests.site.navigation import missing

ROOT: Final = Path(__file__).parents[2]
CONFIGURATION: Final = "mkdocs.yml"

_FILES: Final = "repository"
"""Where copies of the repository's files are kept in the site."""

_OUT: Final = re.compile(r"(?<=\]\()((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?(?=\))")
_FENCE: Final = re.compile(r"^( *```+[\w-]+)(?: +[\w.-]+)+ *$", re.MULTILINE)
"""The first line of a block with words after the language, which the builder takes for no block at all."""

_SHIM_OF_THE_BUILDER: Final = re.compile(r"https://unpkg\.com/iframe-worker/shim")
_SHIM: Final = "assets/iframe-worker.js"
"""What lets the search work from a folder; the builder would have it from another host."""

_ABOUT: Final = "site_description: "
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


class BuildError(Exception):
    """What is wrong with the pages, a line each."""


def build(site: Path) -> None:
    """Makes the site anew.

    Raises:
        BuildError: something is wrong with a page.
    """
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder)
        shutil.copyfile(ROOT / CONFIGURATION, draft / CONFIGURATION)
        shutil.copytree(ROOT / "docs", draft / "docs")
        _is_found(draft / "docs")
        _is_drawn(draft / "docs")
        for page in sorted((draft / "docs").rglob("*.md")):
            _prepare(page, draft)
        _rendered(draft)
        for page in sorted((draft / "site").rglob("*.html")):
            up = "../" * (len(page.relative_to(draft / "site").parts) - 1)
            page.write_text(_SHIM_OF_THE_BUILDER.sub(up + _SHIM, page.read_text()))
        write_for_programs(draft / "docs", draft / "site", _about())
        _is_whole(draft / "site")
        if site.exists():
            shutil.rmtree(site)
        shutil.move(draft / "site", site)


def _is_found(docs: Path) -> None:
    if lost := missing(docs):
        raise BuildError("\n".join(f"docs/{page}: stands nowhere in docs/.nav.yml" for page in lost))


def _is_drawn(docs: Path) -> None:
    for page, source in blocks(docs):
        if not (docs / drawing_of(source)).exists():
            first = next(line for line in source.splitlines() if not line.startswith("%%"))
            raise BuildError(f"{page.name}: the block {first!r} is not drawn; run python -m tests.site.drawings")


def _about() -> str:
    """What the configuration says of the site; the builder's own tags in it, of no concern here, stay unread."""
    lines = (ROOT / CONFIGURATION).read_text().splitlines()
    return next(line.removeprefix(_ABOUT) for line in lines if line.startswith(_ABOUT))


def _prepare(page: Path, draft: Path) -> None:
    """Links that lead out of the documentation lead to copies; blocks of code have a language and nothing more."""
    docs = draft / "docs"
    place = ROOT / page.relative_to(draft)

    def along(link: re.Match[str]) -> str:
        target = (place.parent / link[1]).resolve()
        if target.is_relative_to(ROOT / "docs") or not target.is_relative_to(ROOT) or not target.is_file():
            return link[0]
        name = target.relative_to(ROOT).as_posix()
        copy = docs / _FILES / (f"{name}.txt" if target.suffix == ".md" else name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target, copy)
        up = "../" * (len(page.relative_to(docs).parts) - 1)
        return up + copy.relative_to(docs).as_posix()

    page.write_text(_FENCE.sub(r"\1", _OUT.sub(along, page.read_text())))


def _rendered(draft: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(draft / CONFIGURATION)],
        cwd=ROOT,  # where the fences are found
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(_COLOURS.sub("", done.stdout + done.stderr))


def _is_whole(folder: Path) -> None:
    site = Site(folder)
    wrong = [f"{each.where}: {each.to} is not there" for each in site.dead()]
    wrong += [f"{each.where}: {each.to} would be loaded from another host" for each in site.from_elsewhere()]
    if wrong:
        raise BuildError("\n".join(dict.fromkeys(wrong)))


if __name__ == "__main__":
    try:
        build(ROOT / "site")
    except BuildError as error:
        sys.exit(str(error))
