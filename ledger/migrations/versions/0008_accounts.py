"""Merchant accounts, and what may be limited to some of them: endpoints for notices, and keys of the HTTP API."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0008"
down_revision: Final = "0007"

INSTANT: Final = sa.DateTime(timezone=True)
DOCUMENT: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Makes their table; what was there before is limited to nothing."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("region", sa.String(2), nullable=False),
        sa.Column("environment", sa.String(8), nullable=False),
        sa.Column("public_key_id", sa.String(64), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("quotas", DOCUMENT, nullable=False),
        sa.Column("soft_descriptor", sa.String(16)),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("key_since", INSTANT, nullable=False),
        sa.UniqueConstraint("merchant_id", name="uq_accounts_merchant_id"),
    )
    for table in ("endpoints", "api_keys"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("accounts", sa.Text(), nullable=False, server_default=""))
