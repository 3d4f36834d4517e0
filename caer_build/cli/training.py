"""``caer train`` and ``caer evaluate``: the reference models on a data set, ours or anybody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caer_build.cli.annotate_project import AsJson
from caer_build.cli.progress import Steps, say
from caer_build.errors import RecipeError

if TYPE_CHECKING:
    from caer_build.caernet.distributed import Ranks
    from caer_build.caernet.evaluation import Evaluation
    from caer_build.caernet.framestore import FrameStore, StoreSettings
    from caer_build.caernet.networks import NetworkSettings
    from caer_build.caernet.preparing import Prepared
    from caer_build.caernet.regime import Regime
    from caer_build.caernet.runlog import Epoch
    from caer_build.caernet.store_plan import StorePlan
    from caer_build.dataset.reading import Dataset


def add_to(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("evaluate")(evaluate)


DatasetFolder = Annotated[
    Path, typer.Argument(help="A data set: ours, the released ones, folders of classes.")
]
Boxes = Annotated[
    Path | None, typer.Option("--boxes", help="Lists of face boxes that lie elsewhere.")
]
Stores = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="Where frames are kept; by default beside RUN."),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes that decode.")]
VerifyFrames = Annotated[
    bool,
    typer.Option("--verify-frames",
                 help="Read every byte of the kept frames; what is damaged is decoded again."),
]  # fmt: skip
Computing = Annotated[
    list[str] | None,
    typer.Option("--set", help="compute.key=value, say compute.precision=fp32; repeatable."),
]


def train(
    dataset: DatasetFolder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="The run's folder.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="By default caer-net where there are clips, or caer-net-s."),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="ours or paper.")] = "ours",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="section.key=value, wins over the preset; may be repeated."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="At most.")] = None,
    stop_after: Annotated[
        int | None,
        typer.Option(
            "--stop-after",
            min=1,
            metavar="N",
            help="Stop after N epochs; the same command goes on.",
        ),
    ] = None,
    boxes: Boxes = None,
    stores: Stores = None,
    device: Device = "auto",
    workers: Workers = 2,
    verify_frames: VerifyFrames = False,
    as_json: AsJson = False,
) -> None:
    """Train CAER-Net or another network; the same command goes on where it was stopped.

    Example: [bold]caer train CAER-S -o run --epochs 10[/bold]

    Clips are decoded once; the best epoch is that of the validation split. Several GPUs:
    torchrun --nproc-per-node 2 -m caer_build.cli train …
    """
    from caer_build.caernet import networks
    from caer_build.caernet.compute import Compute, described
    from caer_build.caernet.distributed import device_of, joined
    from caer_build.caernet.model_card import write_card
    from caer_build.caernet.preparing import model_for, prepared
    from caer_build.caernet.runlog import refuse_other_plan, surroundings
    from caer_build.caernet.runs import TrainedRun
    from caer_build.caernet.settings import assigned
    from caer_build.caernet.store_plan import planned
    from caer_build.caernet.train import Plan
    from caer_build.caernet.train import train as train_
    from caer_build.dataset.reading import read_dataset

    read = read_dataset(dataset, boxes)
    start = networks.preset(model or model_for(read), preset)
    wanted = [*(assignments or []), *([] if epochs is None else [f"regime.epochs={epochs}"])]
    chosen = assigned({**vars(start), "compute": Compute()}, wanted)
    networks.check(networks.Preset(**{name: chosen[name] for name in vars(start)}))
    with joined(device_of(device)) as (ranks, own), Steps() as steps:
        training = Plan(chosen["architecture"], chosen["regime"], chosen["augmentation"], own,
                        chosen["compute"], chosen["windows"])  # fmt: skip
        refuse_other_plan(out, training.described())
        read = _seen(read, chosen["architecture"], chosen["store"], stores or
                     out.absolute().parent, steps, ranks, workers)  # fmt: skip
        ready = prepared(read, chosen["architecture"], chosen["store"])
        if ranks.leads:
            _introduce(ready)
            _say_if_replanned(out, chosen["regime"])
        plan = planned(ready.dataset, chosen["store"])
        store = _frames(ready, chosen["store"], stores or out.absolute().parent, plan, steps,
                        ranks, workers, verify=verify_frames)  # fmt: skip
        about = {
            "data": {**ready.described(), "key": plan.data_key},
            "store": chosen["store"].described(),
            "preset": preset,
            "compute": described(chosen["compute"], own, ranks.n),
            "made_with": surroundings(),
        }

        def tell_step(epoch: int, done: int, n: int) -> None:
            if ranks.leads:
                steps.tell("training", (epoch - 1) * n + done, chosen["regime"].epochs * n)

        done = train_(
            store, out.absolute(), training, _tell_epoch, tell_step=tell_step, about=about,
            ranks=ranks, stop_after=stop_after,
        )  # fmt: skip
    if ranks.leads:
        write_card(TrainedRun.open(out))
        _report_training(out, dataset, done, chosen["regime"], about, as_json)


def _say_if_replanned(run: Path, regime: Regime) -> None:
    """A run that is made longer is not what it would have been."""
    from caer_build.caernet import checkpoint

    if not (run / checkpoint.RUN).is_file():
        return
    said = checkpoint.read_run(run)
    before = said["plan"]["regime"]["epochs"]
    goes_on = regime.epochs > len(said["epochs"])
    if goes_on and before != regime.epochs and regime.is_of_its_length:
        say(
            f"This run was planned for {before} epochs, and its learning rates so far are those of "
            f"{before}; from here on they are those of {regime.epochs}. It is not the run of "
            f"{regime.epochs} epochs, and run.json says so. To stop a run on purpose: --stop-after."
        )


def _introduce(ready: Prepared) -> None:
    for note in (*ready.dataset.notes, *ready.left_out):
        say(note)
    if ready.held_out:
        say(f"There is no validation split: {ready.held_out:.0%} of train is held out as one.")


def _seen(
    read: Dataset, network: NetworkSettings, settings: StoreSettings, parent: Path, steps: Steps,
    ranks: Ranks, workers: int,
) -> Dataset:  # fmt: skip
    """The data set with faces: where they are needed and it has none, they are looked for."""
    from caer_build.inference.kept_faces import lacks_faces, with_faces

    if not (network.has_face or settings.hide != "none") or not lacks_faces(read):
        return read
    if ranks.leads:
        say("The data set has no face boxes: faces are looked for, once.")
        found = with_faces(read, parent, lambda done, n: steps.tell("faces", done, n), workers,
                           rate=settings.rate)  # fmt: skip
    ranks.wait()
    if ranks.leads:
        return found
    return with_faces(read, parent, lambda *_: None, workers, rate=settings.rate)


def _frames(
    ready: Prepared, settings: StoreSettings, parent: Path, plan: StorePlan, steps: Steps,
    ranks: Ranks, workers: int, *, verify: bool,
) -> FrameStore:  # fmt: skip
    """The frame store, made by the leading process where it is not there."""
    from caer_build.caernet.storing import keep_store, needs

    if ranks.leads:
        wanted = needs(ready.dataset, parent, settings)
        say(wanted.sentence)
        store = keep_store(
            ready.dataset, parent, settings,
            lambda done, n: steps.tell("frames", done, n), workers, plan=plan, verify=verify,
            say=say,
        )  # fmt: skip
    ranks.wait()
    if not ranks.leads:
        store = keep_store(ready.dataset, parent, settings, lambda *_: None, workers, plan=plan)
    return store


def _tell_epoch(epoch: Epoch) -> None:
    say(
        f"epoch {epoch.number}  loss {epoch.loss:.4f}  validation {epoch.validation_loss:.4f}, "
        f"{epoch.validation_accuracy:.1%} right  {epoch.seconds:.1f} s"
    )


def _report_training(
    run: Path, dataset: Path, done: list[Epoch], regime: Regime, about: dict[str, Any],
    as_json: bool,
) -> None:  # fmt: skip
    best = max(done, key=lambda epoch: epoch.score)
    if as_json:
        found = {
            "run": str(run), "epochs": len(done), "planned": regime.epochs, "best": best.number,
            "validation_accuracy": best.validation_accuracy,
            "validation_loss": best.validation_loss, "data": about["data"],
        }  # fmt: skip
        typer.echo(json.dumps(found, indent=1))
        return
    n_done = str(len(done)) if len(done) == regime.epochs else f"{len(done)} of {regime.epochs}"
    typer.echo(
        f"{n_done} epochs in {run}; the best is {best.number}: "
        f"{best.validation_accuracy:.1%} of validation are right."
    )
    say(f"How good it is on test: caer evaluate {run} {dataset}")


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Of caer train.")],
    dataset: DatasetFolder,
    split: Annotated[str, typer.Option("--split", help="train, validation or test.")] = "test",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A folder; by default RUN/<split>.")
    ] = None,
    boxes: Boxes = None,
    stores: Stores = None,
    assignments: Computing = None,
    device: Device = "auto",
    workers: Workers = 2,
    verify_frames: VerifyFrames = False,
    as_json: AsJson = False,
) -> None:
    """How good the best epoch of a run is: figures with intervals, every prediction.

    Example: [bold]caer evaluate run CAER-S --split test[/bold]

    Intervals come from resampling whole shows, episodes, persons or clips, whichever there are
    enough of. On another data set than that of the run: RUN/<its name>-<split>.
    """
    from caer_build.caernet.compute import described
    from caer_build.caernet.distributed import device_of, joined
    from caer_build.caernet.evaluation import evaluate as evaluate_
    from caer_build.caernet.model_card import write_card
    from caer_build.caernet.preparing import HELD_OUT, prepared
    from caer_build.caernet.runs import TrainedRun
    from caer_build.caernet.settings import assigned_compute
    from caer_build.caernet.store_plan import planned
    from caer_build.dataset.reading import read_dataset
    from caer_build.records import SPLITS

    if split not in SPLITS:
        raise RecipeError(f"There is no split {split!r}.", f"The splits are {', '.join(SPLITS)}.")
    compute, opened = assigned_compute(assignments or []), TrainedRun.open(run)
    with joined(device_of(device)) as (ranks, own), Steps() as steps:
        read = _seen(read_dataset(dataset, boxes), opened.plan.architecture, opened.store,
                     stores or run.absolute().parent, steps, ranks, workers)  # fmt: skip
        ready = prepared(read, opened.plan.architecture, opened.store,
                         opened.data.get("held_out") or HELD_OUT)  # fmt: skip
        plan = planned(ready.dataset, opened.store)
        store = _frames(ready, opened.store, stores or run.absolute().parent, plan, steps, ranks,
                        workers, verify=verify_frames)  # fmt: skip
        found = evaluate_(opened, store, split, ready.in_split(split), own, compute=compute,
                          ranks=ranks)  # fmt: skip
    if not ranks.leads:
        return
    same = plan.data_key == opened.data.get("key")
    folder = out or run / (split if same else f"{dataset.absolute().name}-{split}")
    found.write(
        folder,
        {"run": run.absolute().name, "epoch": opened.best,
         "data": {**ready.described(), "key": plan.data_key},
         "compute": described(compute, own, ranks.n)},
    )  # fmt: skip
    write_card(opened)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **found.described()}, indent=1))
    else:
        _print(found, folder)


def _print(found: Evaluation, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    metrics = found.metrics
    first = next(iter(found.intervals.values()))
    figures = Table(title=f"{metrics.n} items of {found.split}", title_justify="left",
                    show_edge=False, pad_edge=False)  # fmt: skip
    for column in ("", "value", "95 % interval"):
        figures.add_column(column, justify="left" if not column else "right")
    for name, interval in found.intervals.items():
        between = "none" if interval.low is None else f"{interval.low:.3f} to {interval.high:.3f}"
        figures.add_row(name.replace("_", " "), f"{interval.value:.3f}", between)
    console.print(figures)
    because = f": {first.why}" if first.why else ""
    console.print(f"Intervals resample {first.n_clusters} clusters ({first.level}){because}.")
    console.print(f"Always the most frequent emotion: {found.always_share:.3f} right.\n")
    table = Table(title="What was taken for what", title_justify="left", show_edge=False,
                  pad_edge=False)  # fmt: skip
    table.add_column("truth")
    table.add_column("found", justify="right")
    for name in metrics.categories:
        table.add_column(name, justify="right")
    for (name, figure), row in zip(metrics.categories.items(), metrics.confusion, strict=True):
        recall = "no item" if figure.recall is None else f"{figure.recall:.1%}"
        table.add_row(name, recall, *map(str, row))
    console.print(table)
    say(f"Predictions and figures are in {folder}.")
