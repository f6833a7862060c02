"""A real Prometheus of Debian's that reads what a test serves, and judges it by our rules: with shorter intervals."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.sight.rules import ALERTS, program

SECONDS = 90.0
"""How long an alert may take on a machine that has much to do."""

_NO_WAIT = re.compile(r"^( +)for: \w+$", re.MULTILINE)
_RANGE = re.compile(r"\[\d+[mh]\]")
_OFFSET = re.compile(r"offset \d+[mh]")


@dataclass(frozen=True)
class Judge:
    """It.

    Attributes:
        http: asks it.
    """

    http: httpx.AsyncClient

    async def firing(self) -> dict[str, dict[str, str]]:
        """The labels of one firing alert of each name."""
        found = (await self.http.get("/api/v1/alerts")).json()["data"]["alerts"]
        return {each["labels"]["alertname"]: each["labels"] for each in found if each["state"] == "firing"}

    async def fires(self, name: str) -> dict[str, str]:
        """Waits for an alert; its labels."""
        try:
            async with asyncio.timeout(SECONDS):
                while name not in (firing := await self.firing()):
                    await asyncio.sleep(0.3)
        except TimeoutError:
            raise AssertionError(f"{name} does not fire; {sorted(await self.firing())} do") from None
        return firing[name]

    async def calms_down(self) -> None:
        """Waits until nothing fires."""
        async with asyncio.timeout(SECONDS):
            while await self.firing():
                await asyncio.sleep(0.3)

    async def reads(self, expression: str) -> bool:
        """Whether it has read something that an expression finds."""
        answer = await self.http.get("/api/v1/query", params={"query": expression})
        return bool(answer.json()["data"]["result"])

    async def has_read(self, expression: str) -> None:
        """Waits until it has: from then on a counter is seen to increase."""
        async with asyncio.timeout(SECONDS):
            while not await self.reads(expression):
                await asyncio.sleep(0.3)


def hasty(scaled: Mapping[str, str]) -> str:
    """The rules, so that nobody waits for minutes: at once, over 30 seconds, and with these parts replaced."""
    rules = _NO_WAIT.sub(r"\1for: 0s", ALERTS.read_text())
    rules = _OFFSET.sub("offset 30s", _RANGE.sub("[30s]", rules))
    for said, instead in scaled.items():
        assert said in rules, said
        rules = rules.replace(said, instead)
    return rules


@asynccontextmanager
async def judging(
    folder: Path, port: int, targets: Mapping[str, Sequence[str]], scaled: Mapping[str, str]
) -> AsyncIterator[Judge]:
    """Runs it while the context is open.

    Args:
        folder: for what it keeps.
        port: where it listens, on loopback.
        targets: what it reads, by job.
        scaled: parts of the rules that a test cannot wait for, and what they are replaced with.
    """
    prometheus = program("prometheus")
    (folder / "alerts.yml").write_text(hasty(scaled))
    configuration: dict[str, Any] = {  # Any: YAML
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]} for job, addresses in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(
        prometheus, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}", "--log.level=error",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as http:
            async with asyncio.timeout(SECONDS):
                while not await _is_ready(http):
                    assert process.returncode is None, "it has ended"
                    await asyncio.sleep(0.1)
            yield Judge(http)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/-/ready")).is_success
    except httpx.TransportError:
        return False
