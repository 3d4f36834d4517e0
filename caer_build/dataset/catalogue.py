"""Everything that a data set says of itself, without its pictures: what every export is made of.

::

    workspace ----.                          .--> released layouts, Hugging Face, WebDataset, ...
                   >--> Catalogue --> export
    media-free ---'     (+ episodes)         '--> media-free

A catalogue comes from a workspace (:mod:`caer_build.dataset.collecting`) or from a media-free
export and the episodes (:mod:`caer_build.dataset.rebuilding`); an export cannot tell which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caer_build.records import CountedVote, Cut, Episode, Item

if TYPE_CHECKING:
    import pyarrow as pa

ABOUT = "about"
"""what the facts call the statements of the makers"""


@dataclass(frozen=True)
class Catalogue:
    """The rows of a data set, and where to get its clips.

    Attributes:
        facts: by which rule and split it was made, the funnel, the codec; JSON.
        items: clips, then stills, each by id; without files; those of the kinds asked for.
        votes: of the clips among the items at least, by clip and annotator.
        cuts: likewise, one a clip.
        episodes: from which there are clips.
        faces: gives the faces in all frames of the clips as tables of :class:`ItemFace`, some
            episodes at a time, so that nobody holds a season in memory.
        clip_file: the file of a clip as it was cut, by clip_id.
    """

    facts: Mapping[str, Any]
    items: Sequence[Item]
    votes: Sequence[CountedVote]
    cuts: Sequence[Cut]
    episodes: tuple[Episode, ...]
    faces: Callable[[], Iterator[pa.Table]]
    clip_file: Callable[[str], Path]

    def stating(self, about: Mapping[str, Any]) -> Catalogue:
        """With what its makers stated (:mod:`caer_build.dataset.about`), where they did."""
        return replace(self, facts={**self.facts, ABOUT: about}) if about else self
