"""Begin and resume runs that train a generator."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from direction_finder import torchrun
from direction_finder.datasets import read_images
from direction_finder.discovery.estimates import Cost
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators.devices import pick_device
from direction_finder.generators.weights import State, read_whole
from direction_finder.progress import OnStep
from direction_finder.runs.folder import Run, slug
from direction_finder.runs.latest import newest_run
from direction_finder.runs.lifecycle import Machine, begun, held, resumed
from direction_finder.runs.recorder import Recorder
from direction_finder.runs.trainers import MODELS, SNAPSHOT, Upkeep, Work, labelled, model_of
from direction_finder.runs.training_costs import estimate
from direction_finder.training.loop import run as train
from direction_finder.version import package_version

NEEDED = ("data", "model", "settings", "start", "threads", "device", "direction_finder")
TRAINING = "training"  # the phase that is logged and whose state is saved
OnNote = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Watch:
    """Hold the callbacks of a training: when its folder exists, for notes on what is left out, and for each step."""

    on_begin: Callable[[Run], None] = lambda _: None
    on_note: OnNote = warnings.warn
    on_step: OnStep | None = None


class Prepared(NamedTuple):
    """Hold what a run begins with: its configuration, images (n, H, W, 3) of bytes and the weights of a snapshot."""

    content: dict[str, Any]
    images: np.ndarray
    start: State | None


def prepare(
    model: str,
    data: str | Path,
    settings: Mapping[str, Any],
    *,
    start: Path | None = None,
    label: str | None = None,
    resolution: int | None = None,
    device: str = "auto",
) -> Prepared:
    """Read what a run that trains a model of `MODELS` begins with.

    start: a snapshot to begin with. label: the factor that is the class (biggan). Raises InputError for data or
    settings that do not fit.
    """
    if label is not None:
        labelled(data, label)
    config = _configured(model, settings)
    images, about = read_images(data, resolution)
    state = read_whole(start) if start else None
    content = {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "model": model,
        "data": {**about, **({} if label is None else {"label": label})},
        "start": {"file": str(start.resolve()), "sha256": file_sha256(start)} if start else None,
        "settings": dataclasses.asdict(config),
        "threads": torch.get_num_threads(),
        "device": pick_device(device),
    }
    return Prepared(content, images, state)


def begin(
    prepared: Prepared, *, out: Path | None = None, upkeep: Upkeep | None = None, watch: Watch | None = None
) -> Run:
    """Train in a new run folder; `run.finished` is False if it was stopped.

    Of the processes of `torchrun`, only the first creates a folder. Raises InputError for data or settings that do not
    fit, Diverged if the training diverges.
    """
    content, watch = prepared.content, watch or Watch()
    model = content["model"]
    if torchrun.number():
        run = Run(out or Path(model), content)
        _join(_work(run, prepared, upkeep, watch))
        return run
    with begun(out, slug(f"{model} {content['data']['kind']}"), content) as run:
        _carry_out(_work(run, prepared, upkeep, watch), watch)
        return run


def forecast(prepared: Prepared, *, upkeep: Upkeep | None = None, watch: Watch | None = None) -> Cost:
    """Return what a run would cost. Errors are those of `begin`."""
    content = prepared.content
    work = _work(Run(Path(content["model"]), content), prepared, upkeep, watch or Watch())
    return estimate(work, _configured(content["model"], content["settings"]))


def _work(run: Run, prepared: Prepared, upkeep: Upkeep | None, watch: Watch) -> Work:
    return Work(run, prepared.images, None, prepared.start, upkeep or Upkeep(), watch.on_note)


def resume(
    folder: Path,
    longer: float | None = None,
    *,
    model: str | None = None,
    machine: Machine | None = None,
    upkeep: Upkeep | None = None,
    watch: Watch | None = None,
) -> Run:
    """Resume a run exactly where it stopped. longer: a new length, e.g. in steps or kimg, see `MODELS`.

    machine: resume on another device or with another number of threads.

    Raises InputError, and leaves the run unchanged, if it trains another model or its images have changed.
    """
    folder, verb = newest_run(folder), f"train {model or '...'}"
    opened = nullcontext(Run.open(folder, NEEDED, verb)) if torchrun.number() else held(folder, NEEDED, verb)
    with opened as run:
        if model not in (None, run.config["model"]):
            raise InputError(f"{folder}: a run of `train {run.config['model']}`, not of `train {model}`")
        _resumed(run, longer, machine or Machine(), upkeep or Upkeep(), watch or Watch())
    return run


def _resumed(run: Run, longer: float | None, machine: Machine, upkeep: Upkeep, watch: Watch) -> None:
    trained, recorded, settings = model_of(run), run.config["data"], dict(run.config["settings"])
    images, about = read_images(recorded["folder"], recorded["resolution"])
    if about["sha256"] != recorded["sha256"]:
        raise InputError(
            f"{recorded['folder']}: its images have changed since the run began; restore them to resume it"
        )
    state, start = run.read_state(), run.config["start"]
    first = read_whole(start["file"]) if start and state is None else None
    if longer is not None:
        settings[trained.longer] = longer
    _configured(run.config["model"], settings)
    changes = {"settings": settings, **machine.taken(run)}
    work = Work(run, images, state, first, upkeep, watch.on_note)
    if torchrun.number():
        run.config.update(changes)
        _join(work)
        return
    with resumed(run, changes, int(state["step"]) if state else 0):
        _carry_out(work, watch)


def _configured(model: str, settings: Mapping[str, Any]) -> Any:
    """Return the settings of a model as its dataclass. Raises InputError for unknown settings or values."""
    known = [field.name for field in dataclasses.fields(MODELS[model].config)]
    if unknown := sorted(settings.keys() - set(known)):
        raise InputError(f"{model} has no setting {unknown[0]}; it has {', '.join(known)}")
    return MODELS[model].config(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    )


def _carry_out(work: Work, watch: Watch) -> None:
    run, upkeep = work.run, work.upkeep
    config = _configured(run.config["model"], run.config["settings"])
    watch.on_begin(run)
    with Recorder(
        run,
        TRAINING,
        save_every=upkeep.save_every,
        on_step=watch.on_step,
        preview_every=upkeep.preview_every,
        done=int(work.state["step"]) if work.state else 0,
    ) as recorder:
        model_of(run).work(work, config, recorder)
    if not recorder.stopped:
        run.finish()


def _join(work: Work) -> None:
    """Take part in the steps of a training that the first process carries out."""
    config = _configured(work.run.config["model"], work.run.config["settings"])
    train(model_of(work.run).trainer(work, config), resume=work.state, start=work.start)


def snapshot_settings(checkpoint: Path) -> tuple[Path, dict[str, Any]]:
    """Return the snapshot file for a run of `train progan` or a snapshot, and the settings that its shapes imply."""
    file = checkpoint / SNAPSHOT if checkpoint.is_dir() else checkpoint
    return file, _sizes(read_whole(file), file)


def _sizes(start: State, file: Path) -> dict[str, Any]:
    widths = [
        tensor.shape[1] for name, tensor in start.items() if name.startswith("average.output") and tensor.ndim == 4
    ]
    if "average.layer0.weight" not in start or not widths or "critic.last.0.weight" not in start:
        raise InputError(f"{file}: not a snapshot of `train progan`, which has a generator and a critic")
    codes = start["critic.guess.2.bias"].numel() if "critic.guess.2.bias" in start else 0
    return {
        "z_dim": start["average.layer0.weight"].shape[1],
        "width": min(widths),
        "max_width": max(widths),
        "codes": codes,
    }
