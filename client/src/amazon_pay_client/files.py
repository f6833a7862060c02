"""Reading small files that a setting names, so that nothing it may name by mistake stops or fills the process.

An endless device, a pipe that nobody writes to and a disk image are refused, not read.
"""

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LARGEST_BYTES: Final = 64 * 1024
"""Of a key or a certificate with its issuers; those of Amazon have 2 KiB."""

_NOT_OF_A_PATH: Final = re.compile(r"-----|[\x00-\x1f\x7f]|[A-Za-z0-9+=]{40}|[A-Za-z0-9+/=]{60}|.{256}")
"""Of PEM text or another secret, where a path was expected. A path like it is not shown, which does no harm."""


@dataclass(frozen=True, slots=True)
class SmallFile:
    """What a file holds.

    Attributes:
        content: all of it.
        is_for_others: it is this user's own, and its mode lets others read or write it.
    """

    content: bytes
    is_for_others: bool


def read_small_file(path: Path, largest_bytes: int = LARGEST_BYTES) -> SmallFile:
    """Reads a whole file, which must be an ordinary one and no larger than that.

    Raises:
        OSError: there is none, or it is another kind of file; `strerror` says which.
        ValueError: the path can be no path.
    """
    # Not blocking, as opening a pipe would wait for its writer.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - a descriptor
        found = os.fstat(file.fileno())
        if stat.S_ISDIR(found.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not an ordinary file")
        content = file.read(largest_bytes + 1)
    if len(content) > largest_bytes:
        raise OSError(errno.EFBIG, f"it has more than {largest_bytes} bytes")
    is_own = found.st_uid == os.geteuid()
    return SmallFile(content, is_own and bool(found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)))


def shown(path: Path) -> str:
    """A path for an error; in its place, where it may be a secret itself, that it is not shown."""
    text = str(path)
    return "(not shown, as it looks like a key and not like a path)" if _NOT_OF_A_PATH.search(text) else text
