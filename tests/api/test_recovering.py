"""Recovering over HTTP: tried first, then done, once for each key; and what keeps a workflow is told beforehand."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest

from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.workflows.names import workflow_id
from tests.api.conftest import Api


def address(permission: str, *, dry_run: bool = False) -> str:
    return f"/v1/subscriptions/{permission}/recover{'/dry-run' if dry_run else ''}"


async def terminated(api: Api) -> str:
    permission = await api.started(anchor=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    await standing(api, permission)  # as soon as a worker has taken it
    handle = api.house.client.get_workflow_handle(workflow_id(permission))
    await handle.terminate(reason="the wrong window")
    return permission


async def pause(api: Api, permission: str) -> None:
    client = api.house.client
    await client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(
            namespace=client.namespace, workflow_id=workflow_id(permission), identity="jane", request_id=uuid4().hex
        )
    )


async def standing(api: Api, permission: str) -> dict[str, Any]:
    answer = await api.http.get(f"/v1/subscriptions/{permission}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_was_terminated_is_tried_then_brought_back_and_a_repetition_is_the_same_answer(api: Api) -> None:
    permission = await terminated(api)
    assert (await standing(api, permission))["stopped"]["how"] == "terminated"

    tried = await api.http.post(address(permission, dry_run=True), json={})
    assert tried.status_code == 200, tried.text
    assert (await standing(api, permission))["stopped"] is not None, "nothing was changed"

    first = await api.post(address(permission), {"because": "terminated by mistake"}, once="one")
    again = await api.post(address(permission), {"because": "terminated by mistake"}, once="one")

    assert first.status_code == 200, first.text
    assert first.json()["stopped"]["why"] == "the wrong window"
    assert (first.json()["status"], first.json()["next_period"], first.json()["fallen_due"]) == ("active", 0, 0)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert (await standing(api, permission))["stopped"] is None
    runs = api.house.client.list_workflows(f"WorkflowId = '{workflow_id(permission)}'")
    assert len([run async for run in runs]) <= 2


async def test_what_runs_or_is_not_known_is_not_brought_back(api: Api) -> None:
    running = await api.started()
    for path in (address(running), address(running, dry_run=True)):
        answer = await api.post(path)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:perennial:problem:conflict"), answer.text
        assert "nothing is amiss with it" in answer.json()["detail"]
        nobody = await api.post(path.replace(running, "C01-0000000-0000000"))
        assert nobody.status_code == 404, nobody.text


async def test_what_is_paused_in_temporal_says_so_and_goes_on(api: Api) -> None:
    permission = await api.started()
    await pause(api, permission)

    kept = await api.http.get(f"/v1/subscriptions/{permission}")
    assert (kept.status_code, kept.json()["type"]) == (409, "urn:perennial:problem:hindered"), kept.text
    assert "its workflow is paused since" in kept.json()["detail"]
    assert f"by jane, and nobody bills it meanwhile: `perennial recover {permission}`" in kept.json()["detail"]
    tried = await api.http.post(address(permission, dry_run=True), json={})
    assert (tried.json()["hindered"]["how"], tried.json()["hindered"]["by"]) == ("paused", "jane")
    assert (await api.http.get(f"/v1/subscriptions/{permission}")).status_code == 409, "nothing was changed"
    assert (await api.post(address(permission))).json()["hindered"]["by"] == "jane"
    assert (await standing(api, permission))["hindered"] is None


@pytest.mark.parametrize(("scope", "tries", "does"), [(Scope.READ, 200, 403), (Scope.ACT, 403, 200)])
async def test_a_key_that_may_look_may_try_and_one_that_may_act_may_do_it(
    api: Api, scope: Scope, tries: int, does: int
) -> None:
    permission = await terminated(api)
    key = await make(api.house.ledger, f"only {scope.value}", [scope])
    headers = {"Authorization": f"Bearer {key.token}"}
    async with httpx.AsyncClient(base_url=api.origin, headers=headers, timeout=60.0) as http:
        tried = await http.post(address(permission, dry_run=True), json={})
        done = await http.post(address(permission), json={}, headers={"Idempotency-Key": uuid4().hex})
    assert (tried.status_code, done.status_code) == (tries, does), (tried.text, done.text)
