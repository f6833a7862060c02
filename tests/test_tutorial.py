"""docs/tutorial.md is followed as it is printed, from an empty home to the books, on a machine that has no uv."""

import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perennial_billing.billing.money import Money
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.finding import Search, find
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.cli.dev.command import HOST, PORTS
from tests.interop.programs import needed
from tests.tutorial import (
    PAGE,
    NotAsPrintedError,
    Session,
    blocks,
    by_kind,
    follow,
    pattern_of,
    rewritten,
    session,
    without_role,
)

STOP = "## 12. Stop"
PERMISSION = "C01-0000001-0007919"
OF_THE_PAGE = (*PORTS.values(), 8610, 8620)

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Session]:
    needed("bash", "make", "curl", "node")
    async with session(tmp_path) as follower:
        yield follower
    assert all(shell.process.returncode is not None for shell in follower.shells.values())


def taken() -> list[int]:
    """Which of the page's ports are somebody else's."""
    found = []
    for port in OF_THE_PAGE:
        try:
            socket.create_server((HOST, port)).close()
        except OSError:
            found.append(port)
    return found


async def test_the_tutorial_does_what_it_prints(reader: Session, tmp_path: Path) -> None:
    if not reader.enter and (ports := taken()):
        pytest.skip(f"there is no network of its own to be had, and in everybody's these ports are taken: {ports}")
    until_the_end, stop, at_the_end = PAGE.read_text().partition(STOP)
    assert await reader.typed("command -v uv || echo none") == "none\n"

    await follow(until_the_end, reader)

    ui = f"http://127.0.0.1:8233/namespaces/default/workflows/subscription-{PERMISSION}"
    assert f"<{ui}>" in until_the_end
    assert await reader.typed(f"curl -s -o /dev/null -w '%{{http_code}}' {ui}") == "200"
    assert '"checkout_amount"' in await reader.typed("curl -s http://127.0.0.1:8610/button")
    books = await reader.typed("curl -s http://127.0.0.1:8600/simulator/books | grep -o '\"chargeId\":' | wc -l")
    assert books.strip() == "5", "four charges and the refund, which names its own"

    await follow(stop + at_the_end, reader)
    await reader.end()

    async with Ledger.open(file_url(reader.home / ".local/share/perennial/dev/ledger.db"), set_up=False) as ledger:
        [subscription] = await find(ledger, Search())
    assert subscription.charge_permission_id == PERMISSION
    assert (subscription.status, subscription.periods_paid) == (Status.CANCELED, 4)
    assert (subscription.charged, subscription.refunded) == (Money.parse("55.50 USD"), Money.parse("5.00 USD"))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "server").read_text()), 0)


def test_what_is_not_run_says_so() -> None:
    page = PAGE.read_text()

    assert without_role(page) == ["sh"] * page.count("```sh\n# not run")


# Whoever follows a page notices when it is wrong


async def test_other_output_is_noticed(reader: Session) -> None:
    await follow("```sh run\necho 14.00 USD\n```\n```text output\n14.00 USD\n```\n", reader)

    with pytest.raises(NotAsPrintedError, match=r"14\.01"):
        await follow("```sh run\necho 14.01 USD\n```\n```text output\n14.00 USD\n```\n", reader)


async def test_a_command_that_fails_is_noticed_also_where_another_follows_it(reader: Session) -> None:
    with pytest.raises(NotAsPrintedError, match="ls nowhere: failed"):
        await follow("```sh run\nls nowhere\necho after\n```\n", reader)


async def test_what_is_looked_at_may_come_later_and_another_shell_goes_on(reader: Session) -> None:
    # A program that says itself that it waits: what comes while a shell becomes another program, or a child of it ends,
    # may be lost.
    waits = "import pathlib, time; pathlib.Path('done').touch(); time.sleep(300)"
    page = f"""
```sh in-other
for each in one two; do sleep 0.5; echo $each; done; exec {sys.executable} -c "{waits}"
```
```sh look
ls done 2>/dev/null || echo not yet
```
```text output
done
```
```text from-other
two
one
```
```text stop-other
^C
```
"""
    await follow(page, reader)

    assert await reader.shells["other"].process.wait() != 0
    with pytest.raises(NotAsPrintedError, match="did not print\ntwo"):
        await follow("```text from-other\ntwo\n```\n", reader)


async def test_a_file_of_the_page_is_written_where_the_reader_is(reader: Session) -> None:
    await follow(
        "```sh run\nmkdir there && cd there\n```\n```json plan.json\n{}\n```\n```sh run\ncat plan.json\n```\n", reader
    )

    assert (reader.home / "there" / "plan.json").read_text() == "{}\n"


def test_what_differs_at_each_run_is_compared_by_its_kind() -> None:
    printed = "│ Thu 2026-11-26 13:22 │ 14.00 USD │ whsec_MfKQ9r8G/YqwTwUPD+8Y= │\n...\nlast 0.10 s\n"

    assert pattern_of(printed).fullmatch(
        by_kind("│ Sun 2031-03-02 07:01 │ 14.00 USD │ whsec_C2FV= │\na\nb\nlast 3.92 s\n")
    )
    assert not pattern_of(printed).fullmatch(
        by_kind("│ Sun 2031-03-02 07:01 │ 15.00 USD │ whsec_C2FV= │\nlast 3.92 s\n")
    )


def test_a_page_is_rewritten_by_what_was_printed_but_for_what_leaves_lines_out() -> None:
    page = "a\n```text output\nold\n```\nb\n```text output\n...\nold\n```\n"
    first, second = blocks(page)

    assert rewritten(page, {first.start: "new\n", second.start: "new\n"}) == page.replace("old", "new", 1)


async def test_a_character_of_which_a_part_is_written_is_waited_for(reader: Session) -> None:
    shell = await reader.opened("reader")

    with shell.out.open("ab") as out:
        out.write("done \u2501".encode()[:-1])
    assert shell.said() == "done "

    with shell.out.open("ab") as out:
        out.write("\u2501".encode()[-1:] + b"\r")
    assert shell.said() == "done \u2501"

    with shell.out.open("ab") as out:
        out.write(b"\n")
    assert shell.said() == "done \u2501\n"
