"""What goes wrong with the ledger. Each message is one line for a person: what, and what to do."""


class LedgerError(Exception):
    """The ledger cannot be used now, or not by this release."""


class LedgerUnavailableError(LedgerError):
    """The database is locked, full, gone or too slow. Nothing was recorded, and the same may be recorded again."""


class LedgerVersionError(LedgerError):
    """The tables are of another release: older, newer, or not there yet."""
