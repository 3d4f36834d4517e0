"""Gold clips that the guide shows.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "example",
        sa.Column("clip_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.clip_id"], name=op.f("fk_example_clip_id")),
        sa.PrimaryKeyConstraint("clip_id", name=op.f("pk_example")),
    )
