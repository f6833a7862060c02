"""What each subscription knew when it last told something, for when Temporal has forgotten it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    """Makes the table; a row comes with what a subscription tells next."""
    op.create_table(
        "states",
        sa.Column("charge_permission_id", sa.String(64), primary_key=True),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("history_length", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
    )
