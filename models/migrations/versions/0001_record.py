"""The first schema: users, sessions, uploaded_content_metadata, receipts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("email_hash", sa.String(64), nullable=False),
        sa.Column("username_hash", sa.String(64), nullable=False),
        sa.Column("sealed_username", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_email", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("password_wrap", sa.LargeBinary(), nullable=False),
        sa.Column("recovery_wrap", sa.LargeBinary(), nullable=False),
        sa.Column("primary_language", sa.String(2), nullable=False),
        sa.Column("target_languages", sa.String(64), nullable=False),
        sa.Column("created_on", sa.Date(), nullable=False),
        sa.UniqueConstraint("email_hash", name="uq_users_email_hash"),
        sa.UniqueConstraint("username_hash", name="uq_users_username_hash"),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("host_instance", sa.String(64), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=True),
        sa.Column("state", sa.String(6), nullable=False),
        sa.Column("end_reason", sa.String(16), nullable=True),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("absolute_seconds", sa.Integer(), nullable=False),
        sa.Column("opened_at", _moment(), nullable=False),
        sa.Column("ending_at", _moment(), nullable=True),
        sa.Column("ended_at", _moment(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
        sa.CheckConstraint("state IN ('open', 'ending', 'ended')", name="ck_sessions_state"),
        sa.CheckConstraint(
            "end_reason IS NULL OR end_reason IN ('sign_out', 'expiry', 'crash', 'shutdown', 'hook', 'erasure')",
            name="ck_sessions_end_reason",
        ),
        sa.CheckConstraint("state <> 'open' OR token_hash IS NOT NULL", name="ck_sessions_open_has_token"),
        sa.CheckConstraint("state = 'open' OR token_hash IS NULL", name="ck_sessions_ended_has_no_token"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_node_id_state", "sessions", ["node_id", "state"])
    op.create_table(
        "uploaded_content_metadata",
        sa.Column("content_id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("file_type", sa.String(40), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("ocr_pages", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(2), nullable=True),
        sa.Column("processed_status", sa.String(10), nullable=False),
        sa.Column("error_code", sa.String(40), nullable=True),
        sa.Column("upload_time", _moment(), nullable=False),
        sa.Column("sealed_filename", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_source_link", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_uploaded_content_metadata_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name="fk_uploaded_content_metadata_session_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "processed_status IN ('queued', 'extracting', 'embedding', 'ready', 'failed', 'purged')",
            name="ck_uploaded_content_metadata_processed_status",
        ),
    )
    op.create_index("ix_uploaded_content_metadata_user_id", "uploaded_content_metadata", ["user_id"])
    op.create_index("ix_uploaded_content_metadata_session_id", "uploaded_content_metadata", ["session_id"])
    op.create_table(
        "receipts",
        sa.Column("receipt_id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", _moment(), nullable=False),
        sa.UniqueConstraint("session_id", name="uq_receipts_session_id"),
        sa.CheckConstraint("kind IN ('purge', 'erasure')", name="ck_receipts_kind"),
    )


def downgrade() -> None:
    # Tables go with their indexes: MariaDB refuses to drop an index that a foreign key needs.
    for table in ("receipts", "uploaded_content_metadata", "sessions", "users"):
        op.drop_table(table)
