"""How a command ends: what it raised becomes one line and an exit code, unless nobody foresaw it. What it prints."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import pytest
import typer
from pydantic import BaseModel, Field
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from perennial_billing.billing.keys import idempotency_key
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli import output
from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, say
from perennial_billing.starter.cli.page import Page
from perennial_billing.starter.cli.tables import Column, Sheet
from perennial_billing.starter.errors import NotAnsweredError, RequestRefusedError, SubscriptionNotFoundError
from tests.starter.command_line import Said, run


class Order(BaseModel):
    """Something with a rule."""

    quantity: Annotated[int, Field(le=3)]


def raising(error: Exception) -> Callable[[], NoReturn]:
    def trouble() -> NoReturn:
        raise error

    return trouble


def ended(trouble: Callable[[], object]) -> Said:
    """What comes of a command in whose course something is called.

    Raises:
        Exception: whatever it did not turn into an exit code.
    """
    app = typer.Typer()

    @app.command()
    @asynchronous
    async def command() -> None:
        trouble()

    result = CliRunner().invoke(app, [], catch_exceptions=False)
    return Said(result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize(
    ("trouble", "code", "line"),
    [
        (raising(StartupError("--plan: is missing")), 2, "--plan: is missing"),
        (raising(RefusedError("the books differ")), 1, "the books differ"),
        (raising(SubscriptionNotFoundError("there is none")), 1, "there is none"),
        (
            raising(RequestRefusedError("C01-7", Refused("skip", "", "there is no next period", Kind.NOT_NOW))),
            1,
            "charge permission C01-7: skip: there is no next period",
        ),
        (
            raising(NotAnsweredError("C01-7", "order-5", accepted=True)),
            3,
            (
                "charge permission C01-7: it was accepted, and Amazon has not answered yet: "
                "ask again with the request id order-5, which asks for nothing new"
            ),
        ),
        (lambda: Order(quantity=4), 2, "quantity: 4 is not accepted; 3 or less is"),
        (
            lambda: idempotency_key("C01-1234567-1234567", -1, 1),
            2,
            "attempt: 1 of period -1 is not accepted; what fits into an idempotency key of 32 characters is",
        ),
    ],
    ids=[
        "cannot start",
        "refused",
        "no subscription",
        "the subscription refuses",
        "not answered",
        "a model refuses",
        "a rule refuses",
    ],
)
def test_expected_trouble_is_one_line_and_an_exit_code(trouble: Callable[[], object], code: int, line: str) -> None:
    said = ended(trouble)

    assert (said.code, said.trouble) == (code, f"error: {line}")


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), ValueError("a mistake"), KeyError("a mistake")], ids=repr)
def test_what_nobody_foresaw_is_not_made_small(error: Exception) -> None:
    with pytest.raises(type(error), match="a mistake"):
        ended(raising(error))


def test_a_command_keeps_its_name_its_help_and_its_options() -> None:
    @asynchronous
    async def greet(name: Annotated[str, typer.Option(help="Whom.")], *, as_json: JsonOption = False) -> None:
        """Say hello."""
        say({"hello": name}, f"hello {name}", as_json=as_json)

    app = typer.Typer()
    app.command()(greet)

    text, data, page = (CliRunner().invoke(app, [*of, "--name", "Ada"]).stdout for of in ([], ["--json"], ["--help"]))
    assert text == "hello Ada\n"
    assert data == '{\n  "hello": "Ada"\n}\n'
    for words in ("greet", "Say hello.", "--name", "Whom.", "--json"):
        assert words in page


@pytest.mark.parametrize(("is_terminal", "lines"), [(True, 2), (False, 1)])
def test_a_text_is_wrapped_for_a_terminal_and_not_for_a_pipe(
    *, is_terminal: bool, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "out", Console(width=80, force_terminal=is_terminal))

    say(None, "a word " * 20, as_json=False)

    assert len(capsys.readouterr().out.strip().splitlines()) == lines


HOSTILE = "[/x][bold]\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"


def test_nothing_that_others_wrote_is_markup_or_acts_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(output, "out", output.PlainConsole())
    output.out.file = written
    sheet = Sheet([Column("Reason"), Column("Why", is_prose=True)], [(HOSTILE, HOSTILE)], title=HOSTILE)

    say(None, HOSTILE, Text(HOSTILE, "bold"), sheet, Page(HOSTILE), as_json=False)

    said = written.getvalue()
    assert said.count("[/x]") >= 4
    assert all(line.isprintable() for line in said.splitlines())


def test_an_error_says_what_others_wrote_without_harm() -> None:
    said = ended(raising(RefusedError(f"it was refused: {HOSTILE} \\[/x]")))

    assert said.code == output.REFUSED
    assert said.err.strip().isprintable()
    assert "[/x][bold]" in said.err
    assert said.err.endswith("\\[/x]\n")


COLOURS_FORCED = {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"} | {
    "PY_COLORS": "1",
    "COLORTERM": "truecolor",
    "TERM": "xterm-256color",
}


async def test_data_for_machines_has_no_colours_whatever_the_environment_asks_for() -> None:
    plan = str(Path(__file__).parents[2] / "examples/plans/coffee-monthly.toml")

    said = await run("plan", "preview", plan, "--count", "2", "--json", **COLOURS_FORCED)

    assert (said.code, said.err) == (0, "")
    assert len(said.data) == 2
    assert said.out.isascii()
    assert "\x1b" not in said.out


def test_text_that_is_no_character_can_be_said_as_data() -> None:
    said = ended(lambda: say({"reason": "\ud800\x9b"}, as_json=True))

    assert said.data == {"reason": "\ud800\x9b"}
    assert said.out.isascii()
