"""What is done to many is broken off: it says how far it came, and its report is whole up to the last result."""

import asyncio
import csv
import json
import signal
from pathlib import Path

import pytest

from perennial_billing.sandbox.stage import PUBLIC_KEY_ID, Stage
from tests.starter.command_line import Said, joined_to, typed
from tests.starter.test_cli_many import COFFEE
from tests.worker.processes import finished, perennial

ROWS = 600
FEW = 5


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Many subscribers of whom Amazon knows nothing, and a folder with their plan."""
    rows = [f"C01-{number:07}-0000009,coffee,2025-01-31T09:00:00Z" for number in range(ROWS)]
    file, plans = tmp_path / "rows.csv", tmp_path / "plans"
    file.write_text("\n".join(["charge_permission_id,plan,anchor", *rows]))
    plans.mkdir()
    (plans / "coffee.toml").write_text(COFFEE)
    return file, plans


def slowly(house: Stage) -> dict[str, str]:
    """The environment of a command that asks Amazon only so often a second, so that it lasts."""
    return joined_to(house) | {
        "PERENNIAL_AMAZON_PAY_ORIGIN": house.simulator.origin,
        "PERENNIAL_PUBLIC_KEY_ID": PUBLIC_KEY_ID,
        "PERENNIAL_PRIVATE_KEY_PATH": str(house.settings.private_key_path),
        "PERENNIAL_CALLS_PER_SECOND": "30",
        "COLUMNS": "250",
    }


def lines_in(report: Path) -> int:
    return report.read_text().count("\n") if report.exists() else 0


async def lines_of(report: Path, at_least: int) -> None:
    async with asyncio.timeout(60):
        while lines_in(report) < at_least:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("sent", "code", "suffix"),
    [
        ("SIGINT", 130, ".csv"),
        pytest.param("SIGTERM", 143, ".jsonl", marks=pytest.mark.long),
        pytest.param("SIGHUP", 129, ".csv", marks=pytest.mark.long),
        ("SIGKILL", -signal.SIGKILL, ".csv"),
    ],
)
async def test_a_signal_leaves_a_whole_report_and_it_is_said_how_far_it_came(
    house: Stage, tmp_path: Path, files: tuple[Path, Path], sent: str, code: int, suffix: str
) -> None:
    (file, plans), report = files, tmp_path / f"report{suffix}"
    command = ("import", "check", str(file), "--plans", str(plans), "--report", str(report))
    async with perennial(*command, environment=slowly(house)) as process:
        await lines_of(report, FEW + 1)
        process.send_signal(signal.Signals[sent])
        said = Said(*await finished(process))

    text = report.read_text()
    assert text.endswith("\n"), "no half a line"
    told = (
        list(csv.DictReader(text.splitlines()))
        if suffix == ".csv"
        else [json.loads(each) for each in text.split("\n")[:-1]]
    )
    assert FEW <= len(told) < ROWS
    assert {each["outcome"] for each in told} == {"refused"}
    assert len({each["row"] for each in told}) == len(told)
    assert (said.code, said.out, "Traceback" in said.err) == (code, "", False)
    if sent != "SIGKILL":
        assert said.err.startswith(f"broken off: after {len(told)}: 0 checked, {len(told)} were refused")
        assert f"{report} has a line for each that is known. Repeat the same command to go on" in said.err


@pytest.mark.long  # in the suite: other signals
async def test_with_nohup_a_hangup_is_ignored(house: Stage, tmp_path: Path, files: tuple[Path, Path]) -> None:
    (file, plans), report = files, tmp_path / "report.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:40]))
    command = ("import", "check", str(file), "--plans", str(plans), "--report", str(report))
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what a process ignores, those that it starts do
    try:
        async with perennial(*command, environment=slowly(house)) as process:
            await lines_of(report, FEW)
            process.send_signal(signal.SIGHUP)
            said = Said(*await finished(process))
    finally:
        signal.signal(signal.SIGHUP, kept)

    assert (said.code, len(report.read_text().splitlines())) == (1, 40)


async def test_a_report_that_can_no_longer_be_written_ends_it_in_words(
    house: Stage, tmp_path: Path, files: tuple[Path, Path]
) -> None:
    (file, plans), report = files, tmp_path / "report.csv"
    report.symlink_to("/dev/full")

    said = await typed("import", "check", str(file), "--plans", str(plans), "--report", str(report), **slowly(house))

    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1] == f"error: --report {report}: No space left on device"
