"""The sound of the edit list: each shot has its own place, chord, murmur and music.

It changes with the picture: at a cut within 10 ms from the new shot's first frame on, over a
transition for as long as the transition lasts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from caer_build.media.encode import SAMPLE_RATE
from caer_build.sample.script import RATE, Sound, Tone
from caer_build.sample.timeline import Placed

Samples = npt.NDArray[np.float32]
Signal = npt.NDArray[np.float64]

_PER_FRAME = SAMPLE_RATE // RATE
_CUT_FADE = SAMPLE_RATE // 100
_PEAK = 0.7
_BANDS: dict[Tone, tuple[float, float, float, float]] = {
    # lowest and highest Hz of the noise, its gain, swells per second
    "room": (60, 400, 0.010, 0.0),
    "car": (25, 160, 0.070, 0.7),
    "street": (150, 1800, 0.040, 0.35),
    "space": (30, 90, 0.020, 0.1),
    "line": (300, 3400, 0.012, 0.0),
}
_FORMANTS_HZ = ((700, 1200), (450, 1900), (350, 900), (550, 1700))
"""first and second resonance of four vowels, one a syllable"""
_SYLLABLES_PER_S = 3.6


def soundtrack(placed: Sequence[Placed], film: Samples) -> Samples:
    """The sound of the whole episode, (n, 2) in [-1, 1], :data:`SAMPLE_RATE` a second.

    Args:
        film: (m, 2), the sound of Big Buck Bunny; played in a loop.
    """
    mix = np.zeros((placed[-1].stop * _PER_FRAME, 2))
    for number, now in enumerate(placed):
        after = placed[number + 1] if number + 1 < len(placed) else None
        begin = now.first * _PER_FRAME
        fade_in = (now.clear - now.first) * _PER_FRAME or _CUT_FADE
        fade_out = 0 if after is None else (after.clear - after.first) * _PER_FRAME or _CUT_FADE
        n = (now.stop - now.first) * _PER_FRAME + fade_out
        level = np.minimum(np.arange(1, n + 1) / fade_in, 1.0)
        if fade_out:
            level *= np.minimum(np.arange(n, 0, -1) / fade_out, 1.0)
        n = min(n, len(mix) - begin)
        mix[begin : begin + n] += _heard(now.shot.sound, n, film) * level[:n, None]
    return np.asarray(mix * (_PEAK / np.abs(mix).max()), dtype=np.float32)


def _heard(sound: Sound, n: int, film: Samples) -> Signal:
    """``n`` samples of what is heard in a shot, (n, 2)."""
    t = np.arange(n) / SAMPLE_RATE
    mono = _place(sound.tone, t) + _chord(sound.root_hz, t)
    if sound.voice_hz:
        mono = mono + _murmur(sound.voice_hz, t)
    both = np.stack((mono, mono), axis=1)
    if sound.music:
        at = np.arange(n) + int(sound.music_at_s * SAMPLE_RATE)
        both += sound.music * film[at % len(film)]
    return both


def _place(tone: Tone, t: Signal) -> Signal:
    """Noise of one band: the hum of a room, the rumble of a car, a street."""
    low, high, gain, swells = _BANDS[tone]
    seed = list(_BANDS).index(tone)
    noise = np.fft.rfft(np.random.default_rng(seed).normal(size=len(t)))
    hz = np.fft.rfftfreq(len(t), 1 / SAMPLE_RATE)
    noise[(hz < low) | (hz > high)] = 0
    band = np.fft.irfft(noise, len(t))
    band *= gain / max(float(np.sqrt(np.mean(band**2))), 1e-12)
    return np.asarray(band * (1 + 0.5 * np.sin(2 * np.pi * swells * t)))


def _chord(root_hz: float, t: Signal) -> Signal:
    """A soft open chord: root, fifth, octave and tenth, each a little out of tune."""
    swell = 0.02 * (1 - np.exp(-t * 3)) * (1 + 0.3 * np.sin(2 * np.pi * 0.4 * t))
    parts = ((1.0, 1.0), (1.503, 0.7), (2.004, 0.6), (2.516, 0.4))
    return np.asarray(swell * sum(g * np.sin(2 * np.pi * root_hz * r * t) for r, g in parts))


def _murmur(pitch_hz: float, t: Signal) -> Signal:
    """Something like speech behind a wall: syllables of a pulsed tone with moving vowels."""
    # Nothing in it is above 2.6 kHz: a quarter of the samples is enough.
    every, t = t, t[::4]
    beat = t * _SYLLABLES_PER_S
    syllable = np.sin(np.pi * (beat % 1.0)) ** 2 * (np.sin(2 * np.pi * beat / 9) > -0.7)
    phase = (
        2 * np.pi * np.cumsum(pitch_hz * (1 + 0.06 * np.sin(2 * np.pi * 0.9 * t))) * 4 / SAMPLE_RATE
    )
    vowel = beat.astype(np.int64) % len(_FORMANTS_HZ)
    formants = np.array(_FORMANTS_HZ, dtype=np.float64)
    voice = np.zeros(len(t))
    for harmonic in range(1, int(2600 / pitch_hz)):
        near = np.exp(-(((harmonic * pitch_hz - formants) / 180) ** 2)).sum(axis=1)
        voice += near[vowel] / np.sqrt(harmonic) * np.sin(harmonic * phase)
    return np.interp(every, t, 0.09 * syllable * voice)
