"""What many users were sent in one request is one row of the history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.errors import SchemaError
from sync.store.instants import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
USER_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "bulk_attempt",
        sa.Column("id", ID, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("first_user", USER_ID, nullable=False),
        sa.Column("last_user", USER_ID, nullable=False),
        sa.Column("sent", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="bulk_attempt_pkey"),
    )
    op.create_index("bulk_attempt_users", "bulk_attempt", ["first_user", "last_user"])
    op.add_column("bulk", sa.Column("sent", sa.Text))
    if op.get_bind().dialect.name == "postgresql":
        # Grows at one end and is pruned at the other.
        op.execute("ALTER TABLE bulk_attempt SET (autovacuum_vacuum_scale_factor = 0.05)")
        # Gone within minutes: not worth being compressed.
        for column in ("members", "sent"):
            op.execute(f"ALTER TABLE bulk ALTER COLUMN {column} SET STORAGE EXTERNAL")


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )
