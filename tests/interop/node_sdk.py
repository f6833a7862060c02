"""Amazon's SDK for Node as a process of its own: installed for one test session, run against a simulator with TLS."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay_simulator.books import ExportedBooks
from tests.interop.programs import NO_PROXY, needed, run
from tests.interop.simulation import Simulation

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


async def install(folder: Path, sources: Path = _HERE, names: Sequence[str] = SOURCES) -> None:
    """Puts the script and exactly the locked packages into a folder; skips where that is not possible."""
    needed("node", "npm")
    for name in names:
        shutil.copy(sources / name, folder)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
    ended = await run(folder, INSTALL_SECONDS, {}, "npm", "ci", *options)
    if unreachable := _UNREACHABLE.search(ended.err):
        pytest.skip(f"the npm registry cannot be reached ({unreachable[0]})")
    assert ended.code == 0, f"npm ci failed: {ended.out}{ended.err}"


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
    ended = await run(folder, DRIVE_SECONDS, NO_PROXY, "node", "drive.mjs", given)
    assert ended.code == 0, f"drive.mjs failed: {ended.err}\nafter: {ended.out}"
    button, *answers = (json.loads(line) for line in ended.out.splitlines())
    return Driven(
        merchant,
        simulation.private_key.public_key(),
        button,
        {line["step"]: Answered(line["status"], line["body"]) for line in answers},
        await simulation.books(),
        tuple(simulation.paths[asked_before:]),
    )
