"""The consoles of commands are made before a test pretends to be a terminal: they look at it once."""

import perennial_billing.starter.cli.output  # noqa: F401
