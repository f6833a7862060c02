"""Typing commands in this process: what they print is theirs alone, whoever else writes meanwhile."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable

import pytest
import structlog
import typer

from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.settings import Settings
from tests.starter import command_line
from tests.starter.command_line import Said, typed

SECONDS = 60.0


def sets_up_logging() -> None:
    configure_logging(Settings(log_level="INFO"))


def sets_up_nothing() -> None:
    """As most commands."""


@pytest.mark.parametrize("begins", [sets_up_nothing, sets_up_logging])
async def test_what_others_of_this_process_write_while_a_command_runs_is_none_of_what_it_printed(
    begins: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app, began, goes_on = typer.Typer(), threading.Event(), threading.Event()

    @app.command()
    def speaks() -> None:
        begins()
        began.set()
        assert goes_on.wait(SECONDS)
        logging.getLogger("client").warning("the command logs")
        typer.echo("the command says")

        async def complains() -> None:
            typer.echo("the command complains", err=True)

        asyncio.run(complains())

    monkeypatch.setattr(command_line, "app", app)
    running = asyncio.create_task(typed())
    assert await asyncio.to_thread(began.wait, SECONDS)
    logging.getLogger("temporalio.activity").warning("the house logs")
    structlog.get_logger("ipn").warning("the house logs")
    sys.stdout.write("the house says\n")
    sys.stderr.write("the house complains\n")
    goes_on.set()
    said = await running

    assert (said.code, said.out) == (0, "the command says\n")
    logged, complained = said.err.splitlines()
    assert "the command logs" in logged
    assert complained == "the command complains"
    others = "".join(capsys.readouterr())
    assert others.count("the house logs") == 2
    assert "the house says\n" in others
    assert "the house complains\n" in others
    assert "the command" not in others


async def test_logging_that_a_command_has_set_up_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(sets_up_logging)
    monkeypatch.setattr(command_line, "app", app)
    root = logging.getLogger()
    before = root.handlers, root.level, structlog.get_config()

    assert await typed() == Said(0, "", "")

    assert (root.handlers, root.level, structlog.get_config()) == before
