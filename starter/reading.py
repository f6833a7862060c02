"""What is read at Amazon before a subscription begins; who reads it is the caller's to say."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from perennial_billing.billing.protocol.answers import ChargeAnswer, PermissionAnswer


class ReadsAmazon(Protocol):
    """Reads charge permissions and charges, and changes nothing.

    What Amazon does not show is an answer, too: `refused` of a charge permission, the outcome `REFUSED` of a charge.
    """

    async def charge_permission(self, charge_permission_id: str) -> PermissionAnswer:
        """How a charge permission stands.

        Raises:
            NotReadError: Amazon did not answer.
        """
        ...

    async def charge(self, charge_id: str) -> ChargeAnswer:
        """How a charge stands.

        Raises:
            NotReadError: Amazon did not answer.
        """
        ...


OpensAmazon = Callable[[str], AbstractAsyncContextManager[ReadsAmazon]]
"""Opens a way to Amazon for a merchant account, when something is to be read there: a start that is repeated needs
none."""
