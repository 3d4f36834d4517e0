"""The database of an annotation project: its tables, and the rules that the database itself keeps.

::

    clip --< slot >-- annotator      purpose "vote": as many slots a clip as it needs answers
      |       |          |
      |       '-< vote >-'           append-only; a change of mind is another revision
      |           |
      '----< errand >----'           gold, repeat, practice, adjudication: never counted

"Exactly three different people" is not a habit of the code but a constraint: a slot is
(clip, number), there are as many as the clip needs answers, a person has at most one slot of a
clip, and a vote that counts refers to the slot that its author holds. A clip that was withdrawn
(see withdrawal.py) shows nobody, is open to nobody, and takes nothing new, whatever the code does.
Times are integers: milliseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from caer_build.annotation.texts import folded
from caer_build.records import EMOTIONS, VOTE_FLAGS, VOTE_PURPOSES

if TYPE_CHECKING:
    from sqlalchemy.engine.default import DefaultExecutionContext

FLAGS, PURPOSES = VOTE_FLAGS, VOTE_PURPOSES
ERRANDS = PURPOSES[1:]
ROLES = ("annotator", "adjudicator", "manager")

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"
Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers only an INTEGER primary key by itself."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(v) for v in values)})"


def _folded_name(context: DefaultExecutionContext) -> str:
    return folded(context.get_current_parameters()["name"])  # type: ignore[no-untyped-call]


setting = Table(
    "setting",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, doc="JSON"),
)

clip = Table(
    "clip",
    metadata,
    Column("clip_id", Text, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True, doc="says nothing of the clip"),
    Column("position", Integer, nullable=False, unique=True, doc="0-based, at random"),
    # In front of the boxes: SQLite reads a row up to the last column that is asked for.
    Column("withdrawn_at", BigInteger, doc="ms; null: takes part"),
    Column("show", Text, nullable=False),
    Column("episode_id", Text, nullable=False),
    Column("shot_id", Text, nullable=False),
    Column("person_id", Text),
    Column("source_sha256", Text, nullable=False),
    Column("start_frame", Integer, nullable=False),
    Column("end_frame", Integer, nullable=False),
    Column("length_ms", Integer, nullable=False),
    Column("width", Integer, nullable=False, doc="px"),
    Column("height", Integer, nullable=False, doc="px"),
    Column("has_audio", Boolean, nullable=False),
    Column("file_sha256", Text, nullable=False),
    Column("faces", LargeBinary, nullable=False, doc="times and boxes; see project.py"),
    Column("n_slots", Integer, nullable=False, doc="answers it needs"),
    Column("n_open", Integer, nullable=False, doc="slots that nobody holds"),
    Column("gold_emotion", Text, doc="null: no gold clip"),
    Column("gold_reason", Text),
    Column("gold_by", ForeignKey("annotator.annotator_id")),
    Column("is_practice", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("start_frame >= 0 AND start_frame < end_frame", "span"),
    CheckConstraint("n_open >= 0 AND n_open <= n_slots", "open"),
    CheckConstraint("n_slots >= 1 OR withdrawn_at IS NOT NULL", "slots"),
    CheckConstraint(
        "withdrawn_at IS NULL OR (person_id IS NULL AND length(faces) = 0 AND n_open = 0 "
        "AND gold_emotion IS NULL)",
        "withdrawn",
    ),
    CheckConstraint(f"gold_emotion IS NULL OR {_one_of('gold_emotion', EMOTIONS)}", "emotion"),
    CheckConstraint("(gold_emotion IS NULL) = (gold_reason IS NULL)", "gold"),
    CheckConstraint("gold_emotion IS NOT NULL OR NOT is_practice", "practice"),
    Index(
        "ix_clip_wanted",
        "position",
        "shot_id",
        sqlite_where=text("n_open > 0"),
        postgresql_where=text("n_open > 0"),
    ),
    # Clips that somebody began and others have to finish, and those that nobody began.
    Index("ix_clip_begun", "position", "clip_id", "shot_id",
          sqlite_where=text("n_open > 0 AND n_open < n_slots"),
          postgresql_where=text("n_open > 0 AND n_open < n_slots")),
    Index("ix_clip_fresh", "position", "clip_id", "shot_id",
          sqlite_where=text("n_open > 0 AND n_open = n_slots"),
          postgresql_where=text("n_open > 0 AND n_open = n_slots")),
    Index("ix_clip_shot", "shot_id"),
    Index("ix_clip_slots", "clip_id", "n_slots", "n_open", "withdrawn_at"),
    Index("ix_clip_withdrawn", "clip_id", sqlite_where=text("withdrawn_at IS NOT NULL"),
          postgresql_where=text("withdrawn_at IS NOT NULL")),
    Index("ix_clip_gold", "gold_emotion", sqlite_where=text("gold_emotion IS NOT NULL"),
          postgresql_where=text("gold_emotion IS NOT NULL")),
)  # fmt: skip

annotator = Table(
    "annotator",
    metadata,
    Column("annotator_id", Number, primary_key=True, autoincrement=True),
    Column("alias", Text, nullable=False, unique=True, doc="what exports call this person"),
    Column("name", Text, nullable=False, unique=True, doc="to sign in with"),
    Column("name_key", Text, default=_folded_name,
           doc="the name, whatever its case; null: of somebody who cannot sign in"),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, doc="argon2; null: signs in elsewhere"),
    Column("subject", Text, unique=True, doc="who an identity provider says it is"),
    Column("languages", Text, doc="as they wrote it; null: not asked yet"),
    Column("consented_at", BigInteger, doc="ms; null: has not agreed"),
    Column("consent_sha256", Text, doc="of the text that was agreed to"),
    Column("qualified_at", BigInteger, doc="ms; null: practice is still ahead"),
    Column("practice_from", BigInteger, nullable=False, server_default=text("0"),
           doc="ms; practice before it counts no more"),
    Column("retired_at", BigInteger, doc="ms; null: active"),
    Column("n_given", Integer, nullable=False, server_default=text("0"),
           doc="clips given out; seeds the next choice"),
    Column("frontier", Integer, nullable=False, server_default=text("0"),
           doc="position before which there was nothing to do"),
    Column("answered_at", BigInteger,
           doc="ms; when the last first answer at work was received: the next clip came after it"),
    Column("created_at", BigInteger, nullable=False, doc="ms"),
    CheckConstraint(_one_of("role", ROLES), "role"),
    CheckConstraint("(consented_at IS NULL) = (consent_sha256 IS NULL)", "consent"),
    Index("ix_annotator_name_key", "name_key", unique=True),
)  # fmt: skip

example = Table(
    "example",
    metadata,
    Column("clip_id", ForeignKey("clip.clip_id"), primary_key=True,
           doc="a gold clip that the guide shows to everybody, so that nobody is given it"),
)  # fmt: skip

knows_show = Table(
    "knows_show",
    metadata,
    Column("annotator_id", ForeignKey("annotator.annotator_id"), primary_key=True),
    Column("show", Text, primary_key=True),
    Column("knows", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False, doc="ms"),
)

slot = Table(
    "slot",
    metadata,
    Column("clip_id", ForeignKey("clip.clip_id"), nullable=False),
    Column("slot", Integer, nullable=False, doc="1-based"),
    Column("annotator_id", ForeignKey("annotator.annotator_id"), doc="null: open"),
    Column("ticket", Text, unique=True, doc="fencing token: new at every lease"),
    Column("leased_at", BigInteger, doc="ms"),
    Column("expires_at", BigInteger, doc="ms; null: open or answered"),
    Column("answered", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("clip_id", "slot"),
    UniqueConstraint("clip_id", "annotator_id"),
    UniqueConstraint("clip_id", "slot", "annotator_id"),
    CheckConstraint("slot >= 1", "number"),
    CheckConstraint("annotator_id IS NOT NULL OR (NOT answered AND ticket IS NULL)", "open"),
    CheckConstraint("(expires_at IS NOT NULL) = (annotator_id IS NOT NULL AND NOT answered)",
                    "lease"),
    Index("ix_slot_expiring", "expires_at", sqlite_where=text("expires_at IS NOT NULL"),
          postgresql_where=text("expires_at IS NOT NULL")),
    Index("ix_slot_held", "annotator_id", "expires_at"),
)  # fmt: skip

errand = Table(
    "errand",
    metadata,
    Column("errand_id", Number, primary_key=True, autoincrement=True),
    Column("clip_id", ForeignKey("clip.clip_id"), nullable=False),
    Column("annotator_id", ForeignKey("annotator.annotator_id"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("ticket", Text, nullable=False, unique=True),
    Column("shown_as", Text,
           doc="what the person's page calls the clip; null: by its public id, as everybody's"),
    Column("leased_at", BigInteger, nullable=False, doc="ms"),
    Column("expires_at", BigInteger, doc="ms; null: given back or answered"),
    Column("answered", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("clip_id", "annotator_id", "purpose"),
    CheckConstraint(_one_of("purpose", ERRANDS), "purpose"),
    Index("ix_errand_open", "annotator_id", sqlite_where=text("NOT answered"),
          postgresql_where=text("NOT answered")),
    Index("ix_errand_shown_as", "shown_as", unique=True),
)  # fmt: skip

# Word for word as in the indexes: by "answered = 0" SQLite does not find the one, and by a
# parameter no plan that PostgreSQL keeps finds the other; both would read whole tables.
IS_OPEN_ERRAND = text("NOT errand.answered")
IS_WANTED = text("clip.n_open > 0")
IS_BEGUN = text("clip.n_open > 0 AND clip.n_open < clip.n_slots")
IS_FRESH = text("clip.n_open > 0 AND clip.n_open = clip.n_slots")

declined = Table(
    "declined",
    metadata,
    Column("clip_id", ForeignKey("clip.clip_id"), primary_key=True),
    Column("annotator_id", ForeignKey("annotator.annotator_id"), primary_key=True),
    Column("at", BigInteger, nullable=False, doc="ms"),
)

vote = Table(
    "vote",
    metadata,
    Column("vote_id", Number, primary_key=True, autoincrement=True),
    Column("request_id", Text, nullable=False, unique=True, doc="sent twice, taken once"),
    Column("clip_id", ForeignKey("clip.clip_id"), nullable=False),
    Column("annotator_id", ForeignKey("annotator.annotator_id"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("slot", Integer),
    Column("revision", Integer, nullable=False, doc="1-based"),
    Column("emotion", Text),
    Column("flag", Text),
    Column("reason", Text, doc="of a broken clip"),
    Column("confidence_step", Integer, doc="0-based"),
    Column("confidence_steps", Integer, nullable=False),
    Column("shown_at", BigInteger, nullable=False, doc="ms"),
    Column("answered_at", BigInteger, nullable=False, doc="ms"),
    Column("received_at", BigInteger, nullable=False, doc="ms"),
    Column("play_count", Integer, nullable=False),
    Column("speed", Integer, nullable=False, doc="the last one used, percent of normal"),
    Column("audio_on", Boolean, nullable=False),
    UniqueConstraint("clip_id", "annotator_id", "purpose", "revision"),
    ForeignKeyConstraint(
        ["clip_id", "slot", "annotator_id"], ["slot.clip_id", "slot.slot", "slot.annotator_id"]
    ),
    CheckConstraint(_one_of("purpose", PURPOSES), "purpose"),
    CheckConstraint("(purpose = 'vote') = (slot IS NOT NULL)", "slot"),
    CheckConstraint("(emotion IS NULL) <> (flag IS NULL)", "answer"),
    CheckConstraint(f"emotion IS NULL OR {_one_of('emotion', EMOTIONS)}", "emotion"),
    CheckConstraint(f"flag IS NULL OR {_one_of('flag', FLAGS)}", "flag"),
    CheckConstraint("reason IS NULL OR flag = 'broken'", "reason"),
    CheckConstraint("(emotion IS NULL) = (confidence_step IS NULL)", "confidence"),
    CheckConstraint("confidence_steps >= 2", "steps"),
    CheckConstraint(
        "confidence_step IS NULL OR (confidence_step >= 0 AND confidence_step < confidence_steps)",
        "step",
    ),
    CheckConstraint("revision >= 1", "revision"),
    Index("ix_vote_author", "annotator_id", "vote_id"),
    # What a manager's pages count, so that they never read whole rows.
    Index("ix_vote_said", "purpose", "clip_id", "revision", "emotion", "flag",
          "confidence_step", "confidence_steps"),
    Index("ix_vote_worked", "annotator_id", "answered_at", "shown_at", "purpose", "revision"),
    Index("ix_vote_flag", "flag", "clip_id", sqlite_where=text("flag IS NOT NULL"),
          postgresql_where=text("flag IS NOT NULL")),
)  # fmt: skip

pair = Table(
    "pair",
    metadata,
    Column("first", ForeignKey("annotator.annotator_id"), primary_key=True),
    Column("second", ForeignKey("annotator.annotator_id"), primary_key=True),
    Column("n_clips", Integer, nullable=False, doc="that both have answered"),
    CheckConstraint("first < second", "order"),
)

invitation = Table(
    "invitation",
    metadata,
    Column("token_sha256", Text, primary_key=True, doc="the token itself is nowhere"),
    Column("role", Text, nullable=False),
    Column("annotator_id", ForeignKey("annotator.annotator_id"),
           doc="whose password it sets anew; null: it makes an account"),
    Column("note", Text, nullable=False, doc="whom it is meant for"),
    Column("created_by", ForeignKey("annotator.annotator_id")),
    Column("created_at", BigInteger, nullable=False, doc="ms"),
    Column("expires_at", BigInteger, nullable=False, doc="ms"),
    Column("used_at", BigInteger, doc="ms; null: still good"),
    Column("used_by", ForeignKey("annotator.annotator_id")),
    Column("revoked_at", BigInteger, doc="ms; null: was not taken back"),
    CheckConstraint(_one_of("role", ROLES), "role"),
    CheckConstraint("used_at IS NULL OR revoked_at IS NULL", "end"),
)  # fmt: skip

session = Table(
    "session",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("annotator_id", ForeignKey("annotator.annotator_id"), nullable=False),
    Column("created_at", BigInteger, nullable=False, doc="ms"),
    Column("seen_at", BigInteger, nullable=False, doc="ms"),
    Column("expires_at", BigInteger, nullable=False, doc="ms"),
    Column("ended_at", BigInteger, doc="ms"),
    Index("ix_session_annotator", "annotator_id"),
)

event = Table(
    "event",
    metadata,
    Column("event_id", Number, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False, doc="ms"),
    Column("annotator_id", ForeignKey("annotator.annotator_id")),
    Column("kind", Text, nullable=False, doc="sign_in_failed, refused, retired …"),
    Column("address", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_event_kind", "kind", "address", "at"),
    Index("ix_event_about", "kind", "detail", "at"),
)
