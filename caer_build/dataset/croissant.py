"""``croissant.json``: the data set as search engines and ``mlcroissant`` read it.

Croissant 1.1 (https://docs.mlcommons.org/croissant) with its vocabulary of responsible AI. Tables
are files with digests, and record sets with a field a column; media are a set of files, whose
digests are the items' column ``file_sha256``. What was not stated is left out where the format
knows "missing", and said to be so where it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from caer_build.arrow import schema
from caer_build.dataset.card import not_stated
from caer_build.dataset.card_words import GUARANTEES, LIMITS, RULES
from caer_build.dataset.describing import TABLES, Described, ListedFile, tops_of
from caer_build.dataset.statistics import categories, main_kind, percent, values_of
from caer_build.dataset.voting import Voting, count_votes
from caer_build.handbook import column_notes
from caer_build.records import EMOTIONS

Json = dict[str, Any]
_ENCODING = {
    ".avi": "video/x-msvideo",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".tar": "application/x-tar",
}
_TYPES = {"string": "sc:Text", "int64": "sc:Integer", "double": "sc:Float", "bool": "sc:Boolean"}
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{
        name: f"cr:{name}"
        for name in (
            "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract",
            "field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray",
            "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
            "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
            "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
}  # fmt: skip


def croissant(d: Described) -> Json:
    """The metadata as JSON-LD. Pure."""
    about = d.about
    stated = {
        "license": about.get("licence_url", about.get("licence")),
        "version": about.get("version"),
        "url": about.get("url"),
        "citeAs": about.get("citation"),
        "datePublished": about.get("published"),
        "inLanguage": about.get("languages"),
        "creator": [
            {"@type": f"sc:{kind}", "name": name}
            for kind, key in (("Person", "creators"), ("Organization", "institutions"))
            for name in about.get(key, ())
        ],
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": d.name,
        "description": about.get("description", not_stated("description")),
        **{name: value for name, value in stated.items() if value},
        **_responsible(d, count_votes(d.votes, d.items)),
        "distribution": [*_tables(d), *_media(d)],
        "recordSet": [_emotions(), *_records()],
    }


def _tables(d: Described) -> Iterator[Json]:
    for table, (_, what) in zip(d.tables, TABLES, strict=True):
        yield {**_file(table, "application/x-parquet"), "description": what}


def _file(file: ListedFile, encoding: str) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.n_bytes} B",
        "encodingFormat": encoding,
        "sha256": file.sha256,
    }


def _media(d: Described) -> Iterator[Json]:
    """The files of items, as one set; before them the archives in which they lie, if any."""
    yield from (_file(archive, _ENCODING[".tar"]) for archive in d.archives)
    suffix = d.layout["suffix"]
    if suffix is None:
        return
    inside = [f"*{suffix}"] if d.archives else [f"{top}/**/*{suffix}" for top in tops_of(d.items)]
    media: Json = {
        "@type": "cr:FileSet",
        "@id": "media",
        "name": "media",
        "description": "The files of the items; their digests are in the items' file_sha256.",
        "encodingFormat": _ENCODING[suffix],
        "includes": inside,
    }
    if d.archives:
        media["containedIn"] = [{"@id": archive.name} for archive in d.archives]
    yield media


def _emotions() -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": "emotions",
        "name": "emotions",
        "description": "The categories, in the order of their numbers.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "emotions/name"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": "emotions/name",
                "name": "emotions/name",
                "dataType": "sc:Text",
            }
        ],
        "data": [{"emotions/name": emotion} for emotion in EMOTIONS],
    }


def _records() -> Iterator[Json]:
    for record, what in TABLES:
        name = str(getattr(record, "table", record.__name__))
        # What a table is called in a workspace is not what it is called in a data set.
        name = {"counted_votes": "votes"}.get(name, name)
        notes = column_notes(record)
        fields = []
        for column in schema(record):
            field: Json = {
                "@type": "cr:Field",
                "@id": f"{name}/{column.name}",
                "name": f"{name}/{column.name}",
                "description": notes.get(column.name, column.name.replace("_", " ")),
                "dataType": _TYPES[str(column.type)],
                "source": {
                    "fileObject": {"@id": f"metadata/{name}.parquet"},
                    "extract": {"column": column.name},
                },
            }
            if (name, column.name) == ("items", "emotion"):
                field["references"] = {"field": {"@id": "emotions/name"}}
            fields.append(field)
        yield {
            "@type": "cr:RecordSet",
            "@id": name,
            "name": name,
            "description": what,
            "field": fields,
        }


def _responsible(d: Described, voting: Voting) -> Json:
    """The fields of responsible AI; what only people know is stated or said to be missing."""
    about, facts = d.about, d.facts

    def stated(name: str) -> str:
        return str(about.get(name, not_stated(name)))

    labels, split = facts.get("labels"), facts.get("split")
    alpha = voting.alpha.value
    frames = [about[name] for name in ("collected_from", "collected_to") if name in about]
    answers = sorted(set(values_of(d.items, "n_votes")))
    found: Json = {
        "rai:dataCollection": "Episodes of TV shows were divided into shots; faces were found, "
        "followed and told apart; candidate clips, each around one target in one shot, were "
        f"screened. {_funnel(d)}",
        "rai:dataCollectionType": ["Secondary data analysis", "Manual human curator"],
        "rai:dataPreprocessingProtocol": [
            "Clips are cut at shots and encoded once; face boxes are those of a detector, "
            "interpolated where it missed a frame and marked so."
        ],
        "rai:dataAnnotationProtocol": [
            "The rule that makes labels is not recorded."
            if labels is None
            else f"Rule {labels['rule']}: {RULES[labels['rule']]}"
        ],
        "rai:annotationsPerItem": " or ".join(map(str, answers)) or "not known",
        "rai:dataAnnotationAnalysis": [
            "Krippendorff's alpha cannot be told."
            if alpha is None
            else f"Krippendorff's alpha {alpha:.3f} over {voting.alpha.n_clips} clips of this data "
            "set; clips without a label are not among them."
        ],
        "rai:annotatorDemographics": [stated("annotator_demographics")],
        "rai:machineAnnotationTools": [
            str(facts.get("made_with", "not recorded")),
            "Persons, tracks and face boxes are a machine's; emotions are people's.",
        ],
        "rai:dataBiases": [_balance(d), *(LIMITS[k] for k in (1, 6))],
        "rai:dataLimitations": list(LIMITS)
        + ([GUARANTEES[split["by"]].replace("**", "")] if split else []),
        "rai:dataUseCases": [stated("intended_uses")],
        "rai:dataSocialImpact": f"Not to be used for: {stated('uses_to_avoid')}",
        "rai:personalSensitiveInformation": [
            "Faces of people who can be recognised, and groups of pictures of one person."
            if d.layout["suffix"] is not None
            else "No picture; where in which episode which face is seen.",
            f"Consent: {stated('consent')}",
            "Annotators are under pseudonyms.",
        ],
        "rai:dataReleaseMaintenancePlan": stated("maintenance"),
    }
    if frames:
        found["rai:dataCollectionTimeFrame"] = frames
    return found


def _funnel(d: Described) -> str:
    steps = d.facts.get("funnel") or []
    lost = "; ".join(f"{s['name']} {s['n_clips']:,}" for s in steps if s["n_clips"])
    return f"Lost on the way: {lost}." if lost else ""


def _balance(d: Described) -> str:
    kind = main_kind(d.items)
    counts = {row.emotion: sum(row.of_kind(kind).values()) for row in categories(d.items)}
    whole = sum(counts.values())
    shares = ", ".join(f"{name} {percent(n, whole)} %" for name, n in counts.items())
    return f"Shares of the categories: {shares}."
