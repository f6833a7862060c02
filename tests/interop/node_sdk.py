"""Amazon's SDK for Node as a process of its own: installed for one test session, run against a simulator with TLS."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from amazon_pay_simulator.books import ExportedBooks
from perennial_billing.runtime.http import AsgiApp

SOURCES: Final = ("package.json", "package-lock.json", "drive.mjs")
INSTALL_SECONDS: Final = 90.0
DRIVE_SECONDS: Final = 30.0

_HERE: Final = Path(__file__).parent
_UNREACHABLE: Final = re.compile(
    r"npm error code (?:EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTCACHED|ENOTFOUND|"
    r"ERR_SOCKET_TIMEOUT|ETIMEDOUT|FETCH_ERROR|E5\d\d)\b"
)
"""What npm says when there is no registry to be had, and not when a package is wrong."""


@dataclass(frozen=True)
class Merchant:
    """How a merchant sets the SDK up.

    Attributes:
        public_key_id: with or without the environment as its prefix.
        algorithm: None for the SDK's default.
        sandbox: names the environment where the key id does not.
    """

    public_key_id: str
    algorithm: str | None = None
    sandbox: bool | None = None

    @property
    def name(self) -> str:
        return f"{self.algorithm or 'default'}, {self.public_key_id}"


@dataclass(frozen=True)
class Answered:
    """What the SDK gave back for one call. Any: what a test is about to find out."""

    status: int
    body: Mapping[str, Any]

    @property
    def state(self) -> Any:
        return self.body["statusDetails"]["state"]


@dataclass(frozen=True)
class Driven:
    """One run of the script.

    Attributes:
        merchant: who ran it.
        public_key: the merchant's, for what was signed.
        button: the payload of a button and its signature, in base64.
        answers: by the step's name.
        books: the simulator's, as they stood after the run.
        paths: that the SDK asked for.
    """

    merchant: Merchant
    public_key: RSAPublicKey
    button: Mapping[str, str]
    answers: Mapping[str, Answered]
    books: ExportedBooks
    paths: tuple[str, ...]

    def __getitem__(self, step: str) -> Answered:
        return self.answers[step]


@dataclass(frozen=True)
class Simulation:
    """A simulator that is served with TLS.

    Attributes:
        address: its host and port, as the SDK wants it.
        app: the same simulator without the wire, for reading its books.
        private_key_file: the merchant's.
        private_key: the same.
        paths: every path that was asked for so far.
    """

    address: str
    app: AsgiApp
    private_key_file: Path
    private_key: RSAPrivateKey
    paths: list[str]

    async def books(self) -> ExportedBooks:
        """Read in the process: the simulator's certificate is its own, and this client would not trust it."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://simulator") as http:
            return ExportedBooks.model_validate_json((await http.get("/simulator/books")).content)


async def install(folder: Path) -> None:
    """Puts the script and exactly the locked packages into a folder; skips where that is not possible."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    for name in SOURCES:
        shutil.copy(_HERE / name, folder)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
    code, out, err = await _run(folder, INSTALL_SECONDS, {}, "npm", "ci", *options)
    if unreachable := _UNREACHABLE.search(err):
        pytest.skip(f"the npm registry cannot be reached ({unreachable[0]})")
    assert code == 0, f"npm ci failed: {out}{err}"


async def drive(folder: Path, merchant: Merchant, simulation: Simulation) -> Driven:
    """Runs the whole integration; a script that fails is a test that fails."""
    settings = {
        "serviceUrl": simulation.address,
        "publicKeyId": merchant.public_key_id,
        "privateKeyPath": str(simulation.private_key_file),
    }
    settings |= {"algorithm": merchant.algorithm} if merchant.algorithm else {}
    given = json.dumps(settings | ({} if merchant.sandbox is None else {"sandbox": merchant.sandbox}))
    asked_before = len(simulation.paths)
    # A proxy named in the environment would stand between the SDK and loopback.
    environment = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    code, out, err = await _run(folder, DRIVE_SECONDS, environment, "node", "drive.mjs", given)
    assert code == 0, f"drive.mjs failed: {err}\nafter: {out}"
    button, *answers = (json.loads(line) for line in out.splitlines())
    return Driven(
        merchant,
        simulation.private_key.public_key(),
        button,
        {line["step"]: Answered(line["status"], line["body"]) for line in answers},
        await simulation.books(),
        tuple(simulation.paths[asked_before:]),
    )


async def _run(folder: Path, seconds: float, environment: Mapping[str, str], *command: str) -> tuple[int, str, str]:
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
    return process.returncode, out.decode(), err.decode()
