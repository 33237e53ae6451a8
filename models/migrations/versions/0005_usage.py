"""What the tutor's services cost, by request and by month, and budgets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=f"fk_{table}_user_id", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "api_usage_log",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("usage_id", sa.String(36), primary_key=True),
        sa.Column("conversation_id", sa.String(36), nullable=True),
        sa.Column("service_name", sa.String(24), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("used_on", sa.Integer(), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        _of_user("api_usage_log"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.conversation_id"],
            name="fk_api_usage_log_conversation_id",
            ondelete="SET NULL",
        ),
        sa.CheckConstraint(
            "service_name IN ('chat', 'embedding', 'grammar_check', 'image', 'moderation', 'pronunciation', "
            "'speech_to_text', 'text_to_speech', 'translation', 'other')",
            name="ck_api_usage_log_service_name",
        ),
        sa.CheckConstraint("tokens >= 0 AND duration_ms >= 0 AND cost >= 0", name="ck_api_usage_log_not_negative"),
    )
    op.create_index(
        "ix_api_usage_log_by_day",
        "api_usage_log",
        ["user_id", "used_on", "service_name", "cost", "tokens", "duration_ms"],
    )
    op.create_index("ix_api_usage_log_conversation_id", "api_usage_log", ["conversation_id"])
    op.create_table(
        "usage_months",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("month", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        _of_user("usage_months"),
    )
    op.create_index("ix_usage_months_month_cost", "usage_months", ["month", "cost"])
    op.create_table(
        "erased_usage",
        sa.Column("month", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "usage_budgets",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("monthly_limit", sa.BigInteger(), nullable=False),
        sa.Column("warn_percent", sa.Integer(), nullable=False),
        _of_user("usage_budgets"),
        sa.CheckConstraint("monthly_limit >= 0", name="ck_usage_budgets_monthly_limit"),
        sa.CheckConstraint("warn_percent BETWEEN 1 AND 100", name="ck_usage_budgets_warn_percent"),
    )


def downgrade() -> None:
    for table in ("usage_budgets", "erased_usage", "usage_months", "api_usage_log"):
        op.drop_table(table)
