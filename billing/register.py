"""What was asked for, so that asking again gives the first answer and asks for nothing new."""

import hashlib
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AwareDatetime, Field, StrictInt, StringConstraints

from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.values import Value

if TYPE_CHECKING:
    from perennial_billing.billing.requests import Request

MOST_ENTRIES: Final = 100
"""The latest are kept; an older reference is not recognised any more."""

MOST_NAMES: Final = 8
"""Of one entry: whoever goes on asking under new names makes the state no larger."""

REFERENCE: Final = r"^[A-Za-z0-9._:/#-]{1,128}$"

Reference = Annotated[str, StringConstraints(pattern=REFERENCE)]
"""The merchant's own name for something wanted once: asking again with the same one is asking for the same."""

_Id = Annotated[str, StringConstraints(pattern=r"^[^:]*$")]
"""One of Amazon's; that it has no colon tells it from an instant, which is a text too once it was written down."""

Result = Annotated[StrictInt | _Id | AwareDatetime | None, Field(union_mode="left_to_right")]
"""What a request came to: when it takes effect (UTC), a refund's number, a charge's or permission's id, or nothing."""


class Entry(Value):
    """One thing that was asked for.

    Attributes:
        references: the names that it goes by: the merchant's own, and the request's id.
        wish: recognises what was asked for.
        kind: which kind of request it was.
        result: what it came to.
    """

    references: tuple[str, ...]
    wish: str
    kind: str
    result: Result = None


class Register(Value):
    """Everything that was asked for under a name, the latest ones, oldest first."""

    entries: tuple[Entry, ...] = ()

    def find(self, reference: str) -> Entry | None:
        """What was asked for under a name."""
        return next((entry for entry in self.entries if reference in entry.references), None)

    def known(self, references: tuple[str, ...], wish: str) -> Entry | None:
        """The same wish as it was asked for before under one of these names.

        Raises:
            Refused: one of them is the name of another wish.
        """
        same = None
        for reference in references:
            entry = self.find(reference)
            if entry is not None and entry.wish != wish:
                raise Refused(
                    "reference",
                    repr(reference),
                    f"it is that of another {entry.kind}; each wish has its own",
                    Kind.CONFLICT,
                )
            same = same or entry
        return same

    def known_by(self, entry: Entry, references: tuple[str, ...]) -> "Register":
        """What is known goes by these names too; the latest are kept, and the merchant's own comes with each."""
        names = tuple(dict.fromkeys((*references, *entry.references)))[:MOST_NAMES]
        return self.but(entries=tuple(entry.but(references=names) if each is entry else each for each in self.entries))

    def noting(self, entry: Entry) -> "Register":
        """Remembers what was asked for; what has no name cannot be recognised, and is not kept."""
        return self.but(entries=(*self.entries, entry)[-MOST_ENTRIES:]) if entry.references else self


def digest_of(wish: "Request") -> str:
    """Recognises the same wish, whatever names it goes by."""
    content = wish.model_dump_json(exclude={"kind", "reference"}, exclude_defaults=True)
    return hashlib.sha256(f"{wish.kind} {content}".encode()).hexdigest()[:16]
