"""How far each definition's source was read, so that only what changed since need be evaluated; and what a run evaluated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from sync.errors import SchemaError
from sync.store.instants import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "watermark",
        sa.Column("definition_id", ID, nullable=False, autoincrement=False),
        sa.Column("read_at", Instant, nullable=False),
        sa.Column("as_of", Instant, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("marks", DOCUMENT, nullable=False),
        sa.Column("in_full", sa.Text),
        sa.Column("full_at", Instant, nullable=False),
        sa.Column("missed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("broken_at", Instant),
        sa.PrimaryKeyConstraint("definition_id", name="watermark_pkey"),
        sa.ForeignKeyConstraint(["definition_id"], ["definition.id"], name="watermark_definition_id_fkey"),
    )
    op.add_column("run", sa.Column("extent", sa.Text))
    op.add_column("run", sa.Column("why_full", sa.Text))
    op.add_column("run", sa.Column("candidates", sa.BigInteger))
    op.add_column("run", sa.Column("missed", sa.BigInteger))


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )
