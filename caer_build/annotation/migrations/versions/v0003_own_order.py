"""Orders of people's own, errands that run out, names of repeats, new passwords; and two rules of
the database: a clip has no more slots than it needs answers, and never needs fewer than before.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from caer_build.annotation.texts import folded

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_clip_begun": "n_open > 0 AND n_open < n_slots",
    "ix_clip_fresh": "n_open > 0 AND n_open = n_slots",
}
_MANY, _FEWER = "a clip has no more slots than it needs answers", "a clip never needs fewer answers"
_SQLITE = (
    f"""
CREATE TRIGGER slot_is_needed BEFORE INSERT ON slot
WHEN NEW.slot > (SELECT n_slots FROM clip WHERE clip_id = NEW.clip_id)
BEGIN SELECT RAISE(ABORT, '{_MANY}'); END
""",
    f"""
CREATE TRIGGER slot_stays_needed BEFORE UPDATE OF clip_id, slot ON slot
WHEN NEW.slot > (SELECT n_slots FROM clip WHERE clip_id = NEW.clip_id)
BEGIN SELECT RAISE(ABORT, '{_MANY}'); END
""",
    f"""
CREATE TRIGGER clip_needs_no_fewer BEFORE UPDATE OF n_slots ON clip
WHEN NEW.n_slots < OLD.n_slots AND NEW.withdrawn_at IS NULL
BEGIN SELECT RAISE(ABORT, '{_FEWER}'); END
""",
)
_POSTGRESQL = (
    f"""
CREATE FUNCTION slot_is_needed() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF NEW.slot > (SELECT n_slots FROM clip WHERE clip_id = NEW.clip_id) THEN
        RAISE EXCEPTION '{_MANY}' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
""",
    """
CREATE TRIGGER slot_is_needed BEFORE INSERT OR UPDATE OF clip_id, slot ON slot
FOR EACH ROW EXECUTE FUNCTION slot_is_needed()
""",
    f"""
CREATE FUNCTION clip_needs_no_fewer() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF NEW.n_slots < OLD.n_slots AND NEW.withdrawn_at IS NULL THEN
        RAISE EXCEPTION '{_FEWER}' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
""",
    """
CREATE TRIGGER clip_needs_no_fewer BEFORE UPDATE OF n_slots ON clip
FOR EACH ROW EXECUTE FUNCTION clip_needs_no_fewer()
""",
)


def upgrade() -> None:
    """Changes the tables."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.add_column("annotator", sa.Column("name_key", sa.Text()))
    op.add_column("annotator", sa.Column("answered_at", sa.BigInteger()))
    op.add_column("errand", sa.Column("shown_as", sa.Text()))
    op.add_column("errand", sa.Column("expires_at", sa.BigInteger()))
    # SQLite takes a reference with a new column only in this way.
    op.execute(
        f"ALTER TABLE invitation ADD COLUMN annotator_id {'INTEGER' if is_sqlite else 'BIGINT'} "
        "CONSTRAINT fk_invitation_annotator_id REFERENCES annotator (annotator_id)"
    )
    _fold_names()
    # Open errands have the time that slots have: they run out unless their page is still there.
    op.execute("UPDATE errand SET expires_at = leased_at WHERE NOT answered")
    op.create_index("ix_annotator_name_key", "annotator", ["name_key"], unique=True)
    op.create_index("ix_errand_shown_as", "errand", ["shown_as"], unique=True)
    for name, which in _INDEXES.items():
        op.create_index(
            name, "clip", ["position", "clip_id", "shot_id"],
            sqlite_where=sa.text(which), postgresql_where=sa.text(which),
        )  # fmt: skip
    for statement in _SQLITE if is_sqlite else _POSTGRESQL:
        op.execute(statement)


def _fold_names() -> None:
    """Gives those who can sign in the names by which they are looked up, the first comer's first."""
    people = sa.table(
        "annotator",
        *(sa.column(c) for c in ("annotator_id", "name", "name_key", "password_hash", "subject")),
    )
    can_sign_in = people.c.password_hash.is_not(None) | people.c.subject.is_not(None)
    rows = op.get_bind().execute(
        sa.select(people.c.annotator_id, people.c.name)
        .where(can_sign_in)
        .order_by(people.c.annotator_id)
    )
    taken: set[str] = set()
    for annotator_id, name in rows.all():
        key = folded(name)
        if key in taken:
            key = f"{key} {annotator_id}"
        taken.add(key)
        mine = people.c.annotator_id == annotator_id
        op.get_bind().execute(sa.update(people).where(mine).values(name_key=key))
