"""That an account is being erased, so that an erasure which is interrupted goes on by itself."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    with op.batch_alter_table("users") as table:
        table.add_column(sa.Column("erasure_asked_at", moment, nullable=True))
        table.create_index("ix_users_erasure_asked_at", ["erasure_asked_at"])


def downgrade() -> None:
    with op.batch_alter_table("users") as table:
        table.drop_index("ix_users_erasure_asked_at")
        table.drop_column("erasure_asked_at")
