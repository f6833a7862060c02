"""Tells SQLite how much each index narrows down. Without being told it takes all of them for equally good, and looks a
subscription's entries up among all of their type: with a million entries no report came to an end."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"

OF_ENTRIES: Final = {
    "sqlite_autoindex_entries_1": "1000000 10 1 1",
    "ix_entries_at_id": "1000000 2 1",
    "ix_entries_type_at": "1000000 60000 2",
    "ix_entries_charge_id": "1000000 2",
    "ix_entries_refund_id": "1000000 2",
    "ix_entries_dispute_id": "1000000 2",
    "ix_entries_merchant_reference": "1000000 10",
}
"""As `ANALYZE` would write it (SQLite, "The ANALYZE Command", `sqlite_stat1`): how many rows there are, and how many of
them have the same first column, the same first two, and so on; of a ledger of some 100,000 subscriptions."""


def upgrade() -> None:
    """Writes it down; PostgreSQL finds out by itself."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    op.execute("ANALYZE sqlite_schema")  # which makes the table that it is kept in, and looks at nothing
    op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'entries'")
    for index, narrows in OF_ENTRIES.items():
        row = sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('entries', :index, :narrows)")
        connection.execute(row, {"index": index, "narrows": narrows})
    op.execute("ANALYZE sqlite_schema")  # which reads it anew
