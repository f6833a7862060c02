"""Tables on terminals of several widths and in a pipe: an id stands whole on one line, whatever must give way."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from io import BytesIO, StringIO, TextIOWrapper
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from perennial_billing.billing.forecast.preview import Upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import view_of
from perennial_billing.starter.audit.auditor import Audited
from perennial_billing.starter.audit.rules import Finding
from perennial_billing.starter.cli import audit, listing, many
from perennial_billing.starter.cli.calendar import calendar_of
from perennial_billing.starter.cli.output import printable
from perennial_billing.starter.cli.page import Page
from perennial_billing.starter.cli.tables import Column, Sheet
from perennial_billing.starter.listing import Listed
from perennial_billing.starter.many.runner import Outcome, Result
from perennial_billing.workflows.display import details
from tests.billing.support import CAPTURED, Life, terms

TableOf = Callable[[], Sheet]

WIDTHS: Final = [80, 120, 200]
IDS: Final = [f"C01-{number:07}-{number:07}" for number in range(1, 4)]
LONG_STORY: Final = (
    "a charge under way is awaited, and the charge permission is closed only once it is known what became of it"
)
DUE: Final = datetime(2026, 12, 31, 9, 30, tzinfo=UTC)


def printed(table: RenderableType, width: int | None) -> list[str]:
    """The lines on a terminal of that width; in a pipe where there is none."""
    console = Console(file=StringIO(), width=width, force_terminal=width is not None, color_system=None)
    console.print(table, soft_wrap=width is None, crop=False)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def lines_with(lines: Sequence[str], word: str) -> list[str]:
    return [line for line in lines if word in line]


def listed() -> Sheet:
    return listing.sheet_of(
        [
            Listed(
                charge_permission_id=identifier,
                status=Status.AWAITING_PAYMENT_METHOD,
                plan="magazine-with-a-trial-and-a-long-name",
                merchant_reference=f"customer-2026/order-{identifier}",
                next_action_at=DUE,
                merchant_account="default",
                last_reason="PeriodicAmountExceeded",
                needs_attention=True,
                past_due=True,
            )
            for identifier in IDS
        ]
    )


def to_come() -> Sheet:
    price = Money.parse("1234.50 USD")
    return calendar_of(
        [Upcoming(period=number, due=DUE, at=DUE, amount=price, why=LONG_STORY) for number in range(3)],
        "America/Argentina/Buenos_Aires",
    )


def audited() -> Sheet:
    return audit.sheet_of([Audited(identifier, (Finding("overdue", LONG_STORY, "look"),)) for identifier in IDS])


def refused() -> Sheet:
    return many.sheet_of([Result(identifier, Outcome.REFUSED, LONG_STORY, 12_345) for identifier in IDS])


@pytest.mark.parametrize("width", [*WIDTHS, None])
@pytest.mark.parametrize("table", [listed, audited, refused])
def test_every_charge_permission_stands_whole_on_one_line(table: TableOf, width: int | None) -> None:
    lines = printed(table(), width)

    for identifier in IDS:
        assert len(lines_with(lines, f" {identifier} ")) == 1
    assert width is None or max(len(line) for line in lines) <= width


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_status_and_next_action_stand_on_the_line_of_their_subscription(width: int | None) -> None:
    for line in lines_with(printed(listed(), width), "C01-"):
        assert "awaiting_payment_method owes !" in line
        assert "2026-12-31 09:30" in line


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_each_charge_to_come_has_its_date_and_amount_on_one_line(width: int | None) -> None:
    lines = printed(to_come(), width)

    assert len(lines_with(lines, "│ Thu 2026-12-31 06:30 ")) == 3
    assert lines_with(lines, "06:30") == lines_with(lines, "1234.50 USD")
    assert width is None or max(len(line) for line in lines) <= width


def test_a_narrow_terminal_is_told_what_a_wider_one_also_shows() -> None:
    narrow, wider, wide = (printed(listed(), width) for width in WIDTHS)

    assert narrow[-1] == "wider terminals also show: Last reason, Plan, Reference"
    assert wider[-1] == "wider terminals also show: Plan, Reference"
    assert not lines_with(wide, "wider terminals")
    assert "customer-2026/order-C01-0000001-0000001" in "".join(wide)


@pytest.mark.parametrize("table", [listed, to_come, audited, refused])
def test_a_pipe_gets_everything_each_row_on_a_line(table: TableOf) -> None:
    lines = printed(table(), None)

    assert not lines_with(lines, "wider terminals")
    assert len({len(line) for line in lines}) == 1
    assert len(lines_with(lines, "│")) == 3
    assert len(lines_with(lines, LONG_STORY)) == (0 if table is listed else 3)


@pytest.mark.parametrize("width", [80, 120])
def test_prose_is_wrapped_between_words_and_loses_none(width: int) -> None:
    lines = lines_with(printed(audited(), width), "│")

    words = [word for line in lines for word in line.split("│")[2].split()]
    assert words == 3 * LONG_STORY.split()


def test_a_terminal_too_narrow_for_the_ids_alone_still_gets_them_whole() -> None:
    lines = printed(listed(), 40)

    for identifier in IDS:
        assert len(lines_with(lines, f" {identifier} ")) == 1


def test_what_looks_like_markup_is_printed_as_it_is() -> None:
    (line,) = lines_with(printed(Sheet([Column("Reference")], [["[red]1[/]"]]), 80), "1")

    assert line == "│ [red]1[/] │"


def test_a_table_without_rows_has_its_headings() -> None:
    assert "Charge permission" in "".join(printed(listing.sheet_of([]), 80))


def paid_often(periods: int) -> Life:
    life = Life(terms())
    for number in range(periods):
        due = life.subscription.schedule.due(number)
        answer = CAPTURED.model_copy(update={"charge_id": charge_id(number)})
        life.step(Action.CHARGE, f"{due:%Y-%m-%d %H:%M}", answer)
    return life


def charge_id(number: int) -> str:
    return f"S01-1234567-1234567-C{number:06}"


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_the_details_show_every_charge_whole_with_its_period_and_its_outcome(width: int | None) -> None:
    lines = printed(Page(details(view_of(paid_often(12).subscription))), width)

    for number in range(12):
        (line,) = lines_with(lines, f" {charge_id(number)} ")
        cells = [cell.strip() for cell in line.split("│")]
        assert str(number) in cells
        assert "paid" in cells
    assert lines_with(lines, f" {terms().charge_permission_id} ")
    assert bool(lines_with(lines, "wider terminals also show: ")) == (width == 80)


TEXTS: Final = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Co", "Cn")), max_size=12)
CELLS: Final = st.one_of(
    TEXTS,
    TEXTS.map(lambda text: Text.assemble((printable(text), "bold"), "!", style="red")),
    st.sampled_from(["C01-0000001-0000001", "料金", "9.99 EUR", "e\u0301", "\u200b", ""]),
)


@given(st.data(), st.integers(1, 4), st.sampled_from(["utf-8", "ascii"]), st.sampled_from([400, None]))
def test_a_table_is_to_the_last_space_what_rich_makes_of_it(
    data: st.DataObject, count: int, encoding: str, width: int | None
) -> None:
    columns = [
        Column(
            data.draw(st.sampled_from(["Status", "Next action", "料金"])),
            justify=data.draw(st.sampled_from(["left", "right"])),
        )
        for _ in range(count)
    ]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=count, max_size=count), max_size=4))
    sheet = Sheet(columns, rows)
    file = TextIOWrapper(BytesIO(), encoding=encoding)
    console = Console(file=file, width=width or 400, force_terminal=width is not None, color_system="standard")

    widths = {
        at: max(cell_len(columns[at].heading), *(0, *(_cell_len(row[at]) for row in rows))) for at in range(count)
    }

    assert _letters(console.render(sheet)) == _letters(console.render(sheet.as_table(widths)))


def _letters(segments: Iterable[Segment]) -> list[tuple[str, Style | None]]:
    return [(letter, segment.style or None) for segment in segments for letter in segment.text]


def _cell_len(cell: str | Text) -> int:
    return cell_len(printable(cell)) if isinstance(cell, str) else cell.cell_len
