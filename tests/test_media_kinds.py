"""Every kind of file is handled right, to the frame, or refused with an error that says why."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from caer_build.errors import ProbeError
from caer_build.media.probe import read_headers
from caer_build.media.verify import verify_clip
from tests.media_kinds import KINDS, Kind
from tests.scanned import scan

HANDLED = {name: kind for name, kind in KINDS.items() if kind.refused is None}
REFUSED = {name: kind for name, kind in KINDS.items() if kind.refused is not None}
GUIDE = Path(__file__).parent.parent / "docs" / "media.md"


@pytest.mark.parametrize("kind", HANDLED.values(), ids=list(HANDLED))
def test_handled(kind: Kind, tmp_path: Path) -> None:
    seen = scan(kind.make(tmp_path))
    headers, report = seen.headers, seen.report

    assert (headers.width, headers.height) == kind.size
    assert (headers.audio is not None) == kind.sound
    assert headers.interlaced == kind.interlaced
    assert headers.is_hdr == kind.is_hdr
    assert report.n_frames == len(seen.numbers)
    assert kind.repaired in (None, report.repaired)
    assert kind.truncated in (None, report.truncated)
    if kind.numbers:
        assert tuple(seen.numbers) == kind.numbers
    else:
        read = [number for number in seen.numbers if number is not None]
        assert len(read) > 15
        assert read == sorted(set(read))

    n = report.n_frames
    spans = [(n // 4, n // 2), (n // 2, n)] if n > 1 else [(0, 1)]
    for (start, end), made in zip(spans, seen.cut(tmp_path, *spans), strict=True):
        wanted = seen.wanted(start, end)
        check = verify_clip(made.out, wanted, with_sound=kind.sound)
        assert check.n_frames == made.n_frames == end - start
        clip = scan(made.out)
        assert (clip.headers.width, clip.headers.height) == kind.size
        assert clip.headers.pixel_format == "yuv420p"
        assert clip.headers.rotation == 0
        assert clip.headers.sample_aspect == 1
        assert not clip.headers.is_hdr
        # Frame for frame what the source shows, and when it shows it.
        assert clip.numbers == seen.numbers[start:end]
        expected = seen.timeline.pts_s[start:end] - seen.timeline.pts_s[start]
        np.testing.assert_allclose(clip.timeline.pts_s, expected, atol=1e-3)


@pytest.mark.parametrize("kind", REFUSED.values(), ids=list(REFUSED))
def test_refused(kind: Kind, tmp_path: Path) -> None:
    path = kind.make(tmp_path)
    with pytest.raises(ProbeError) as caught:
        read_headers(path)
    assert kind.refused is not None
    assert kind.refused in caught.value.message
    assert path.name in caught.value.message
    assert caught.value.remedy
    assert str(tmp_path) not in str(caught.value)


def test_the_guide_lists_these_kinds_and_no_others() -> None:
    rows = re.findall(r"^\| ([^|]+?) \| (used|refused)", GUIDE.read_text(), re.MULTILINE)
    listed = {name: outcome for name, outcome in rows if name != "kind of file"}
    assert listed == {name: "refused" if kind.refused else "used" for name, kind in KINDS.items()}
    assert len(KINDS) >= 24
