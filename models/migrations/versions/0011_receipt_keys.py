"""Which key of receipts took over from which, and receipts that wait for a key are found."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt_key_successions",
        sa.Column("new", sa.String(64), primary_key=True),
        sa.Column("old", sa.String(64), nullable=False),
        sa.Column("signed_by_old", sa.LargeBinary(), nullable=False),
        sa.Column("signed_by_new", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_receipts_key_id", "receipts", ["key_id"])


def downgrade() -> None:
    op.drop_index("ix_receipts_key_id", "receipts")
    op.drop_table("receipt_key_successions")
