"""Embeddings: what each track's face looks like to a face recogniser.

::

    track's detections --choose_chips--> a few good crops --align, embed--> track_embedding

The crops were stored by the scan: nothing is decoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from caer_build.arrays import read_piece
from caer_build.errors import IntegrityError, SchemaError
from caer_build.models.locations import model_folder
from caer_build.models.protocols import Floats, Images
from caer_build.records import FaceCrop, FaceDetection, TrackEmbedding
from caer_build.stage import Artifact, Context, Stage

if TYPE_CHECKING:
    from caer_build.models.dlib_alignment import DlibAlignment


class EmbeddingSettings(BaseModel):
    """Which crops of a track are looked at, and by which model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedder: Literal["auto", "dlib-resnet", "sface"] = Field(
        "auto", description="face embedder; auto: dlib-resnet"
    )
    alignment: Literal["landmarks", "dlib"] = Field(
        "landmarks",
        description="landmarks: by those of the detector, faces without any are left out; "
        "dlib: by dlib's five-point predictor inside the detector's box",
    )
    chips: int = Field(5, ge=1, le=32, description="crops embedded per track (count)")
    steady_yaw_deg: float = Field(
        35.0, ge=0, le=90, description="heads turned further are embedded only for want of others"
    )
    steady_share: float = Field(
        0.6,
        ge=0,
        le=1,
        description="likewise faces below this share of the track's median sharpness or height",
    )
    threads: int = Field(2, ge=1, le=16, description="threads of the embedder (count)")


def choose_chips(detections: Sequence[FaceDetection], settings: EmbeddingSettings) -> list[int]:
    """Which of a track's detections to embed: good ones, spread over its time.

    Blurred, small (both against the track's median) and turned faces are passed over as long as
    there are enough others. The detections left are divided into stretches of equal count, and
    the middle one of each is taken: how a face looks changes with time, and several moments say
    more about it than the several best frames of one moment.

    Args:
        detections: of one track, in any order; those without landmarks are never chosen where
            the alignment needs them.

    Returns:
        Indexes into ``detections``, in order of frames; empty where none can be aligned.
    """
    any_will_do = settings.alignment == "dlib"
    usable = [i for i, found in enumerate(detections) if found.landmarks or any_will_do]
    usable.sort(key=lambda i: (detections[i].frame, detections[i].index))
    if len(usable) <= settings.chips:
        return usable
    sharpness = np.array([detections[i].sharpness for i in usable])
    height = np.array([detections[i].y2 - detections[i].y1 for i in usable])
    turned = np.array([abs(detections[i].yaw or 0.0) for i in usable])
    # How much is wrong with each: 0 nothing, else a count; the least wrong come first.
    wrong = (
        (sharpness < settings.steady_share * np.median(sharpness)).astype(int)
        + (height < settings.steady_share * np.median(height))
        + (turned > settings.steady_yaw_deg)
    )
    allowed = int(np.sort(wrong)[settings.chips - 1])
    good = [i for i, faults in zip(usable, wrong, strict=True) if faults <= allowed]
    middles = (np.arange(settings.chips) + 0.5) * len(good) / settings.chips
    return [good[int(at)] for at in middles]


def track_embedding(track_id: str, model: str, vectors: Floats) -> TrackEmbedding:
    """The embedding of a track: the direction of the mean of its chips' unit vectors.

    Args:
        vectors: (n, d), n >= 1, as a :class:`~caer_build.models.protocols.FaceEmbedder` gives them.

    Raises:
        SchemaError: if there are none, or they cancel out.
    """
    mean = vectors.astype(np.float64).mean(axis=0) if len(vectors) else np.zeros(1)
    length = float(np.linalg.norm(mean))
    if not length > 1e-6:
        raise SchemaError(f"{track_id}: expected chips with a mean direction, found none.")
    values = (mean / length).astype(np.float32)
    return TrackEmbedding(track_id, model, values.tolist(), len(vectors))


def chip_of(
    jpeg: bytes, crop: FaceCrop, detection: FaceDetection, dlib: DlibAlignment | None = None
) -> Images:
    """The aligned chip, (150, 150, 3) RGB, of a detection from its stored loose crop.

    Args:
        dlib: aligns instead of the detection's landmarks.

    Raises:
        IntegrityError: if the crop is no JPEG.
    """
    import cv2

    from caer_build.models.alignment import align

    decoded = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise IntegrityError(
            f"The crop of face {crop.index} in frame {crop.frame} is no JPEG.",
            "Run `caer verify --repair`.",
        )
    picture = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    height, width = picture.shape[:2]
    corner = np.array((crop.x1, crop.y1))
    scale = np.array((width / (crop.x2 - crop.x1), height / (crop.y2 - crop.y1)))
    if dlib is not None:
        box = np.array([(detection.x1, detection.y1), (detection.x2, detection.y2)])
        (x1, y1), (x2, y2) = ((box - corner) * scale).tolist()
        return dlib.align(np.asarray(picture, np.uint8), (x1, y1, x2, y2))
    points = (np.array(detection.landmarks).reshape(5, 2) - corner) * scale
    return align(np.asarray(picture, np.uint8), points)


def _alignment(settings: EmbeddingSettings) -> DlibAlignment | None:
    if settings.alignment == "landmarks":
        return None
    from caer_build.models.dlib_alignment import DlibAlignment

    return DlibAlignment()


def run(context: Context[EmbeddingSettings]) -> None:
    from caer_build.models.face_embedders import load

    embedder = load(context.settings.embedder, model_folder(), context.settings.threads)
    alignment = _alignment(context.settings)
    detections = {(d.frame, d.index): d for d in context.read("detections")}
    crops = {(c.frame, c.index): c for c in context.read("crops")}
    stored = context.file("crops.bin")
    members: dict[str, list[FaceDetection]] = {}
    for member in context.read("track_detections"):
        members.setdefault(member.track_id, []).append(detections[member.frame, member.index])
    rows = []
    n_chips = 0
    for number, (track_id, own) in enumerate(sorted(members.items())):
        chosen = [own[i] for i in choose_chips(own, context.settings)]
        chips: list[Images] = []
        if chosen:
            found = [(crops[d.frame, d.index], d) for d in chosen]
            jpegs = [(read_piece(stored, c.offset, c.length), c, d) for c, d in found]
            # Those of deleted persons are zeros.
            chips = [chip_of(jpeg, c, d, alignment) for jpeg, c, d in jpegs if any(jpeg)]
        if chips:
            vectors = embedder.embed(np.stack(chips))
            rows.append(track_embedding(track_id, embedder.version, vectors))
            n_chips += len(chips)
        context.progress(number + 1, len(members))
    context.write("embeddings", rows)
    context.facts.update(chips=n_chips)


def versions(settings: EmbeddingSettings) -> tuple[str, ...]:
    from caer_build.models.face_embedders import load

    embedder = load(settings.embedder, model_folder(), settings.threads)
    alignment = _alignment(settings)
    return (embedder.version, *([alignment.version] if alignment else []))


STAGE: Stage[Any] = Stage(
    name="embeddings",
    version=1,
    settings=EmbeddingSettings,
    scope="episode",
    reads=("detections", "crops", "crops.bin", "track_detections"),
    writes=(Artifact("embeddings", TrackEmbedding, published=True),),
    run=run,
    versions=versions,
)
