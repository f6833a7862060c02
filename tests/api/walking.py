"""Walks along the links of the API's description: a state machine, of which each operation is a step.

It imports schemathesis, which is dear, so tests import it where they walk.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from uuid import uuid4

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import Bundle, initialize
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.engine.errors import is_inconsistent_replay
from schemathesis.generation.stateful.state_machine import StepInput
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ensure_resource_availability,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)

from tests.api.conftest import PLAN, Api
from tests.endpoint import SECRET

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ensure_resource_availability,
    use_after_free,
]
OF_ONE: Final = "/v1/subscriptions/{charge_permission_id}"
SOUND: Final[dict[str, dict[str, Any]]] = {
    "/advance": {"by": "month"},
    "/change-plan": {"quantity": 3},
    "/items": {"amount": {"amount": "2.10", "currency": "USD"}, "what": "a tea strainer"},
    "/refunds": {"period": 0, "amount": {"amount": "0.35", "currency": "USD"}},
}
"""What makes sense, where of what is sent at random hardly anything does; every second time."""


@dataclass
class Walked:
    """What became of all steps.

    Attributes:
        walks: how many came to their end.
        linked: how often what a link led to was answered, by the operation's id and the status.
        failed: what was no answer as it is described, and how to send the same.
    """

    walks: int = 0
    linked: Counter[tuple[str, int]] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)


class Steps:
    """What a walk does beside following links: it begins with a subscription and an endpoint of its own.

    Attributes:
        api: which is walked through.
        loop: in which it runs.
        url: of the merchant's endpoint.
        walked: is told of each step.
    """

    api: ClassVar[Api]
    loop: ClassVar[asyncio.AbstractEventLoop]
    url: ClassVar[str]
    walked: ClassVar[Walked]
    endpoint = ""

    @initialize(target=Bundle("POST /v1/subscriptions -> 201"))
    def a_subscription_starts(self) -> Any:  # Any, here and below: what schemathesis passes around
        permission = self.done(self.api.permission())
        body = {"charge_permission_id": permission, "plan": PLAN, "merchant_reference": f"walk-{permission}"}
        return self.begins("startSubscription", body)

    @initialize(target=Bundle("POST /v1/endpoints -> 201"))
    def an_endpoint_is_added(self) -> Any:
        output = self.begins("addEndpoint", {"url": self.url, "secret": SECRET})
        self.endpoint = output.response.json()["endpoint"]["id"]
        return output

    def begins(self: Any, operation: str, body: dict[str, Any]) -> Any:
        """A step to which no link led."""
        case = self.schema.find_operation_by_id(operation).Case(body=body, media_type="application/json")
        first = StepInput.initial(case)
        self.recorder.record_case(case=case)
        self.control.record_step(first, self.recorder)
        output = self._step(first)
        assert output.response.status_code == 201, output.response.text
        return output

    def done(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What the house has done, in its own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def before_call(self, case: Any) -> None:
        if case.operation.method == "post":
            case.headers["Idempotency-Key"] = uuid4().hex
        operation = case.operation.path.removeprefix(OF_ONE).removesuffix("/dry-run")
        if operation in SOUND and uuid4().int % 2:
            case.body = SOUND[operation]

    def get_call_kwargs(self, case: Any) -> dict[str, Any]:
        return {"base_url": self.api.origin, "timeout": 60, "auth": self.with_key}

    def with_key(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """A request with the key, which schemathesis would leave out at times."""
        request.headers["Authorization"] = f"Bearer {self.api.key.token}"
        return request

    def after_call(self: Any, response: Any, case: Any) -> None:
        self.recorder.record_response(case_id=case.id, response=response)
        if self.recorder.cases[case.id].is_transition_applied:
            self.walked.linked[case.operation.definition.raw["operationId"], response.status_code] += 1

    def validate_response(self: Any, response: Any, case: Any, *_args: Any, **kwargs: Any) -> None:
        try:
            case.validate_response(response, checks=CHECKS, transport_kwargs=kwargs or None, recorder=self.recorder)
        except FailureGroup as group:
            self.walked.failed.append("\n".join(map(str, (group, *group.exceptions))))

    def teardown(self) -> None:
        """The house tells an endpoint of everybody's notices for as long as it is there."""
        self.walked.walks += 1
        if self.endpoint:
            self.done(self.api.http.delete(f"/v1/endpoints/{self.endpoint}"))


def walk(api: Api, url: str, loop: asyncio.AbstractEventLoop, *, walks: int, steps: int) -> Walked:
    """Walks along the links.

    Args:
        api: see `Steps`.
        url: see `Steps`.
        loop: see `Steps`; this is called in another thread.
        walks: how many.
        steps: of each, at most.
    """
    schema = schemathesis.openapi.from_dict(api.app.openapi())
    schema.config.phases.stateful.inference.algorithms = []  # links that are only guessed are nobody's promise
    linked = schema.as_state_machine()
    nowhere_else = dict.fromkeys(linked.root_rules)  # who follows links begins at none of these
    walked = Walked()
    own = {"api": api, "url": url, "loop": loop, "walked": walked}
    machine: Any = type("Walks", (Steps, linked), nowhere_else | own)
    while walked.walks < walks:
        so_many = settings(
            max_examples=walks - walked.walks,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        try:
            machine.run(settings=so_many)
        except (Flaky, AssertionError) as error:
            # The house goes on meanwhile, so the same steps are answered otherwise: Hypothesis cannot know that.
            if not isinstance(error, Flaky) and not is_inconsistent_replay(error):
                raise
    return walked
