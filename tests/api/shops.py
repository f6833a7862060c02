"""The example shops as processes: each in its language, skipped where that is not on this machine."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from perennial_billing.ledger.api_keys import Scope, make
from tests.api.conftest import Api
from tests.interop.programs import NO_PROXY, needed

FOLDER: Final = Path(__file__).parents[2] / "examples" / "shop"
STARTS_WITHIN_SECONDS: Final = 20.0

LANGUAGES: Final = ("python", "php", "node")


def _command(language: str, address: str) -> Sequence[str]:
    match language:
        case "python":
            return sys.executable, "shop.py"
        case "php":
            needed("php")
            return "php", "-S", urlsplit(address).netloc, "shop.php"
        case _:
            needed("node")
            return "node", "shop.mjs"


@asynccontextmanager
async def shop(api: Api, language: str) -> AsyncIterator[str]:
    """A shop that serves; gives its address. Its key can no more than it needs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    key = await make(api.house.ledger, f"shop in {language}", [Scope.READ, Scope.ACT])
    process = await asyncio.create_subprocess_exec(
        *_command(language, address),
        cwd=FOLDER,
        env={
            **os.environ,
            **NO_PROXY,
            "SHOP_API": api.origin,
            "SHOP_API_KEY": key.token,
            "SHOP_STORE_ID": "amzn1.application-oa2-client.51",
            "SHOP_ADDRESS": address,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _serves(address, process)
        yield address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _serves(address: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(STARTS_WITHIN_SECONDS), httpx.AsyncClient() as browser:
        while True:
            assert process.returncode is None, "the shop has ended"
            try:
                await browser.get(address)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
