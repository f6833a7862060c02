"""The command line `perennial`: everything a merchant's engineer types.

Exit codes: 0 done, 1 refused or not true (no such subscription, books that differ), 2 cannot start (a wrong option,
setting, file or port).
"""

from starter.cli.app import main

__all__ = ["main"]
