"""Makes the page of all commands of what they say themselves: `python -m tests.starter.cli_reference`."""

import inspect
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from typer.main import get_group

from perennial_billing.starter.cli import output
from perennial_billing.starter.cli.app import app
from perennial_billing.starter.cli.commands import ABOUT, COMMANDS, PROGRAM

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"

_HEAD: Final = f"""# Commands

Made from the code by `python -m tests.starter.cli_reference`; a test says when that is due.

{ABOUT}
Every command knows `--help`. Where nothing says what a command is to work on, it works on the `perennial dev` that runs
on this machine, and says so; else by [settings](settings.md). What it tells goes to standard output, as JSON with
`--json`; trouble goes to standard error, in one line.

A tour:

    perennial worker                  # hosts subscriptions, calls Amazon Pay
    perennial ipn                     # receives Amazon's notifications
    perennial plan preview examples/plans/magazine-with-trial.toml --billing-day 31
    perennial start C01-1234567-1234567 --plan examples/plans/coffee-monthly.toml --zone Europe/Berlin
    perennial watch C01-1234567-1234567                               # how it stands and what it tells, live
    perennial upcoming C01-1234567-1234567
    perennial list --past-due
    perennial change plan C01-1234567-1234567 --quantity 2 --when now --dry-run     # what would be charged today
    perennial change pause C01-1234567-1234567 --until 2027-03-01T00:00:00+01:00
    perennial refund C01-1234567-1234567 --period 3 --amount "5.00 EUR"
    perennial refund --charge C01-1234567-1234567-C000017             # of any age, also when it has ended
    perennial cancel C01-1234567-1234567 --reason "moved away" --refund last
    perennial import check subscribers.csv --plans examples/plans     # who is billed elsewhere until now

    perennial find --reference order-4711                             # whose it is, also years after it has ended
    perennial timeline C01-1234567-1234567                            # everything that happened to it
    perennial report forecast                                         # when the first of the month is done
    perennial export entries --since 2027-01-01 --to books.csv        # for whoever keeps the books

Each request has an id (`--request-id`): repeated with it, it asks for nothing new. From Python, the same is done by
`perennial_billing.starter.client.Subscriptions`.
"""

EXIT_CODES: Final = {
    0: "done",
    output.REFUSED: "refused, or not true: there is no such subscription, books differ, an audit has found something",
    output.CANNOT_START: "cannot start: an option, a setting, a file or a port is wrong; the line says which",
    output.NOT_ANSWERED: (
        "asked, and not answered yet: no worker was there, or Amazon has not answered. Ask again with the request id "
        "that is printed"
    ),
    output.HUNG_UP: "ended by SIGHUP",
    output.INTERRUPTED: "ended by SIGINT, which is Ctrl-C",
    output.TERMINATED: "ended by SIGTERM",
}

_VALUES: Final = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH", datetime: "INSTANT"}


def page() -> str:
    """The page, command by command in the order of the front page."""
    lines = [_HEAD, "## Exit codes\n", "| code | what it means |", "| ---: | --- |"]
    lines += [f"| {code} | {said} |" for code, said in EXIT_CODES.items()]
    lines.append("")
    for command in COMMANDS:
        lines += _section(_group().commands[command.name], [PROGRAM, command.name])
    return "\n".join(lines)


def _group() -> Any:  # Any: typer's groups and commands, whose classes are its own matter
    return get_group(app)


def _section(command: Any, path: list[str]) -> Iterator[str]:  # Any: as above
    yield f"{'#' * len(path)} {' '.join(path)}\n"
    yield f"{inspect.cleandoc(command.help)}\n"
    commands = getattr(command, "commands", {})
    if commands:
        for name, each in commands.items():
            yield from _section(each, [*path, name])
        return
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    options = [each for each in shown if each.param_type_name == "option"]
    typed = [*path, *(_placeholder(each) for each in arguments), *(["[OPTIONS]"] if options else [])]
    yield f"    {' '.join(typed)}\n"
    yield from _table("argument", [(f"`{_placeholder(each)}`", each) for each in arguments])
    yield from _table("option", [(f"`{_typed(each)}`", each) for each in options])


def _table(heading: str, parameters: list[tuple[str, Any]]) -> Iterator[str]:  # Any: as above
    if not parameters:
        return
    yield f"| {heading} | what it is | default |"
    yield "| --- | --- | --- |"
    for shown, parameter in parameters:
        yield f"| {shown} | {_meaning(parameter)} | {_default(parameter)} |"
    yield ""


def _placeholder(argument: Any) -> str:  # Any: as above
    return str(argument.metavar or argument.name.upper())


def _typed(option: Any) -> str:  # Any: as above
    names = ", ".join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {option.metavar or _value_of(option)}"


def _value_of(option: Any) -> str:  # Any: as above
    kind = _kind(option)
    return "CHOICE" if _choices(kind) else _VALUES.get(kind, str(getattr(kind, "__name__", kind)).upper())


def _kind(parameter: Any) -> Any:  # Any: as above; a type
    kind = parameter.type_descriptor.annotation
    return get_args(kind)[0] if get_origin(kind) in {list, tuple} else kind


def _choices(kind: Any) -> list[str]:  # Any: a type
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(each.value) for each in kind]
    return [str(each) for each in get_args(kind)]


def _meaning(parameter: Any) -> str:  # Any: as above
    said = " ".join((parameter.help or "").split()).replace("|", "\\|")
    choices, bounds = _choices(_kind(parameter)), _bounds(parameter)
    return " ".join(
        [
            said,
            *([f"One of {', '.join(f'`{each}`' for each in choices)}."] if choices else []),
            *([f"{bounds}."] if bounds else []),
            *(["May be given several times."] if getattr(parameter, "multiple", False) else []),
        ]
    ).strip()


def _bounds(parameter: Any) -> str:  # Any: as above
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is None or high is None:
        return f"At least {low}" if low is not None else f"At most {high}" if high is not None else ""
    return f"From {low} to {high}"


def _default(parameter: Any) -> str:  # Any: as above
    if parameter.required:
        return "needed"
    default = parameter.default
    if default is None or default in (False, (), [], ""):
        return ""
    return f"`{default.value if isinstance(default, Enum) else default}`"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
