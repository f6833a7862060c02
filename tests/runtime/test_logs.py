"""One line an event, from whichever library it comes, and no secret in any of them."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from temporalio import activity, workflow

from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.settings import LogFormat, Settings

SECRET = "S3CRET"

Configure = Callable[[Settings], io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configures logging as a process does, with standard error to be read; everything is put back afterwards."""
    root, httpx_logger = logging.getLogger(), logging.getLogger("httpx")
    before = (root.handlers, root.level, httpx_logger.level, structlog.get_config(), structlog.is_configured())
    flags = (workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message)
    root.handlers = []
    written = io.StringIO()

    def apply(settings: Settings) -> io.StringIO:
        monkeypatch.setattr(sys, "stderr", written)
        configure_logging(settings)
        return written

    yield apply
    root.handlers, root.level, httpx_logger.level = before[:3]
    structlog.reset_defaults()
    if before[4]:
        structlog.configure(**before[3])
    workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message = flags


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def use(passphrase: str, why: str = "what went wrong") -> None:
    """Fails with a secret in a plain variable, as code does that has just taken one out of its wrapping."""
    raise ValueError(why)


def test_both_libraries_write_the_same_json_lines(configure: Configure) -> None:
    written = configure(Settings())

    structlog.get_logger("ours").info("taken", number=3)
    logging.getLogger("theirs").warning("waiting %.1f s", 0.5, extra={"address": "host:1"})

    ours, theirs = lines(written)
    for line in (ours, theirs):
        age = datetime.now(UTC) - datetime.fromisoformat(line.pop("timestamp"))
        assert timedelta(0) <= age < timedelta(minutes=1)
    assert ours == {"event": "taken", "level": "info", "logger": "ours", "number": 3}
    assert theirs == {"event": "waiting 0.5 s", "level": "warning", "logger": "theirs", "address": "host:1"}


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("INFO", ["info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_written(configure: Configure, level: str, shown: list[str]) -> None:
    written = configure(Settings(log_level=level))

    for logger in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        for name in ("debug", "info", "warning", "error"):
            getattr(logger, name)("said")

    assert [line["level"] for line in lines(written)] == shown * 2


@pytest.mark.parametrize("library", [structlog.get_logger, logging.getLogger])
def test_an_exception_is_part_of_its_one_line(configure: Configure, library: Callable[[str], Any]) -> None:
    written = configure(Settings())

    try:
        use(SECRET)
    except ValueError:
        library("ours").exception("failed")

    (line,) = lines(written)
    assert (line["event"], line["level"]) == ("failed", "error")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: what went wrong")


def test_no_text_breaks_a_line_in_two(configure: Configure) -> None:
    written = configure(Settings())

    structlog.get_logger("ours").info("one\ntwo\u2028three", field="a\r\nb")
    logging.getLogger("theirs").info("one\n%s", "two")

    assert [line["event"] for line in lines(written)] == ["one\ntwo\u2028three", "one\ntwo"]


def test_a_value_that_json_does_not_know_loses_no_line(configure: Configure) -> None:
    written = configure(Settings())

    structlog.get_logger("ours").info("said", at=datetime(2026, 11, 23, tzinfo=UTC), odd=object())

    (line,) = lines(written)
    assert line["event"] == "said"
    assert "2026" in line["at"]


def test_what_was_bound_to_the_context_is_told_with_every_line(configure: Configure) -> None:
    written = configure(Settings())

    with structlog.contextvars.bound_contextvars(request="r-1"):
        structlog.get_logger("ours").info("said")
        logging.getLogger("theirs").info("said")

    assert [line["request"] for line in lines(written)] == ["r-1", "r-1"]


def test_configuring_again_doubles_no_line(configure: Configure) -> None:
    configure(Settings())
    written = configure(Settings())

    logging.getLogger("theirs").info("said")

    assert len(lines(written)) == 1


@pytest.mark.parametrize("log_format", LogFormat)
def test_a_secret_is_not_shown_wherever_it_stands(configure: Configure, log_format: LogFormat) -> None:
    settings = Settings(log_format=log_format, private_key=SecretStr(SECRET), private_key_passphrase=SecretStr(SECRET))
    written = configure(settings)
    secret = SecretStr(SECRET)

    ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
    ours.info("said", field=secret, nested={"a": [secret]}, settings=settings)
    theirs.info("said %s %r", secret, settings, extra={"field": secret, "nested": {"a": [secret]}})

    assert written.getvalue().count("said") == 2
    assert SECRET not in written.getvalue()


@pytest.mark.parametrize("log_format", LogFormat)
def test_an_exception_does_not_show_the_variables_around_it(configure: Configure, log_format: LogFormat) -> None:
    written = configure(Settings(log_format=log_format))

    try:
        use(SECRET)
    except ValueError:
        structlog.get_logger("ours").exception("failed")
        logging.getLogger("theirs").exception("failed")

    assert written.getvalue().count("ValueError: what went wrong") == 2
    assert SECRET not in written.getvalue()


def test_lines_for_people_are_not_json_and_have_no_colours_where_nobody_looks(configure: Configure) -> None:
    written = configure(Settings(log_format=LogFormat.CONSOLE))

    structlog.get_logger("ours").info("taken", number=3)
    logging.getLogger("theirs").warning("waiting")

    first, second = written.getvalue().splitlines()
    assert "info" in first
    assert "taken" in first
    assert "number=3" in first
    assert "warning" in second
    assert "waiting" in second
    assert "\x1b" not in first + second


def test_requests_are_not_told_one_by_one(configure: Configure) -> None:
    written = configure(Settings())

    logging.getLogger("httpx").info("HTTP Request: POST ...")
    logging.getLogger("httpx").warning("trouble")

    assert [line["event"] for line in lines(written)] == ["trouble"]


def test_temporals_loggers_leave_the_message_alone(configure: Configure) -> None:
    """What they know of the workflow comes as a field; appended to the message it could not be searched."""
    configure(Settings())

    assert not workflow.logger.workflow_info_on_message
    assert not activity.logger.activity_info_on_message


HOSTILE = "owned\x1b]0;owned\x07\n2026-01-01 [error] forged\u202e\ud800\x9b2J"


def test_lines_for_people_hold_nothing_that_acts_on_their_terminal(configure: Configure) -> None:
    written = configure(Settings(log_format=LogFormat.CONSOLE))

    structlog.get_logger("ours").info(HOSTILE, field=HOSTILE, nested={HOSTILE: [HOSTILE]})
    logging.getLogger("theirs").warning("said %s", HOSTILE, extra={"field": HOSTILE})

    lines_of_ours = written.getvalue().splitlines()
    assert len(lines_of_ours) == 2
    assert all(line.isprintable() for line in lines_of_ours)


def test_a_traceback_for_people_holds_nothing_that_acts_on_their_terminal(configure: Configure) -> None:
    written = configure(Settings(log_format=LogFormat.CONSOLE))

    try:
        use(SECRET, HOSTILE)
    except ValueError:
        logging.getLogger("theirs").exception("failed")

    assert "Traceback" in written.getvalue()
    assert all(line.isprintable() for line in written.getvalue().splitlines())


@pytest.mark.parametrize("log_format", LogFormat)
def test_no_text_of_others_fills_the_disk(configure: Configure, log_format: LogFormat) -> None:
    written = configure(Settings(log_format=log_format))

    structlog.get_logger("ours").info("said", field="a" * 1_000_000, nested=[{"b": "c" * 1_000_000}])
    logging.getLogger("theirs").info("d" * 1_000_000)
    try:
        use(SECRET, "e" * 1_000_000)
    except ValueError:
        logging.getLogger("theirs").exception("failed")

    assert len(written.getvalue()) < 50_000
