"""The site builds without a warning, needs no network to be read, and shows every page to people and to programs."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.interop.programs import absent
from tests.site.build import CONFIGURATION, ROOT, BuildError, build
from tests.site.fences import FOLDER, blocks, drawing_of
from tests.site.links import Reference, Site
from tests.site.llms import ALL, INDEX, summary_of, title_of
from tests.site.navigation import missing, sections

DOCS = ROOT / "docs"

needs_the_builder = pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="zensical is not installed: uv sync --group docs"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documentation") / "site"
    build(folder)  # a dead link, or anything from another host, is an error of it
    return folder


@needs_the_builder
def test_every_page_is_built_and_stands_in_the_index_for_programs(site: Path) -> None:
    pages = [page for section in sections(DOCS) for page in section.pages]
    listed = re.findall(r"^- \[.+\]\((.+)\): \S", (site / INDEX).read_text(), re.MULTILINE)
    everything = (site / ALL).read_text()

    assert listed == pages
    for page in pages:
        built = page.removesuffix(".md").replace("README", "index") + ".html"
        assert (site / built).is_file()
        assert title_of((site / page).read_text()) == title_of((DOCS / page).read_text())
        assert (site / page).read_text().strip() in everything


@needs_the_builder
def test_a_page_is_read_from_a_folder_with_its_drawings_and_files(site: Path) -> None:
    architecture, checkout = ((site / name).read_text() for name in ("architecture.html", "checkout.html"))

    assert len(re.findall(r'<img src="images/drawings/\w+\.svg"', architecture)) == 2
    assert 'class="mermaid"' not in architecture + checkout
    assert 'href="repository/examples/shop/shop.py"' in checkout
    assert (site / "repository/examples/shop/shop.py").read_text() == (ROOT / "examples/shop/shop.py").read_text()
    assert '<script src="assets/iframe-worker.js"' in checkout
    assert '<script src="../assets/iframe-worker.js"' in (site / "simulator" / "php.html").read_text()


@needs_the_builder
def test_what_leads_nowhere_or_elsewhere_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = tmp_path / "house"
    (house / "docs").mkdir(parents=True)
    (house / CONFIGURATION).write_text((ROOT / CONFIGURATION).read_text())
    (house / "tests").symlink_to(ROOT / "tests")
    (house / "docs" / ".nav.yml").write_text("nav:\n  - Perennial: index.md\n")
    (house / "docs" / "assets").symlink_to(DOCS / "assets")
    monkeypatch.setattr("tests.site.build.ROOT", house)
    page = house / "docs" / "index.md"

    def wrong(*texts: str) -> str:
        page.write_text("\n\n".join(["# Home", *texts]) + "\n")
        with pytest.raises(BuildError) as found:
            build(tmp_path / "site")
        return str(found.value)

    warnings = wrong("[a page](tutorials.md)", "[a place](#the-third-month)")
    assert "page does not exist" in warnings
    assert "anchor does not exist" in warnings
    assert wrong(
        *("![a picture](images/shop.png)", "[a file](../examples/november.toml)", "[this is there](#home)"),
        '<img src="https://pictures.example/shop.png">',
        "```text shown.txt output\n[what a block shows](is-no-link.md)\n```",
    ).splitlines() == [
        "index.html: images/shop.png is not there",
        "index.html: ../examples/november.toml is not there",
        "index.html: https://pictures.example/shop.png would be loaded from another host",
    ]
    assert "index.md: the block 'flowchart LR' is not drawn" in wrong("```mermaid\nflowchart LR\n    a --> b\n```")

    (house / "docs" / "forgotten.md").write_text("# Forgotten\n")
    assert wrong() == "docs/forgotten.md: stands nowhere in docs/.nav.yml"


@needs_the_builder
async def test_a_reader_without_a_network_searches_a_page_and_nothing_is_asked_of_anybody(site: Path) -> None:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        absent("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--no-proxy-server"])
        page = await browser.new_page()
        page.set_default_timeout(20_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto((site / "architecture.html").as_uri())
        await page.wait_for_function("[...document.images].every(image => image.naturalWidth > 0)")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("chargeback")
        await page.get_by_text(re.compile(r"[1-9]\d* results?")).first.wait_for()
        await browser.close()

    assert len(asked) > 5
    assert [each for each in asked if not each.startswith(("file:", "data:", "blob:", "about:"))] == []


def test_every_page_stands_in_the_navigation_once() -> None:
    pages = [page for section in sections(DOCS) for page in section.pages]

    assert missing(DOCS) == []
    assert len(pages) == len(set(pages))


def test_a_section_takes_up_what_its_folder_has_after_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    for name in ("index.md", "guides/cron.md", "guides/audit.md", "guides/bulk.md"):
        (tmp_path / name).write_text("# Page\n")
    (tmp_path / ".nav.yml").write_text(
        "nav:\n  - Home: index.md\n  - Guides:\n    - guides/cron.md\n    - glob: guides/*.md\n"
        "  - Later:\n    - glob: later/*.md\n      ignore_no_matches: true\n"
    )

    assert [(section.title, section.pages) for section in sections(tmp_path)] == [
        ("Home", ["index.md"]),
        ("Guides", ["guides/cron.md", "guides/audit.md", "guides/bulk.md"]),
    ]


def test_every_diagram_is_drawn_and_no_drawing_is_left_over() -> None:
    wanted = {DOCS / drawing_of(source) for _, source in blocks(DOCS)}

    assert set((DOCS / FOLDER).iterdir()) == wanted, "bring them up to date: python -m tests.site.drawings"


def test_what_a_page_would_load_from_another_host_is_found_and_a_link_is_not(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="https://fonts.example/a.css"><link rel="canonical" href="https://perennial.example/">'
        '<script src="//cdn.example/b.js"></script><a href="https://docs.temporal.io/">Temporal</a>'
        "<p style=\"background: url('https://pictures.example/c.png')\"></p>"
    )
    (tmp_path / "site.css").write_text('@import "https://fonts.example/d.css"; p { background: url(e.svg) }')

    assert [each.to for each in Site(tmp_path).from_elsewhere()] == [
        *("https://fonts.example/a.css", "//cdn.example/b.js", "https://pictures.example/c.png"),
        "https://fonts.example/d.css",
    ]
    assert Site(tmp_path).dead() == [Reference("site.css", "e.svg", is_loaded=True)]


def test_a_page_is_summed_up_by_its_first_sentences() -> None:
    page = "# Money\n\n| a | b |\n| --- | --- |\n\nAn amount is [exact](money.md). It has\na currency. " + "More. " * 60

    assert summary_of(page).startswith("An amount is exact. It has a currency. More.")
    assert len(summary_of(page)) < 260
