"""An Amazon whose answers are not what they were: the simulator, with somebody in between who edits what it says."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amazon_pay_simulator import SimulatorConfig, create_app
from perennial_billing.sandbox import stage as staging
from perennial_billing.sandbox.stage import Stage, stage

Answer = dict[str, Any]  # Any: an answer as it stands on the wire
Edit = Callable[[Answer], Answer]


def untouched(answer: Answer) -> Answer:
    return answer


@dataclass
class Editor:
    """Edits the body of each success of the Amazon Pay API under a path.

    Attributes:
        edit: how; it may be changed at any time.
        path: of the resources whose answers are edited.
        edited: how many were.
    """

    edit: Edit = untouched
    path: str = "/v2/charges"
    edited: int = 0
    amazon: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.amazon is not None
        is_meant = scope["type"] == "http" and scope["path"].startswith(self.path) and self.edit is not untouched
        if not is_meant:
            await self.amazon(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def take(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            said = self._edited(start["status"], body)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            length = (b"content-length", str(len(said)).encode())
            await send({**start, "headers": [*headers, length]})
            await send({"type": "http.response.body", "body": said})

        await self.amazon(scope, receive, take)

    def _edited(self, status: int, body: bytes) -> bytes:
        if status >= 300:
            return body
        self.edited += 1
        return json.dumps(self.edit(json.loads(body))).encode()


@asynccontextmanager
async def odd_house(monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[tuple[Stage, Editor]]:
    """A stage of a test's own, and who edits what its Amazon says."""
    editor = Editor()

    def created(config: SimulatorConfig) -> Editor:
        editor.amazon = create_app(config)
        return editor

    monkeypatch.setattr(staging, "create_app", created)
    async with stage(**options) as house:
        yield house, editor
