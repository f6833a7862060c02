"""Logging of every process: one line an event, JSON for machines or coloured for people.

Temporal's workflow and activity loggers stay as they are (they keep quiet on replay) and are formatted here like
everything else.
"""

import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO

import structlog
from pydantic import SecretStr
from temporalio import activity, workflow

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.redaction import Redaction, password_of
from perennial_billing.runtime.settings import WEBHOOK_SECRET_PREFIX, LogFormat, Settings
from perennial_billing.runtime.settings_files import secrets_of as secret_settings
from perennial_billing.runtime.settings_files import shared_files

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


def say_briefly(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor that tells what a person has to mend in the one line that it is, without where it was met."""
    error = event.get("exc_info")
    if error is True:
        error = sys.exc_info()
    error = error[1] if isinstance(error, tuple) else error
    while isinstance(error, BaseException) and not isinstance(error, StartupError):
        error = error.__cause__
    if error is not None and not isinstance(error, bool):
        event.update(exc_info=None, why=str(error))
    return event


def _traceback_without(redaction: Redaction) -> Callable[[TextIO, structlog.typing.ExcInfo], None]:
    """Not the renderer's own choice of traceback, which shows local variables: they may hold secrets."""

    def write(file: TextIO, error: structlog.typing.ExcInfo) -> None:
        written = io.StringIO()
        structlog.dev.plain_traceback(written, error)
        file.write(_escaped(_shortened(redaction.text(written.getvalue())), kept="\n"))

    return write


def secrets_of(settings: Settings) -> Iterator[str]:
    """All that is secret of a process, piece by piece."""
    for name in secret_settings(Settings):
        secret: SecretStr | None = getattr(settings, name)
        if secret is not None:
            yield secret.get_secret_value().removeprefix(WEBHOOK_SECRET_PREFIX)
    yield from (*settings.accounts_secrets, *settings.portal_keys)
    if settings.codec_keys is not None:
        yield from re.findall(r":\s*([^\s,]+)", settings.codec_keys.get_secret_value())  # an id is none
    if settings.ledger_url is not None:
        yield from password_of(settings.ledger_url.get_secret_value())
    yield os.environ.get("TEMPORAL_API_KEY", "")


def configure_logging(settings: Settings) -> None:
    """Sends all logging to standard error in the format that was set."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        say_briefly,
        structlog.processors.format_exc_info,
    ]
    redaction = Redaction(secrets_of(settings))
    written: list[structlog.typing.Processor]
    if settings.log_format is LogFormat.JSON:
        written = [redaction, shorten, structlog.processors.JSONRenderer()]
    else:
        shared.remove(structlog.processors.format_exc_info)
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=_traceback_without(redaction)
        )
        written = [redaction, shorten, escape, renderer]
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
    for file in shared_files(Settings):
        logging.getLogger(__name__).warning("others may read a file with secrets: chmod 600 it (%s)", file)
