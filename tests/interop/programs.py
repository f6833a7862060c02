"""Other people's programs as processes, each in a folder of its own, ended with the time that it is given."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import pytest

NO_PROXY: Final = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
"""A proxy named in the environment would stand between a program and loopback."""


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it wrote."""

    code: int
    out: str
    err: str


async def run(folder: Path, seconds: float, environment: Mapping[str, str], *command: str) -> Ended:
    """Runs a program to its end.

    Raises:
        TimeoutError: it took longer, and was killed.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


def needed(*programs: str) -> None:
    """Skips the test where one of the programs is not on this machine."""
    for program in programs:
        if shutil.which(program) is None:
            absent(f"{program} is not installed")


def absent(what: str) -> NoReturn:
    """Skips the test; fails it in CI, whose first step installs what can be had, so that a green run hides no gap."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, though .ci/run installs it")
    pytest.skip(what)
