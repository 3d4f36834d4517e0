"""Ingest: what the headers of a source claim, before anything is decoded."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from caer_build.records import SourceProbe
from caer_build.sources import printable
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
    from caer_build.media.probe import read_headers

    source = context.source
    headers = read_headers(source.path, context.settings.audio_language)
    audio = headers.audio
    context.write(
        "probes",
        [
            SourceProbe(
                episode_id=source.episode_id,
                show=source.show,
                season=source.season,
                number=source.number,
                source_name=printable(source.path.name),
                source_sha256=source.sha256,
                source_bytes=source.path.stat().st_size,
                container=headers.container,
                video_codec=headers.video_codec,
                pixel_format=headers.pixel_format,
                width=headers.width,
                height=headers.height,
                rotation=headers.rotation,
                sample_aspect=float(headers.sample_aspect),
                interlaced=headers.interlaced,
                frame_rate_num=headers.frame_rate.numerator,
                frame_rate_den=headers.frame_rate.denominator,
                frame_count_claimed=headers.frame_count_claimed,
                duration_s=headers.duration_s,
                audio_track=None if audio is None else audio.index,
                audio_codec=None if audio is None else audio.codec,
                audio_rate=None if audio is None else audio.rate,
                audio_channels=None if audio is None else audio.channels,
                audio_language=None if audio is None else audio.language,
            )
        ],
    )


def versions(_settings: Any) -> tuple[str, ...]:
    from importlib.metadata import version

    return (f"av {version('av')}",)


STAGE = Stage(
    name="ingest",
    version=1,
    settings=IngestSettings,
    scope="episode",
    reads=(),
    writes=(Artifact("probes", SourceProbe),),
    run=run,
    versions=versions,
    reads_source=True,
)
