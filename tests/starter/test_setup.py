"""`perennial setup`: on a real server all is made once, and is there then; what Temporal Cloud makes for an
administrator alone is told as lines to type."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.service import RPCError

from perennial_billing.runtime.embedded import EmbeddedServer, embedded_server
from perennial_billing.starter.checks.temporal import CallQueue
from perennial_billing.starter.setting_up import cloud, temporal
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES
from tests.starter.command_line import Said, dead_port, typed

ON_TEMPORAL: Final = (
    "namespace", "search attributes", "limits of calls", "one partition a call queue", "first release",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[EmbeddedServer]:
    """A server of nobody's, in which there is no namespace of ours."""
    async with embedded_server([]) as running:
        yield running


async def set_up(
    server: EmbeddedServer, namespace: str, folder: Path, *options: str, **environment: str
) -> tuple[Said, dict[str, dict[str, Any]]]:
    """What it says as data, by the thing. Any: an item as data."""
    said = await typed(
        "setup",
        "--json",
        *options,
        **{
            "TEMPORAL_ADDRESS": server.address,
            "TEMPORAL_NAMESPACE": namespace,
            "PERENNIAL_DATA_FOLDER": str(folder),
        }
        | environment,
    )
    return said, {each["name"]: each for each in said.data["items"]}


def states(items: dict[str, dict[str, Any]]) -> list[str]:
    return [each["state"] for each in items.values()]


async def test_all_is_made_once_and_is_there_then(server: EmbeddedServer, tmp_path: Path) -> None:
    """In a namespace of 90 days; another retention is set only where one is asked for."""
    trial, items = await set_up(server, "shop", tmp_path, "--dry-run", "--retention-days", "90")
    assert (trial.code, states(items)) == (0, ["would be made", "would be made"])
    assert items["namespace"]["told"] == "shop, which keeps what has ended for 90 days"

    made, items = await set_up(server, "shop", tmp_path, "--retention-days", "90")
    assert (made.code, tuple(items)) == (0, ("ledger", *ON_TEMPORAL))
    assert states(items) == ["made", "made", "made", "made", "there already", "there already"]
    assert items["search attributes"]["told"] == ", ".join(key.name for key in SEARCH_ATTRIBUTES)

    again, items = await set_up(server, "shop", tmp_path)
    assert (again.code, states(items)) == (0, ["there already"] * 6)
    assert items["namespace"]["told"] == "shop, which keeps what has ended for 90 days"

    other, items = await set_up(server, "shop", tmp_path, "--retention-days", "45", "--only", "temporal")
    assert (other.code, states(items)[0]) == (0, "made")
    _, items = await set_up(server, "shop", tmp_path, "--dry-run")
    assert items["namespace"]["told"] == "shop, which keeps what has ended for 45 days"

    nowhere = str(tmp_path / "accounts.toml")
    unread, items = await set_up(
        server, "shop", tmp_path, PERENNIAL_ACCOUNTS_PATH=nowhere, PERENNIAL_CALLS_PER_SECOND="GetCharge=3"
    )
    assert (unread.code, states(items)) == (1, [*["there already"] * 3, "not made", *["there already"] * 2])
    assert nowhere in items["limits of calls"]["told"]

    rates, items = await set_up(server, "shop", tmp_path, "--dry-run", PERENNIAL_CALLS_PER_SECOND="CreateCharge=7")
    assert (rates.code, items["limits of calls"]["told"]) == (0, "of perennial-CreateCharge")


async def test_an_attribute_of_another_type_is_said_and_nothing_is_made_of_it(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    await set_up(server, "mistyped", tmp_path, "--only", "temporal")
    removal = RemoveSearchAttributesRequest(namespace="mistyped", search_attributes=["PastDue"])
    types = {"PastDue": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
    while True:  # the server knows of a namespace, and of a removal, a moment later
        try:
            with suppress(RPCError):
                await server.client.operator_service.remove_search_attributes(removal)
            await server.client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace="mistyped", search_attributes=types)
            )
            break
        except RPCError:
            await asyncio.sleep(0.05)

    said, items = await set_up(server, "mistyped", tmp_path, "--only", "temporal")
    while items["search attributes"]["state"] == "made":
        said, items = await set_up(server, "mistyped", tmp_path, "--only", "temporal")
    assert said.code == 1
    assert items["search attributes"]["told"] == "of another type: PastDue is Keyword and not Bool"
    assert said.err.strip().endswith("are left to you: search attributes")


async def test_what_the_key_of_a_namespace_may_not_make_is_told_as_lines(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    missing, items = await set_up(server, "bills.a1b2c", tmp_path, "--cloud", "--only", "temporal")
    assert (missing.code, states(items)) == (1, ["must be made by you"])
    tcld, terraform = items["namespace"]["lines"]
    assert tcld == (
        "tcld namespace create --namespace bills --region YOUR-REGION --auth-method api_key --retention-days 30"
    )
    assert 'source = "./deploy/terraform", name = "bills"' in terraform

    lacking, items = await set_up(server, "default", tmp_path, "--cloud", "--only", "temporal", "--retention-days", "9")
    assert lacking.code == 1
    assert items["namespace"]["lines"][0] == "tcld namespace retention set --namespace default --retention-days 9"
    first, *resources = items["search attributes"]["lines"]
    assert first.startswith("tcld namespace search-attributes add --namespace default --search-attribute ")
    assert all(f'"{key.name}=' in first for key in SEARCH_ATTRIBUTES)
    assert len(resources) == len(SEARCH_ATTRIBUTES)
    assert items["limits of calls"]["state"] == "made"
    plain = await typed("setup", "--cloud", "--only", "temporal", TEMPORAL_ADDRESS=server.address)
    assert f"\n  {first}\n" in plain.out


@pytest.mark.parametrize(
    ("address", "is_cloud"),
    [
        ("bills.a1b2c.tmprl.cloud:7233", True),
        ("us-east-1.aws.api.temporal.io:7233", True),
        ("temporal.shop.example:7233", False),
        ("tmprl.cloud.shop.example:7233", False),
    ],
)
def test_temporal_cloud_is_known_by_its_address(address: str, *, is_cloud: bool) -> None:
    assert cloud.is_cloud(address) is is_cloud


async def test_where_nobody_answers_the_ledger_is_set_up_all_the_same(tmp_path: Path) -> None:
    with dead_port() as port:
        said = await typed("setup", "--json", TEMPORAL_ADDRESS=f"127.0.0.1:{port}", PERENNIAL_DATA_FOLDER=str(tmp_path))
    ledger, unreached = said.data["items"]
    assert (said.code, ledger["state"], unreached["state"]) == (1, "made", "not made")
    assert "no Temporal server answers" in unreached["told"]


async def test_partitions_are_left_to_whoever_configures_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def four(*_: object) -> list[CallQueue]:
        return [CallQueue("perennial-CreateCharge", 4, 4.0), CallQueue("perennial-GetCharge", 1, 4.0)]

    monkeypatch.setattr(temporal, "call_queues", four)
    item = await temporal._partitions(None, _Wanted())  # type: ignore[arg-type]  # neither is looked at
    assert item.is_left
    assert item.lines == (
        "matching.numTaskqueueReadPartitions:",
        "  - { value: 1, constraints: { taskQueueName: perennial-CreateCharge } }",
        "matching.numTaskqueueWritePartitions:",
        "  - { value: 1, constraints: { taskQueueName: perennial-CreateCharge } }",
    )


class _Wanted:
    task_queue = "perennial"
