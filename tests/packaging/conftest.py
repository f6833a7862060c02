"""Wheels, once per session."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.environments import built, uv


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Each distribution's wheel by its name."""
    if uv() is None:
        pytest.skip("uv is not on the PATH: `make test` and `uv run pytest` bring it")
    return built(tmp_path_factory.mktemp("dist"))
