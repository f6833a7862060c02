"""What the documentation says to type exists, and what it shows as code is read or run."""

import ast
import base64
import json
import re
import tomllib
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.runtime.settings_files import FILE_SUFFIX, SETTINGS_FILE, secrets_of
from tests.pages import PAGES, ROOT, blocks, headings, inline, links, named, slug, typed, why_not_a_command
from tests.test_documentation import in_tables

DOCS: Final = ROOT / "docs"
OURS: Final = ("amazon_pay_client", "amazon_pay_simulator", "perennial_billing")
FAMILIES: Final = {kind.value.partition(".")[0] for kind in NoticeType}
BESIDE_SETTINGS: Final = {"PERENNIAL_ENDPOINT_SECRET"}
"""Read by one command alone."""

every_page = pytest.mark.parametrize("page", PAGES, ids=named)


@every_page
def test_what_a_page_says_to_type_is_taken_by_the_command_line(page: Path) -> None:
    refused = {" ".join(words): why for words in typed(page.read_text()) if (why := why_not_a_command(words))}

    assert refused == {}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=named)  # it has a past
def test_commands_and_options_that_a_page_names_exist(page: Path) -> None:
    said = inline(page.read_text())

    refused = {" ".join(words): why for words in said if (why := why_not_a_command(words, whole=False))}

    assert refused == {}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("perennial collect C01-1", "there is no command 'collect'"),
        ("perennial change plan C01-1 --seats 2", "No such option: --seats"),
        ("perennial import check subscribers.csv", "plans is missing"),
        ("perennial change plan C01-1 --quantity two", "quantity: Input should be a valid integer"),
        ("perennial cancel C01-1 C01-2", "['C01-2'] is too much"),
        ("perennial import", "a command is missing"),
        ("$ PERENNIAL_ENVIRONMENT=live perennial report forecast --days 2    # soon", ""),
        ("perennial export entries --to books.csv | head", ""),
        ("perennial endpoints test $(grep -o ^ep-[0-9a-f]* added)", ""),
    ],
)
def test_a_command_that_would_be_refused_is_found(line: str, why: str) -> None:
    (words,) = typed(f"As so:\n\n    {line}\n")

    assert why_not_a_command(words).startswith(why)
    assert why or not why_not_a_command(words)


@every_page
def test_the_files_and_headings_that_a_page_links_to_are_there(page: Path) -> None:
    for path, heading in links(page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), path
        if heading and target.suffix == ".md":
            assert heading in headings(target.read_text()), f"{path}#{heading}"


def test_a_heading_is_known_by_its_anchor() -> None:
    assert slug("What a status means, and what to do") == "what-a-status-means-and-what-to-do"
    assert headings("# One\n\n```\n# none\n```\n## Two `words`\n") == {"one", "two-words"}


@every_page
def test_files_of_ours_that_a_page_names_in_code_exist(page: Path) -> None:
    for name in re.findall(r"`((?:billing|examples)/[\w./-]+\w)`", page.read_text()):
        assert (ROOT / name).exists(), name


@every_page
def test_settings_that_a_page_names_exist(page: Path) -> None:
    there = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | BESIDE_SETTINGS
    there |= {f"{PREFIX}{name}{FILE_SUFFIX}".upper() for name in secrets_of(Settings)} | {f"{PREFIX}{SETTINGS_FILE}"}

    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", page.read_text())) - there == set()


@pytest.mark.parametrize("folder", ["concepts", "guides"])
def test_notices_that_a_page_names_exist(folder: str) -> None:
    kinds = {kind.value for kind in NoticeType}
    for page in (DOCS / folder).glob("*.md"):
        said = re.findall(r"`([a-z_]+)\.([a-z_]+)`", page.read_text())
        assert {f"{family}.{rest}" for family, rest in said if family in FAMILIES} - kinds == set(), page.name


@every_page
def test_code_that_a_page_shows_can_be_read(page: Path) -> None:
    text = page.read_text()
    for block in blocks(text, "python"):
        ast.parse(block)
    for block in blocks(text, "json"):
        json.loads(block)
    for block in blocks(text, "toml"):
        read = tomllib.loads(block)
        if "plan_id" in read:
            Plan.model_validate(read)


@every_page
def test_what_shown_code_imports_of_ours_is_there(page: Path) -> None:
    for block in blocks(page.read_text(), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
                module = import_module(node.module or "")
                assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def test_commands_are_found_where_there_are_many() -> None:
    found = {named(page): len([*typed(page.read_text())]) for page in PAGES}

    assert min(found["docs/reference/cli.md"], found["docs/guides/from-cron.md"]) > 12
    assert sum(found.values()) > 60


@pytest.mark.parametrize("page", ["dunning", "legal-notices"])
def test_a_plan_that_a_guide_shows_is_the_example_of_its_name(page: str) -> None:
    for block in blocks((DOCS / "guides" / f"{page}.md").read_text(), "toml"):
        shown = Plan.model_validate(tomllib.loads(block))
        example = ROOT / "examples" / "plans" / f"{shown.plan_id}.toml"
        if example.exists():
            assert shown == Plan.model_validate(tomllib.loads(example.read_text()))


def test_the_guide_to_dunning_has_every_setting_with_its_default() -> None:
    guide = (DOCS / "guides" / "dunning.md").read_text()
    (section,) = re.findall(r"^## Every setting\n(.*?)^## ", guide, re.MULTILINE | re.DOTALL)
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))

    assert set(rows) == set(CollectionPolicy.model_fields)
    policy = CollectionPolicy()
    assert rows["max_attempts"] == str(policy.max_attempts)
    for name in ("collect_within", "payment_method_deadline", "new_checkout_deadline", "grace"):
        assert rows[name] == f"{getattr(policy, name).days} days"
    for name in ("final_action", "next_due", "catch_up", "on_dispute"):
        assert rows[name] == f"`{getattr(policy, name)}`"
    for name in ("pending_after_timeout", "cancel_pending_charges"):
        assert rows[name] == f"`{str(getattr(policy, name)).lower()}`"
    days = ", ".join(str(delay.days) for delay in policy.payment_method_reminders)
    assert rows["payment_method_reminders"] == f"day {days}"
    assert [delay.total_seconds() / 3600 for delay in policy.soft_decline_delays] == [12, 24, 48, 96, 168, 168]
    assert rows["soft_decline_delays"] == "12 h, 1, 2, 4, 7, 7 days"
    assert [delay.total_seconds() / 60 for delay in policy.processing_failure_delays] == [5, 30, 120, 480]
    assert rows["processing_failure_delays"] == "5 min, 30 min, 2 h, 8 h"


def test_the_guide_to_legal_notices_has_every_lead_time() -> None:
    assert in_tables((DOCS / "guides" / "legal-notices.md").read_text()) == set(LeadTimes.model_fields)


def test_the_endpoint_that_a_concept_shows_takes_a_signed_notice_and_no_other() -> None:
    (block,) = blocks((DOCS / "concepts" / "notices.md").read_text(), "python")
    names: dict[str, Any] = {}  # Any: what the block defines
    exec(compile(block, "notices.md", "exec"), names)
    body = '{"type": "period.paid"}'

    def headers(secret: str) -> dict[str, str]:
        now = datetime.now(UTC)
        signature = Webhook(secret).sign("notice-1", now, body)
        stamp = str(int(now.timestamp()))
        return {"webhook-id": "notice-1", "webhook-timestamp": stamp, "webhook-signature": signature}

    assert names["receive"](body, headers(names["secret"])) == {"type": "period.paid"}
    with pytest.raises(WebhookVerificationError):
        names["receive"](body, headers("whsec_" + base64.b64encode(b"another secret than that").decode()))
