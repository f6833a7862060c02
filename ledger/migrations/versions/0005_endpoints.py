"""Endpoints for notices with their secrets, and deliveries to each."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0005"
down_revision: Final = "0004"

INSTANT: Final = sa.DateTime(timezone=True)
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Makes their tables; what was delivered before went to the one endpoint of the environment variables."""
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("types", DOCUMENT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("disabled_at", INSTANT),
        sa.Column("disabled_for", sa.String(16)),
        sa.Column("failing_since", INSTANT),
        sa.Column("trouble", sa.String(256)),
    )
    op.create_table(
        "endpoint_secrets",
        sa.Column("id", ID, primary_key=True),
        sa.Column("endpoint", sa.String(32), sa.ForeignKey("endpoints.id"), nullable=False),
        sa.Column("secret", sa.String(512), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_endpoint_secrets_endpoint_id", "endpoint_secrets", ["endpoint", "id"])
    with op.batch_alter_table("deliveries") as batch:
        batch.add_column(sa.Column("endpoint", sa.String(32), nullable=False, server_default="environment"))
        batch.add_column(sa.Column("sending", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_deliveries_endpoint_state_id", "deliveries", ["endpoint", "state", "id"])
