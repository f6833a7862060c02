"""The API's description and its list of addresses, as the docs have them, made of the code.

python -m tests.api.reference        # brings docs/openapi.json and docs/api.md up to date
"""

import json
import re
from pathlib import Path
from typing import Any, Final
from unittest.mock import create_autospec

from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.forecast import Quota
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.api.app import create_app
from perennial_billing.starter.api.services import Reach, Services
from perennial_billing.starter.client import Subscriptions

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "api.md"
DESCRIPTION: Final = DOCS / "openapi.json"
_TABLE: Final = re.compile(r"(?<=<!-- addresses -->\n).*?(?=<!-- end -->)", re.DOTALL)


def described() -> dict[str, Any]:  # Any: an OpenAPI document
    """The description; nothing is served for it, so nothing has to be there."""
    services = Services(
        create_autospec(Subscriptions, instance=True),
        create_autospec(Ledger, instance=True),
        Settings(),
        Quota(burst=1, per_second=1),
        create_autospec(Reach, instance=True),
    )
    return create_app(services).openapi()


def as_text(description: dict[str, Any]) -> str:  # Any: as above
    """As the file has it."""
    return json.dumps(description, indent=1, ensure_ascii=False) + "\n"


def with_addresses(page: str, description: dict[str, Any]) -> str:  # Any: as above
    """The page with the table of all addresses."""
    rows = [
        f"| {method.upper()} | `{path}` | {_says(operation)} |"
        for path, item in description["paths"].items()
        for method, operation in item.items()
        if not path.endswith("/dry-run")
    ]
    table = "\n".join(["| | address | |", "| --- | --- | --- |", *rows, ""])
    return _TABLE.sub(lambda _: table, page)


def _says(operation: dict[str, Any]) -> str:  # Any: as above
    """What it does: the first paragraph of what is said of it, or its heading."""
    said = str(operation.get("description") or operation["summary"])
    return said.partition("\n\n")[0].replace("\n", " ")


def main() -> None:
    """Writes both."""
    description = described()
    DESCRIPTION.write_text(as_text(description))
    PAGE.write_text(with_addresses(PAGE.read_text(), description))


if __name__ == "__main__":
    main()
