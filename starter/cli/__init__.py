"""The command line `perennial`: everything a merchant's engineer types.

Owns: what can be typed, and how it is printed. Does not decide: anything; `starter.client` does the asking.

Exit codes: see docs/operations.md, "Exit codes"; their names are in `output`.
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
