"""What the pages of a built site refer to: dead references, and whatever would be loaded from another host."""

import re
from collections.abc import Iterator
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

_LOADED: Final = {
    ("script", "src"),
    ("img", "src"),
    ("source", "src"),
    ("iframe", "src"),
    ("video", "src"),
    ("audio", "src"),
    ("object", "data"),
    ("use", "href"),
    ("image", "href"),
    ("form", "action"),
}
_LINKS_THAT_LOAD_NOTHING: Final = {"canonical", "next", "prev", "alternate", "author"}
_OF_A_SHEET: Final = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


class Reference(NamedTuple):
    """One place where something refers to something.

    Attributes:
        where: the file, below the site's folder.
        to: as it is written.
        is_loaded: whether a browser fetches it by itself.
    """

    where: str
    to: str
    is_loaded: bool


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors = {"", "__skip"}
        self.references: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name in {"id", "name"}:
                self.anchors.add(value)
            is_link = tag == "link" and name == "href"
            if (tag, name) in _LOADED or (
                is_link and not _LINKS_THAT_LOAD_NOTHING & set((dict(attrs)["rel"] or "").split())
            ):
                self.references.append((value, True))
            elif name == "href":
                self.references.append((value, False))
            elif name == "style":
                self.references += [(found, True) for found in _of_a_sheet(value)]


def _of_a_sheet(text: str) -> Iterator[str]:
    for one, other in _OF_A_SHEET.findall(text):
        yield one or other


class Site:
    """A built one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _pages(self) -> dict[Path, _Reader]:
        read = {}
        for path in sorted(self.folder.rglob("*.html")):
            read[path] = _Reader()
            read[path].feed(path.read_text())
        return read

    def references(self) -> Iterator[Reference]:
        """All of pages and style sheets."""
        for path, page in self._pages.items():
            for to, is_loaded in page.references:
                yield Reference(path.relative_to(self.folder).as_posix(), to, is_loaded)
        for path in sorted(self.folder.rglob("*.css")):
            for to in _of_a_sheet(path.read_text()):
                yield Reference(path.relative_to(self.folder).as_posix(), to, is_loaded=True)

    def from_elsewhere(self) -> list[Reference]:
        """What a browser would load from another host."""
        return [each for each in self.references() if each.is_loaded and urlsplit(each.to).netloc]

    def dead(self) -> list[Reference]:
        """What refers to a file or an anchor of the site that is not there."""
        return [each for each in self.references() if self._is_dead(each)]

    def _is_dead(self, reference: Reference) -> bool:
        to = urlsplit(reference.to)
        if to.scheme or to.netloc:
            return False
        here = self.folder / reference.where
        base = self.folder if to.path.startswith("/") else here.parent
        target = (base / unquote(to.path).lstrip("/")).resolve() if to.path else here.resolve()
        if not target.is_file() or not target.is_relative_to(self.folder.resolve()):
            return True
        page = self._pages.get(self.folder / target.relative_to(self.folder.resolve()))
        return page is not None and unquote(to.fragment) not in page.anchors
