"""Which pages the site has and in which order: `docs/.nav.yml`, as the builder of the site reads it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import yaml

NAVIGATION: Final = ".nav.yml"

_Entry: TypeAlias = "str | dict[str, str | bool | list[_Entry]]"


class Section(NamedTuple):
    """What stands together.

    Attributes:
        title: of the tab.
        pages: paths below the folder of the documentation, in their order.
    """

    title: str
    pages: list[str]


def sections(docs: Path) -> list[Section]:
    """The site from first to last page; what stands in no section is one by its own title.

    Raises:
        FileNotFoundError: a page that is named is not there.
    """
    entries: list[_Entry] = yaml.safe_load((docs / NAVIGATION).read_text())["nav"]
    found, seen = [], set[str]()
    for entry in entries:
        if not isinstance(entry, dict):
            raise TypeError(f"{NAVIGATION}: {entry!r}: a title and its pages are accepted")
        ((title, value),) = entry.items()
        inside: list[_Entry] = value if isinstance(value, list) else [str(value)]
        named = {each for each in inside if isinstance(each, str) and "*" not in each}
        pages = []
        for each in inside:
            new = [page for page in _pages(docs, each) if page not in seen and (each == page or page not in named)]
            pages += new
            seen.update(new)
        if pages:
            found.append(Section(title, pages))
    return found


def _pages(docs: Path, entry: _Entry) -> Iterator[str]:
    pattern = entry if isinstance(entry, str) else str(entry["glob"])
    matches = sorted(path.relative_to(docs).as_posix() for path in docs.glob(pattern))
    if not matches and isinstance(entry, str):
        raise FileNotFoundError(f"{NAVIGATION}: {entry}: there is no such page")
    yield from matches


def missing(docs: Path) -> list[str]:
    """Pages that stand nowhere in it."""
    shown = {page for section in sections(docs) for page in section.pages}
    return sorted({path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} - shown)
