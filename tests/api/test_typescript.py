"""A client in TypeScript, generated from the API's description: it compiles, and a shop's program runs on it."""

import json
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.api.conftest import Api
from tests.interop.node_sdk import _UNREACHABLE
from tests.interop.programs import NO_PROXY, needed, run

_HERE: Final = Path(__file__).parent
_OPTIONS: Final = ("--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck")


async def test_a_client_is_generated_compiles_and_works(api: Api, tmp_path: Path) -> None:
    needed("node", "npm")
    for name in ("package.json", "package-lock.json", "client.ts"):
        shutil.copy(_HERE / name, tmp_path)
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
    installed = await run(tmp_path, 90.0, {}, *install)
    if unreachable := _UNREACHABLE.search(installed.err):
        pytest.skip(f"the npm registry cannot be reached ({unreachable[0]})")
    assert installed.code == 0, installed.err
    (tmp_path / "openapi.json").write_text(json.dumps(api.app.openapi()))
    tools = tmp_path / "node_modules"

    made = await run(
        tmp_path,
        60.0,
        {},
        "node",
        str(tools / "openapi-typescript/bin/cli.js"),
        "openapi.json",
        "-o",
        "schema.d.ts",
        "--default-non-nullable=false",
    )
    assert made.code == 0, made.err
    (tmp_path / "node_types.d.ts").write_text("declare const process: { argv: string[] };\n")
    compiled = await run(
        tmp_path, 90.0, {}, "node", str(tools / "typescript/bin/tsc"), *_OPTIONS, "client.ts", "node_types.d.ts"
    )
    assert compiled.code == 0, compiled.out
    ran = await run(tmp_path, 60.0, NO_PROXY, "node", "client.js", api.origin, api.key.token, await api.permission())

    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["status"] == "active"
    assert said["refused"] == ["period"]
    assert len(said["skips"]) == 1
    assert said["skip"].startswith("20"), "the instant at which it takes effect"
