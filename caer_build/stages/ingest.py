"""Ingest: what the headers of a source claim, before anything is decoded.

The one time that a source is probed: later stages open it by what was found here. Which audio
track was chosen is kept apart, so that another one concerns the clips only.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from caer_build.records import SourceSound
from caer_build.stage import Artifact, Context, Stage


class IngestSettings(BaseModel):
    """How sources are looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    audio_language: str | None = Field(
        None,
        description="ISO 639 code of the audio track wanted; null, or if no track is tagged: the "
        "default track",
    )


def run(context: Context[IngestSettings]) -> None:
    from caer_build.media.headers_file import save_headers
    from caer_build.media.probe import choose_audio, read_headers
    from caer_build.media.source import name_of

    source, name = context.source, name_of(context.source.path)
    headers = read_headers(source.path)
    audio = choose_audio(headers.audio_tracks, context.settings.audio_language, name)
    save_headers(context.output("headers.json"), headers)
    context.write(
        "sounds",
        [
            SourceSound(
                episode_id=source.episode_id,
                audio_codec=None if audio is None else audio.codec,
                audio_rate=None if audio is None else audio.rate,
                audio_channels=None if audio is None else audio.channels,
                audio_track=None if audio is None else audio.index,
                audio_language=None if audio is None else audio.language,
            )
        ],
    )
    mute = f"{name} has sound, but none that can be decoded here: its clips are silent."
    context.facts.update(
        claimed_s=headers.duration_s,
        decoded_frames=headers.n_decoded,
        warnings=[mute] if headers.has_mute_audio else [],
    )


def versions(_settings: Any) -> tuple[str, ...]:
    from importlib.metadata import version

    return (f"av {version('av')}",)


STAGE = Stage(
    name="ingest",
    version=2,
    settings=IngestSettings,
    scope="episode",
    reads=(),
    writes=(Artifact("headers.json"), Artifact("sounds", SourceSound)),
    run=run,
    versions=versions,
    reads_source=True,
)
