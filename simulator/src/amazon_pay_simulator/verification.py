"""Asserting on the journal: what was expected, how often, and what came nearest where it did not happen."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from amazon_pay_simulator.journal import Criteria, Difference, RecordedNotification, RecordedRequest

NEAREST: Final = 3
"""How many entries are shown that were nearly what was expected."""

Count = Annotated[int, Field(ge=0)]


class Expectation(BaseModel):
    """What should be in the journal, and how often; at least once where nothing else is said."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    matching: Criteria = Field(default_factory=Criteria)
    """Which entries are counted."""
    body: dict[str, Any] | None = None  # Any: JSON
    """Fields that a request's body must have, with these values; it may have others beside them, at every level."""
    exactly: Count | None = None
    at_least: Count | None = None
    at_most: Count | None = None
    after: Count = 0
    """Only entries with a number above; 0 for all."""

    @model_validator(mode="after")
    def _is_one_count(self) -> Self:
        if self.exactly is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("exactly is not accepted together with at_least or at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least: {self.at_least} is more than at_most, which is {self.at_most}")
        return self

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The least and the most that is accepted."""
        if self.exactly is not None:
            return self.exactly, self.exactly
        if self.at_least is None and self.at_most is None:
            return 1, None
        return self.at_least or 0, self.at_most


class NearMiss(BaseModel):
    """An entry that is nearly what was expected."""

    number: int
    differences: dict[str, Difference]


class Verification(BaseModel):
    """Whether the journal is as expected."""

    model_config: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)

    verified: bool
    found: int
    """How many entries are as expected."""
    message: str
    """In a line, for people."""
    matching: list[int]
    """The numbers of those entries."""
    nearest: list[NearMiss]
    """Others that differ in the fewest fields, where the count is not right; the newest first."""
    forgotten: int
    """How many older entries the journal does not have any more."""

    def in_words(self) -> str:
        """What came nearest, in a line."""
        near = [
            f"entry {miss.number} differs in "
            + ", ".join(f"{name} ({each.found!r}, not {each.expected!r})" for name, each in miss.differences.items())
            for miss in self.nearest
        ]
        return "; ".join(near) or "nothing came near"


def verify(
    expected: Expectation, entries: Iterable[RecordedRequest | RecordedNotification], forgotten: int
) -> Verification:
    """Counts what is as expected.

    Args:
        expected: what should be there.
        entries: of the journal.
        forgotten: how many entries it does not have any more.
    """
    matching, others = [], []
    for entry in entries:
        differences = expected.matching.differences(entry)
        if expected.body is not None:
            differences |= _of_body(expected.body, getattr(entry, "body", None), "body")
        if differences:
            others.append(NearMiss(number=entry.number, differences=differences))
        else:
            matching.append(entry.number)
    least, most = expected.bounds
    is_verified = least <= len(matching) and (most is None or len(matching) <= most)
    nearest = sorted(others, key=lambda miss: (len(miss.differences), -miss.number))[:NEAREST]
    return Verification(
        verified=is_verified,
        found=len(matching),
        message=f"expected {_in_words(least, most)}, found {len(matching)}",
        matching=matching,
        nearest=[] if is_verified else nearest,
        forgotten=forgotten,
    )


def _of_body(expected: Any, found: Any, path: str) -> Mapping[str, Difference]:  # Any: JSON
    """Where a document lacks what is expected of it; lists are compared as a whole."""
    if isinstance(expected, dict) and isinstance(found, dict):
        differences: dict[str, Difference] = {}
        for name, value in expected.items():
            differences |= _of_body(value, found.get(name), f"{path}.{name}")
        return differences
    return {} if expected == found else {path: Difference(expected=expected, found=found)}


def _in_words(least: int, most: int | None) -> str:
    if least == most:
        return f"exactly {least}"
    if most is None:
        return f"at least {least}"
    return f"{least} to {most}" if least else f"at most {most}"
