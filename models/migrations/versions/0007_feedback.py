"""Feedback: figures, and suggestions under the learner's key."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _moment() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("feedback_id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("conversation_id", sa.String(36), nullable=True),
        sa.Column("feedback_type", sa.String(16), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("sealed_suggestions", sa.LargeBinary(), nullable=True),
        sa.Column("given_on", sa.Integer(), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name="fk_feedback_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name="fk_feedback_session_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.conversation_id"],
            name="fk_feedback_conversation_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "feedback_type IN ('comprehension', 'fluency', 'grammar', 'pronunciation', 'vocabulary', 'other')",
            name="ck_feedback_feedback_type",
        ),
        sa.CheckConstraint("score BETWEEN 0 AND 1000", name="ck_feedback_score"),
    )
    op.create_index("ix_feedback_by_day", "feedback", ["user_id", "given_on", "feedback_type", "score"])
    op.create_index("ix_feedback_user_id_created_at", "feedback", ["user_id", "created_at"])
    op.create_index("ix_feedback_session_id", "feedback", ["session_id"])
    op.create_index("ix_feedback_conversation_id", "feedback", ["conversation_id"])


def downgrade() -> None:
    op.drop_table("feedback")
