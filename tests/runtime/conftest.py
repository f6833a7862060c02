"""A bare environment: what is set on the machine of whoever runs the tests does not count."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No variable of ours or of Temporal's is set, and no profile of Temporal's is found."""
    for name in list(os.environ):
        if name.upper().startswith(("PERENNIAL_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "no-profile.toml"))
    return monkeypatch
