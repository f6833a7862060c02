"""When what was audited."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0004"
down_revision: Final = "0003"

INSTANT: Final = sa.DateTime(timezone=True)
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Makes its tables."""
    op.create_table(
        "audit_runs",
        sa.Column("id", ID, primary_key=True),
        sa.Column("selection", DOCUMENT, nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audits",
        sa.Column("charge_permission_id", sa.String(64), primary_key=True),
        sa.Column("run", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("last_entry", ID, nullable=False),
        sa.Column("found", sa.Boolean(), nullable=False),
        sa.Column("findings", DOCUMENT, nullable=False),
        sa.Column("trouble", sa.String(512)),
    )
    op.create_index("ix_audits_run_charge_permission_id", "audits", ["run", "charge_permission_id"])
