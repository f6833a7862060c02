"""Whoever follows the links of the description meets no fault, whatever is sent on the way; and gets somewhere.

pytest tests/api/test_links.py                               # some walks
pytest tests/api/test_links.py --hypothesis-profile soak     # many more, and longer ones
"""

import asyncio
from collections import Counter
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize

from tests.api.conftest import PLAN, Api
from tests.api.reference import described
from tests.endpoint import SECRET
from tests.unreliable import unreliable

SOAKS: Final = settings.get_current_profile_name() == "soak"
WALKS: Final = settings(
    max_examples=400 if SOAKS else 12,
    stateful_step_count=60 if SOAKS else 25,
    deadline=None,
    phases=list(Phase) if SOAKS else [Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


class Walked:
    """What became of the steps.

    Attributes:
        linked: how often an operation that a link led to was answered, by its name and the status.
        left: endpoints that nobody has removed.
    """

    def __init__(self) -> None:
        self.linked: Counter[tuple[str, int]] = Counter()
        self.left: set[str] = set()

    @property
    def arrived(self) -> Counter[str]:
        """How often a linked operation did what was wanted."""
        return Counter({name: count for (name, status), count in self.linked.items() if status < 300})


async def test_no_walk_along_the_links_meets_a_fault(api: Api) -> None:
    walked = Walked()
    async with unreliable() as endpoint:
        walks = walks_of(api, endpoint.url, walked, asyncio.get_running_loop())
        try:
            await asyncio.to_thread(walks.run, settings=WALKS)
        finally:
            for each in walked.left:
                await api.http.delete(f"/v1/endpoints/{each}")
    print(sorted(walked.linked.items()))
    print(walked.linked.total(), walked.arrived.total(), len(walked.arrived))

    assert walked.arrived.total() >= 100


def walks_of(api: Api, url: str, walked: Walked, loop: asyncio.AbstractEventLoop) -> Any:  # Any: of schemathesis
    """The state machine of the links; each walk begins with a subscription and an endpoint of its own.

    Args:
        api: which is walked through.
        url: of the merchant's endpoint.
        walked: is told of the steps.
        loop: in which the house runs.
    """
    import schemathesis  # dear to import, and every process imports this file
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation.stateful.state_machine import StepInput
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        ensure_resource_availability,
        response_schema_conformance,
        status_code_conformance,
        use_after_free,
    )

    schema = schemathesis.openapi.from_dict(api.app.openapi())
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
        ensure_resource_availability,
        use_after_free,
    ]
    linked: Any = schema.as_state_machine()  # Any: as above

    class Walks(linked):  # type: ignore[misc]
        @initialize(target=linked.bundles["POST /v1/subscriptions -> 201"])
        def a_subscription_starts(self) -> Any:
            permission = asyncio.run_coroutine_threadsafe(api.permission(), loop).result()
            body = {"charge_permission_id": permission, "plan": PLAN, "merchant_reference": f"walk-{permission}"}
            return self.begins("startSubscription", body)

        @initialize(target=linked.bundles["POST /v1/endpoints -> 201"])
        def an_endpoint_is_added(self) -> Any:
            return self.begins("addEndpoint", {"url": url, "secret": SECRET})

        def begins(self, operation: str, body: dict[str, Any]) -> Any:
            case = schema.find_operation_by_id(operation).Case(body=body, media_type="application/json")
            first = StepInput.initial(case)
            self.recorder.record_case(case=case)
            self.control.record_step(first, self.recorder)
            output = self._step(first)
            assert output.response.status_code == 201, output.response.text
            return output

        def before_call(self, case: Any) -> None:
            case.headers["Authorization"] = f"Bearer {api.key.token}"
            if case.operation.method == "post":
                case.headers["Idempotency-Key"] = uuid4().hex
            if case.operation.label.endswith("/advance"):
                case.body = {"by": "month"}

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": api.origin, "timeout": 60}

        def after_call(self, response: Any, case: Any) -> None:
            super().after_call(response, case)
            if self.recorder.cases[case.id].is_transition_applied:
                walked.linked[(case.operation.definition.raw["operationId"], response.status_code)] += 1
            if case.operation.label == "POST /v1/endpoints" and response.status_code == 201:
                walked.left.add(response.json()["endpoint"]["id"])

        def validate_response(self, response: Any, case: Any, *_args: Any, **kwargs: Any) -> None:
            case.validate_response(response, checks=checks, transport_kwargs=kwargs or None, recorder=self.recorder)

    for root in linked.root_rules:
        setattr(Walks, root, None)  # who follows links begins nowhere else
    return Walks
