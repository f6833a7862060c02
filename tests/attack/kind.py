"""What a kind of attack is, and what it came to."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attack came to.

    Attributes:
        came_to: how many of the attack's requests ended how, by the name of the error or answer.
        failed: what should have held and did not, a line each; none where all did.
    """

    came_to: Mapping[str, int]
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    Attributes:
        name: for the table and the command line.
        says: what is done, and what must hold.
        small: how many in the suite.
        large: how many in `make attack`.
        run: attacks so many times, and then asks for what is served to everybody.
        most_megabytes: how far the memory of the process may grow meanwhile, at its highest. The attackers live in the
            same process and count as well.
    """

    name: str
    says: str
    small: int
    large: int
    run: Callable[[int], Coroutine[Any, Any, Outcome]]  # Any: nothing is sent to it
    most_megabytes: int = 100
