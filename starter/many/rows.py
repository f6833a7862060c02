"""The rows of a file of subscribers who come from elsewhere: CSV with a header, or a JSON object a line."""

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TextIO

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT, Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused, refusals_of
from perennial_billing.billing.subscription import Subscription

LONGEST_LINE: Final = 100_000
"""Characters: a row has some hundred, and what has no line's end must not fill the memory."""

_NO_TEXT: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of a character: JSON can write them, and bytes that are not UTF-8 are kept so."""

_UNDECODED: Final = range(0xDC80, 0xDD00)
"""What stands for a byte that is not UTF-8 (PEP 383)."""

_SAVE_AS_UTF_8: Final = "save it as UTF-8"


def _money(value: object) -> object:
    try:
        return Money.parse(value) if isinstance(value, str) else value
    except Refused as refusal:
        raise refusal.under("") from None


class Row(BaseModel):
    """One subscriber.

    Attributes:
        charge_permission_id: Amazon's id of the recurring charge permission that the buyer approved.
        plan: the plan's id.
        anchor: the instant that the due dates are counted from; its day and wall time are kept.
        next_period: the first period to be charged here, counted from the anchor's 0; the next that falls due when not
            given.
        zone: IANA zone that days and months are counted in.
        quantity: how many units of the plan.
        billing_day: a day of the month that periods are moved to.
        billing_time: its wall time.
        ends_at: nothing falls due at or after this instant.
        merchant_reference: your own reference; never personal data.
        merchant_account: the short name of the Amazon Pay account that is charged for.
        debt: what is owed from before, such as `12.00 USD`; it is added to the first charge here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    charge_permission_id: str
    plan: str
    anchor: AwareDatetime
    next_period: Annotated[int, Field(ge=0)] | None = None
    zone: str = "UTC"
    quantity: int = 1
    billing_day: int | None = None
    billing_time: time | None = None
    ends_at: AwareDatetime | None = None
    merchant_reference: str = ""
    merchant_account: str = DEFAULT_ACCOUNT
    debt: Annotated[Money | None, BeforeValidator(_money)] = None

    def subscription(self, plans: Mapping[str, Plan], now: datetime) -> Subscription:
        """The subscription, paused, as it is to be started.

        Raises:
            Refused: the row cannot be meant.
            ValidationError: it is not accepted as terms.
        """
        plan = plans.get(self.plan)
        if plan is None:
            raise Refused("plan", repr(self.plan), f"the plans are: {', '.join(sorted(plans)) or 'none'}")
        if self.billing_time is not None and self.billing_day is None:
            raise Refused("billing_time", f"{self.billing_time:%H:%M}", "a billing_day is needed beside it")
        day = None
        if self.billing_day is not None:
            day = BillingDay(day=self.billing_day, at=self.billing_time, first_period=FirstPeriod.SHORT)
        terms = Terms(
            charge_permission_id=self.charge_permission_id,
            plan=plan,
            quantity=self.quantity,
            anchor=self.anchor,
            billing_day=day,
            ends_at=self.ends_at,
            zone=self.zone,
            merchant_reference=self.merchant_reference,
            merchant_account=self.merchant_account,
        )
        return Subscription.joining(terms, next_period=self.next_period, debt=self.debt, now=now)


class Numbered(BaseModel):
    """A row and its line; or, in its place, why it cannot be read."""

    line: int
    row: Row | None = None
    charge_permission_id: str = ""
    why: str = ""


async def read_rows(path: Path) -> AsyncIterator[Numbered]:
    """The file's rows, one after the other; what cannot be read is given as such, and does not end it.

    Raises:
        Refused: the file as a whole cannot be read: its kind, its encoding, its header.
        OSError: there is no such file.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise Refused(str(path), "", "subscribers are read from a .csv or .jsonl file")
    with path.open("rb") as file:
        mark = file.read(len(codecs.BOM_UTF16_LE))
    if mark in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        raise Refused(str(path), "", f"not UTF-8: it is UTF-16; {_SAVE_AS_UTF_8}")
    # What is not UTF-8 is kept, so that it is refused with its line alone.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line, content in reader(_lines(file)):
            yield _numbered(line, content)


def _lines(file: TextIO) -> Iterator[tuple[int, str | ValueError]]:
    """The lines that are not blank, however they end, counted from 1 as an editor does; or why one is none."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE and not line.endswith("\n"):
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith("\n"):
                pass
            yield number, ValueError(f"it is longer than {LONGEST_LINE} characters")
        elif line.strip():
            yield number, line.rstrip("\n")


def _numbered(line: int, content: object) -> Numbered:
    if isinstance(content, ValueError):
        return Numbered(line=line, why=str(content))
    identifier = content.get("charge_permission_id") if isinstance(content, dict) else None
    known = identifier if isinstance(identifier, str) and not _why_no_text(identifier) else ""
    why = _why_no_texts(content) if isinstance(content, dict) else ""
    if why:
        return Numbered(line=line, charge_permission_id=known, why=why)
    try:
        return Numbered(line=line, row=Row.model_validate(content), charge_permission_id=known)
    except ValidationError as error:
        return Numbered(line=line, charge_permission_id=known, why="; ".join(map(str, refusals_of(error))))


def _why_no_texts(content: Mapping[Any, object]) -> str:  # Any: names of fields, as they were written
    """Why a row holds something that no terminal, report or request can hold; nothing where all is text."""
    for name, value in content.items():
        if why := _why_no_text(name):
            return f"the name of a field {why}"
        if isinstance(value, str) and (why := _why_no_text(value)):
            return f"{name}: {why}"
    return ""


def _why_no_text(text: str) -> str:
    found = _NO_TEXT.search(text)
    if found is None:
        return ""
    character = ord(found[0])
    if character in _UNDECODED:
        return f"is not UTF-8 (byte {character - _UNDECODED.start + 0x80:#04x}); {_SAVE_AS_UTF_8}"
    return f"holds U+{character:04X}, which is no text"


def _csv_rows(lines: Iterator[tuple[int, str | ValueError]]) -> Iterator[tuple[int, object]]:
    """Each line is a row, also within quotes: no column holds a line's end, and so a stray quote swallows one row."""
    header = _header(next(lines, (1, ""))[1])
    for number, line in lines:
        cells = line if isinstance(line, ValueError) else _cells(line)
        if isinstance(cells, ValueError):
            yield number, cells
        elif len(cells) != len(header):
            yield number, ValueError(f"it has {len(cells)} cells, and the header {len(header)} columns")
        else:
            yield number, {name: cell for name, cell in zip(header, cells, strict=True) if cell}


def _header(line: str | ValueError) -> list[str]:
    """The columns.

    Raises:
        Refused: they are not those of a subscriber.
    """
    names = line if isinstance(line, ValueError) else _cells(line)
    if isinstance(names, ValueError):
        raise Refused("header", "", str(names))
    names = [name.strip() for name in names]
    if why := next(filter(None, map(_why_no_text, names)), None):
        raise Refused("header", "", f"it {why}")
    missing = {name for name, field in Row.model_fields.items() if field.is_required()} - set(names)
    trouble = [f"{name!r} is not a column" for name in sorted(set(names) - Row.model_fields.keys())]
    trouble += [f"{name!r} is missing" for name in sorted(missing)]
    trouble += [f"{name!r} is there {count} times" for name, count in Counter(names).items() if count > 1]
    if trouble:
        raise Refused(
            "header", "", f"{', '.join(trouble)}; columns are {', '.join(Row.model_fields)}, separated by commas"
        )
    return names


def _cells(line: str) -> list[str] | ValueError:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        return ValueError(f"not CSV: {error}" + (": a quote is open at its end" if line.count('"') % 2 else ""))


def _json_rows(lines: Iterator[tuple[int, str | ValueError]]) -> Iterator[tuple[int, object]]:
    for number, line in lines:
        if isinstance(line, ValueError):
            yield number, line
            continue
        try:
            yield (
                number,
                json.loads(line, parse_float=str, parse_constant=_no_number, object_pairs_hook=_without_repetition),
            )
        except RecursionError:
            yield number, ValueError("not JSON of a subscriber: it is nested too deeply")
        except ValueError as error:
            yield number, ValueError(f"not JSON: {error}")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]!a} is there twice")
    return dict(pairs)


_READERS: Final[Mapping[str, Callable[[Iterator[tuple[int, str | ValueError]]], Iterator[tuple[int, object]]]]] = {
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
}
