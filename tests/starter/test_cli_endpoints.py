"""Endpoints and notices on their way, as the commands are typed."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import Webhook

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.deliveries import Delivery, DeliveryState
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.settings import is_webhook_secret
from perennial_billing.sandbox.stage import stage
from tests.endpoint import SECRET
from tests.ledger.told import notice, told
from tests.scenarios.story import Story
from tests.starter.command_line import Said, joined_to, typed
from tests.unreliable import Unreliable, unreliable

SHOP: Final = "https://shop.example/notices"
TEA: Final = "C01-2702031-0000001"


class Shell:
    """Types commands about a ledger in a folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.environment = {"PERENNIAL_DATA_FOLDER": str(folder), **environment}

    async def __call__(self, line: str, **environment: str) -> Said:
        return await typed(*line.split(), **self.environment | environment)

    async def data(self, line: str) -> Any:
        said = await self(f"{line} --json")
        assert said.code == 0, said.err
        return said.data


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
async def listening() -> AsyncIterator[Unreliable]:
    async with unreliable() as endpoint:
        yield endpoint


async def test_an_endpoint_is_added_with_a_secret_that_is_shown_once(shell: Shell) -> None:
    made = await shell.data(f"endpoints add {SHOP} --type period.* --type subscription.ended")
    assert is_webhook_secret(made["secret"])

    (listed,) = await shell.data("endpoints list")
    assert listed["id"] == made["id"]
    assert (listed["url"], listed["types"], listed["enabled"]) == (SHOP, ["period.*", "subscription.ended"], True)
    assert [secret["id"] for secret in listed["secrets"]] == [made["secret_id"]]
    for line in ("endpoints list", "endpoints list --json", f"endpoints disable {made['id']}", "export entries"):
        said = await shell(line)
        assert "whsec_" not in said.out + said.err, line


async def test_secrets_are_rotated_and_the_last_one_stays(shell: Shell) -> None:
    made = await shell.data(f"endpoints add {SHOP}")
    newer = await shell("endpoints secrets add " + made["id"] + " --json", PERENNIAL_ENDPOINT_SECRET=SECRET)
    assert (newer.data["secret"], [each["id"] for each in newer.data["secrets"]]) == (SECRET, [2, 1])

    retired = await shell.data(f"endpoints secrets retire {made['id']} 1")
    assert [each["id"] for each in retired["secrets"]] == [2]
    last = await shell(f"endpoints secrets retire {made['id']} 2")
    assert last.code == 1
    assert last.trouble == ("error: secret: 2 is not possible now; add another one first, as nothing else would sign")
    unknown = await shell(f"endpoints secrets retire {made['id']} 7")
    assert (unknown.code, unknown.trouble) == (2, "error: secret: 7 is not accepted; 2 is")


async def test_an_endpoint_is_disabled_enabled_and_removed(shell: Shell) -> None:
    made = await shell.data(f"endpoints add {SHOP}")
    disabled = await shell.data(f"endpoints disable {made['id']}")
    assert (disabled["enabled"], disabled["disabled_for"]) == (False, "asked")
    assert (await shell.data(f"endpoints enable {made['id']}"))["enabled"]
    await shell.data(f"endpoints remove {made['id']}")

    assert await shell.data("endpoints list") == []
    for verb in ("enable", "disable", "remove", "test", "secrets add"):
        gone = await shell(f"endpoints {verb} {made['id']}")
        accepted = "one that `perennial endpoints list` shows is"
        assert (gone.code, gone.trouble) == (1, f"error: endpoint: {made['id']} is not accepted; {accepted}"), verb


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("shop.example/notices", "an address such as https://shop.example/notices is"),
        ("ftp://shop.example/notices", "an address such as https://shop.example/notices is"),
        ("http://[::1/notices", "an address such as https://shop.example/notices is"),
        ("https://shop.example:port/", "an address such as https://shop.example/notices is"),
        (f"https://shop.example/{'n' * 2048}", "an address such as https://shop.example/notices is"),
        ("https://me:geheim@shop.example/", "an address without a user and a password is accepted"),
        (f"{SHOP} --type period", "'period' is not accepted; a type of docs/notices.md is, or a family:"),
        (f"{SHOP} --type *", "'*' is not accepted"),
        (f"{SHOP} --type per.*", "'per.*' is not accepted"),
        (f"{SHOP} --secret whsec_dG9vIHNob3J0", "whsec_ and the base64 of 24 to 64 bytes is accepted"),
        (f"{SHOP} --secret geheim", "whsec_ and the base64 of 24 to 64 bytes is accepted"),
    ],
)
async def test_what_is_not_taken_is_said_with_what_is_and_without_a_secret(
    shell: Shell, arguments: str, said: str
) -> None:
    refused = await shell(f"endpoints add {arguments}")

    assert refused.code == 2
    assert said in refused.trouble
    assert "geheim" not in refused.trouble
    assert "dG9v" not in refused.trouble
    assert await shell.data("endpoints list") == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example/notices", "https is; http only with PERENNIAL_ENVIRONMENT=sandbox"),
        ("https://127.0.0.1/notices", "a host on the internet is; or set PERENNIAL_WEBHOOK_PRIVATE_ADDRESSES=true"),
        ("https://[fd00::7]/notices", "a host on the internet is; or set PERENNIAL_WEBHOOK_PRIVATE_ADDRESSES=true"),
        ("https://169.254.169.254/latest/meta-data", "a host on the internet is"),
    ],
)
async def test_in_live_it_is_on_the_internet_and_encrypted(tmp_path: Path, url: str, said: str) -> None:
    live = Shell(tmp_path, PERENNIAL_ENVIRONMENT="live")
    refused = await live(f"endpoints add {url}")
    assert refused.code == 2
    assert said in refused.trouble

    allowed = await live(f"endpoints add {url}", PERENNIAL_WEBHOOK_PRIVATE_ADDRESSES="true")
    assert allowed.code == (2 if url.startswith("http:") else 0)


async def test_no_more_endpoints_and_secrets_than_can_be_told_in_time(shell: Shell) -> None:
    made = [await shell.data(f"endpoints add {SHOP}") for _ in range(20)]
    one_more = await shell(f"endpoints add {SHOP}")
    assert (one_more.code, one_more.trouble[:40]) == (1, "error: endpoints: 20 is not possible now")
    for _ in range(4):
        await shell.data(f"endpoints secrets add {made[0]['id']}")
    assert (await shell(f"endpoints secrets add {made[0]['id']}")).code == 1


async def test_a_sample_is_printed_and_sent_and_what_the_endpoint_did_is_said(
    shell: Shell, listening: Unreliable
) -> None:
    made = await shell.data(f"endpoints add {listening.url} --secret {SECRET}")
    printed = await shell("notices sample payment_method.needed")
    assert json.loads(printed.out)["data"]["update_url"].startswith("https://payments.amazon.com/")
    assert (await shell.data("notices sample refund.failed"))["schema"]["title"] == "refund.failed"

    assert (await shell.data(f"notices sample dispute.opened --to {made['id']}"))["status"] == 204
    assert (await shell.data(f"endpoints test {made['id']}"))["taken"]
    assert [event["type"] for event in listening.taken.values()] == ["dispute.opened", "period.paid"]
    assert all(webhook.startswith("sample-") for webhook in listening.taken)

    listening.gone = True
    gone = await shell(f"endpoints test {made['id']}")
    assert (gone.code, gone.trouble) == (1, f"error: {made['id']}: did not take it: status 410")
    listening.down = True
    down = await shell(f"endpoints test {made['id']}")
    assert down.trouble == f"error: {made['id']}: did not take it: no answer: RemoteProtocolError"
    (listed,) = await shell.data("endpoints list")
    assert listed["enabled"], "a sample disables nobody"
    unknown = await shell("notices sample period.payed")
    assert unknown.code == 2
    assert all(kind.value in unknown.trouble for kind in NoticeType)


async def test_a_sample_is_printed_with_signatures_that_hold(shell: Shell, listening: Unreliable) -> None:
    made = await shell.data(f"endpoints add {listening.url} --secret {SECRET}")
    signed = await shell.data(f"notices sample plan.changed --to {made['id']} --dry-run")

    assert Webhook(SECRET).verify(signed["body"], signed["headers"])["type"] == "plan.changed"
    in_words = await shell(f"notices sample plan.changed --to {made['id']} --dry-run")
    assert "webhook-signature: v1," in in_words.out
    assert listening.attempts.total() == 0
    assert (await shell("notices sample plan.changed --dry-run")).code == 2


async def test_the_environments_endpoint_can_be_tried_with_its_own_secret(shell: Shell, listening: Unreliable) -> None:
    own = {"PERENNIAL_WEBHOOK_URL": listening.url, "PERENNIAL_WEBHOOK_SECRET": SECRET}

    assert (await shell("endpoints test environment", **own)).code == 0
    rotated = await shell("endpoints secrets add environment", **own)
    assert (rotated.code, "its secret is PERENNIAL_WEBHOOK_SECRET" in rotated.trouble) == (2, True)
    assert (await shell("endpoints test environment")).code == 1


async def test_what_was_not_delivered_is_listed_by_pages(shell: Shell, tmp_path: Path) -> None:
    async with Ledger.open(file_url(tmp_path / "ledger.db"), set_up=True) as ledger:
        states = [DeliveryState.NOT_SENT, DeliveryState.QUEUED, DeliveryState.NOT_SENT]
        queued = [Delivery(f"notice-{TEA}-{at}", TEA, at, state=state) for at, state in enumerate(states, 1)]
        await ledger.record(told(notice(1), notice(2), notice(3, NoticeType.PLAN_CHANGED)), queued)

    assert [each["state"] for each in await shell.data("notices list")] == ["not_sent", "queued", "not_sent"]
    found = await shell.data("notices undelivered")
    assert [(each["number"], each["type"]) for each in found] == [(1, "period.paid"), (3, "plan.changed")]
    first = await shell("notices undelivered --limit 1")
    assert f"more: --after notice-{TEA}-1" in first.out
    (second,) = await shell.data(f"notices undelivered --after notice-{TEA}-1")
    assert second["number"] == 3
    assert await shell.data("notices list --state delivered") == []
    assert (await shell.data("notices resend --all-undelivered --dry-run"))["found"] == 2


@pytest.mark.parametrize("line", ["resend", f"resend {TEA}", f"resend {TEA} 2 --all-undelivered"])
async def test_what_is_to_be_sent_again_must_be_said(shell: Shell, line: str) -> None:
    said = await shell(f"notices {line}")

    assert (said.code, "ID and NUMBER of one notice are accepted, or --all-undelivered" in said.trouble) == (2, True)


async def test_what_an_endpoint_missed_is_sent_again_once_it_is_enabled(
    listening: Unreliable,
) -> None:
    async with stage() as house:
        shell = Shell(Path(str(house.settings.data_folder)), **joined_to(house))
        made = await shell.data(f"endpoints add {listening.url} --secret {SECRET}")
        await shell.data(f"endpoints disable {made['id']}")
        story = await Story.begin(house)
        await story.until_due(0)
        permission = story.charge_permission_id
        refused = await shell("notices resend --all-undelivered")
        assert refused.code == 1
        assert f"perennial endpoints enable {made['id']}" in refused.err
        assert "error: 2 of 2 were not sent" in refused.err

        enabled = await shell(f"endpoints enable {made['id']}")
        assert f"perennial notices resend --all-undelivered --endpoint {made['id']}" in enabled.out
        again = await shell.data(f"notices resend {permission} --all-undelivered --endpoint {made['id']} --rate 50")
        assert (again["done"], again["refused"]) == (2, 0)
        async with asyncio.timeout(30):
            while len(listening.taken) < 2:
                await asyncio.sleep(0.05)
        assert sorted(listening.numbers(permission)) == [1, 2]

        async with asyncio.timeout(30):
            while await shell.data("notices undelivered") or await shell.data("notices list --state queued"):
                await asyncio.sleep(0.05)
        assert (await shell.data(f"notices resend {permission} 2"))["done"] == 1
        async with asyncio.timeout(30):
            while listening.attempts.total() < 3:
                await asyncio.sleep(0.05)
        assert len(listening.taken) == 2, "one that was delivered is sent again under the id that it had"
        nothing = await shell(f"notices resend {permission} 9")
        assert (nothing.code, "no notice 9 was on its way" in nothing.trouble) == (1, True)


async def test_where_temporal_is_away_nothing_is_lost_and_the_same_command_goes_on(
    shell: Shell, tmp_path: Path
) -> None:
    made = await shell.data(f"endpoints add {SHOP} --secret {SECRET}")
    async with Ledger.open(file_url(tmp_path / "ledger.db")) as ledger:
        queued = [Delivery(f"notice-{TEA}-1-{made['id']}", TEA, 1, made["id"], DeliveryState.NOT_SENT)]
        await ledger.record(told(notice(1)), queued)

    away = await shell("notices resend --all-undelivered", TEMPORAL_ADDRESS="127.0.0.1:1")

    assert away.code == 2
    assert [each["state"] for each in await shell.data("notices undelivered")] == ["not_sent"]


def test_a_secret_that_is_made_is_one_that_the_reference_library_takes() -> None:
    from perennial_billing.starter.endpoints import _checked_secret

    made = {_checked_secret(None) for _ in range(20)}

    assert len(made) == 20
    for secret in made:
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        Webhook(secret)
