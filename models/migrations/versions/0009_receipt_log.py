"""The log of receipts, and what the receipt of an open session will be called."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("receipt_id", sa.String(36), nullable=True))
    head = op.create_table(
        "receipt_log_head",
        sa.Column("origin", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(head, [{"origin": f"mayfly-log/{secrets.token_hex(16)}", "size": 0}])
    op.create_table(
        "receipt_log",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(5), nullable=False),
        sa.Column("receipt", sa.String(64), nullable=False),
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("receipt", "kind", name="uq_receipt_log_receipt_kind"),
        sa.CheckConstraint("kind IN ('start', 'end')", name="ck_receipt_log_kind"),
    )
    op.create_index("ix_receipt_log_open", "receipt_log", ["kind", "ended_by", "seq"])
    op.create_table(
        "receipt_log_nodes",
        sa.Column("level", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    for table in ("receipt_log_nodes", "receipt_log", "receipt_log_head"):
        op.drop_table(table)
    with op.batch_alter_table("sessions") as table:
        table.drop_column("receipt_id")
