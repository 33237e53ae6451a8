"""What a document is committed to."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLE = "uploaded_content_metadata"


def upgrade() -> None:
    with op.batch_alter_table(_TABLE) as table:
        table.add_column(sa.Column("commitment", sa.String(64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table(_TABLE) as table:
        table.drop_column("commitment")
