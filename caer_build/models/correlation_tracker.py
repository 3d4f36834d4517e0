"""dlib's correlation tracker: one object followed from picture to picture without a detector.

http://dlib.net/correlation_tracker.py.html (Boost licence), after Danelljan et al. 2014, "Accurate
Scale Estimation for Robust Visual Tracking".
"""

from __future__ import annotations

from caer_build.models.dlib_package import dlib_version
from caer_build.models.protocols import Images

Box = tuple[float, float, float, float]
"""xyxy px"""


def version() -> str:
    """What goes into a stage's key.

    Raises:
        ModelMissing: if dlib is not installed.
    """
    return dlib_version("Following faces forwards and backwards")


class CorrelationTracker:
    """Follows what lies in ``box`` of ``picture``, (h, w, 3) RGB.

    All pictures must be of one size. Not safe to share between threads.
    """

    def __init__(self, picture: Images, box: Box) -> None:
        import dlib

        self._tracker = dlib.correlation_tracker()
        self._tracker.start_track(picture, dlib.drectangle(*box))

    def update(self, picture: Images) -> tuple[Box, float]:
        """Where it is in the next picture, and how sure that is (a peak-to-sidelobe ratio:
        above 20 on what is surely followed, below 7 on what is lost)."""
        confidence = float(self._tracker.update(picture))
        place = self._tracker.get_position()
        return (place.left(), place.top(), place.right(), place.bottom()), confidence
