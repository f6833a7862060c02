"""All kinds, in the order in which they are run."""

from typing import Final

from tests.attack.outbound import OUTBOUND

KINDS: Final = (*OUTBOUND,)
