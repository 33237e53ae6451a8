"""Conversations: metadata and money, never a word."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLE = "conversations"


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("conversation_id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("scenario_id", sa.String(36), nullable=True),
        sa.Column("topic", sa.String(16), nullable=True),
        sa.Column("target_language", sa.String(2), nullable=False),
        sa.Column("started_on", sa.Integer(), nullable=False),
        sa.Column("start_time", _moment(), nullable=False),
        sa.Column("end_time", _moment(), nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("total_ai_tokens_used", sa.BigInteger(), nullable=False),
        sa.Column("estimated_cost", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name="fk_conversations_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name="fk_conversations_session_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scenario_id"],
            ["learning_scenarios.scenario_id"],
            name="fk_conversations_scenario_id",
            ondelete="SET NULL",
        ),
        sa.CheckConstraint(
            "topic IS NULL OR topic IN ('culture', 'family', 'food', 'health', 'home', 'leisure', 'nature', 'school', "
            "'shopping', 'society', 'travel', 'work')",
            name="ck_conversations_topic",
        ),
        sa.CheckConstraint("total_ai_tokens_used >= 0", name="ck_conversations_total_ai_tokens_used"),
        sa.CheckConstraint("estimated_cost >= 0", name="ck_conversations_estimated_cost"),
        sa.CheckConstraint(
            "(end_time IS NULL) = (duration_seconds IS NULL)", name="ck_conversations_ended_has_duration"
        ),
    )
    op.create_index("ix_conversations_user_id_start_time", _TABLE, ["user_id", "start_time"])
    op.create_index(
        "ix_conversations_by_day",
        _TABLE,
        ["user_id", "started_on", "target_language", "duration_seconds", "topic"],
    )
    op.create_index("ix_conversations_session_id", _TABLE, ["session_id"])
    op.create_index("ix_conversations_scenario_id", _TABLE, ["scenario_id"])


def downgrade() -> None:
    op.drop_table(_TABLE)
