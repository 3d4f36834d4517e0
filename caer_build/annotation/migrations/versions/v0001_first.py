"""The tables of the first release, and two rules: votes are only ever added, and a clip that was
withdrawn takes nothing new.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE_KEEPS_VOTES = """
CREATE TRIGGER vote_is_kept_{event} BEFORE {event} ON vote
BEGIN SELECT RAISE(ABORT, 'votes are only ever added'); END
"""
_POSTGRESQL_KEEPS_VOTES = (
    """
CREATE FUNCTION vote_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'votes are only ever added'; END $$
""",
    """
CREATE TRIGGER vote_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON vote
FOR EACH STATEMENT EXECUTE FUNCTION vote_is_kept()
""",
)
_TAKES_NO_MORE = ("errand", "vote")
_SQLITE_TAKES_NO_MORE = """
CREATE TRIGGER {table}_of_a_clip_that_takes_part BEFORE INSERT ON {table}
WHEN (SELECT withdrawn_at FROM clip WHERE clip_id = NEW.clip_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the clip was withdrawn'); END
"""
# It waits for a withdrawal that is under way. What it refuses rests on a look that is too old, so
# it says so as PostgreSQL does, and the transaction is tried again.
_POSTGRESQL_TAKES_NO_MORE = """
CREATE FUNCTION clip_takes_part() RETURNS trigger LANGUAGE plpgsql AS
$$
DECLARE since bigint;
BEGIN
    SELECT withdrawn_at INTO since FROM clip WHERE clip_id = NEW.clip_id FOR KEY SHARE;
    IF since IS NOT NULL THEN
        RAISE EXCEPTION 'the clip was withdrawn' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END $$
"""
_POSTGRESQL_TRIGGER = """
CREATE TRIGGER {table}_of_a_clip_that_takes_part BEFORE INSERT ON {table}
FOR EACH ROW EXECUTE FUNCTION clip_takes_part()
"""


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "annotator",
        sa.Column(
            "annotator_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("languages", sa.Text(), nullable=True),
        sa.Column("consented_at", sa.BigInteger(), nullable=True),
        sa.Column("consent_sha256", sa.Text(), nullable=True),
        sa.Column("qualified_at", sa.BigInteger(), nullable=True),
        sa.Column("practice_from", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.Column("n_given", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("frontier", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('annotator', 'adjudicator', 'manager')", name=op.f("ck_annotator_role")
        ),
        sa.CheckConstraint(
            "(consented_at IS NULL) = (consent_sha256 IS NULL)", name=op.f("ck_annotator_consent")
        ),
        sa.PrimaryKeyConstraint("annotator_id", name=op.f("pk_annotator")),
        sa.UniqueConstraint("alias", name=op.f("uq_annotator_alias")),
        sa.UniqueConstraint("name", name=op.f("uq_annotator_name")),
        sa.UniqueConstraint("subject", name=op.f("uq_annotator_subject")),
    )
    op.create_table(
        "setting",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "clip",
        sa.Column("clip_id", sa.Text(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("show", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.Text(), nullable=False),
        sa.Column("shot_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("start_frame", sa.Integer(), nullable=False),
        sa.Column("end_frame", sa.Integer(), nullable=False),
        sa.Column("length_ms", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("has_audio", sa.Boolean(), nullable=False),
        sa.Column("file_sha256", sa.Text(), nullable=False),
        sa.Column("faces", sa.LargeBinary(), nullable=False),
        sa.Column("n_slots", sa.Integer(), nullable=False),
        sa.Column("n_open", sa.Integer(), nullable=False),
        sa.Column("gold_emotion", sa.Text(), nullable=True),
        sa.Column("gold_reason", sa.Text(), nullable=True),
        sa.Column("gold_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("is_practice", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "gold_emotion IS NULL OR gold_emotion IN ('Anger', 'Disgust', 'Fear', 'Happy', 'Neutral', 'Sad', 'Surprise')",
            name=op.f("ck_clip_emotion"),
        ),
        sa.CheckConstraint(
            "(gold_emotion IS NULL) = (gold_reason IS NULL)", name=op.f("ck_clip_gold")
        ),
        sa.CheckConstraint(
            "gold_emotion IS NOT NULL OR NOT is_practice", name=op.f("ck_clip_practice")
        ),
        sa.CheckConstraint("n_open >= 0 AND n_open <= n_slots", name=op.f("ck_clip_open")),
        sa.CheckConstraint("n_slots >= 1 OR withdrawn_at IS NOT NULL", name=op.f("ck_clip_slots")),
        sa.CheckConstraint(
            "withdrawn_at IS NULL OR (person_id IS NULL AND length(faces) = 0 AND n_open = 0 "
            "AND gold_emotion IS NULL)",
            name=op.f("ck_clip_withdrawn"),
        ),
        sa.CheckConstraint(
            "start_frame >= 0 AND start_frame < end_frame", name=op.f("ck_clip_span")
        ),
        sa.ForeignKeyConstraint(
            ["gold_by"], ["annotator.annotator_id"], name=op.f("fk_clip_gold_by")
        ),
        sa.PrimaryKeyConstraint("clip_id", name=op.f("pk_clip")),
        sa.UniqueConstraint("position", name=op.f("uq_clip_position")),
        sa.UniqueConstraint("public_id", name=op.f("uq_clip_public_id")),
    )
    op.create_index(
        "ix_clip_gold",
        "clip",
        ["gold_emotion"],
        unique=False,
        sqlite_where=sa.text("gold_emotion IS NOT NULL"),
        postgresql_where=sa.text("gold_emotion IS NOT NULL"),
    )
    op.create_index("ix_clip_shot", "clip", ["shot_id"], unique=False)
    op.create_index(
        "ix_clip_slots", "clip", ["clip_id", "n_slots", "n_open", "withdrawn_at"], unique=False
    )
    op.create_index(
        "ix_clip_withdrawn",
        "clip",
        ["clip_id"],
        unique=False,
        sqlite_where=sa.text("withdrawn_at IS NOT NULL"),
        postgresql_where=sa.text("withdrawn_at IS NOT NULL"),
    )
    op.create_index(
        "ix_clip_wanted",
        "clip",
        ["position", "shot_id"],
        unique=False,
        sqlite_where=sa.text("n_open > 0"),
        postgresql_where=sa.text("n_open > 0"),
    )
    op.create_table(
        "event",
        sa.Column(
            "event_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "annotator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotator.annotator_id"], name=op.f("fk_event_annotator_id")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_kind", "event", ["kind", "address", "at"], unique=False)
    op.create_index("ix_event_about", "event", ["kind", "detail", "at"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column(
            "created_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("used_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "role IN ('annotator', 'adjudicator', 'manager')", name=op.f("ck_invitation_role")
        ),
        sa.CheckConstraint("used_at IS NULL OR revoked_at IS NULL", name=op.f("ck_invitation_end")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["annotator.annotator_id"], name=op.f("fk_invitation_created_by")
        ),
        sa.ForeignKeyConstraint(
            ["used_by"], ["annotator.annotator_id"], name=op.f("fk_invitation_used_by")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_invitation")),
    )
    op.create_table(
        "knows_show",
        sa.Column(
            "annotator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("show", sa.Text(), nullable=False),
        sa.Column("knows", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotator.annotator_id"], name=op.f("fk_knows_show_annotator_id")
        ),
        sa.PrimaryKeyConstraint("annotator_id", "show", name=op.f("pk_knows_show")),
    )
    op.create_table(
        "pair",
        sa.Column("first", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("second", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n_clips", sa.Integer(), nullable=False),
        sa.CheckConstraint("first < second", name=op.f("ck_pair_order")),
        sa.ForeignKeyConstraint(["first"], ["annotator.annotator_id"], name=op.f("fk_pair_first")),
        sa.ForeignKeyConstraint(
            ["second"], ["annotator.annotator_id"], name=op.f("fk_pair_second")
        ),
        sa.PrimaryKeyConstraint("first", "second", name=op.f("pk_pair")),
    )
    op.create_table(
        "session",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column(
            "annotator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotator.annotator_id"], name=op.f("fk_session_annotator_id")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_session")),
    )
    op.create_index("ix_session_annotator", "session", ["annotator_id"], unique=False)
    op.create_table(
        "declined",
        sa.Column("clip_id", sa.Text(), nullable=False),
        sa.Column(
            "annotator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotator.annotator_id"], name=op.f("fk_declined_annotator_id")
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.clip_id"], name=op.f("fk_declined_clip_id")),
        sa.PrimaryKeyConstraint("clip_id", "annotator_id", name=op.f("pk_declined")),
    )
    op.create_table(
        "errand",
        sa.Column(
            "errand_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("clip_id", sa.Text(), nullable=False),
        sa.Column(
            "annotator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("leased_at", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('gold', 'repeat', 'practice', 'adjudication')",
            name=op.f("ck_errand_purpose"),
        ),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotator.annotator_id"], name=op.f("fk_errand_annotator_id")
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.clip_id"], name=op.f("fk_errand_clip_id")),
        sa.PrimaryKeyConstraint("errand_id", name=op.f("pk_errand")),
        sa.UniqueConstraint(
            "clip_id",
            "annotator_id",
            "purpose",
            name=op.f("uq_errand_clip_id_annotator_id_purpose"),
        ),
        sa.UniqueConstraint("ticket", name=op.f("uq_errand_ticket")),
    )
    op.create_index(
        "ix_errand_open",
        "errand",
        ["annotator_id"],
        unique=False,
        sqlite_where=sa.text("NOT answered"),
        postgresql_where=sa.text("NOT answered"),
    )
    op.create_table(
        "slot",
        sa.Column("clip_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column(
            "annotator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("ticket", sa.Text(), nullable=True),
        sa.Column("leased_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("answered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "(expires_at IS NOT NULL) = (annotator_id IS NOT NULL AND NOT answered)",
            name=op.f("ck_slot_lease"),
        ),
        sa.CheckConstraint(
            "annotator_id IS NOT NULL OR (NOT answered AND ticket IS NULL)",
            name=op.f("ck_slot_open"),
        ),
        sa.CheckConstraint("slot >= 1", name=op.f("ck_slot_number")),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotator.annotator_id"], name=op.f("fk_slot_annotator_id")
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.clip_id"], name=op.f("fk_slot_clip_id")),
        sa.PrimaryKeyConstraint("clip_id", "slot", name=op.f("pk_slot")),
        sa.UniqueConstraint("clip_id", "annotator_id", name=op.f("uq_slot_clip_id_annotator_id")),
        sa.UniqueConstraint(
            "clip_id", "slot", "annotator_id", name=op.f("uq_slot_clip_id_slot_annotator_id")
        ),
        sa.UniqueConstraint("ticket", name=op.f("uq_slot_ticket")),
    )
    op.create_index(
        "ix_slot_expiring",
        "slot",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index("ix_slot_held", "slot", ["annotator_id", "expires_at"], unique=False)
    op.create_table(
        "vote",
        sa.Column(
            "vote_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("clip_id", sa.Text(), nullable=False),
        sa.Column(
            "annotator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("emotion", sa.Text(), nullable=True),
        sa.Column("flag", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("confidence_step", sa.Integer(), nullable=True),
        sa.Column("confidence_steps", sa.Integer(), nullable=False),
        sa.Column("shown_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("play_count", sa.Integer(), nullable=False),
        sa.Column("speed", sa.Integer(), nullable=False),
        sa.Column("audio_on", sa.Boolean(), nullable=False),
        sa.CheckConstraint("(purpose = 'vote') = (slot IS NOT NULL)", name=op.f("ck_vote_slot")),
        sa.CheckConstraint(
            "emotion IS NULL OR emotion IN ('Anger', 'Disgust', 'Fear', 'Happy', 'Neutral', 'Sad', 'Surprise')",
            name=op.f("ck_vote_emotion"),
        ),
        sa.CheckConstraint(
            "flag IS NULL OR flag IN ('cannot_tell', 'broken')", name=op.f("ck_vote_flag")
        ),
        sa.CheckConstraint(
            "purpose IN ('vote', 'gold', 'repeat', 'practice', 'adjudication')",
            name=op.f("ck_vote_purpose"),
        ),
        sa.CheckConstraint("reason IS NULL OR flag = 'broken'", name=op.f("ck_vote_reason")),
        sa.CheckConstraint("(emotion IS NULL) <> (flag IS NULL)", name=op.f("ck_vote_answer")),
        sa.CheckConstraint(
            "(emotion IS NULL) = (confidence_step IS NULL)", name=op.f("ck_vote_confidence")
        ),
        sa.CheckConstraint(
            "confidence_step IS NULL OR (confidence_step >= 0 AND confidence_step < confidence_steps)",
            name=op.f("ck_vote_step"),
        ),
        sa.CheckConstraint("confidence_steps >= 2", name=op.f("ck_vote_steps")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_vote_revision")),
        sa.ForeignKeyConstraint(
            ["annotator_id"], ["annotator.annotator_id"], name=op.f("fk_vote_annotator_id")
        ),
        sa.ForeignKeyConstraint(
            ["clip_id", "slot", "annotator_id"],
            ["slot.clip_id", "slot.slot", "slot.annotator_id"],
            name=op.f("fk_vote_clip_id_slot_annotator_id"),
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.clip_id"], name=op.f("fk_vote_clip_id")),
        sa.PrimaryKeyConstraint("vote_id", name=op.f("pk_vote")),
        sa.UniqueConstraint(
            "clip_id",
            "annotator_id",
            "purpose",
            "revision",
            name=op.f("uq_vote_clip_id_annotator_id_purpose_revision"),
        ),
        sa.UniqueConstraint("request_id", name=op.f("uq_vote_request_id")),
    )
    op.create_index("ix_vote_author", "vote", ["annotator_id", "vote_id"], unique=False)
    op.create_index(
        "ix_vote_flag",
        "vote",
        ["flag", "clip_id"],
        unique=False,
        sqlite_where=sa.text("flag IS NOT NULL"),
        postgresql_where=sa.text("flag IS NOT NULL"),
    )
    op.create_index(
        "ix_vote_said",
        "vote",
        [
            "purpose",
            "clip_id",
            "revision",
            "emotion",
            "flag",
            "confidence_step",
            "confidence_steps",
        ],
        unique=False,
    )
    op.create_index(
        "ix_vote_worked",
        "vote",
        ["annotator_id", "answered_at", "shown_at", "purpose", "revision"],
        unique=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_KEEPS_VOTES.format(event=event))
        for table in _TAKES_NO_MORE:
            op.execute(_SQLITE_TAKES_NO_MORE.format(table=table))
    else:
        for statement in (*_POSTGRESQL_KEEPS_VOTES, _POSTGRESQL_TAKES_NO_MORE):
            op.execute(statement)
        for table in _TAKES_NO_MORE:
            op.execute(_POSTGRESQL_TRIGGER.format(table=table))
