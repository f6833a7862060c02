"""What buyers have done by links of their own page."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0010"
down_revision: Final = "0009"

INSTANT: Final = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes its table."""
    op.create_table(
        "portal_acts",
        sa.Column("nonce", sa.String(32), primary_key=True),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT),
    )
    op.create_index("ix_portal_acts_expires_at", "portal_acts", ["expires_at"])
