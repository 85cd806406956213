"""A deletion that waits for a request with many users knows which, to be sent as soon as that has ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.errors import SchemaError
from sync.store.instants import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deletion", sa.Column("bulk_until", Instant))
    op.add_column("deletion", sa.Column("else_at", Instant))


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )
