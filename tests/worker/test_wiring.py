"""What a worker refuses to start with, rather than fail at later."""

import pytest

from runtime import embedded
from runtime.errors import StartupError
from starter.cli.demo.stage import stage
from tests.endpoint import SECRET


async def test_an_endpoint_for_notices_needs_a_server_that_can_deliver_them(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {**embedded.VIRTUAL_TIME, "activity.enableStandalone": "false"}
    monkeypatch.setattr(embedded, "VIRTUAL_TIME", without)

    with pytest.raises(StartupError, match=r"^PERENNIAL_WEBHOOK_URL: .*activity\.enableStandalone"):
        async with stage(webhook_url="http://127.0.0.1:1/", webhook_secret=SECRET):
            pytest.fail("it does not start")
