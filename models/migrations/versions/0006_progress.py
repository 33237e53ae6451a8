"""What learners did and on which of their days."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=f"fk_{table}_user_id", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "activity_events",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("event_id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("topic", sa.String(16), nullable=True),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("occurred_at", _moment(), nullable=False),
        _of_user("activity_events"),
        sa.CheckConstraint(
            "kind IN ('conversation', 'lesson_completed', 'practice', 'review')", name="ck_activity_events_kind"
        ),
        sa.CheckConstraint(
            "topic IS NULL OR topic IN ('culture', 'family', 'food', 'health', 'home', 'leisure', 'nature', 'school', "
            "'shopping', 'society', 'travel', 'work')",
            name="ck_activity_events_topic",
        ),
    )
    op.create_index("ix_activity_events_by_day", "activity_events", ["user_id", "day", "kind", "language", "topic"])
    op.create_table(
        "activity_days",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        _of_user("activity_days"),
    )
    op.create_table(
        "learner_clocks",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("time_zone", sa.String(40), nullable=False),
        sa.Column("set_at", _moment(), nullable=False),
        _of_user("learner_clocks"),
    )


def downgrade() -> None:
    for table in ("learner_clocks", "activity_days", "activity_events"):
        op.drop_table(table)
