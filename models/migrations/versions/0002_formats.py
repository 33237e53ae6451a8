"""More formats: room for the media types of office documents, and how many attachments a document came with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLE = "uploaded_content_metadata"


def upgrade() -> None:
    with op.batch_alter_table(_TABLE) as table:
        table.alter_column("file_type", existing_type=sa.String(40), type_=sa.String(80), existing_nullable=False)
        table.add_column(sa.Column("attachments", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table(_TABLE) as table:
        table.drop_column("attachments")
        table.alter_column("file_type", existing_type=sa.String(80), type_=sa.String(40), existing_nullable=False)
