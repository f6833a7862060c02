"""Whatever Amazon writes in a reasonCode, the subscriber is charged, and people see it without harm."""

from amazon_pay_simulator.books import ScriptedAnswer
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from tests.scenarios.story import Story
from tests.starter.command_line import joined_to, typed
from tests.starter.test_listing import listed

HOSTILE = "[/x][bold]\x1b]0;owned\x07\x1b[2J\n| a | [b](http://evil) |\u202e" + "a" * 3000


async def test_a_reason_code_of_any_kind_is_shown_and_the_subscriber_is_charged(house: Stage) -> None:
    story = await Story.begin(house, script=[ScriptedAnswer(code=HOSTILE, status=422)])
    identifier, environment = story.charge_permission_id, joined_to(house)

    held = await story.until_due(0)
    assert (held.status, held.needs_attention) == (Status.ON_HOLD, True)
    assert held.last_reason is not None
    assert held.last_reason.startswith("??x??bold???0?owned???2J?")
    await listed(house, identifier, until=lambda lines: any(line.last_reason == held.last_reason for line in lines))

    for command in (("list",), ("show", identifier), ("list", "--json"), ("show", identifier, "--json")):
        said = await typed(*command, **environment)
        assert (said.code, said.err) == (0, "")
        assert "??x??bold???0?owned???2J?" in said.out
        assert all(line.replace("\u00a0", " ").isprintable() for line in said.out.splitlines())
    resolved = await typed("resolve", identifier, "--new-attempt", **environment)
    assert (resolved.code, resolved.err) == (0, "")
    await story.quiet()

    status = await story.until_due(1)
    assert status.status is Status.ACTIVE
    assert len(await story.charges()) == 2
