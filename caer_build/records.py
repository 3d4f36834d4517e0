"""The data model: one row type = one table = one frozen dataclass = one Parquet file.

The Arrow schema of a table is derived from the dataclass (:mod:`caer_build.arrow`), so the two
cannot drift apart.
``None`` in a column means "not applicable", never "failed". Ids are readable and deterministic::

    lobby.s01e02                      an episode
    lobby.s01e02-s000113              the shot that begins at frame 113
    lobby.s01e02-s000113-t01          its second face track
    lobby.s01e02-s000113-t01-p        the person founded by that track
    lobby.s01e02-s000113-t01-000120   a clip of that track that begins at frame 120

A dataclass refuses to exist when it is wrong, and says what it expected and what it found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from caer_build.errors import SchemaError

EMOTIONS = ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
_ONE_EMOTION = f"an emotion, one of {', '.join(EMOTIONS)}"
TransitionIn = Literal["start", "cut", "dissolve", "fade"]
RejectReason = Literal[
    "person_deleted",
    "by_hand",
    "transition",
    "too_short",
    "no_face",
    "repeat",
    "group",
    "ambiguous_small",
    "ambiguous_blurred",
    "ambiguous_turned",
    "ambiguous_brief",
]
REJECT_REASONS: tuple[str, ...] = get_args(RejectReason)
"""The first that applies is the one that counts: what people decided goes before every score."""
VotePurpose = Literal["vote", "gold", "repeat", "practice", "adjudication"]
VoteFlag = Literal["cannot_tell", "broken"]
LabelStatus = Literal[
    "label", "adjudicated", "tie", "low_confidence", "cannot_tell", "broken", "incomplete"
]
LABEL_STATUSES: tuple[str, ...] = get_args(LabelStatus)
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
ItemKind = Literal["clip", "still"]
VOTE_PURPOSES: tuple[str, ...] = get_args(VotePurpose)
VOTE_FLAGS: tuple[str, ...] = get_args(VoteFlag)
LANDMARK_VALUES = 10
"""Five points as x0 y0 … x4 y4: right eye, left eye, nose, right and left mouth corner
(right and left as the person means them), px of the displayed frame."""


def _require(condition: bool, owner: object, expected: str, found: object) -> None:
    if not condition:
        raise SchemaError(f"{type(owner).__name__}: expected {expected}, found {found!r}.")


def _require_choice(owner: object, column: str, choices: object) -> None:
    value = getattr(owner, column)
    expected = f"{column} to be one of {', '.join(map(str, get_args(choices)))}"
    _require(value in get_args(choices), owner, expected, value)


def _require_span(owner: Any) -> None:
    ordered = 0 <= owner.start_frame < owner.end_frame
    _require(ordered, owner, "0 <= start_frame < end_frame", (owner.start_frame, owner.end_frame))


def _require_box(owner: Any) -> None:
    box = (owner.x1, owner.y1, owner.x2, owner.y2)
    _require(owner.x1 < owner.x2 and owner.y1 < owner.y2, owner, "x1 < x2 and y1 < y2", box)


@dataclass(frozen=True, slots=True)
class SourceSound:
    """Which audio track of a source goes into its clips; all null: there is none."""

    table: ClassVar[str] = "sounds"

    episode_id: str
    audio_codec: str | None
    audio_rate: int | None
    audio_channels: int | None
    audio_track: int | None
    """index of the stream in the container"""
    audio_language: str | None


@dataclass(frozen=True, slots=True)
class Episode:
    """One source file, as counted by the scan."""

    table: ClassVar[str] = "episodes"

    episode_id: str
    show: str
    season: int | None
    number: int | None
    source_name: str
    source_sha256: str
    frame_count: int
    """frames decoded, not claimed"""
    frame_rate_num: int
    frame_rate_den: int
    variable_rate: bool
    width: int
    height: int
    rotation: int
    sample_aspect: float
    duration_s: float
    # Null as the scan writes it, which does not depend on the track that is chosen; filled in from
    # SourceSound where it is published.
    audio_codec: str | None
    audio_rate: int | None
    audio_channels: int | None
    audio_track: int | None
    truncated: bool
    """the file broke off or some frames could not be decoded; what could be is used"""
    timestamps_repaired: bool
    """some presentation times were missing or ran backwards, and were put right"""

    def __post_init__(self) -> None:
        _require(self.frame_count > 0, self, "frame_count > 0", self.frame_count)
        _require(self.width > 0 and self.height > 0, self, "a size", (self.width, self.height))


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames between two boundaries. The shots of an episode tile it exactly."""

    table: ClassVar[str] = "shots"

    shot_id: str
    episode_id: str
    start_frame: int
    """the first frame of the transition into the shot"""
    end_frame: int
    start_pts_s: float
    end_pts_s: float
    transition_in: TransitionIn
    transition_end_frame: int
    """the first frame after the transition in; ``start_frame`` for a cut. Where it equals
    ``end_frame`` the whole shot is transition"""
    boundary_score: float
    """[0, 1]; 1 for the episode's start"""

    def __post_init__(self) -> None:
        _require_span(self)
        _require_choice(self, "transition_in", TransitionIn)
        inside = self.start_frame <= self.transition_end_frame <= self.end_frame
        _require(inside, self, "a transition inside the shot", self.transition_end_frame)


@dataclass(frozen=True, slots=True)
class FaceDetection:
    """One face found in one sampled frame."""

    table: ClassVar[str] = "detections"

    episode_id: str
    frame: int
    index: int
    """which face of the frame; faces are ordered by x1, then y1"""
    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    """[0, 1], the detector's own"""
    landmarks: list[float]
    """see :data:`LANDMARK_VALUES`; empty where the detector gives none"""
    sharpness: float
    """variance of the Laplacian of the grey face at 64x64 px; higher is sharper"""
    yaw: float | None
    """degrees the head is turned, 0 = frontal, positive to the picture's right, from the
    landmarks; null without them"""

    def __post_init__(self) -> None:
        _require_box(self)
        _require(0 <= self.score <= 1, self, "score in [0, 1]", self.score)
        n = len(self.landmarks)
        _require(n in (0, LANDMARK_VALUES), self, f"0 or {LANDMARK_VALUES} landmark values", n)


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """A loose crop around a detection, kept so that it can be aligned later without decoding."""

    table: ClassVar[str] = "crops"

    frame: int
    index: int
    """as in :class:`FaceDetection`"""
    x1: float
    y1: float
    x2: float
    y2: float
    """px of the displayed frame that the crop shows; may reach over its borders (padded black)"""
    offset: int
    """of its JPEG in ``crops.bin``, bytes"""
    length: int

    def __post_init__(self) -> None:
        _require_box(self)
        _require(self.length > 0, self, "length > 0", self.length)


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face followed through one shot."""

    table: ClassVar[str] = "tracks"

    track_id: str
    episode_id: str
    shot_id: str
    start_frame: int
    end_frame: int
    n_detections: int
    seen_share: float
    """[0, 1]: share of its time within one detection interval of a detection"""
    median_face_height: float
    """px of the displayed frame"""
    yaw: float | None
    """median absolute yaw, degrees"""
    sharpness: float
    """median over its detections"""
    score: float
    """[0, 1]: mean score of its detections"""

    def __post_init__(self) -> None:
        _require_span(self)
        _require(self.n_detections > 0, self, "n_detections > 0", self.n_detections)
        _require(0 <= self.seen_share <= 1, self, "seen_share in [0, 1]", self.seen_share)


@dataclass(frozen=True, slots=True)
class TrackBox:
    """Where a track's face is in one frame."""

    table: ClassVar[str] = "track_boxes"

    track_id: str
    frame: int
    x1: float
    y1: float
    x2: float
    y2: float
    interpolated: bool
    """false only where a detection was made in this very frame"""

    def __post_init__(self) -> None:
        _require_box(self)


@dataclass(frozen=True, slots=True)
class TrackDetection:
    """Which detections a track is made of."""

    table: ClassVar[str] = "track_detections"

    track_id: str
    frame: int
    index: int


@dataclass(frozen=True, slots=True)
class TrackEmbedding:
    """What a track's face looks like to a face recogniser."""

    table: ClassVar[str] = "embeddings"

    track_id: str
    model: str
    embedding: list[float]
    """float32, unit length"""
    n_chips: int
    """aligned crops averaged"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a track is. Exactly one row a track; a person seen once is a person too."""

    table: ClassVar[str] = "identities"

    track_id: str
    episode_id: str
    person_id: str
    distance: float
    """cosine distance of the track to its person's mean embedding"""


@dataclass(frozen=True, slots=True)
class Person:
    """A person of a show, named after the track that founded it."""

    table: ClassVar[str] = "persons"

    person_id: str
    show: str
    founder_track_id: str
    name: str | None
    """what a human calls this person"""
    merged_into: str | None
    """the person this one turned out to be; null for a person who stands"""
    merged_because: str | None


@dataclass(frozen=True, slots=True)
class Repeat:
    """A shot that shows footage seen earlier in the show (titles, recaps)."""

    table: ClassVar[str] = "repeats"

    episode_id: str
    shot_id: str
    repeat_of: str
    """the shot that showed it first"""
    share: float
    """[0, 1]: share of the shot's frames found again there"""


@dataclass(frozen=True, slots=True)
class Clip:
    """A candidate around one target person in one shot, with its scores and its fate.

    Every shot has at least one row; a shot without a track has one with ``clip_id == shot_id``
    and no track.
    """

    table: ClassVar[str] = "clips"

    clip_id: str
    episode_id: str
    shot_id: str
    track_id: str | None
    person_id: str | None
    start_frame: int
    end_frame: int
    start_pts_s: float
    end_pts_s: float
    n_frames: int
    seen_share: float | None
    """[0, 1]: share of the clip within one detection interval of a detection of the target"""
    face_height_px: float | None
    face_height_share: float | None
    """median height of the target's face over the frame's height"""
    sharpness: float | None
    yaw: float | None
    """median absolute yaw of the target, degrees"""
    n_faces: float
    """median number of faces of a size comparable to the largest, over the shot"""
    group_share: float
    """[0, 1]: share of the shot's sampled frames that show a group"""
    repeat_of: str | None
    """the shot seen earlier in the show of which this is a repeat"""
    reject_reason: RejectReason | None
    """null: kept"""
    file: str | None
    """relative to WORK; null: not cut"""
    file_sha256: str | None

    def __post_init__(self) -> None:
        _require_span(self)
        if self.reject_reason is not None:
            _require_choice(self, "reject_reason", RejectReason)


@dataclass(frozen=True, slots=True)
class ClipBox:
    """Every followed face in every frame of a kept clip, the target's marked. What was found once
    and belongs to no track is in detections alone."""

    table: ClassVar[str] = "clip_boxes"

    clip_id: str
    frame: int
    """0-based within the clip"""
    track_id: str
    is_target: bool
    x1: float
    y1: float
    x2: float
    y2: float
    interpolated: bool


@dataclass(frozen=True, slots=True)
class Override:
    """Something a person decided. Applied as a stage; results are never edited."""

    table: ClassVar[str] = "overrides"

    number: int
    """order of the decisions; later ones win"""
    action: Literal["name", "merge", "delete", "keep", "reject"]
    target: str
    """a person_id or a clip_id"""
    value: str | None
    """the name, or the person to merge into"""
    reason: str | None

    def __post_init__(self) -> None:
        _require_choice(self, "action", Literal["name", "merge", "delete", "keep", "reject"])


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a track stood when a person of it was decided about.

    Track ids change with the settings that make shots and tracks; frames and faces do not. By its
    anchors a decision finds its tracks again.
    """

    table: ClassVar[str] = "anchors"

    number: int
    """of the decision, see :class:`Override`"""
    person_id: str
    """whom the decision named"""
    track_id: str
    """as it was called then"""
    episode_id: str
    frame: int
    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        _require_box(self)
        _require(self.frame >= 0, self, "frame >= 0", self.frame)


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer of one annotator for one clip. A change of mind is another row."""

    table: ClassVar[str] = "votes"

    vote_id: int
    """order of the answers in their project"""
    request_id: str
    """of the answer wherever it goes, 8 to 64 characters; by it nothing is taken in twice"""
    clip_id: str
    annotator_id: str
    """stands for a person; says nothing of who it is"""
    purpose: VotePurpose
    """vote, gold, repeat, practice or adjudication; only "vote" counts for the label"""
    revision: int
    """1-based; the highest of a clip, annotator and purpose is what stands"""
    emotion: str | None
    """as the folders of CAER are called; null: there is a flag instead"""
    flag: VoteFlag | None
    """cannot_tell or broken"""
    reason: str | None
    """in the annotator's words; of a broken clip only"""
    confidence_step: int | None
    """0-based, of an emotion only; the confidence is step / (steps - 1)"""
    confidence_steps: int
    """how many there were to choose from"""
    shown_at: int
    """ms since 1970, UTC, as the other times"""
    answered_at: int
    received_at: int
    """by the server"""
    play_count: int
    """plays to the end"""
    speed: int
    """the last one used, percent of normal"""
    audio_on: bool
    """the sound was on"""

    def __post_init__(self) -> None:
        _require(self.purpose in VOTE_PURPOSES, self, "a purpose of votes", self.purpose)
        _require(self.flag is None or self.flag in VOTE_FLAGS, self, "a flag of votes", self.flag)
        answer, step = (self.emotion, self.flag), self.confidence_step
        _require(8 <= len(self.request_id) <= 64, self, "a request_id of 8 to 64", self.request_id)
        _require(self.revision >= 1, self, "revision >= 1", self.revision)
        _require((self.emotion is None) != (self.flag is None), self, "emotion or flag", answer)
        _require(self.emotion is None or self.emotion in EMOTIONS, self, _ONE_EMOTION, answer)
        explained = (self.flag == "broken") == bool(self.reason) and self.reason != ""
        _require(explained, self, "a reason if broken only", self.reason)
        _require((self.emotion is None) == (step is None), self, "confidence of an emotion", step)
        _require(self.confidence_steps >= 2, self, "2 steps or more", self.confidence_steps)
        inside = step is None or 0 <= step < self.confidence_steps
        _require(inside, self, "a step below confidence_steps", step)
        times = (self.shown_at, self.answered_at, self.received_at)
        ordered = 0 <= times[0] <= times[1] <= times[2]
        _require(ordered, self, "0 <= shown_at <= answered_at <= received_at", times)


@dataclass(frozen=True, slots=True)
class Label:
    """What a rule makes of a clip's votes. Every clip that was to be labelled has one row."""

    table: ClassVar[str] = "labels"

    clip_id: str
    emotion: str | None
    """null unless the status is label or adjudicated"""
    status: LabelStatus
    n_votes: int
    """answers of different annotators that count"""
    n_agreeing: int
    """of those, how many say what most say (of a clip rejected by flags: that flag)"""
    mean_confidence: float | None
    """[0, 1]: mean over the answers that the rule asks; null where none has a confidence"""
    p_anger: float | None
    """[0, 1]: with the six below the soft label: shares of the votes, or the rule's posterior;
    null where no answer names an emotion"""
    p_disgust: float | None
    p_fear: float | None
    p_happy: float | None
    p_neutral: float | None
    p_sad: float | None
    p_surprise: float | None

    def __post_init__(self) -> None:
        _require_choice(self, "status", LabelStatus)
        labelled = self.status in ("label", "adjudicated")
        _require(
            (self.emotion is not None) == labelled, self, "an emotion if labelled", self.status
        )
        _require(self.emotion is None or self.emotion in EMOTIONS, self, _ONE_EMOTION, self.emotion)

    @property
    def soft(self) -> tuple[float, ...] | None:
        """The soft label in the order of ``EMOTIONS``."""
        values = tuple(getattr(self, f"p_{emotion.lower()}") for emotion in EMOTIONS)
        return None if None in values else values


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """Where a labelled clip stands. Clips of a group stand together, or are left out."""

    table: ClassVar[str] = "splits"

    clip_id: str
    split: Split | None
    """null: left out, because it would stand with one leg in each of two splits"""
    group_id: str
    """a show, a person, an episode, or the first of the clips that share frames"""
    left_out_because: str | None
    """in words; null of a clip that stands"""

    def __post_init__(self) -> None:
        if self.split is not None:
            _require_choice(self, "split", Split)
        excused = (self.split is None) == (self.left_out_because is not None)
        _require(excused, self, "a reason if left out", self.left_out_because)


@dataclass(frozen=True, slots=True)
class CountedVote:
    """An answer that a label was made of, or an adjudicator's; only what stands, no revisions."""

    table: ClassVar[str] = "counted_votes"

    clip_id: str
    annotator_id: str
    """stands for a person; says nothing of who it is"""
    purpose: VotePurpose
    """"vote" counts for the label; "adjudication" only where labels were asked to take it"""
    emotion: str | None
    """null: there is a flag instead"""
    flag: VoteFlag | None
    """cannot_tell or broken"""
    confidence_step: int | None
    """0-based, of an emotion only; the confidence is step / (steps - 1)"""
    confidence_steps: int
    """how many there were to choose from"""


@dataclass(frozen=True, slots=True)
class Still:
    """A frame of a labelled clip that stands for it in CAER-S."""

    table: ClassVar[str] = "stills"

    still_id: str
    """the clip's id, -f and the frame"""
    clip_id: str
    frame: int
    """0-based within the clip"""
    seen: bool
    """the target's face was detected in this very frame, not interpolated"""
    sharpness: float | None
    """of the face where it was seen"""
    frame_hash: str
    """perceptual hash of the whole picture, 16 hexadecimal digits"""


@dataclass(frozen=True, slots=True)
class Item:
    """A clip or a still of a data set, ours or anybody's. Null: the data set does not say."""

    table: ClassVar[str] = "items"

    item_id: str
    """unique in its data set; of ours a clip_id or a still_id"""
    kind: ItemKind
    """clip or still"""
    file: str | None
    """relative to the data set's folder, with "/"; inside an archive `<archive>/<member>`; null:
    media-free"""
    split: Split | None
    """train, validation or test"""
    emotion: str | None
    """the label"""
    p_anger: float | None = None
    """[0, 1]: with the six below the soft label"""
    p_disgust: float | None = None
    """likewise"""
    p_fear: float | None = None
    """likewise"""
    p_happy: float | None = None
    """likewise"""
    p_neutral: float | None = None
    """likewise"""
    p_sad: float | None = None
    """likewise"""
    p_surprise: float | None = None
    """likewise"""
    n_votes: int | None = None
    """answers that count"""
    n_agreeing: int | None = None
    """of those, how many say what most say"""
    mean_confidence: float | None = None
    """[0, 1]"""
    n_frames: int | None = None
    """1 of a still"""
    width: int | None = None
    """px"""
    height: int | None = None
    """px"""
    length_s: float | None = None
    """of a clip, seconds"""
    clip_id: str | None = None
    """of a still: the clip that it was taken from"""
    clip_frame: int | None = None
    """of a still: which frame of that clip, 0-based"""
    track_id: str | None = None
    """the target's face track"""
    shot_id: str | None = None
    person_id: str | None = None
    """the target"""
    episode_id: str | None = None
    show: str | None = None
    group_id: str | None = None
    """what was kept in one split"""
    start_frame: int | None = None
    """of the episode; start_frame and end_frame are half-open, and one frame of a still"""
    end_frame: int | None = None
    """likewise"""
    start_s: float | None = None
    """of a clip: where it lies in its episode, seconds"""
    end_s: float | None = None
    """likewise"""
    crop_x: int | None = None
    """px: where a file holds several items (mosaics), the item is this part of it"""
    crop_y: int | None = None
    """likewise"""
    crop_width: int | None = None
    """likewise"""
    crop_height: int | None = None
    """likewise"""
    file_bytes: int | None = None
    """size of the file"""
    file_sha256: str | None = None
    """of the file; of a media-free clip: of the clip as it was cut"""

    def __post_init__(self) -> None:
        _require_choice(self, "kind", ItemKind)
        if self.split is not None:
            _require_choice(self, "split", Split)
        _require(self.emotion is None or self.emotion in EMOTIONS, self, _ONE_EMOTION, self.emotion)


@dataclass(frozen=True, slots=True)
class ItemFace:
    """A face in a frame of an item."""

    table: ClassVar[str] = "faces"

    item_id: str
    """of the item, see above"""
    frame: int
    """0-based within the item; 0 of a still"""
    face: str
    """the same for one face through a clip; of ours a track_id"""
    is_target: bool
    """whose emotion the label is about"""
    x1: float
    y1: float
    x2: float
    y2: float
    interpolated: bool | None
    """null: the data set does not say"""
    person_id: str | None = None
    """who it is, target or not; null: nobody knows"""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a clip lies in its episode's file, exactly: enough to cut it again to the byte."""

    table: ClassVar[str] = "cuts"

    clip_id: str
    episode_id: str
    start_frame: int
    end_frame: int
    start_pts: int
    """ticks of the file's video track: of the first frame"""
    stop_pts: int
    """of the first frame after the clip"""
    start_s: float
    """when its first frame is shown; as the two below repaired where the file's times had to be"""
    last_s: float
    """when the last frame is shown"""
    stop_s: float
    """when the first frame after it is shown"""
    audio_language: str | None
    """of the audio track that was cut; null: the default track"""
    clip_sha256: str
    """of the clip as it was cut"""

    def __post_init__(self) -> None:
        _require_span(self)
