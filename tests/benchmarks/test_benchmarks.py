"""Every benchmark runs to its end with tiny counts and gives its figures. None of them is judged here."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECONDS = 60.0


async def figures_of(benchmark: str, *options: str) -> dict[str, Any]:
    """What a benchmark prints as JSON. Any: its figures."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"benchmarks.{benchmark}", *options, "--json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    figures: dict[str, Any] = json.loads(out)
    return figures


async def test_signing_is_measured_for_both_algorithms_beside_the_bare_signature() -> None:
    figures = await figures_of("signing", "--rounds", "2", "--signatures", "5")

    assert list(figures["algorithms"]) == ["AMZN-PAY-RSASSA-PSS-V2", "AMZN-PAY-RSASSA-PSS"]
    for of in figures["algorithms"].values():
        assert 0 < of["lowest_ratio"] <= of["ratio"] <= of["highest_ratio"]
        assert of["bare_microseconds"] > 0
        assert of["signed_microseconds"] > 0
    assert figures["machine"]


async def test_the_simulators_rate_is_measured_beside_its_floors() -> None:
    figures = await figures_of("simulator_rate", "--rounds", "2", "--charges", "10", "--connections", "2")

    for name in ("charges_a_second", "health_a_second", "verifications_a_second", "load_generator_busy"):
        assert figures[name] > 0, name
    assert len(figures["charges_a_second_by_round"]) == 2
    assert figures["machine"]
