"""The distributions as anybody gets them: built, and installed in environments of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CLIENT: Final = "amazon-pay-client"
SIMULATOR: Final = "amazon-pay-simulator"
APPLICATION: Final = "perennial-billing"
DISTRIBUTIONS: Final = (CLIENT, SIMULATOR, APPLICATION)
IMPORTED_AS: Final = {name: name.replace("-", "_") for name in DISTRIBUTIONS}

SECONDS: Final = 110


def uv() -> str | None:
    """The program `uv`: it says where it is to what it runs."""
    return os.environ.get("UV") or shutil.which("uv")


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Runs a command in a folder, without anything of this process's Python, and gives what it printed.

    Raises:
        AssertionError: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def built(folder: Path) -> dict[str, Path]:
    """Each distribution's wheel, made of its source distribution."""
    program = uv()
    assert program is not None
    run(program, "build", "--all-packages", "--quiet", "--out-dir", folder, folder=ROOT)
    return {name: next(folder.glob(f"{imported}-*.whl")) for name, imported in IMPORTED_AS.items()}


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "Environment":
        """A new one, of this Python, with nothing in it."""
        program = uv()
        assert program is not None
        run(program, "venv", "--quiet", "--no-project", "--python", sys.executable, path)
        return cls(path)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.program("python")

    def program(self, name: str) -> Path:
        """A program that is installed in it, or would be."""
        return self.path / "bin" / name

    def install(self, *what: str | Path, extras: Sequence[str] = ()) -> None:
        """Installs wheels and what they need; of what they name of ours nothing but these wheels."""
        program = uv()
        assert program is not None
        wheels = [f"{each}[{','.join(extras)}]" if extras else each for each in what]
        run(program, "pip", "install", "--quiet", "--python", self.python, *wheels)

    def uninstall(self, *names: str) -> None:
        """Takes distributions out again."""
        program = uv()
        assert program is not None
        run(program, "pip", "uninstall", "--quiet", "--python", self.python, *names)

    def packages(self) -> Path:
        """Where its packages are."""
        return next(self.path.glob("lib/python*/site-packages"))

    def says(self, code: str, folder: Path | None = None) -> str:
        """What a program of Python prints that is run in it."""
        return run(self.python, "-c", code, folder=folder or self.path).strip()

    @property
    def megabytes(self) -> float:
        """How much is installed, before anything is compiled."""
        files = [file for file in self.packages().rglob("*") if file.is_file() and file.suffix != ".pyc"]
        return sum(file.stat().st_size for file in files) / 1e6
