"""The first tables."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0001"
down_revision: Final = None

INSTANT: Final = sa.DateTime(timezone=True)
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Makes them."""
    op.create_table(
        "entries",
        sa.Column("id", ID, primary_key=True),
        sa.Column("charge_permission_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("period", sa.Integer()),
        sa.Column("due", INSTANT),
        sa.Column("attempt", sa.Integer()),
        sa.Column("amount_minor", sa.BigInteger()),
        sa.Column("currency", sa.String(3)),
        sa.Column("charge_id", sa.String(64)),
        sa.Column("refund_id", sa.String(64)),
        sa.Column("dispute_id", sa.String(64)),
        sa.Column("reason_code", sa.String(128)),
        sa.Column("status", sa.String(64)),
        sa.Column("successor", sa.String(64)),
        sa.Column("merchant_account", sa.String(64), nullable=False),
        sa.Column("merchant_reference", sa.String(256), nullable=False),
        sa.Column("plan_id", sa.String(128), nullable=False),
        sa.Column("notice", DOCUMENT, nullable=False),
        sa.Column("summary", DOCUMENT),
        sa.UniqueConstraint(
            "charge_permission_id",
            "number",
            "digest",
            name="uq_entries_charge_permission_id_number_digest",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entries_at_id", "entries", ["at", "id"])
    op.create_index("ix_entries_charge_id", "entries", ["charge_id"])
    op.create_index("ix_entries_dispute_id", "entries", ["dispute_id"])
    op.create_index("ix_entries_merchant_reference", "entries", ["merchant_reference"])
    op.create_index("ix_entries_refund_id", "entries", ["refund_id"])
    op.create_index("ix_entries_type_at", "entries", ["type", "at"])
    op.create_table(
        "subscriptions",
        sa.Column("charge_permission_id", sa.String(64), primary_key=True),
        sa.Column("merchant_account", sa.String(64), nullable=False),
        sa.Column("merchant_reference", sa.String(256), nullable=False),
        sa.Column("plan_id", sa.String(128), nullable=False),
        sa.Column("price_minor", sa.BigInteger()),
        sa.Column("currency", sa.String(3)),
        sa.Column("interval_unit", sa.String(8)),
        sa.Column("interval_count", sa.Integer()),
        sa.Column("quantity", sa.Integer()),
        sa.Column("began_at", INSTANT),
        sa.Column("status", sa.String(32)),
        sa.Column("past_due_since", INSTANT),
        sa.Column("needs_attention", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("last_reason", sa.String(128)),
        sa.Column("next_action", sa.String(64)),
        sa.Column("next_action_at", INSTANT),
        sa.Column("next_charge_at", INSTANT),
        sa.Column("ended_at", INSTANT),
        sa.Column("successor", sa.String(64)),
        sa.Column("charged_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("written_off_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("periods_paid", sa.Integer(), server_default="0", nullable=False),
        sa.Column("disputes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
    )
    op.create_index(
        "ix_subscriptions_last_reason_charge_permission_id", "subscriptions", ["last_reason", "charge_permission_id"]
    )
    op.create_index(
        "ix_subscriptions_merchant_account_charge_permission_id",
        "subscriptions",
        ["merchant_account", "charge_permission_id"],
    )
    op.create_index(
        "ix_subscriptions_merchant_reference_charge_permission_id",
        "subscriptions",
        ["merchant_reference", "charge_permission_id"],
    )
    op.create_index(
        "ix_subscriptions_needs_attention_charge_permission_id",
        "subscriptions",
        ["needs_attention", "charge_permission_id"],
    )
    op.create_index(
        "ix_subscriptions_next_charge_at_charge_permission_id",
        "subscriptions",
        ["next_charge_at", "charge_permission_id"],
    )
    op.create_index(
        "ix_subscriptions_owing",
        "subscriptions",
        ["charge_permission_id"],
        sqlite_where=sa.text("past_due_since IS NOT NULL"),
        postgresql_where=sa.text("past_due_since IS NOT NULL"),
    )
    op.create_index(
        "ix_subscriptions_plan_id_charge_permission_id", "subscriptions", ["plan_id", "charge_permission_id"]
    )
    op.create_index("ix_subscriptions_status_charge_permission_id", "subscriptions", ["status", "charge_permission_id"])
    op.create_index("ix_subscriptions_successor", "subscriptions", ["successor"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("charge_permission_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trouble", sa.String(256)),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
    )
    op.create_index("ix_deliveries_charge_permission_id_number", "deliveries", ["charge_permission_id", "number"])
    op.create_index("ix_deliveries_state_since", "deliveries", ["state", "since"])
