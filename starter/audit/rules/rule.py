"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from perennial_billing.starter.audit.case import Case

Holds = Callable[[Case], Iterator[str]]
"""Says what is wrong in a case, and nothing where all is well."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold.

    Attributes:
        rule: the name of the rule; it never changes.
        says: what is wrong, in one sentence.
        to_do: what to do about it.
    """

    rule: str
    says: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must always hold.

    Attributes:
        name: for machines; it never changes.
        holds: finds where it does not; its docstring says what must hold.
        to_do: what to do about it.
    """

    name: str
    holds: Holds
    to_do: str

    def findings(self, case: Case) -> Iterator[Finding]:
        """What does not hold in a case."""
        for says in self.holds(case):
            yield Finding(self.name, says, self.to_do)
