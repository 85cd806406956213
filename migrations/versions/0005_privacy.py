"""Those who are to be forgotten; the list of those who are kept out is keyed with a secret of the store's own."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from sync.errors import SchemaError
from sync.model.kept_out import salted
from sync.store.instants import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")
USER_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    salt = _secret()
    _suppressions(salt)
    _forgettings()
    _deletions()


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )


def _secret() -> str:
    table = op.create_table(
        "secret",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="secret_pkey"),
    )
    salt = secrets.token_hex(32)
    op.bulk_insert(table, [{"name": "user_hash", "value": salt}])
    return salt


def _suppressions(salt: str) -> None:
    op.add_column("suppression", sa.Column("forgotten", sa.Boolean, nullable=False, server_default=sa.false()))
    connection = op.get_bind()
    for bare in connection.execute(sa.text("SELECT user_hash FROM suppression")).scalars().all():
        connection.execute(
            sa.text("UPDATE suppression SET user_hash = :salted WHERE user_hash = :bare"),
            {"salted": salted(salt, bare), "bare": bare},
        )


def _forgettings() -> None:
    op.create_table(
        "forgetting",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_hash", sa.Text, nullable=False),
        sa.Column("user_id", USER_ID),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("counts", DOCUMENT, nullable=False),
        sa.Column("swept_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("purged_at", Instant),
        sa.PrimaryKeyConstraint("id", name="forgetting_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("forgetting_user", "forgetting", ["user_hash", "id"])
    where = sa.text("purged_at IS NULL")
    op.create_index("forgetting_open", "forgetting", ["id"], sqlite_where=where, postgresql_where=where)


def _deletions() -> None:
    op.create_table(
        "deletion",
        sa.Column("forgetting_id", ID, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", Instant),
        sa.Column("reason", sa.Text),
        sa.Column("settled_at", Instant),
        sa.PrimaryKeyConstraint("forgetting_id", "destination", name="deletion_pkey"),
        sa.ForeignKeyConstraint(["forgetting_id"], ["forgetting.id"], name="deletion_forgetting_id_fkey"),
        sa.CheckConstraint("state IN ('owed', 'done', 'refused', 'dropped')", name="state"),
    )
    where = sa.text("state = 'owed'")
    op.create_index("deletion_owed", "deletion", ["destination", "due_at"], sqlite_where=where, postgresql_where=where)
