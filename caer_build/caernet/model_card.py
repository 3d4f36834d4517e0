"""``RUN/README.md``: what a trained network is, for whoever finds it; written from the run alone.

The head is the metadata that model hubs read. There is no licence in it: only whoever had the
right to use the data can say one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caer_build.caernet.evaluation import METRICS
from caer_build.caernet.runs import TrainedRun
from caer_build.records import EMOTIONS, SPLITS
from caer_build.store import read_json, write_atomically

CARD = "README.md"
_WHAT = {
    "caer-net": "CAER-Net (clips)",
    "caer-net-s": "CAER-Net-S (single pictures)",
    "alexnet": "AlexNet on whole pictures",
    "vgg16": "VGG-16 on whole pictures",
    "resnet50": "ResNet-50 on whole pictures",
    "c3d": "C3D on whole clips",
}
_PAPER = "Lee et al., Context-Aware Emotion Recognition Networks, ICCV 2019"
_LIMITS = (
    "It says what people would say of a face and its surroundings, as those did who labelled the "
    "data. It does not know what anybody feels.",
    "Its figures hold for data like those that it was evaluated on: other shows, cameras, ages and "
    "cultures than those of its training are not covered by them.",
    "It knows seven categories and always names one, also where none fits. A low probability is a "
    "reason to doubt; a high one is no proof, see the calibration error (ECE).",
    "It depends on the faces that a detector finds: who is not found is not judged.",
    "It is not made for decisions about persons, such as on hiring, schooling, credit, health or "
    "policing.",
)


def write_card(run: TrainedRun) -> Path:
    """Write the card of a run, or bring it up to date; what stands there is replaced."""
    card = run.folder / CARD
    write_atomically(card, "\n".join(_lines(run)).encode())
    return card


def _lines(run: TrainedRun) -> Iterator[str]:
    model = run.plan.architecture.model
    data = run.data
    yield from ("---", "library_name: caer-build", "tags:", "- emotion-recognition",
                f"- {model}", "---", "")  # fmt: skip
    yield from (f"# {_WHAT.get(model, model)}", "")
    yield (
        f"Tells {run.plan.architecture.n_classes} categories apart"
        + (f" ({', '.join(EMOTIONS)})" if run.plan.architecture.n_classes == len(EMOTIONS) else "")
        + f". After {_PAPER}; trained with caer-build."
    )
    yield from ("", "## Data", "")
    yield from _data(data, run)
    yield from ("", "## Figures", "")
    yield from _figures(run)
    yield from ("", "## Settings", "")
    yield from _settings(run)
    yield from ("", "## Limits", "")
    yield from (f"- {limit}" for limit in _LIMITS)
    yield from ("", "## Licence", "")
    yield (
        "None is stated here: it depends on the rights in the data that the network was trained "
        "on. Whoever passes it on states one."
    )
    yield from ("", "## Use", "")
    yield from ("```", "caer predict RUN video.mp4", "caer explain-model RUN picture.png",
                "caer export-onnx RUN -o model.onnx", "```", "")  # fmt: skip


def _data(data: Mapping[str, Any], run: TrainedRun) -> Iterator[str]:
    if not data:
        yield "The run does not say what it was trained on."
        return
    counts = ", ".join(f"{data['items'][s]} {s}" for s in SPLITS if s in data["items"])
    yield f"- Data set: {data['name']} (layout {data['layout']}); items: {counts}."
    yield f"- Its key, a digest of items, labels, splits and face boxes: `{data['key']}`."
    if data.get("held_out"):
        yield f"- It has no validation split: {data['held_out']:.0%} of train was held out as one."
    yield f"- Faces that are hidden from the context: {run.store.hide}; fill: {run.store.fill}."


def _figures(run: TrainedRun) -> Iterator[str]:
    epochs = run.said.get("epochs", [])
    best = next((epoch for epoch in epochs if epoch["number"] == run.best), None)
    if best is not None:
        yield (
            f"Best of {len(epochs)} epochs by validation: {run.best}, with "
            f"{best['validation_accuracy']:.1%} of validation right. That epoch was chosen by this "
            "figure, which is therefore too good; test was not looked at."
        )
        yield ""
    every = [read_json(file) for file in sorted(run.folder.glob(f"*/{METRICS}"))]
    # A run that went on has another best epoch than the one that was evaluated.
    found = [metrics for metrics in every if metrics["epoch"] == run.best]
    if not found:
        yield "Not evaluated yet: `caer evaluate` writes the figures that belong here."
        return
    yield "| data | split | items | figure | value | 95 % interval | clusters |"
    yield "| --- | --- | ---: | --- | ---: | --- | --- |"
    for metrics in found:
        for name, at in metrics["intervals"].items():
            between = f"{at['low']:.3f} to {at['high']:.3f}" if at["low"] is not None else at["why"]
            yield (
                f"| {metrics['data']['name']} | {metrics['split']} | {metrics['n']} "
                f"| {name.replace('_', ' ')} | {at['value']:.3f} | {between} "
                f"| {at['n_clusters']} ({at['level']}) |"
            )
    yield ""
    shares = "; ".join(f"{m['data']['name']} {m['split']}: {m['always_share']:.3f}" for m in found)
    yield f"Always the most frequent category is right in this share: {shares}."


def _settings(run: TrainedRun) -> Iterator[str]:
    made = run.said.get("made_with", {})
    sections = {
        "architecture": run.plan.architecture.described(), "regime": run.plan.regime.described(),
        "augmentation": vars(run.plan.augmentation), "windows": run.plan.windows.described(),
        "store": run.store.described(),
    }  # fmt: skip
    if "preset" in run.said:
        yield from (f"Preset {run.said['preset']}; what is set in the end:", "")
    for name, values in sections.items():
        yield f"- {name}: " + ", ".join(f"{key} = {value}" for key, value in values.items())
    if made:
        yield "- made with: " + ", ".join(f"{key} {value}" for key, value in _flat(made))


def _flat(made: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in made.items():
        if isinstance(value, Mapping):
            yield from value.items()
        else:
            yield key, value
