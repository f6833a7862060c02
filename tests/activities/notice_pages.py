"""Makes the page and the schema of notices of what the code says: `python -m tests.activities.notice_pages`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from perennial_billing.activities.payloads import PAYLOADS, SCHEMA_VERSION, descriptions, example_of, fields_of, schema
from perennial_billing.billing.protocol.notices import NoticeType

DOCS: Final = Path(__file__).parent.parent.parent / "docs"
PAGE: Final = DOCS / "notices.md"
SCHEMA: Final = DOCS / "schemas" / f"notices.v{SCHEMA_VERSION}.json"

_HEAD: Final = f"""# Notices, type by type

Made from the code by `python -m tests.activities.notice_pages`; a test says when that is due.
[Operations](operations/notices.md) says how notices are delivered, verified and sent again.

Each is posted to your endpoint as JSON: a `type`, a `timestamp` (when it happened, by the subscription's time) and
`data`. `data` always has `charge_permission_id`, `merchant_reference`, `plan_id` and `number`. Instants are ISO 8601 in
UTC; an amount is a decimal number in a text beside its currency. A field that says nothing is left out.

The JSON Schema of all of them, version {SCHEMA_VERSION}, is [schemas/{SCHEMA.name}](schemas/{SCHEMA.name}). Within a
version nothing is taken away, renamed or given another meaning; fields and types may be added, so pass over what you do
not know. `perennial notices sample TYPE` makes one, `--to ENDPOINT` sends it, signed.
"""


def page() -> str:
    """The page, from the table of payloads."""
    return "\n".join([_HEAD, *(line for kind in NoticeType for line in _section(kind))])


def schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def _section(kind: NoticeType) -> Iterator[str]:
    said, (always, maybe) = descriptions(), fields_of(kind)
    event: dict[str, Any] = json.loads(example_of(kind).body)
    yield f"## {kind.value}\n"
    yield f"{PAYLOADS[kind].says}\n"
    yield "| field of `data` | there | what it is |"
    yield "| --- | --- | --- |"
    for name in (*always, *maybe):
        yield f"| `{name}` | {'always' if name in always else 'maybe'} | {said[name]} |"
    yield f"\n```json\n{json.dumps(event, indent=2)}\n```\n"


if __name__ == "__main__":
    SCHEMA.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    SCHEMA.write_text(schema_text())
