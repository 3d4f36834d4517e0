"""Data sets of all kinds as one record type: ours, the released ones, and other people's.

::

    a folder --> which layout is it? --> its reader --> Dataset(root, layout, items, faces, votes)

``read_dataset`` is the door; one file here reads one layout. Nothing in here opens pictures or
videos, or needs more than the standard library, numpy and pyarrow.
"""

from caer_build.dataset.reading.dataset import Dataset
from caer_build.dataset.reading.recognising import read_dataset
from caer_build.dataset.reading.votes import VoteCounts

__all__ = ["Dataset", "VoteCounts", "read_dataset"]
