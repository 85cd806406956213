"""Requests with many users' slots, and what each of these carries of a slot."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from sync.errors import SchemaError
from sync.store.instants import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "bulk",
        sa.Column("id", ID, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("users", sa.Integer, nullable=False),
        sa.Column("sent_at", Instant, nullable=False),
        sa.Column("lease_until", Instant, nullable=False),
        sa.Column("give_up_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="bulk_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("bulk_destination", "bulk", ["destination"])
    op.add_column("slot", sa.Column("sent", DOCUMENT))
    op.add_column("slot", sa.Column("singly", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )
