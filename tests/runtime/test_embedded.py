"""The server of demonstrations and tests starts also where it loses a race for one of its ports, and says why not."""

from pathlib import Path

import pytest

from perennial_billing.runtime.embedded import STARTS, embedded_server, find_temporal
from perennial_billing.runtime.errors import StartupError

PANICS = "echo 'panic: failed to assign a free port'; echo; echo '  main.go:18 +0x8e'; exit 2"


def program(directory: Path, *, ends: int) -> Path:
    """The server's program, which ends with a panic so many times before it runs."""
    counted, written = directory / "starts", directory / "temporal"
    script = (
        "#!/bin/sh",
        f"echo >> {counted}",
        f"if [ $(wc -l < {counted}) -le {ends} ]; then {PANICS}; fi",
        f'exec {find_temporal()} "$@"',
    )
    written.write_text("\n".join(script))
    written.chmod(0o755)
    return written


async def test_it_is_started_again_where_it_ends_at_once(tmp_path: Path) -> None:
    async with embedded_server([], binary=program(tmp_path, ends=STARTS - 1)) as server:
        assert await server.client.service_client.check_health()


async def test_what_its_panic_says_is_told_where_it_never_starts(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"did not start: it ended, saying: panic: failed to assign a free port$"):
        async with embedded_server([], binary=program(tmp_path, ends=STARTS)):
            pass
