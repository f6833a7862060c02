"""Lives all stories, and keeps their histories: `python -m tests.histories`. Takes minutes."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(
        pytest.main(["-q", "-p", "tests.histories.keeping", *(sys.argv[1:] or ["tests/scenarios", "tests/workflows"])])
    )
