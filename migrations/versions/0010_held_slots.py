"""Slots of a bulk request keep their places in the queue: the request says who its users are, and each slot whose it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.errors import SchemaError

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SENDABLE = "state IN ('due', 'waiting', 'confirm')"


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(
        "ALTER TABLE slot ADD COLUMN bulk_token TEXT CONSTRAINT slot_bulk_check CHECK (bulk_token IS NULL OR state = 'due')"
    )
    op.add_column("bulk", sa.Column("members", sa.Text, nullable=False, server_default=sa.text("'[]'")))
    members = "json_group_array(s.user_id)" if on_sqlite else "json_agg(s.user_id)::text"
    op.execute(
        f"UPDATE bulk SET members = coalesce((SELECT {members} FROM slot s "
        "WHERE s.destination = bulk.destination AND s.state = 'sending' AND s.token = bulk.token), '[]')"
    )
    op.execute(
        "UPDATE slot SET state = 'due', bulk_token = token, token = NULL, lease_until = NULL "
        "WHERE state = 'sending' AND token IN (SELECT token FROM bulk)"
    )
    op.drop_index("slot_due", "slot")
    columns = ["destination", "priority", "due_at", "user_id"]
    op.create_index("slot_due", "slot", columns, sqlite_where=sa.text(SENDABLE), postgresql_where=sa.text(SENDABLE))
    if not on_sqlite:
        # Room for the version of a row that a bulk holds beside the one that was due: then no index is written.
        op.execute("ALTER TABLE slot SET (fillfactor = 40)")


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )
