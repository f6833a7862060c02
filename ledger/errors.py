"""What goes wrong with the ledger. Each message is one line for a person: what, and what to do."""


class LedgerError(Exception):
    """The ledger cannot be used now, or not by this release."""


class LedgerUnavailableError(LedgerError):
    """The database is locked, full, gone or too slow. Nothing was recorded, and the same may be recorded again."""


class LedgerAheadError(Exception):
    """The ledger knows of a subscription what it does not know itself: its workflow stands at an earlier moment.

    Args:
        told: the number of the last notice that the ledger knows.
    """

    def __init__(self, told: int) -> None:
        self.told = told
        super().__init__(f"the ledger knows {told} notices of it, and others than are told now")


class LedgerVersionError(LedgerError):
    """The tables are of another release: older, newer, or not there yet."""
