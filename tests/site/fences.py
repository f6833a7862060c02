"""Blocks of mermaid in the pages, as the site shows them: drawn beforehand, since it loads no program to draw them.

A forge draws such a block by itself. The site has the drawing that `python -m tests.site.drawings` made of it, which is
found by what the block says, so one that was changed since has none.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "images/drawings"
"""Below that of the documentation."""

_BLOCK: Final = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHORT: Final = 16
"""Hexadecimal digits: as many as no two blocks will ever share."""


def drawing_of(source: str) -> str:
    """Where the drawing of a block is kept, below the folder of the documentation."""
    return f"{FOLDER}/{hashlib.sha256(source.strip().encode()).hexdigest()[:_SHORT]}.svg"


def blocks(docs: Path) -> Iterator[tuple[Path, str]]:
    """Every block, and the page that has it."""
    for page in sorted(docs.rglob("*.md")):
        for found in _BLOCK.finditer(page.read_text()):
            yield page, found[1]


def drawn(source: str, language: str, css_class: str, options: Any, md: Any, **others: Any) -> str:
    """The block as HTML, as superfences wants it of a fence of one's own; the drawing opens by itself when clicked."""
    (page,) = {Path(processor.page.path) for processor in md.preprocessors if hasattr(processor, "page")}
    address = "../" * len(page.parent.parts) + drawing_of(source)
    alone = "A diagram; what it says stands in the source of this page."
    return f'<a class="drawing" href="{address}"><img src="{address}" alt="{alone}"></a>'
