"""What `train` and `finetune` share: options, and runs that are begun, gone on with and finished alike."""

import dataclasses
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from safetensors.torch import save

from direction_finder.commands.judge import Judge
from direction_finder.commands.options import pick_device, shown
from direction_finder.commands.recorder import Recorder
from direction_finder.commands.runs import Run, reserved, slug
from direction_finder.datasets import Dataset, Factor, read_pictures
from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import CONFIG, file_sha256, replacing, write_json
from direction_finder.generators.biggan_deep import WEIGHTS
from direction_finder.generators.weights import State, read_whole
from direction_finder.progress import Progress
from direction_finder.training import biggan, progan
from direction_finder.training.state import snapshot
from direction_finder.version import package_version

NEEDED = ("data", "model", "settings", "threads", "device", "direction_finder")
GENERATOR, SNAPSHOT = "generator", "snapshot.safetensors"


class Work(NamedTuple):
    """What there is to do: a run, its pictures, and what it goes on from."""

    run: Run
    images: np.ndarray
    state: State | None
    start: State | None


def begin_or_resume(
    ctx: click.Context, model: str, options: dict[str, Any], data: dict[str, Any] | None = None
) -> None:
    """Begin a run, or go on with one. `data`: what else to record of the data."""
    how = {name: options[name] for name in HOW if name in options}
    longer = MODELS[model].longer
    if not options["resume"]:
        _begin(model, options, data or {}, how)
        return
    source = click.core.ParameterSource.COMMANDLINE
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is source]
    if refused := [f"--{name.replace('_', '-')}" for name in given if name not in ("resume", longer, *how)]:
        raise InputError(f"--resume takes the run's own settings, but for --{longer}: leave out {', '.join(refused)}")
    _resume(model, options["resume"], options[longer], how)


def _begin(model: str, options: dict[str, Any], more: dict[str, Any], how: dict[str, Any]) -> None:
    if not options["data"]:
        raise InputError("no data: give the folder of a data set, e.g. one that `direction-finder scenes shapes` made")
    names = [field.name for field in dataclasses.fields(MODELS[model].config)]
    config = MODELS[model].config(**{name: options[name] for name in names if options.get(name) is not None})
    images, about = read_pictures(options["data"], options.get("resolution"))
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    start = options["start"]
    content = {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "model": model,
        "data": {**about, **more},
        "start": {"file": str(start.resolve()), "sha256": file_sha256(start)} if start else None,
        "settings": dataclasses.asdict(config),
        "threads": torch.get_num_threads(),
        "device": pick_device(options["device"]),
    }
    state = read_whole(start) if start else None
    with reserved(options["out"]):
        run = Run.create(options["out"], slug(f"{model} {about['kind']}"), content)
        try:
            _work(Work(run, images, None, state), how)
        except DirectionFinderError:
            run.remove_if_not_begun()
            raise


def _resume(model: str, folder: Path, longer: float | None, how: dict[str, Any]) -> None:
    run = Run.open(folder, NEEDED, f"train {model}")
    if run.config["model"] != model:
        raise InputError(f"{folder}: a run of `train {run.config['model']}`, not of `train {model}`")
    recorded = run.config["data"]
    images, about = read_pictures(recorded["folder"], recorded["resolution"])
    if about["sha256"] != recorded["sha256"]:
        raise InputError(f"{recorded['folder']}: other pictures now than when the run began")
    state, start = run.read_state(), run.config["start"]
    begin = read_whole(start["file"]) if start and state is None else None
    before = deepcopy(run.config)
    if longer is not None:
        run.config["settings"][MODELS[model].longer] = longer
    torch.set_num_threads(run.config["threads"])
    run.finish(False)
    run.cut_log(int(state["step"]) if state else 0)
    try:
        _work(Work(run, images, state, begin), how)
    except DirectionFinderError:
        write_json(run.folder / CONFIG, before)
        raise


def verb(run: Run) -> str:
    """The command that makes such runs."""
    model = run.config["model"]
    return "finetune" if model == "progan" and run.config["start"] else f"train {model}"


def _work(work: Work, how: dict[str, Any]) -> None:
    run, name = work.run, work.run.config["model"]
    model = MODELS[name]
    settings = {
        key: tuple(value) if isinstance(value, list) else value for key, value in run.config["settings"].items()
    }
    click.echo(f"{run.folder}: {model.title} on {len(work.images)} pictures", err=True)
    began = time.monotonic()
    with Recorder(run, "training", how["save_every"], preview_every=how["preview_every"]) as recorder:
        spec = model.work(work, model.config(**settings), pick_device(run.config["device"]), recorder, how)
    if recorder.stopped:
        click.echo(f"Stopped. Go on: direction-finder {verb(run)} --resume {shown(run.folder)}", err=True)
        raise SystemExit(130)
    run.finish()
    click.echo(f"{spec}: trained in {(time.monotonic() - began) / 60:.0f} minutes")
    click.echo(f"Find directions: direction-finder learn --generator {spec}", err=True)


def _train_biggan(work: Work, config: biggan.BigGANConfig, device: str, recorder: Recorder, how: dict[str, Any]) -> str:
    run, recorded = work.run, work.run.config["data"]
    data, factor = labelled(recorded["folder"], recorded["label"])
    names = list(factor.choices)
    players = biggan.train(
        work.images,
        data.values[factor.name],
        names,
        config,
        device=device,
        on_step=recorder,
        resume=work.state,
        start=work.start,
    )
    _write_snapshot(run, players)
    if not recorder.stopped:
        weights = biggan.finished(players, config, recorder)
        write_json(run.folder / GENERATOR / CONFIG, biggan.package_config(config, recorded["resolution"], names))
        with replacing(run.folder / GENERATOR / WEIGHTS) as part:
            halves = {name: tensor.half() for name, tensor in weights.items()}
            torch.save(halves if how["half"] else weights, part)
    return f"biggan-deep:{run.folder / GENERATOR}"


def labelled(folder: str | Path, label: str) -> tuple[Dataset, Factor]:
    """A data set and its factor that is the class. Raises InputError if it has none."""
    data = Dataset.open(folder)
    factor = data.factor(label)
    if not factor.choices:
        raise InputError(f"--label {label}: a number, not a class")
    return data, factor


def _train_progan(work: Work, config: progan.ProGANConfig, device: str, recorder: Recorder, how: dict[str, Any]) -> str:
    run = work.run
    judge = Judge(run, work.images, config.seed, how["score_every"], how["score_samples"])
    began, shown = time.monotonic(), None

    def on_step(progress: Progress) -> None:
        nonlocal shown
        shown = progress.values["kimg"] if shown is None else shown
        judge(progress)
        if progress.values["kimg"] > shown:
            progress.values["seconds_per_kimg"] = (time.monotonic() - began) / (progress.values["kimg"] - shown)
        recorder(progress)
        if progress.step == progress.total or progress.stopped:
            with replacing(run.folder / f"{GENERATOR}.safetensors") as part:
                part.write_bytes(save(progress.weights()))

    players = progan.train(
        work.images,
        config,
        device=device,
        on_step=on_step,
        resume=work.state,
        start=work.start,
        grown=run.config["start"] is not None,
    )
    _write_snapshot(run, players)
    return f"progan:{run.folder / GENERATOR}.safetensors"


def _write_snapshot(run: Run, players: torch.nn.Module) -> None:
    with replacing(run.folder / SNAPSHOT) as part:
        part.write_bytes(save(snapshot(players)))


class Model(NamedTuple):
    """A kind of model that is trained: what it is called, its settings, the one that a run can be prolonged by, and the
    function that trains it and returns the generator to give to `learn`."""

    title: str
    config: type
    longer: str
    work: Callable[[Work, Any, str, Recorder, dict[str, Any]], str]


HOW = ("preview_every", "save_every", "half", "score_every", "score_samples")  # may change when a run goes on
MODELS = {
    "biggan": Model("BigGAN-deep", biggan.BigGANConfig, "steps", _train_biggan),
    "progan": Model("ProGAN", progan.ProGANConfig, "kimg", _train_progan),
}
