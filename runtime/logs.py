"""Logging of every process: one line an event, JSON for machines or coloured for people.

Temporal's workflow and activity loggers stay as they are (they keep quiet on replay) and are formatted here like
everything else.
"""

import io
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

import structlog
from temporalio import activity, workflow

from perennial_billing.runtime.settings import LogFormat, Settings

LONGEST_LOGGED: Final = 10_000
"""Characters of one text, a traceback included, so that whoever sends us long ones does not fill the disk."""


def shorten(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor that bounds every text, whoever wrote it."""
    return {name: _each_text(value, _shortened) for name, value in event.items()}


def escape(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor for people's terminals: nothing in a text acts on them, or begins a line that is none of ours."""
    return {name: _each_text(value, _escaped) for name, value in event.items()}


def _each_text(value: Any, change: Callable[[str], str]) -> Any:  # Any: whatever is logged
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_each_text(name, change): _each_text(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return value


def _shortened(text: str) -> str:
    """Without its middle where it is long: what went wrong stands at the end of a traceback."""
    half = LONGEST_LOGGED // 2
    return text if len(text) <= LONGEST_LOGGED else f"{text[:half]} [...] {text[-half:]}"


def _escaped(text: str, kept: str = "") -> str:
    return "".join(letter if letter.isprintable() or letter in kept else ascii(letter)[1:-1] for letter in text)


def _plain_traceback(file: TextIO, error: structlog.typing.ExcInfo) -> None:
    """Not the renderer's own choice of traceback, which shows local variables: they may hold secrets."""
    written = io.StringIO()
    structlog.dev.plain_traceback(written, error)
    file.write(_escaped(_shortened(written.getvalue()), kept="\n"))


def configure_logging(settings: Settings) -> None:
    """Sends all logging to standard error in the format that was set."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    written: list[structlog.typing.Processor]
    if settings.log_format is LogFormat.JSON:
        written = [shorten, structlog.processors.JSONRenderer()]
    else:
        shared.remove(structlog.processors.format_exc_info)
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_plain_traceback)
        written = [shorten, escape, renderer]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    # One line a request would repeat what the activities tell already.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
