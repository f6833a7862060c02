"""The command line `perennial`: everything a merchant's engineer types.

Owns: what can be typed, and how it is printed. Does not decide: anything; `starter.client` does the asking.

Exit codes: 0 done, 1 refused or not true (no such subscription, books that differ), 2 cannot start (a wrong option,
setting, file or port), 3 asked and not answered yet (no worker was there, or Amazon has not answered: ask again with
the request id that is printed), 130 and 143 ended by SIGINT and SIGTERM.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """The entry point of the console script. Its help needs no more than a table, so it is printed without typer."""
    if sys.argv[1:] == ["--help"]:
        from perennial_billing.starter.cli.front_page import print_front_page

        print_front_page()
        sys.stdout.write("\n")  # as typer ends every help
    else:
        from perennial_billing.starter.cli.app import app
        from perennial_billing.starter.cli.commands import PROGRAM

        app(prog_name=PROGRAM)
