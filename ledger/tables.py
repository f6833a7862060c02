"""The tables, as both databases have them; how they came to be so stands in `ledger.migrations`."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB


class Instant(TypeDecorator[datetime]):
    """An aware instant. SQLite, which knows none, keeps UTC without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses what is not aware: it could be any of many instants."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """As UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


OF_THE_ENVIRONMENT: Final = "environment"
"""The id of the endpoint that the environment variables name."""

_ID: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by themselves for INTEGER only
_JSON: Final = JSON().with_variant(JSONB, "postgresql")
_MINOR: Final = BigInteger
"""An amount in its currency's minor units: 19.90 EUR is 1990, 500 JPY is 500."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

entries: Final = Table(
    "entries",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("charge_permission_id", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    # Of what happened: after Temporal was set back to an older state, a number is told again with what happened then.
    Column("digest", String(16), nullable=False),
    Column("type", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("period", Integer),
    Column("due", Instant),
    Column("attempt", Integer),
    Column("amount_minor", _MINOR),
    Column("currency", String(3)),
    Column("charge_id", String(64)),
    Column("refund_id", String(64)),
    Column("dispute_id", String(64)),
    Column("reason_code", String(128)),
    Column("status", String(64)),
    Column("successor", String(64)),
    Column("merchant_account", String(64), nullable=False),
    Column("merchant_reference", String(256), nullable=False),
    Column("plan_id", String(128), nullable=False),
    Column("notice", _JSON, nullable=False),
    # How the subscription stood once this and all before it had been told; of what was told together, with the last.
    Column("summary", _JSON),
    UniqueConstraint("charge_permission_id", "number", "digest"),
    Index(None, "at", "id"),
    Index(None, "type", "at"),
    Index(None, "charge_id"),
    Index(None, "refund_id"),
    Index(None, "dispute_id"),
    Index(None, "merchant_reference"),
    sqlite_autoincrement=True,
)
"""What was told: only ever added to."""

states: Final = Table(
    "states",
    metadata,
    Column("charge_permission_id", String(64), primary_key=True),
    # The number of the last notice that was told with it.
    Column("told", Integer, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    # When in its workflow's history that was.
    Column("run_id", String(64), nullable=False),
    Column("history_length", Integer, nullable=False),
    # All that the subscription knew then, as JSON compressed by zlib.
    Column("state", LargeBinary, nullable=False),
)
"""What Temporal keeps as well, for when it has forgotten; one row a subscription."""

subscriptions: Final = Table(
    "subscriptions",
    metadata,
    Column("charge_permission_id", String(64), primary_key=True),
    Column("merchant_account", String(64), nullable=False),
    Column("merchant_reference", String(256), nullable=False),
    Column("plan_id", String(128), nullable=False),
    Column("price_minor", _MINOR),
    Column("currency", String(3)),
    Column("interval_unit", String(8)),
    Column("interval_count", Integer),
    Column("quantity", Integer),
    Column("began_at", Instant),
    Column("status", String(32)),
    Column("past_due_since", Instant),
    Column("needs_attention", Boolean, nullable=False, server_default=false()),
    Column("last_reason", String(128)),
    Column("next_action", String(64)),
    Column("next_action_at", Instant),
    Column("next_charge_at", Instant),
    Column("ended_at", Instant),
    Column("successor", String(64)),
    Column("charged_minor", _MINOR, nullable=False, server_default="0"),
    Column("refunded_minor", _MINOR, nullable=False, server_default="0"),
    Column("written_off_minor", _MINOR, nullable=False, server_default="0"),
    Column("periods_paid", Integer, nullable=False, server_default="0"),
    Column("disputes", Integer, nullable=False, server_default="0"),
    Column("told", Integer, nullable=False, server_default="0"),
    Column("as_of", Instant, nullable=False),
    Index(None, "merchant_reference", "charge_permission_id"),
    Index(None, "status", "charge_permission_id"),
    Index(None, "plan_id", "charge_permission_id"),
    Index(None, "merchant_account", "charge_permission_id"),
    # Few owe anything: searched by how long, they are still gone through in the order of their ids.
    Index(
        "ix_subscriptions_owing",
        "charge_permission_id",
        sqlite_where=text("past_due_since IS NOT NULL"),
        postgresql_where=text("past_due_since IS NOT NULL"),
    ),
    Index(None, "needs_attention", "charge_permission_id"),
    Index(None, "last_reason", "charge_permission_id"),
    Index(None, "next_charge_at", "charge_permission_id"),
    Index(None, "successor"),
)
"""One row a subscription, as it stood when it last told something: made of the entries, so it can be made again."""

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("charge_permission_id", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("trouble", String(256)),
    # When it was begun, or begun again.
    Column("since", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("endpoint", String(32), nullable=False, server_default=OF_THE_ENVIRONMENT),
    # Counted from 1: what comes late of an earlier sending says nothing of a later one.
    Column("sending", Integer, nullable=False, server_default="1"),
    Index(None, "state", "since"),
    Index(None, "charge_permission_id", "number"),
    Index(None, "endpoint", "state", "id"),
)
"""What became of each notice on its way to each endpoint."""

endpoints: Final = Table(
    "endpoints",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("url", String(2048), nullable=False),
    # Types of notices, or their beginnings such as `period.*`; all of them where it is empty.
    Column("types", _JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("disabled_for", String(16)),
    # Since when it has taken nothing; none where it took what it was sent last.
    Column("failing_since", Instant),
    Column("trouble", String(256)),
    # Names of merchant accounts, with a space between two; all of them where it is empty.
    Column("accounts", Text, nullable=False, server_default=""),
)
"""Where the merchant is told. That of the environment variables has a row as well, and its URL and secret elsewhere."""

endpoint_secrets: Final = Table(
    "endpoint_secrets",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("endpoint", String(32), ForeignKey("endpoints.id"), nullable=False),
    # Longer than any secret is: what seals it later may make it longer.
    Column("secret", String(512), nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "endpoint", "id"),
    sqlite_autoincrement=True,
)
"""What notices are signed with. A secret that is retired is deleted."""

accounts: Final = Table(
    "accounts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("merchant_id", String(64), nullable=False),
    Column("region", String(2), nullable=False),
    Column("environment", String(8), nullable=False),
    Column("public_key_id", String(64), nullable=False),
    # The private key, encrypted: the secret that opens it is in no table.
    Column("sealed_key", Text, nullable=False),
    # Calls a second, by operation.
    Column("quotas", _JSON, nullable=False),
    Column("soft_descriptor", String(16)),
    Column("added_at", Instant, nullable=False),
    Column("key_since", Instant, nullable=False),
    UniqueConstraint("merchant_id"),
)
"""Merchant accounts that calls to Amazon are made for, beside those of the environment variables and of a file."""

arrivals: Final = Table(
    "arrivals",
    metadata,
    Column("topic_arn", String(256), primary_key=True),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
)
"""The topics by which notifications of Amazon's came."""

settlements: Final = Table(
    "settlements",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    # Our short name of the account, and Amazon's id of it.
    Column("merchant_account", String(64), nullable=False),
    Column("merchant_id", String(64), nullable=False),
    Column("settlement_id", String(64), nullable=False),
    # Of what its lines say: the same settlement is told from one that says something else under its id.
    Column("digest", String(64), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("lines", Integer, nullable=False),
    # Of the report that it was downloaded as; none of a file that was given by hand.
    Column("report_id", String(64)),
    Column("taken_at", Instant, nullable=False),
    UniqueConstraint("merchant_id", "settlement_id"),
    Index(None, "merchant_account", "ends_at"),
)
"""Amazon's settlements that were taken, each whole."""

settlement_lines: Final = Table(
    "settlement_lines",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("settlement", _ID, ForeignKey("settlements.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("type", String(64), nullable=False),
    Column("transaction_id", String(64)),
    Column("charge_permission_id", String(64)),
    Column("merchant_reference", String(256)),
    Column("posted_at", Instant, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", _MINOR, nullable=False),
    Column("percentage_fee_minor", _MINOR, nullable=False),
    Column("fixed_fee_minor", _MINOR, nullable=False),
    Column("fee_minor", _MINOR, nullable=False),
    Column("net_minor", _MINOR, nullable=False),
    Index(None, "transaction_id"),
    Index(None, "settlement", "transaction_id"),
)
"""What Amazon took, gave back, kept and paid out, line by line; below zero is what the merchant paid."""

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", String(128), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    # As of endpoints.
    Column("accounts", Text, nullable=False, server_default=""),
)
"""Who may use the HTTP API. Of a key's secret only a digest is kept."""

api_answers: Final = Table(
    "api_answers",
    metadata,
    Column("api_key", String(32), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("wish", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("answered_at", Instant, nullable=False),
    Index(None, "answered_at"),
)
"""What the HTTP API has answered under an idempotency key, for a while."""

portal_acts: Final = Table(
    "portal_acts",
    metadata,
    Column("nonce", String(32), primary_key=True),
    Column("expires_at", Instant, nullable=False),
    # None of one that was begun, and of which nobody knows yet what became: it is gone through with again.
    Column("done_at", Instant),
    Index(None, "expires_at"),
)
"""What buyers have done by links of their own page: kept until the link expires, and without whose it was."""

audit_runs: Final = Table(
    "audit_runs",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("selection", _JSON, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
    sqlite_autoincrement=True,
)
"""Each audit: which subscriptions it is about, and whether it came to its end."""

audits: Final = Table(
    "audits",
    metadata,
    Column("charge_permission_id", String(64), primary_key=True),
    Column("run", _ID, nullable=False),
    Column("at", Instant, nullable=False),
    # How many entries it had when it was last found to be right, and the last one's id: what was told since is what is
    # to be looked at next time.
    Column("entries", Integer, nullable=False),
    Column("last_entry", _ID, nullable=False),
    Column("found", Boolean, nullable=False),
    Column("findings", _JSON, nullable=False),
    # Why it could not be audited, or not in full.
    Column("trouble", String(512)),
    Index(None, "run", "charge_permission_id"),
)
"""When each subscription was audited last, and what came of it."""
