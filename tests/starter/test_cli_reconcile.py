"""`perennial reconcile` with files: what a bookkeeper types, reads, and is refused."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_simulator.certificates import write_private_key
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from tests.client.loopback import Loopback, answer
from tests.ledger.settlement import CAPTURE, REFUND, REPORT, Line, Report
from tests.ledger.test_transaction_reports import CAPTURE as TRANSACTION
from tests.ledger.test_transaction_reports import written
from tests.ledger.told import BEGAN, notice, told
from tests.starter.command_line import typed

NO_DAYS = ("--settled-within", "0")
OTHER = Line("Capture", "S01-2702031-0000001-C000002", "9.90", "-0.59")
STRAY = Line("Capture", "P01-5-C000005", "80.00", permission="P01-5")


def unfinished(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


@pytest.fixture
async def there(empty_ledger: Path, tmp_path: Path) -> dict[str, str]:
    """Settings with a ledger of one subscriber who paid once in March, some years ago."""
    async with Ledger.open(file_url(Path(shutil.copy(empty_ledger, tmp_path / "ledger.db")))) as ledger:
        at = BEGAN.replace(month=3, day=4)
        await ledger.record(told(notice(1, at=at, charge_id=CAPTURE.transaction_id)))
    return {"PERENNIAL_DATA_FOLDER": str(tmp_path), "PERENNIAL_MERCHANT_ID": "A1SIMULATOR"}


async def test_what_a_settlement_comes_to_is_told_and_that_both_sides_agree(
    there: dict[str, str], tmp_path: Path
) -> None:
    file = REPORT.but(lines=[CAPTURE]).write(tmp_path / "march.csv")

    said = await typed("reconcile", str(file), *NO_DAYS, **there)

    assert (said.code, said.err) == (0, "")
    assert all(part in said.out for part in ("5044561311", "2027-03-01", "2027-03-31", "0.73 EUR", "14.17 EUR"))
    assert said.out.splitlines()[-1] == "1 transaction compared; both sides agree"


async def test_each_difference_is_told_with_what_to_do_and_as_data(there: dict[str, str], tmp_path: Path) -> None:
    file = str(REPORT.but(lines=[CAPTURE, CAPTURE, REFUND, OTHER, STRAY]).write(tmp_path / "march.csv"))

    for_people = await typed("reconcile", file, *NO_DAYS, **there)
    as_data = await typed("reconcile", file, *NO_DAYS, "--json", **there)
    shared = await typed("reconcile", file, *NO_DAYS, "--shared", **there)

    assert (for_people.code, for_people.err) == (1, "error: 4 differences\n")
    assert "Amazon gave it back, and no entry names it; find out in Seller Central who gave it back" in for_people.out
    assert for_people.out.splitlines()[-1] == "4 transactions compared; 4 differences"
    found = as_data.data["differences"]
    assert [(each["kind"], each["transaction_id"], each["line"]) for each in found] == [
        ("foreign", STRAY.transaction_id, 9),
        ("doubled", CAPTURE.transaction_id, 6),
        ("no_entry", OTHER.transaction_id, 8),
        ("unasked_refund", REFUND.transaction_id, 7),
    ]
    assert (found[1]["settled"], found[1]["recorded"], found[1]["settlement_id"]) == (
        "29.80 EUR",
        "14.90 EUR",
        "5044561311",
    )
    assert "which is wrong" in found[1]["what_to_do"]
    assert as_data.data["taken"] == [{"settlement_id": "5044561311", "file": "march.csv", "lines": 6, "is_new": False}]
    assert (shared.code, shared.err) == (1, "error: 3 differences\n")
    assert "4 transactions compared, 1 of them of other orders of this account; 3 differences" in shared.out


async def test_of_several_files_all_are_reconciled_and_only_they(there: dict[str, str], tmp_path: Path) -> None:
    before = Report([STRAY], "1", starts="2027-02-01T00:00:00Z", ends="2027-02-28T23:59:59Z")
    march = REPORT.but(lines=[CAPTURE])
    april = Report([OTHER], "2", starts="2027-04-01T00:00:00Z", ends="2027-04-30T23:59:59Z")
    files = [str(each.write(tmp_path / f"{each.settlement_id}.csv")) for each in (before, march, april)]
    await typed("reconcile", files[0], **there)

    both = await typed("reconcile", *files[1:], "--json", **there)
    since_april = await typed("reconcile", *files, "--since", "2027-04-01", "--json", **there)

    assert [each["settlement_id"] for each in both.data["settlements"]] == ["5044561311", "2"]
    assert [each["kind"] for each in both.data["differences"]] == ["no_entry"]
    assert [each["settlement_id"] for each in since_april.data["settlements"]] == ["2"]


async def test_of_files_of_which_the_ledger_knows_one_otherwise_none_is_taken(
    there: dict[str, str], tmp_path: Path
) -> None:
    known = REPORT.but(lines=[CAPTURE]).write(tmp_path / "march.csv")
    await typed("reconcile", str(known), **there)
    new = str(Report([OTHER], "2").write(tmp_path / "april.csv"))
    otherwise = str(REPORT.write(tmp_path / "march-again.csv"))

    said = await typed("reconcile", new, otherwise, **there)
    then = await typed("reconcile", new, "--json", **there)

    assert (said.code, "and says something else" in said.trouble) == (2, True)
    assert [each["is_new"] for each in then.data["taken"]] == [True]


async def test_another_encoding_is_named_and_a_file_that_does_not_add_up_is_taken_when_asked(
    there: dict[str, str], tmp_path: Path
) -> None:
    lines = [CAPTURE, Line("Capture", "S03-1-C000001", "1200", currency="JPY", reference="注文-7")]
    file = str(Report(lines, is_paid_out=False).write(tmp_path / "march.csv", "cp932"))

    as_it_is = await typed("reconcile", file, **there)
    named = await typed("reconcile", file, "--encoding", "cp932", **there)
    unbalanced = await typed("reconcile", file, "--encoding", "cp932", "--unbalanced", "--json", **there)

    assert (as_it_is.code, "line 6" in as_it_is.trouble) == (2, True)
    assert (named.code, "more than is transferred" in named.trouble) == (2, True)
    assert unbalanced.data["settlements"][0]["paid_out"] == "0.00 EUR"


async def test_lines_are_written_out_for_whoever_keeps_books_elsewhere(there: dict[str, str], tmp_path: Path) -> None:
    formula = Line("Refund", REFUND.transaction_id, "-5.00", "0.15", reference="=1+1")
    file = str(REPORT.but(lines=[CAPTURE, formula]).write(tmp_path / "march.csv"))

    said = await typed("reconcile", file, "--lines-to", str(tmp_path / "lines.csv"), "--json", **there)
    nowhere = await typed("reconcile", file, "--lines-to", str(tmp_path / "none" / "lines.csv"), **there)

    rows = list(csv.DictReader((tmp_path / "lines.csv").read_text().splitlines()))
    assert [(row["kind"], row["amount"], row["fee"], row["net"], row["merchant_reference"]) for row in rows] == [
        ("capture", "14.90", "-0.73", "14.17", "order-7"),
        ("refund", "-5.00", "0.15", "-4.85", "'=1+1"),
        ("transfer", "-9.32", "0.00", "-9.32", ""),
    ]
    assert said.code == 1
    assert (nowhere.code, "No such file or directory" in nowhere.trouble) == (2, True)
    assert unfinished(tmp_path) == []


async def test_a_transaction_report_is_held_against_the_ledger_as_well_and_not_kept(
    there: dict[str, str], tmp_path: Path
) -> None:
    march = str(REPORT.but(lines=[CAPTURE]).write(tmp_path / "march.csv"))
    stray = TRANSACTION | {"AmazonCaptureId": "S01-9-C000009"}
    captures = str(written(tmp_path / "captures.csv", TRANSACTION, stray))

    alone = await typed("reconcile", captures, "--json", **there)
    both = await typed("reconcile", captures, march, *NO_DAYS, "--json", **there)
    for_people = await typed("reconcile", captures, **there)
    (tmp_path / "captures.csv").write_bytes((tmp_path / "captures.csv").read_bytes()[:-30])
    cut = await typed("reconcile", str(REPORT.but(settlement_id="2").write(tmp_path / "2.csv")), captures, **there)
    then = await typed("reconcile", str(tmp_path / "2.csv"), "--json", **there)

    assert (alone.code, alone.data["settlements"], alone.data["transactions"]) == (1, [], 2)
    assert [(each["kind"], each["transaction_id"]) for each in alone.data["differences"]] == [
        ("no_entry", "S01-9-C000009")
    ]
    assert (both.data["transactions"], len(both.data["settlements"]), len(both.data["differences"])) == (3, 1, 1)
    assert "2 transactions compared; 1 difference" in for_people.out
    assert (cut.code, "captures.csv, line 3" in cut.trouble) == (2, True)
    assert [each["is_new"] for each in then.data["taken"]] == [True], "nothing was taken with the one that is cut"


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["{folder}/none.csv"], {}, "none.csv: No such file or directory"),
        (["{folder}/march.csv"], {"PERENNIAL_MERCHANT_ID": "A2"}, "march.csv, column SellerId: 'A1SIMULATOR': "),
        (["{folder}/march.csv", "--encoding", "klingon"], {}, "march.csv: nobody knows the encoding 'klingon'"),
        (["{folder}/march.csv"], {"PERENNIAL_LEDGER_URL": "mysql://shop:geheim@db/books"}, "PERENNIAL_LEDGER_URL: "),
        ([], {}, "PERENNIAL_PUBLIC_KEY_ID: is not set"),
        (["--transactions"], {}, "--transactions: Amazon is asked for them, in live only"),
        (
            ["{folder}/march.csv", "--transactions"],
            {"PERENNIAL_ENVIRONMENT": "live"},
            "--transactions: Amazon is asked for them, in live only; give files as they are",
        ),
    ],
)
async def test_what_keeps_it_from_beginning_is_one_line(
    there: dict[str, str], tmp_path: Path, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    REPORT.write(tmp_path / "march.csv")

    told_ = await typed("reconcile", *(each.format(folder=tmp_path) for each in arguments), **there | environment)

    assert told_.code == 2
    assert told_.trouble.startswith(f"error: {said}")
    assert "geheim" not in told_.err


async def test_a_report_of_amazons_that_is_cut_is_told_and_the_others_are_taken(
    there: dict[str, str], tmp_path: Path
) -> None:
    write_private_key(tmp_path / "key.pem", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    whole, cut = REPORT.but(lines=[CAPTURE]).text().encode(), REPORT.but(settlement_id="2").text().encode()[:-40]
    async with Loopback() as amazon:
        reports = [
            {
                "reportId": f"A{number}",
                "processingStatus": "COMPLETED",
                "reportDocumentId": f"D{number}",
                "startTime": f"20270{number}01T000000Z",
                "endTime": f"20270{number}28T000000Z",
            }
            for number in (1, 2)
        ]
        amazon.first_answers = [
            answer(200, json.dumps({"reports": reports}).encode()),
            answer(200, json.dumps({"url": f"{amazon.origin}/cut"}).encode()),
            answer(200, cut),
            answer(200, json.dumps({"url": f"{amazon.origin}/whole"}).encode()),
            answer(200, whole),
        ]
        settings = {
            "PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-KEY",
            "PERENNIAL_PRIVATE_KEY_PATH": str(tmp_path / "key.pem"),
            "PERENNIAL_AMAZON_PAY_ORIGIN": amazon.origin,
            "NO_PROXY": "127.0.0.1",
        }
        until = ("--since", "2027-01-01", "--until", "2027-02-28")
        said = await typed("reconcile", *until, "--json", **there | settings)

    assert said.code == 1
    assert [each["settlement_id"] for each in said.data["taken"]] == ["5044561311"]
    minded, error = said.err.splitlines()
    assert minded.startswith("mind: report-A1.txt, line ")
    assert error == "error: 1 report refused"
