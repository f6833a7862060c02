"""Draws the mermaid blocks of the pages, in the system's Chromium:

    python -m tests.site.drawings

Mermaid comes from npm's registry for that, and is not kept. Drawn are the blocks that have no drawing yet; drawings of
blocks that are gone are deleted.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Page, async_playwright

from tests.site.fences import FOLDER, blocks, drawing_of

DOCS: Final = Path(__file__).parents[2] / "docs"
MERMAID: Final = "mermaid@11.17.2"

_OF_THE_EDITOR: Final = re.compile(r' data-[\w-]+="[^"]*"')
_PATH: Final = re.compile(r' d="[^"]*"')
_FRACTION: Final = re.compile(r"\d+\.\d+")
_VOID: Final = re.compile(r"<(br|hr)\s*>")

_DRAW: Final = """async ([id, source]) => {
    mermaid.initialize({startOnLoad: false, theme: "neutral", fontFamily: "sans-serif", maxEdges: 1000,
                        deterministicIds: true, flowchart: {useMaxWidth: true}, state: {useMaxWidth: true}});
    return (await mermaid.render(id, source)).svg;
}"""


async def main() -> None:
    """Makes what is missing, and takes away what nothing shows."""
    wanted = {DOCS / drawing_of(source): source for _, source in blocks(DOCS)}
    for path in set((DOCS / FOLDER).iterdir()) - set(wanted):
        path.unlink()
    missing = {path: source for path, source in wanted.items() if not path.exists()}
    if not missing:
        return
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = await opened.new_page()
        with tempfile.TemporaryDirectory() as folder:
            await page.add_script_tag(path=await asyncio.to_thread(_mermaid, Path(folder)))
        for path, source in missing.items():
            path.write_text(await _drawn(page, path.stem, source))
        await opened.close()


def _mermaid(folder: Path) -> Path:
    subprocess.run(
        ["npm", "install", "--silent", "--no-save", "--no-fund", "--no-audit", "--ignore-scripts", MERMAID],
        cwd=folder,
        check=True,
    )
    return folder / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"


async def _drawn(page: Page, name: str, source: str) -> str:
    return _tidied(str(await page.evaluate(_DRAW, [f"drawn-{name}", source])))


def _tidied(svg: str) -> str:
    """The drawing as a file of its own, which is XML, and without nine tenths that nobody sees."""
    svg = _VOID.sub(r"<\1/>", _OF_THE_EDITOR.sub("", svg))
    return _PATH.sub(lambda path: _FRACTION.sub(lambda number: f"{float(number[0]):.1f}", path[0]), svg).strip() + "\n"


if __name__ == "__main__":
    asyncio.run(main())
