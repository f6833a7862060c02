"""What stands in the pages of the documentation: commands, blocks of code, links, headings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer

from perennial_billing.starter.cli.app import app

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_INDENTED: Final = re.compile(r"(?:^ {4,}[^\n]*\n)+", re.MULTILINE)
_TYPED: Final = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:uv run |\.venv/bin/)?perennial (?P<rest>.*)$", re.MULTILINE)
_INLINE: Final = re.compile(r"`perennial (?P<rest>[^`]+)`")
_ENDS: Final = frozenset({"|", "&", ">", "&&", ";"})
_SUBSTITUTED: Final = re.compile(r"\$\([^)]*\)")
"""What a shell would put something in the place of."""
_SYNOPSIS: Final = frozenset({"[OPTIONS]", "[COMMAND]", "[ARGS]..."})
"""What says how a command is typed, and is not typed itself."""
_HEADING: Final = re.compile(r"^#{1,6} (?P<words>.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?P<target>[^)\s]+)\)")


class Block(NamedTuple):
    """A block of code with a language."""

    language: str
    text: str


def named(page: Path) -> str:
    """A page, for the name of a test."""
    return str(page.relative_to(ROOT))


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [found["text"] for found in _FENCE.finditer(page) if found["language"] == language]


def typed(page: str) -> Iterator[list[str]]:
    """The commands that stand in blocks of code, by their words after `perennial`."""
    without_fences = _FENCE.sub("", page)
    code = [found["text"] for found in _FENCE.finditer(page) if found["language"] in {"", "sh", "bash", "console"}]
    code += [re.sub(r"^ {4,8}", "", found[0], flags=re.MULTILINE) for found in _INDENTED.finditer(without_fences)]
    for block in code:
        for found in _TYPED.finditer(re.sub(r"\\\n\s*", " ", block)):
            words = _words(found["rest"])
            if words and not _SYNOPSIS & set(words):  # alone it says what it can do
                yield words


def inline(page: str) -> Iterator[list[str]]:
    """The commands that are named within a line, with or without what they need."""
    for found in _INLINE.finditer(re.sub(r"\s*\n\s*", " ", _FENCE.sub("", page))):
        yield _words(found["rest"])


def _words(rest: str) -> list[str]:
    words: list[str] = []
    for word in shlex.split(_SUBSTITUTED.sub("word", rest), comments=True):
        if word in _ENDS:
            break
        words.append(word)
    return words


def why_not_a_command(words: list[str], *, whole: bool = True) -> str:
    """Why the command line would not take these words; nothing where it would. No file is looked for.

    Args:
        words: after `perennial`.
        whole: what is needed has to be there too.
    """
    command: Any = typer.main.get_command(app)  # Any: as typer has them
    context = command.context_class(command, info_name="perennial")
    while words and hasattr(command, "get_command"):
        found = command.get_command(context, words[0])
        if found is None:
            return "" if words[0].isupper() or words[0].startswith("--") else f"there is no command {words[0]!r}"
        context = command.context_class(found, info_name=words[0], parent=context)
        command, words = found, words[1:]
    if hasattr(command, "get_command"):
        return "a command is missing" if whole and "--help" not in words else ""
    return _why_not_taken(command, context, words, whole=whole)


def _why_not_taken(command: Any, context: Any, words: list[str], *, whole: bool) -> str:  # Any: as above
    try:
        given, left, _ = command.make_parser(context).parse_args(args=list(words))
    except Exception as error:  # noqa: BLE001 - whichever class typer's parser raises
        return str(getattr(error, "message", error)) if whole or "requires an argument" not in str(error) else ""
    if left:
        return f"{left} is too much"
    for parameter in command.params:
        value = given.get(parameter.name)
        if value is None or value == ():
            if whole and parameter.required:
                return f"{parameter.name} is missing"
        elif whole and parameter.type_descriptor.annotation is not Path and not parameter.is_eager:
            try:
                parameter.process_value(context, value)
            except Exception as error:  # noqa: BLE001 - as above
                return f"{parameter.name}: {getattr(error, 'message', error)}"
    return ""


def links(page: str) -> Iterator[tuple[str, str]]:
    """Where links within the documentation lead: a path, perhaps empty, and a heading, perhaps empty."""
    for found in _LINK.finditer(_FENCE.sub("", page)):
        if not found["target"].startswith(("https://", "http://")):
            path, _, heading = found["target"].partition("#")
            yield path, heading


def headings(page: str) -> set[str]:
    """By what links name them."""
    return {slug(found["words"]) for found in _HEADING.finditer(_FENCE.sub("", page))}


def slug(words: str) -> str:
    """A heading as an anchor: lower case, without marks, words joined by hyphens."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", words.strip().lower()))
