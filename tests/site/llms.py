"""The pages as Markdown for programs: an index as https://llmstxt.org has it, all of it in one, and each by itself."""

import re
import shutil
from pathlib import Path
from typing import Final

from tests.site.navigation import sections

INDEX: Final = "llms.txt"
ALL: Final = "llms-full.txt"

_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)
_NOT_PROSE: Final = ("#", "|", "<", ">", "-", "!", "```", "    ", "1.", "*", "???")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_SENTENCE: Final = re.compile(r"(?<=[.?!:])\s")
_LONGEST: Final = 240


def write_for_programs(docs: Path, site: Path, about: str) -> None:
    """Writes them beside the pages of the built site."""
    index, everything = [f"# Perennial\n\n> {about}\n"], []
    for section in sections(docs):
        lines = [f"## {section.title}\n"]
        for page in section.pages:
            text = (docs / page).read_text()
            lines.append(f"- [{title_of(text)}]({page}): {summary_of(text)}")
            everything.append(f"<!-- {page} -->\n\n{text.strip()}\n")
            (site / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(docs / page, site / page)
        index.append("\n".join(lines) + "\n")
    (site / INDEX).write_text("\n".join(index))
    (site / ALL).write_text("\n".join(everything))


def title_of(text: str) -> str:
    """The page's heading.

    Raises:
        ValueError: it has none.
    """
    found = _TITLE.search(text)
    if found is None:
        raise ValueError(f"{text[:60]!r}: a page begins with its title, as '# Operations'")
    return found[1].replace("`", "")


def summary_of(text: str) -> str:
    """The first sentences of the page's first paragraph."""
    said = ""
    for sentence in _SENTENCE.split(_first_paragraph(text)):
        if said and len(said) + len(sentence) > _LONGEST:
            break
        said = f"{said} {sentence}".strip()
    return said.rstrip(":")


def _first_paragraph(text: str) -> str:
    _, _, body = text.partition("\n# ") if not text.startswith("# ") else ("", "", text)
    prose = next((part for part in body.split("\n\n")[1:] if part and not part.lstrip("\n").startswith(_NOT_PROSE)), "")
    return " ".join(_LINK.sub(r"\1", prose).split())
