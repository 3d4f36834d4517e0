"""The edit list of the sample episode, as data: what is seen and heard, shot by shot.

A shot is drawn from layers: a part of a source picture (its view) laid into a box of the frame::

    source (its own px)                 frame (960x540 px)
    +------------------+                +-----------------+
    |    +-------+     |     layer      |   +------+      |
    |    | view  |     |  ----------->  |   | box  |      |
    |    +-------+     |                |   +------+      |
    +------------------+                +-----------------+

A view moves from ``start`` to ``end`` while its shot is on screen. Frames are 0-based, spans
half-open; a transition in is counted to the shot that it leads into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WIDTH, HEIGHT, RATE = 960, 540, 25
"""px, px, frames per second"""

Kind = Literal["none", "single", "two", "group"]
Transition = Literal["cut", "dissolve", "fade through black"]
Grade = Literal["plain", "warm", "cold", "night"]
Overlay = Literal["", "titles", "viewfinder", "call", "end"]
Tone = Literal["room", "car", "street", "space", "line"]
Box = tuple[int, int, int, int]
"""x, y, width, height; px of the frame"""


@dataclass(frozen=True)
class View:
    """What is seen of a source: the centre and the width of a rectangle, px of the source.

    Its height follows from the shape of the box that it is laid into.
    """

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Layer:
    """One moving picture in one box of the frame."""

    file: str
    """a key of :data:`caer_build.sample.material.PIECES`"""
    start: View
    end: View
    frames: tuple[int, int] = (0, 1)
    """the source frames ``[first, last)`` that are played; a still is ``(0, 1)``"""
    pace: float = 1.0
    """source frames for each frame shown; at the end of the span playing turns back"""
    box: Box = (0, 0, WIDTH, HEIGHT)
    mirrored: bool = False
    grade: Grade = "plain"
    blur_px: float = 0.0
    """sigma of the defocus, px of the frame"""
    glimpses: tuple[int, int] = (0, 0)
    """``(seen, every)``: the picture is whole for ``seen`` of ``every`` frames, else in blocks"""


@dataclass(frozen=True)
class Sound:
    """What is heard in a shot: a tone of the place, a chord, and music from the film."""

    tone: Tone
    root_hz: float
    music: float = 0.0
    """gain of the film's sound, 0 to 1"""
    music_at_s: float = 0.0
    voice_hz: float = 0.0
    """pitch of a speaker who murmurs; 0: nobody speaks"""


@dataclass(frozen=True)
class Shot:
    """A shot of ``n_frames``, the ``transition_frames`` that lead into it not counted."""

    n_frames: int
    layers: tuple[Layer, ...]
    sound: Sound
    people: tuple[str, ...] = ()
    kind: Kind = "none"
    transition: Transition = "cut"
    transition_frames: int = 0
    overlay: Overlay = ""
    grain: bool = True
    """false: clean as on a monitor; grain on a defocused face would pass for detail"""


LEFT, RIGHT = (0, 0, 478, HEIGHT), (482, 0, 478, HEIGHT)


def _still(file: str, start: View, end: View, grade: Grade = "plain") -> Layer:
    return Layer(file, start, end, grade=grade)


def _commander(start: View, end: View, mirrored: bool = False, grade: Grade = "plain") -> Layer:
    return Layer("astronaut", start, end, mirrored=mirrored, grade=grade)


def _passenger(
    frames: tuple[int, int], start: View, end: View, mirrored: bool = False, grade: Grade = "plain"
) -> Layer:
    return Layer("carphone", start, end, frames, 1.0, LAYER_BOX, mirrored, grade)


def _street(frames: tuple[int, int], start: View, end: View, pace: float = 1.0) -> Layer:
    return Layer("bikes", start, end, frames, pace)


def _tile(number: int, file: str, view: View, frames: tuple[int, int], mirrored: bool) -> Layer:
    """The ``number``-th tile of a wall of 3 x 3."""
    column, row = number % 3, number // 3
    box = (column * 320 + 2, row * 180 + 2, 316, 176)
    closer = View(view.x, view.y, view.width * 0.96)
    return Layer(file, view, closer, frames, 1.0, box, mirrored)


LAYER_BOX: Box = (0, 0, WIDTH, HEIGHT)
_HER, _HIM, _HIS_LENS = View(224, 130, 270), View(84, 66, 150), View(218, 165, 250)

_TITLES = Shot(
    90,
    (_commander(View(276, 146, 470), View(250, 134, 400)),),
    Sound("space", 110.0, music=0.8),
    ("Commander",),
    "single",
    overlay="titles",
)
_WALL = tuple(
    _tile(*tile)
    for tile in (
        (0, "astronaut", _HER, (0, 1), False),
        (1, "carphone", _HIM, (0, 60), False),
        (2, "camera", _HIS_LENS, (0, 1), False),
        (3, "carphone", View(80, 68, 140), (60, 120), True),
        (4, "astronaut", View(224, 125, 225), (0, 1), True),
        (5, "carphone", _HIM, (30, 90), False),
        (6, "camera", View(214, 160, 225), (0, 1), True),
        (7, "astronaut", View(222, 135, 290), (0, 1), False),
        (8, "carphone", View(82, 66, 145), (20, 110), True),
    )
)

SHOTS: tuple[Shot, ...] = (
    Shot(
        70,
        (_still("rocket", View(330, 200, 620), View(330, 235, 520)),),
        Sound("space", 82.4, music=0.2, music_at_s=1.0),
    ),
    _TITLES,
    Shot(50, (_street((137, 187), View(330, 136, 460), View(310, 136, 460)),), Sound("street", 98)),
    Shot(
        75,
        (_passenger((0, 75), View(90, 66, 168), View(88, 64, 158)),),
        Sound("car", 130.8, voice_hz=112),
        ("Passenger",),
        "single",
    ),
    Shot(
        90,
        (_commander(View(226, 128, 300), View(222, 120, 250), grade="warm"),),
        Sound("room", 146.8, voice_hz=205),
        ("Commander",),
        "single",
    ),
    Shot(
        70,
        (_passenger((60, 120), View(76, 68, 118), View(74, 68, 108)),),
        Sound("car", 123.5, voice_hz=118),
        ("Passenger",),
        "single",
    ),
    Shot(
        12,
        (_commander(View(225, 112, 150), View(225, 112, 144)),),
        Sound("room", 164.8),
        ("Commander",),
        "single",
    ),
    Shot(
        60,
        (_street((30, 76), View(330, 136, 470), View(330, 136, 450)),),
        Sound("street", 87.3),
        ("Commuter",),
        "single",
    ),
    Shot(
        110,
        (
            Layer("carphone", View(80, 74, 112), View(80, 72, 106), (0, 120), box=LEFT),
            Layer("astronaut", View(222, 135, 205), View(222, 130, 190), box=RIGHT),
        ),
        Sound("line", 130.8, voice_hz=150),
        ("Commander", "Passenger"),
        "two",
        overlay="call",
    ),
    Shot(
        60,
        (Layer("bunny", View(640, 360, 1280), View(660, 350, 1180), (50, 132)),),
        Sound("room", 196.0, music=1.0, music_at_s=2.0),
        transition="dissolve",
        transition_frames=16,
    ),
    Shot(
        85,
        (_still("camera", View(270, 190, 470), View(235, 165, 300)),),
        Sound("street", 110.0),
        ("Cameraman",),
        "single",
    ),
    Shot(
        75,
        (
            Layer(
                "astronaut", View(232, 150, 330), View(226, 145, 300), grade="night", blur_px=15.0
            ),
        ),
        Sound("room", 174.6),
        ("Commander",),
        "single",
        overlay="viewfinder",
        grain=False,
    ),
    Shot(
        95,
        (_commander(View(270, 225, 440), View(236, 140, 400)),),
        Sound("room", 146.8, voice_hz=210),
        ("Commander",),
        "single",
    ),
    Shot(
        60,
        (
            Layer("rocket", View(330, 200, 620), View(330, 215, 600)),
            Layer("astronaut", View(256, 200, 400), View(250, 196, 392), box=(680, 110, 178, 100)),
        ),
        Sound("space", 92.5, voice_hz=200),
        ("Commander",),
        "single",
    ),
    Shot(
        45,
        (_still("coffee", View(300, 200, 560), View(310, 190, 440), grade="warm"),),
        Sound("room", 220.0),
    ),
    Shot(
        90,
        (
            Layer(
                "carphone", View(88, 72, 172), View(88, 72, 172), (0, 8), 0.2,
                blur_px=22.0, mirrored=True, grade="night",
            ),
            Layer(
                "carphone", View(88, 71, 168), View(86, 70, 158), (20, 115),
                box=(170, 20, 620, 500), mirrored=True,
            ),
        ),
        Sound("line", 116.5, voice_hz=108),
        ("Passenger",),
        "single",
    ),
    Shot(
        100,
        _WALL,
        Sound("line", 155.6, music=0.15, music_at_s=3.0, voice_hz=160),
        ("Cameraman", "Commander", "Passenger"),
        "group",
        transition="fade through black",
        transition_frames=20,
    ),
    Shot(
        90,
        (_commander(View(238, 140, 260), View(220, 122, 215), grade="night"),),
        Sound("space", 138.6, voice_hz=198),
        ("Commander",),
        "single",
    ),
    Shot(
        80,
        (_passenger((10, 95), View(86, 68, 140), View(84, 66, 128), True, "cold"),),
        Sound("car", 103.8, voice_hz=115),
        ("Passenger",),
        "single",
    ),
    Shot(
        102,
        (
            Layer(
                "astronaut", View(236, 150, 360), View(232, 146, 330),
                grade="cold", glimpses=(6, 32),
            ),
        ),
        Sound("line", 185.0, voice_hz=202),
        ("Commander",),
        "single",
        overlay="call",
    ),
    Shot(
        2,
        (_still("stars", View(500, 436, 700), View(500, 436, 620)),),
        Sound("space", 261.6, music=0.6, music_at_s=4.0),
        transition="dissolve",
        transition_frames=20,
    ),
    Shot(55, (_street((187, 242), View(330, 136, 480), View(350, 136, 470)),), Sound("street", 98)),
    _TITLES,
    Shot(
        60,
        (_still("stars", View(470, 430, 900), View(500, 436, 760)),),
        Sound("space", 73.4, music=0.35, music_at_s=0.5),
        overlay="end",
        transition="dissolve",
        transition_frames=24,
    ),
)  # fmt: skip
