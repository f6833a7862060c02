"""A settlement report is read whatever form it has; one that is cut, changed or another's is refused with its line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from perennial_billing.ledger.settlements.lines import LineKind, SettlementLine
from perennial_billing.ledger.settlements.parsing import checked, reading_settlement
from perennial_billing.ledger.settlements.refusals import ReportRefusedError
from tests.ledger.settlement import CAPTURE, COLUMNS, REFUND, REPORT, Line, Report


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "march.csv"


def lines_in(path: Path, encoding: str | None = None) -> list[SettlementLine]:
    with reading_settlement(path, encoding) as reader:
        return list(reader.lines())


def refused(path: Path, **wanted: Any) -> str:
    with pytest.raises(ReportRefusedError) as error:
        checked(path, **wanted)
    said = str(error.value)
    assert "\n" not in said
    assert said.startswith(path.name)
    return said


def test_each_line_is_typed_with_its_amounts_in_minor_units(file: Path) -> None:
    yen = Line("Capture", "S03-1-C000001", "1200", "-36", currency="JPY", posted="2027-03-05T00:30:00-0700")
    capture, refund, of_yen, *transfers = lines_in(REPORT.but(lines=[CAPTURE, REFUND, yen]).write(file))

    assert capture == SettlementLine(
        line=5,
        kind=LineKind.CAPTURE,
        type="Capture",
        transaction_id="S01-2702031-0000001-C000001",
        charge_permission_id="C01-2702031-0000001",
        merchant_reference="order-7",
        posted_at=datetime(2027, 3, 4, 9, 15, 30, tzinfo=UTC),
        currency="EUR",
        amount_minor=1490,
        percentage_fee_minor=-73,
        fixed_fee_minor=0,
        fee_minor=-73,
        net_minor=1417,
    )
    assert (refund.kind, refund.amount_minor, refund.net_minor) == (LineKind.REFUND, -500, -485)
    assert (of_yen.amount_minor, of_yen.posted_at) == (1200, datetime(2027, 3, 5, 7, 30, tzinfo=UTC))
    assert [(each.kind, each.net_minor, each.currency, each.transaction_id) for each in transfers] == [
        (LineKind.TRANSFER, -932, "EUR", None),
        (LineKind.TRANSFER, -1164, "JPY", None),
    ]


def test_of_the_whole_it_says_whose_it_is_and_when(file: Path) -> None:
    settlement = checked(REPORT.write(file), merchant_id="A1SIMULATOR")

    assert (settlement.merchant_id, settlement.settlement_id, settlement.lines) == ("A1SIMULATOR", "5044561311", 3)
    assert settlement.starts_at == datetime(2027, 3, 1, tzinfo=UTC)
    assert settlement.ends_at == datetime(2027, 3, 31, 23, 59, 59, tzinfo=UTC)
    assert settlement.balance_minor == {"EUR": 0}


@pytest.mark.parametrize(
    "text",
    [
        REPORT.text().replace("\r\n", "\n"),
        REPORT.text().replace('"', ""),
        REPORT.but(separator="\t").text(),
        REPORT.but(separator=";").text(),
        REPORT.but(columns=tuple(reversed(COLUMNS))).text(),
        REPORT.but(columns=(*COLUMNS, "CrossBorderTransactionFee", "Marketplace")).text(),
        REPORT.but(columns=[each for each in COLUMNS if each not in {"StoreName", "TransactionFixedFee"}]).text(),
        "Settlement Report\r\n\r\n" + REPORT.text(),
        REPORT.text().replace("SellerId", "Seller-Id", 1).replace("TransactionType", "transaction-type"),
        REPORT.text().replace("+0000", " +0000"),
        REPORT.text().replace("+0000", "Z"),
        REPORT.text().replace("09:15:30+0000", "10:15:30+01:00"),
        REPORT.text() + "\r\n",
        REPORT.text().rstrip(),
        "\ufeff" + REPORT.text(),
    ],
    ids=[
        "unix line ends",
        "no quotes",
        "tabs",
        "semicolons",
        "columns the other way round",
        "more columns",
        "fewer columns",
        "more heading",
        "other spelling of names",
        "a blank before the zone",
        "Z",
        "another zone",
        "an empty line at the end",
        "no line end at the end",
        "byte order mark",
    ],
)
def test_the_same_settlement_is_known_in_whatever_form_it_comes(file: Path, tmp_path: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="")

    assert checked(file).digest == checked(REPORT.write(tmp_path / "as-it-was.csv")).digest


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-16", None), ("utf-8-sig", None), ("cp932", "cp932"), ("utf-16-le", "utf-16-le"), ("cp932", "Shift_JIS")],
)
def test_a_file_in_another_encoding_is_read_where_it_says_so_or_somebody_names_it(
    file: Path, encoding: str, named: str | None
) -> None:
    tea = Line("Capture", "S03-1-C000001", "1200", currency="JPY", reference="注文-7")

    [capture, _] = lines_in(Report([tea]).write(file, encoding), named)

    assert capture.merchant_reference == "注文-7"


@pytest.mark.parametrize(
    ("encoding", "named", "said"),
    [
        ("cp932", None, ["line 6", "0x92", "UTF-8 is accepted", "cp932"]),
        ("utf-16-le", None, ["line 1", "NUL", "UTF-16 with a byte order mark"]),
        ("utf-8", "nonsense", ["nobody knows the encoding 'nonsense'"]),
        ("utf-8", "base64", ["nobody knows the encoding 'base64'"]),
    ],
)
def test_one_in_an_encoding_that_nobody_names_is_refused_with_the_line(
    file: Path, encoding: str, named: str | None, said: list[str]
) -> None:
    tea = Line("Capture", "S03-1-C000001", "1200", currency="JPY", reference="注文-7")

    why = refused(Report([CAPTURE, tea]).write(file, encoding), encoding=named)

    assert all(part in why for part in said), why


def test_cut_anywhere_a_file_is_refused(file: Path) -> None:
    whole = REPORT.text().encode()

    for length in range(len(whole) - 3):  # without its last line end, or a part of that, it is whole
        file.write_bytes(whole[:length])
        refused(file)


def test_cut_between_two_lines_it_is_known_by_what_is_not_paid_out(file: Path) -> None:
    lines = REPORT.text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]), newline="")

    why = refused(file)

    assert why == (
        "march.csv, line 6: up to here its lines come to 9.32 EUR more than is transferred: the file was cut, or "
        "changed; download it again, or take it with --unbalanced if that is how Amazon made it"
    )
    assert checked(file, is_balanced=False).balance_minor == {"EUR": 932}
    file.write_text("".join(lines[:-1]).rstrip(), newline="")
    assert "line 6: it is the last one, and has no end" in refused(file, is_balanced=False)


def test_a_balance_below_zero_is_carried_over_and_not_paid_out(file: Path) -> None:
    assert checked(Report([REFUND]).write(file)).balance_minor == {"EUR": -485}


def test_a_line_that_is_missing_from_the_middle_is_known_by_the_total(file: Path) -> None:
    lines = REPORT.text().splitlines(keepends=True)
    file.write_text("".join(lines[:4] + lines[5:]), newline="")

    assert "line 6: up to here its lines come to 14.17 EUR less than is transferred" in refused(file)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"14.90"', '"14,90"', ["line 5, column TransactionAmount: '14,90'", "at most 2 decimals", "-19.90"]),
        ('"14.90"', '"14.905"', ["line 5, column TransactionAmount: '14.905'", "at most 2 decimals"]),
        ('"14.90"', '"NaN"', ["line 5, column TransactionAmount: 'NaN'"]),
        ('"14.90"', '"14.80"', ["line 5, column NetTransactionAmount: '14.17'", "do not add up"]),
        ('"EUR"', '"XXX"', ["line 5, column CurrencyCode: 'XXX'", "JPY"]),
        ("2027-03-04T09:15:30+0000", "04.03.2027", ["line 5, column TransactionPostedDate: '04.03.2027'", "zone"]),
        ("2027-03-04T09:15:30+0000", "2027-03-04T09:15:30", ["line 5, column TransactionPostedDate", "zone"]),
        ('"S01-2702031-0000001-C000001"', '""', ["line 5, column AmazonTransactionId: ''", "1 to 64 characters"]),
        ('"S01-2702031-0000001-C000001"', f'"{"S" * 70}"', ["line 5, column AmazonTransactionId", "1 to 64"]),
        ('"Capture"', '""', ["line 5, column TransactionType: ''"]),
        ('"5044561311"', '"5044561312"', ["line 6, column SettlementId: '5044561311'", "one settlement a file"]),
        ("A1SIMULATOR", "A2SOMEBODY", ["column SellerId: 'A2SOMEBODY'", "A1SIMULATOR are accepted"]),
        ("A1SIMULATOR", "", ["column SellerId", "before line 4"]),
        ("2027-03-31T23:59:59+0000", "2027-02-01T00:00:00+0000", ["column SettlementEndDate", "SettlementStartDate"]),
        ("2027-03-01T00:00:00+0000", "March", ["column SettlementStartDate: 'March'"]),
        ('"CurrencyCode",', "", ["line 4: CurrencyCode is not among the columns"]),
        ('"StoreName"', '"CurrencyCode"', ["line 4: CurrencyCode is named twice"]),
        ('"order-7"', '"order-7', ["line 5", "cut, or changed"]),
        ('"order-7",', "", ["line 5: it has 14 columns, and line 4 names 15"]),
    ],
)
def test_what_cannot_be_is_refused_with_line_column_value_and_what_is_accepted(
    file: Path, old: str, new: str, said: list[str]
) -> None:
    text = REPORT.text()
    assert old in text
    file.write_text(text.replace(old, new, 1), newline="")

    why = refused(file, merchant_id="A1SIMULATOR")

    assert all(part in why for part in said), why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("hello\n", "none of the first 1 lines names the columns"),
        ("\n" * 80, "none of the first 50 lines names the columns"),
        ('"AmazonCaptureId","CaptureReferenceId","CaptureAmount"\n', "another report"),
        ("x" * 70_000, "more than 65536 characters"),
        (Report([]).text(), "it has no lines"),
    ],
    ids=["empty", "something else", "empty lines", "a capture report", "one long line", "nothing settled"],
)
def test_what_is_no_settlement_report_is_refused(file: Path, text: str, said: str) -> None:
    file.write_text(text, newline="")

    assert said in refused(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.csv") == "none.csv: No such file or directory"
    assert "Is a directory" in refused(tmp_path)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("A-to-z Guarantee Claim", LineKind.CLAIM),
        ("A-to-z", LineKind.CLAIM),
        ("Chargeback", LineKind.CHARGEBACK),
        ("Dispute", LineKind.DISPUTE),
        ("Authorization", LineKind.AUTHORIZATION),
        ("Debt", LineKind.OTHER),
        ("Something new", LineKind.OTHER),
    ],
)
def test_amazons_words_are_kept_and_those_that_are_known_understood(file: Path, word: str, kind: LineKind) -> None:
    line, *_ = lines_in(Report([Line(word, "S01-1-B000001", "-9.99")]).write(file))

    assert (line.type, line.kind) == (word, kind)


def test_a_line_without_an_amount_is_its_fee_alone(file: Path) -> None:
    text = Report([Line("Authorization", "S01-1-A000001", "0", "-0.30")]).text().replace('"0.00","-0.30"', '"","-0.30"')
    file.write_text(text, newline="")

    line, *_ = lines_in(file)

    assert (line.amount_minor, line.fee_minor, line.net_minor) == (0, -30, -30)


def test_how_far_it_is_is_told_line_for_line(file: Path) -> None:
    told: list[int] = []
    many = [Line("Capture", f"S01-1-C{number:06}", "1.00") for number in range(2_345)]

    checked(Report(many).write(file), progress=told.append)

    assert told == [1_000, 1_000, 346]
