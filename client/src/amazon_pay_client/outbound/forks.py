"""What a forked child may not take over from its parent: connections, and locks that threads of the parent held.

Two processes that write to one connection would mix their requests. A child begins as if nothing had been sent yet.
"""

import os
import weakref
from typing import Final, Protocol


class Forked(Protocol):
    """What begins anew in a child."""

    def begin_anew(self) -> None:
        """Forgets connections, turns and locks, without a word to the other end."""
        ...


_all: Final[weakref.WeakSet[Forked]] = weakref.WeakSet()


def begins_anew_in_children(one: Forked) -> None:
    """Has it told in each child that is forked from now on; it is not kept alive by that."""
    _all.add(one)


def _in_the_child() -> None:
    for one in list(_all):
        one.begin_anew()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_in_the_child)
