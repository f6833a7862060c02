"""Keeps the house's log lines out of what a command prints: both share this process, and its standard output."""

from collections.abc import Iterator

import pytest
import structlog

import perennial_billing.starter.cli.output  # noqa: F401 - its consoles are made before a test pretends to be a terminal


@pytest.fixture(autouse=True)
def _log_lines_go_to_pytest() -> Iterator[None]:
    kept = structlog.get_config()
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
    yield
    structlog.configure(**kept)
