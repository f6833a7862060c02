"""What keeps a process from starting."""

import re
from typing import Final

_LIKE_A_SECRET: Final = re.compile(r"-----|[\x00-\x1f\x7f]|[A-Za-z0-9+=]{40}|[A-Za-z0-9+/=]{60}|.{256}")
"""PEM text and its like, set where an address or a path was expected. What only looks like it is not shown either."""


class StartupError(Exception):
    """A process cannot start. The message is one line for a person: what, which value, what to do."""


def shown(value: object) -> str:
    """A setting's value for an error; in its place, where it may be a secret, that it is not shown."""
    text = str(value)
    return "(not shown, as it looks like a key)" if _LIKE_A_SECRET.search(text) else text
