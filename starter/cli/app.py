"""The command `perennial` as typer knows it: a group that imports a command's module when the command is typed."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from perennial_billing.starter.cli.commands import ABOUT, COMMANDS, DISTRIBUTION, PROGRAM, VERSION_HELP, Command

COMPLETION_WIDTH: Final = 50
"""Of what a shell shows beside a command. Typer breaks longer ones, and the rest would be completed as a word."""


class SparingOption(TyperOption):
    """An option that is parsed only where there is something to parse: typer would import pydantic to parse nothing."""

    def process_value(self, ctx: Any, value: Any) -> Any:  # Any: as typer has them
        chosen = next((choice for choice in self.type_descriptor.choices or () if choice == value), None)
        if (value is not None and chosen is None) or self.required or self.multiple:
            return super().process_value(ctx, value)
        return self.callback(ctx, self, chosen) if self.callback else chosen


def sparing(parameters: list[Any]) -> list[Any]:
    """The same, with typer's options turned into sparing ones: it makes them itself, and offers no other way."""
    for parameter in parameters:
        if type(parameter) is TyperOption:
            parameter.__class__ = SparingOption
    return parameters


class SparingCommand(TyperCommand):
    """A command of sparing options."""

    def get_params(self, ctx: Any) -> list[Any]:  # Any: as typer has them
        return sparing(super().get_params(ctx))


class CommandsByName(Mapping[str, Any]):  # Any: typer's commands and groups, whose common class is its own matter
    """All commands, each loaded when it is looked up."""

    def __init__(self) -> None:
        self._commands = {command.name: command for command in COMMANDS}

    def __getitem__(self, name: str) -> Any:
        return _loaded(self._commands[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


@cache
def _loaded(command: Command) -> Any:
    """The command as typer makes it of its function or its group."""
    module, _, name = command.source.partition(":")
    found = getattr(import_module(module, __package__), name)
    alone = typer.Typer(rich_markup_mode="rich")
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=command.name, rich_help_panel=command.panel)
    else:
        alone.command(command.name, cls=SparingCommand, rich_help_panel=command.panel)(found)
    return typer.main.get_group(alone).commands[command.name]


class LazyGroup(TyperGroup):
    """The group of all commands. Its help is drawn from the table of commands, so that it loads none."""

    def __init__(self, **attributes: Any) -> None:  # Any: what typer makes a group of
        super().__init__(**attributes | {"commands": CommandsByName()})

    def get_params(self, ctx: Any) -> list[Any]:  # Any: as typer has them
        return sparing(super().get_params(ctx))

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # Any: as typer has them
        """The commands that begin so, from the table of commands; typer would load each for its help."""
        from textwrap import shorten

        from typer.core import CompletionItem  # type: ignore[attr-defined]  # typer offers it nowhere else

        if incomplete.startswith("-"):
            return list(super().shell_complete(ctx, incomplete))
        return [
            CompletionItem(each.name, help=shorten(each.help, COMPLETION_WIDTH, placeholder=" ..."))
            for each in COMMANDS
            if each.name.startswith(incomplete)
        ]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Any: as typer has them
        from perennial_billing.starter.cli.front_page import print_front_page

        print_front_page()


app = typer.Typer(
    name=PROGRAM,
    cls=LazyGroup,
    help=ABOUT,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals may hold secrets
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if not wanted:
        return
    from importlib.metadata import version

    typer.echo(f"{PROGRAM} {version(DISTRIBUTION)}")
    raise typer.Exit


@app.callback()
def _perennial(
    version: Annotated[
        bool, typer.Option("--version", help=VERSION_HELP, callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What makes typer see a group where it sees no command."""
