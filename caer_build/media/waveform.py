"""Decoded sound as arrays, placed where its timestamps say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.layout import AudioLayout

Samples = npt.NDArray[np.float32]

_LAYOUTS = {1: "mono", 2: "stereo"}
_JITTER_S = 0.012
"""Timestamps may stray this much (containers count in ms) before it counts as a hole."""


class Waveform:
    """The sound of a span of time at the file's own rate; holes are silent.

    Args:
        start_s, stop_s: of the span, seconds of the container's clock.
        channels: 1 or 2, into which all are mixed.
    """

    def __init__(self, start_s: float, stop_s: float, channels: int) -> None:
        self._start_s, self._stop_s = start_s, stop_s
        self._channels = channels
        self._expected: int | None = None
        self._sound: Samples | None = None
        self._mixed_down = False
        self._rate = 0

    def add(self, frame: AudioFrame, shift_s: float) -> None:
        """Places a frame, its timestamp moved by ``shift_s`` seconds; outside parts are dropped."""
        if self._sound is None:
            # A track whose rate changes midway is brought to the rate it began with.
            self._rate = frame.sample_rate
            n = round((self._stop_s - self._start_s) * self._rate)
            self._sound = np.zeros((self._channels, n), np.float32)
        self._mixed_down |= frame.layout.nb_channels > self._channels
        at = self._position(frame, shift_s)
        samples = mixed(frame, self._channels, self._rate)
        self._expected = at + samples.shape[1]
        first, last = max(at, 0), min(self._expected, self._sound.shape[1])
        if first < last:
            self._sound[:, first:last] = samples[:, first - at : last - at]

    def sound(self, n_samples: int, rate: int) -> Samples:
        """The span's sound at ``rate`` samples per second, (n_samples, channels)."""
        from av.audio.frame import AudioFrame

        out = np.zeros((n_samples, self._channels), np.float32)
        if self._sound is None:
            return out
        sound = self._sound
        if rate != self._rate:
            layout = _LAYOUTS[self._channels]
            frame = AudioFrame.from_ndarray(sound, format="fltp", layout=layout)
            frame.sample_rate = self._rate
            sound = _resampled(frame, layout, rate)
        if self._mixed_down:
            # Six loud channels in two are too loud; a constant factor would hush all the others.
            sound = sound / max(1.0, float(np.abs(sound).max(initial=0.0)))
        n = min(n_samples, sound.shape[1])
        out[:n] = sound[:, :n].T
        return out

    def _position(self, frame: AudioFrame, shift_s: float) -> int:
        """The sample of the span at which the frame begins; may be negative."""
        if frame.pts is None or frame.time_base is None:
            return self._expected or 0
        time_s = float(frame.pts * frame.time_base) + shift_s
        at = round((time_s - self._start_s) * self._rate)
        jitter = self._expected is not None and abs(at - self._expected) <= _JITTER_S * self._rate
        return self._expected if jitter and self._expected is not None else at


def mixed(frame: AudioFrame, channels: int, rate: int) -> Samples:
    """A frame's samples in 1 or 2 channels at ``rate`` per second, (channels, n)."""
    import av

    if (frame.format.name, frame.layout.nb_channels, frame.sample_rate) == ("fltp", channels, rate):
        return frame.to_ndarray().astype(np.float32, copy=False)
    try:
        return _resampled(frame, _LAYOUTS[channels], rate)
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError):
        # Channels whose places nobody names have no rule for mixing: they count alike.
        every = _resampled(frame, frame.layout, rate)
        return np.repeat(every.mean(axis=0, keepdims=True), channels, axis=0)


def _resampled(frame: AudioFrame, layout: str | AudioLayout, rate: int) -> Samples:
    from av.audio.resampler import AudioResampler

    # Interleaved: PyAV 18.1 reads past the planes of a planar frame of more than 8 channels.
    resampler = AudioResampler(format="flt", layout=layout, rate=rate)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    n_channels = parts[0].layout.nb_channels
    packed = [part.to_ndarray().reshape(-1, n_channels) for part in parts]
    return np.concatenate(packed).T.astype(np.float32, copy=False)
