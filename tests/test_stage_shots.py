"""Shots: scores to boundaries to shots by hand, colours on pictures made for one question each."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from caer_build.errors import SchemaError
from caer_build.frames import Span, Timeline, tiles
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.models.colour_change import ColourChange, cut_scores, fade_spans, measure
from caer_build.models.displaced_difference import DisplacedDifference
from caer_build.models.protocols import Floats, Images
from caer_build.models.streaming import blocks
from caer_build.records import Shot
from caer_build.stages.shots import (
    Boundary,
    ShotSettings,
    boundaries,
    contrasts,
    make_scorer,
    to_shots,
)

DEFAULT = ShotSettings()


def timeline(n: int) -> Timeline:
    return Timeline(np.arange(n) / 25, n / 25)


def scores_of(n: int, ends: dict[int, float], within: tuple[tuple[int, int], ...] = ()) -> Floats:
    scores = np.zeros((n, 2), np.float32)
    for frame, score in ends.items():
        scores[frame, 0] = score
    for first, last in within:
        scores[first : last + 1, 1] = 0.9
    return scores


def found_in(scores: Floats, contrast: Floats | None = None) -> list[tuple[int, str, int]]:
    contrast = np.full(len(scores), 50, np.float32) if contrast is None else contrast
    return [(b.frame, b.kind, b.end) for b in boundaries(scores, contrast, DEFAULT)]


def test_the_docstring_s_example() -> None:
    scores = scores_of(120, {40: 0.9, 86: 0.8}, ((81, 92),))
    found = found_in(scores)
    assert found == [(0, "start", 0), (41, "cut", 41), (81, "dissolve", 93)]
    shots = to_shots("e", boundaries(scores, np.full(120, 50, np.float32), DEFAULT), timeline(120))
    assert [(s.shot_id, s.start_frame, s.end_frame) for s in shots] == [
        ("e-s000000", 0, 41),
        ("e-s000041", 41, 81),
        ("e-s000081", 81, 120),
    ]
    assert shots[2].transition_end_frame == 93
    assert shots[2].end_pts_s == pytest.approx(4.8)


def test_short_shots_are_not_lost() -> None:
    """Cuts three and two frames apart; the tool's wrapper in PySceneDetect loses them."""
    found = found_in(scores_of(30, {9: 0.9, 12: 0.8, 14: 0.7}))
    assert [frame for frame, *_ in found] == [0, 10, 13, 15]


def test_neighbouring_frames_are_one_cut_at_the_higher_score() -> None:
    assert found_in(scores_of(30, {9: 0.6, 10: 0.9, 11: 0.7}))[1:] == [(11, "cut", 11)]


def test_the_threshold_is_reached_by_equality() -> None:
    assert len(found_in(scores_of(20, {5: 0.5}))) == 2
    assert len(found_in(scores_of(20, {5: 0.499}))) == 1


def test_a_score_at_the_last_frame_begins_no_shot() -> None:
    assert found_in(scores_of(20, {19: 1.0})) == [(0, "start", 0)]


def test_the_last_shot_may_be_one_frame_long() -> None:
    assert found_in(scores_of(20, {18: 1.0}))[-1] == (19, "cut", 19)


def test_an_episode_of_one_frame_is_one_shot() -> None:
    found = boundaries(scores_of(1, {0: 1.0}), np.zeros(1, np.float32), DEFAULT)
    (shot,) = to_shots("one", found, timeline(1))
    assert (shot.start_frame, shot.end_frame, shot.transition_in) == (0, 1, "start")


def test_a_transition_through_a_plain_picture_is_a_fade() -> None:
    contrast = np.full(60, 40, np.float32)
    contrast[25] = 1.0
    scores = scores_of(60, {25: 0.9}, ((20, 30), (40, 45)))
    kinds = [(f, k) for f, k, _ in found_in(scores, contrast)]
    assert kinds == [(0, "start"), (20, "fade"), (40, "dissolve")]


def test_fading_in_at_the_start_and_out_at_the_end() -> None:
    scores = scores_of(50, {}, ((0, 7), (44, 49)))
    found = found_in(scores)
    assert found == [(0, "start", 8), (44, "dissolve", 50)]
    shots = to_shots("e", boundaries(scores, np.full(50, 9, np.float32), DEFAULT), timeline(50))
    assert shots[0].transition_end_frame == 8
    assert shots[1].transition_end_frame == shots[1].end_frame == 50


def test_a_transition_does_not_outlast_its_shot() -> None:
    found = [Boundary(0, "start", 0, 1), Boundary(5, "fade", 12, 1), Boundary(9, "cut", 9, 1)]
    shots = to_shots("e", found, timeline(20))
    assert [s.transition_end_frame for s in shots] == [0, 9, 9]


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 80), st.just(2)), elements=st.floats(0, 1, width=32)
    )
)
def test_shots_tile_the_episode(scores: Floats) -> None:
    n = len(scores)
    found = boundaries(scores, np.full(n, 20, np.float32), DEFAULT)
    shots = to_shots("e", found, timeline(n))
    assert tiles([Span(s.start_frame, s.end_frame) for s in shots], n)
    assert shots[0].start_pts_s == 0
    assert shots[-1].end_pts_s == pytest.approx(n / 25)
    assert len({s.shot_id for s in shots}) == len(shots)
    assert [s.transition_in == "start" for s in shots] == [i == 0 for i in range(len(shots))]


@pytest.mark.parametrize("frames", [[], [1], [0, 5, 5], [0, 20], [0, 7, 3]])
def test_boundaries_that_do_not_fit_are_refused(frames: list[int]) -> None:
    with pytest.raises(SchemaError, match="boundaries in order"):
        to_shots("e", [Boundary(f, "cut", f, 1.0) for f in frames], timeline(20))


def test_scores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"found \(5, 2\) for 4 frames"):
        boundaries(np.zeros((5, 2), np.float32), np.zeros(4, np.float32), DEFAULT)


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError):
        ShotSettings.model_validate({"scorer": "magic"})
    with pytest.raises(ValidationError):
        ShotSettings.model_validate({"treshold": 0.4})


# What colours say. Pictures of 3 x 4 blobs with a camera's noise, one question each.


def shot(seed: int, n: int, light: float = 1.0) -> Images:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 220, (3, 4, 3))
    picture = np.repeat(np.repeat(coarse, 9, axis=0), 12, axis=1) * light
    return np.clip(picture + rng.integers(-3, 4, (n, 27, 48, 3)), 0, 255).astype(np.uint8)


def quick(frames: Images) -> list[tuple[int, str, int]]:
    scores = ColourChange().scores(iter([frames]))
    return found_in(scores, contrasts(iter([frames])))[1:]


def test_colours_find_a_cut_bright_or_dark() -> None:
    assert quick(np.concatenate([shot(1, 40), shot(2, 40)])) == [(40, "cut", 40)]
    assert quick(np.concatenate([shot(1, 40, 0.12), shot(2, 40, 0.12)])) == [(40, "cut", 40)]


def test_colours_find_nothing_in_a_quiet_shot() -> None:
    assert quick(shot(3, 100)) == []


def test_a_flash_and_a_lamp_are_no_cuts() -> None:
    flash = shot(4, 80)
    flash[40:43] = np.minimum(flash[40:43].astype(int) + 90, 255)
    assert quick(flash) == []
    assert quick(np.concatenate([shot(4, 40, 0.6), shot(4, 40, 1.0)])) == []


@pytest.mark.parametrize("length", [6, 12, 24])
def test_colours_find_a_dissolve_and_its_span(length: int) -> None:
    a, b = shot(5, 100).astype(float), shot(6, 100).astype(float)
    share = np.clip((np.arange(100) - 39) / (length + 1), 0, 1)[:, None, None, None]
    ((first, kind, end),) = quick((a * (1 - share) + b * share).astype(np.uint8))
    assert kind == "dissolve"
    assert abs(first - 40) <= 2
    assert abs(end - (40 + length)) <= 2


@pytest.mark.parametrize("plain", [0, 255])
def test_colours_find_a_fade_and_its_span(plain: int) -> None:
    light = np.ones(100)
    light[40:50] = 1 - np.arange(1, 11) / 10
    light[50:60] = np.arange(10) / 10
    pictures = np.concatenate([shot(7, 50), shot(8, 50)]).astype(float)
    mixed = plain + (pictures - plain) * light[:, None, None, None]
    ((first, kind, end),) = quick(mixed.astype(np.uint8))
    assert kind == "fade"
    assert abs(first - 40) <= 2
    assert abs(end - 60) <= 2


def test_black_between_two_cuts_is_no_fade() -> None:
    frames = np.concatenate([shot(9, 40), np.zeros((30, 27, 48, 3), np.uint8), shot(10, 40)])
    assert fade_spans(measure(frames).contrast) == []
    assert quick(frames) == [(40, "cut", 40), (70, "cut", 70)]


def test_an_episode_that_fades_in_from_long_black() -> None:
    light = np.clip((np.arange(200) - 99) / 12, 0, 1)[:, None, None, None]
    ((first, kind, end),) = quick((shot(11, 200) * light).astype(np.uint8))
    assert kind == "fade"
    assert 97 <= first <= 100
    assert 108 <= end <= 113


def test_what_is_said_of_a_plain_episode() -> None:
    black = np.zeros((60, 27, 48, 3), np.uint8)
    assert cut_scores(measure(black)).max() == 0
    assert quick(black) == []


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(1, 30), st.integers(0, 20))
def test_blocks_give_every_frame_once_with_its_surroundings(
    sizes: list[int], core: int, margin: int
) -> None:
    n = sum(sizes)
    frames = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 27, 48, 3), np.uint8)
    chunks = np.split(frames, np.cumsum(sizes)[:-1])
    at = 0
    for block in blocks(iter(chunks), core, margin):
        assert block.start == at
        length = len(block.frames[block.core])
        expected = np.clip(np.arange(at - margin, at + length + margin), 0, n - 1)
        assert block.frames[:, 0, 0, 0].tolist() == expected.tolist()
        at += length
    assert at == n


def test_features_of_another_shape_are_refused() -> None:
    with pytest.raises(SchemaError, match="expected chunks of shape"):
        ColourChange().scores(iter([np.zeros((3, 48, 27, 3), np.uint8)]))


@pytest.mark.parametrize("scorer", [ColourChange(), DisplacedDifference(51)])
def test_scores_do_not_depend_on_chunks(scorer: ColourChange | DisplacedDifference) -> None:
    frames = np.concatenate([shot(seed, 37) for seed in range(20, 24)])
    whole = scorer.scores(iter([frames]))
    parts = scorer.scores(iter(np.split(frames, [1, 40, 40, 99])))
    assert whole.tobytes() == parts.tobytes()
    assert scorer.scores(iter([])).shape == (0, 2)


def test_the_paper_s_detector_follows_motion_and_finds_a_cut() -> None:
    """A camera that begins to pan at frame 60: neighbouring frames differ by far more than
    before, but the flow explains it. A cut follows at frame 90."""
    x, y = np.meshgrid(np.arange(200), np.arange(27))
    wide = 128 + 60 * np.sin(x / 5) * np.cos(y / 4) + 50 * np.sin(x / 3 + y / 6)
    at = np.concatenate([np.zeros(60, int), np.arange(30)])
    pan = np.stack([wide[:, k : k + 48] for k in at])[..., None].repeat(3, axis=3)
    noise = np.random.default_rng(30).integers(-4, 5, pan.shape)
    frames = np.concatenate([np.clip(pan + noise, 0, 255).astype(np.uint8), shot(31, 60)])
    plain = np.abs(np.diff(frames.astype(float), axis=0)).mean(axis=(1, 2, 3))
    assert plain[61:89].min() > 2 * np.median(plain[:59]), "without the flow it would be cuts"
    scores = DisplacedDifference(51).scores(iter([frames]))
    assert np.flatnonzero(scores[:, 0] >= 0.5).tolist() == [89]
    assert (scores[:, 1] == 0).all()


# Real episodes with exact truth.


@functools.cache
def decoded(video: Path) -> tuple[Images, Timeline]:
    with Decoder(video, read_headers(video)) as decoder:
        frames, pts = zip(*((f.rgb(48, 27), f.pts_s) for f in decoder), strict=True)
        return np.stack(frames), Timeline(np.array(pts), decoder.report.end_s)


def shots_of(video: Path, choice: ShotSettings) -> list[Shot]:
    features, times = decoded(video)
    scores = make_scorer(choice, times).scores(iter([features]))
    return to_shots("e", boundaries(scores, contrasts(iter([features])), choice), times)


@pytest.mark.parametrize(
    ("scorer", "least"),
    # The other one's shots are counted in the build of both episodes.
    [pytest.param("transnetv2", 0.944, marks=pytest.mark.slow), ("quick", 0.90)],
)
@pytest.mark.parametrize("episode", ["lobby.s01e01", "lobby.s01e02"])
def test_real_episodes(data: Path, episode: str, scorer: str, least: float) -> None:
    from benchmarks.boundary_scores import count, load_truth

    if scorer == "transnetv2":
        pytest.importorskip("onnxruntime")
    truth = load_truth(data / "episodes" / f"{episode}.truth.json")
    choice = ShotSettings.model_validate({"scorer": scorer})
    shots = shots_of(data / "episodes" / f"{episode}.mp4", choice)
    assert tiles([Span(s.start_frame, s.end_frame) for s in shots], truth.n_frames)
    counts = count(truth, [s.start_frame for s in shots[1:]])
    assert counts.f1 >= least
    gradual = [s for s in shots if s.transition_in in ("dissolve", "fade")]
    for first, last in truth.gradual:
        overlap = [
            min(last + 1, s.transition_end_frame) - max(first, s.start_frame) for s in gradual
        ]
        assert max(overlap, default=0) >= 0.5 * (last + 1 - first), (first, last)
