"""A page that is followed as it is printed: its commands are typed into real shells, and what they print is compared.

Behind the language of a code block stands what it is for:

- `run`: typed into the reader's shell, in which one block follows the other; `look`, too, and again until it prints
  what the page shows, as somebody who waits for something would do.
- `output`: what that printed.
- `in-NAME`: typed into another shell, which goes on; `from-NAME`: what is to be read there next.
- `stop-NAME`: Ctrl-C there.
- anything else is the name of a file that the reader writes.

What is another at each run is compared by its kind: times, keys, secrets and the like. A line `...` stands for any
lines.

`python -m tests.tutorial` follows docs/tutorial.md and writes down what was printed.
"""

import asyncio
import codecs
import io
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from perennial_billing.runtime.embedded import find_temporal

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "tutorial.md"
SECONDS: Final = 60.0
"""How long anything on the page may take, on a machine that has other things to do."""
LOOKS_EVERY_SECONDS: Final = 0.2
LOOKS: Final = 20

_BLOCK: Final = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_BLOCK: Final = re.compile(r"^```(\w.*)\n", re.MULTILINE)

HOME_ON_THE_PAGE: Final = "/home/you"
_LEFT_OUT: Final = "...\n"
_KINDS: Final = {
    "<time>": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)?)?",
    "<month>": r"\d{4}-\d\d(?= )",
    "<key>": r"perennial_[0-9a-f]{16}_[\w-]+",
    "<secret>": r"whsec_[\w+/=]+",
    "<endpoint>": r"ep-[0-9a-f]{12}",
    "<id>": r"\b[0-9a-f]{32}\b",
    "<seconds>": r"\d+\.\d\d s\b",
    "<make>": r"Makefile:\d+",
}
_KIND: Final = re.compile("|".join(f"({pattern})" for pattern in _KINDS.values()))

_UV: Final = """#!/bin/sh
# Stands in for uv: what that would fetch from the registry is here already.
[ "$1" = run ] || exit 0
program=$3
shift 3
exec ".venv/bin/$program" "$@"
"""


_TEMPORAL: Final = """#!/bin/sh
# Its process id is noted: it has a session of its own, so that no Ctrl-C ends it before the worker.
echo $$ > {noted}
exec {program} "$@"
"""


class NotAsPrintedError(AssertionError):
    """A command failed, or printed something else than the page."""


@dataclass(frozen=True)
class Block:
    """A code block with a role, and where its text stands in the page."""

    role: str
    text: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    """Those that say what they are for."""
    return [Block(found[2], found[3], *found.span(3)) for found in _BLOCK.finditer(page)]


def without_role(page: str) -> list[str]:
    """The languages of those that do not."""
    return [said for said in _ANY_BLOCK.findall(page) if " " not in said]


def by_kind(text: str) -> str:
    """A text in which what differs from run to run has the name of its kind."""
    names = list(_KINDS)
    return _KIND.sub(lambda found: names[(found.lastindex or 1) - 1], text)


def pattern_of(printed: str) -> re.Pattern[str]:
    """What matches everything that a reader would take for the same as what is printed on the page."""
    lines = by_kind(printed).splitlines(keepends=True)
    return re.compile("".join(r"(?:.*\n)*?" if line == _LEFT_OUT else re.escape(line) for line in lines))


@dataclass
class Shell:
    """A bash of its own session, into which is typed, and which writes into files."""

    name: str
    process: asyncio.subprocess.Process
    out: Path
    err: Path
    read: Counter[str] = field(default_factory=Counter)
    """The lines that the page has shown so far."""

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    def said(self) -> str:
        """What it has written so far, but for a character or an end of a line of which it has written a part."""
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
        return decoder.decode(self.out.read_bytes())

    async def shows(self, printed: str, home: Path) -> None:
        """Waits until it shows these lines, each once more than it was read already.

        In any order: what two activities tell at once may arrive either way.

        Raises:
            NotAsPrintedError: they are not there in time, or the shell has ended without them.
        """
        lines = Counter(line for line in by_kind(printed).splitlines() if line != _LEFT_OUT.strip())
        missing = lines
        for _ in range(int(SECONDS / LOOKS_EVERY_SECONDS)):
            has_ended = self.process.returncode is not None
            there = Counter(by_kind(self.said().replace(str(home), HOME_ON_THE_PAGE)).splitlines())
            missing = lines - (there - self.read)
            if has_ended or not missing:
                break
            await asyncio.sleep(LOOKS_EVERY_SECONDS)
        if missing:
            wanted = "\n".join(missing)
            raise NotAsPrintedError(
                f"the shell {self.name} did not print\n{wanted}\nbut\n{self.said()}{self.trouble()}"
            )
        self.read += lines

    def trouble(self) -> str:
        return self.err.read_text(errors="replace")


def _hears_ctrl_c() -> None:
    """What is run in the background of a script ignores it, and all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Session:
    """Somebody who follows the page, with a home and, where that can be had, a network of their own."""

    home: Path
    environment: Mapping[str, str]
    enter: tuple[str, ...] = ()
    """The command in front of each shell."""
    cwd: str = ""
    shells: dict[str, Shell] = field(default_factory=dict)
    printed: dict[int, str] = field(default_factory=dict)
    """What was printed in place of the output that begins there on the page."""
    _typed: int = 0

    async def opened(self, name: str) -> Shell:
        if name not in self.shells:
            out, err = self.home.parent / f"{name}.out", self.home.parent / f"{name}.err"
            with out.open("w") as output, err.open("w") as trouble:
                process = await asyncio.create_subprocess_exec(
                    *self.enter,
                    "bash",
                    cwd=self.home,
                    env=self.environment,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=trouble,
                    start_new_session=True,
                    preexec_fn=_hears_ctrl_c,
                )
            self.shells[name] = Shell(name, process, out, err)
        return self.shells[name]

    async def typed(self, commands: str) -> str:
        """Types into the reader's shell, and waits until that is done; gives what it printed.

        Raises:
            NotAsPrintedError: a command failed.
        """
        shell = await self.opened("reader")
        self._typed += 1
        before = len(shell.said())
        ended = f"-- {self._typed} ended"
        shell.type(f"trap 'failed=$BASH_COMMAND' ERR\nfailed=\n{commands}\necho \"{ended} in $PWD by:$failed\"\n")
        for _ in range(int(SECONDS / LOOKS_EVERY_SECONDS * 10)):
            out, found, rest = shell.said()[before:].partition(ended)
            if found and rest.endswith("\n"):
                where, _, failed = rest.strip().removeprefix("in ").partition(" by:")
                self.cwd = where
                if failed:
                    raise NotAsPrintedError(f"{failed}: failed\n{out}\n{shell.trouble()[-2000:]}")
                return out.replace(str(self.home), HOME_ON_THE_PAGE)
            await asyncio.sleep(LOOKS_EVERY_SECONDS / 10)
        raise NotAsPrintedError(f"took longer than {SECONDS:.0f} s:\n{commands}")

    async def stop(self, name: str) -> None:
        """Ctrl-C in a shell: all that runs in it is told."""
        os.killpg(self.shells[name].process.pid, signal.SIGINT)

    async def end(self) -> None:
        """Ends every shell with what runs in it: first as Ctrl-C does, as only then it takes down what it started."""
        for told in (signal.SIGINT, signal.SIGKILL):
            for shell in reversed(self.shells.values()):
                if shell.process.returncode is None:
                    with suppress(ProcessLookupError):  # it has ended, and nobody was told yet
                        os.killpg(shell.process.pid, told)
                    try:
                        async with asyncio.timeout(15):
                            await shell.process.wait()
                    except TimeoutError:
                        continue


def network_of_its_own() -> tuple[str, ...]:
    """The command that runs another in a network in which every port is free; none where the system does not let us."""
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None:
        return ()
    return unshare, "--user", "--map-root-user", "--net"


@asynccontextmanager
async def session(folder: Path) -> AsyncIterator[Session]:
    """Somebody who has cloned the repository to ~/perennial, on a machine without uv on the PATH."""
    home, programs = folder / "home", folder / "programs"
    clone = home / "perennial"
    for made in (home, programs, clone / ".uv" / "bin", clone / ".venv"):
        made.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "uv.lock", "examples"):
        (clone / name).symlink_to(ROOT / name)
    (clone / ".venv" / "bin").symlink_to(Path(sys.prefix) / "bin")
    uv = clone / ".uv" / "bin" / "uv"
    uv.write_text(_UV)
    uv.chmod(0o700)
    for name, program in _programs():
        (programs / name).symlink_to(program)
    server = programs / "temporal"
    server.write_text(_TEMPORAL.format(noted=folder / "server", program=find_temporal()))
    server.chmod(0o700)
    environment = {"HOME": str(home), "PATH": str(programs), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": ""}
    environment |= {name: os.environ[name] for name in ("GOMAXPROCS", "GOGC", "PYENV_ROOT") if name in os.environ}
    follower = Session(home, environment)
    holder = await _holder(follower)
    try:
        yield follower
    finally:
        await follower.end()
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((folder / "server").read_text()), signal.SIGKILL)
        if holder is not None:
            with suppress(ProcessLookupError):
                holder.kill()
            await holder.wait()


def _programs() -> Iterator[tuple[str, Path]]:
    """Everything on the PATH but uv."""
    seen = {"uv", "uvx", "temporal"}
    for folder in map(Path, os.environ["PATH"].split(os.pathsep)):
        for program in sorted(folder.iterdir()) if folder.is_dir() else ():
            if program.name not in seen and os.access(program, os.X_OK):
                seen.add(program.name)
                yield program.name, program


async def _holder(follower: Session) -> asyncio.subprocess.Process | None:
    """The process that keeps a network for the shells, which enter it; None where they share everybody's."""
    own = network_of_its_own()
    if not own:
        return None
    holder = await asyncio.create_subprocess_exec(
        *own,
        *("sh", "-c", "ip link set lo up && echo up && exec sleep 600"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert holder.stdout is not None
    if await holder.stdout.readline() != b"up\n":
        await holder.wait()
        return None
    follower.enter = ("nsenter", f"--target={holder.pid}", "--user", "--net", "--preserve-credentials")
    return holder


async def follow(page: str, follower: Session, *, compare: bool = True) -> None:
    """Does as a page says, from its first block to its last.

    Args:
        page: its text.
        follower: who follows it.
        compare: False only takes down what is printed.

    Raises:
        NotAsPrintedError: something failed, or is not as it is printed.
    """
    todo = blocks(page)
    for number, block in enumerate(todo):
        kind, _, name = block.role.partition("-")
        following = todo[number + 1] if number + 1 < len(todo) else None
        match kind:
            case "run" | "look":
                shown = following if following is not None and following.role == "output" else None
                await _read(block, shown, follower, compare=compare)
            case "in":
                (await follower.opened(name)).type(block.text)
            case "from":
                await follower.shells[name].shows(block.text, follower.home)
            case "stop":
                await follower.stop(name)
            case "output":
                pass  # was compared with what was typed before it
            case _:
                (Path(follower.cwd) / block.role).write_text(block.text)


async def _read(block: Block, shown: Block | None, follower: Session, *, compare: bool) -> None:
    """Types a block and compares what that prints; what is only looked at, until it is so."""
    if block.role == "look" and not compare:
        await asyncio.sleep(1)
    printed = ""
    for _ in range(LOOKS if block.role == "look" and compare else 1):
        printed = await follower.typed(block.text)
        if shown is None:
            return
        follower.printed[shown.start] = printed
        if not compare or pattern_of(shown.text).fullmatch(by_kind(printed)):
            return
        await asyncio.sleep(LOOKS_EVERY_SECONDS)
    raise NotAsPrintedError(f"{block.text}was to print\n{shown.text if shown else ''}\nand printed\n{printed}")


def rewritten(page: str, printed: Mapping[int, str]) -> str:
    """The page with what was printed now; where lines are left out, it stays as it is."""
    for block in reversed(blocks(page)):
        if block.role == "output" and block.start in printed and _LEFT_OUT not in block.text:
            page = page[: block.start] + printed[block.start] + page[block.end :]
    return page


async def _main() -> None:
    page = PAGE.read_text()
    with tempfile.TemporaryDirectory(prefix="perennial-") as folder:
        async with session(Path(folder)) as follower:
            try:
                await follow(page, follower, compare=False)
            finally:
                PAGE.write_text(rewritten(page, follower.printed))


if __name__ == "__main__":
    asyncio.run(_main())
