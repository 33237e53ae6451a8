"""The predefined scenarios."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "learning_scenarios",
        sa.Column("scenario_id", sa.String(36), primary_key=True),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("level", sa.String(2), nullable=False),
        sa.Column("topic", sa.String(16), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("situation", sa.Text(), nullable=False),
        sa.Column("goals", sa.Text(), nullable=False),
        sa.CheckConstraint("level IN ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')", name="ck_learning_scenarios_level"),
        sa.CheckConstraint(
            "topic IN ('culture', 'family', 'food', 'health', 'home', 'leisure', 'nature', 'school', 'shopping', "
            "'society', 'travel', 'work')",
            name="ck_learning_scenarios_topic",
        ),
    )


def downgrade() -> None:
    op.drop_table("learning_scenarios")
