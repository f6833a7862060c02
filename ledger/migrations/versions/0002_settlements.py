"""Amazon's settlements and their lines."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"

INSTANT: Final = sa.DateTime(timezone=True)
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes their tables."""
    op.create_table(
        "settlements",
        sa.Column("id", ID, primary_key=True),
        sa.Column("merchant_account", sa.String(64), nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("settlement_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.String(64)),
        sa.Column("taken_at", INSTANT, nullable=False),
        sa.UniqueConstraint("merchant_id", "settlement_id", name="uq_settlements_merchant_id_settlement_id"),
    )
    op.create_index("ix_settlements_merchant_account_ends_at", "settlements", ["merchant_account", "ends_at"])
    op.create_table(
        "settlement_lines",
        sa.Column("id", ID, primary_key=True),
        sa.Column("settlement", ID, sa.ForeignKey("settlements.id"), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("transaction_id", sa.String(64)),
        sa.Column("charge_permission_id", sa.String(64)),
        sa.Column("merchant_reference", sa.String(256)),
        sa.Column("posted_at", INSTANT, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("percentage_fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("fixed_fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_settlement_lines_transaction_id", "settlement_lines", ["transaction_id"])
    op.create_index(
        "ix_settlement_lines_settlement_transaction_id", "settlement_lines", ["settlement", "transaction_id"]
    )
