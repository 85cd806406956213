"""Every definition gets the id under which destinations know it, derived once from project, kind and key."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def upgrade() -> None:
    # Neither engine adds a column that may not be null without a default; SQLite can't drop the default afterwards.
    op.add_column("definition", sa.Column("computation_id", sa.Text, nullable=False, server_default=""))
    connection = op.get_bind()
    project = connection.execute(sa.text("SELECT name FROM project")).scalar_one_or_none()
    for row in connection.execute(sa.text("SELECT id, kind, key FROM definition")).all():
        connection.execute(
            sa.text("UPDATE definition SET computation_id = :computation_id WHERE id = :id"),
            {"id": row.id, "computation_id": computation_id(project or "", row.kind, row.key)},
        )


def computation_id(project: str, kind: str, key: str) -> str:
    """As `sync.model.computation` had it when this was written: what a migration does never changes."""
    content = json.dumps([project, kind, key], separators=(",", ":"), ensure_ascii=False).encode()
    number = int.from_bytes(hashlib.blake2b(content, digest_size=20).digest())
    digits = ""
    for _ in range(27):
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return f"{kind[:3]}_{digits}"
