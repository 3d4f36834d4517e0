"""What a network is given of a person: windows of sixteen frames, or single frames.

::

    track      |=========================|       of one shot, its boxes in every frame
    ticks       . . . . . . . . . . . . .        ten a second from the track's first frame on
    windows    [0 ............ 15]               of 16 ticks, every 8 ticks; the last one ends
                       [8 ............. 23]      with the track; a shorter track is looped
    frames      x x x x x x x x x x x x x        of CAER-Net-S: every tick by itself

Pictures are decoded once, and of each person no more than a window of them is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from caer_build.caernet.framestore import StoreSettings
from caer_build.caernet.pictures import Pixels
from caer_build.caernet.streams import streams_of
from caer_build.caernet.windows import Windows, sampled
from caer_build.errors import DecodeError
from caer_build.inference.finding_faces import faces_of_item
from caer_build.inference.watching import Watched
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.models.protocols import FaceDetector
from caer_build.records import Item, TrackBox

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sample:
    """Something that is classified at once.

    Attributes:
        face: whose: the track.
        start_s, end_s: from when to when, seconds after the file's first frame.
        frame: the one in its middle.
        box: of the face there, px.
        faces, contexts: (T, h, w, 3) of a window, (h, w, 3) of a frame; uint8 RGB.
    """

    face: str
    start_s: float
    end_s: float
    frame: int
    box: Box
    faces: Pixels
    contexts: Pixels


@dataclass
class _Person:
    """A track that is read.

    Attributes:
        interpolated: frames in which the box was not detected.
        last_frame: the last one that has a box; every one from the first on has.
        frames: the frame shown at each tick.
        windows: which ticks each sample is made of.
        held: what has been seen and is still needed, by tick.
    """

    name: str
    boxes: Mapping[int, Box]
    interpolated: frozenset[int]
    begin_s: float
    end_s: float
    tick_s: float
    last_frame: int
    frames: npt.NDArray[np.int64]
    windows: Sequence[npt.NDArray[np.int64]]
    held: dict[int, tuple[Pixels, Pixels]] = field(default_factory=dict)
    n_seen: int = 0
    n_given: int = 0

    @property
    def next_frame(self) -> int | None:
        """The frame of the next tick; none when all have been seen."""
        return int(self.frames[self.n_seen]) if self.n_seen < len(self.frames) else None

    def see(self, frame: int, face: Pixels, context: Pixels) -> Iterator[Sample]:
        """Take a frame that is shown at a tick, or at several; the samples that are ready."""
        while self.next_frame == frame:
            self.held[self.n_seen] = face, context
            self.n_seen += 1
        while self.n_given < len(self.windows):
            ticks = self.windows[self.n_given]
            if ticks.max() >= self.n_seen:
                return
            yield self._sample(ticks)
            self.n_given += 1
            needed = self.windows[self.n_given : self.n_given + 1]
            first = needed[0].min() if needed else len(self.frames)
            self.held = {tick: pair for tick, pair in self.held.items() if tick >= first}

    def _sample(self, ticks: npt.NDArray[np.int64]) -> Sample:
        faces, contexts = (
            np.stack([self.held[int(tick)][stream] for tick in ticks]) for stream in (0, 1)
        )
        single = len(ticks) == 1
        first, last = int(ticks.min()), int(ticks.max())
        middle = int(self.frames[(first + last) // 2])
        return Sample(
            self.name,
            self.begin_s + first * self.tick_s,
            min(self.end_s, self.begin_s + (last + 1) * self.tick_s),
            middle,
            self.boxes[middle],
            faces[0] if single else faces,
            contexts[0] if single else contexts,
        )


def samples_of_video(
    video: Watched, settings: StoreSettings, windows: Windows | None
) -> Iterator[Sample]:
    """Every sample of every person of a video, as they become ready; one decode.

    Args:
        windows: of what length, how far apart; None: single frames.

    Raises:
        MediaError: if the file cannot be read again.
    """
    persons = [
        _person(name, boxes, video, settings.rate, windows) for name, boxes in video.tracks.items()
    ]
    persons.sort(key=lambda person: int(person.frames[0]))
    waiting, here = persons[::-1], list[_Person]()
    wanted = {int(frame) for person in persons for frame in person.frames}
    last = max(wanted, default=-1)
    with Decoder(video.file, read_headers(video.file)) as decoder:
        for decoded in decoder:
            frame = decoded.ordinal
            if frame > last:
                break
            while waiting and int(waiting[-1].frames[0]) <= frame:
                here.append(waiting.pop())
            here = [person for person in here if person.last_frame >= frame]
            if frame not in wanted:
                continue
            picture = decoded.bgr_full()
            for person in here:
                if person.next_frame != frame:
                    continue
                others = [p.boxes[frame] for p in here if p is not person]
                face, context = streams_of(
                    picture, person.boxes[frame], others, settings,
                    interpolated=frame in person.interpolated,
                )  # fmt: skip
                yield from person.see(frame, face, context)
    if any(person.n_given < len(person.windows) for person in persons):
        raise DecodeError(
            f"{video.file.name} ends before the frames that were counted.",
            "The file changed in between; run again.",
        )


def samples_of_picture(
    file: Path, detector: FaceDetector, settings: StoreSettings, windows: Windows | None
) -> Iterator[Sample]:
    """A sample of every face of a picture.

    Args:
        windows: a window is the picture again and again, as networks of clips need one; None:
            a single frame.

    Raises:
        DecodeError: if the file is no picture.
    """
    picture = read_picture(file)
    item = Item(file.stem, "still", file.name, None, None)
    faces = faces_of_item(file.parent, item, detector)
    boxes = {f.face: (f.x1, f.y1, f.x2, f.y2) for f in faces}
    for name, box in boxes.items():
        others = [other for key, other in boxes.items() if key != name]
        face, context = streams_of(picture, box, others, settings)
        if windows is not None:
            face, context = (np.stack([one] * windows.length) for one in (face, context))
        yield Sample(name, 0.0, 0.0, 0, box, face, context)


def read_picture(file: Path) -> Pixels:
    """A picture as displayed, (h, w, 3) BGR.

    Raises:
        DecodeError: if the file is none.
    """
    import cv2

    try:
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise DecodeError(
            f"{file} cannot be read as a picture.", "Check that it opens in a viewer."
        )
    return np.asarray(picture, np.uint8)


def _person(
    name: str, rows: Sequence[TrackBox], video: Watched, rate: float, windows: Windows | None
) -> _Person:
    boxes = {row.frame: (row.x1, row.y1, row.x2, row.y2) for row in rows}
    first, end = rows[0].frame, rows[-1].frame + 1
    timeline, zero_s = video.timeline, video.timeline.start_of(0)
    times = timeline.pts_s[first:end].tolist()
    frames = first + sampled(times, timeline.start_of(end), rate)
    ticks = np.arange(len(frames))[:, None] if windows is None else windows.every(len(frames))
    return _Person(
        name, boxes, frozenset(row.frame for row in rows if row.interpolated), times[0] - zero_s,
        timeline.start_of(end) - zero_s, 1 / rate, end - 1, frames, list(ticks),
    )  # fmt: skip
