"""What goes wrong on the wire, all from one seed, so that a run can be repeated.

Whether a request suffers is decided by the seed, the request and how often it was sent before, never by the order in
which requests happen to arrive. So two runs of the same subscribers meet the same faults, however they interleave.
"""

import hashlib
import random
from collections import Counter
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
"""Of all requests or notifications; 0 is none of them and 1 is every one."""

Seconds = Annotated[float, Field(ge=0, le=600)]


class Fault(StrEnum):
    """What happens to one request or its answer."""

    LOST_ANSWER = "lost_answer"
    """Amazon does what was asked for, and the connection closes without an answer."""
    RESET = "reset"
    """The connection is reset before Amazon has seen the request."""
    SLOW_BODY = "slow_body"
    """The answer's body comes byte by byte."""
    INTERNAL_ERROR = "internal_error"
    """500, before Amazon has done anything."""
    UNAVAILABLE = "unavailable"
    """503, before Amazon has done anything."""
    THROTTLED = "throttled"
    """429, before Amazon has done anything."""


class FaultPlan(BaseModel):
    """How often what goes wrong. Without any share nothing does."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    seed: int = 0
    """Of every decision."""
    requests: dict[Fault, Share] = Field(default_factory=dict)
    """The share of requests that suffers each fault, such as {"lost_answer": 0.1}."""
    longest_latency_seconds: Seconds = 0
    """Each answer is held back for up to so long."""
    lost_notifications: Share = 0
    """The share of notifications that never arrives."""
    doubled_notifications: Share = 0
    """The share that is delivered twice."""
    late_notifications: Share = 0
    """The share that is held back, so that later ones overtake it."""
    lateness_seconds: Seconds = 1
    """For so long."""

    @model_validator(mode="after")
    def _no_request_suffers_twice(self) -> Self:
        together = sum(self.requests.values())
        if together > 1 + 1e-9:  # ten times 0.1 is a little more than one
            raise ValueError(f"requests: the shares are {together:g} together; 1, which is every request, is the most")
        return self


class Faults:
    """Decides, by the plan."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.plan: FaultPlan = plan or FaultPlan()
        self._seen: Counter[str] = Counter()
        self.done: Final[Counter[str]] = Counter()
        """How often each fault happened, by its name."""

    def follow(self, plan: FaultPlan) -> None:
        """Decides by another plan from now on, as if nothing had been sent before."""
        self.plan = plan
        self._seen.clear()
        self.done.clear()

    def of_request(self, identity: str) -> tuple[Fault | None, float]:
        """What happens to a request, and for how many seconds its answer is held back.

        Args:
            identity: what makes it the same request when it is sent again.
        """
        if not self.plan.requests and not self.plan.longest_latency_seconds:
            return None, 0.0
        dice = self._dice("request", identity)
        latency = dice.random() * self.plan.longest_latency_seconds
        thrown = dice.random()
        for fault, share in sorted(self.plan.requests.items()):
            if thrown < share:
                self.done[fault] += 1
                return fault, latency
            thrown -= share
        return None, latency

    def of_notification(self, identity: str) -> list[float]:
        """After how many seconds a notification is delivered, once for each delivery; empty when it is lost.

        Args:
            identity: what it tells of.
        """
        plan = self.plan
        if not (plan.lost_notifications or plan.doubled_notifications or plan.late_notifications):
            return [0.0]
        dice = self._dice("notification", identity)
        lost, doubled, *late = (dice.random() for _ in range(4))
        if lost < plan.lost_notifications:
            self.done["lost_notification"] += 1
            return []
        deliveries = 1
        if doubled < plan.doubled_notifications:
            self.done["doubled_notification"] += 1
            deliveries = 2
        are_late = [thrown < plan.late_notifications for thrown in late[:deliveries]]
        self.done["late_notification"] += sum(are_late)
        return [plan.lateness_seconds if is_late else 0.0 for is_late in are_late]

    def _dice(self, kind: str, identity: str) -> random.Random:
        name = f"{kind}/{identity}"
        self._seen[name] += 1
        digest = hashlib.sha256(f"{self.plan.seed}/{name}/{self._seen[name]}".encode()).digest()
        return random.Random(digest)  # noqa: S311 - repeatable on purpose
