"""A letter and a colour for each person, the most seen first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caer_build.records import Episode, FaceTrack, Identity, Person

N_COLOURS = 12
"""classes p0 to p11 of the style sheet; everybody after them is grey"""


@dataclass(frozen=True)
class Mark:
    """How a track's person is shown."""

    letter: str
    css: str
    text: str
    """name and id"""


@dataclass(frozen=True)
class Standing:
    """A person and how much there is of them."""

    person: Person
    mark: Mark
    n_tracks: int
    n_episodes: int
    seconds: float
    """on screen, over all tracks"""


@dataclass(frozen=True)
class Roll:
    """Who is who: persons by time on screen, longest first, and the mark of every track."""

    standings: tuple[Standing, ...]
    of_track: Mapping[str, str]
    """track_id -> person_id"""
    of_person: Mapping[str, Mark]

    def mark(self, track_id: str | None) -> Mark:
        """The mark of a track's person; grey and without a letter where nobody is known."""
        person = self.of_track.get(track_id or "")
        return self.of_person.get(person or "", Mark("", "nobody", "nobody in particular"))


def letters(number: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA, as the columns of a spreadsheet."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def call_roll(
    persons: Sequence[Person],
    identities: Sequence[Identity],
    tracks: Sequence[FaceTrack],
    episodes: Sequence[Episode],
) -> Roll:
    """Rank the persons who stand (not merged into another one) by seconds on screen."""
    of_track = {i.track_id: i.person_id for i in identities}
    rate = {e.episode_id: e.frame_rate_num / e.frame_rate_den for e in episodes}
    seconds: defaultdict[str, float] = defaultdict(float)
    n_tracks: Counter[str] = Counter()
    seen_in: dict[str, set[str]] = {}
    for track in tracks:
        person = of_track.get(track.track_id)
        if person is None:
            continue
        seconds[person] += (track.end_frame - track.start_frame) / rate[track.episode_id]
        n_tracks[person] += 1
        seen_in.setdefault(person, set()).add(track.episode_id)
    standing = [p for p in persons if p.merged_into is None]
    standing.sort(key=lambda p: (-seconds[p.person_id], p.person_id))
    marks = {}
    for rank, one in enumerate(standing):
        css = f"p{rank}" if rank < N_COLOURS else "p-other"
        text = f"{one.name} ({one.person_id})" if one.name else one.person_id
        marks[one.person_id] = Mark(letters(rank), css, text)
    return Roll(
        tuple(
            Standing(
                p,
                marks[p.person_id],
                n_tracks[p.person_id],
                len(seen_in.get(p.person_id, ())),
                seconds[p.person_id],
            )
            for p in standing
        ),
        of_track,
        marks,
    )
